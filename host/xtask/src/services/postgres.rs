//! PostgreSQL: found or installed, a private cluster, trusted on the loopback address only.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, test_kill_process};

use super::Service;
use super::state::Running;
use super::user::User;
use crate::process::output;
use crate::{setup, versions};

/// The system's user that packages make, and the cluster's superuser.
const USER: &str = "postgres";

/// Enough for every test to have its pool.
const CONNECTIONS: u32 = 200;

/// Between finding a free port and listening on it another process may take it.
const ATTEMPTS: usize = 5;

/// Makes the folder and the cluster in it.
pub(super) fn prepare(wanted: &Path, durable: bool) -> Result<Running> {
    let programs = programs()?;
    let user = User::unless_root(USER)?;
    // What an earlier, interrupted set-up left: it is in no state, so nothing runs on it.
    if wanted.exists() {
        fs::remove_dir_all(wanted).with_context(|| format!("{} cannot be removed", wanted.display()))?;
    }
    let folder = user.folder(wanted)?;
    let made = initialise(user, &programs, &folder, durable);
    if made.is_err() {
        // The cause is told; a leftover that cannot be removed adds nothing to it.
        let _ = fs::remove_dir_all(&folder);
    }
    made?;
    Ok(Running { service: Service::Postgres, pid: 0, port: 0, durable, folder })
}

fn initialise(user: User, programs: &Path, folder: &Path, durable: bool) -> Result<()> {
    let mut initdb = user.command(&programs.join("initdb"), folder);
    initdb
        .args([
            "--username",
            USER,
            "--auth=trust",
            "--encoding=UTF8",
            "--locale=C",
            "--no-instructions",
            "--pgdata",
        ])
        .arg(data(folder));
    if !durable {
        initdb.arg("--no-sync");
    }
    output(&mut initdb)?;
    Ok(())
}

/// Starts the server, on its former port if that is free.
pub(super) fn start(server: &mut Running) -> Result<()> {
    let programs = programs()?;
    fits(&programs, server)?;
    let user = User::unless_root(USER)?;
    for _ in 0..ATTEMPTS {
        server.port = free_port(server.port)?;
        let log = server.folder.join("log");
        // The log shall tell of this start only.
        if log.exists() {
            fs::remove_file(&log)?;
        }
        let mut start = user.command(&programs.join("pg_ctl"), &server.folder);
        start.args(["start", "--wait", "--silent", "--pgdata"]).arg(data(&server.folder));
        start.arg("--log").arg(&log).arg("--options").arg(options(server));
        let Err(error) = output(&mut start) else {
            server.pid = pid(&server.folder).context("PostgreSQL started and tells no process id")?;
            return Ok(());
        };
        let log = fs::read_to_string(&log).unwrap_or_default();
        if !log.contains("could not create any TCP/IP sockets") {
            return Err(error).context(format!("PostgreSQL does not start; its log says:\n{log}"));
        }
        server.port = 0;
    }
    bail!("PostgreSQL found no free port in {ATTEMPTS} attempts")
}

/// The socket's folder is the data folder, written short: a socket's path has at most 107 bytes.
fn options(server: &Running) -> String {
    let port = server.port;
    let common = format!("-p {port} -h 127.0.0.1 -k . -N {CONNECTIONS}");
    if server.durable {
        common
    } else {
        format!("{common} -c fsync=off -c synchronous_commit=off -c full_page_writes=off")
    }
}

pub(super) fn runs(server: &Running) -> bool {
    pid(&server.folder).is_some()
}

/// Stops the server, and its clients with it.
pub(super) fn stop(server: &Running) -> Result<()> {
    let user = User::unless_root(USER)?;
    let programs = programs()?;
    let stop = |mode: &str| {
        let mut stop = user.command(&programs.join("pg_ctl"), &server.folder);
        stop.args(["stop", "--wait", "--silent", "--timeout=30", "--mode", mode, "--pgdata"])
            .arg(data(&server.folder));
        output(&mut stop)
    };
    if stop("fast").is_err() && runs(server) {
        stop("immediate")?;
    }
    Ok(())
}

