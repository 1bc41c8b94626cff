//! Timers: when a workflow wants to be called again for an issue.

use crate::filter::{Filter, Kind, Op, Operand, Order, Spec, Term};
use crate::id::{FactId, InstallationId, IssueId, TenantId};
use crate::page::PageRequest;
use crate::time::Timestamp;

/// The most timers of an issue.
pub const MAX_TIMERS: usize = 32;

/// After so many failures a timer is parked.
pub const MAX_FAILURES: u32 = 10;

/// The largest page of timers.
pub const MAX_PAGE: u32 = 200;

/// The most parked timers that one command has tried again.
pub const MAX_RETRIED: u32 = 100;

/// The most bytes that are kept of why a call failed.
pub const MAX_FAILURE: usize = 1_024;

/// What an installation's timers can be listed by.
pub const SPEC: Spec = Spec {
    fields: &[("issue", Kind::Id), ("name", Kind::Text), ("parked", Kind::Boolean), ("due", Kind::Time)],
    orders: &["due"],
};

/// A timer.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Timer {
    /// The issue that it is about.
    pub issue: IssueId,
    /// Who is called.
    pub installation: InstallationId,
    /// Its name, unique for the issue and installation.
    pub name: String,
    /// When it is due.
    pub at: Timestamp,
    /// Made anew whenever it is set: of two hosts that fire it, only one consumes it.
    pub generation: u64,
    /// How often its call has failed since it was set.
    pub failures: u32,
    /// Why the last call failed.
    pub last_failure: Option<String>,
}

impl Timer {
    /// Whether it has failed too often to be tried again.
    #[must_use]
    pub fn is_parked(&self) -> bool {
        self.failures >= MAX_FAILURES
    }

    /// The same set anew: due at once, as if it had never failed. Who still calls the old one is late.
    #[must_use]
    pub fn anew(&self, now: Timestamp) -> Self {
        Self { at: now, generation: generation(), failures: 0, last_failure: None, ..self.clone() }
    }
}

/// A generation that no other timer has.
#[must_use]
pub fn generation() -> u64 {
    FactId::generate().0.as_u64_pair().1 >> 2
}

/// Which of an installation's parked timers are tried again; without any condition, all.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct RetryTimers {
    /// Those of this issue.
    pub issue: Option<IssueId>,
    /// Those of this name.
    pub name: Option<String>,
}

impl RetryTimers {
    /// The page of timers that it means: those that wait longest.
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

/// A timer that is due, and whose.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DueTimer {
    /// The tenant.
    pub tenant: TenantId,
    /// The timer.
    pub timer: Timer,
}
