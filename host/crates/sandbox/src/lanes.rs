//! Where guests run. An honest call takes microseconds, and runs where it was asked for. One that still runs
//! when the epoch moves on goes over to threads of lower priority, where each tenant has few places: so a guest that
//! spins takes what nobody else needs, and no worker of the host. A tenant whose call kept such a thread busy, or whose calls
//! used very many instructions within a second, begins there the next time: a call that spins for a millisecond ends before
//! it has to go over, and a thousand of them a second would take one of the host's workers.

use std::collections::HashMap;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};
use tessera_core::id::TenantId;
use tessera_core::{Error, Result};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use crate::state::Clock;

/// How many long calls of one tenant run at once; the others wait.
const PLACES: usize = 2;

/// A call that keeps a thread for long ones busy for longer is one. The thread's own time counts: who had to wait for it is
/// not to blame.
const LONG: Duration = Duration::from_micros(250);

/// A call that uses fewer instructions is not counted, however many there are: it takes a thread for less than half a
/// millisecond, and others have their turn after it.
const FEW: u64 = 2_000_000;

/// A tenant whose counted calls use more of them within a second has long calls, wherever they ran: it had a hundredth
/// of a worker's time or more.
const MANY: u64 = 40_000_000;

/// For how long a tenant's calls begin among the long ones after one was long.
const REMEMBERED: Duration = Duration::from_secs(1);

/// The most threads for work that does not yield.
const BLOCKING: usize = 2;

/// How much less important the threads for long calls are than the host's own.
const NICE: i32 = 10;

/// Runs guests.
pub(crate) struct Lanes {
    /// For long calls; none only while it is dropped.
    slow: Option<Runtime>,
    tenants: Arc<Tenants>,
}

/// The tenants that have long calls, or had some just now.
#[derive(Default)]
struct Tenants(Mutex<HashMap<TenantId, Tenant>>);

struct Tenant {
    places: Arc<Semaphore>,
    /// When the last of its calls ended that was long.
    long: Option<Instant>,
    /// How many instructions its counted calls have used, and since when.
    used: (u64, Instant),
}

/// A call with its clock, which runs whenever the guest does.
struct Timed<T> {
    clock: Arc<Clock>,
    work: Pin<Box<dyn Future<Output = T> + Send>>,
}

impl<T> Future for Timed<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        self.clock.resume();
        let polled = self.work.as_mut().poll(cx);
        self.clock.pause();
        polled
    }
}

/// A call in the lane for long ones, with how long it keeps its threads busy.
struct Measured<T> {
    call: Timed<T>,
    busy: Duration,
    tenant: TenantId,
    tenants: Arc<Tenants>,
}

impl<T> Future for Measured<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        let before = thread_time();
        let polled = Pin::new(&mut self.call).poll(cx);
        self.busy += thread_time().saturating_sub(before);
        polled
    }
}

impl<T> Drop for Measured<T> {
    /// Its end, or nobody waits for it any more.
    fn drop(&mut self) {
        if self.busy >= LONG {
            self.tenants.note_long(self.tenant);
        }
    }
}

/// A task that ends when nobody waits for it any more.
struct Waited<T>(JoinHandle<T>);

impl<T> Drop for Waited<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Lanes {
    pub(crate) fn new() -> Result<Self> {
        let cores = std::thread::available_parallelism().map_or(2, std::num::NonZeroUsize::get);
        let slow = Builder::new_multi_thread()
            .worker_threads((cores / 2).max(1))
            .thread_name("plugin-slow")
            .on_thread_start(yield_to_others)
            .max_blocking_threads(BLOCKING)
            .enable_time()
            .build()
            .map_err(Error::internal)?;
        Ok(Self { slow: Some(slow), tenants: Arc::default() })
    }

