//! Timers of installations as JSON.

use serde::{Deserialize, Serialize};
use tessera_core::Result;
use tessera_core::id::IssueId;
use tessera_core::plugin::{RetryTimers, Timer};
use utoipa::ToSchema;

use crate::request::plain;
use crate::rest::dto::given;

/// When a workflow wants to be called again for an issue.
#[derive(Debug, Serialize, ToSchema)]
pub struct TimerBody {
    /// The issue that it is about.
    pub issue_id: String,
    /// Its name, unique for the issue and the installation.
    pub name: String,
    /// When it is due. A parked one is not called, whatever this says.
    pub due_at: String,
    /// Whether it has failed too often to be tried again by itself.
    pub parked: bool,
    /// How often its call has failed since it was set; after 10 times it is parked.
    pub failures: u32,
    /// Why the last call failed; null: none has.
    pub last_failure: Option<String>,
}

/// A page of timers.
#[derive(Debug, Serialize, ToSchema)]
pub struct TimersPage {
    /// The timers.
    pub timers: Vec<TimerBody>,
    /// The token of the next page; empty: this was the last.
    pub next_page_token: String,
}

/// Which parked timers are tried again: those that are all that is said here.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RetryTimersBody {
    /// The issue that they are about; absent: any.
    #[serde(default)]
    pub issue_id: Option<String>,
    /// Their name; absent: any.
    #[serde(default)]
    pub name: Option<String>,
}

/// The timers that are tried again.
#[derive(Debug, Serialize, ToSchema)]
pub struct RetriedTimersAnswer {
    /// They are due now, as if they had never failed; none: no such timer is parked. Of more than 100 those that wait
    /// longest.
    pub timers: Vec<TimerBody>,
}

impl From<Timer> for TimerBody {
    fn from(timer: Timer) -> Self {
        Self {
            issue_id: timer.issue.to_string(),
            due_at: timer.at.to_string(),
            parked: timer.is_parked(),
            failures: timer.failures,
            name: timer.name,
            last_failure: timer.last_failure,
        }
    }
}

/// Which timers a client wants tried again.
pub(crate) fn retry(issue: Option<String>, name: Option<String>) -> Result<RetryTimers> {
    let issue = issue.map(|id| IssueId::parse("issue_id", &id)).transpose()?;
    plain("name", name.as_deref().unwrap_or_default())?;
    Ok(RetryTimers { issue, name })
}

impl RetryTimersBody {
    /// The command.
    pub fn command(self) -> Result<RetryTimers> {
        retry(given(self.issue_id), given(self.name))
    }
}
