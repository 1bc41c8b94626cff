//! `cargo xtask test`: the set-up, servers of its own, the tests, and the end of the servers whatever happens.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::Result;
use clap::Args;

use crate::paths::Paths;
use crate::services::TestServers;
use crate::{process, setup};

/// What can be said about a run of the tests.
#[derive(Debug, Default, Args)]
pub(crate) struct TestArgs {
    /// Runs all servers without fsync (to be said before cargo's arguments)
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

/// How many of the slowest tests are printed.
const SLOWEST: usize = 10;

/// Prints the slowest integration tests. Each test writes when it began and ended to `times`.
fn print_slowest(times: &Path) {
    let Ok(text) = fs::read_to_string(times) else { return };
    let slowest = slowest(&text);
    if slowest.is_empty() {
        return;
    }
    eprintln!("the slowest integration tests:");
    for (name, milliseconds) in slowest {
        eprintln!("{:>6}.{} s  {name}", milliseconds / 1_000, milliseconds % 1_000 / 100);
    }
}

/// Returns the slowest tests with their milliseconds. A line is a begin, an end, and the name of a thread. A test has
/// several lines; threads without a test's name are left out.
fn slowest(text: &str) -> Vec<(&str, u64)> {
    let mut spans: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    for line in text.lines() {
        let mut words = line.splitn(3, ' ');
        let (Some(begin), Some(end), Some(name)) = (words.next(), words.next(), words.next()) else {
            continue;
        };
        if !name.contains("::") {
            continue;
        }
        let (Ok(begin), Ok(end)) = (begin.parse(), end.parse()) else { continue };
        let span = spans.entry(name).or_insert((begin, end));
        *span = (span.0.min(begin), span.1.max(end));
    }
    let mut slowest: Vec<_> =
        spans.into_iter().map(|(name, (begin, end))| (name, end.saturating_sub(begin))).collect();
    slowest.sort_by_key(|(_, milliseconds)| Reverse(*milliseconds));
    slowest.truncate(SLOWEST);
    slowest
}

/// Sets up and runs the tests.
pub(crate) fn run(paths: &Paths, args: &TestArgs) -> Result<()> {
    setup::rust(paths)?;
    setup::tests(paths)?;
    let services = TestServers::start(paths, !args.fast)?;
    let times = paths.target.join("test-times.txt");
    fs::write(&times, "")?;
    let mut test = paths.cargo()?;
    test.arg("test").envs(services.env()).env("TESSERA_TEST_TIMES", &times);
    // Some tests wait for time and not for a processor: one more than there are processors keeps those busy.
    let processors = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    test.env("RUST_TEST_THREADS", (processors + 1).to_string());
    // A failure's message names its place. A backtrace of an async test is long, and shows the runtime.
    test.env("RUST_BACKTRACE", "0");
    args.add_to(&mut test);
    eprintln!("running {}", process::line(&test));
    let result = process::run(&mut test);
    print_slowest(&times);
    result?;
    if !args.is_whole() {
        return Ok(());
    }
    // The SDK and the example plugins have workspaces of their own, and need no servers.
    paths.guests()?.iter_mut().try_for_each(|cargo| {
        args.add_to(cargo.arg("test"));
        process::run(cargo)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slowest_tests_come_first_and_their_homes_are_one_span() {
        let text = "1000 2000 m::a\n1500 4500 m::a\n0 9000 m::b\nbroken\n5 6 worker\n";
        assert_eq!(slowest(text), [("m::b", 9_000), ("m::a", 3_500)]);
        let many: String = (0..20).map(|n| format!("0 {n} m::t{n}\n")).collect();
        assert_eq!(slowest(&many).len(), SLOWEST);
    }
}
