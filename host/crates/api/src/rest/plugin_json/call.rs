//! What calls of plugins did.

use std::time::Duration;

use serde::Serialize;
use tessera_core::plugin::call_log::{Calls, Counters};
use tessera_core::plugin::{
    CallRecord, Failure, LogLevel, LogLine, LookupRecord, LookupRequest, Refusal, Usage, Verdict,
};
use utoipa::ToSchema;

use crate::rest::plugin_json::refusals;

/// The last calls of an installation on the host that was asked, and what all came to.
#[derive(Debug, Serialize, ToSchema)]
pub struct CallsBody {
    /// What all calls on the host came to.
    pub counters: CountersBody,
    /// The last calls, oldest first.
    pub calls: Vec<CallRecordBody>,
}

/// What all calls of an installation on a host came to.
#[derive(Debug, Serialize, ToSchema)]
pub struct CountersBody {
    /// Calls.
    pub calls: u64,
    /// Those that refused.
    pub refused: u64,
    /// Those that failed.
    pub failed: u64,
    /// Those that failed and were passed over, for the installation's policy is `open`.
    pub passed_over: u64,
    /// Instructions, as fuel counts them.
    pub fuel: u64,
    /// The plugin's own time in microseconds.
    pub time_us: u64,
}

/// One call of a plugin.
#[derive(Debug, Serialize, ToSchema)]
pub struct CallRecordBody {
    /// Counts the calls on the host; later calls have greater numbers. 0 for a dry run.
    pub number: u64,
    /// When it began.
    pub at: String,
    /// What was called: `validate`, `on-change`.
    pub function: String,
    /// The plugin with its version: `support-sla@1.2.0`.
    pub release: String,
    /// In which request.
    pub request_id: String,
    /// The object that it was about.
    pub subject: Option<SubjectBody>,
    /// How it ended.
    pub verdict: VerdictBody,
    /// What it used.
    pub usage: UsageBody,
    /// What it logged.
    pub log: Vec<LogLineBody>,
    /// Whether log lines were cut at the limit.
    pub log_was_cut: bool,
    /// What it looked up.
    pub lookups: Vec<LookedUpBody>,
}

/// The object that a call was about.
#[derive(Debug, Serialize, ToSchema)]
pub struct SubjectBody {
    /// Its kind.
    pub kind: String,
    /// Its id.
    pub id: String,
}

/// How a call ended.
#[derive(Debug, Serialize, ToSchema)]
pub struct VerdictBody {
    /// `accepted`, `effects`, `refused` or `failed`.
    pub outcome: &'static str,
    /// How many effects it wants.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub effects: Option<u64>,
    /// Why it refused.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub refusals: Vec<RefusalBody>,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<FailureBody>,
}

/// Why a plugin refuses.
#[derive(Debug, Serialize, ToSchema)]
pub struct RefusalBody {
    /// The field at fault, where it is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// Stable, for programs.
    pub code: String,
    /// For a person.
    pub message: String,
}

/// Why a call failed.
#[derive(Debug, Serialize, ToSchema)]
pub struct FailureBody {
    /// Stable, for programs: `PLUGIN_OUT_OF_FUEL`.
    pub reason: &'static str,
    /// For the plugin's author.
    pub message: String,
    /// The plugin's functions that were running, innermost first.
    pub backtrace: Vec<String>,
}

/// What a call used.
#[derive(Debug, Serialize, ToSchema)]
pub struct UsageBody {
    /// Instructions, as fuel counts them.
    pub fuel: u64,
    /// The plugin's own time in microseconds.
    pub time_us: u64,
    /// The most memory that its instance held, in bytes.
    pub memory: u64,
}

/// A line that a plugin logged.
#[derive(Debug, Serialize, ToSchema)]
pub struct LogLineBody {
    /// `debug`, `info`, `warn` or `error`.
    pub level: &'static str,
    /// What it says.
    pub message: String,
}

