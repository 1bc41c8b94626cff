//! Cargo's subcommands that the tools need: at their pinned versions, in the project's own folder, never the user's.

use std::process::Command;

use anyhow::{Context, Result};

use crate::paths::Paths;
use crate::{process, setup, versions};

/// A subcommand of cargo that is not part of Rust.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tool {
    name: &'static str,
    version: &'static str,
}

/// Looks at licences, bans, sources and advisories.
pub(crate) const DENY: Tool = Tool { name: "cargo-deny", version: versions::CARGO_DENY };

/// Measures what the tests cover.
pub(crate) const LLVM_COV: Tool = Tool { name: "cargo-llvm-cov", version: versions::CARGO_LLVM_COV };

impl Tool {
    /// Installs the tool unless this very version is here, in the project's folder or on PATH.
    pub(crate) fn ensure(self, paths: &Paths) -> Result<()> {
        let own = paths.tools().join("bin").join(self.name);
        // The project's folder stands first on PATH, so a version there that is not the pinned one must be replaced.
        let found = if own.is_file() { Some(own) } else { setup::find(self.name) };
        if found.is_some_and(|path| self.is_version_of(Command::new(path))) {
            return Ok(());
        }
        eprintln!("installing {} {} into {}", self.name, self.version, paths.tools().display());
        let mut install = paths.cargo()?;
        install
            .args(["install", self.name, "--version", self.version, "--locked", "--force", "--root"])
            .arg(paths.tools())
            // A tool that runs for seconds need not be optimised for minutes.
            .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1")
            .env("CARGO_PROFILE_RELEASE_LTO", "off")
            .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16")
            .env("CARGO_PROFILE_RELEASE_DEBUG", "0")
            // What it is built from is used once, so it shall not stay in the target folder.
            .env_remove("CARGO_TARGET_DIR");
        process::run(&mut install).with_context(|| format!("{} cannot be installed", self.name))
    }

    fn is_version_of(self, mut program: Command) -> bool {
        let subcommand = self.name.trim_start_matches("cargo-");
        let said = process::output(program.args([subcommand, "--version"]));
        said.is_ok_and(|said| said.split_whitespace().any(|word| word == self.version))
    }
}
