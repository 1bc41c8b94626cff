//! A limit of concurrent work, in all and for each tenant.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::oneshot;

use crate::error::Result;
use crate::fair::owner_queues::{EntryId, OwnerQueues};
use crate::fair::{Owner, WaitingLimits};

/// Numbers of permits.
#[derive(Clone, Copy, Debug)]
pub struct Permits {
    /// The permits that all tenants share.
    pub shared: usize,
    /// The most of them that one tenant, or one address, has.
    pub tenant: usize,
    /// Further permits, for the host only. The host may have any permit that is free.
    pub host: usize,
}

/// Limits concurrent work; further callers wait, tenants in turn.
pub struct FairLimiter {
    state: Mutex<State>,
}

struct State {
    running: Running,
    queues: OwnerQueues<oneshot::Sender<FairPermit>>,
}

/// The permits that are taken.
struct Running {
    permits: Permits,
    total: usize,
    owners: HashMap<Owner, usize>,
}

/// A permit, free again when this is dropped.
pub struct FairPermit(Option<(Arc<FairLimiter>, Owner)>);

/// A caller's entry while it waits for a permit. It leaves its queue when this is dropped.
struct WaitingCaller<'a> {
    limiter: &'a FairLimiter,
    owner: Owner,
    id: EntryId,
    permit: oneshot::Receiver<FairPermit>,
}

impl FairLimiter {
    /// Creates a limiter whose permits are free.
    #[must_use]
    pub fn new(permits: Permits, waiting: WaitingLimits) -> Arc<Self> {
        let running = Running { permits, total: 0, owners: HashMap::new() };
        Arc::new(Self { state: Mutex::new(State { running, queues: OwnerQueues::new(waiting) }) })
    }

    /// Waits for a permit in the owner's turn. Fails at once if too many wait, and at the deadline.
    pub async fn acquire(self: &Arc<Self>, owner: impl Into<Owner>, deadline: Instant) -> Result<FairPermit> {
        let owner = owner.into();
        let mut caller = {
            let mut state = self.lock();
            if state.queues.places.taken(owner) == 0 && state.running.may_begin(owner) {
                state.running.begin(owner);
                return Ok(FairPermit(Some((Arc::clone(self), owner))));
            }
            let (sender, permit) = oneshot::channel();
            let id = state.queues.push(owner, 1, sender)?;
            WaitingCaller { limiter: self, owner, id, permit }
        };
        if let Ok(Ok(permit)) = tokio::time::timeout_at(deadline.into(), &mut caller.permit).await {
            return Ok(permit);
        }
        let refusal = self.lock().queues.places.refuse(owner);
        Err(refusal)
    }

