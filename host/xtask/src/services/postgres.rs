//! PostgreSQL: a private cluster that listens on the loopback address only.

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

/// The system user of the packages, and the superuser of the cluster.
const USER: &str = "postgres";

/// Limit of connections: enough for the pools of all tests.
const CONNECTIONS: u32 = 200;

/// Attempts to start. Another process may take a port between finding and using it.
const ATTEMPTS: usize = 5;

/// Creates the cluster and its folder.
pub(super) fn prepare(preferred: &Path, durable: bool) -> Result<Running> {
    let programs = programs()?;
    let user = User::unless_root(USER)?;
    // Left by an interrupted set-up. It is not recorded, so no server uses it.
    if preferred.exists() {
        fs::remove_dir_all(preferred)
            .with_context(|| format!("{} cannot be removed", preferred.display()))?;
    }
    let folder = user.create_folder(preferred)?;
    let result = initialize(user, &programs, &folder, durable);
    if result.is_err() {
        // The failure is reported; a second one would not help.
        let _ = fs::remove_dir_all(&folder);
    }
    result?;
    Ok(Running { service: Service::Postgres, pid: 0, port: 0, durable, folder })
}

fn initialize(user: User, programs: &Path, folder: &Path, durable: bool) -> Result<()> {
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
    check_version(&programs, server)?;
    let user = User::unless_root(USER)?;
    for _ in 0..ATTEMPTS {
        server.port = free_port(server.port)?;
        let log = server.folder.join("log");
        // The log must contain this start only.
        if log.exists() {
            fs::remove_file(&log)?;
        }
        let mut start = user.command(&programs.join("pg_ctl"), &server.folder);
        start.args(["start", "--wait", "--silent", "--pgdata"]).arg(data(&server.folder));
        start.arg("--log").arg(&log).arg("--options").arg(options(server));
        let Err(error) = output(&mut start) else {
            server.pid =
                pid(&server.folder).context("PostgreSQL started without a process id in postmaster.pid")?;
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

/// Returns the server's options. The socket is in the data folder by a relative path, since the limit of a socket's path is
/// 107 bytes.
fn options(server: &Running) -> String {
    let port = server.port;
    let common = format!("-p {port} -h 127.0.0.1 -k . -N {CONNECTIONS}");
    if server.durable {
        common
    } else {
        format!("{common} -c fsync=off -c synchronous_commit=off -c full_page_writes=off")
    }
}

pub(super) fn is_running(server: &Running) -> bool {
    pid(&server.folder).is_some()
}

/// Stops the server and disconnects its clients.
pub(super) fn stop(server: &Running) -> Result<()> {
    let user = User::unless_root(USER)?;
    let programs = programs()?;
    let stop = |mode: &str| {
        let mut stop = user.command(&programs.join("pg_ctl"), &server.folder);
        stop.args(["stop", "--wait", "--silent", "--timeout=30", "--mode", mode, "--pgdata"])
            .arg(data(&server.folder));
        output(&mut stop)
    };
    if stop("fast").is_err() && is_running(server) {
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

/// Returns the id of the server's process if it is alive. A killed server leaves its file behind.
fn pid(folder: &Path) -> Option<u32> {
    let file = fs::read_to_string(data(folder).join("postmaster.pid")).ok()?;
    let number: i32 = file.lines().next()?.trim().parse().ok()?;
    test_kill_process(Pid::from_raw(number)?).ok()?;
    u32::try_from(number).ok()
}

/// Checks that the programs have the major version that created the cluster.
fn check_version(programs: &Path, server: &Running) -> Result<()> {
    let created_by =
        fs::read_to_string(data(&server.folder).join("PG_VERSION")).context("the cluster is incomplete")?;
    let created_by = created_by.trim();
    match version(programs) {
        Some(installed) if installed.to_string() == created_by => Ok(()),
        _ => bail!(
            "the data was created by PostgreSQL {created_by}: delete it with `cargo xtask services down --wipe`"
        ),
    }
}

fn free_port(former: u16) -> Result<u16> {
    if former != 0 && TcpListener::bind(("127.0.0.1", former)).is_ok() {
        return Ok(former);
    }
    Ok(TcpListener::bind(("127.0.0.1", 0)).and_then(|listener| listener.local_addr())?.port())
}

/// Returns the folder of the newest supported PostgreSQL, which is installed if there is none.
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

/// Returns the folders with PostgreSQL on PATH and those of packages on Debian, Red Hat and Homebrew.
fn candidates() -> Vec<PathBuf> {
    let mut found: Vec<_> =
        setup::find("initdb").and_then(|path| path.parent().map(Path::to_path_buf)).into_iter().collect();
    let prefixes = [
        ("/usr/lib/postgresql", ""),
        ("/usr", "pgsql-"),
        ("/opt/homebrew/opt", "postgresql@"),
        ("/usr/local/opt", "postgresql@"),
    ];
    for (parent, prefix) in prefixes {
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

/// Parses the major version of "postgres (PostgreSQL) 15.9 (Debian …)" or "… 18beta1".
fn major(output: &str) -> Option<u32> {
    let (_, number) = output.split_once("(PostgreSQL) ")?;
    number.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn major_version_of_releases_and_betas_is_parsed() {
        assert_eq!(major("postgres (PostgreSQL) 15.9 (Debian 15.9-0+deb12u1)\n"), Some(15));
        assert_eq!(major("postgres (PostgreSQL) 18beta1\n"), Some(18));
        assert_eq!(major("something else"), None);
    }

    #[test]
    fn former_port_is_kept_while_it_is_free() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        assert_ne!(free_port(port).unwrap(), port);
        drop(listener);
        assert_eq!(free_port(port).unwrap(), port);
    }
}
