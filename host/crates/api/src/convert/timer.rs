//! Timers.

use tessera_core::Result;
use tessera_core::id::IssueId;
use tessera_core::plugin::{RetryTimers, Timer};
use tessera_proto::plugin::v1 as pb;

use crate::convert::time;
use crate::state::reject_nul;

/// Encodes a timer.
#[must_use]
pub(crate) fn timer(timer: Timer) -> pb::Timer {
    let parked = timer.is_parked();
    let Timer { issue, installation: _, name, at, generation: _, failures, last_failure } = timer;
    let (issue_id, due_at, last_failure) = (issue.to_string(), time(at), last_failure);
    pb::Timer { issue_id, name, due_at, parked, failures, last_failure }
}

/// Reads a request to retry timers.
pub(crate) fn retry(issue: Option<String>, name: Option<String>) -> Result<RetryTimers> {
    let issue = issue.map(|id| IssueId::parse("issue_id", &id)).transpose()?;
    reject_nul("name", name.as_deref().unwrap_or_default())?;
    Ok(RetryTimers { issue, name })
}
