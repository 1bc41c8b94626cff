//! `cargo xtask coverage`: runs the tests and writes an HTML report of their coverage.

use std::process::Command;

use anyhow::{Context, Result};

use crate::paths::Paths;
use crate::services::TestServers;
use crate::test::TestArgs;
use crate::{process, setup, tools};

/// Runs the tests under cargo-llvm-cov and writes `target/coverage/html`.
pub(crate) fn run(paths: &Paths, args: &TestArgs) -> Result<()> {
    setup::rust(paths)?;
    if setup::find("rustup").is_some() {
        process::output(
            Command::new("rustup").args(["component", "add", "llvm-tools"]).current_dir(&paths.root),
        )?;
    }
    tools::LLVM_COV.ensure(paths)?;
    setup::tests(paths)?;

    // Otherwise the counts of an earlier run are added.
    process::run(paths.cargo()?.args(["llvm-cov", "clean", "--profraw-only"]))?;
    let services = TestServers::start(paths, !args.fast)?;
    let mut test = paths.cargo()?;
    test.args(["llvm-cov", "--no-report"]).envs(services.env());
    args.add_to(&mut test);
    process::run(&mut test)?;
    drop(services);

    let folder = paths.target.join("coverage");
    process::run(paths.cargo()?.args(["llvm-cov", "report", "--html", "--output-dir"]).arg(&folder))?;
    let summary = process::output(paths.cargo()?.args(["llvm-cov", "report", "--summary-only"]))?;
    let total = summary.lines().find(|line| line.starts_with("TOTAL")).context("the report has no total")?;
    println!("{}", folder.join("html").join("index.html").display());
    if let Some(columns) = summary.lines().find(|line| line.starts_with("Filename")) {
        println!("{columns}");
    }
    println!("{total}");
    Ok(())
}
