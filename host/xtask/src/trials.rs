//! `cargo xtask trials`: those tests that are worth more the longer they run, at their full size.

use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Result, bail};
use clap::Args;

use crate::paths::Paths;
use crate::services::Borrowed;
use crate::{process, setup};

/// The packages with trials, and their suites.
const SUITES: [(&str, &str); 2] = [("tessera-store", "suite"), ("tessera", "it")];

/// The modules of the suites in which trials are.
const MODULE: &str = "trials::";

/// Which trials, and from which seed.
#[derive(Debug, Args)]
pub(crate) struct TrialsArgs {
    /// Only trials whose name begins so
    #[arg(default_value = "", hide_default_value = true)]
    name: String,
    /// The seed of what is random; that of a failure reproduces it
    #[arg(long)]
    seed: Option<u32>,
}

/// Runs them one after the other, against servers of their own.
pub(crate) fn run(paths: &Paths, args: &TrialsArgs) -> Result<()> {
    setup::rust(paths)?;
    setup::faketime()?;
    for of in SUITES {
        process::run(suite(paths, of)?.arg("--no-run"))?;
    }
    let mut chosen = Vec::new();
    let mut names = Vec::new();
    for of in SUITES {
        let listed = process::output(suite(paths, of)?.args(["--", "--list", "--format", "terse"]))?;
        for test in listed.lines().filter_map(|line| line.strip_suffix(": test")) {
            let Some((_, name)) = test.split_once(MODULE) else { continue };
            if name.starts_with(&args.name) {
                chosen.push((of, test.to_owned()));
            }
            names.push(name.split("::").next().unwrap_or(name).to_owned());
        }
    }
    if chosen.is_empty() {
        names.dedup();
        bail!("no trial's name begins with {}; the trials are {}", args.name, names.join(", "));
    }
    let seed = args.seed.unwrap_or_else(moment).to_string();
    let services = Borrowed::start(paths, true)?;
    for (of, test) in chosen {
        let mut trial = suite(paths, of)?;
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

/// A seed that is another one each time.
fn moment() -> u32 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |since| since.subsec_nanos())
}
