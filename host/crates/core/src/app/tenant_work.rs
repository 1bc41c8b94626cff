//! Background work by tenant. Each tenant with work has a task, so that tenants do not wait for each other.

use std::collections::HashSet;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::error::Result;
use crate::fair::WorkLimiter;
use crate::id::TenantId;
use crate::ports::{DueWork, Store};

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
        let (total, tenant) = self.at_once;
        let limiter = Arc::new(WorkLimiter::new(total, tenant));
        let (busy, tasks) = (Busy::default(), TaskTracker::new());
        while !stop.is_cancelled() {
            match self.due(store.as_ref()).await {
                Ok(tenants) => {
                    for tenant in tenants {
                        let Some(guard) = BusyGuard::enter(&busy, tenant) else { continue };
                        let (round, limiter, stop) = (round.clone(), Arc::clone(&limiter), stop.clone());
                        let work = self.work;
                        tasks.spawn(async move {
                            let _guard = guard;
                            while !stop.is_cancelled() {
                                match round(tenant, Arc::clone(&limiter)).await {
                                    Ok(true) => {}
                                    Ok(false) => return,
                                    Err(error) => {
                                        tracing::warn!(?error, ?work, %tenant, "background work failed; retrying");
                                        return;
                                    }
                                }
                            }
                        });
                    }
                }
                Err(error) => {
                    tracing::warn!(?error, work = ?self.work, "background work not found; retrying")
                }
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = woken(wake) => {}
                () = tokio::time::sleep(self.interval) => {}
            }
        }
        tasks.close();
        tasks.wait().await;
    }

    /// Returns the tenants with work, if this host is to do it.
    async fn due(&self, store: &dyn Store) -> Result<Vec<TenantId>> {
        let tenants = store.tenants_with(self.work).await?;
        // Only with work to do, so that an idle host writes nothing.
        if let Some(Lease { name, holder, span }) = &self.lease
            && (tenants.is_empty() || !store.lease(name, holder, *span).await?)
        {
            return Ok(Vec::new());
        }
        Ok(tenants)
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
