//! `tessera plugin build`: builds a crate for `wasm32-unknown-unknown` and makes a component of the module.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;
use wit_component::ComponentEncoder;

use super::module::shrink;
use crate::print;

const TARGET: &str = "wasm32-unknown-unknown";

/// Builds the crate in a folder and writes its component.
pub(super) fn build(folder: &Path, out: Option<PathBuf>) -> Result<()> {
    if !folder.join("Cargo.toml").is_file() {
        bail!(
            "{} has no Cargo.toml; plugins in JavaScript are built by `npm run build`, those in Python by `sh build.sh`",
            folder.display()
        );
    }
    check_target()?;
    let module = cargo(folder)?;
    let bytes = std::fs::read(&module).with_context(|| format!("cannot read {}", module.display()))?;
    let component = componentize(&bytes)?;
    let out = out.unwrap_or_else(|| module.with_extension("component.wasm"));
    std::fs::write(&out, &component).with_context(|| format!("cannot write {}", out.display()))?;
    print(&format!("{}  ({})\n", out.display(), size(component.len())))
}

/// Makes a component of a module that uses the SDK.
pub(super) fn componentize(module: &[u8]) -> Result<Vec<u8>> {
    let encoded = ComponentEncoder::default()
        .validate(true)
        .module(&shrink(module)?)
        .context("the module does not contain the plugin contract; call tessera_plugin::export!")?
        .encode();
    encoded.context("cannot make a component of the module")
}

/// Fails if Rust or its WebAssembly target is not installed.
fn check_target() -> Result<()> {
    let output = Command::new("rustc").args(["--print", "target-libdir", "--target", TARGET]).output();
    let output = output.context("rustc is not installed; install Rust from https://rustup.rs")?;
    let folder = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    if !output.status.success() || !Path::new(&folder).is_dir() {
        bail!("the target {TARGET} is not installed; install it: rustup target add {TARGET}");
    }
    Ok(())
}

/// Runs cargo and returns the path of the module.
fn cargo(folder: &Path) -> Result<PathBuf> {
    let output = Command::new("cargo")
        // Cargo applies link-time optimization only if the module is the crate's single output.
        .args(["rustc", "--lib", "--crate-type", "cdylib", "--release", "--target", TARGET])
        .arg("--message-format=json-render-diagnostics")
        .current_dir(folder)
        .stderr(Stdio::inherit())
        .output();
    let output = output.with_context(|| format!("cannot run cargo in {}", folder.display()))?;
    if !output.status.success() {
        bail!("the plugin does not compile");
    }
    let messages = String::from_utf8_lossy(&output.stdout);
    let modules = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let modules = modules.filter(|message| {
        let kinds = message["target"]["kind"].as_array();
        kinds.is_some_and(|kinds| kinds.iter().any(|kind| kind == "cdylib"))
    });
    let files = modules.flat_map(|message| message["filenames"].as_array().cloned().unwrap_or_default());
    let module = files
        .filter_map(|file| file.as_str().map(PathBuf::from))
        .rfind(|file| file.extension().is_some_and(|extension| extension == "wasm"));
    module.context("cargo built no module")
}

/// Formats a size for a person.
pub(super) fn size(bytes: usize) -> String {
    if bytes < 10_240 { format!("{bytes} bytes") } else { format!("{} KiB", bytes / 1_024) }
}
