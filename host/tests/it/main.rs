//! Integration tests: the binary is started, and called over REST and gRPC.
//!
//! All tests are one binary, so that everything is linked once.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr, missing_docs, reason = "tests")]
#![allow(unreachable_pub, reason = "one binary, whose parts share what is pub")]
#![allow(clippy::disallowed_methods, reason = "the tests get their servers by environment")]

mod access;
mod admission;
mod architecture;
mod audit;
mod bookings;
mod catalog;
mod configuration;
mod crash;
mod docs;
mod errors;
mod fairness;
mod harness;
mod idempotency;
mod imports;
mod keys;
mod logs;
#[cfg(target_os = "linux")]
mod memory;
mod operations;
mod parity;
mod plugins;
mod pricing;
mod recorded;
mod reservations;
mod seed_defects;
mod start_stop;
mod streams;
mod tracker;
mod trials;
