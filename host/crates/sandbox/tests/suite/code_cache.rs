//! The cache of machine code: a release is compiled once, and cached code is loaded only if it is authentic.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use tessera_core::ErrorKind;
use tessera_core::id::TenantId;
use tessera_core::plugin::{Call, Digest, FailureReason, Lookup};
use tessera_core::ports::Plugins as _;
use tessera_sandbox::{Sandbox, SandboxConfig};
use tokio::sync::Notify;

use crate::guests::{
    compiler, component, config, failure, hostile_call, later, source, upload, validate, varied,
};

/// Creates a compiler that appends a line to a file each time it is started.
fn counting_compiler(folder: &Path) -> (PathBuf, PathBuf) {
    let (script, count) = (folder.join("compile.sh"), folder.join("count"));
    let text = format!("#!/bin/sh\necho >> '{}'\nexec '{}' \"$@\"\n", count.display(), compiler().display());
    fs::write(&script, text).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o700)).unwrap();
    (script, count)
}

fn cached_config(folder: &Path, key: [u8; 32]) -> (SandboxConfig, PathBuf) {
    let (script, count) = counting_compiler(folder);
    let cache = Some(folder.join("cache"));
    (SandboxConfig { cache, cache_key: key, compiler: (script, Vec::new()), ..config() }, count)
}

fn compilations(count: &Path) -> usize {
    fs::read(count).map_or(0, |text| text.len())
}

/// Returns the path of the only file of machine code.
fn code_path(folder: &Path) -> PathBuf {
    let entries = fs::read_dir(folder.join("cache")).unwrap();
    let mut paths = entries.map(|entry| entry.unwrap().path());
    paths.find(|path| path.extension().is_some_and(|extension| extension == "code")).unwrap()
}

