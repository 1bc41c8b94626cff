//! Timers: scheduled calls of a workflow about an issue.

use crate::filter::{Filter, Kind, Op, Operand, Order, Spec, Term};
use crate::id::{FactId, InstallationId, IssueId};
use crate::page::PageRequest;
use crate::time::Timestamp;

/// The most timers of an issue.
pub const MAX_TIMERS: usize = 32;

/// The number of failures after which a timer is parked.
pub const MAX_FAILURES: u32 = 10;

/// The largest page of timers.
pub const MAX_PAGE: u32 = 200;

/// The most parked timers that one command retries.
pub const MAX_RETRIED: u32 = 100;

/// The most bytes of the message of a failure.
pub const MAX_FAILURE: usize = 1_024;

/// The filters and orders of lists of an installation's timers.
pub const SPEC: Spec = Spec {
    fields: &[("issue", Kind::Id), ("name", Kind::Text), ("parked", Kind::Boolean), ("due", Kind::Time)],
    orders: &["due"],
};

/// A timer.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Timer {
    /// The issue that it is about.
    pub issue: IssueId,
    /// The installation to call.
    pub installation: InstallationId,
    /// Its name, unique for the issue and installation.
    pub name: String,
    /// The time at which it is due.
    pub at: Timestamp,
    /// New whenever it is set: of two hosts that fire it, only one consumes it.
    pub generation: u64,
    /// The number of failed calls since it was set.
    pub failures: u32,
    /// The message of the last failure.
    pub last_failure: Option<String>,
}

impl Timer {
    /// Whether it has failed too often to be fired again.
    #[must_use]
    pub fn is_parked(&self) -> bool {
        self.failures >= MAX_FAILURES
    }

    /// Returns the timer with a new generation, due now and without failures.
    #[must_use]
    pub fn reset(&self, now: Timestamp) -> Self {
        Self { at: now, generation: generation(), failures: 0, last_failure: None, ..self.clone() }
    }
}

/// Returns a unique generation.
#[must_use]
pub fn generation() -> u64 {
    FactId::generate().0.as_u64_pair().1 >> 2
}

/// The command that retries an installation's parked timers; without a condition, all of them.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct RetryTimers {
    /// Only those of this issue.
    pub issue: Option<IssueId>,
    /// Only those of this name.
    pub name: Option<String>,
}

impl RetryTimers {
    /// Returns the page of these timers, those due first.
    pub(super) fn page(&self) -> PageRequest {
        let term =
            |field, value| Term { negated: false, field, name: None, op: Op::OneOf, values: vec![value] };
        let issue = self.issue.map(|issue| term("issue", Operand::Id(issue.0)));
        let name = self.name.clone().map(|name| term("name", Operand::Text(name)));
        let terms = [term("parked", Operand::Boolean(true))].into_iter().chain(issue).chain(name).collect();
        let order = Order { field: "due", descending: false };
        PageRequest { size: MAX_RETRIED, after: None, filter: Filter { terms }, order }
    }
}
