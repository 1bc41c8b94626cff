//! The sandbox with real guests: every limit and every refusal at work.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr, missing_docs, reason = "tests")]
#![allow(unreachable_pub, reason = "one binary, whose parts share what is pub")]

mod cache;
mod guests;
mod limits;
mod neighbours;
mod refusals;
