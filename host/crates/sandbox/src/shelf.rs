//! The releases that are ready. Those that are installed stay; of the others, only those that were used last: a
//! release that was uploaded just now, or left by an update, is likely to be wanted again.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use tessera_core::plugin::Digest;

/// Releases by their digest.
pub(crate) struct Shelf<T> {
    /// How many stay that are not installed.
    idle: usize,
    /// Counts the uses of all.
    uses: AtomicU64,
    held: RwLock<HashMap<Digest, Held<T>>>,
}

struct Held<T> {
    ready: Arc<T>,
    /// The number of its last use.
    used: AtomicU64,
}

impl<T> Shelf<T> {
    /// A shelf on which so many stay that are not installed.
    pub(crate) fn new(idle: usize) -> Self {
        Self { idle, uses: AtomicU64::new(0), held: RwLock::default() }
    }

    /// A release that is ready, if it is; it is used by this.
    pub(crate) fn get(&self, digest: Digest) -> Option<Arc<T>> {
        let held = self.read();
        let found = held.get(&digest)?;
        found.used.store(self.next(), Ordering::Relaxed);
        Some(Arc::clone(&found.ready))
    }

    /// Puts a release there; it is used by this.
    pub(crate) fn put(&self, digest: Digest, ready: Arc<T>) {
        let held = Held { ready, used: AtomicU64::new(self.next()) };
        let _before = self.write().insert(digest, held);
    }

    /// Takes a release away. Calls that have begun keep it until they end.
    pub(crate) fn take(&self, digest: Digest) {
        let _taken = self.write().remove(&digest);
    }

    /// Takes away what is neither installed nor was used of late; answers what.
    pub(crate) fn take_idle(&self, installed: &BTreeSet<Digest>) -> Vec<Digest> {
        let mut held = self.write();
        let idle = held.iter().filter(|(digest, _)| !installed.contains(digest));
        let mut idle: Vec<_> =
            idle.map(|(digest, held)| (held.used.load(Ordering::Relaxed), *digest)).collect();
        idle.sort_unstable();
        idle.truncate(idle.len().saturating_sub(self.idle));
        let taken: Vec<_> = idle.iter().filter_map(|(_, digest)| held.remove(digest)).collect();
        drop(held);
        // Machine code is unmapped here, where no call waits for the lock.
        drop(taken);
        idle.into_iter().map(|(_, digest)| digest).collect()
    }

    fn next(&self) -> u64 {
        self.uses.fetch_add(1, Ordering::Relaxed)
    }

    fn read(&self) -> RwLockReadGuard<'_, HashMap<Digest, Held<T>>> {
        self.held.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, HashMap<Digest, Held<T>>> {
        self.held.write().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(n: u8) -> Digest {
        Digest([n; 32])
    }

    #[test]
    fn what_is_not_installed_goes_in_the_order_of_its_last_use() {
        let shelf = Shelf::new(2);
        for n in 1..=5 {
            shelf.put(digest(n), Arc::new(n));
        }
        let running = shelf.get(digest(2)).unwrap();
        shelf.get(digest(1)).unwrap();
        // 3 is installed; of 4, 5, 2 and 1, in the order of their uses, the last two stay.
        assert_eq!(shelf.take_idle(&[digest(3)].into()), [digest(4), digest(5)]);
        assert!(shelf.take_idle(&[digest(3)].into()).is_empty());
        assert!(shelf.get(digest(4)).is_none() && shelf.get(digest(3)).is_some());
        assert_eq!(Shelf::take_idle(&shelf, &BTreeSet::new()), [digest(2)]);
        assert_eq!(*running, 2, "what runs is kept by who runs it");
    }
}
