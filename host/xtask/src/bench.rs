//! `cargo xtask bench <name>`: builds the host and the benches with the profile `dist`, starts database servers, runs the
//! bench and removes the servers.

use anyhow::Result;
use clap::Args;

use crate::paths::Paths;
use crate::process;
use crate::services::Borrowed;

/// Arguments of `cargo xtask bench`.
#[derive(Debug, Args)]
pub(crate) struct BenchArgs {
    /// Name of the bench and its arguments; `--help` lists them
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    args: Vec<String>,
}

/// Builds and runs a bench.
pub(crate) fn run(paths: &Paths, args: &BenchArgs) -> Result<()> {
    let mut build = paths.cargo()?;
    build.args(["build", "--profile", "dist", "--locked", "-p", "tessera", "-p", "tessera-bench"]);
    process::run(&mut build)?;
    let services = Borrowed::start(paths, true)?;
    let mut bench = paths.cargo()?;
    bench.args(["run", "--quiet", "--profile", "dist", "--locked", "-p", "tessera-bench", "--"]);
    bench.args(&args.args).envs(services.env());
    process::run(&mut bench)
}
