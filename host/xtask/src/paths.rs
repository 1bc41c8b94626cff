//! Where things are: the repository and its target folder.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

/// The workspaces beside the main one: what is built for WebAssembly.
pub(crate) const GUESTS: [&str; 2] = ["plugin-sdk/rust", "plugins"];

/// The folders that the tools work in.
#[derive(Debug, Clone)]
pub(crate) struct Paths {
    /// The repository.
    pub(crate) root: PathBuf,
    /// What is built, and all that the tools make.
    pub(crate) target: PathBuf,
}

impl Paths {
    /// Finds them, wherever in the repository the tool was called.
    pub(crate) fn find() -> Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"))
            .ancestors()
            .nth(2)
            .context("xtask lies two folders below the repository")?
            .to_path_buf();
        let target = match env::var_os("CARGO_TARGET_DIR") {
            // Cargo reads a relative one from where it was called.
            Some(folder) => std::path::absolute(folder).context("CARGO_TARGET_DIR is not a usable path")?,
            None => root.join("target"),
        };
        Ok(Self { root, target })
    }

    /// State of the servers for tests.
    pub(crate) fn services(&self) -> PathBuf {
        self.target.join("services")
    }

    /// The root of what `cargo install` puts here rather than into the user's home.
    pub(crate) fn tools(&self) -> PathBuf {
        self.target.join("tools")
    }

    /// The same cargo in each workspace of guests, which share a target folder of their own.
    pub(crate) fn guests(&self) -> Result<Vec<Command>> {
        let commands = GUESTS.map(|folder| {
            let mut command = self.cargo()?;
            command.current_dir(self.root.join(folder)).env("CARGO_TARGET_DIR", self.target.join("plugins"));
            Ok(command)
        });
        commands.into_iter().collect()
    }

    /// The cargo that called us, to be run in the repository with the project's own tools at hand.
    pub(crate) fn cargo(&self) -> Result<Command> {
        let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        let path = env::var_os("PATH").unwrap_or_default();
        let path = env::join_paths([self.tools().join("bin")].into_iter().chain(env::split_paths(&path)))
            .context("the tools' folder cannot be put on PATH")?;
        command.current_dir(&self.root).env("PATH", path).env("CARGO_TARGET_DIR", &self.target);
        Ok(command)
    }
}
