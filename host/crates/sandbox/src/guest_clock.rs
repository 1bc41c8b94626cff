//! Clock of one call: the sum of the spans in which its guest ran, look-ups not counted.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

/// The instant that all clocks count from.
static BASE: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Time that a guest has run.
#[derive(Debug)]
pub(crate) struct GuestClock {
    /// Nanoseconds after `BASE` at which the guest was resumed; 0 while it is paused.
    since: AtomicU64,
    /// Nanoseconds of the spans that have ended.
    elapsed: AtomicU64,
    has_yielded: AtomicBool,
}

impl GuestClock {
    /// Creates a clock that is paused.
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            since: AtomicU64::new(0),
            elapsed: AtomicU64::new(0),
            has_yielded: AtomicBool::new(false),
        })
    }

    /// Starts a span.
    pub(crate) fn resume(&self) {
        self.since.store(Self::now(), Ordering::Relaxed);
    }

    /// Ends the span.
    pub(crate) fn pause(&self) {
        let since = self.since.swap(0, Ordering::Relaxed);
        self.elapsed.fetch_add(Self::now().saturating_sub(since), Ordering::Relaxed);
    }

    /// Notes that the guest was interrupted because the epoch advanced while it ran.
    pub(crate) fn note_yield(&self) {
        self.has_yielded.store(true, Ordering::Relaxed);
    }

    /// Whether the guest was interrupted at least once.
    pub(crate) fn has_yielded(&self) -> bool {
        self.has_yielded.load(Ordering::Relaxed)
    }

    /// Returns how long the guest has run so far.
    pub(crate) fn elapsed(&self) -> Duration {
        let running = match self.since.load(Ordering::Relaxed) {
            0 => 0,
            since => Self::now().saturating_sub(since),
        };
        Duration::from_nanos(self.elapsed.load(Ordering::Relaxed).saturating_add(running))
    }

    fn now() -> u64 {
        u64::try_from(BASE.elapsed().as_nanos()).unwrap_or(u64::MAX).max(1)
    }
}
