//! `cargo xtask test`: the set-up, servers of its own, the tests, and the end of the servers whatever happens.

use std::process::Command;

use anyhow::Result;
use clap::Args;

use crate::paths::Paths;
use crate::services::Temporary;
use crate::{process, setup};

/// What can be said about a run of the tests.
#[derive(Debug, Default, Args)]
pub(crate) struct TestArgs {
    /// Runs the servers without fsync (to be said before cargo's arguments)
    #[arg(long)]
    pub(crate) fast: bool,
    /// Arguments for cargo and a filter of the tests' names; after `--`, those for the tests' own harness
    #[arg(allow_hyphen_values = true)]
    cargo: Vec<String>,
    /// Where nothing stands before the `--`, what follows it
    #[arg(last = true, hide = true)]
    harness: Vec<String>,
}

impl TestArgs {
    /// Whether no package was named.
    fn is_whole(&self) -> bool {
        !self.cargo.iter().take_while(|arg| *arg != "--").any(|arg| names_a_package(arg))
    }

    /// Adds what a command like `cargo test` is to get: the whole workspace unless packages were named.
    pub(crate) fn add_to(&self, command: &mut Command) {
        if self.is_whole() {
            command.arg("--workspace");
        }
        command.arg("--locked").args(&self.cargo);
        if !self.harness.is_empty() {
            command.arg("--").args(&self.harness);
        }
    }
}

fn names_a_package(arg: &str) -> bool {
    (arg.starts_with("-p") && !arg.starts_with("--")) || arg == "--package" || arg.starts_with("--package=")
}

/// Sets up and runs the tests.
pub(crate) fn run(paths: &Paths, args: &TestArgs) -> Result<()> {
    setup::rust(paths)?;
    setup::faketime()?;
    let services = Temporary::start(paths, !args.fast)?;
    let mut test = paths.cargo()?;
    test.arg("test").envs(services.env());
    args.add_to(&mut test);
    eprintln!("running {}", process::line(&test));
    process::run(&mut test)?;
    if !args.is_whole() {
        return Ok(());
    }
    // The SDK and the example plugins have workspaces of their own, and need no servers.
    paths.guests()?.iter_mut().try_for_each(|cargo| {
        args.add_to(cargo.arg("test"));
        process::run(cargo)
    })
}
