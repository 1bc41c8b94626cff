//! Isolation: a hostile plugin beside another tenant's calls and the host's own work.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use tessera_core::id::TenantId;
use tessera_core::plugin::{FailureReason, Reply};
use tessera_core::ports::Plugins as _;
use tokio::task::JoinSet;

use crate::guests::{config, failure, hostile_call, hostile_sandbox, validate};

/// Counts calls instead of time: without interruptions, each timer would wait for a spinning call to end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn spinning_guests_delay_neither_timers_nor_another_tenant() {
    let (sandbox, release) = hostile_sandbox(config()).await;
    let (stop, ended) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let spinning: Vec<_> = (0..6)
        .map(|_| {
            let (sandbox, stop, ended) = (Arc::clone(&sandbox), Arc::clone(&stop), Arc::clone(&ended));
            let tenant = TenantId::generate();
            tokio::spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    let mut call = hostile_call(tenant, release, "spin", 0, validate());
                    call.limits.fuel = 200_000_000;
                    call.limits.time = Duration::from_secs(20);
                    let outcome = sandbox.call(call).await;
                    assert_eq!(failure(&outcome).reason, FailureReason::OutOfFuel);
                    ended.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    let healthy = TenantId::generate();
    for _ in 0..60 {
        tokio::time::sleep(Duration::from_millis(1)).await;
        let outcome = sandbox.call(hostile_call(healthy, release, "work", 10, validate())).await;
        assert_eq!(outcome.reply, Ok(Reply::Verdict(Vec::new())));
    }
    let ended_meanwhile = ended.load(Ordering::Relaxed);
    stop.store(true, Ordering::Relaxed);
    for task in spinning {
        task.await.unwrap();
    }
    assert!(ended.load(Ordering::Relaxed) >= 6, "the hostile calls did not run");
    assert!(ended_meanwhile < 30, "{ended_meanwhile} hostile calls ended during 60 timers");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_beyond_its_share_is_refused_and_others_are_served() {
    let (sandbox, release) = hostile_sandbox(config()).await;
    let greedy = TenantId::generate();
    let mut spinning = JoinSet::new();
    for _ in 0..20 {
        let sandbox = Arc::clone(&sandbox);
        spinning.spawn(async move {
            let mut call = hostile_call(greedy, release, "spin", 0, validate());
            call.limits.fuel = u64::MAX / 2;
            call.limits.time = Duration::from_secs(600);
            call.deadline += Duration::from_secs(600);
            sandbox.call(call).await
        });
    }
    // The first refusal shows that the share is taken, and the spinning calls keep it.
    let refused = spinning.join_next().await.unwrap().unwrap();
    assert_eq!(failure(&refused).reason, FailureReason::Busy);
    let outcome = sandbox.call(hostile_call(TenantId::generate(), release, "work", 10, validate())).await;
    assert_eq!(outcome.reply, Ok(Reply::Verdict(Vec::new())), "another tenant has its own share");
}

/// Counts calls instead of time: the host has one worker, and healthy calls cannot use what hostile ones occupy.
#[tokio::test]
async fn a_hostile_tenant_does_not_occupy_the_only_worker() {
    let (sandbox, release) = hostile_sandbox(config()).await;
    let greedy = TenantId::generate();
    // Each would occupy a thread for a third of a second.
    let spinning: Vec<_> = (0..8)
        .map(|_| {
            let sandbox = Arc::clone(&sandbox);
            let mut call = hostile_call(greedy, release, "spin", 0, validate());
            call.limits.fuel = 2_000_000_000;
            call.limits.time = Duration::from_secs(20);
            tokio::spawn(async move { sandbox.call(call).await })
        })
        .collect();
    let ended = || spinning.iter().filter(|task| task.is_finished()).count();
    for calls in 1..=300 {
        tokio::task::yield_now().await;
        // Each is another tenant's: without optimisation an interrupted call may count as a long one.
        let call = hostile_call(TenantId::generate(), release, "work", 10, validate());
        assert_eq!(sandbox.call(call).await.reply, Ok(Reply::Verdict(Vec::new())));
        // If guests did not yield, a hostile call would end before any healthy one runs.
        assert!(calls > 1 || ended() == 0, "a hostile call occupied the worker");
    }
    // If they yielded and stayed on the worker, all would run between two healthy calls, and end within thirty.
    assert!(ended() < spinning.len(), "the hostile calls shared the worker");
    for task in spinning {
        task.abort();
    }
}
