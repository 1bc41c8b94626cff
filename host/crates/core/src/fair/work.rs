//! Background work of one kind: several items at once, a few of each tenant, tenants in turn.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::{StreamExt as _, stream};
use tokio_util::sync::CancellationToken;

use crate::fair::{FairLimiter, Permits, WaitingLimits};
use crate::id::TenantId;

/// How long an item waits for its turn. After that, a later round finds it again.
const MAX_WAIT: Duration = Duration::from_secs(60);

/// Limits how many items of background work are in progress at once.
pub struct WorkLimiter {
    limiter: Arc<FairLimiter>,
    tenant: usize,
    stop: CancellationToken,
}

impl WorkLimiter {
    /// Creates a limiter for `total` items at once, of which `tenant` are one tenant's. None begins after `stop`.
    #[must_use]
    pub fn new(total: usize, tenant: usize, stop: CancellationToken) -> Self {
        let permits = Permits { shared: total, tenant, host: 0 };
        // Each tenant has no more waiting items than it may have in progress.
        let waiting = WaitingLimits {
            tenants: usize::MAX,
            host: 0,
            message: "the host's work for this tenant was not begun",
        };
        Self { limiter: FairLimiter::new(permits, waiting), tenant, stop }
    }

    /// Works on items of a tenant. Returns for how many `work` returned true.
    pub async fn for_each<T, F, W>(&self, tenant: TenantId, items: Vec<T>, work: W) -> usize
    where
        F: Future<Output = bool>,
        W: Fn(T) -> F,
    {
        let (limiter, stop, work) = (&self.limiter, &self.stop, &work);
        let in_turn = items.into_iter().map(|item| async move {
            let turn = limiter.acquire(tenant, Instant::now() + MAX_WAIT);
            match stop.run_until_cancelled(turn).await {
                Some(Ok(_permit)) if !stop.is_cancelled() => work(item).await,
                _ => false,
            }
        });
        let results = stream::iter(in_turn).buffer_unordered(self.tenant);
        results.fold(0, |count, done| std::future::ready(count + usize::from(done))).await
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn item_of_another_tenant_is_not_delayed_by_a_backlog() {
        let work = WorkLimiter::new(4, 2, CancellationToken::new());
        let (greedy, other) = (TenantId::generate(), TenantId::generate());
        let (running, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let slow = |_| async {
            most.fetch_max(running.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
            tokio::time::sleep(Duration::from_secs(1)).await;
            running.fetch_sub(1, Ordering::Relaxed);
            true
        };
        let started_at = tokio::time::Instant::now();
        let others = async {
            tokio::task::yield_now().await;
            work.for_each(other, vec![0], |_| async { true }).await;
            started_at.elapsed()
        };
        let (done, waited) = tokio::join!(work.for_each(greedy, (0..10).collect(), slow), others);
        assert_eq!((done, most.into_inner()), (10, 2));
        assert_eq!(waited, Duration::ZERO);
        assert_eq!(started_at.elapsed(), Duration::from_secs(5));
    }

    #[tokio::test(start_paused = true)]
    async fn items_in_progress_end_and_no_further_ones_begin_after_a_stop() {
        let stop = CancellationToken::new();
        let work = WorkLimiter::new(4, 2, stop.clone());
        let slow = |_| async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            true
        };
        let started_at = tokio::time::Instant::now();
        let stopping = async {
            tokio::time::sleep(Duration::from_millis(1_500)).await;
            stop.cancel();
        };
        let items = (0..10).collect();
        let (done, ()) = tokio::join!(work.for_each(TenantId::generate(), items, slow), stopping);
        assert_eq!((done, started_at.elapsed()), (4, Duration::from_secs(2)));
    }
}