    /// Runs a call to its end; none: the lane for long calls is gone, for the host stops.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        tenant: TenantId,
        clock: Arc<Clock>,
        work: Pin<Box<dyn Future<Output = T> + Send>>,
    ) -> Option<T> {
        let mut call = Timed { clock: Arc::clone(&clock), work };
        let short = poll_fn(|cx| match Pin::new(&mut call).poll(cx) {
            Poll::Ready(done) => Poll::Ready(Some(done)),
            Poll::Pending if clock.has_yielded() => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        });
        if !self.is_long(tenant)
            && let Some(done) = short.await
        {
            return Some(done);
        }
        let place = self.tenants.places_of(tenant).acquire_owned().await.ok()?;
        let tenants = Arc::clone(&self.tenants);
        let measured = Measured { call, busy: Duration::ZERO, tenant, tenants };
        let task = self.slow.as_ref()?.spawn(async move {
            let _place = place;
            measured.await
        });
        let mut task = Waited(task);
        let done = (&mut task.0).await.ok();
        self.tenants.forget_idle();
        done
    }

    /// Runs work that does not yield on a thread of low priority, within the tenant's places; `None` if there was
    /// no place before the deadline. Work that has begun goes on to its end, and keeps its place until then.
    pub(crate) async fn run_blocking<T: Send + 'static>(
        &self,
        tenant: TenantId,
        deadline: Instant,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        let places = self.tenants.places_of(tenant);
        let place = tokio::time::timeout_at(deadline.into(), places.acquire_owned()).await.ok()?.ok()?;
        let task = self.slow.as_ref()?.spawn_blocking(move || {
            let _place = place;
            work()
        });
        let mut task = Waited(task);
        let done = tokio::time::timeout_at(deadline.into(), &mut task.0).await;
        self.tenants.forget_idle();
        done.ok()?.ok()
    }

    /// Whether a tenant's calls begin among the long ones.
    pub(crate) fn is_long(&self, tenant: TenantId) -> bool {
        self.tenants.was_long(tenant)
    }

    /// Learns how many instructions a call has used.
    pub(crate) fn note(&self, tenant: TenantId, fuel: u64) {
        if fuel >= FEW {
            self.tenants.note_used(tenant, fuel);
        }
    }
}

impl Tenants {
    fn lock(&self) -> MutexGuard<'_, HashMap<TenantId, Tenant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn places_of(&self, tenant: TenantId) -> Arc<Semaphore> {
        Arc::clone(&self.lock().entry(tenant).or_default().places)
    }

    fn was_long(&self, tenant: TenantId) -> bool {
        self.lock().get(&tenant).is_some_and(Tenant::was_long)
    }

    fn note_long(&self, tenant: TenantId) {
        self.lock().entry(tenant).or_default().long = Some(Instant::now());
    }

    fn note_used(&self, tenant: TenantId, fuel: u64) {
        let mut tenants = self.lock();
        let tenant = tenants.entry(tenant).or_default();
        let now = Instant::now();
        if now.duration_since(tenant.used.1) >= REMEMBERED {
            tenant.used = (0, now);
        }
        tenant.used.0 = tenant.used.0.saturating_add(fuel);
        if tenant.used.0 > MANY {
            tenant.long = Some(now);
        }
        tenants.retain(|_, tenant| tenant.is_busy());
    }

    fn forget_idle(&self) {
        self.lock().retain(|_, tenant| tenant.is_busy());
    }
}

impl Default for Tenant {
    fn default() -> Self {
        Self { places: Arc::new(Semaphore::new(PLACES)), long: None, used: (0, Instant::now()) }
    }
}

impl Tenant {
    fn was_long(&self) -> bool {
        self.long.is_some_and(|at| at.elapsed() < REMEMBERED)
    }

    /// Whether there is anything to know of it.
    fn is_busy(&self) -> bool {
        self.was_long()
            || Arc::strong_count(&self.places) > 1
            || (self.used.0 > 0 && self.used.1.elapsed() < REMEMBERED)
    }
}

