//! What calls of plugins did.

use std::time::Duration;

use tessera_core::plugin::call_log::{Calls, Counters};
use tessera_core::plugin::{
    CallRecord, Failure, LogLevel, LogLine, LookupRecord, LookupRequest, Refusal, Usage, Verdict,
};
use tessera_proto::plugin::v1 as pb;

use crate::convert::time;

/// The last calls of an installation, and what all came to.
#[must_use]
pub(crate) fn calls(calls: Calls) -> pb::ListInstallationCallsResponse {
    let Counters { calls: all, refused, failed, passed_over, fuel, time } = calls.counters;
    let counters = pb::CallCounters { calls: all, refused, failed, passed_over, fuel, time_us: micros(time) };
    pb::ListInstallationCallsResponse {
        counters: Some(counters),
        calls: calls.records.into_iter().map(record).collect(),
    }
}

/// One call.
#[must_use]
pub(crate) fn record(record: CallRecord) -> pb::CallRecord {
    let Usage { fuel, time: span, memory } = record.usage;
    pb::CallRecord {
        number: record.number,
        at: time(record.at),
        function: record.function.to_owned(),
        release: record.release,
        request_id: record.request_id,
        subject: record.subject.map(|(kind, id)| pb::Subject { kind, id }),
        verdict: Some(verdict(record.verdict)),
        usage: Some(pb::CallUsage { fuel, time_us: micros(span), memory }),
        log: record.log.into_iter().map(line).collect(),
        log_was_cut: record.log_was_cut,
        lookups: record.lookups.into_iter().map(looked_up).collect(),
    }
}

fn verdict(verdict: Verdict) -> pb::Verdict {
    let plain = |outcome: pb::CallOutcome| pb::Verdict { outcome: outcome.into(), ..Default::default() };
    match verdict {
        Verdict::Accepted => plain(pb::CallOutcome::Accepted),
        Verdict::Effects(count) => {
            let effects = u32::try_from(count).unwrap_or(u32::MAX);
            pb::Verdict { effects: Some(effects), ..plain(pb::CallOutcome::Effects) }
        }
        Verdict::Refused(refusals) => {
            let refusals = refusals.into_iter().map(refusal).collect();
            pb::Verdict { refusals, ..plain(pb::CallOutcome::Refused) }
        }
        Verdict::Failed(Failure { reason, message, backtrace }) => {
            let failure = pb::Failure { reason: reason.name().to_owned(), message, backtrace };
            pb::Verdict { failure: Some(failure), ..plain(pb::CallOutcome::Failed) }
        }
    }
}

/// A reason for which a plugin refuses.
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

fn looked_up(looked: LookupRecord) -> pb::LookedUp {
    let plain = |function: &str, kind: String| pb::LookedUp {
        function: function.to_owned(),
        kind,
        found: looked.found,
        ..Default::default()
    };
    match looked.request {
        LookupRequest::Get(kind, id) => pb::LookedUp { id: Some(id), ..plain("get", kind) },
        LookupRequest::Find(kind, filter, limit) => {
            pb::LookedUp { filter: Some(filter), limit: Some(limit), ..plain("find", kind) }
        }
    }
}

/// A span in whole microseconds.
fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}
