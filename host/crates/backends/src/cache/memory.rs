//! The in-process cache.

use std::time::Duration;

use moka::sync::Cache as Moka;
use tessera_core::cache::{CacheKey, Cached};
use tessera_core::ports::Cache;

/// A cache of a bounded number of entries, which evicts the least used ones.
pub struct Memory {
    entries: Moka<CacheKey, Cached>,
}

impl Memory {
    /// Creates a cache of at most `entries`. The lifetime bounds how long an entry stays outdated after a lost
    /// invalidation.
    #[must_use]
    pub fn new(entries: u64, lifetime: Duration) -> Self {
        Self { entries: Moka::builder().max_capacity(entries).time_to_live(lifetime).build() }
    }
}

impl Cache for Memory {
    fn get(&self, key: &CacheKey) -> Option<Cached> {
        self.entries.get(key)
    }

    fn put(&self, key: CacheKey, value: Cached) {
        self.entries.insert(key, value);
    }

    fn remove(&self, key: &CacheKey) {
        self.entries.invalidate(key);
    }

    fn clear(&self) {
        self.entries.invalidate_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tessera_core::Timestamp;
    use tessera_core::id::{TenantId, UserId};
    use tessera_core::tracker::User;

    use super::*;

    fn entry() -> (CacheKey, Cached) {
        let id = UserId::generate();
        let now = Timestamp::default();
        let user = User {
            id,
            first_name: "Ada".into(),
            last_name: "Lovelace".into(),
            email: "ada@example.com".into(),
            is_active: true,
            created_at: now,
            updated_at: now,
            version: 1,
        };
        (CacheKey::User(TenantId::generate(), id), Cached::User(Arc::new(user)))
    }

    #[test]
    fn entry_is_returned_until_it_is_removed() {
        let cache = Memory::new(10, Duration::from_secs(60));
        let (key, value) = entry();
        assert!(cache.get(&key).is_none());
        cache.put(key.clone(), value.clone());
        assert!(cache.get(&key).is_some());
        cache.remove(&key);
        assert!(cache.get(&key).is_none());
        cache.put(key.clone(), value);
        cache.clear();
        assert!(cache.get(&key).is_none());
    }

    #[test]
    fn number_of_entries_is_bounded() {
        let cache = Memory::new(10, Duration::from_secs(60));
        for _ in 0..1_000 {
            let (key, value) = entry();
            cache.put(key, value);
        }
        cache.entries.run_pending_tasks();
        assert!(cache.entries.entry_count() <= 10);
    }
}
