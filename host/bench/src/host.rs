//! Processes that a bench starts: hosts of Tessera, and floors. Killed when dropped.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context as _, Result, bail};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use crate::floor::Kind;

/// The key that benches call with.
pub(crate) const KEY: &str = "tsk_bench_00112233445566778899aabbccddeeff";

/// A running host.
pub(crate) struct Host {
    _child: Child,
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
                return Ok(Self { _child: child, http, grpc });
            }
        }
        bail!("the host did not start; {} says why", data.join("log").display())
    }
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
