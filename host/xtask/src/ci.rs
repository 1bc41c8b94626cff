//! `cargo xtask ci`: all checks of a change, cheapest first.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::paths::Paths;
use crate::test::{self, TestArgs};
use crate::tools;
use crate::{interrupt, process, setup, unused};

/// Limit of time for fetching the advisory database.
const FETCH_TIMEOUT: Duration = Duration::from_secs(120);

type Step = (&'static str, fn(&Paths) -> Result<()>);

const CHECKS: [Step; 6] = [
    ("format", format),
    ("unused", unused::check),
    ("clippy", clippy),
    ("docs", docs),
    ("deny", deny),
    ("advisories", advisories),
];

/// Runs the checks and optionally the tests. Stops at the first failure.
pub(crate) fn run(paths: &Paths, with_tests: bool) -> Result<()> {
    setup::rust(paths)?;
    let tests: &[Step] =
        if with_tests { &[("tests", |paths| test::run(paths, &TestArgs::default()))] } else { &[] };
    let mut report = Vec::new();
    for (name, step) in CHECKS.iter().chain(tests) {
        interrupt::check()?;
        eprintln!("== {name}");
        let started = Instant::now();
        step(paths).with_context(|| format!("the step `{name}` failed"))?;
        report.push(format!("{name:<12}{:>8.1?}", started.elapsed()));
        eprintln!("== {name}: {:.1?}", started.elapsed());
    }
    println!("{}", report.join("\n"));
    Ok(())
}

fn format(paths: &Paths) -> Result<()> {
    in_all_workspaces(paths, &["fmt", "--all", "--check"])
}

/// Runs cargo in all workspaces.
fn in_all_workspaces(paths: &Paths, arguments: &[&str]) -> Result<()> {
    process::run(paths.cargo()?.args(arguments))?;
    paths.guests()?.iter_mut().try_for_each(|cargo| process::run(cargo.args(arguments)))
}

fn clippy(paths: &Paths) -> Result<()> {
    in_all_workspaces(paths, &["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"])
}

fn docs(paths: &Paths) -> Result<()> {
    let commands = [paths.cargo()?].into_iter().chain(paths.guests()?);
    commands.into_iter().try_for_each(|mut doc| {
        doc.args(["doc", "--workspace", "--no-deps", "--locked"]).env("RUSTDOCFLAGS", "-D warnings");
        process::run(&mut doc)
    })
}

fn deny(paths: &Paths) -> Result<()> {
    tools::DENY.ensure(paths)?;
    let config = paths.root.join(".deny.toml");
    let config = config.to_str().context("the repository's path is not UTF-8")?;
    let check = ["check", "--hide-inclusion-graph", "bans", "licenses", "sources"];
    in_all_workspaces(paths, &[&["deny", "--locked", "--config", config][..], &check].concat())
}

/// Checks dependencies for known vulnerabilities. An advisory database that cannot be fetched is not a failure.
fn advisories(paths: &Paths) -> Result<()> {
    tools::DENY.ensure(paths)?;
    let mut fetch = paths.cargo()?;
    // Git must not prompt for a password when the repository cannot be reached.
    fetch.args(["deny", "--locked", "fetch", "db"]).env("GIT_TERMINAL_PROMPT", "0");
    if !process::try_run(&mut fetch, FETCH_TIMEOUT)? {
        eprintln!("the advisory database cannot be fetched: advisories were NOT checked");
        return Ok(());
    }
    process::run(paths.cargo()?.args(["deny", "--locked", "check", "advisories"]))
}
