//! `tessera plugin new`: makes a folder with a plugin's crate, test cases, and the SDK of the same version.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use super::cli::Hook;
use crate::print;

macro_rules! files {
    ($($path:literal,)*) => {
        &[$(($path, include_str!(concat!("../../../", $path))),)*]
    };
}

/// Files of the SDK and the contract, with their paths in the repository.
const SDK_FILES: &[(&str, &str)] = files![
    "plugin-sdk/rust/Cargo.toml",
    "plugin-sdk/rust/src/allocator.rs",
    "plugin-sdk/rust/src/bindings/base.rs",
    "plugin-sdk/rust/src/bindings/lookup.rs",
    "plugin-sdk/rust/src/bindings/mod.rs",
    "plugin-sdk/rust/src/bindings/pricing.rs",
    "plugin-sdk/rust/src/bindings/validation.rs",
    "plugin-sdk/rust/src/bindings/workflow.rs",
    "plugin-sdk/rust/src/entity.rs",
    "plugin-sdk/rust/src/export.rs",
    "plugin-sdk/rust/src/host.rs",
    "plugin-sdk/rust/src/json/mod.rs",
    "plugin-sdk/rust/src/json/reader.rs",
    "plugin-sdk/rust/src/json/values.rs",
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

/// Dependency of plugins with settings. The derive macros of serde take most of a first build, so that the templates
/// without settings leave them out.
const SERDE: &str = r#"serde = { version = "1", features = ["derive"] }"#;

const CARGO: &str = include_str!("template/Cargo.toml.txt");
const VALIDATION: (&str, &str) =
    (include_str!("template/validation.rs.txt"), include_str!("template/validation.json"));
const WORKFLOW: (&str, &str) =
    (include_str!("template/workflow.rs.txt"), include_str!("template/workflow.json"));
const PRICING: (&str, &str) =
    (include_str!("template/pricing.rs.txt"), include_str!("template/pricing.json"));

/// Makes the folder of a new plugin.
pub(super) fn new(name: &str, hook: Hook, path: Option<PathBuf>) -> Result<()> {
    let starts_well = name.bytes().next().is_some_and(|b| b.is_ascii_lowercase());
    let allowed = name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    if !starts_well || !allowed || name.len() > 63 {
        bail!(
            "invalid plugin name {name:?}; it must begin with a lower-case letter, followed by lower-case letters, \
             digits and hyphens, at most 63 characters in all"
        );
    }
    let folder = path.unwrap_or_else(|| PathBuf::from(name));
    if folder.exists() {
        bail!("{} already exists; choose another folder with --path", folder.display());
    }
    let ((code, cases), has_settings) = match hook {
        Hook::Validation => (VALIDATION, true),
        Hook::Workflow => (WORKFLOW, false),
        Hook::Pricing => (PRICING, false),
    };
    let serde = if has_settings { SERDE.to_owned() } else { format!("# Settings need: {SERDE}") };
    let type_name = type_name(name);
    let fill = |text: &str| {
        text.replace("{{name}}", name).replace("{{type}}", &type_name).replace("{{serde}}", &serde)
    };
    write(&folder, "Cargo.toml", &fill(CARGO))?;
    write(&folder, "src/lib.rs", &fill(code))?;
    write(&folder, "cases.json", &fill(cases))?;
    write(&folder, ".gitignore", "/target\n")?;
    for (path, text) in SDK_FILES {
        write(&folder.join("tessera"), path, text)?;
    }
    let module = name.replace('-', "_");
    let component = format!("target/wasm32-unknown-unknown/release/{module}.component.wasm");
    print(&format!(
        "created {0}; next:\n  cd {0}\n  cargo test\n  tessera plugin build\n  tessera plugin test {component}\n  \
         tessera plugin push {component}\n  tessera plugin install {name}\n",
        folder.display()
    ))
}

fn write(folder: &Path, path: &str, text: &str) -> Result<()> {
    let path = folder.join(path);
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent).with_context(|| format!("cannot create {}", parent.display()))?;
    }
    std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
}

/// Converts a plugin's name into a type's: `required-fields` into `RequiredFields`.
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
    fn new_plugin_gets_every_file_of_the_sdk() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let mut expected = BTreeSet::new();
        files(&root, "plugin-sdk/rust/src", &mut expected);
        files(&root, "wit", &mut expected);
        expected.insert("plugin-sdk/rust/Cargo.toml".to_owned());
        assert_eq!(SDK_FILES.iter().map(|(path, _)| (*path).to_owned()).collect::<BTreeSet<_>>(), expected);
    }

    #[test]
    fn plugin_name_becomes_type_name() {
        assert_eq!(type_name("required-fields-2"), "RequiredFields2");
    }
}
