//! Trials of a whole host, and the size of all trials. `cargo xtask trials` runs them at full size.

#![allow(clippy::print_stdout, reason = "a trial reports its size")]

#[cfg(target_os = "linux")]
mod hostile;
mod mutants;

use serde_json::json;

use crate::harness::Rest;
use crate::tracker::done;

/// Returns whether the trials run at full size.
pub fn is_long() -> bool {
    std::env::var("TESSERA_TRIALS").is_ok_and(|size| size == "long")
}

/// Returns the size of a trial: `short` in the tests, `long` in long trials.
pub fn size(short: usize, long: usize) -> usize {
    if is_long() { long } else { short }
}

/// Returns the seed of the random generators.
fn seed() -> u64 {
    std::env::var("TESSERA_TRIALS_SEED").map_or(1, |seed| seed.parse().unwrap())
}

/// Creates a tenant; returns a client of its admin.
async fn tenant(rest: &Rest, slug: &str) -> Rest {
    done(&rest.post("/v1/tenants", json!({"slug": slug, "name": slug})).await);
    let key = rest.post("/v1/keys", json!({"name": "admin", "roles": ["admin"], "tenant": slug})).await;
    rest.with_key(key.expect(201)["secret"].as_str())
}
