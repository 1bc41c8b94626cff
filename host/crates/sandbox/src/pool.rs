//! Places in the pool: for all calls together, and a share for each tenant, so that none takes all.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tessera_core::id::TenantId;
use tessera_core::plugin::Footprint;
use tokio::sync::Notify;

use crate::config::PoolSize;

/// How long a call waits for a place at most.
const PATIENCE: Duration = Duration::from_millis(500);

/// What is taken of the pool, in parts.
#[derive(Clone, Copy, Default)]
struct Taken {
    memories: u32,
    tables: u32,
    instances: u32,
}

#[derive(Default)]
struct Places {
    all: Taken,
    of: HashMap<TenantId, Taken>,
}

/// The pool's places.
pub(crate) struct Pool {
    size: Taken,
    share: Taken,
    places: Mutex<Places>,
    freed: Notify,
}

/// A place that a call has taken.
pub(crate) struct Place {
    pool: Arc<Pool>,
    tenant: TenantId,
    parts: Taken,
}

impl Taken {
    /// What an instance takes; at least one of each, for wasmtime counts the component itself too.
    fn of(footprint: Footprint) -> Self {
        Self {
            memories: footprint.memories.max(1),
            tables: footprint.tables.max(1),
            instances: footprint.instances.max(1),
        }
    }

    fn fits(self, more: Self, size: Self) -> bool {
        self.memories + more.memories <= size.memories
            && self.tables + more.tables <= size.tables
            && self.instances + more.instances <= size.instances
    }

    fn add(&mut self, more: Self) {
        self.memories += more.memories;
        self.tables += more.tables;
        self.instances += more.instances;
    }

    fn take(&mut self, less: Self) {
        self.memories -= less.memories;
        self.tables -= less.tables;
        self.instances -= less.instances;
    }
}

impl Pool {
    pub(crate) fn new(size: &PoolSize, share: u32) -> Arc<Self> {
        let size = Taken { memories: size.memories, tables: size.tables, instances: size.instances };
        let part = |all: u32| (all * share / 100).max(1);
        let share = Taken {
            memories: part(size.memories),
            tables: part(size.tables),
            instances: part(size.instances),
        };
        Arc::new(Self { size, share, places: Mutex::default(), freed: Notify::new() })
    }

    /// What a release needs beyond one tenant's share, in words; none: it fits.
    pub(crate) fn beyond_share(&self, footprint: Footprint) -> Option<String> {
        let parts = Taken::of(footprint);
        if Taken::default().fits(parts, self.share) {
            return None;
        }
        Some(format!(
            "needs {} memories, {} tables and {} core instances; a tenant's share is {}, {} and {}",
            parts.memories,
            parts.tables,
            parts.instances,
            self.share.memories,
            self.share.tables,
            self.share.instances
        ))
    }

    /// Takes a place; none: the tenant's share was taken for as long as the call could wait.
    pub(crate) async fn enter(
        self: &Arc<Self>,
        tenant: TenantId,
        footprint: Footprint,
        deadline: Instant,
    ) -> Option<Place> {
        let parts = Taken::of(footprint);
        if let Some(place) = self.try_enter(tenant, parts) {
            return Some(place);
        }
        let until = deadline.min(Instant::now() + PATIENCE);
        loop {
            let freed = self.freed.notified();
            tokio::pin!(freed);
            freed.as_mut().enable();
            if let Some(place) = self.try_enter(tenant, parts) {
                return Some(place);
            }
            tokio::time::timeout_at(until.into(), freed).await.ok()?;
        }
    }

    fn try_enter(self: &Arc<Self>, tenant: TenantId, parts: Taken) -> Option<Place> {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        let mine = places.of.get(&tenant).copied().unwrap_or_default();
        if !mine.fits(parts, self.share) || !places.all.fits(parts, self.size) {
            return None;
        }
        places.all.add(parts);
        places.of.entry(tenant).or_default().add(parts);
        Some(Place { pool: Arc::clone(self), tenant, parts })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut places = self.pool.places.lock().unwrap_or_else(PoisonError::into_inner);
        places.all.take(self.parts);
        if let Entry::Occupied(mut mine) = places.of.entry(self.tenant) {
            mine.get_mut().take(self.parts);
            if mine.get().instances == 0 {
                mine.remove();
            }
        }
        drop(places);
        self.pool.freed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Footprint = Footprint { instances: 1, memories: 1, tables: 1 };

    fn soon() -> Instant {
        Instant::now() + Duration::from_millis(20)
    }

    #[tokio::test]
    async fn a_tenant_gets_its_share_and_no_more_and_others_get_theirs() {
        let pool = Pool::new(&PoolSize { memories: 4, tables: 8, instances: 40, memory: 1 }, 50);
        let (greedy, other) = (TenantId::generate(), TenantId::generate());
        let one = pool.enter(greedy, ONE, soon()).await.unwrap();
        let _two = pool.enter(greedy, ONE, soon()).await.unwrap();
        assert!(pool.enter(greedy, ONE, soon()).await.is_none());
        assert!(pool.enter(other, ONE, soon()).await.is_some());
        let waiting = pool.enter(greedy, ONE, Instant::now() + Duration::from_secs(5));
        let (got, ()) = tokio::join!(waiting, async { drop(one) });
        assert!(got.is_some());
    }

    #[test]
    fn a_release_that_needs_more_than_a_share_is_known_as_such() {
        let pool = Pool::new(&PoolSize { memories: 4, tables: 8, instances: 40, memory: 1 }, 50);
        assert!(pool.beyond_share(Footprint { instances: 20, memories: 2, tables: 4 }).is_none());
        let told = pool.beyond_share(Footprint { instances: 21, memories: 1, tables: 1 }).unwrap();
        assert!(told.contains("21 core instances") && told.contains("20"), "{told}");
    }
}
