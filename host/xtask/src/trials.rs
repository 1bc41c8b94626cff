//! `cargo xtask trials`: the randomized tests at full size.

use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Result, bail};
use clap::Args;

use crate::paths::Paths;
use crate::services::Temporary;
use crate::{process, setup};

/// The packages with trials and the names of their test binaries.
const SUITES: [(&str, &str); 2] = [("tessera-store", "suite"), ("tessera", "it")];

/// The module of the trials in each binary.
const MODULE: &str = "trials::";

/// Arguments of `cargo xtask trials`.
#[derive(Debug, Args)]
pub(crate) struct TrialsArgs {
    /// Prefix of the trials to run
    #[arg(default_value = "", hide_default_value = true)]
    name: String,
    /// Seed of the random generators, to reproduce a failure
    #[arg(long)]
    seed: Option<u32>,
}

/// Runs the trials one after the other with temporary servers.
pub(crate) fn run(paths: &Paths, args: &TrialsArgs) -> Result<()> {
    setup::rust(paths)?;
    setup::faketime()?;
    for target in SUITES {
        process::run(suite(paths, target)?.arg("--no-run"))?;
    }
    let mut chosen = Vec::new();
    let mut names = Vec::new();
    for target in SUITES {
        let list = process::output(suite(paths, target)?.args(["--", "--list", "--format", "terse"]))?;
        for test in list.lines().filter_map(|line| line.strip_suffix(": test")) {
            let Some((_, name)) = test.split_once(MODULE) else { continue };
            if name.starts_with(&args.name) {
                chosen.push((target, test.to_owned()));
            }
            names.push(name.split("::").next().unwrap_or(name).to_owned());
        }
    }
    if chosen.is_empty() {
        names.dedup();
        bail!("no trial's name begins with {}; the trials are {}", args.name, names.join(", "));
    }
    let seed = args.seed.unwrap_or_else(random_seed).to_string();
    let services = Temporary::start(paths, true)?;
    for (target, test) in chosen {
        let mut trial = suite(paths, target)?;
        trial.args(["--quiet", "--", "--exact", "--no-capture", &test]).envs(services.env());
        trial.env("TESSERA_TRIALS", "long").env("TESSERA_TRIALS_SEED", &seed);
        eprintln!("running {test}, seed {seed}");
        process::run(&mut trial)?;
    }
    Ok(())
}

fn suite(paths: &Paths, (package, suite): (&str, &str)) -> Result<Command> {
    let mut cargo = paths.cargo()?;
    cargo.args(["test", "--release", "--locked", "-p", package, "--test", suite]);
    Ok(cargo)
}

/// Returns a seed from the clock.
fn random_seed() -> u32 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |elapsed| elapsed.subsec_nanos())
}
