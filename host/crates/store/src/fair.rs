//! Queues that take tenants in turn, so that one tenant's backlog does not hold up another's request.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tessera_core::id::TenantId;
use tessera_core::{Error, Result};
use tokio::sync::{Notify, oneshot};

/// How many may wait in one queue.
pub(crate) const MAX_WAITING: usize = 4_096;

/// How long somebody waits for a connection.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);

/// The host's own requests take their turn as if they were a tenant's.
pub(crate) const HOST: TenantId = TenantId(uuid::Uuid::nil());

/// So many wait that another is refused.
pub(crate) fn crowded() -> Error {
    let message = "too many requests wait for the database; try again a little later";
    Error::unavailable(message, Duration::from_secs(1))
}

/// Entries by tenant; each tenant's in their order, the tenants in turn.
struct Turns<T> {
    lanes: HashMap<TenantId, VecDeque<T>>,
    order: VecDeque<TenantId>,
    len: usize,
}

impl<T> Turns<T> {
    fn new() -> Self {
        Self { lanes: HashMap::new(), order: VecDeque::new(), len: 0 }
    }

    fn push(&mut self, tenant: TenantId, entry: T) -> Result<()> {
        if self.len >= MAX_WAITING {
            return Err(crowded());
        }
        let lane = self.lanes.entry(tenant).or_default();
        if lane.is_empty() {
            self.order.push_back(tenant);
        }
        lane.push_back(entry);
        self.len += 1;
        Ok(())
    }

    fn pop(&mut self) -> Option<T> {
        let tenant = self.order.pop_front()?;
        let lane = self.lanes.get_mut(&tenant)?;
        let entry = lane.pop_front();
        if lane.is_empty() {
            self.lanes.remove(&tenant);
        } else {
            self.order.push_back(tenant);
        }
        self.len -= usize::from(entry.is_some());
        entry
    }
}

/// What waits for the writer.
pub(crate) struct FairQueue<T> {
    state: Mutex<Waiting<T>>,
    ready: Notify,
}

struct Waiting<T> {
    turns: Turns<T>,
    closed: bool,
}

impl<T> FairQueue<T> {
    pub(crate) fn new() -> Self {
        let state = Waiting { turns: Turns::new(), closed: false };
        Self { state: Mutex::new(state), ready: Notify::new() }
    }

    /// Puts an entry behind the tenant's others.
    pub(crate) fn push(&self, tenant: TenantId, entry: T) -> Result<()> {
        let mut state = locked(&self.state);
        if state.closed {
            return Err(crate::error::away_for("the store is closed"));
        }
        state.turns.push(tenant, entry)?;
        drop(state);
        self.ready.notify_one();
        Ok(())
    }

    /// The next entries, at least one and at most `max`; waits for them. None when the queue is closed
    /// and nothing is left in it.
    pub(crate) async fn pop(&self, max: usize) -> Option<Vec<T>> {
        loop {
            let ready = self.ready.notified();
            {
                let mut state = locked(&self.state);
                let mut taken = Vec::new();
                while taken.len() < max
                    && let Some(entry) = state.turns.pop()
                {
                    taken.push(entry);
                }
                if !taken.is_empty() {
                    return Some(taken);
                }
                if state.closed {
                    return None;
                }
            }
            ready.await;
        }
    }

    /// Takes nothing more.
    pub(crate) fn close(&self) {
        locked(&self.state).closed = true;
        self.ready.notify_one();
    }

    /// Takes nothing more and drops what waits.
    pub(crate) fn abandon(&self) {
        let mut state = locked(&self.state);
        state.closed = true;
        state.turns = Turns::new();
    }
}

/// Lets a number of requests through at a time, for as many connections as there are.
pub(crate) struct Gate {
    state: Mutex<Free>,
}

struct Free {
    free: usize,
    turns: Turns<oneshot::Sender<Permit>>,
}

/// A place behind the gate, until it is dropped.
pub(crate) struct Permit(Option<Arc<Gate>>);

impl Gate {
    pub(crate) fn new(places: usize) -> Arc<Self> {
        Arc::new(Self { state: Mutex::new(Free { free: places, turns: Turns::new() }) })
    }

    /// Waits for a place, in turn with the other tenants.
    pub(crate) async fn enter(self: &Arc<Self>, tenant: TenantId) -> Result<Permit> {
        let waiting = {
            let mut state = locked(&self.state);
            if state.free > 0 {
                state.free -= 1;
                return Ok(Permit(Some(Arc::clone(self))));
            }
            let (sender, receiver) = oneshot::channel();
            state.turns.push(tenant, sender)?;
            receiver
        };
        match tokio::time::timeout(PATIENCE, waiting).await {
            Ok(Ok(permit)) => Ok(permit),
            Ok(Err(_)) | Err(_) => Err(crate::error::away_for("no connection became free in time")),
        }
    }
}

impl Drop for Permit {
    /// Hands the place on to the next that still waits.
    fn drop(&mut self) {
        let Some(gate) = self.0.take() else { return };
        loop {
            let next = {
                let mut state = locked(&gate.state);
                let next = state.turns.pop();
                state.free += usize::from(next.is_none());
                next
            };
            let Some(next) = next else { return };
            match next.send(Self(Some(Arc::clone(&gate)))) {
                Ok(()) => return,
                // Nobody waits there any more: this place is still to be handed on.
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
    async fn tenants_are_taken_in_turn_and_each_in_its_order() {
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
    async fn a_full_queue_refuses_and_a_closed_one_is_emptied_first() {
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
    async fn who_waits_is_woken() {
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
    async fn a_place_goes_to_the_next_tenant_in_turn_and_past_those_who_left() {
        let (a, b) = (TenantId::generate(), TenantId::generate());
        let gate = Gate::new(1);
        let held = gate.enter(a).await.unwrap();
        let wait = |tenant, said: &'static str| {
            let gate = Arc::clone(&gate);
            tokio::spawn(async move { gate.enter(tenant).await.map(|permit| (said, permit)).unwrap() })
        };
        let (left, second) = (wait(a, "left"), wait(a, "second"));
        tokio::task::yield_now().await;
        let other = wait(b, "other");
        tokio::task::yield_now().await;
        left.abort();
        let _ = left.await;
        drop(held);
        let (said, permit) = tokio::select! {
            first = other => first.unwrap(),
            () = tokio::time::sleep(Duration::from_secs(2)) => panic!("the other tenant waits for ever"),
        };
        assert_eq!(said, "other");
        drop(permit);
        assert_eq!(second.await.unwrap().0, "second");
        assert!(gate.enter(b).await.is_ok());
    }
}
