//! The record of running servers: a text file with one line for each.

use std::fmt;
use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;

use anyhow::{Context, Result};

use super::Service;

/// A server. It is prepared while it has no process and port, and started afterwards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Running {
    /// The kind of server.
    pub(super) service: Service,
    /// Process id of the last start; 0 before the first one.
    pub(super) pid: u32,
    /// Port on 127.0.0.1; 0 before the first start.
    pub(super) port: u16,
    /// Whether commits are durable.
    pub(super) durable: bool,
    /// The folder of all its files.
    pub(super) folder: PathBuf,
}

impl fmt::Display for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { service, pid, port, durable, folder } = self;
        write!(f, "{} pid={pid} port={port} durable={durable} folder={}", service.name(), folder.display())
    }
}

impl Running {
    fn parse(line: &str) -> Option<Self> {
        let (name, rest) = line.split_once(" pid=")?;
        let (pid, rest) = rest.split_once(" port=")?;
        let (port, rest) = rest.split_once(" durable=")?;
        let (durable, folder) = rest.split_once(" folder=")?;
        Some(Self {
            service: Service::named(name)?,
            pid: pid.parse().ok()?,
            port: port.parse().ok()?,
            durable: durable.parse().ok()?,
            folder: folder.into(),
        })
    }
}

/// The file of records.
#[derive(Debug)]
pub(super) struct State {
    file: PathBuf,
}

impl State {
    pub(super) const fn at(file: PathBuf) -> Self {
        Self { file }
    }

    /// Returns the recorded servers, none if there is no file.
    pub(super) fn read(&self) -> Result<Vec<Running>> {
        let text = match fs::read_to_string(&self.file) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => {
                return Err(error).with_context(|| format!("{} cannot be read", self.file.display()));
            }
        };
        let invalid = |line| format!("{} has an invalid line: {line}", self.file.display());
        text.lines().map(|line| Running::parse(line).with_context(|| invalid(line))).collect()
    }

    /// Records a server in place of the former one of its kind.
    ///
    /// The file is replaced atomically.
    pub(super) fn put(&self, server: Running) -> Result<()> {
        let mut servers = self.read()?;
        servers.retain(|other| other.service != server.service);
        servers.push(server);
        let text: String = servers.iter().map(|server| format!("{server}\n")).collect();
        let new = self.file.with_extension("new");
        fs::write(&new, text)
            .and_then(|()| fs::rename(&new, &self.file))
            .with_context(|| format!("{} cannot be written", self.file.display()))
    }

    pub(super) fn remove(&self) -> Result<()> {
        match fs::remove_file(&self.file) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error.into()),
            Ok(()) | Err(_) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn record_is_parsed_as_it_was_written() {
        let server = Running {
            service: Service::Postgres,
            pid: 17,
            port: 40_001,
            durable: true,
            folder: "/a folder=with words/postgres".into(),
        };
        assert_eq!(Running::parse(&server.to_string()), Some(server));
        assert_eq!(Running::parse("postgres pid=x port=1 durable=true folder=/"), None);
        assert_eq!(Running::parse(""), None);
    }
}
