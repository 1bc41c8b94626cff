//! Dry runs as the command line reads and prints them.

use serde_json::Value as Json;
use tessera_core::plugin::{DryRun, DryRunResult};
use tessera_core::{Error, Result};

use crate::convert::release;
use crate::rest::decode;

/// Reads a dry run from JSON, as REST takes it.
pub fn read_dry_run(json: &[u8]) -> Result<DryRun> {
    release::trial(decode::json(json)?)
}

/// The result of a dry run as REST answers it.
pub fn show_dry_run(tried: DryRunResult) -> Result<Json> {
    serde_json::to_value(release::tried(tried)?).map_err(Error::internal)
}
