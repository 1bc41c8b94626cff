//! `cargo xtask bench <name>`: builds the host and the benches with the profile `dist`, starts database servers, runs the
//! bench and removes the servers.

use std::process::Command;
use std::thread;

use anyhow::Result;
use clap::Args;

use crate::paths::Paths;
use crate::process;
use crate::services::Temporary;

/// Arguments of `cargo xtask bench`.
#[derive(Debug, Args)]
pub(crate) struct BenchArgs {
    /// Name of the bench, such as tracker, reserve or quote, and its arguments; `--help` lists them
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    args: Vec<String>,
}

/// Builds and runs a bench.
pub(crate) fn run(paths: &Paths, args: &BenchArgs) -> Result<()> {
    let mut build = paths.cargo()?;
    build.args(["build", "--profile", "dist", "--locked", "-p", "tessera", "-p", "tessera-bench"]);
    process::run(&mut build)?;
    let services = Temporary::start(paths, true)?;
    // Not by `cargo run`, which would build again: for one package alone, features of dependencies are others.
    let mut bench = Command::new(paths.target.join("dist/tessera-bench"));
    bench.current_dir(&paths.root).env("CARGO_TARGET_DIR", &paths.target);
    bench.args(&args.args).envs(services.env()).env("TESSERA_BENCH_BUILD", build_description(paths)?);
    process::run(&mut bench)
}

/// Returns which build is measured, on which day and machine. The benches print this with their tables.
fn build_description(paths: &Paths) -> Result<String> {
    let git = ["describe", "--always", "--dirty", "--exclude", "*"];
    let commit = process::output(Command::new("git").args(git).current_dir(&paths.root))?;
    let day = process::output(Command::new("date").args(["-u", "+%F"]))?;
    let processors = thread::available_parallelism()?;
    Ok(format!(
        "Build of {} with the profile `dist`, measured on {} with {processors} processors.",
        commit.trim(),
        day.trim()
    ))
}
