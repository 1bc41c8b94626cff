//! Where guests run. An honest call takes microseconds, and runs where it was asked for. One that still runs
//! when the epoch moves on goes over to threads of lower priority, where each tenant has few places: so a guest that
//! spins takes what nobody else needs, and no worker of the host.

use std::collections::HashMap;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use tessera_core::id::TenantId;
use tessera_core::{Error, Result};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use crate::state::Clock;

/// How many long calls of one tenant run at once; the others wait.
const PLACES: usize = 2;

/// How much less important the threads for long calls are than the host's own.
const NICE: i32 = 10;

/// Runs guests.
pub(crate) struct Lanes {
    /// For long calls; none only while it is dropped.
    slow: Option<Runtime>,
    places: Mutex<HashMap<TenantId, Arc<Semaphore>>>,
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
            .enable_time()
            .build()
            .map_err(Error::internal)?;
        Ok(Self { slow: Some(slow), places: Mutex::default() })
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
        if let Some(done) = short.await {
            return Some(done);
        }
        let place = self.places_of(tenant).acquire_owned().await.ok()?;
        let task = self.slow.as_ref()?.spawn(async move {
            let _place = place;
            call.await
        });
        let mut task = Waited(task);
        let done = (&mut task.0).await.ok();
        self.forget_idle(tenant);
        done
    }

    fn places_of(&self, tenant: TenantId) -> Arc<Semaphore> {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(places.entry(tenant).or_insert_with(|| Arc::new(Semaphore::new(PLACES))))
    }

    fn forget_idle(&self, tenant: TenantId) {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        if places.get(&tenant).is_some_and(|held| Arc::strong_count(held) == 1) {
            places.remove(&tenant);
        }
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

/// Makes this thread less important; where the system does not let it, it is as important as the others.
#[allow(unsafe_code, reason = "the priority of a thread is set by a call of the system")]
fn yield_to_others() {
    #[cfg(target_os = "linux")]
    // SAFETY: plain numbers; 0 stands for the calling thread.
    unsafe {
        libc::setpriority(libc::PRIO_PROCESS, 0, NICE);
    }
}
