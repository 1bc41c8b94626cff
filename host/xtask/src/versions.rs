//! The pinned versions of tools and servers. That of Rust is in `rust-toolchain.toml`.

/// The oldest supported major version of PostgreSQL.
pub(crate) const POSTGRES_MINIMUM: u32 = 15;

/// cargo-deny: licences, bans, sources, advisories.
pub(crate) const CARGO_DENY: &str = "0.20.2";

/// cargo-llvm-cov: coverage of the tests.
pub(crate) const CARGO_LLVM_COV: &str = "0.9.1";
