//! Store clock: the host's monotonic clock and an offset that is measured periodically, so that hosts with wrong clocks
//! agree.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use tessera_core::Timestamp;

/// Interval of the measurements of the offset.
pub(crate) const SYNC_INTERVAL: Duration = Duration::from_secs(5);

/// A clock that never goes backwards.
#[derive(Debug)]
pub(crate) struct Clock {
    origin: Instant,
    /// Time at the origin, in microseconds.
    offset: AtomicI64,
    /// Latest time that was returned.
    latest: AtomicI64,
}

impl Clock {
    /// Creates a clock that returns the epoch until it is set.
    pub(crate) fn new() -> Self {
        Self { origin: Instant::now(), offset: AtomicI64::new(0), latest: AtomicI64::new(0) }
    }

    /// Sets the clock: the time was `time` at the instant `at`.
    pub(crate) fn set(&self, time: Timestamp, at: Instant) {
        let since = micros(at.saturating_duration_since(self.origin));
        self.offset.store(time.micros().saturating_sub(since), Ordering::Relaxed);
    }

    /// Sets the clock by the system clock.
    pub(crate) fn set_by_system(&self) {
        #[allow(clippy::disallowed_methods, reason = "the store clock starts from the system clock")]
        let now = std::time::SystemTime::now();
        let since = now.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        if let Some(time) = Timestamp::from_micros(micros(since)) {
            self.set(time, Instant::now());
        }
    }

    /// Returns the present time.
    pub(crate) fn now(&self) -> Timestamp {
        let now = self.offset.load(Ordering::Relaxed).saturating_add(micros(self.origin.elapsed()));
        let latest = self.latest.fetch_max(now, Ordering::Relaxed).max(now);
        Timestamp::from_micros(latest).unwrap_or_default()
    }
}

fn micros(span: Duration) -> i64 {
    i64::try_from(span.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clock_advances_from_the_time_it_was_set_to() {
        let clock = Clock::new();
        let time = Timestamp::from_micros(1_000_000_000_000).unwrap();
        clock.set(time, Instant::now());
        let now = clock.now();
        assert!(now >= time && now < time.plus(Duration::from_secs(5)), "{now}");
    }

    #[test]
    fn clock_never_goes_backwards() {
        let clock = Clock::new();
        clock.set(Timestamp::from_micros(2_000_000_000).unwrap(), Instant::now());
        let before = clock.now();
        clock.set(Timestamp::from_micros(1_000_000_000).unwrap(), Instant::now());
        assert!(clock.now() >= before);
    }
}
