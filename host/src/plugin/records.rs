//! A call of a plugin as lines for a terminal.

use tessera_proto::plugin::v1::{CallOutcome, CallRecord, CallUsage, LogLevel, Verdict};

/// A call's lines: when, what, how it ended; below it what it refused, why it failed, what it logged.
pub(super) fn shown(call: &CallRecord) -> String {
    let at = call.at.map_or_else(String::new, |at| {
        time::OffsetDateTime::from_unix_timestamp(at.seconds)
            .ok()
            .and_then(|at| at.format(&time::format_description::well_known::Rfc3339).ok())
            .unwrap_or_default()
    });
    let verdict = call.verdict.clone().unwrap_or_default();
    let CallUsage { fuel, time_us, memory } = call.usage.unwrap_or_default();
    let subject = call.subject.as_ref().map_or_else(String::new, |s| format!(" {}:{}", s.kind, s.id));
    let mut text = format!(
        "{at} {} {}{subject}: {}  ({fuel} instructions, {time_us} µs, {} KiB)\n",
        call.release,
        call.function,
        ended(&verdict),
        memory / 1024
    );
    for refusal in &verdict.refusals {
        let field = if refusal.field.is_empty() { "-" } else { &refusal.field };
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
        text.push_str("    (the log was cut here)\n");
    }
    text
}

fn ended(verdict: &Verdict) -> String {
    match verdict.outcome() {
        CallOutcome::Unspecified => "?".to_owned(),
        CallOutcome::Accepted => "accepted".to_owned(),
        CallOutcome::Effects => format!("{} effects", verdict.effects),
        CallOutcome::Refused => "refused".to_owned(),
        CallOutcome::Failed => "failed".to_owned(),
    }
}
