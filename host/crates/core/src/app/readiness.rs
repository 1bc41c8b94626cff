//! Whether the host can do its work.

use std::future::Future;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::error::Result;

/// How long an answer of the store is kept.
const MAX_AGE: Duration = Duration::from_millis(100);

/// Checks of the store. Anybody may ask, as often as they like: one check is in progress at once, and its result is kept
/// for a moment.
#[derive(Default)]
pub(super) struct Readiness(Mutex<Option<(Instant, bool)>>);

impl Readiness {
    /// Returns whether the store responds.
    pub(super) async fn check(&self, ping: impl Future<Output = Result<()>>) -> bool {
        let mut last = self.0.lock().await;
        if let Some((checked_at, is_ready)) = *last
            && checked_at.elapsed() < MAX_AGE
        {
            return is_ready;
        }
        let is_ready = match ping.await {
            Ok(()) => true,
            Err(error) => {
                tracing::warn!(?error, "store not available");
                false
            }
        };
        *last = Some((Instant::now(), is_ready));
        is_ready
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures_util::future::join_all;

    use super::*;
    use crate::error::Error;

    #[tokio::test(start_paused = true)]
    async fn many_questions_are_one_check_and_a_later_one_is_another() {
        let (readiness, checks) = (Readiness::default(), AtomicUsize::new(0));
        let ping = |result: Result<()>| async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            checks.fetch_add(1, Ordering::Relaxed);
            result
        };
        let answers = join_all((0..1_000).map(|_| readiness.check(ping(Ok(()))))).await;
        assert!(answers.into_iter().all(|is_ready| is_ready));
        assert_eq!(checks.load(Ordering::Relaxed), 1);
        tokio::time::advance(MAX_AGE).await;
        assert!(!readiness.check(ping(Err(Error::unavailable("closed", MAX_AGE)))).await);
        assert!(!readiness.check(ping(Ok(()))).await, "the last answer is kept for a moment");
        assert_eq!(checks.load(Ordering::Relaxed), 2);
    }
}
