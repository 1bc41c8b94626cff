//! The processes that a bench starts: hosts and floor servers. They are killed when dropped.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context as _, Result, bail, ensure};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use crate::floor::Kind;

/// The operator's key of each host.
pub(crate) const KEY: &str = "tsk_bench_00112233445566778899aabbccddeeff";

/// A running host.
pub(crate) struct Host {
    child: Child,
    /// `http://127.0.0.1:…`
    pub(crate) http: String,
    /// `http://127.0.0.1:…`
    pub(crate) grpc: String,
}

impl Host {
    /// Starts a host on SQLite in that folder.
    pub(crate) async fn start_sqlite(binary: &Path, data: &Path) -> Result<Self> {
        std::fs::create_dir_all(data)?;
        Self::start(binary, data, &[("DB_TYPE", "sqlite")]).await
    }

    /// Starts a host with these settings.
    pub(crate) async fn start(binary: &Path, data: &Path, settings: &[(&str, &str)]) -> Result<Self> {
        let mut command = Command::new(binary);
        command.env_clear().envs(settings.iter().copied());
        command.env("TESSERA_BOOTSTRAP_KEY", KEY).env("TESSERA_DATA_DIR", data);
        command.env("TESSERA_SECRET_KEY", "a secret for benches, of at least 32 characters");
        command.env("HTTP_PORT", "0").env("GRPC_PORT", "0").env("LOG_LEVEL", "info");
        let log = std::fs::File::create(data.join("log"))?;
        command.stdout(Stdio::piped()).stderr(log).kill_on_drop(true);
        let mut child = command.spawn().with_context(|| format!("{} cannot be started", binary.display()))?;
        let mut lines =
            BufReader::new(child.stdout.take().context("standard output is not captured")?).lines();
        let (mut http, mut grpc) = (None, None);
        while let Some(line) = lines.next_line().await? {
            let mut words = line.split_whitespace();
            match (words.next(), words.next()) {
                (Some("REST"), Some(url)) => http = Some(url.to_owned()),
                (Some("gRPC"), Some(address)) => grpc = Some(format!("http://{address}")),
                _ => {}
            }
            if let (Some(http), Some(grpc)) = (&http, &grpc) {
                let (http, grpc) = (http.clone(), grpc.clone());
                return Ok(Self { child, http, grpc });
            }
        }
        bail!("the host did not start; its log is {}", data.join("log").display())
    }

    /// Sends SIGTERM and waits for the end.
    pub(crate) async fn stop(mut self) -> Result<()> {
        let kill = Command::new("kill").args(["-TERM", &self.pid()?.to_string()]).status().await?;
        ensure!(kill.success(), "SIGTERM cannot be sent to the host");
        let status = self.child.wait().await?;
        ensure!(status.success(), "the host failed: {status}");
        Ok(())
    }

    /// Returns the memory and open files of the process.
    pub(crate) fn usage(&self) -> Result<Usage> {
        let process = PathBuf::from(format!("/proc/{}", self.pid()?));
        let rollup = std::fs::read_to_string(process.join("smaps_rollup"))?;
        let bytes = |name: &str| {
            let line = rollup.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            let kib = line
                .and_then(|line| line.split_whitespace().next())
                .with_context(|| format!("no {name} in smaps_rollup"))?;
            anyhow::Ok(kib.parse::<f64>()? * 1_024.0)
        };
        let files = std::fs::read_dir(process.join("fd"))?.count();
        Ok(Usage { rss: bytes("Rss")?, pss: bytes("Pss")?, anonymous: bytes("Anonymous")?, files })
    }

    fn pid(&self) -> Result<u32> {
        self.child.id().context("the host has ended")
    }
}

/// Resources of a process, memory in bytes.
#[derive(Clone, Copy)]
pub(crate) struct Usage {
    /// Resident set size, with shared and file-backed pages.
    pub(crate) rss: f64,
    /// Proportional set size: shared pages are divided among their processes.
    pub(crate) pss: f64,
    /// Anonymous memory, which the system cannot reclaim. Dirty memory is not the same: it includes pages of files that
    /// are not yet written back.
    pub(crate) anonymous: f64,
    /// Number of open files.
    pub(crate) files: usize,
}

/// A running floor server.
pub(crate) struct FloorServer {
    _child: Child,
    /// `http://127.0.0.1:…`
    pub(crate) address: String,
}

impl FloorServer {
    /// Starts a floor server that sends these bytes.
    pub(crate) async fn start(kind: Kind, folder: &Path, response: &[u8]) -> Result<Self> {
        let file: PathBuf = folder.join(format!("response-{}", kind.name()));
        std::fs::write(&file, response)?;
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("floor").arg(kind.name()).arg(&file).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn()?;
        let mut lines =
            BufReader::new(child.stdout.take().context("standard output is not captured")?).lines();
        let address = lines.next_line().await?.context("the floor server did not start")?;
        Ok(Self { _child: child, address: format!("http://{address}") })
    }
}
