//! Dependencies that the architecture forbids.

use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn dependencies(manifest: &str) -> Vec<String> {
    let text = std::fs::read_to_string(root().join(manifest)).unwrap();
    let table: toml::Table = text.parse().unwrap();
    table["dependencies"].as_table().unwrap().keys().cloned().collect()
}

#[test]
fn crates_depend_only_on_inner_crates() {
    for (folder, forbidden) in [
        (
            "host/crates/core",
            &[
                "axum",
                "hyper",
                "tonic",
                "prost",
                "sqlx",
                "wasmtime",
                "async-nats",
                "redis",
                "serde",
                "serde_json",
                "tessera-api",
                "tessera-backends",
                "tessera-proto",
                "tessera-sandbox",
                "tessera-store",
            ][..],
        ),
        ("host/crates/api", &["sqlx", "tessera-backends", "tessera-store"]),
        (
            "host/crates/store",
            &["axum", "tonic", "prost", "tessera-api", "tessera-backends", "tessera-proto"],
        ),
        (
            "host/crates/sandbox",
            &[
                "axum",
                "tonic",
                "prost",
                "sqlx",
                "tessera-api",
                "tessera-backends",
                "tessera-proto",
                "tessera-store",
            ],
        ),
        ("host/crates/backends", &["axum", "tonic", "sqlx", "tessera-api", "tessera-proto", "tessera-store"]),
    ] {
        let names = dependencies(&format!("{folder}/Cargo.toml"));
        let found: Vec<_> = names.iter().filter(|name| forbidden.contains(&name.as_str())).collect();
        assert!(found.is_empty(), "{folder} depends on {found:?}");
    }
}

#[test]
fn repository_root_holds_only_known_entries() {
    let known = [
        "Cargo.lock",
        "Cargo.toml",
        "LICENSE",
        "README.md",
        "host",
        "migrations",
        "plugin-sdk",
        "plugins",
        "proto",
        "rust-toolchain.toml",
        "wit",
        "target",
        "data",
    ];
    for entry in std::fs::read_dir(root()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(name.starts_with('.') || known.contains(&name.as_str()), "{name} does not belong at the top");
    }
}
