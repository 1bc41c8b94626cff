//! `cargo xtask dev`: runs the host, and rebuilds and restarts it when a source file changes.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, SystemTime};

use anyhow::Result;
use rustix::process::Signal;

use crate::interrupt::{self, Interrupted};
use crate::paths::Paths;
use crate::process::{self, Group};

const POLL: Duration = Duration::from_millis(500);

const WATCHED: [&str; 6] = ["Cargo.toml", "Cargo.lock", "host", "proto", "migrations", "wit"];

/// Folders inside the watched ones that do not affect the host.
const IGNORED: [&str; 2] = ["host/xtask", "host/docs"];

type Snapshot = BTreeMap<PathBuf, SystemTime>;

/// Runs until a signal. If a build fails, the running host is left alone.
pub(crate) fn run(paths: &Paths, args: &[String]) -> Result<()> {
    let mut host = None;
    let result = watch(paths, args, &mut host);
    // In any case the host shuts down gracefully instead of being killed.
    stop(&mut host)?;
    result
}

fn watch(paths: &Paths, args: &[String], host: &mut Option<Group>) -> Result<()> {
    let mut built = Snapshot::new();
    loop {
        let current = snapshot(&paths.root);
        // Two equal snapshots in a row: the editor has finished writing.
        if current != built && is_stable(&paths.root, &current) {
            built = current;
            if build(paths)? {
                stop(host)?;
                *host = Some(start(paths, args)?);
            }
        }
        report_end(host)?;
        thread::sleep(POLL);
        interrupt::check()?;
    }
}

fn build(paths: &Paths) -> Result<bool> {
    match process::run(paths.cargo()?.args(["build", "--package", "tessera"])) {
        Ok(()) => Ok(true),
        Err(error) if error.is::<Interrupted>() => Err(error),
        Err(_) => {
            eprintln!("dev: the build failed; waiting for a change");
            Ok(false)
        }
    }
}

fn start(paths: &Paths, args: &[String]) -> Result<Group> {
    eprintln!("dev: starting tessera {}", args.join(" "));
    Group::spawn(Command::new(paths.target.join("debug/tessera")).args(args).current_dir(&paths.root))
}

fn stop(host: &mut Option<Group>) -> Result<()> {
    if let Some(mut running) = host.take() {
        let status = running.stop(Signal::TERM)?;
        if !status.success() {
            eprintln!("dev: the host failed ({status})");
        }
    }
    Ok(())
}

fn report_end(host: &mut Option<Group>) -> Result<()> {
    if let Some(running) = host
        && let Some(status) = running.exit_status()?
    {
        eprintln!("dev: the host ended ({status}); waiting for a change");
        *host = None;
    }
    Ok(())
}

fn is_stable(root: &Path, last: &Snapshot) -> bool {
    thread::sleep(POLL);
    snapshot(root) == *last
}

/// Returns the modification time of each watched file.
fn snapshot(root: &Path) -> Snapshot {
    let mut files = Snapshot::new();
    for name in WATCHED {
        collect(root, &root.join(name), &mut files);
    }
    files
}

/// Adds the files of a folder. Files that are missing or removed meanwhile are skipped.
fn collect(root: &Path, path: &Path, files: &mut Snapshot) {
    if IGNORED.iter().any(|ignored| path == root.join(ignored)) {
        return;
    }
    if let Ok(entries) = fs::read_dir(path) {
        for entry in entries.flatten() {
            collect(root, &entry.path(), files);
        }
    } else if let Ok(modified) = fs::metadata(path).and_then(|metadata| metadata.modified()) {
        files.insert(path.to_path_buf(), modified);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_of_the_host_are_detected_and_those_of_the_tools_are_not() {
        let root = std::env::temp_dir().join(format!("tessera-dev-{}", std::process::id()));
        for folder in ["host/src", "host/xtask/src", "proto"] {
            fs::create_dir_all(root.join(folder)).unwrap();
        }
        fs::write(root.join("host/src/main.rs"), "").unwrap();
        let before = snapshot(&root);
        assert_eq!(before.len(), 1);

        fs::write(root.join("host/xtask/src/main.rs"), "").unwrap();
        assert_eq!(snapshot(&root), before);
        fs::write(root.join("proto/new.proto"), "").unwrap();
        assert_ne!(snapshot(&root), before);
        fs::remove_dir_all(&root).unwrap();
    }
}
