//! Which threads calls run on.

use tessera_core::id::TenantId;

use super::tenants::PERMITS;
use super::*;

/// Runs a call that keeps a thread of low priority busy for a time; returns the name of the thread on which it ended.
fn share() -> CallShare {
    TenantId::generate().into()
}

async fn call(scheduler: &Scheduler, share: CallShare, busy: Duration) -> String {
    let clock = GuestClock::new();
    let own_clock = Arc::clone(&clock);
    let work = Box::pin(async move {
        if !busy.is_zero() {
            own_clock.note_yield();
            tokio::task::yield_now().await;
            let until = thread_time() + busy;
            while thread_time() < until {
                std::hint::spin_loop();
            }
        }
        std::thread::current().name().unwrap_or_default().to_owned()
    });
    scheduler.run(share, clock, work).await.unwrap()
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn long_calls_run_on_threads_of_low_priority() {
    let scheduler = Scheduler::new().unwrap();
    let runtime = scheduler.low_priority.as_ref().unwrap();
    let priority = runtime.spawn(async { rustix::process::getpriority_process(None) });
    assert!(priority.await.unwrap().unwrap() >= NICE);
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn blocking_work_runs_at_low_priority_within_the_tenants_permits() {
    let scheduler = Scheduler::new().unwrap();
    let (tenant, other) = (share(), share());
    let later = Instant::now() + Duration::from_secs(60);
    let priority = || rustix::process::getpriority_process(None).unwrap();
    assert!(scheduler.run_blocking(tenant, later, priority).await.unwrap() >= NICE);
    let permits = scheduler.tenants.permits(tenant);
    let all = permits.acquire_many(u32::try_from(PERMITS).unwrap()).await.unwrap();
    assert_eq!(scheduler.run_blocking(tenant, Instant::now(), || ()).await, None);
    assert_eq!(scheduler.run_blocking(other, later, || 1).await, Some(1));
    drop(all);
    assert_eq!(scheduler.run_blocking(tenant, later, || 2).await, Some(2));
}

#[tokio::test]
async fn calls_of_a_slow_tenant_start_on_threads_of_low_priority() {
    let scheduler = Scheduler::new().unwrap();
    let (slow, other) = (share(), share());
    scheduler.tenants.note_long_call(slow, Instant::now() + Duration::from_secs(3600));
    assert_eq!(call(&scheduler, slow, Duration::ZERO).await, "plugin-slow");
    assert_ne!(call(&scheduler, other, Duration::ZERO).await, "plugin-slow");
}

#[tokio::test]
async fn slow_calls_of_callers_without_a_key_do_not_slow_those_of_the_tenant() {
    let scheduler = Scheduler::new().unwrap();
    let own = share();
    let public = CallShare { is_public: true, ..own };
    scheduler.tenants.note_long_call(public, Instant::now() + Duration::from_secs(3600));
    let permits = scheduler.tenants.permits(public);
    let _all = permits.acquire_many(u32::try_from(PERMITS).unwrap()).await.unwrap();
    assert!(scheduler.is_slow(public) && !scheduler.is_slow(own));
    let later = Instant::now() + Duration::from_secs(60);
    assert_eq!(scheduler.run_blocking(public, Instant::now(), || ()).await, None);
    assert_eq!(scheduler.run_blocking(own, later, || 1).await, Some(1));
    assert_ne!(call(&scheduler, own, Duration::ZERO).await, "plugin-slow");
}

#[tokio::test]
async fn a_call_that_keeps_its_thread_busy_makes_its_tenant_slow() {
    let scheduler = Scheduler::new().unwrap();
    let (spinning, waiting) = (share(), share());
    let start = Instant::now();
    assert_eq!(call(&scheduler, spinning, 5 * LONG_CALL).await, "plugin-slow");
    assert_eq!(call(&scheduler, waiting, LONG_CALL / 50).await, "plugin-slow");
    assert!(scheduler.tenants.is_slow(spinning, start) && !scheduler.tenants.is_slow(waiting, start));
}

#[test]
fn calls_with_little_fuel_are_not_counted() {
    let scheduler = Scheduler::new().unwrap();
    scheduler.note_fuel(share(), MIN_COUNTED_FUEL - 1);
    assert!(scheduler.tenants.is_empty());
    scheduler.note_fuel(share(), MIN_COUNTED_FUEL);
    assert!(!scheduler.tenants.is_empty());
}
