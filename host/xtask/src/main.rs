//! `cargo xtask`: the commands of developers and of continuous integration.
//!
//! Set-up, the servers for the tests, and commands around cargo. The host and its tools do not depend on each other, so
//! that a host that does not compile never breaks the tools.
#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command line tool: it reads its environment, sleeps and prints"
)]

mod bench;
mod ci;
mod contract;
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
mod unused;
mod versions;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::interrupt::Interrupted;
use crate::paths::Paths;
use crate::test::TestArgs;

/// Tools of the Tessera repository.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Starts and stops servers for tests that are run by hand
    #[command(subcommand)]
    Services(services::Action),
    /// Runs all tests with temporary servers, after installing what is missing
    Test(TestArgs),
    /// Checks format, lints, docs and dependencies, then runs all tests
    Ci {
        /// Skips the tests
        #[arg(long)]
        no_test: bool,
    },
    /// Runs the host, and rebuilds and restarts it when its code changes
    Dev {
        /// Arguments of the host
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, default_value = "--demo")]
        args: Vec<String>,
    },
    /// Runs a bench with the profile `dist`, or `all` to write the tables of host/docs/PERFORMANCE.md
    Bench(bench::BenchArgs),
    /// Runs the randomized tests at full size, each for some minutes
    Trials(trials::TrialsArgs),
    /// Runs all tests and writes an HTML report of their coverage
    Coverage(TestArgs),
    /// Keeps a published version of the plugin contract for the tests
    #[command(subcommand)]
    Contract(contract::Action),
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
    interrupt::install()?;
    let paths = Paths::find()?;
    match task {
        Task::Services(action) => services::run(&paths, action),
        Task::Test(args) => test::run(&paths, &args),
        Task::Ci { no_test } => ci::run(&paths, !no_test),
        Task::Dev { args } => dev::run(&paths, &args),
        Task::Bench(args) => bench::run(&paths, &args),
        Task::Trials(args) => trials::run(&paths, &args),
        Task::Coverage(args) => coverage::run(&paths, &args),
        Task::Contract(action) => contract::run(&paths, &action),
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    /// Returns `--fast` and the arguments of cargo for a command line of `cargo xtask test`.
    fn parsed(line: &[&str]) -> (bool, String) {
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
    fn command_line_definition_is_consistent() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
    }

    #[test]
    fn unknown_arguments_go_to_cargo_and_those_after_the_dashes_to_the_tests() {
        for (line, fast, expected) in [
            (&[][..], false, "x --workspace --locked"),
            (&["--fast"], true, "x --workspace --locked"),
            (&["--fast", "--", "--ignored"], true, "x --workspace --locked -- --ignored"),
            (&["--", "-p"], false, "x --workspace --locked -- -p"),
            (&["issue", "--", "-p"], false, "x --workspace --locked issue -- -p"),
            (&["--fast", "-p", "xtask", "a", "--", "--exact"], true, "x --locked -p xtask a -- --exact"),
            (&["--package=xtask"], false, "x --locked --package=xtask"),
            (&["--profile", "dev"], false, "x --workspace --locked --profile dev"),
        ] {
            assert_eq!(parsed(line), (fast, expected.to_owned()));
        }
    }

    #[test]
    fn arguments_of_dev_go_to_the_host() {
        let parse = |line: &[&str]| match Cli::try_parse_from(line).unwrap().task {
            Task::Dev { args } => args,
            other => panic!("{other:?}"),
        };
        assert_eq!(parse(&["cargo xtask", "dev"]), ["--demo"]);
        assert_eq!(parse(&["cargo xtask", "dev", "--config", "x.toml"]), ["--config", "x.toml"]);
        assert_eq!(parse(&["cargo xtask", "dev", "--", "--help"]), ["--help"]);
    }
}