pub(super) fn url(server: &Running) -> String {
    format!("postgres://{USER}@127.0.0.1:{}/postgres", server.port)
}

fn data(folder: &Path) -> PathBuf {
    folder.join("data")
}

/// The server's process, when it lives. The server removes the file at its end, unless it was killed.
fn pid(folder: &Path) -> Option<u32> {
    let file = fs::read_to_string(data(folder).join("postmaster.pid")).ok()?;
    let number: i32 = file.lines().next()?.trim().parse().ok()?;
    test_kill_process(Pid::from_raw(number)?).ok()?;
    u32::try_from(number).ok()
}

/// A cluster belongs to the major version that made it.
fn fits(programs: &Path, server: &Running) -> Result<()> {
    let made_by =
        fs::read_to_string(data(&server.folder).join("PG_VERSION")).context("the cluster is not whole")?;
    let made_by = made_by.trim();
    match version(programs) {
        Some(found) if found.to_string() == made_by => Ok(()),
        _ => bail!("the data is of PostgreSQL {made_by}: `cargo xtask services down --wipe` throws it away"),
    }
}

fn free_port(former: u16) -> Result<u16> {
    if former != 0 && TcpListener::bind(("127.0.0.1", former)).is_ok() {
        return Ok(former);
    }
    Ok(TcpListener::bind(("127.0.0.1", 0)).and_then(|listener| listener.local_addr())?.port())
}

/// The folder of the newest PostgreSQL that is new enough, installed first if there is none.
fn programs() -> Result<PathBuf> {
    if let Some(found) = newest() {
        return Ok(found);
    }
    let minimum = versions::POSTGRES_MINIMUM;
    setup::apt(
        &["postgresql"],
        &format!(
            "PostgreSQL {minimum} or newer is needed, with initdb and pg_ctl on PATH: install it with your system's \
             package manager (macOS: `brew install postgresql@{minimum}`, Fedora: `dnf install postgresql-server`)"
        ),
    )?;
    newest().with_context(|| {
        format!("this system's PostgreSQL is older than {minimum}, the oldest that is supported")
    })
}

fn newest() -> Option<PathBuf> {
    candidates()
        .into_iter()
        .filter_map(|folder| Some((version(&folder)?, folder)))
        .filter(|(version, _)| *version >= versions::POSTGRES_MINIMUM)
        .max_by_key(|(version, _)| *version)
        .map(|(_, folder)| folder)
}

/// Where packages put it: PATH, and the folders of Debian, Red Hat and Homebrew.
fn candidates() -> Vec<PathBuf> {
    let mut found: Vec<_> =
        setup::find("initdb").and_then(|path| path.parent().map(Path::to_path_buf)).into_iter().collect();
    let places = [
        ("/usr/lib/postgresql", ""),
        ("/usr", "pgsql-"),
        ("/opt/homebrew/opt", "postgresql@"),
        ("/usr/local/opt", "postgresql@"),
    ];
    for (parent, prefix) in places {
        for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
            if entry.file_name().to_string_lossy().starts_with(prefix) {
                found.push(entry.path().join("bin"));
            }
        }
    }
    found.retain(|folder| folder.join("initdb").is_file() && folder.join("pg_ctl").is_file());
    found
}

fn version(programs: &Path) -> Option<u32> {
    major(&output(Command::new(programs.join("postgres")).arg("--version")).ok()?)
}

/// The major version in "postgres (PostgreSQL) 15.9 (Debian …)" or "… 18beta1".
fn major(said: &str) -> Option<u32> {
    let (_, number) = said.split_once("(PostgreSQL) ")?;
    number.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_major_version_is_read_from_releases_and_betas() {
        assert_eq!(major("postgres (PostgreSQL) 15.9 (Debian 15.9-0+deb12u1)\n"), Some(15));
        assert_eq!(major("postgres (PostgreSQL) 18beta1\n"), Some(18));
        assert_eq!(major("something else"), None);
    }

    #[test]
    fn a_former_port_is_kept_while_it_is_free() {
        let taken = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = taken.local_addr().unwrap().port();
        assert_ne!(free_port(port).unwrap(), port);
        drop(taken);
        assert_eq!(free_port(port).unwrap(), port);
    }
}