/// What a plugin looked up.
#[derive(Debug, Serialize, ToSchema)]
pub struct LookedUpBody {
    /// `get` or `find`.
    pub function: &'static str,
    /// The kind of entity.
    pub kind: String,
    /// The entity's id, of a `get`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Which entities, of a `find`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filter: Option<String>,
    /// How many at most, of a `find`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// How many were found; null: the look-up was refused.
    pub found: Option<u32>,
}

/// A span in whole microseconds.
pub(crate) fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}

const fn level_name(level: LogLevel) -> &'static str {
    match level {
        LogLevel::Debug => "debug",
        LogLevel::Info => "info",
        LogLevel::Warn => "warn",
        LogLevel::Error => "error",
    }
}

impl From<Calls> for CallsBody {
    fn from(calls: Calls) -> Self {
        let Counters { calls: all, refused, failed, passed_over, fuel, time } = calls.counters;
        Self {
            counters: CountersBody { calls: all, refused, failed, passed_over, fuel, time_us: micros(time) },
            calls: calls.records.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<CallRecord> for CallRecordBody {
    fn from(record: CallRecord) -> Self {
        let Usage { fuel, time, memory } = record.usage;
        Self {
            number: record.number,
            at: record.at.to_string(),
            function: record.function.to_owned(),
            release: record.release,
            request_id: record.request_id,
            subject: record.subject.map(|(kind, id)| SubjectBody { kind, id }),
            verdict: record.verdict.into(),
            usage: UsageBody { fuel, time_us: micros(time), memory },
            log: record.log.into_iter().map(Into::into).collect(),
            log_was_cut: record.log_was_cut,
            lookups: record.lookups.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<Verdict> for VerdictBody {
    fn from(verdict: Verdict) -> Self {
        let plain = |outcome| Self { outcome, effects: None, refusals: Vec::new(), failure: None };
        match verdict {
            Verdict::Accepted => plain("accepted"),
            Verdict::Effects(count) => Self { effects: Some(count as u64), ..plain("effects") },
            Verdict::Refused(why) => Self { refusals: refusals(&why), ..plain("refused") },
            Verdict::Failed(Failure { reason, message, backtrace }) => {
                let failure = FailureBody { reason: reason.name(), message, backtrace };
                Self { failure: Some(failure), ..plain("failed") }
            }
        }
    }
}

impl From<&Refusal> for RefusalBody {
    fn from(refusal: &Refusal) -> Self {
        let Refusal { field, code, message } = refusal.clone();
        Self { field, code, message }
    }
}

impl From<LogLine> for LogLineBody {
    fn from(line: LogLine) -> Self {
        Self { level: level_name(line.level), message: line.message }
    }
}

impl From<LookupRecord> for LookedUpBody {
    fn from(looked: LookupRecord) -> Self {
        let found = looked.found;
        match looked.request {
            LookupRequest::Get(kind, id) => {
                Self { function: "get", kind, id: Some(id), filter: None, limit: None, found }
            }
            LookupRequest::Find(kind, filter, limit) => {
                Self { function: "find", kind, id: None, filter: Some(filter), limit: Some(limit), found }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tessera_core::plugin::FailureReason;

    use super::*;

    #[test]
    fn a_verdict_says_how_and_only_what_belongs_to_it() {
        let failure = Failure {
            reason: FailureReason::OutOfFuel,
            message: "used 11 of 10".into(),
            backtrace: vec!["validate".into()],
        };
        let failed =
            json!({"reason": "PLUGIN_OUT_OF_FUEL", "message": "used 11 of 10", "backtrace": ["validate"]});
        for (verdict, written) in [
            (Verdict::Accepted, json!({"outcome": "accepted"})),
            (Verdict::Effects(2), json!({"outcome": "effects", "effects": 2})),
            (Verdict::Failed(failure), json!({"outcome": "failed", "failure": failed})),
        ] {
            assert_eq!(serde_json::to_value(VerdictBody::from(verdict)).unwrap(), written);
        }
    }
}
