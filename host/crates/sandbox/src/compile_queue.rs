//! Turns of compilations: a limit for the host, one at a time for each tenant, and tenants in turn.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tessera_core::id::TenantId;
use tokio::sync::oneshot;

/// The most compilations of one tenant that wait.
const MAX_WAITING: usize = 32;

/// Compilations that run and that wait.
pub(crate) struct CompileQueue {
    /// The most that run at once.
    limit: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The tenants of the compilations that run; `None`: the host itself.
    running: Vec<Option<TenantId>>,
    /// The compilations that wait, by tenant, in the order of their turns.
    waiting: VecDeque<(Option<TenantId>, VecDeque<oneshot::Sender<CompilePermit>>)>,
}

/// A running compilation's place, free again when this is dropped.
pub(crate) struct CompilePermit(Option<(Arc<CompileQueue>, Option<TenantId>)>);

impl CompileQueue {
    /// Creates a queue from which up to `limit` compilations run at once.
    pub(crate) fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self { limit: limit.max(1), state: Mutex::default() })
    }

    /// Waits for the tenant's turn, or the host's own; returns `None` if it did not come before the deadline, or if too
    /// many of the tenant's wait already.
    pub(crate) async fn acquire(
        self: &Arc<Self>,
        tenant: Option<TenantId>,
        deadline: Instant,
    ) -> Option<CompilePermit> {
        let turn = self.lock().enter(tenant)?;
        self.start_next();
        tokio::time::timeout_at(deadline.into(), turn).await.ok()?.ok()
    }

    /// Lets compilations begin while there are places.
    fn start_next(self: &Arc<Self>) {
        loop {
            let Some((tenant, turn)) = self.lock().next(self.limit) else { return };
            let Err(mut permit) = turn.send(CompilePermit(Some((Arc::clone(self), tenant)))) else {
                continue;
            };
            // Its caller is gone.
            permit.0 = None;
            self.lock().leave(tenant);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Adds a compilation at the end of the tenant's own queue.
    fn enter(&mut self, tenant: Option<TenantId>) -> Option<oneshot::Receiver<CompilePermit>> {
        let (turn, receiver) = oneshot::channel();
        let Some((_, turns)) = self.waiting.iter_mut().find(|(other, _)| *other == tenant) else {
            self.waiting.push_back((tenant, [turn].into()));
            return Some(receiver);
        };
        turns.retain(|turn| !turn.is_closed());
        if turns.len() >= MAX_WAITING {
            return None;
        }
        turns.push_back(turn);
        Some(receiver)
    }

    /// Takes the next compilation that may run, and counts it as running.
    fn next(&mut self, limit: usize) -> Option<(Option<TenantId>, oneshot::Sender<CompilePermit>)> {
        if self.running.len() >= limit {
            return None;
        }
        let may_run =
            |(tenant, _): &(Option<TenantId>, _)| tenant.is_none() || !self.running.contains(tenant);
        let place = self.waiting.iter().position(may_run)?;
        let (tenant, mut turns) = self.waiting.remove(place)?;
        let turn = turns.pop_front()?;
        if !turns.is_empty() {
            self.waiting.push_back((tenant, turns));
        }
        self.running.push(tenant);
        Some((tenant, turn))
    }

    fn leave(&mut self, tenant: Option<TenantId>) {
        if let Some(place) = self.running.iter().position(|other| *other == tenant) {
            self.running.swap_remove(place);
        }
    }
}

impl Drop for CompilePermit {
    fn drop(&mut self) {
        if let Some((queue, tenant)) = self.0.take() {
            queue.lock().leave(tenant);
            queue.start_next();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::{Pin, pin};
    use std::task::{Context, Poll, Waker};
    use std::time::Duration;

    use super::*;

    fn later() -> Instant {
        Instant::now() + Duration::from_secs(60)
    }

    fn poll<T>(future: Pin<&mut impl Future<Output = T>>) -> Poll<T> {
        future.poll(&mut Context::from_waker(Waker::noop()))
    }

    #[tokio::test]
    async fn a_tenant_compiles_one_at_a_time_and_the_host_as_many_as_there_are_places() {
        let queue = CompileQueue::new(3);
        let (greedy, other) = (Some(TenantId::generate()), Some(TenantId::generate()));
        let first = queue.acquire(greedy, later()).await.unwrap();
        assert!(queue.acquire(greedy, Instant::now()).await.is_none());
        let _other = queue.acquire(other, later()).await.unwrap();
        let own = queue.acquire(None, later()).await.unwrap();
        assert!(queue.acquire(None, Instant::now()).await.is_none(), "there are three places");
        drop((first, own));
        let _own = [queue.acquire(None, later()).await.unwrap(), queue.acquire(None, later()).await.unwrap()];
    }

    #[tokio::test]
    async fn tenants_take_turns_and_cancelled_compilations_are_skipped() {
        let queue = CompileQueue::new(1);
        let (a, b) = (Some(TenantId::generate()), Some(TenantId::generate()));
        let running = queue.acquire(a, later()).await.unwrap();
        let mut cancelled = Box::pin(queue.acquire(a, later()));
        let mut second = pin!(queue.acquire(a, later()));
        let mut third = pin!(queue.acquire(a, later()));
        let mut others = pin!(queue.acquire(b, later()));
        assert!(poll(cancelled.as_mut()).is_pending() && poll(second.as_mut()).is_pending());
        assert!(poll(third.as_mut()).is_pending() && poll(others.as_mut()).is_pending());
        drop(cancelled);
        drop(running);
        // The cancelled one has used the turn of its tenant.
        let permit = others.await.unwrap();
        assert!(poll(second.as_mut()).is_pending());
        drop(permit);
        let permit = second.await.unwrap();
        assert!(poll(third.as_mut()).is_pending());
        drop(permit);
        assert!(third.await.is_some());
    }

    #[tokio::test]
    async fn compilations_that_wait_are_bounded_and_cancelled_ones_leave_the_queue() {
        let queue = CompileQueue::new(1);
        let tenant = Some(TenantId::generate());
        let _running = queue.acquire(tenant, later()).await.unwrap();
        for _ in 0..MAX_WAITING * 2 {
            assert!(queue.acquire(tenant, Instant::now()).await.is_none());
        }
        let mut waiting: Vec<_> =
            (0..MAX_WAITING).map(|_| Box::pin(queue.acquire(tenant, later()))).collect();
        for wait in &mut waiting {
            assert!(poll(wait.as_mut()).is_pending());
        }
        let mut refused = pin!(queue.acquire(tenant, later()));
        assert!(matches!(poll(refused.as_mut()), Poll::Ready(None)));
        assert_eq!(queue.lock().waiting[0].1.len(), MAX_WAITING);
    }
}
