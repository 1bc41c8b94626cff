//! `cargo xtask contract keep <version>`: keeps a published version of the plugin contract for the tests: its interfaces,
//! and a plugin of each hook that was built for it.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};
use clap::Subcommand;

use crate::paths::Paths;
use crate::process;

/// The hooks, each with the example plugin that is kept.
const PLUGINS: [(&str, &str); 3] =
    [("pricing", "group-discount"), ("validation", "required-fields"), ("workflow", "issue-lifecycle")];

/// Actions of `cargo xtask contract`.
#[derive(Debug, Subcommand)]
pub(crate) enum Action {
    /// Copies wit/ and builds plugins into host/tests/contract/VERSION; files that are there are never replaced
    Keep {
        /// The version of the contract in wit/
        version: String,
    },
}

/// Carries out an action.
pub(crate) fn run(paths: &Paths, action: &Action) -> Result<()> {
    let Action::Keep { version } = action;
    let wit = paths.root.join("wit");
    let package = format!("package tessera:plugin@{version};");
    let types = fs::read_to_string(wit.join("types.wit")).context("wit/types.wit cannot be read")?;
    if types.lines().next() != Some(package.as_str()) {
        bail!("wit/types.wit does not begin with `{package}`; only the version in wit/ can be kept");
    }
    let folder = paths.root.join("host/tests/contract").join(version);
    fs::create_dir_all(&folder).with_context(|| format!("{} cannot be created", folder.display()))?;
    for entry in fs::read_dir(&wit)? {
        let path = entry?.path();
        let Some(copy) = path.file_name().map(|name| folder.join(name)) else { continue };
        if !is_kept(&copy) {
            fs::copy(&path, &copy).with_context(|| format!("{} cannot be written", copy.display()))?;
        }
    }
    process::run(paths.cargo()?.args(["build", "--locked", "--package", "tessera"]))?;
    for (hook, plugin) in PLUGINS {
        let kept = folder.join(hook).with_extension("wasm");
        if is_kept(&kept) {
            continue;
        }
        let mut build = Command::new(paths.target.join("debug/tessera"));
        build.args(["plugin", "build"]).arg(paths.root.join("plugins").join(plugin)).arg("--out").arg(&kept);
        process::run(build.env("CARGO_TARGET_DIR", paths.target.join("plugins")))?;
    }
    Ok(())
}

/// Returns whether a file is there already.
fn is_kept(file: &Path) -> bool {
    let is_kept = file.exists();
    if is_kept {
        eprintln!("contract: {} is there already and stays as it is", file.display());
    }
    is_kept
}
