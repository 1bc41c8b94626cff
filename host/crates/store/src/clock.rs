//! The store's clock: the host's monotonic clock and an offset that is measured again and again, so that
//! hosts whose own clocks are wrong agree.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use tessera_core::Timestamp;

/// How often the offset is measured.
pub(crate) const MEASURED_EVERY: Duration = Duration::from_secs(5);

/// A clock that never goes backwards.
#[derive(Debug)]
pub(crate) struct Clock {
    origin: Instant,
    /// What the clock showed at the origin, in microseconds.
    offset: AtomicI64,
    /// The latest moment that was given out.
    latest: AtomicI64,
}

impl Clock {
    /// A clock that shows the epoch until it is set.
    pub(crate) fn new() -> Self {
        Self { origin: Instant::now(), offset: AtomicI64::new(0), latest: AtomicI64::new(0) }
    }

    /// Sets the clock: it was `shown` at the moment `at`.
    pub(crate) fn set(&self, shown: Timestamp, at: Instant) {
        let since = micros(at.saturating_duration_since(self.origin));
        self.offset.store(shown.micros().saturating_sub(since), Ordering::Relaxed);
    }

    /// Sets the clock by the system's.
    pub(crate) fn set_by_system(&self) {
        #[allow(clippy::disallowed_methods, reason = "this is what the store's clock is made from")]
        let now = std::time::SystemTime::now();
        let since = now.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        if let Some(shown) = Timestamp::from_micros(micros(since)) {
            self.set(shown, Instant::now());
        }
    }

    /// What it shows.
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
    fn it_shows_what_it_was_set_to_and_goes_on() {
        let clock = Clock::new();
        let shown = Timestamp::from_micros(1_000_000_000_000).unwrap();
        clock.set(shown, Instant::now());
        let now = clock.now();
        assert!(now >= shown && now < shown.plus(Duration::from_secs(5)), "{now}");
    }

    #[test]
    fn it_never_goes_backwards() {
        let clock = Clock::new();
        clock.set(Timestamp::from_micros(2_000_000_000).unwrap(), Instant::now());
        let before = clock.now();
        clock.set(Timestamp::from_micros(1_000_000_000).unwrap(), Instant::now());
        assert!(clock.now() >= before);
    }
}
