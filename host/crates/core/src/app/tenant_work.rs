//! Background work by tenant. Each tenant with work has a task, so that tenants do not wait for each other. The number of
//! tasks is bounded, and tenants get them in turn.

use std::collections::HashSet;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::error::Result;
use crate::fair::WorkLimiter;
use crate::id::TenantId;
use crate::ports::{DueWork, Store, TenantPage};

/// The most tasks of one kind of work. Each reads from the store before its items wait for their turns; the kinds that
/// read as the host, holds and purges, take at most half of the host's places there.
const MAX_TASKS: usize = 256;

/// How many tenants are examined in one read of the store.
const PAGE: u32 = 256;

/// The lease under which one host at a time does the work.
pub(super) struct Lease {
    /// Its name.
    pub(super) name: &'static str,
    /// The host.
    pub(super) holder: String,
    /// How long it lasts; longer than the interval of the rounds.
    pub(super) span: Duration,
}

/// The schedule of one kind of work.
pub(super) struct Schedule {
    /// The kind.
    pub(super) work: DueWork,
    /// The interval of the rounds that look for tenants with work.
    pub(super) interval: Duration,
    /// The lease; `None` for work that all hosts do.
    pub(super) lease: Option<Lease>,
    /// How many items are in progress at once, and how many of one tenant.
    pub(super) at_once: (usize, usize),
}

/// The tenants whose tasks are running.
type Busy = Arc<Mutex<HashSet<TenantId>>>;

/// The tasks of one kind of work.
struct Tasks {
    work: DueWork,
    limiter: Arc<WorkLimiter>,
    slots: Arc<Semaphore>,
    busy: Busy,
    running: TaskTracker,
    stop: CancellationToken,
    /// The tenant whose task was started last.
    last: Option<TenantId>,
}

impl Schedule {
    /// Looks for tenants with work until cancelled, at the latest when `wake` is signalled, and starts a task for each
    /// that has none. A task repeats `round` while it returns that there may be more.
    pub(super) async fn run<F, R>(
        self,
        store: &Arc<dyn Store>,
        (stop, wake): (&CancellationToken, Option<&Notify>),
        round: F,
    ) where
        F: Fn(TenantId, Arc<WorkLimiter>) -> R + Clone + Send + 'static,
        R: Future<Output = Result<bool>> + Send,
    {
        let mut tasks = Tasks::new(self.work, self.at_once, MAX_TASKS, stop);
        while !stop.is_cancelled() {
            let read = |after| self.page(store.as_ref(), after);
            let all_started = tasks.start_all(read, self.interval, round.clone()).await;
            let all_started = all_started.unwrap_or_else(|error| {
                tracing::warn!(?error, work = ?self.work, "background work not found; retrying");
                true
            });
            if !all_started {
                continue;
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = woken(wake) => {}
                () = tokio::time::sleep(self.interval) => {}
            }
        }
        tasks.running.close();
        tasks.running.wait().await;
    }

    /// Returns the next page of tenants with work; `None` if there is no work, or another host does it.
    async fn page(&self, store: &dyn Store, after: Option<TenantId>) -> Result<Option<TenantPage>> {
        if let Some(Lease { name, holder, span }) = &self.lease {
            // The lease is taken only if any tenant may have work, so that an idle host writes nothing.
            let first = store.tenants_with(self.work, None, 1).await?;
            if first.next.is_none() || !store.lease(name, holder, *span).await? {
                return Ok(None);
            }
        }
        store.tenants_with(self.work, after, PAGE).await.map(Some)
    }
}

impl Tasks {
    fn new(
        work: DueWork,
        (total, tenant): (usize, usize),
        max_tasks: usize,
        stop: &CancellationToken,
    ) -> Self {
        Self {
            work,
            limiter: Arc::new(WorkLimiter::new(total, tenant, stop.clone())),
            slots: Arc::new(Semaphore::new(max_tasks)),
            busy: Busy::default(),
            running: TaskTracker::new(),
            stop: stop.clone(),
            last: None,
        }
    }

