//! Admission to the pool of instances: a limit for all calls together, and a share for each tenant.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tessera_core::plugin::{CallShare, Footprint};
use tokio::sync::Notify;

use crate::config::PoolSize;

/// The longest that a call waits for its part of the pool.
const MAX_WAIT: Duration = Duration::from_millis(500);

/// Counts of the parts that instances are made of.
#[derive(Clone, Copy, Default)]
struct Parts {
    memories: u32,
    tables: u32,
    instances: u32,
}

/// Parts in use.
#[derive(Default)]
struct Usage {
    total: Parts,
    by_share: HashMap<CallShare, Parts>,
}

/// The pool of a host.
pub(crate) struct Pool {
    size: Parts,
    tenant_share: Parts,
    usage: Mutex<Usage>,
    released: Notify,
}

/// Parts of the pool for one call, released when this is dropped.
pub(crate) struct PoolPermit {
    pool: Arc<Pool>,
    share: CallShare,
    parts: Parts,
}

impl Parts {
    /// Returns the parts of one instance, at least one of each: wasmtime counts the component itself too.
    fn of(footprint: Footprint) -> Self {
        Self {
            memories: footprint.memories.max(1),
            tables: footprint.tables.max(1),
            instances: footprint.instances.max(1),
        }
    }

    /// Whether `more` can be added within `limit`.
    fn fits(self, more: Self, limit: Self) -> bool {
        self.memories + more.memories <= limit.memories
            && self.tables + more.tables <= limit.tables
            && self.instances + more.instances <= limit.instances
    }

    fn add(&mut self, other: Self) {
        self.memories += other.memories;
        self.tables += other.tables;
        self.instances += other.instances;
    }

    fn subtract(&mut self, other: Self) {
        self.memories -= other.memories;
        self.tables -= other.tables;
        self.instances -= other.instances;
    }
}

impl Pool {
    /// Creates a pool of which a tenant may use `share` hundredths.
    pub(crate) fn new(size: &PoolSize, share: u32) -> Arc<Self> {
        let size = Parts { memories: size.memories, tables: size.tables, instances: size.instances };
        let part = |total: u32| (total * share / 100).max(1);
        let tenant_share = Parts {
            memories: part(size.memories),
            tables: part(size.tables),
            instances: part(size.instances),
        };
        Arc::new(Self { size, tenant_share, usage: Mutex::default(), released: Notify::new() })
    }

    /// Describes why an instance does not fit one tenant's share; `None` if it fits.
    pub(crate) fn exceeds_share(&self, footprint: Footprint) -> Option<String> {
        let (parts, share) = (Parts::of(footprint), self.tenant_share);
        if Parts::default().fits(parts, share) {
            return None;
        }
        Some(format!(
            "needs {} memories, {} tables and {} core instances; a tenant's share is {}, {} and {} \
             (TESSERA_PLUGIN_CALLS, TESSERA_PLUGIN_TENANT_PERCENT)",
            parts.memories, parts.tables, parts.instances, share.memories, share.tables, share.instances
        ))
    }

    /// Acquires the parts of one instance; returns `None` if they were not free in time.
    pub(crate) async fn acquire(
        self: &Arc<Self>,
        share: CallShare,
        footprint: Footprint,
        deadline: Instant,
    ) -> Option<PoolPermit> {
        let parts = Parts::of(footprint);
        if let Some(permit) = self.try_acquire(share, parts) {
            return Some(permit);
        }
        let deadline = deadline.min(Instant::now() + MAX_WAIT);
        loop {
            let released = self.released.notified();
            tokio::pin!(released);
            // Registered before the attempt, so that a release between the two is not missed.
            released.as_mut().enable();
            if let Some(permit) = self.try_acquire(share, parts) {
                return Some(permit);
            }
            tokio::time::timeout_at(deadline.into(), released).await.ok()?;
        }
    }

    fn try_acquire(self: &Arc<Self>, share: CallShare, parts: Parts) -> Option<PoolPermit> {
        let mut usage = self.usage.lock().unwrap_or_else(PoisonError::into_inner);
        let used = usage.by_share.get(&share).copied().unwrap_or_default();
        if !used.fits(parts, self.tenant_share) || !usage.total.fits(parts, self.size) {
            return None;
        }
        usage.total.add(parts);
        usage.by_share.entry(share).or_default().add(parts);
        Some(PoolPermit { pool: Arc::clone(self), share, parts })
    }
}

impl Drop for PoolPermit {
    fn drop(&mut self) {
        let mut usage = self.pool.usage.lock().unwrap_or_else(PoisonError::into_inner);
        usage.total.subtract(self.parts);
        if let Entry::Occupied(mut used) = usage.by_share.entry(self.share) {
            used.get_mut().subtract(self.parts);
            if used.get().instances == 0 {
                used.remove();
            }
        }
        drop(usage);
        self.pool.released.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use tessera_core::id::TenantId;

    use super::*;

    fn share() -> CallShare {
        TenantId::generate().into()
    }

    const ONE: Footprint = Footprint { instances: 1, memories: 1, tables: 1 };

    fn soon() -> Instant {
        Instant::now() + Duration::from_millis(20)
    }

    #[tokio::test]
    async fn a_tenant_acquires_no_more_than_its_share() {
        let pool = Pool::new(&PoolSize { memories: 4, tables: 8, instances: 40, memory: 1 }, 50);
        let (greedy, other) = (share(), share());
        let first = pool.acquire(greedy, ONE, soon()).await.unwrap();
        let _second = pool.acquire(greedy, ONE, soon()).await.unwrap();
        assert!(pool.acquire(greedy, ONE, soon()).await.is_none());
        assert!(pool.acquire(other, ONE, soon()).await.is_some());
        let waiting = pool.acquire(greedy, ONE, Instant::now() + Duration::from_secs(5));
        let (permit, ()) = tokio::join!(waiting, async { drop(first) });
        assert!(permit.is_some());
    }

    #[tokio::test]
    async fn callers_without_a_key_have_a_share_of_their_own() {
        let pool = Pool::new(&PoolSize { memories: 4, tables: 8, instances: 40, memory: 1 }, 50);
        let own = share();
        let public = CallShare { is_public: true, ..own };
        let _first = pool.acquire(public, ONE, soon()).await.unwrap();
        let _second = pool.acquire(public, ONE, soon()).await.unwrap();
        assert!(pool.acquire(public, ONE, soon()).await.is_none());
        assert!(pool.acquire(own, ONE, soon()).await.is_some());
    }

    #[test]
    fn an_instance_larger_than_a_share_is_described() {
        let pool = Pool::new(&PoolSize { memories: 4, tables: 8, instances: 40, memory: 1 }, 50);
        assert!(pool.exceeds_share(Footprint { instances: 20, memories: 2, tables: 4 }).is_none());
        let description = pool.exceeds_share(Footprint { instances: 21, memories: 1, tables: 1 }).unwrap();
        assert!(description.contains("21 core instances") && description.contains("20"), "{description}");
    }
}
