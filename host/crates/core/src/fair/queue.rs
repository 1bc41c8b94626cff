//! A queue with one consumer, which takes several entries at a time.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use crate::error::{Error, Result};
use crate::fair::owner_queues::OwnerQueues;
use crate::fair::{Owner, WaitingLimits};

/// A bounded queue that serves tenants in turn.
pub struct FairQueue<T> {
    limits: WaitingLimits,
    state: Mutex<State<T>>,
    ready: Notify,
}

struct State<T> {
    queues: OwnerQueues<T>,
    closed: bool,
}

impl<T> FairQueue<T> {
    /// Creates an empty queue.
    #[must_use]
    pub fn new(limits: WaitingLimits) -> Self {
        let state = State { queues: OwnerQueues::new(limits), closed: false };
        Self { limits, state: Mutex::new(state), ready: Notify::new() }
    }

    /// Adds an entry at the end of its owner's queue.
    pub fn push(&self, owner: Owner, cost: u64, entry: T) -> Result<()> {
        let mut state = self.lock();
        if state.closed {
            return Err(Error::unavailable("the host is shutting down", Duration::from_secs(1)));
        }
        state.queues.push(owner, cost, entry)?;
        drop(state);
        self.ready.notify_one();
        Ok(())
    }

    /// Waits for entries. Returns at least one, and further ones while there are at most `max` with at most `max_cost`
    /// together; `None` when the queue is closed and empty.
    pub async fn pop(&self, max: usize, max_cost: u64) -> Option<Vec<T>> {
        loop {
            let ready = self.ready.notified();
            {
                let mut state = self.lock();
                let entries = take(&mut state.queues, max, max_cost);
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
    pub fn close(&self) {
        self.lock().closed = true;
        self.ready.notify_one();
    }

    /// Refuses further entries and drops the waiting ones.
    pub fn abandon(&self) {
        let mut state = self.lock();
        state.closed = true;
        state.queues = OwnerQueues::new(self.limits);
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn take<T>(queues: &mut OwnerQueues<T>, max: usize, max_cost: u64) -> Vec<T> {
    let (mut entries, mut total) = (Vec::new(), 0_u64);
    while entries.len() < max {
        let fits = |cost: u64| entries.is_empty() || total.saturating_add(cost) <= max_cost;
        let Some((_, cost, entry)) = queues.pop(|_| true, fits) else { break };
        total = total.saturating_add(cost);
        entries.push(entry);
    }
    entries
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::id::TenantId;

    const ALL: u64 = u64::MAX;

    fn queue<T>(tenants: usize) -> FairQueue<T> {
        FairQueue::new(WaitingLimits { tenants, host: 1, message: "too many wait" })
    }

    fn tenant() -> Owner {
        Owner::Tenant(TenantId::generate())
    }

    #[tokio::test]
    async fn queue_serves_tenants_in_turn() {
        let (a, b) = (tenant(), tenant());
        let queue = queue(64);
        for entry in ["a1", "a2", "a3"] {
            queue.push(a, 1, entry).unwrap();
        }
        queue.push(b, 1, "b1").unwrap();
        assert_eq!(queue.pop(2, ALL).await.unwrap(), ["a1", "b1"]);
        assert_eq!(queue.pop(9, ALL).await.unwrap(), ["a2", "a3"]);
    }

    #[tokio::test]
    async fn tenant_with_costly_entries_waits_until_others_had_as_much() {
        let (heavy, light) = (tenant(), tenant());
        let queue = queue(64);
        for entry in ["h1", "h2"] {
            queue.push(heavy, 3, entry).unwrap();
        }
        for entry in ["l1", "l2", "l3", "l4"] {
            queue.push(light, 1, entry).unwrap();
        }
        assert_eq!(queue.pop(9, ALL).await.unwrap(), ["h1", "l1", "l2", "l3", "h2", "l4"]);
    }

    #[tokio::test]
    async fn returning_tenant_keeps_its_turn() {
        let (heavy, light) = (tenant(), tenant());
        let queue = queue(64);
        queue.push(heavy, 3, "h1").unwrap();
        for entry in ["l1", "l2", "l3", "l4", "l5"] {
            queue.push(light, 1, entry).unwrap();
        }
        assert_eq!(queue.pop(2, ALL).await.unwrap(), ["h1", "l1"]);
        queue.push(heavy, 3, "h2").unwrap();
        assert_eq!(queue.pop(9, ALL).await.unwrap(), ["l2", "l3", "h2", "l4", "l5"]);
    }

    #[tokio::test]
    async fn newcomers_do_not_delay_a_second_turn() {
        let (staying, queue) = (tenant(), queue(64));
        queue.push(staying, 1, "s1").unwrap();
        queue.push(staying, 1, "s2").unwrap();
        queue.push(tenant(), 1, "n1").unwrap();
        assert_eq!(queue.pop(2, ALL).await.unwrap(), ["s1", "n1"]);
        queue.push(tenant(), 1, "n2").unwrap();
        queue.push(tenant(), 1, "n3").unwrap();
        assert_eq!(queue.pop(9, ALL).await.unwrap(), ["s2", "n2", "n3"]);
    }

    #[tokio::test]
    async fn entries_of_one_pop_are_limited_by_cost() {
        let queue = queue(64);
        let tenant = tenant();
        for cost in [50, 60, 40, 60] {
            queue.push(tenant, cost, cost).unwrap();
        }
        assert_eq!(queue.pop(9, 100).await.unwrap(), [50]);
        assert_eq!(queue.pop(9, 100).await.unwrap(), [60, 40]);
        assert_eq!(queue.pop(9, 10).await.unwrap(), [60]);
    }

    #[tokio::test]
    async fn full_queue_admits_other_tenants_and_the_host_and_is_drained_when_closed() {
        let (greedy, other) = (tenant(), tenant());
        let queue = queue(8);
        let accepted = (0..9).filter(|entry| queue.push(greedy, 1, *entry).is_ok()).count();
        assert_eq!(accepted, 4);
        let refused = queue.push(greedy, 1, 0).unwrap_err();
        assert_eq!((refused.reason(), refused.message()), ("UNAVAILABLE", "too many wait"));
        assert!(refused.retry_after().is_some());
        queue.push(other, 1, 10).unwrap();
        queue.push(Owner::Host, 1, 11).unwrap();
        queue.close();
        assert!(queue.push(other, 1, 0).is_err());
        assert_eq!(queue.pop(usize::MAX, ALL).await.unwrap().len(), 6);
        assert!(queue.pop(1, ALL).await.is_none());
    }

    #[tokio::test]
    async fn push_wakes_a_waiting_pop() {
        let queue = Arc::new(queue(8));
        let popped = tokio::spawn({
            let queue = Arc::clone(&queue);
            async move { queue.pop(1, ALL).await }
        });
        tokio::task::yield_now().await;
        queue.push(tenant(), 1, 7).unwrap();
        assert_eq!(popped.await.unwrap(), Some(vec![7]));
    }
}
