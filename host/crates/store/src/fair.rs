//! Fair queues: tenants are served in turn, so that one tenant's backlog does not delay another's request.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tessera_core::id::TenantId;
use tessera_core::{Error, Result};
use tokio::sync::{Notify, oneshot};

/// Maximum number of waiting entries in one queue.
pub(crate) const MAX_WAITING: usize = 4_096;

/// Timeout for acquiring a connection.
pub(crate) const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);

/// Tenant id of the host's own requests, which take turns as a tenant's.
pub(crate) const HOST: TenantId = TenantId(uuid::Uuid::nil());

/// Error for a full queue.
pub(crate) fn queue_full() -> Error {
    let message = "too many requests wait for the database; try again later";
    Error::unavailable(message, Duration::from_secs(1))
}

/// Entries by tenant, in order for each tenant, and tenants in turn.
struct RoundRobin<T> {
    queues: HashMap<TenantId, VecDeque<T>>,
    order: VecDeque<TenantId>,
    len: usize,
}

impl<T> RoundRobin<T> {
    fn new() -> Self {
        Self { queues: HashMap::new(), order: VecDeque::new(), len: 0 }
    }

    fn push(&mut self, tenant: TenantId, entry: T) -> Result<()> {
        if self.len >= MAX_WAITING {
            return Err(queue_full());
        }
        let queue = self.queues.entry(tenant).or_default();
        if queue.is_empty() {
            self.order.push_back(tenant);
        }
        queue.push_back(entry);
        self.len += 1;
        Ok(())
    }

    fn pop(&mut self) -> Option<T> {
        let tenant = self.order.pop_front()?;
        let queue = self.queues.get_mut(&tenant)?;
        let entry = queue.pop_front();
        if queue.is_empty() {
            self.queues.remove(&tenant);
        } else {
            self.order.push_back(tenant);
        }
        self.len -= usize::from(entry.is_some());
        entry
    }
}

/// Queue of the writer.
pub(crate) struct FairQueue<T> {
    state: Mutex<QueueState<T>>,
    ready: Notify,
}

struct QueueState<T> {
    entries: RoundRobin<T>,
    closed: bool,
}

impl<T> FairQueue<T> {
    pub(crate) fn new() -> Self {
        let state = QueueState { entries: RoundRobin::new(), closed: false };
        Self { state: Mutex::new(state), ready: Notify::new() }
    }

    /// Adds an entry at the end of the tenant's queue.
    pub(crate) fn push(&self, tenant: TenantId, entry: T) -> Result<()> {
        let mut state = locked(&self.state);
        if state.closed {
            return Err(crate::error::unavailable_because("the store is closed"));
        }
        state.entries.push(tenant, entry)?;
        drop(state);
        self.ready.notify_one();
        Ok(())
    }

    /// Waits for entries and returns at least one and at most `max`, or `None` when the queue is closed and empty.
    pub(crate) async fn pop(&self, max: usize) -> Option<Vec<T>> {
        loop {
            let ready = self.ready.notified();
            {
                let mut state = locked(&self.state);
                let mut entries = Vec::new();
                while entries.len() < max
                    && let Some(entry) = state.entries.pop()
                {
                    entries.push(entry);
                }
                if !entries.is_empty() {
                    return Some(entries);
                }
                if state.closed {
                    return None;
                }
            }
            ready.await;
        }
    }

    /// Refuses further entries.
    pub(crate) fn close(&self) {
        locked(&self.state).closed = true;
        self.ready.notify_one();
    }

    /// Refuses further entries and drops the waiting ones.
    pub(crate) fn abandon(&self) {
        let mut state = locked(&self.state);
        state.closed = true;
        state.entries = RoundRobin::new();
    }
}

/// Limits the number of concurrent requests to that of the connections.
pub(crate) struct Limiter {
    state: Mutex<LimiterState>,
}

struct LimiterState {
    free: usize,
    entries: RoundRobin<oneshot::Sender<Permit>>,
}

/// Permit of a limiter, returned when it is dropped.
pub(crate) struct Permit(Option<Arc<Limiter>>);

