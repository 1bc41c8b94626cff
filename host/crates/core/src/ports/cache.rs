//! The cache.

use crate::cache::{CacheKey, Cached};

/// A cache of what was read. Entries may be lost at any time.
pub trait Cache: Send + Sync {
    /// Returns the entry of a key.
    fn get(&self, key: &CacheKey) -> Option<Cached>;
    /// Stores an entry.
    fn put(&self, key: CacheKey, value: Cached);
    /// Removes the entry of a key.
    fn remove(&self, key: &CacheKey);
    /// Removes all entries.
    fn clear(&self);
}
