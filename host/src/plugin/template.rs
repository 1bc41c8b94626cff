//! Templates of `tessera plugin new`: the files of a plugin for each language and hook.

use super::cli::{Hook, Language};

/// Paths and texts of files.
type Files = &'static [(&'static str, &'static str)];

macro_rules! repository {
    ($($path:literal,)*) => {
        &[$(($path, include_str!(concat!("../../../", $path))),)*]
    };
}

/// Files of a template, with their paths in a plugin's folder.
macro_rules! template {
    ($($path:literal: $file:literal,)*) => {
        &[$(($path, include_str!(concat!("template/", $file))),)*]
    };
}

/// Files of the SDK for Rust, with their paths in the repository.
const SDK: Files = repository![
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
];

/// Files of the contract, with their paths in the repository.
const CONTRACT: Files = repository![
    "wit/pricing.wit",
    "wit/types.wit",
    "wit/validation.wit",
    "wit/workflow.wit",
    "wit/worlds.wit",
];

const RUST_VALIDATION: Files =
    template!["Cargo.toml": "rust/Cargo.toml.txt", "src/lib.rs": "rust/validation.rs.txt",];
const RUST_WORKFLOW: Files =
    template!["Cargo.toml": "rust/Cargo.toml.txt", "src/lib.rs": "rust/workflow.rs.txt",];
const RUST_PRICING: Files =
    template!["Cargo.toml": "rust/Cargo.toml.txt", "src/lib.rs": "rust/pricing.rs.txt",];
const JAVASCRIPT_VALIDATION: Files = template![
    "package.json": "javascript/package.json",
    "src/plugin.js": "javascript/validation/plugin.js",
    "src/rule.js": "javascript/validation/rule.js",
    "test/rule.test.js": "javascript/validation/rule.test.js",
];
const JAVASCRIPT_WORKFLOW: Files = template![
    "package.json": "javascript/package.json",
    "src/plugin.js": "javascript/workflow/plugin.js",
    "src/rule.js": "javascript/workflow/rule.js",
    "test/rule.test.js": "javascript/workflow/rule.test.js",
];
const JAVASCRIPT_PRICING: Files = template![
    "package.json": "javascript/package.json",
    "src/plugin.js": "javascript/pricing/plugin.js",
    "src/rule.js": "javascript/pricing/rule.js",
    "test/rule.test.js": "javascript/pricing/rule.test.js",
];
const PYTHON_VALIDATION: Files = template![
    "build.sh": "python/build.sh",
    "requirements.txt": "python/requirements.txt",
    "src/plugin.py": "python/validation/plugin.py",
    "src/rule.py": "python/validation/rule.py",
    "src/test_rule.py": "python/validation/test_rule.py",
];
const PYTHON_WORKFLOW: Files = template![
    "build.sh": "python/build.sh",
    "requirements.txt": "python/requirements.txt",
    "src/plugin.py": "python/workflow/plugin.py",
    "src/rule.py": "python/workflow/rule.py",
    "src/test_rule.py": "python/workflow/test_rule.py",
];
const PYTHON_PRICING: Files = template![
    "build.sh": "python/build.sh",
    "requirements.txt": "python/requirements.txt",
    "src/plugin.py": "python/pricing/plugin.py",
    "src/rule.py": "python/pricing/rule.py",
    "src/test_rule.py": "python/pricing/test_rule.py",
];

/// Dependency of plugins with settings. The derive macros of serde take most of a first build, so that the templates
/// without settings leave them out.
const SERDE: &str = r#"serde = { version = "1", features = ["derive"] }"#;

