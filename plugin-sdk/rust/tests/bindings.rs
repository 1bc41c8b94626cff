//! Compares `src/bindings` with the contract in `wit/`, or regenerates it:
//! `TESSERA_UPDATE_BINDINGS=1 cargo test --test bindings`.
#![allow(clippy::unwrap_used)]

use std::path::Path;

use wit_bindgen_core::wit_parser::{Resolve, UnresolvedPackageGroup};
use wit_bindgen_core::{Files, WorldGenerator as _};
use wit_bindgen_rust::{Opts, WithOption};

/// Each module of `src/bindings`, its world, and the world's items.
const WORLDS: [(&str, &str, &str); 5] = [
    ("base", "base", "import tessera:plugin/host@0.1.0; export tessera:plugin/manifest@0.1.0;"),
    ("lookup", "lookups", "import tessera:plugin/lookup@0.1.0;"),
    ("pricing", "pricing-hook", "export tessera:plugin/pricing@0.1.0;"),
    ("validation", "validation-hook", "export tessera:plugin/validation@0.1.0;"),
    ("workflow", "workflow-hook", "export tessera:plugin/workflow@0.1.0;"),
];

const HEADER: &str = "// Generated from wit/ by tests/bindings.rs. Do not edit.\n";

/// Returns the generated source of one module.
fn generate(module: &str, world: &str, items: &str) -> String {
    let mut resolve = Resolve::default();
    resolve.push_path(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit")).unwrap();
    let package = format!("package tessera:sdk-{module}; world {world} {{ {items} }}");
    let package = resolve.push_group(UnresolvedPackageGroup::parse("sdk.wit", &package).unwrap()).unwrap();
    let world = resolve.select_world(&[package], Some(world)).unwrap();
    let mut options = Opts {
        format: true,
        generate_all: true,
        pub_export_macro: true,
        default_bindings_module: Some(format!("tessera_plugin::bindings::{module}")),
        additional_derive_attributes: vec!["PartialEq".to_owned()],
        ..Opts::default()
    };
    if module != "base" {
        // All hooks share the types of `base`.
        let types = WithOption::Path("super::base::tessera::plugin::types".to_owned());
        options.with = vec![("tessera:plugin/types@0.1.0".to_owned(), types)];
    }
    let mut files = Files::default();
    options.build().generate(&mut resolve, world, &mut files).unwrap();
    let (_, source) = files.iter().next().unwrap();
    format!("{HEADER}{}", str::from_utf8(source).unwrap())
}

#[test]
fn bindings_match_the_contract() {
    for (module, world, items) in WORLDS {
        let path =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("src/bindings").join(module).with_extension("rs");
        let source = generate(module, world, items);
        if std::env::var_os("TESSERA_UPDATE_BINDINGS").is_some() {
            std::fs::write(&path, &source).unwrap();
        }
        let current = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            current == source,
            "{} differs from wit/; regenerate it: TESSERA_UPDATE_BINDINGS=1 cargo test --test bindings",
            path.display()
        );
    }
}
