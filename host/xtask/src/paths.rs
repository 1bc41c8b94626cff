//! The paths of the repository and its target folder.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

/// The workspaces that are compiled to WebAssembly.
pub(crate) const GUESTS: [&str; 2] = ["plugin-sdk/rust", "plugins"];

/// The folders that the tools use.
#[derive(Debug, Clone)]
pub(crate) struct Paths {
    /// The repository.
    pub(crate) root: PathBuf,
    /// The target folder, which also holds the tools' files.
    pub(crate) target: PathBuf,
}

impl Paths {
    /// Finds the folders. The current folder does not matter.
    pub(crate) fn find() -> Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"))
            .ancestors()
            .nth(2)
            .context("xtask must be two folders below the repository")?
            .to_path_buf();
        let target = match env::var_os("CARGO_TARGET_DIR") {
            // Like cargo, resolves a relative path against the current folder.
            Some(folder) => std::path::absolute(folder).context("CARGO_TARGET_DIR is not a usable path")?,
            None => root.join("target"),
        };
        Ok(Self { root, target })
    }

    /// Returns the folder of the test servers.
    pub(crate) fn services(&self) -> PathBuf {
        self.target.join("services")
    }

    /// Returns the root for `cargo install`, instead of the user's home.
    pub(crate) fn tools(&self) -> PathBuf {
        self.target.join("tools")
    }

    /// Returns a cargo command for each workspace of guests. They share a separate target folder.
    pub(crate) fn guests(&self) -> Result<Vec<Command>> {
        let commands = GUESTS.map(|folder| {
            let mut command = self.cargo()?;
            command.current_dir(self.root.join(folder)).env("CARGO_TARGET_DIR", self.target.join("plugins"));
            Ok(command)
        });
        commands.into_iter().collect()
    }

    /// Returns a command for the cargo that runs this process, in the repository and with the installed tools on PATH.
    pub(crate) fn cargo(&self) -> Result<Command> {
        let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        let path = env::var_os("PATH").unwrap_or_default();
        let path = env::join_paths([self.tools().join("bin")].into_iter().chain(env::split_paths(&path)))
            .context("the tools' folder cannot be put on PATH")?;
        command.current_dir(&self.root).env("PATH", path).env("CARGO_TARGET_DIR", &self.target);
        Ok(command)
    }
}