/// Returns the files of a new plugin: paths in its folder, and texts.
pub(super) fn files(language: Language, hook: Hook, name: &str) -> Vec<(String, String)> {
    let (cases, hook_name) = match hook {
        Hook::Validation => (include_str!("template/cases/validation.json"), "validation"),
        Hook::Workflow => (include_str!("template/cases/workflow.json"), "workflow"),
        Hook::Pricing => (include_str!("template/cases/pricing.json"), "pricing"),
    };
    let serde = if hook == Hook::Validation { SERDE.to_owned() } else { format!("# Settings need: {SERDE}") };
    let (fuel, ignored) = match language {
        Language::Rust => ("100000", "/target\n"),
        Language::JavaScript => ("2000000", "/node_modules\n/*.wasm\n"),
        Language::Python => ("2000000", "/.venv\n/*.wasm\n__pycache__\n"),
    };
    let values = [
        ("{{name}}", name),
        ("{{hook}}", hook_name),
        ("{{type}}", &type_name(name)),
        ("{{serde}}", &serde),
        ("{{fuel}}", fuel),
    ];
    let fill =
        |text: &str| values.iter().fold(text.to_owned(), |text, (key, value)| text.replace(key, value));
    let own = sources(language, hook).iter().copied().chain([("cases.json", cases), (".gitignore", ignored)]);
    let own = own.map(|(path, text)| (path.to_owned(), fill(text)));
    // The SDK expects the contract where it is in the repository.
    let copies: Vec<_> = match language {
        Language::Rust => {
            SDK.iter().chain(CONTRACT).map(|(path, text)| (format!("tessera/{path}"), *text)).collect()
        }
        Language::JavaScript | Language::Python => {
            CONTRACT.iter().map(|(path, text)| ((*path).to_owned(), *text)).collect()
        }
    };
    own.chain(copies.into_iter().map(|(path, text)| (path, text.to_owned()))).collect()
}

fn sources(language: Language, hook: Hook) -> Files {
    match (language, hook) {
        (Language::Rust, Hook::Validation) => RUST_VALIDATION,
        (Language::Rust, Hook::Workflow) => RUST_WORKFLOW,
        (Language::Rust, Hook::Pricing) => RUST_PRICING,
        (Language::JavaScript, Hook::Validation) => JAVASCRIPT_VALIDATION,
        (Language::JavaScript, Hook::Workflow) => JAVASCRIPT_WORKFLOW,
        (Language::JavaScript, Hook::Pricing) => JAVASCRIPT_PRICING,
        (Language::Python, Hook::Validation) => PYTHON_VALIDATION,
        (Language::Python, Hook::Workflow) => PYTHON_WORKFLOW,
        (Language::Python, Hook::Pricing) => PYTHON_PRICING,
    }
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
    use std::path::Path;

    use super::*;

    fn repository_files(root: &Path, below: &str, found: &mut BTreeSet<String>) {
        for entry in std::fs::read_dir(root.join(below)).unwrap() {
            let entry = entry.unwrap();
            let path = format!("{below}/{}", entry.file_name().to_string_lossy());
            if entry.file_type().unwrap().is_dir() {
                repository_files(root, &path, found);
            } else if path.ends_with(".rs") || path.ends_with(".wit") || path.ends_with("Cargo.toml") {
                found.insert(path);
            }
        }
    }

    #[test]
    fn new_plugin_gets_every_file_of_the_sdk_and_the_contract() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let mut expected = BTreeSet::new();
        repository_files(&root, "plugin-sdk/rust/src", &mut expected);
        repository_files(&root, "wit", &mut expected);
        expected.insert("plugin-sdk/rust/Cargo.toml".to_owned());
        let copies: BTreeSet<_> = SDK.iter().chain(CONTRACT).map(|(path, _)| (*path).to_owned()).collect();
        assert_eq!(copies, expected);
    }

    #[test]
    fn every_template_is_filled_in() {
        for language in [Language::Rust, Language::JavaScript, Language::Python] {
            for hook in [Hook::Validation, Hook::Workflow, Hook::Pricing] {
                for (path, text) in files(language, hook, "a-plugin") {
                    assert!(!text.contains("{{"), "{language:?} {hook:?} {path}");
                }
            }
        }
    }

    #[test]
    fn plugin_name_becomes_type_name() {
        assert_eq!(type_name("required-fields-2"), "RequiredFields2");
    }
}
