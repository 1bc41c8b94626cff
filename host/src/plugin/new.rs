//! `tessera plugin new`: makes a folder with a plugin, its tests, and the contract or the SDK of the same version.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use super::cli::{Hook, Language};
use super::template;
use crate::print;

/// Makes the folder of a new plugin.
pub(super) fn new(name: &str, hook: Hook, language: Language, path: Option<PathBuf>) -> Result<()> {
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
    for (path, text) in template::files(language, hook, name) {
        write(&folder, &path, &text)?;
    }
    print(&next_commands(&folder, name, language))
}

fn write(folder: &Path, path: &str, text: &str) -> Result<()> {
    let path = folder.join(path);
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent).with_context(|| format!("cannot create {}", parent.display()))?;
    }
    std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
}

/// Returns the commands that test, build, upload and install a new plugin.
fn next_commands(folder: &Path, name: &str, language: Language) -> String {
    let build = match language {
        Language::Rust => "cargo test\n  tessera plugin build --out {name}.wasm",
        Language::JavaScript => "npm install\n  npm test\n  npm run build",
        Language::Python => {
            "python3 -m venv .venv && . .venv/bin/activate\n  pip install --requirement requirements.txt\n  \
             python3 -m unittest discover src\n  sh build.sh"
        }
    };
    let commands = format!(
        "created {{folder}}; next:\n  cd {{folder}}\n  {build}\n  tessera plugin test {{name}}.wasm\n  \
         tessera plugin push {{name}}.wasm\n  tessera plugin install {{name}}\n"
    );
    commands.replace("{folder}", &folder.display().to_string()).replace("{name}", name)
}
