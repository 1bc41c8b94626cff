//! `cargo xtask trials`: those tests that are worth more the longer they run, at their full size.

use anyhow::Result;

use crate::paths::Paths;
use crate::services::Borrowed;
use crate::{process, setup};

/// The packages with trials, and what their names have in common.
const TRIALS: [(&str, &str); 2] = [("tessera-store", "of_confirm_and_expiry"), ("tessera", "trial_of")];

/// Runs them one after the other, against servers of their own.
pub(crate) fn run(paths: &Paths) -> Result<()> {
    setup::rust(paths)?;
    setup::faketime()?;
    let services = Borrowed::start(paths, true)?;
    for (package, name) in TRIALS {
        let mut test = paths.cargo()?;
        test.args(["test", "--release", "--locked", "-p", package, "--tests", name, "--"]);
        test.args(["--test-threads", "1"]).envs(services.env()).env("TESSERA_TRIALS", "long");
        eprintln!("running {}", process::line(&test));
        process::run(&mut test)?;
    }
    Ok(())
}
