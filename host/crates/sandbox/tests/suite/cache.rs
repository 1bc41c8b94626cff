//! Machine code: made once, kept, and taken only when it is exactly what was kept.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tessera_core::plugin::Digest;
use tessera_core::ports::Plugins as _;
use tessera_sandbox::{Sandbox, SandboxConfig};

use crate::guests::{compiler, component, config};

/// A compiler that writes a line into a file each time it is started.
fn counting(folder: &Path) -> (PathBuf, PathBuf) {
    let (script, count) = (folder.join("compile.sh"), folder.join("count"));
    let text = format!("#!/bin/sh\necho >> '{}'\nexec '{}' \"$@\"\n", count.display(), compiler().display());
    fs::write(&script, text).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o700)).unwrap();
    (script, count)
}

fn with(folder: &Path, key: [u8; 32]) -> (SandboxConfig, PathBuf) {
    let (script, count) = counting(folder);
    let cache = Some(folder.join("cache"));
    (SandboxConfig { cache, cache_key: key, compiler: (script, Vec::new()), ..config() }, count)
}

fn compiled(count: &Path) -> usize {
    fs::read(count).map_or(0, |text| text.len())
}

async fn prepare(config: &SandboxConfig, digest: Digest) {
    let sandbox = Sandbox::new(config.clone()).unwrap();
    sandbox.prepare(digest, component("required-fields")).await.unwrap();
    assert!(sandbox.is_ready(digest));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_is_compiled_once_however_many_ask_and_once_for_all_starts() {
    let folder = tempfile::tempdir().unwrap();
    let (config, count) = with(folder.path(), [1; 32]);
    let sandbox = Arc::new(Sandbox::new(config.clone()).unwrap());
    let asked: Vec<_> = (0..8)
        .map(|_| {
            let sandbox = Arc::clone(&sandbox);
            tokio::spawn(async move { sandbox.admit(component("required-fields")).await.unwrap().digest })
        })
        .collect();
    let mut digests = Vec::new();
    for asked in asked {
        digests.push(asked.await.unwrap());
    }
    assert_eq!(compiled(&count), 1);
    prepare(&config, digests[0]).await;
    assert_eq!(compiled(&count), 1, "the next start takes what was kept");
    let mode = fs::metadata(folder.path().join("cache")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
}

#[tokio::test(flavor = "multi_thread")]
async fn machine_code_that_is_not_what_was_kept_is_made_again() {
    let folder = tempfile::tempdir().unwrap();
    let (config, count) = with(folder.path(), [1; 32]);
    let sandbox = Sandbox::new(config.clone()).unwrap();
    let digest = sandbox.admit(component("required-fields")).await.unwrap().digest;
    let code = || {
        let entries = fs::read_dir(folder.path().join("cache")).unwrap();
        let mut paths = entries.map(|entry| entry.unwrap().path());
        paths.find(|path| path.extension().is_some_and(|extension| extension == "code")).unwrap()
    };
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
        assert_eq!(compiled(&count), expected);
    }
    // What another host's key has signed is foreign.
    let foreign = SandboxConfig { cache_key: [2; 32], ..config.clone() };
    prepare(&foreign, digest).await;
    assert_eq!(compiled(&count), expected + 1);
}
