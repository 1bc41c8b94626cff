//! Tests of the sandbox with real guests: every limit and every refusal.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr, missing_docs, reason = "tests")]
#![allow(unreachable_pub, reason = "one binary, whose parts share what is pub")]

mod code_cache;
mod guests;
mod isolation;
mod limits;
mod refusals;
