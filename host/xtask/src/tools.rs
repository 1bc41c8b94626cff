//! Cargo subcommands with pinned versions, installed in the target folder.

use std::process::Command;

use anyhow::{Context, Result};

use crate::paths::Paths;
use crate::{process, setup, versions};

/// A cargo subcommand that is not part of the toolchain.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tool {
    name: &'static str,
    version: &'static str,
}

/// Checks licences, banned crates, sources and advisories.
pub(crate) const DENY: Tool = Tool { name: "cargo-deny", version: versions::CARGO_DENY };

/// Measures test coverage.
pub(crate) const LLVM_COV: Tool = Tool { name: "cargo-llvm-cov", version: versions::CARGO_LLVM_COV };

impl Tool {
    /// Installs the tool unless this version is in the target folder or on PATH.
    pub(crate) fn ensure(self, paths: &Paths) -> Result<()> {
        let own = paths.tools().join("bin").join(self.name);
        // The target folder is first on PATH, so another version there must be replaced.
        let found = if own.is_file() { Some(own) } else { setup::find(self.name) };
        if found.is_some_and(|path| self.is_version_of(Command::new(path))) {
            return Ok(());
        }
        eprintln!("installing {} {} into {}", self.name, self.version, paths.tools().display());
        let mut install = paths.cargo()?;
        install
            .args(["install", self.name, "--version", self.version, "--locked", "--force", "--root"])
            .arg(paths.tools())
            // The tools run for seconds: optimizing them for minutes does not pay.
            .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1")
            .env("CARGO_PROFILE_RELEASE_LTO", "off")
            .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16")
            .env("CARGO_PROFILE_RELEASE_DEBUG", "0")
            // Otherwise the intermediate files stay in the target folder.
            .env_remove("CARGO_TARGET_DIR");
        process::run(&mut install).with_context(|| format!("{} cannot be installed", self.name))
    }

    fn is_version_of(self, mut program: Command) -> bool {
        let subcommand = self.name.trim_start_matches("cargo-");
        let output = process::output(program.args([subcommand, "--version"]));
        output.is_ok_and(|output| output.split_whitespace().any(|word| word == self.version))
    }
}
