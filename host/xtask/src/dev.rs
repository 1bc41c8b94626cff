//! `cargo xtask dev`: the host, built and started again whenever what it is made of changes.

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

/// What lies in a watched folder and is no part of the host.
const IGNORED: [&str; 2] = ["host/xtask", "host/docs"];

type Snapshot = BTreeMap<PathBuf, SystemTime>;

/// Runs until a signal comes. A build that fails leaves the host that runs alone.
pub(crate) fn run(paths: &Paths, args: &[String]) -> Result<()> {
    let mut host = None;
    let outcome = follow(paths, args, &mut host);
    // However it ended: the host is asked to stop, not killed.
    stop(&mut host)?;
    outcome
}

fn follow(paths: &Paths, args: &[String], host: &mut Option<Group>) -> Result<()> {
    let mut built = Snapshot::new();
    loop {
        let seen = snapshot(&paths.root);
        // Two equal looks in a row: whoever writes has finished writing.
        if seen != built && settled(&paths.root, &seen) {
            built = seen;
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
            eprintln!("dev: the host did not end well ({status})");
        }
    }
    Ok(())
}

fn report_end(host: &mut Option<Group>) -> Result<()> {
    if let Some(running) = host
        && let Some(status) = running.ended()?
    {
        eprintln!("dev: the host ended ({status}); waiting for a change");
        *host = None;
    }
    Ok(())
}

fn settled(root: &Path, seen: &Snapshot) -> bool {
    thread::sleep(POLL);
    snapshot(root) == *seen
}

/// When each watched file was last written.
fn snapshot(root: &Path) -> Snapshot {
    let mut found = Snapshot::new();
    for name in WATCHED {
        collect(root, &root.join(name), &mut found);
    }
    found
}

/// A file that vanishes while we look, or that was never there, is simply not seen.
fn collect(root: &Path, path: &Path, found: &mut Snapshot) {
    if IGNORED.iter().any(|ignored| path == root.join(ignored)) {
        return;
    }
    if let Ok(entries) = fs::read_dir(path) {
        for entry in entries.flatten() {
            collect(root, &entry.path(), found);
        }
    } else if let Ok(written) = fs::metadata(path).and_then(|metadata| metadata.modified()) {
        found.insert(path.to_path_buf(), written);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_of_the_host_are_seen_and_those_of_its_tools_are_not() {
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
