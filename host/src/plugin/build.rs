//! `tessera plugin build`: cargo for `wasm32-unknown-unknown`, then a component out of the module.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;
use wasmparser::{Parser, Payload};
use wit_component::ComponentEncoder;

use crate::say;

const TARGET: &str = "wasm32-unknown-unknown";

/// Builds the crate in a folder and writes its component.
pub(super) fn build(folder: &Path, out: Option<PathBuf>) -> Result<()> {
    has_target()?;
    let module = cargo(folder)?;
    let bytes = std::fs::read(&module).with_context(|| format!("{} cannot be read", module.display()))?;
    let component = componentize(&bytes)?;
    let out = out.unwrap_or_else(|| module.with_extension("component.wasm"));
    std::fs::write(&out, &component).with_context(|| format!("{} cannot be written", out.display()))?;
    say(&format!("{}  ({})\n", out.display(), size(component.len())))
}

/// A component out of a module that was made with the SDK, without its debug information.
pub(super) fn componentize(module: &[u8]) -> Result<Vec<u8>> {
    let encoded = ComponentEncoder::default()
        .validate(true)
        .module(&without_debug(module)?)
        .context("the module has no contract in it; is tessera_plugin::export! called?")?
        .encode();
    encoded.context("the module cannot be made a component")
}

/// Takes the debug information out and leaves the functions' names, so that backtraces speak.
fn without_debug(module: &[u8]) -> Result<Vec<u8>> {
    let mut kept = Vec::with_capacity(module.len());
    let mut end = 0;
    for payload in Parser::new(0).parse_all(module) {
        let payload = payload.context("the file is not WebAssembly")?;
        if let Payload::Version { range, .. } = &payload {
            end = range.end;
            kept.extend_from_slice(module.get(range.clone()).unwrap_or_default());
        }
        let is_debug = matches!(&payload, Payload::CustomSection(held) if held.name().starts_with(".debug"));
        if let Some((_, range)) = payload.as_section() {
            // The section's own head, its id and length, stands before its range.
            let section = module.get(end..range.end).unwrap_or_default();
            end = range.end;
            if !is_debug {
                kept.extend_from_slice(section);
            }
        }
    }
    Ok(kept)
}

fn has_target() -> Result<()> {
    let asked = Command::new("rustc").args(["--print", "target-libdir", "--target", TARGET]).output();
    let asked = asked.context("rustc is not installed; install Rust from https://rustup.rs")?;
    let folder = String::from_utf8_lossy(&asked.stdout).trim().to_owned();
    if !asked.status.success() || !Path::new(&folder).is_dir() {
        bail!("the target {TARGET} is not installed; install it: rustup target add {TARGET}");
    }
    Ok(())
}

/// Runs cargo, and finds the module that it made.
fn cargo(folder: &Path) -> Result<PathBuf> {
    let output = Command::new("cargo")
        .args(["build", "--release", "--target", TARGET, "--message-format=json-render-diagnostics"])
        .current_dir(folder)
        .stderr(Stdio::inherit())
        .output();
    let output = output.with_context(|| format!("cargo cannot be run in {}", folder.display()))?;
    if !output.status.success() {
        bail!("the plugin does not compile");
    }
    let told = String::from_utf8_lossy(&output.stdout);
    let modules = told.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let modules = modules.filter(|message| {
        let kinds = message["target"]["kind"].as_array();
        kinds.is_some_and(|kinds| kinds.iter().any(|kind| kind == "cdylib"))
    });
    let files = modules.flat_map(|message| message["filenames"].as_array().cloned().unwrap_or_default());
    let module = files
        .filter_map(|file| file.as_str().map(PathBuf::from))
        .rfind(|file| file.extension().is_some_and(|extension| extension == "wasm"));
    module.context("the crate makes no module; its Cargo.toml needs: [lib] crate-type = [\"cdylib\"]")
}

/// A size as people read it.
pub(super) fn size(bytes: usize) -> String {
    if bytes < 10_240 { format!("{bytes} bytes") } else { format!("{} KiB", bytes / 1_024) }
}
