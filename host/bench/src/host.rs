//! Processes that a bench starts: hosts of Tessera, and floors. Killed when dropped.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context as _, Result, bail, ensure};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use crate::floor::Kind;

/// The key that benches call with.
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
    /// Starts a host with these settings.
    pub(crate) async fn start(binary: &Path, data: &Path, settings: &[(&str, &str)]) -> Result<Self> {
        let mut command = Command::new(binary);
        command.env_clear().envs(settings.iter().copied());
        command.env("TESSERA_BOOTSTRAP_KEY", KEY).env("TESSERA_DATA_DIR", data);
        command.env("HTTP_PORT", "0").env("GRPC_PORT", "0").env("LOG_LEVEL", "info");
        let log = std::fs::File::create(data.join("log"))?;
        command.stdout(Stdio::piped()).stderr(log).kill_on_drop(true);
        let mut child = command.spawn().with_context(|| format!("{} cannot be started", binary.display()))?;
        let mut lines = BufReader::new(child.stdout.take().context("no output")?).lines();
        let (mut http, mut grpc) = (None, None);
        while let Some(line) = lines.next_line().await? {
            let mut words = line.split_whitespace();
            match (words.next(), words.next()) {
                (Some("REST"), Some(at)) => http = Some(at.to_owned()),
                (Some("gRPC"), Some(at)) => grpc = Some(format!("http://{at}")),
                _ => {}
            }
            if let (Some(http), Some(grpc)) = (&http, &grpc) {
                let (http, grpc) = (http.clone(), grpc.clone());
                return Ok(Self { child, http, grpc });
            }
        }
        bail!("the host did not start; {} says why", data.join("log").display())
    }

    /// Tells it to stop, and waits until it has.
    pub(crate) async fn stop(mut self) -> Result<()> {
        let told = Command::new("kill").args(["-TERM", &self.pid()?.to_string()]).status().await?;
        ensure!(told.success(), "the host cannot be told to stop");
        let ended = self.child.wait().await?;
        ensure!(ended.success(), "the host ended badly: {ended}");
        Ok(())
    }

    /// What it holds right now.
    pub(crate) fn held(&self) -> Result<Held> {
        let process = PathBuf::from(format!("/proc/{}", self.pid()?));
        let said = std::fs::read_to_string(process.join("smaps_rollup"))?;
        let bytes = |name: &str| {
            let line = said.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            let kib = line.and_then(|line| line.split_whitespace().next()).context("no such figure")?;
            anyhow::Ok(kib.parse::<f64>()? * 1_024.0)
        };
        let files = std::fs::read_dir(process.join("fd"))?.count();
        Ok(Held { rss: bytes("Rss")?, pss: bytes("Pss")?, own: bytes("Anonymous")?, files })
    }

    fn pid(&self) -> Result<u32> {
        self.child.id().context("the host has ended")
    }
}

/// What a process holds; memory in bytes.
#[derive(Clone, Copy)]
pub(crate) struct Held {
    /// All that is in memory for it, what it shares and what is a file's as well.
    pub(crate) rss: f64,
    /// The same, with its part only of what it shares.
    pub(crate) pss: f64,
    /// What stands in no file, so that the system cannot take it back. Not what it calls dirty: that is a file's as well,
    /// for as long as the file is not written.
    pub(crate) own: f64,
    /// Files that are open.
    pub(crate) files: usize,
}

/// A running floor.
pub(crate) struct Floor {
    _child: Child,
    /// `http://127.0.0.1:…`
    pub(crate) address: String,
}

impl Floor {
    /// Starts a floor that answers with these bytes.
    pub(crate) async fn start(kind: Kind, folder: &Path, answer: &[u8]) -> Result<Self> {
        let file: PathBuf = folder.join(format!("answer-{}", kind.name()));
        std::fs::write(&file, answer)?;
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("floor").arg(kind.name()).arg(&file).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn()?;
        let mut lines = BufReader::new(child.stdout.take().context("no output")?).lines();
        let address = lines.next_line().await?.context("the floor did not start")?;
        Ok(Self { _child: child, address: format!("http://{address}") })
    }
}
