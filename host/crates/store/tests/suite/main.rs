//! The suite of tests that every store passes.
