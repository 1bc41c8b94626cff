//! `cargo xtask bench <name>`: the release build of the host and of the benches, servers of their own,
//! the bench, and the end of the servers.

use anyhow::Result;
use clap::Args;

use crate::paths::Paths;
use crate::process;
use crate::services::Borrowed;

/// Which bench, and how.
#[derive(Debug, Args)]
pub(crate) struct BenchArgs {
    /// The bench's name and its own arguments; `--help` tells them
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    args: Vec<String>,
}

/// Builds and runs a bench.
pub(crate) fn run(paths: &Paths, args: &BenchArgs) -> Result<()> {
    let mut build = paths.cargo()?;
    build.args(["build", "--release", "--locked", "-p", "tessera", "-p", "tessera-bench"]);
    process::run(&mut build)?;
    let services = Borrowed::start(paths, true)?;
    let mut bench = paths.cargo()?;
    bench.args(["run", "--quiet", "--release", "--locked", "-p", "tessera-bench", "--"]);
    bench.args(&args.args).envs(services.env());
    process::run(&mut bench)
}