    /// Reads all pages of tenants, beginning after the tenant that was started last, and starts their tasks as slots
    /// become free. Returns false if it has waited for slots for so long that the tenants should be read again.
    async fn start_all<P, Q, F, R>(&mut self, read: P, max_wait: Duration, round: F) -> Result<bool>
    where
        P: Fn(Option<TenantId>) -> Q,
        Q: Future<Output = Result<Option<TenantPage>>>,
        F: Fn(TenantId, Arc<WorkLimiter>) -> R + Clone + Send + 'static,
        R: Future<Output = Result<bool>> + Send,
    {
        let first = self.last;
        let (mut after, mut is_second_part) = (first, false);
        while let Some(page) = read(after).await? {
            let stop = self.stop.clone();
            let started = self.start(page.tenants, round.clone());
            let started = stop.run_until_cancelled(tokio::time::timeout(max_wait, started)).await;
            if !matches!(started, Some(Ok(()))) {
                return Ok(false);
            }
            match page.next {
                Some(next) if is_second_part && Some(next) >= first => break,
                None if is_second_part || first.is_none() => break,
                // The tenants up to the first one are left.
                None => is_second_part = true,
                Some(_) => {}
            }
            after = page.next;
        }
        Ok(true)
    }

    /// Starts the tasks of tenants as slots become free. Cancel safe.
    async fn start<F, R>(&mut self, tenants: Vec<TenantId>, round: F)
    where
        F: Fn(TenantId, Arc<WorkLimiter>) -> R + Clone + Send + 'static,
        R: Future<Output = Result<bool>> + Send,
    {
        for tenant in tenants {
            let Some(guard) = BusyGuard::enter(&self.busy, tenant) else { continue };
            let Ok(slot) = Arc::clone(&self.slots).acquire_owned().await else { return };
            self.last = Some(tenant);
            let (round, limiter, stop) = (round.clone(), Arc::clone(&self.limiter), self.stop.clone());
            let (work, slots) = (self.work, Arc::clone(&self.slots));
            self.running.spawn(async move {
                let _guards = (guard, slot);
                while !stop.is_cancelled() {
                    match round(tenant, Arc::clone(&limiter)).await {
                        // Otherwise a later look-up finds the rest: other tenants may wait for the slot.
                        Ok(true) if slots.available_permits() > 0 => {}
                        Ok(_) => return,
                        Err(error) => {
                            tracing::warn!(?error, ?work, %tenant, "background work failed; retrying");
                            return;
                        }
                    }
                }
            });
        }
    }
}

async fn woken(wake: Option<&Notify>) {
    match wake {
        Some(wake) => wake.notified().await,
        None => std::future::pending().await,
    }
}

/// Marks a tenant as busy until this is dropped.
struct BusyGuard {
    busy: Busy,
    tenant: TenantId,
}

impl BusyGuard {
    /// Returns `None` if the tenant is busy already.
    fn enter(busy: &Busy, tenant: TenantId) -> Option<Self> {
        locked(busy).insert(tenant).then(|| Self { busy: Arc::clone(busy), tenant })
    }
}

impl Drop for BusyGuard {
    fn drop(&mut self) {
        locked(&self.busy).remove(&self.tenant);
    }
}

fn locked(busy: &Busy) -> MutexGuard<'_, HashSet<TenantId>> {
    busy.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn tasks_are_bounded_and_tenants_have_them_in_turn() {
        let mut tenants: Vec<_> = (0..5).map(|_| TenantId::generate()).collect();
        tenants.sort_unstable();
        let stop = CancellationToken::new();
        let mut tasks = Tasks::new(DueWork::Timers, (8, 1), 2, &stop);
        let rounds = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&rounds);
        // There is always more to do.
        let round = move |tenant, _| {
            log.lock().unwrap().push(tenant);
            async {
                tokio::time::sleep(Duration::from_secs(1)).await;
                Ok(true)
            }
        };
        // Pages of two.
        let read = |after| {
            let rest: Vec<_> = tenants.iter().copied().filter(|tenant| Some(*tenant) > after).collect();
            let next = rest.get(1).copied();
            let page = TenantPage { tenants: rest.into_iter().take(2).collect(), next };
            std::future::ready(Ok(Some(page)))
        };
        for _ in 0..12 {
            let max_wait = Duration::from_millis(700);
            assert!(!tasks.start_all(read, max_wait, round.clone()).await.unwrap());
            assert!(tasks.running.len() <= 2, "{} tasks", tasks.running.len());
        }
        let rounds = rounds.lock().unwrap().clone();
        assert!(rounds.len() >= 10, "{} rounds", rounds.len());
        let in_turn: Vec<_> = tenants.iter().copied().cycle().take(rounds.len()).collect();
        assert_eq!(rounds, in_turn);
        stop.cancel();
    }
}
