//! Every version that the tools pin, and nothing else. (Rust's own stands in `rust-toolchain.toml`.)

/// The oldest PostgreSQL that Tessera is tested with.
pub(crate) const POSTGRES_MINIMUM: u32 = 15;

/// cargo-deny: licences, bans, sources, advisories.
pub(crate) const CARGO_DENY: &str = "0.20.2";

/// cargo-llvm-cov: coverage of the tests.
pub(crate) const CARGO_LLVM_COV: &str = "0.9.1";
