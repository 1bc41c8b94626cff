//! Dry runs for the command line.

use serde_json::Value as Json;
use tessera_core::plugin::{DryRun, DryRunResult};
use tessera_core::{Error, Result};

use crate::convert::release;
use crate::rest::decode;

/// Decodes a dry run from the JSON that REST accepts.
pub fn read_dry_run(json: &[u8]) -> Result<DryRun> {
    release::dry_run(decode::json(json)?)
}

/// Encodes the result of a dry run as the JSON that REST returns.
pub fn show_dry_run(result: DryRunResult) -> Result<Json> {
    serde_json::to_value(release::dry_run_result(result)?).map_err(Error::internal)
}
