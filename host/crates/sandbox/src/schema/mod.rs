//! JSON Schemas of settings and of commands' input. Both come from tenants: a schema is compiled and evaluated within
//! limits of size, depth, steps and mismatches, so that no schema and no value takes unbounded time or memory.

mod canonical;
mod compile;
mod evaluate;
mod pattern;
mod rule;
#[cfg(test)]
mod tests;
mod text;

use serde_json::Value;
use tessera_core::{Error, Result, Violation};

use self::evaluate::Limits;
use self::rule::Schema;

/// The largest schema, in bytes.
const MAX_SCHEMA: usize = 64 * 1024;

/// The largest value, in bytes.
const MAX_VALUE: usize = 256 * 1024;

/// Limits of one evaluation. A million steps take a tenth of a second.
const LIMITS: Limits = Limits { steps: 1_000_000, mismatches: 20 };

/// Refuses a text that is not a schema; `at` is where its author wrote it.
pub(crate) fn check(at: &str, schema: &str) -> Result<()> {
    compile(at, schema).map(drop)
}

/// Returns the violations of a schema by a JSON text; each names its place below `field`.
pub(crate) fn violations(schema: &str, json: &str, field: &str) -> Result<Vec<Violation>> {
    let schema = compile("schema", schema)?;
    if json.len() > MAX_VALUE {
        let message = format!("has {} bytes; at most {MAX_VALUE} are allowed", json.len());
        return Ok(vec![Violation::new(field, message)]);
    }
    let value: Value = match serde_json::from_str(json) {
        Ok(value) => value,
        Err(error) => return Ok(vec![Violation::new(field, format!("is not JSON: {error}"))]),
    };
    let report = evaluate::evaluate(&schema, &value, LIMITS);
    tracing::debug!(steps = report.steps, mismatches = report.mismatches.len(), "schema evaluated");
    if report.is_exhausted {
        let message = format!("takes more than {} steps to check by the plugin's schema", LIMITS.steps);
        return Ok(vec![Violation::new(field, message)]);
    }
    let violation = |mismatch: evaluate::Mismatch| {
        let message = format_args!("does not match the plugin's schema: {}", mismatch.message);
        Violation::new(&format!("{field}{}", mismatch.path), message)
    };
    Ok(report.mismatches.into_iter().map(violation).collect())
}

fn compile(at: &str, schema: &str) -> Result<Schema> {
    if schema.len() > MAX_SCHEMA {
        let message = format!("has {} bytes; a schema has at most {MAX_SCHEMA}", schema.len());
        return Err(Error::invalid(at, message));
    }
    let json: Value =
        serde_json::from_str(schema).map_err(|error| Error::invalid(at, format!("is not JSON: {error}")))?;
    compile::compile(&json).map_err(|message| Error::invalid(at, message))
}
