//! Timers: when a workflow wants to be called again for an issue.

use crate::id::{InstallationId, IssueId, TenantId};
use crate::time::Timestamp;

/// The most timers of an issue.
pub const MAX_TIMERS: usize = 32;

/// After so many failures a timer is parked.
pub const MAX_FAILURES: u32 = 10;

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
}

/// A timer that is due, and whose.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DueTimer {
    /// The tenant.
    pub tenant: TenantId,
    /// The timer.
    pub timer: Timer,
}