    /// Takes back the permit of an owner, and passes it on to the next caller.
    fn pass_on(self: &Arc<Self>, mut ended: Owner) {
        loop {
            let next = {
                let mut state = self.lock();
                state.running.end(ended);
                state.next()
            };
            let Some((owner, caller)) = next else { return };
            let Err(mut permit) = caller.send(FairPermit(Some((Arc::clone(self), owner)))) else { return };
            // Its caller has left.
            permit.0 = None;
            ended = owner;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Takes the next caller that may begin, and counts it as running.
    fn next(&mut self) -> Option<(Owner, oneshot::Sender<FairPermit>)> {
        let (owner, _, caller) = self.queues.pop(|owner| self.running.may_begin(owner), |_| true)?;
        self.running.begin(owner);
        Some((owner, caller))
    }
}

impl Running {
    fn may_begin(&self, owner: Owner) -> bool {
        let Permits { shared, tenant, host } = self.permits;
        let is_free = self.total < shared + host;
        let of_tenants = self.total - self.of(Owner::Host);
        is_free && (owner == Owner::Host || (of_tenants < shared && self.of(owner) < tenant))
    }

    fn of(&self, owner: Owner) -> usize {
        self.owners.get(&owner).copied().unwrap_or_default()
    }

    fn begin(&mut self, owner: Owner) {
        self.total += 1;
        *self.owners.entry(owner).or_default() += 1;
    }

    fn end(&mut self, owner: Owner) {
        if let Entry::Occupied(mut running) = self.owners.entry(owner) {
            self.total -= 1;
            *running.get_mut() -= 1;
            if *running.get() == 0 {
                running.remove();
            }
        }
    }
}

impl Drop for WaitingCaller<'_> {
    fn drop(&mut self) {
        // A permit that has arrived already is dropped with the receiver.
        self.limiter.lock().queues.remove(self.owner, self.id);
    }
}

impl Drop for FairPermit {
    fn drop(&mut self) {
        if let Some((limiter, owner)) = self.0.take() {
            limiter.pass_on(owner);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::{Pin, pin};
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::{Context, Poll, Waker};
    use std::time::Duration;

    use futures_util::future::join_all;

    use super::*;
    use crate::id::TenantId;

    fn limiter(shared: usize, tenant: usize, host: usize) -> Arc<FairLimiter> {
        let waiting = WaitingLimits { tenants: 8, host: 8, message: "too many wait" };
        FairLimiter::new(Permits { shared, tenant, host }, waiting)
    }

    fn tenant() -> Owner {
        Owner::Tenant(TenantId::generate())
    }

    fn later() -> Instant {
        Instant::now() + Duration::from_secs(60)
    }

    fn poll<T>(future: Pin<&mut impl Future<Output = T>>) -> Poll<T> {
        future.poll(&mut Context::from_waker(Waker::noop()))
    }

    #[tokio::test]
    async fn tenant_has_at_most_its_permits_and_the_host_has_its_own() {
        let limiter = limiter(3, 2, 1);
        let (greedy, other) = (tenant(), tenant());
        let first = limiter.acquire(greedy, later()).await.unwrap();
        let _second = limiter.acquire(greedy, later()).await.unwrap();
        let mut third = pin!(limiter.acquire(greedy, later()));
        assert!(poll(third.as_mut()).is_pending());
        let _others = limiter.acquire(other, later()).await.unwrap();
        let mut fourth = pin!(limiter.acquire(other, later()));
        assert!(poll(fourth.as_mut()).is_pending(), "the last permit is the host's");
        let host = limiter.acquire(Owner::Host, later()).await.unwrap();
        let mut more = pin!(limiter.acquire(Owner::Host, later()));
        assert!(poll(more.as_mut()).is_pending());
        drop(host);
        assert!(poll(more.as_mut()).is_ready(), "the host's permit goes to the host");
        assert!(poll(third.as_mut()).is_pending() && poll(fourth.as_mut()).is_pending());
        drop(first);
        assert!(third.await.is_ok());
    }

    #[tokio::test]
    async fn tenants_take_turns_and_cancelled_callers_leave_their_place() {
        let limiter = limiter(1, 1, 0);
        let (a, b) = (tenant(), tenant());
        let running = limiter.acquire(a, later()).await.unwrap();
        let mut cancelled = Box::pin(limiter.acquire(a, later()));
        let mut second = pin!(limiter.acquire(a, later()));
        let mut others = pin!(limiter.acquire(b, later()));
        assert!(poll(cancelled.as_mut()).is_pending() && poll(second.as_mut()).is_pending());
        assert!(poll(others.as_mut()).is_pending());
        assert_eq!(limiter.lock().queues.places.taken(a), 2);
        drop(cancelled);
        assert_eq!(limiter.lock().queues.places.taken(a), 1);
        drop(running);
        let permit = second.await.unwrap();
        assert!(poll(others.as_mut()).is_pending());
        drop(permit);
        assert!(others.await.is_ok());
        assert!(limiter.lock().running.owners.is_empty());
    }

    #[tokio::test]
    async fn permit_of_a_caller_that_left_with_it_is_passed_on() {
        let limiter = limiter(1, 1, 0);
        let (a, b) = (tenant(), tenant());
        let running = limiter.acquire(a, later()).await.unwrap();
        let mut given = Box::pin(limiter.acquire(a, later()));
        let mut waiting = pin!(limiter.acquire(b, later()));
        assert!(poll(given.as_mut()).is_pending() && poll(waiting.as_mut()).is_pending());
        drop(running);
        drop(given);
        assert!(matches!(poll(waiting.as_mut()), Poll::Ready(Ok(_))));
    }

    #[tokio::test]
    async fn flood_from_one_address_leaves_others_permits_and_places() {
        let limiter = limiter(3, 2, 0);
        let address = |number: u8| Owner::Address([10, 0, 0, number].into());
        let _running = [
            limiter.acquire(address(1), later()).await.unwrap(),
            limiter.acquire(address(1), later()).await.unwrap(),
        ];
        let mut waiting: Vec<_> = (0..4).map(|_| Box::pin(limiter.acquire(address(1), later()))).collect();
        for wait in &mut waiting {
            assert!(poll(wait.as_mut()).is_pending());
        }
        assert!(limiter.acquire(address(1), later()).await.is_err());
        let others = limiter.acquire(address(2), later()).await.unwrap();
        let mut third = pin!(limiter.acquire(address(3), later()));
        assert!(poll(third.as_mut()).is_pending());
        drop(others);
        assert!(matches!(poll(third.as_mut()), Poll::Ready(Ok(_))));
        drop(waiting);
        assert_eq!(limiter.lock().running.owners.keys().collect::<Vec<_>>(), [&address(1)]);
    }

    #[tokio::test(start_paused = true)]
    async fn callers_are_refused_when_too_many_wait_and_at_their_deadline() {
        let limiter = limiter(1, 1, 0);
        let (greedy, other) = (tenant(), tenant());
        let _running = limiter.acquire(other, later()).await.unwrap();
        let mut waiting: Vec<_> = (0..4).map(|_| Box::pin(limiter.acquire(greedy, later()))).collect();
        for wait in &mut waiting {
            assert!(poll(wait.as_mut()).is_pending());
        }
        let refused = limiter.acquire(greedy, later()).await.map(drop).unwrap_err();
        assert_eq!(refused.reason(), "UNAVAILABLE");
        let soon = tokio::time::Instant::now().into_std() + Duration::from_millis(10);
        let refused = limiter.acquire(other, soon).await.map(drop).unwrap_err();
        assert!(refused.retry_after().is_some());
        assert_eq!(limiter.lock().queues.places.taken(other), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn throughput_stays_with_many_more_callers_than_places() {
        let served = async |callers: usize| {
            let limiter = limiter(4, 4, 0);
            let (tenant, served) = (tenant(), AtomicUsize::new(0));
            let end = tokio::time::Instant::now() + Duration::from_secs(20);
            let call = async || {
                while tokio::time::Instant::now() < end {
                    let deadline = tokio::time::Instant::now().into_std() + Duration::from_secs(5);
                    match limiter.acquire(tenant, deadline).await {
                        Ok(_permit) => {
                            tokio::time::sleep(Duration::from_millis(10)).await;
                            served.fetch_add(1, Ordering::Relaxed);
                        }
                        Err(refusal) => tokio::time::sleep(refusal.retry_after().unwrap()).await,
                    }
                }
            };
            join_all((0..callers).map(|_| call())).await;
            served.into_inner()
        };
        let best = served(4).await;
        assert!(best >= 7_900, "{best} of 8,000");
        for callers in [8, 40, 400] {
            let served = served(callers).await;
            assert!(served * 10 >= best * 9, "{served} with {callers} callers, {best} at best");
        }
    }
}
