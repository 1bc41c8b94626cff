//! `tessera plugin new`: a folder with a crate that builds, a rule, cases to try it, and the SDK of this very
//! version beside it.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use super::cli::Hook;
use crate::say;

macro_rules! files {
    ($($path:literal,)*) => {
        &[$(($path, include_str!(concat!("../../../", $path))),)*]
    };
}

/// The SDK and the contract that it is made from, as they lie in Tessera's own repository.
const SDK: &[(&str, &str)] = files![
    "plugin-sdk/rust/Cargo.toml",
    "plugin-sdk/rust/src/bindings.rs",
    "plugin-sdk/rust/src/entity.rs",
    "plugin-sdk/rust/src/export.rs",
    "plugin-sdk/rust/src/host.rs",
    "plugin-sdk/rust/src/lib.rs",
    "plugin-sdk/rust/src/lookup.rs",
    "plugin-sdk/rust/src/manifest.rs",
    "plugin-sdk/rust/src/money.rs",
    "plugin-sdk/rust/src/pricing.rs",
    "plugin-sdk/rust/src/testing.rs",
    "plugin-sdk/rust/src/validation.rs",
    "plugin-sdk/rust/src/workflow.rs",
    "wit/pricing.wit",
    "wit/types.wit",
    "wit/validation.wit",
    "wit/workflow.wit",
    "wit/worlds.wit",
];

const CARGO: &str = include_str!("template/Cargo.toml.txt");
const VALIDATION: (&str, &str) =
    (include_str!("template/validation.rs.txt"), include_str!("template/validation.json"));
const WORKFLOW: (&str, &str) =
    (include_str!("template/workflow.rs.txt"), include_str!("template/workflow.json"));
const PRICING: (&str, &str) =
    (include_str!("template/pricing.rs.txt"), include_str!("template/pricing.json"));

/// Begins a plugin.
pub(super) fn new(name: &str, hook: Hook, path: Option<PathBuf>) -> Result<()> {
    let first = name.bytes().next().is_some_and(|b| b.is_ascii_lowercase());
    let plain = name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    if !first || !plain || name.len() > 63 {
        bail!(
            "{name:?} is no name of a plugin; a lower-case letter, then letters, digits and hyphens, at most 63"
        );
    }
    let folder = path.unwrap_or_else(|| PathBuf::from(name));
    if folder.exists() {
        bail!("{} is there already", folder.display());
    }
    let (code, cases) = match hook {
        Hook::Validation => VALIDATION,
        Hook::Workflow => WORKFLOW,
        Hook::Pricing => PRICING,
    };
    let fill = |text: &str| text.replace("{{name}}", name).replace("{{type}}", &type_name(name));
    write(&folder, "Cargo.toml", &fill(CARGO))?;
    write(&folder, "src/lib.rs", &fill(code))?;
    write(&folder, "cases.json", &fill(cases))?;
    write(&folder, ".gitignore", "/target\n")?;
    for (path, text) in SDK {
        write(&folder.join("tessera"), path, text)?;
    }
    let module = name.replace('-', "_");
    let component = format!("target/wasm32-unknown-unknown/release/{module}.component.wasm");
    say(&format!(
        "{0} is begun. Next:\n  cd {0}\n  cargo test\n  tessera plugin build\n  tessera plugin test {component}\n  \
         tessera plugin push {component}\n  tessera plugin install {name}\n",
        folder.display()
    ))
}

fn write(folder: &Path, path: &str, text: &str) -> Result<()> {
    let path = folder.join(path);
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent).with_context(|| format!("{} cannot be made", parent.display()))?;
    }
    std::fs::write(&path, text).with_context(|| format!("{} cannot be written", path.display()))
}

/// `required-fields` as `RequiredFields`.
fn type_name(name: &str) -> String {
    let words = name.split('-').map(|word| {
        let mut letters = word.chars();
        letters
            .next()
            .map_or_else(String::new, |first| first.to_ascii_uppercase().to_string() + letters.as_str())
    });
    words.collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn files(root: &Path, below: &str, found: &mut BTreeSet<String>) {
        for entry in std::fs::read_dir(root.join(below)).unwrap() {
            let entry = entry.unwrap();
            let path = format!("{below}/{}", entry.file_name().to_string_lossy());
            if entry.file_type().unwrap().is_dir() {
                files(root, &path, found);
            } else if path.ends_with(".rs") || path.ends_with(".wit") || path.ends_with("Cargo.toml") {
                found.insert(path);
            }
        }
    }

    #[test]
    fn the_whole_sdk_goes_with_a_new_plugin() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let mut there = BTreeSet::new();
        files(&root, "plugin-sdk/rust/src", &mut there);
        files(&root, "wit", &mut there);
        there.insert("plugin-sdk/rust/Cargo.toml".to_owned());
        assert_eq!(SDK.iter().map(|(path, _)| (*path).to_owned()).collect::<BTreeSet<_>>(), there);
    }

    #[test]
    fn a_name_is_a_type() {
        assert_eq!(type_name("required-fields-2"), "RequiredFields2");
    }
}
