//! Finds dependencies that are declared and not used.
//!
//! A dependency counts as used if a Rust file of its package contains its name as a word. This takes milliseconds and
//! needs no installed tool; a dependency that is named in a comment only goes unnoticed.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::paths::Paths;

/// Dependencies that no Rust file names: the package, the dependency and the reason.
const EXCEPTIONS: [(&str, &str, &str); 1] = [("proto", "tonic-prost", "used by generated code")];

/// Folders of other packages inside that of `host`, and the target folder.
const NESTED: [&str; 4] = ["bench", "crates", "xtask", "target"];

/// Checks the packages of the main workspace.
pub(crate) fn check(paths: &Paths) -> Result<()> {
    let root = fs::read_to_string(paths.root.join("Cargo.toml"))?;
    let mut packages = vec![paths.root.join("proto"), paths.root.join("host")];
    packages.extend(["bench", "xtask"].map(|name| paths.root.join("host").join(name)));
    for entry in fs::read_dir(paths.root.join("host/crates"))? {
        packages.push(entry?.path());
    }
    let (mut faults, mut declared) = (Vec::new(), BTreeSet::new());
    for package in packages {
        let manifest = package.join("Cargo.toml");
        let text = fs::read_to_string(&manifest)
            .with_context(|| format!("{} cannot be read", manifest.display()))?;
        let mut words = BTreeSet::new();
        collect_words(&package, &mut words)?;
        let name = package.strip_prefix(&paths.root)?.display().to_string();
        for dependency in dependencies(&text, "dependencies]") {
            let is_exception = EXCEPTIONS.iter().any(|(p, d, _)| (*p, *d) == (name.as_str(), dependency));
            if !words.contains(&dependency.replace('-', "_")) && !is_exception {
                faults.push(format!("{name}: {dependency}"));
            }
            declared.insert(dependency.to_owned());
        }
    }
    for dependency in dependencies(&root, "[workspace.dependencies]") {
        if !declared.contains(dependency) {
            faults.push(format!("Cargo.toml: {dependency}"));
        }
    }
    if !faults.is_empty() {
        bail!("unused dependencies: remove them from the manifests\n  {}", faults.join("\n  "));
    }
    Ok(())
}

/// Returns the names in the sections of a manifest whose heading ends so.
fn dependencies<'a>(manifest: &'a str, heading: &str) -> Vec<&'a str> {
    let mut is_inside = false;
    let mut names = Vec::new();
    for line in manifest.lines() {
        if line.starts_with('[') {
            is_inside = line.ends_with(heading);
        } else if is_inside
            && let Some((name, _)) = line.split_once(['.', ' ', '='])
            && !name.is_empty()
            && !name.starts_with('#')
        {
            names.push(name);
        }
    }
    names
}

/// Adds the words of all Rust files of a package.
fn collect_words(folder: &Path, words: &mut BTreeSet<String>) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            if !NESTED.iter().any(|name| path.ends_with(name)) {
                collect_words(&path, words)?;
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path)?;
            let is_separator = |c: char| !c.is_alphanumeric() && c != '_';
            words.extend(text.split(is_separator).map(str::to_owned));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_from_all_sections_of_dependencies() {
        let manifest = "[package]\nname = \"x\"\n\n[dependencies]\n# Why.\na.workspace = true\nb-c = \"1\"\n\n\
            [dev-dependencies]\nd = { version = \"1\" }\n\n[lints]\nworkspace = true\n";
        assert_eq!(dependencies(manifest, "dependencies]"), ["a", "b-c", "d"]);
    }

    #[test]
    fn dependencies_of_this_workspace_are_used() {
        check(&Paths::find().unwrap()).unwrap();
    }
}
