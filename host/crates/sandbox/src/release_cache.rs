//! Cache of releases that can be called at once. Installed releases stay; of the others, those that were used last: a
//! release that was just uploaded, or replaced by an update, is likely to be called again.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use tessera_core::plugin::Digest;

/// Releases by digest.
pub(crate) struct ReleaseCache<T> {
    /// The most releases that stay without being installed.
    max_idle: usize,
    /// Number of the next use of any release.
    next_use: AtomicU64,
    entries: RwLock<HashMap<Digest, Entry<T>>>,
}

struct Entry<T> {
    release: Arc<T>,
    /// Number of its last use.
    last_use: AtomicU64,
}

impl<T> ReleaseCache<T> {
    /// Creates a cache that keeps up to `max_idle` releases that are not installed.
    pub(crate) fn new(max_idle: usize) -> Self {
        Self { max_idle, next_use: AtomicU64::new(0), entries: RwLock::default() }
    }

    /// Returns a release, and counts this as its use.
    pub(crate) fn get(&self, digest: Digest) -> Option<Arc<T>> {
        let entries = self.read();
        let entry = entries.get(&digest)?;
        entry.last_use.store(self.next_use(), Ordering::Relaxed);
        Some(Arc::clone(&entry.release))
    }

    /// Inserts a release, and counts this as its use.
    pub(crate) fn insert(&self, digest: Digest, release: Arc<T>) {
        let entry = Entry { release, last_use: AtomicU64::new(self.next_use()) };
        // What was replaced is dropped after the lock: its machine code is unmapped.
        let _replaced = self.write().insert(digest, entry);
    }

    /// Removes a release. Calls that have begun keep it until they end.
    pub(crate) fn remove(&self, digest: Digest) {
        let _removed = self.write().remove(&digest);
    }

    /// Removes releases that are not installed, but for those that were used last; returns what it removed.
    pub(crate) fn remove_idle(&self, installed: &BTreeSet<Digest>) -> Vec<Digest> {
        let mut entries = self.write();
        let idle = entries.iter().filter(|(digest, _)| !installed.contains(digest));
        let mut idle: Vec<_> =
            idle.map(|(digest, entry)| (entry.last_use.load(Ordering::Relaxed), *digest)).collect();
        idle.sort_unstable();
        idle.truncate(idle.len().saturating_sub(self.max_idle));
        let removed: Vec<_> = idle.iter().filter_map(|(_, digest)| entries.remove(digest)).collect();
        drop(entries);
        // Machine code is unmapped here, where no call waits for the lock.
        drop(removed);
        idle.into_iter().map(|(_, digest)| digest).collect()
    }

    fn next_use(&self) -> u64 {
        self.next_use.fetch_add(1, Ordering::Relaxed)
    }

    fn read(&self) -> RwLockReadGuard<'_, HashMap<Digest, Entry<T>>> {
        self.entries.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, HashMap<Digest, Entry<T>>> {
        self.entries.write().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(n: u8) -> Digest {
        Digest([n; 32])
    }

    #[test]
    fn releases_that_are_not_installed_are_removed_in_the_order_of_their_last_use() {
        let cache = ReleaseCache::new(2);
        for n in 1..=5 {
            cache.insert(digest(n), Arc::new(n));
        }
        let running = cache.get(digest(2)).unwrap();
        cache.get(digest(1)).unwrap();
        // 3 is installed; of 4, 5, 2 and 1, in the order of their uses, the last two stay.
        assert_eq!(cache.remove_idle(&[digest(3)].into()), [digest(4), digest(5)]);
        assert!(cache.remove_idle(&[digest(3)].into()).is_empty());
        assert!(cache.get(digest(4)).is_none() && cache.get(digest(3)).is_some());
        assert_eq!(cache.remove_idle(&BTreeSet::new()), [digest(2)]);
        assert_eq!(*running, 2, "a running call keeps its release");
    }
}