async fn prepare(config: &SandboxConfig, digest: Digest) {
    let sandbox = Sandbox::new(config.clone()).unwrap();
    let source = source(component("required-fields"));
    sandbox.prepare(TenantId::generate(), digest, source, later()).await.unwrap();
    assert!(sandbox.is_ready(digest));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_is_compiled_once_for_concurrent_uploads_and_for_all_starts() {
    let folder = tempfile::tempdir().unwrap();
    let (config, count) = cached_config(folder.path(), [1; 32]);
    let sandbox = Arc::new(Sandbox::new(config.clone()).unwrap());
    let uploads: Vec<_> = (0..8)
        .map(|_| {
            let sandbox = Arc::clone(&sandbox);
            tokio::spawn(async move { upload(&sandbox, component("required-fields")).await })
        })
        .collect();
    let mut digests = Vec::new();
    for upload in uploads {
        digests.push(upload.await.unwrap());
    }
    assert_eq!(compilations(&count), 1);
    prepare(&config, digests[0]).await;
    assert_eq!(compilations(&count), 1, "the next start uses the cached code");
    let mode = fs::metadata(folder.path().join("cache")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
}

#[tokio::test(flavor = "multi_thread")]
async fn machine_code_that_fails_authentication_is_compiled_again() {
    let folder = tempfile::tempdir().unwrap();
    let (config, count) = cached_config(folder.path(), [1; 32]);
    let sandbox = Sandbox::new(config.clone()).unwrap();
    let digest = upload(&sandbox, component("required-fields")).await;
    let code = || code_path(folder.path());
    let mut expected = 1;
    let damages: [fn(&mut Vec<u8>); 3] = [
        |bytes| bytes.truncate(bytes.len() / 2),
        |bytes| {
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
        },
        Vec::clear,
    ];
    for damage in damages {
        let mut bytes = fs::read(code()).unwrap();
        damage(&mut bytes);
        fs::write(code(), bytes).unwrap();
        prepare(&config, digest).await;
        expected += 1;
        assert_eq!(compilations(&count), expected);
    }
    // Code that another host's key has authenticated is foreign.
    let foreign = SandboxConfig { cache_key: [2; 32], ..config.clone() };
    prepare(&foreign, digest).await;
    assert_eq!(compilations(&count), expected + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn machine_code_that_cannot_be_read_is_not_deleted() {
    let folder = tempfile::tempdir().unwrap();
    let (config, count) = cached_config(folder.path(), [1; 32]);
    let digest = upload(&Sandbox::new(config.clone()).unwrap(), component("required-fields")).await;
    for extension in ["code", "mac"] {
        let entry = code_path(folder.path()).with_extension(extension);
        let aside = folder.path().join("aside");
        fs::rename(&entry, &aside).unwrap();
        // Opening a link to itself is an error of the system, for root as well.
        std::os::unix::fs::symlink(&entry, &entry).unwrap();
        let before = compilations(&count);
        prepare(&config, digest).await;
        assert_eq!(compilations(&count), before + 1, "it was not compiled for this start");
        assert!(
            fs::symlink_metadata(&entry).unwrap().is_symlink(),
            "the file that could not be read is gone"
        );
        fs::rename(&aside, &entry).unwrap();
        prepare(&config, digest).await;
        assert_eq!(compilations(&count), before + 1, "the cached code was not used");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_release_is_unloaded_and_loaded_again_from_the_cache() {
    let folder = tempfile::tempdir().unwrap();
    let (config, count) = cached_config(folder.path(), [1; 32]);
    let sandbox = Arc::new(Sandbox::new(SandboxConfig { idle_releases: 1, ..config }).unwrap());
    let digest = upload(&sandbox, component("hostile")).await;
    let other = upload(&sandbox, component("required-fields")).await;
    let mapped = || {
        let maps = fs::read_to_string("/proc/self/maps").unwrap();
        maps.contains(&format!("{}/cache/{digest}", folder.path().display()))
    };
    let tenant = TenantId::generate();
    let work = |amount| hostile_call(tenant, digest, "work", amount, validate());
    let (begun, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let waiting_lookup = Lookup::new({
        let (begun, go_on) = (Arc::clone(&begun), Arc::clone(&go_on));
        move |_| {
            let (begun, go_on) = (Arc::clone(&begun), Arc::clone(&go_on));
            async move {
                begun.notify_one();
                go_on.notified().await;
                Ok(Vec::new())
            }
        }
    });
    let running = tokio::spawn({
        let sandbox = Arc::clone(&sandbox);
        let call = Call {
            lookup: Some(waiting_lookup),
            ..hostile_call(tenant, digest, "flood-lookups", 1, validate())
        };
        async move { sandbox.call(call).await }
    });
    begun.notified().await;
    sandbox.forget_idle(&[other].into());
    assert!(sandbox.is_ready(digest), "one release that is not installed stays");
    assert!(sandbox.is_ready(other));
    sandbox.forget_idle(&[digest].into());
    assert!(sandbox.is_ready(digest) && sandbox.is_ready(other));
    // The other release was used last, and neither is installed.
    sandbox.forget_idle(&[].into());
    assert!(!sandbox.is_ready(digest));
    go_on.notify_one();
    assert!(running.await.unwrap().reply.is_ok(), "the running call failed");
    if cfg!(target_os = "linux") {
        assert!(!mapped(), "its machine code is still mapped");
    }
    assert_eq!(failure(&sandbox.call(work(1)).await).reason, FailureReason::Host);
    sandbox.prepare(TenantId::generate(), digest, source(component("hostile")), later()).await.unwrap();
    assert!(sandbox.call(work(1)).await.reply.is_ok());
    assert_eq!(compilations(&count), 2, "it was compiled again");
}

#[tokio::test(flavor = "multi_thread")]
async fn machine_code_of_other_versions_is_removed_after_a_week_without_use() {
    let folder = tempfile::tempdir().unwrap();
    let (config, count) = cached_config(folder.path(), [1; 32]);
    let sandbox = Sandbox::new(config.clone()).unwrap();
    let digest = upload(&sandbox, component("required-fields")).await;
    let (own, cache) = (code_path(folder.path()), folder.path().join("cache"));
    let put = |name: &str, days: u64| {
        fs::write(cache.join(name), b"x").unwrap();
        set_age(&cache.join(name), days);
    };
    let other = |engine: &str, extension: &str| format!("{digest}-{engine}.{extension}");
    let (old, young) = ("00000000000000aa", "00000000000000bb");
    let mut stale =
        vec![other(old, "code"), other(old, "mac"), other(old, "17-1.part"), other(young, "17.part")];
    stale.iter().for_each(|name| put(name, 8));
    let mut fresh = vec![other(young, "code"), other(young, "mac")];
    fresh.iter().for_each(|name| put(name, 6));
    // A file that is being written.
    put(&other(young, "17-2.part"), 0);
    fresh.push(other(young, "17-2.part"));
    // Files with other names are not the cache's, however old.
    for name in
        ["notes.txt", "code", ".code", "x-00000000000000aa.code", &other("00aa", "code"), &other(old, "bak")]
    {
        put(name, 100);
        fresh.push(name.to_owned());
    }
    fs::create_dir(cache.join(other(old, "1.part"))).unwrap();
    fresh.push(other(old, "1.part"));
    // A file that this version has half written is stale too.
    let half = own.with_extension("17.part").file_name().unwrap().to_str().unwrap().to_owned();
    put(&half, 1);
    stale.push(half);
    for path in [own.with_extension("mac"), own.clone()] {
        set_age(&path, 100);
    }
    prepare(&config, digest).await;
    assert_eq!(compilations(&count), 1, "this version's own code was removed");
    for name in stale {
        assert!(!cache.join(&name).exists(), "{name} is still there");
    }
    for name in fresh {
        assert!(cache.join(&name).exists(), "{name} is gone");
    }
    for path in [own.with_extension("mac"), own] {
        let age = fs::metadata(&path).unwrap().modified().unwrap().elapsed().unwrap();
        assert!(age < Duration::from_secs(3600), "its use was not noted: {}", path.display());
    }
}

/// Returns the names of the files in the cache.
fn files(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder.join("cache")).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn uploads_that_are_refused_cancelled_or_not_stored_leave_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (config, count) = cached_config(folder.path(), [1; 32]);
    let sandbox = Sandbox::new(config.clone()).unwrap();
    let good = component("required-fields");
    // Refused after it was compiled: by its manifest, by its types, and because it cannot describe itself.
    for (old, new) in [(&b"required-fields"[..], &b"Required-fields"[..]), (b"\x08validate", b"\x08validata")]
    {
        let bad = crate::refusals::replaced(&good, old, new);
        let compiled = compilations(&count);
        sandbox.admit(TenantId::generate(), bad.into(), later()).await.unwrap_err();
        assert_eq!((compilations(&count), files(folder.path())), (compiled + 1, Vec::new()));
    }
    let spinning = crate::refusals::replaced(
        &component("hostile"),
        b"describes itself: well",
        b"describes itself: spin",
    );
    sandbox.admit(TenantId::generate(), spinning.into(), later()).await.unwrap_err();
    assert!(files(folder.path()).is_empty());
    // Admitted, and not stored.
    let digest = sandbox.admit(TenantId::generate(), good.clone(), later()).await.unwrap().digest;
    assert!(sandbox.is_ready(digest));
    sandbox.discard(digest);
    assert!(!sandbox.is_ready(digest) && files(folder.path()).is_empty());
    // Cancelled at any time.
    let compiled = compilations(&count);
    for cancelled in 0..8 {
        let upload = sandbox.admit(TenantId::generate(), good.clone(), later());
        let _ = tokio::time::timeout(Duration::from_millis(10 << cancelled), upload).await;
        sandbox.discard(digest);
    }
    assert!(compilations(&count) > compiled && files(folder.path()).is_empty(), "{:?}", files(folder.path()));
    // Stored: the code stays, and no later discarding removes it.
    upload(&sandbox, good.clone()).await;
    sandbox.discard(digest);
    assert!(sandbox.is_ready(digest));
    assert_eq!(files(folder.path()).len(), 2, "code and MAC");
    assert_eq!(sandbox.sweep(), [digest].into());
    sandbox.forget(digest);
    assert!(files(folder.path()).is_empty() && sandbox.sweep().is_empty());
}

/// Creates a compiler that refuses everything after a while; the file lists how many ran at each start.
fn refusing_compiler(folder: &Path) -> (PathBuf, PathBuf) {
    let (script, count) = (folder.join("refuse.sh"), folder.join("running"));
    let folder = folder.display();
    let text = format!(
        "#!/bin/sh\nmkdir '{folder}'/run.$$\nls -d '{folder}'/run.* | wc -l >> '{}'\nsleep 0.1\nrmdir '{folder}'/run.$$\nexit 3\n",
        count.display()
    );
    fs::write(&script, text).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o700)).unwrap();
    (script, count)
}

/// Uploads components for tenants at once; returns the most compilations that ran at once.
async fn most_compilations(tenants: &[TenantId]) -> usize {
    let folder = tempfile::tempdir().unwrap();
    let (script, count) = refusing_compiler(folder.path());
    let config = SandboxConfig { compilations: 3, compiler: (script, Vec::new()), ..config() };
    let sandbox = Arc::new(Sandbox::new(config).unwrap());
    let uploads = tenants.iter().zip(0..).map(|(tenant, mark)| {
        let (sandbox, tenant) = (Arc::clone(&sandbox), *tenant);
        let component = varied(&component("required-fields"), mark);
        tokio::spawn(async move { sandbox.admit(tenant, component, later()).await.map(drop).unwrap_err() })
    });
    for upload in uploads.collect::<Vec<_>>() {
        assert_eq!(upload.await.unwrap().reason(), "COMPONENT_INVALID");
    }
    let counts = fs::read_to_string(count).unwrap();
    assert_eq!(counts.lines().count(), tenants.len());
    counts.lines().map(|line| line.trim().parse().unwrap()).max().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn compilations_are_bounded_for_each_tenant_and_for_the_host() {
    assert_eq!(most_compilations(&[TenantId::generate(); 8]).await, 1);
    let tenants: Vec<_> = (0..24).map(|_| TenantId::generate()).collect();
    assert_eq!(most_compilations(&tenants).await, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_without_a_turn_in_time_is_refused_and_may_be_tried_again() {
    let folder = tempfile::tempdir().unwrap();
    let (script, _) = refusing_compiler(folder.path());
    let text = format!("#!/bin/sh\n: > '{}'\nexec sleep 60\n", folder.path().join("begun").display());
    fs::write(&script, text).unwrap();
    let compile_time = Duration::from_secs(20);
    let config = SandboxConfig { compilations: 1, compile_time, compiler: (script, Vec::new()), ..config() };
    let sandbox = Arc::new(Sandbox::new(config).unwrap());
    let slow = tokio::spawn({
        let sandbox = Arc::clone(&sandbox);
        async move { sandbox.admit(TenantId::generate(), component("required-fields"), later()).await.map(drop) }
    });
    let begun = folder.path().join("begun");
    while !begun.exists() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    // A second is left beside the time of a compilation, and half of that for the wait.
    let begun = Instant::now();
    let deadline = begun + compile_time + Duration::from_secs(1);
    let error = sandbox.admit(TenantId::generate(), component("hostile"), deadline).await;
    let error = error.map(drop).unwrap_err();
    assert_eq!((error.kind(), error.retry_after()), (ErrorKind::Unavailable, Some(Duration::from_secs(5))));
    assert!(begun.elapsed() < Duration::from_secs(10), "it waited for the other's compilation");
    slow.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_output_of_a_compiler_is_bounded() {
    let folder = tempfile::tempdir().unwrap();
    let (script, _) = refusing_compiler(folder.path());
    let good = component("required-fields");
    for (text, reason) in
        [("exec cat /dev/zero", "COMPONENT_TOO_COMPLEX"), ("cat /dev/zero >&2; exit 3", "COMPONENT_INVALID")]
    {
        fs::write(&script, format!("#!/bin/sh\n{text}\n")).unwrap();
        let sandbox =
            Sandbox::new(SandboxConfig { compiler: (script.clone(), Vec::new()), ..config() }).unwrap();
        let error = sandbox.admit(TenantId::generate(), good.clone(), later()).await.map(drop).unwrap_err();
        assert_eq!(error.reason(), reason, "{error}");
        assert!(error.message().len() < 3_000);
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn compilers_run_at_low_priority() {
    let mut child = std::process::Command::new(compiler())
        .args(["4294967296", "60"])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let pid = rustix::process::Pid::from_child(&child);
    let end = Instant::now() + Duration::from_secs(20);
    while rustix::process::getpriority_process(Some(pid)).unwrap() < 10 {
        assert!(Instant::now() < end, "its priority is not lowered");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

/// Sets the times of a file's last use to a number of days ago.
#[expect(clippy::disallowed_methods, reason = "files have this machine's times")]
fn set_age(path: &Path, days: u64) {
    let then = SystemTime::now() - Duration::from_secs(days * 24 * 3600);
    let times = fs::FileTimes::new().set_modified(then).set_accessed(then);
    fs::File::open(path).unwrap().set_times(times).unwrap();
}
