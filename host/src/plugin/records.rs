//! Formats calls and timers of plugins for a terminal.

use tessera_proto::plugin::v1::{CallOutcome, CallRecord, CallUsage, LogLevel, Timer, Verdict};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Formats a call: time, function and verdict, followed by its refusals, failure and log.
pub(super) fn call_record(call: &CallRecord) -> String {
    let at = timestamp(call.at.map(|at| at.seconds));
    let verdict = call.verdict.clone().unwrap_or_default();
    let CallUsage { fuel, time_us, memory } = call.usage.unwrap_or_default();
    let subject = call.subject.as_ref().map_or_else(String::new, |s| format!(" {}:{}", s.kind, s.id));
    let mut text = format!(
        "{at} {} {}{subject}: {}  ({fuel} instructions, {time_us} µs, {} KiB)\n",
        call.release,
        call.function,
        outcome(&verdict),
        memory / 1024
    );
    for refusal in &verdict.refusals {
        let field = refusal.field.as_deref().unwrap_or("-");
        text.push_str(&format!("    {} {field}: {}\n", refusal.code, refusal.message));
    }
    if let Some(failure) = &verdict.failure {
        text.push_str(&format!("    {}: {}\n", failure.reason, failure.message));
        for frame in &failure.backtrace {
            text.push_str(&format!("      at {frame}\n"));
        }
    }
    for line in &call.log {
        let level = LogLevel::try_from(line.level).unwrap_or_default().as_str_name().to_lowercase();
        text.push_str(&format!("    {level}: {}\n", line.message));
    }
    if call.log_was_cut {
        text.push_str("    (log truncated)\n");
    }
    text
}

/// Formats a timer: due time, issue, name and state, followed by its last failure.
pub(super) fn timer(timer: &Timer) -> String {
    let Timer { issue_id, name, due_at, parked, failures, last_failure } = timer;
    let state = match (parked, failures) {
        (true, _) => format!("parked after {failures} failures"),
        (false, 0) => "waiting".to_owned(),
        (false, _) => format!("waiting after {failures} failures"),
    };
    let mut text = format!("{} {issue_id} {name}: {state}\n", timestamp(due_at.map(|at| at.seconds)));
    if let Some(last_failure) = last_failure {
        text.push_str(&format!("    {last_failure}\n"));
    }
    text
}

fn timestamp(seconds: Option<i64>) -> String {
    let at = seconds.and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok());
    at.and_then(|at| at.format(&Rfc3339).ok()).unwrap_or_default()
}

fn outcome(verdict: &Verdict) -> String {
    match verdict.outcome() {
        CallOutcome::Unspecified => "unknown".to_owned(),
        CallOutcome::Accepted => "accepted".to_owned(),
        CallOutcome::Effects => format!("{} effects", verdict.effects.unwrap_or_default()),
        CallOutcome::Refused => "refused".to_owned(),
        CallOutcome::Failed => "failed".to_owned(),
    }
}
