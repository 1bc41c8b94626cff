//! Conversion of plugins' refusals into the errors of a request.

use crate::error::{Error, Result, Violation};
use crate::plugin::{Installation, Refusal, Reply};

/// The most violations that one error lists.
const MAX_VIOLATIONS: usize = 100;

/// Returns what a validation refuses; nothing if it failed and is passed over.
pub(super) fn violations(installation: &Installation, reply: Option<Reply>) -> Result<Vec<Violation>> {
    match reply {
        None => Ok(Vec::new()),
        Some(Reply::Verdict(refusals)) => {
            Ok(refusals.into_iter().map(|refusal| violation(installation, refusal)).collect())
        }
        Some(_) => Err(unexpected_reply()),
    }
}

/// Returns the violations of all validations as one error, if there are any.
pub(super) fn into_error(mut violations: Vec<Violation>) -> Result<()> {
    if violations.is_empty() {
        return Ok(());
    }
    violations.truncate(MAX_VIOLATIONS);
    Err(Error::refused(violations))
}

/// Returns the refusals of one plugin as an error, if there are any.
pub(super) fn refuse(installation: &Installation, refusals: Vec<Refusal>) -> Result<()> {
    if refusals.is_empty() {
        return Ok(());
    }
    Err(Error::refused(refusals.into_iter().map(|refusal| violation(installation, refusal)).collect()))
}

/// A reply of another function than the one that was called.
pub(super) fn unexpected_reply() -> Error {
    Error::internal(anyhow::anyhow!("the plugin's reply does not match the request"))
}

fn violation(installation: &Installation, refusal: Refusal) -> Violation {
    let Refusal { field, code, message } = refusal;
    Violation::of_plugin(installation.plugin.clone(), field.unwrap_or_default(), code, message)
}
