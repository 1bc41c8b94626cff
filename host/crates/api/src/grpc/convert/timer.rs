//! Timers.

use tessera_core::plugin::Timer;
use tessera_proto::plugin::v1 as pb;

use crate::grpc::convert::{text, time};

/// A timer.
#[must_use]
pub fn timer(timer: Timer) -> pb::Timer {
    let parked = timer.is_parked();
    let Timer { issue, installation: _, name, at, generation: _, failures, last_failure } = timer;
    let (issue_id, due_at, last_failure) = (issue.to_string(), time(at), text(last_failure));
    pb::Timer { issue_id, name, due_at, parked, failures, last_failure }
}
