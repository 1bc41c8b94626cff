//! Who stands beside a hostile plugin: another tenant's calls, and the host's own work.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tessera_core::id::TenantId;
use tessera_core::plugin::{FailureReason, Reply};
use tessera_core::ports::Plugins as _;

use crate::guests::{config, doing, failure, hostile, validate};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn guests_that_spin_stall_neither_timers_nor_another_tenant() {
    let (sandbox, release) = hostile(config()).await;
    let stop = Arc::new(AtomicBool::new(false));
    let spinning: Vec<_> = (0..6)
        .map(|_| {
            let (sandbox, stop) = (Arc::clone(&sandbox), Arc::clone(&stop));
            let tenant = TenantId::generate();
            tokio::spawn(async move {
                let mut ended = 0;
                while !stop.load(Ordering::Relaxed) {
                    let mut call = doing(tenant, release, "spin", 0, validate());
                    call.limits.fuel = 200_000_000;
                    call.limits.time = Duration::from_secs(20);
                    let outcome = sandbox.call(call).await;
                    assert_eq!(failure(&outcome).reason, FailureReason::OutOfFuel);
                    ended += 1;
                }
                ended
            })
        })
        .collect();
    let mut waited = Vec::new();
    let healthy = TenantId::generate();
    for _ in 0..60 {
        let begun = Instant::now();
        tokio::time::sleep(Duration::from_millis(5)).await;
        waited.push(begun.elapsed());
        let outcome = sandbox.call(doing(healthy, release, "work", 10, validate())).await;
        assert_eq!(outcome.reply, Ok(Reply::Verdict(Vec::new())));
    }
    stop.store(true, Ordering::Relaxed);
    for task in spinning {
        assert!(task.await.unwrap() > 0);
    }
    // Each spinner runs for 200 ms and more: if they did not yield, both workers would be theirs all the time.
    waited.sort();
    let half = waited[waited.len() / 2];
    assert!(half < Duration::from_millis(100), "half of the timers of 5 ms came after {half:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_that_takes_its_share_is_told_so_and_others_go_on() {
    let (sandbox, release) = hostile(config()).await;
    let greedy = TenantId::generate();
    let mut calls = Vec::new();
    for _ in 0..20 {
        let sandbox = Arc::clone(&sandbox);
        calls.push(tokio::spawn(async move {
            let mut call = doing(greedy, release, "spin", 0, validate());
            call.limits.fuel = 2_000_000_000;
            call.limits.time = Duration::from_secs(2);
            sandbox.call(call).await
        }));
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    let outcome = sandbox.call(doing(TenantId::generate(), release, "work", 10, validate())).await;
    assert_eq!(outcome.reply, Ok(Reply::Verdict(Vec::new())), "another tenant has its own share");
    let mut busy = 0;
    for call in calls {
        busy += usize::from(failure(&call.await.unwrap()).reason == FailureReason::Busy);
    }
    assert!(busy > 0, "nobody was told that the share is taken");
}

/// Counted, not timed: the host has one worker, and what hostile calls keep of it, healthy ones go without.
#[tokio::test]
async fn healthy_tenants_have_the_worker_beside_a_hostile_one() {
    let (sandbox, release) = hostile(config()).await;
    let greedy = TenantId::generate();
    // Each would take a thread for a third of a second.
    let spinning: Vec<_> = (0..8)
        .map(|_| {
            let sandbox = Arc::clone(&sandbox);
            let mut call = doing(greedy, release, "spin", 0, validate());
            call.limits.fuel = 2_000_000_000;
            call.limits.time = Duration::from_secs(20);
            tokio::spawn(async move { sandbox.call(call).await })
        })
        .collect();
    let ended = || spinning.iter().filter(|task| task.is_finished()).count();
    for calls in 1..=300 {
        tokio::task::yield_now().await;
        // Each is another tenant's: without optimisation a call that was interrupted may pass for a long one.
        let call = doing(TenantId::generate(), release, "work", 10, validate());
        assert_eq!(sandbox.call(call).await.reply, Ok(Reply::Verdict(Vec::new())));
        // If guests did not yield, one would have come to its end before anybody else had a turn.
        assert!(calls > 1 || ended() == 0, "a hostile call kept the worker");
    }
    // If they yielded and stayed, all would have their turns between one call and the next, and end within thirty of them.
    assert!(ended() < spinning.len(), "the hostile calls shared the worker");
    for task in spinning {
        task.abort();
    }
}