impl Drop for Lanes {
    fn drop(&mut self) {
        // A sandbox may be dropped inside a runtime, where waiting for another one is not allowed.
        if let Some(slow) = self.slow.take() {
            slow.shutdown_background();
        }
    }
}

/// How long this thread has been busy.
fn thread_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let (seconds, nanos) = (u64::try_from(time.tv_sec), u32::try_from(time.tv_nsec));
    Duration::new(seconds.unwrap_or_default(), nanos.unwrap_or_default())
}

/// Makes this thread less important; where the system does not let it, it is as important as the others.
fn yield_to_others() {
    // On Linux no process stands for the calling thread, elsewhere for all of them.
    #[cfg(target_os = "linux")]
    let _ = rustix::process::setpriority_process(None, NICE);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A call that says on which kind of thread it ended, after it was busy for so long among the long ones.
    async fn call(lanes: &Lanes, tenant: TenantId, busy: Duration) -> String {
        let clock = Clock::new();
        let own = Arc::clone(&clock);
        let work = Box::pin(async move {
            if !busy.is_zero() {
                own.note_yield();
                tokio::task::yield_now().await;
                let until = thread_time() + busy;
                while thread_time() < until {
                    std::hint::spin_loop();
                }
            }
            std::thread::current().name().unwrap_or_default().to_owned()
        });
        lanes.run(tenant, clock, work).await.unwrap()
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn long_calls_run_on_threads_of_less_importance() {
        let lanes = Lanes::new().unwrap();
        let slow = lanes.slow.as_ref().unwrap().spawn(async { rustix::process::getpriority_process(None) });
        assert!(slow.await.unwrap().unwrap() >= NICE);
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn blocking_work_runs_at_low_priority_within_the_tenants_places() {
        let lanes = Lanes::new().unwrap();
        let (tenant, other) = (TenantId::generate(), TenantId::generate());
        let later = Instant::now() + Duration::from_secs(60);
        let priority = || rustix::process::getpriority_process(None).unwrap();
        assert!(lanes.run_blocking(tenant, later, priority).await.unwrap() >= NICE);
        let places = lanes.tenants.places_of(tenant);
        let all = places.acquire_many(u32::try_from(PLACES).unwrap()).await.unwrap();
        assert_eq!(lanes.run_blocking(tenant, Instant::now(), || ()).await, None);
        assert_eq!(lanes.run_blocking(other, later, || 1).await, Some(1));
        drop(all);
        assert_eq!(lanes.run_blocking(tenant, later, || 2).await, Some(2));
    }

    #[tokio::test]
    async fn who_was_long_begins_among_the_long_ones_for_a_while() {
        let lanes = Lanes::new().unwrap();
        let (spins, waits, other) = (TenantId::generate(), TenantId::generate(), TenantId::generate());
        assert_eq!(call(&lanes, spins, 5 * LONG).await, "plugin-slow");
        assert_eq!(call(&lanes, waits, LONG / 50).await, "plugin-slow");
        assert_eq!(call(&lanes, spins, Duration::ZERO).await, "plugin-slow");
        for tenant in [waits, other] {
            assert_ne!(call(&lanes, tenant, Duration::ZERO).await, "plugin-slow");
        }
        for _ in 0..4 {
            lanes.note(other, MANY / 4);
        }
        assert_ne!(call(&lanes, other, Duration::ZERO).await, "plugin-slow");
        lanes.note(other, FEW - 1);
        assert_ne!(call(&lanes, other, Duration::ZERO).await, "plugin-slow");
        lanes.note(other, FEW);
        assert_eq!(call(&lanes, other, Duration::ZERO).await, "plugin-slow");
        tokio::time::sleep(REMEMBERED + LONG).await;
        assert_ne!(call(&lanes, spins, Duration::ZERO).await, "plugin-slow");
        lanes.tenants.forget_idle();
        assert!(lanes.tenants.lock().is_empty());
    }
}
