//! The links of the Markdown documents lead to files and headings, and the architecture page names files that exist.

use std::path::{Path, PathBuf};

/// Collects the documents below a folder.
fn documents(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            documents(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "md") {
            found.push(path);
        }
    }
}

/// Returns the targets of a document's links within the repository.
fn targets(text: &str) -> impl Iterator<Item = &str> {
    text.split("](")
        .skip(1)
        .filter_map(|rest| rest.split([')', ' ']).next())
        .filter(|target| !target.contains("://"))
}

/// Returns the anchor of a heading: `## What always holds` is `what-always-holds`.
fn anchor(heading: &str) -> String {
    let characters = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    characters.collect::<String>().to_lowercase().replace(' ', "-")
}

fn has_heading(document: &Path, name: &str) -> bool {
    let text = std::fs::read_to_string(document).unwrap();
    text.lines()
        .filter(|line| line.starts_with('#'))
        .any(|line| anchor(line.trim_start_matches('#').trim()) == name)
}

#[test]
fn links_lead_to_files_and_headings() {
    let host = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut all = vec![host.parent().unwrap().join("README.md")];
    documents(&host.join("docs"), &mut all);
    let mut checked = 0;
    for document in &all {
        let text = std::fs::read_to_string(document).unwrap();
        for target in targets(&text) {
            let (file, heading) = target.split_once('#').unwrap_or((target, ""));
            let path = if file.is_empty() { document.clone() } else { document.parent().unwrap().join(file) };
            assert!(path.exists(), "{}: {target} leads to no file", document.display());
            assert!(
                heading.is_empty() || has_heading(&path, heading),
                "{}: {target} leads to no heading",
                document.display()
            );
            checked += 1;
        }
    }
    assert!(checked >= 50, "only {checked} links were found");
}

/// Finds the file or folder of a path on the architecture page, which omits the folder of the crates and `.rs`.
fn file_of(path: &str) -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let (first, rest) = path.split_once('/')?;
    let full = match first {
        "core" | "api" | "store" | "sandbox" | "backends" => {
            root.join("host/crates").join(first).join("src").join(rest)
        }
        "host" | "migrations" | "proto" | "wit" | "plugins" | "plugin-sdk" => root.join(path),
        _ => return None,
    };
    Some(if full.exists() { full } else { full.with_extension("rs") })
}

#[test]
fn architecture_names_files_that_exist() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/ARCHITECTURE.md");
    let text = std::fs::read_to_string(page).unwrap();
    let named: Vec<_> =
        text.split('`').skip(1).step_by(2).filter_map(|path| Some((path, file_of(path)?))).collect();
    let missing: Vec<_> = named.iter().filter(|(_, file)| !file.exists()).map(|(path, _)| path).collect();
    assert!(missing.is_empty(), "host/docs/ARCHITECTURE.md names what does not exist: {missing:?}");
    assert!(named.len() >= 80, "only {} paths were found", named.len());
}
