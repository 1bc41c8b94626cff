//! Records of plugin calls.

use std::time::Duration;

use tessera_core::plugin::call_log::{Calls, Counters};
use tessera_core::plugin::{
    CallRecord, Failure, LogLevel, LogLine, LookupRecord, LookupRequest, Refusal, Usage, Verdict,
};
use tessera_proto::plugin::v1 as pb;

use crate::convert::time;

/// Encodes the last calls of an installation, and the counters of all calls.
#[must_use]
pub(crate) fn calls(calls: Calls) -> pb::ListInstallationCallsResponse {
    let Counters { calls: all, refused, failed, passed_over, fuel, time } = calls.counters;
    let counters = pb::CallCounters { calls: all, refused, failed, passed_over, fuel, time_us: micros(time) };
    pb::ListInstallationCallsResponse {
        counters: Some(counters),
        calls: calls.records.into_iter().map(record).collect(),
    }
}

/// Encodes the record of a call.
#[must_use]
pub(crate) fn record(record: CallRecord) -> pb::CallRecord {
    let Usage { fuel, time: duration, memory } = record.usage;
    pb::CallRecord {
        number: record.number,
        at: time(record.at),
        function: record.function.to_owned(),
        release: record.release,
        request_id: record.request_id,
        subject: record.subject.map(|(kind, id)| pb::Subject { kind, id }),
        verdict: Some(verdict(record.verdict)),
        usage: Some(pb::CallUsage { fuel, time_us: micros(duration), memory }),
        log: record.log.into_iter().map(line).collect(),
        log_was_cut: record.log_was_cut,
        lookups: record.lookups.into_iter().map(lookup).collect(),
    }
}

fn verdict(verdict: Verdict) -> pb::Verdict {
    let with_outcome =
        |outcome: pb::CallOutcome| pb::Verdict { outcome: outcome.into(), ..Default::default() };
    match verdict {
        Verdict::Accepted => with_outcome(pb::CallOutcome::Accepted),
        Verdict::Effects(count) => {
            let effects = u32::try_from(count).unwrap_or(u32::MAX);
            pb::Verdict { effects: Some(effects), ..with_outcome(pb::CallOutcome::Effects) }
        }
        Verdict::Refused(refusals) => {
            let refusals = refusals.into_iter().map(refusal).collect();
            pb::Verdict { refusals, ..with_outcome(pb::CallOutcome::Refused) }
        }
        Verdict::Failed(Failure { reason, message, backtrace }) => {
            let failure = pb::Failure { reason: reason.name().to_owned(), message, backtrace };
            pb::Verdict { failure: Some(failure), ..with_outcome(pb::CallOutcome::Failed) }
        }
    }
}

/// Encodes a refusal of a plugin.
#[must_use]
pub(crate) fn refusal(refusal: Refusal) -> pb::Refusal {
    pb::Refusal { field: refusal.field, code: refusal.code, message: refusal.message }
}

fn line(line: LogLine) -> pb::LogLine {
    let level = match line.level {
        LogLevel::Debug => pb::LogLevel::Debug,
        LogLevel::Info => pb::LogLevel::Info,
        LogLevel::Warn => pb::LogLevel::Warn,
        LogLevel::Error => pb::LogLevel::Error,
    };
    pb::LogLine { level: level.into(), message: line.message }
}

fn lookup(record: LookupRecord) -> pb::LookedUp {
    let base = |function: &str, kind: String| pb::LookedUp {
        function: function.to_owned(),
        kind,
        found: record.found,
        ..Default::default()
    };
    match record.request {
        LookupRequest::Get(kind, id) => pb::LookedUp { id: Some(id), ..base("get", kind) },
        LookupRequest::Find(kind, filter, limit) => {
            pb::LookedUp { filter: Some(filter), limit: Some(limit), ..base("find", kind) }
        }
    }
}

/// Converts a duration to whole microseconds.
fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
