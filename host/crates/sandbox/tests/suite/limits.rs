//! The limits of calls, and their messages for the plugin's author.

use std::time::{Duration, Instant};

use tessera_core::id::TenantId;
use tessera_core::plugin::{CallLimits, FailureReason, PluginRequest, Refusal, Reply};
use tessera_core::ports::Plugins as _;

use crate::guests::{config, failure, hostile_call, hostile_sandbox, on_change, validate};

/// Calls the hostile plugin; returns how the call failed.
async fn fail(
    act: &str,
    amount: u64,
    request: PluginRequest,
    limits: CallLimits,
) -> (FailureReason, String, Vec<String>) {
    let (sandbox, release) = hostile_sandbox(config()).await;
    let mut call = hostile_call(TenantId::generate(), release, act, amount, request);
    call.limits = limits;
    let outcome = sandbox.call(call).await;
    let failure = failure(&outcome).clone();
    (failure.reason, failure.message, failure.backtrace)
}

#[tokio::test]
async fn a_spinning_call_runs_out_of_fuel_and_has_a_backtrace() {
    let (reason, message, backtrace) = fail("spin", 0, validate(), CallLimits::standard()).await;
    assert_eq!(reason, FailureReason::OutOfFuel);
    assert!(message.contains("10000000") && message.contains("--fuel"), "{message}");
    assert!(backtrace[0].contains("hostile::misbehave"), "{backtrace:?}");
}

#[tokio::test]
async fn fuel_is_deterministic() {
    let (sandbox, release) = hostile_sandbox(config()).await;
    let mut used = Vec::new();
    for _ in 0..3 {
        let call = hostile_call(TenantId::generate(), release, "work", 1_000, validate());
        used.push(sandbox.call(call).await.usage.fuel);
    }
    assert!(used[0] > 5_000 && used.iter().all(|fuel| *fuel == used[0]), "{used:?}");
}

#[tokio::test]
async fn a_call_beyond_its_time_limit_times_out() {
    let limits = CallLimits { fuel: u64::MAX / 2, time: Duration::from_millis(50), ..CallLimits::standard() };
    let start = Instant::now();
    let (reason, message, _) = fail("spin", 0, validate(), limits).await;
    assert_eq!(reason, FailureReason::TimedOut);
    assert!(message.contains("50 are allowed"), "{message}");
    assert!(start.elapsed() < Duration::from_secs(20));
}

#[tokio::test]
async fn a_call_ends_at_the_deadline_of_its_request() {
    let (sandbox, release) = hostile_sandbox(config()).await;
    let mut call = hostile_call(TenantId::generate(), release, "spin", 0, validate());
    call.limits = CallLimits { fuel: u64::MAX / 2, time: Duration::from_secs(60), ..call.limits };
    call.deadline = Instant::now() + Duration::from_millis(50);
    let outcome = sandbox.call(call).await;
    assert_eq!(failure(&outcome).reason, FailureReason::Late);
}

#[tokio::test]
async fn memory_is_limited_in_total() {
    let limits = CallLimits { fuel: 1_000_000_000, ..CallLimits::standard() };
    let (reason, message, _) = fail("grow-memory", 1_000, validate(), limits).await;
    assert_eq!(reason, FailureReason::OutOfMemory);
    assert!(message.contains(&(16 << 20).to_string()) && message.contains("--memory"), "{message}");
}

#[tokio::test]
async fn endless_recursion_traps() {
    let (reason, message, backtrace) = fail("recurse", 0, validate(), CallLimits::standard()).await;
    assert_eq!(reason, FailureReason::Trapped);
    assert!(message.contains("stack"), "{message}");
    assert!(
        backtrace.iter().all(|frame| frame.contains("recurse")) && backtrace.len() <= 32,
        "{backtrace:?}"
    );
}

#[tokio::test]
async fn a_reply_is_limited_in_size_and_effects() {
    for (act, amount) in [("huge-output", 300_000), ("huge-output", 4_000_000), ("huge-list", 15_000)] {
        let limits = CallLimits { fuel: 100_000_000, ..CallLimits::standard() };
        let (reason, message, _) = fail(act, amount, validate(), limits).await;
        assert_eq!(reason, FailureReason::OutputTooLarge, "{act} {amount}: {message}");
        assert!(message.contains("262144"), "{message}");
    }
    let (reason, message, _) = fail("too-many-effects", 65, on_change(), CallLimits::standard()).await;
    assert_eq!(reason, FailureReason::TooManyEffects);
    assert!(message.contains("65") && message.contains("64"), "{message}");
}

#[tokio::test]
async fn the_input_is_limited_in_size() {
    let limits = CallLimits { input: 100, ..CallLimits::standard() };
    let (reason, message, _) = fail("", 0, validate(), limits).await;
    assert_eq!(reason, FailureReason::InputTooLarge);
    assert!(message.contains("100 are allowed"), "{message}");
}

#[tokio::test]
async fn the_log_is_cut_and_marked_as_cut() {
    let (sandbox, release) = hostile_sandbox(config()).await;
    let outcome =
        sandbox.call(hostile_call(TenantId::generate(), release, "flood-log", 1_000, validate())).await;
    assert_eq!(outcome.reply, Ok(Reply::Verdict(Vec::new())));
    let bytes: usize = outcome.log.iter().map(|line| line.message.len()).sum();
    assert!(outcome.log_was_cut && outcome.log.len() == 100 && bytes <= 8 << 10);
}

#[tokio::test]
async fn look_ups_are_limited_and_recorded() {
    let (sandbox, release) = hostile_sandbox(config()).await;
    let outcome =
        sandbox.call(hostile_call(TenantId::generate(), release, "flood-lookups", 100, validate())).await;
    assert_eq!(outcome.reply, Ok(Reply::Verdict(Vec::new())));
    assert_eq!(outcome.lookups.len(), 16);
}

#[tokio::test]
async fn an_invalid_reply_is_reported_with_its_place() {
    for (act, place) in [
        ("bad-code", "violations[0].code"),
        ("bad-text", "violations[0].message"),
        ("no-violations", "violations are none"),
        ("no-reason", "violations[0].message"),
    ] {
        let (reason, message, _) = fail(act, 0, validate(), CallLimits::standard()).await;
        assert_eq!(reason, FailureReason::BadAnswer);
        assert!(message.contains(place), "{message}");
    }
}

#[tokio::test]
async fn nothing_survives_a_call() {
    let (sandbox, release) = hostile_sandbox(config()).await;
    for _ in 0..50 {
        let outcome =
            sandbox.call(hostile_call(TenantId::generate(), release, "residue", 0, validate())).await;
        let one = Refusal { field: None, code: "RUNS".into(), message: "1".into() };
        assert_eq!(outcome.reply, Ok(Reply::Verdict(vec![one])));
    }
}
