//! The contract's types and functions, generated from `wit/`: one module for each hook, so that a plugin exports
//! only the hooks it has.
//!
//! The files are checked in because the generator takes a minute to compile. `tests/bindings.rs` compares them with
//! `wit/` and regenerates them: `TESSERA_UPDATE_BINDINGS=1 cargo test --test bindings`.
#![allow(missing_docs, clippy::all, clippy::pedantic, clippy::unwrap_used, clippy::expect_used)]

#[rustfmt::skip]
pub mod base;
#[rustfmt::skip]
pub mod lookup;
#[rustfmt::skip]
pub mod pricing;
#[rustfmt::skip]
pub mod validation;
#[rustfmt::skip]
pub mod workflow;
