//! Schedules guests. A short call takes microseconds and runs on the thread of its caller. A call that is still running
//! when the epoch advances moves to threads of low priority, where each tenant has few permits; so a guest that spins
//! occupies none of the host's workers.
//!
//! A tenant's calls, and apart from them those that its callers without a key cause, are two shares. The calls of a share
//! start on those threads for a while after one of them was long, or after they used very many instructions within a
//! second: a call that spins for a millisecond ends before it has to move, and a thousand of them a second would occupy
//! one of the host's workers.

mod tenants;
#[cfg(test)]
mod tests;

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};
use tessera_core::plugin::CallShare;
use tessera_core::{Error, Result};
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;

use crate::guest_clock::GuestClock;
use crate::scheduler::tenants::Tenants;

/// A call that keeps a thread of low priority busy for longer is long. The thread's own time counts, so that a call is
/// not long because it waited for a processor.
const LONG_CALL: Duration = Duration::from_micros(250);

/// A call that uses fewer instructions is not counted: it occupies a thread for less than half a millisecond, and
/// others run after it.
const MIN_COUNTED_FUEL: u64 = 2_000_000;

/// The most threads for work that does not yield: more than one tenant has permits.
const MAX_BLOCKING_THREADS: usize = 4;

/// How much lower than the host's own the priority of the threads for long calls, and of compilations, is.
pub(crate) const NICE: i32 = 10;

/// Runs guests on the caller's thread or on threads of low priority.
pub(crate) struct Scheduler {
    /// Threads of low priority; `None` only while the scheduler is dropped.
    low_priority: Option<Runtime>,
    tenants: Arc<Tenants>,
}

/// A call whose clock runs while it is polled.
struct TimedCall<T> {
    clock: Arc<GuestClock>,
    work: Pin<Box<dyn Future<Output = T> + Send>>,
}

impl<T> Future for TimedCall<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        self.clock.resume();
        let polled = self.work.as_mut().poll(cx);
        self.clock.pause();
        polled
    }
}

/// A call on threads of low priority, with the time that it keeps them busy.
struct MeasuredCall<T> {
    call: TimedCall<T>,
    busy: Duration,
    share: CallShare,
    tenants: Arc<Tenants>,
}

impl<T> Future for MeasuredCall<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        let before = thread_time();
        let polled = Pin::new(&mut self.call).poll(cx);
        self.busy += thread_time().saturating_sub(before);
        polled
    }
}

impl<T> Drop for MeasuredCall<T> {
    /// Runs when the call ends and when its caller is gone.
    fn drop(&mut self) {
        if self.busy >= LONG_CALL {
            self.tenants.note_long_call(self.share, Instant::now());
        }
    }
}

/// A task that is aborted when its caller is gone.
struct AbortOnDrop<T>(JoinHandle<T>);

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Scheduler {
    pub(crate) fn new() -> Result<Self> {
        let cores = std::thread::available_parallelism().map_or(2, std::num::NonZeroUsize::get);
        let low_priority = Builder::new_multi_thread()
            .worker_threads((cores / 2).max(1))
            .thread_name("plugin-slow")
            .on_thread_start(lower_priority)
            .max_blocking_threads(MAX_BLOCKING_THREADS)
            .enable_time()
            .build()
            .map_err(Error::internal)?;
        Ok(Self { low_priority: Some(low_priority), tenants: Arc::default() })
    }

    /// Runs a call to its end; returns `None` if the host is stopping.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        share: CallShare,
        clock: Arc<GuestClock>,
        work: Pin<Box<dyn Future<Output = T> + Send>>,
    ) -> Option<T> {
        let mut call = TimedCall { clock: Arc::clone(&clock), work };
        let until_yield = poll_fn(|cx| match Pin::new(&mut call).poll(cx) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending if clock.has_yielded() => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        });
        if !self.is_slow(share)
            && let Some(output) = until_yield.await
        {
            return Some(output);
        }
        let permit = self.tenants.permits(share).acquire_owned().await.ok()?;
        let tenants = Arc::clone(&self.tenants);
        let measured = MeasuredCall { call, busy: Duration::ZERO, share, tenants };
        let task = self.low_priority.as_ref()?.spawn(async move {
            let _permit = permit;
            measured.await
        });
        let mut task = AbortOnDrop(task);
        let output = (&mut task.0).await.ok();
        self.tenants.remove_idle(Instant::now());
        output
    }

    /// Runs work that does not yield on a thread of low priority, within the share's permits; returns `None` if there was
    /// no permit before the deadline. Work that has begun goes on to its end, and keeps its permit until then.
    pub(crate) async fn run_blocking<T: Send + 'static>(
        &self,
        share: CallShare,
        deadline: Instant,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        let permits = self.tenants.permits(share);
        let permit = tokio::time::timeout_at(deadline.into(), permits.acquire_owned()).await.ok()?.ok()?;
        let task = self.low_priority.as_ref()?.spawn_blocking(move || {
            let _permit = permit;
            work()
        });
        let mut task = AbortOnDrop(task);
        let output = tokio::time::timeout_at(deadline.into(), &mut task.0).await;
        self.tenants.remove_idle(Instant::now());
        output.ok()?.ok()
    }

    /// Whether a share's calls start on threads of low priority.
    pub(crate) fn is_slow(&self, share: CallShare) -> bool {
        self.tenants.is_slow(share, Instant::now())
    }

    /// Counts the instructions that a call has used.
    pub(crate) fn note_fuel(&self, share: CallShare, fuel: u64) {
        if fuel >= MIN_COUNTED_FUEL {
            self.tenants.note_fuel(share, fuel, Instant::now());
        }
    }
}

impl Drop for Scheduler {
    fn drop(&mut self) {
        // A sandbox may be dropped inside a runtime, where blocking on another one is not allowed.
        if let Some(low_priority) = self.low_priority.take() {
            low_priority.shutdown_background();
        }
    }
}

/// Returns how long this thread has been busy.
fn thread_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let (seconds, nanos) = (u64::try_from(time.tv_sec), u32::try_from(time.tv_nsec));
    Duration::new(seconds.unwrap_or_default(), nanos.unwrap_or_default())
}

/// Lowers this thread's priority; where the system refuses, it stays as it is.
fn lower_priority() {
    // Without a process id, Linux takes the calling thread; other systems take all threads.
    #[cfg(target_os = "linux")]
    let _ = rustix::process::setpriority_process(None, NICE);
}
