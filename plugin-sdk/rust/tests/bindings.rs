//! Compares `src/bindings` with the contract in `wit/`, or regenerates it:
//! `TESSERA_UPDATE_BINDINGS=1 cargo test --test bindings`.
#![allow(clippy::unwrap_used)]
#![expect(clippy::disallowed_methods, reason = "a switch of this test, not configuration of the host")]

use std::path::Path;

use wit_bindgen_core::wit_parser::{Resolve, UnresolvedPackageGroup};
use wit_bindgen_core::{Files, WorldGenerator as _};
use wit_bindgen_rust::{Opts, WithOption};

/// Each module of `src/bindings`, its world, and the world's items.
const WORLDS: [(&str, &str, &str); 5] = [
    ("base", "base", "import tessera:plugin/host@1.0.0; export tessera:plugin/manifest@1.0.0;"),
    ("lookup", "lookups", "import tessera:plugin/lookup@1.0.0;"),
    ("pricing", "pricing-hook", "export tessera:plugin/pricing@1.0.0;"),
    ("validation", "validation-hook", "export tessera:plugin/validation@1.0.0;"),
    ("workflow", "workflow-hook", "export tessera:plugin/workflow@1.0.0;"),
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
        options.with = vec![("tessera:plugin/types@1.0.0".to_owned(), types)];
    }
    let mut files = Files::default();
    options.build().generate(&mut resolve, world, &mut files).unwrap();
    let (_, source) = files.iter().next().unwrap();
    format!("{HEADER}{}", share_lists_of_fields(str::from_utf8(source).unwrap()))
}

/// Moves the conversion of a list of fields into one function. The generator writes it at each place, which takes
/// a kilobyte of a component each time.
fn share_lists_of_fields(source: &str) -> String {
    const FUNCTION: &str = "lift_fields";
    const TYPES: &str = "__with_name0";
    let (mut shared, mut rest, mut function) = (String::new(), source, String::new());
    while let Some((start, number)) = next_list_of_fields(rest) {
        let dealloc = format!("_rt::cabi_dealloc(base{number},");
        let end = end_of_call(&rest[start..], &dealloc);
        let code = &rest[start..start + end];
        let types = code.find(TYPES).unwrap();
        let prefix = &code[..types];
        let prefix = &prefix[prefix.rfind(|c: char| c.is_whitespace()).unwrap() + 1..];
        shared.push_str(&rest[..start]);
        shared.push_str(&format!("let result{number} = {prefix}{FUNCTION}(base{number}, len{number});"));
        if function.is_empty() {
            let code = code.replace(&format!("{prefix}{TYPES}"), TYPES);
            function = format!(
                "#[inline(never)]\nunsafe fn {FUNCTION}(base{number}: *mut u8, len{number}: usize) \
                 -> _rt::Vec<{TYPES}::Field> {{\n    unsafe {{\n{code}\n result{number}\n    }}\n}}\n"
            );
        }
        rest = &rest[start + end..];
    }
    shared + rest + &function
}

/// Finds the start of the next conversion of a list of fields, and the number of its variables.
fn next_list_of_fields(source: &str) -> Option<(usize, &str)> {
    const START: &str = "let mut result";
    let mut from = 0;
    loop {
        let start = from + source[from..].find(START)?;
        let number = source[start + START.len()..].split(' ').next()?;
        let head: String = source[start..].split_whitespace().take(24).collect::<Vec<_>>().concat();
        let list = format!(
            "letmutresult{number}=_rt::Vec::with_capacity(len{number});foriin0..len{number}{{letbase=base{number}\
             .add(i*(16+4*::core::mem::size_of::<*constu8>()));"
        );
        if head.starts_with(&list) {
            return Some((start, number));
        }
        from = start + START.len();
    }
}

/// Returns the end of the statement that begins with `call`, whatever its white space.
fn end_of_call(source: &str, call: &str) -> usize {
    let mut from = 0;
    loop {
        let start = from + source[from..].find("_rt::cabi_dealloc(").unwrap();
        let end = start + source[start..].find(';').unwrap() + 1;
        if source[start..end].split_whitespace().collect::<String>().starts_with(call) {
            return end;
        }
        from = end;
    }
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