impl Limiter {
    pub(crate) fn new(permits: usize) -> Arc<Self> {
        Arc::new(Self { state: Mutex::new(LimiterState { free: permits, entries: RoundRobin::new() }) })
    }

    /// Waits for a permit, in turn with the other tenants.
    pub(crate) async fn acquire(self: &Arc<Self>, tenant: TenantId) -> Result<Permit> {
        let waiting = {
            let mut state = locked(&self.state);
            if state.free > 0 {
                state.free -= 1;
                return Ok(Permit(Some(Arc::clone(self))));
            }
            let (sender, receiver) = oneshot::channel();
            state.entries.push(tenant, sender)?;
            receiver
        };
        match tokio::time::timeout(ACQUIRE_TIMEOUT, waiting).await {
            Ok(Ok(permit)) => Ok(permit),
            Ok(Err(_)) | Err(_) => {
                Err(crate::error::unavailable_because("no connection became free in time"))
            }
        }
    }
}

impl Drop for Permit {
    /// Passes the permit on to the next waiting request.
    fn drop(&mut self) {
        let Some(limiter) = self.0.take() else { return };
        loop {
            let next = {
                let mut state = locked(&limiter.state);
                let next = state.entries.pop();
                state.free += usize::from(next.is_none());
                next
            };
            let Some(next) = next else { return };
            match next.send(Self(Some(Arc::clone(&limiter)))) {
                Ok(()) => return,
                // That request was cancelled: pass the permit on to the next one.
                Err(mut permit) => drop(permit.0.take()),
            }
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn queue_serves_tenants_in_turn() {
        let (a, b) = (TenantId::generate(), TenantId::generate());
        let queue = FairQueue::new();
        for entry in ["a1", "a2", "a3"] {
            queue.push(a, entry).unwrap();
        }
        queue.push(b, "b1").unwrap();
        assert_eq!(queue.pop(2).await.unwrap(), ["a1", "b1"]);
        assert_eq!(queue.pop(9).await.unwrap(), ["a2", "a3"]);
    }

    #[tokio::test]
    async fn full_queue_refuses_and_closed_queue_is_drained() {
        let tenant = TenantId::generate();
        let queue = FairQueue::new();
        for entry in 0..MAX_WAITING {
            queue.push(tenant, entry).unwrap();
        }
        assert_eq!(queue.push(tenant, 0).unwrap_err().reason(), "UNAVAILABLE");
        queue.close();
        assert_eq!(queue.pop(usize::MAX).await.unwrap().len(), MAX_WAITING);
        assert!(queue.pop(1).await.is_none());
        assert!(queue.push(tenant, 0).is_err());
    }

    #[tokio::test]
    async fn push_wakes_a_waiting_pop() {
        let queue = Arc::new(FairQueue::new());
        let popped = tokio::spawn({
            let queue = Arc::clone(&queue);
            async move { queue.pop(1).await }
        });
        tokio::task::yield_now().await;
        queue.push(TenantId::generate(), 7).unwrap();
        assert_eq!(popped.await.unwrap(), Some(vec![7]));
    }

    #[tokio::test]
    async fn permit_goes_to_the_next_tenant_and_skips_cancelled_requests() {
        let (a, b) = (TenantId::generate(), TenantId::generate());
        let limiter = Limiter::new(1);
        let permit_a = limiter.acquire(a).await.unwrap();
        let wait = |tenant, name: &'static str| {
            let limiter = Arc::clone(&limiter);
            tokio::spawn(async move { limiter.acquire(tenant).await.map(|permit| (name, permit)).unwrap() })
        };
        let (left, second) = (wait(a, "left"), wait(a, "second"));
        tokio::task::yield_now().await;
        let other = wait(b, "other");
        tokio::task::yield_now().await;
        left.abort();
        let _ = left.await;
        drop(permit_a);
        let (name, permit) = tokio::select! {
            first = other => first.unwrap(),
            () = tokio::time::sleep(Duration::from_secs(2)) => panic!("the other tenant got no permit"),
        };
        assert_eq!(name, "other");
        drop(permit);
        assert_eq!(second.await.unwrap().0, "second");
        assert!(limiter.acquire(b).await.is_ok());
    }
}
