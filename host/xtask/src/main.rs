//! `cargo xtask …`: what a developer and the continuous integration run on this repository.
//!
//! Here live set-up, the servers that the tests need, and the commands around cargo. Nothing here is part of the host,
//! and nothing of the host is used here, so a broken host never breaks its tools.
#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command line tool: it reads its environment, waits by sleeping and talks to a terminal"
)]

mod bench;
mod ci;
mod coverage;
mod dev;
mod interrupt;
mod paths;
mod process;
mod services;
mod setup;
mod test;
mod tools;
mod trials;
mod versions;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::interrupt::Interrupted;
use crate::paths::Paths;
use crate::test::TestArgs;

/// Tessera's own tools.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Starts and stops, for use by hand, the servers that the tests run against
    #[command(subcommand)]
    Services(services::Action),
    /// Sets everything up and runs all tests against servers of their own
    Test(TestArgs),
    /// Checks format, lints, docs and dependencies, then runs all tests
    Ci {
        /// Leaves the tests out
        #[arg(long)]
        no_test: bool,
    },
    /// Runs the host and restarts it when its code changes
    Dev {
        /// The host's own arguments
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, default_value = "--demo")]
        args: Vec<String>,
    },
    /// Runs a benchmark on a build with the profile `dist`: `cargo xtask bench tracker`
    Bench(bench::BenchArgs),
    /// Runs the trials at their full size, each for some minutes, and prints how much was tried
    Trials(trials::TrialsArgs),
    /// Runs all tests and writes an HTML report of what they covered
    Coverage(TestArgs),
}

fn main() -> ExitCode {
    match run(Cli::parse().task) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => match error.downcast_ref::<Interrupted>() {
            Some(interrupted) => {
                eprintln!("{interrupted}");
                interrupted.exit_code()
            }
            None => {
                eprintln!("error: {error:#}");
                ExitCode::FAILURE
            }
        },
    }
}

fn run(task: Task) -> Result<()> {
    interrupt::listen()?;
    let paths = Paths::find()?;
    match task {
        Task::Services(action) => services::by_hand(&paths, action),
        Task::Test(args) => test::run(&paths, &args),
        Task::Ci { no_test } => ci::run(&paths, !no_test),
        Task::Dev { args } => dev::run(&paths, &args),
        Task::Bench(args) => bench::run(&paths, &args),
        Task::Trials(args) => trials::run(&paths, &args),
        Task::Coverage(args) => coverage::run(&paths, &args),
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    /// What cargo gets for a line after `cargo xtask test`.
    fn given_to_cargo(line: &[&str]) -> (bool, String) {
        let line = ["cargo xtask", "test"].iter().chain(line);
        match Cli::try_parse_from(line).unwrap().task {
            Task::Test(args) => {
                let mut command = Command::new("x");
                args.add_to(&mut command);
                (args.fast, process::line(&command))
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
    }

    #[test]
    fn what_is_not_ours_goes_to_cargo_and_what_follows_the_dashes_to_the_tests() {
        for (line, fast, given) in [
            (&[][..], false, "x --workspace --locked"),
            (&["--fast"], true, "x --workspace --locked"),
            (&["--fast", "--", "--ignored"], true, "x --workspace --locked -- --ignored"),
            (&["--", "-p"], false, "x --workspace --locked -- -p"),
            (&["issue", "--", "-p"], false, "x --workspace --locked issue -- -p"),
            (&["--fast", "-p", "xtask", "a", "--", "--exact"], true, "x --locked -p xtask a -- --exact"),
            (&["--package=xtask"], false, "x --locked --package=xtask"),
            (&["--profile", "dev"], false, "x --workspace --locked --profile dev"),
        ] {
            assert_eq!(given_to_cargo(line), (fast, given.to_owned()));
        }
    }

    #[test]
    fn the_host_gets_its_arguments_unread() {
        let parse = |line: &[&str]| match Cli::try_parse_from(line).unwrap().task {
            Task::Dev { args } => args,
            other => panic!("{other:?}"),
        };
        assert_eq!(parse(&["cargo xtask", "dev"]), ["--demo"]);
        assert_eq!(parse(&["cargo xtask", "dev", "--config", "x.toml"]), ["--config", "x.toml"]);
        assert_eq!(parse(&["cargo xtask", "dev", "--", "--help"]), ["--help"]);
    }
}
