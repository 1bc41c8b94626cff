//! Plugins from the templates of `tessera plugin new`, built by the commands that it prints and kept in the target folder.

use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, OnceLock};

type ComponentCell = Arc<OnceLock<Vec<u8>>>;

/// Returns the component of the template of a language and a hook. Its plugin is called `<language>-<hook>`.
pub fn guest(language: &str, hook: &str) -> Vec<u8> {
    static BUILT: Mutex<Option<HashMap<String, ComponentCell>>> = Mutex::new(None);
    let name = format!("{language}-{hook}");
    let cell = {
        let mut built = BUILT.lock().unwrap();
        Arc::clone(built.get_or_insert_default().entry(name.clone()).or_default())
    };
    cell.get_or_init(|| tokio::task::block_in_place(|| find_or_build(&name, language, hook))).clone()
}

/// A folder, deleted when dropped.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Creates a plugin from a template in a folder of its own; returns the folder and what was printed.
fn create(name: &str, language: &str, hook: &str) -> (Folder, String) {
    let guests = guests();
    std::fs::create_dir_all(&guests).unwrap();
    let folder = Folder(guests.join(format!("{name}-{}", std::process::id())));
    let path = folder.0.display();
    let new = format!("tessera plugin new {name} --lang {language} --hook {hook} --path {path}");
    let printed = run(&guests, &new);
    (folder, printed)
}

/// Returns the folder of all guests.
fn guests() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("guests")
}

/// Returns cargo's target folder for crates of the template, which have the same dependencies.
pub fn target() -> PathBuf {
    guests().join("target")
}

/// Returns JavaScript's template for validations, built with a text of one of its files replaced.
pub fn altered_guest(name: &str, file: &str, old: &str, new: &str) -> Vec<u8> {
    let (folder, _) = create(name, "javascript", "validation");
    let file = folder.0.join(file);
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.contains(old), "{text}");
    std::fs::write(&file, text.replace(old, new)).unwrap();
    kept_or_built(name, &folder.0, || {
        run(&folder.0, "npm run build");
    })
}

fn find_or_build(name: &str, language: &str, hook: &str) -> Vec<u8> {
    let (folder, printed) = create(name, language, hook);
    kept_or_built(name, &folder.0, || {
        for command in printed.lines().skip(1).map(str::trim) {
            // Tools are installed by the set-up of the tests, and uploads are the tests' own.
            let skipped = [
                "cd ",
                "npm install",
                "python3 -m venv",
                "pip install",
                "tessera plugin push",
                "tessera plugin install",
            ];
            // A test build compiles Python for half a minute; the cases are the same in each language.
            let is_slow =
                command.starts_with("tessera plugin test") && language == "python" && hook != "validation";
            if is_slow || skipped.iter().any(|start| command.starts_with(start)) {
                continue;
            }
            let output = run(&folder.0, command);
            if command.starts_with("tessera plugin test") {
                assert!(output.contains(" passed") && !output.contains("FAILED"), "{name}: {output}");
            }
        }
        if hook == "pricing" {
            // The time of a call is that of a test build on a busy machine.
            run(&folder.0, &format!("tessera plugin check {name}.wasm --time-ms 10000"));
        }
    })
}

/// Returns the component that was built of the same files before, or builds it. The files contain the versions of the
/// tools, so that a template with other versions is built again.
fn kept_or_built(name: &str, folder: &Path, build: impl FnOnce()) -> Vec<u8> {
    let mut hasher = DefaultHasher::new();
    contents(folder).hash(&mut hasher);
    let kept = guests().join(format!("{name}-{:016x}.wasm", hasher.finish()));
    if let Ok(component) = std::fs::read(&kept) {
        return component;
    }
    build();
    let built = folder.join(format!("{name}.wasm"));
    let component = std::fs::read(&built).unwrap();
    std::fs::rename(built, kept).unwrap();
    component
}

/// Returns the folder of the machine code of a guest.
fn code(name: &str) -> PathBuf {
    guests().join("code").join(name)
}

/// Links the files of a folder into another one. What is not there any more is compiled again.
fn link(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).into_iter().flatten().flatten() {
        let _ = std::fs::hard_link(entry.path(), to.join(entry.file_name()));
    }
}

/// Puts the machine code of a guest that an earlier run has kept into a host's folder.
pub fn restore_code(name: &str, folder: &Path) {
    link(&code(name), folder);
}

/// The same for all guests.
pub fn restore_all_code(folder: &Path) {
    for entry in std::fs::read_dir(guests().join("code")).into_iter().flatten().flatten() {
        link(&entry.path(), folder);
    }
}

/// Keeps the machine code of a guest's release for later runs, in the place of what was kept for another one.
pub fn keep_code(name: &str, folder: &Path, digest: &str) {
    let kept = code(name);
    let entries = std::fs::read_dir(folder).unwrap().map(Result::unwrap);
    let own: Vec<_> =
        entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(digest)).collect();
    if own.iter().all(|entry| kept.join(entry.file_name()).exists()) {
        return;
    }
    let _ = std::fs::remove_dir_all(&kept);
    std::fs::create_dir_all(&kept).unwrap();
    for entry in own {
        std::fs::hard_link(entry.path(), kept.join(entry.file_name())).unwrap();
    }
}

/// Returns the files of a folder by their paths in it.
fn contents(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let bytes = std::fs::read(&path).unwrap();
                files.insert(path.strip_prefix(folder).unwrap().to_owned(), bytes);
            }
        }
    }
    files
}

/// Runs a command with the built program and the tools that `cargo xtask test` installs; returns its output.
fn run(folder: &Path, command: &str) -> String {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let program = Path::new(env!("CARGO_BIN_EXE_tessera")).parent().unwrap();
    let mut path = vec![program.to_owned(), target.join("tools/bin")];
    path.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap()));
    let output = Command::new("sh")
        .args(["-ec", command])
        .current_dir(folder)
        .env("PATH", std::env::join_paths(path).unwrap())
        .env("CARGO_TARGET_DIR", self::target())
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .env_remove("RUSTFLAGS")
        .output()
        .unwrap();
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let hint = "tools of other languages are installed by `cargo xtask test`";
    assert!(output.status.success(), "{command} ({hint})\n{stdout}{stderr}");
    stdout.into_owned()
}
