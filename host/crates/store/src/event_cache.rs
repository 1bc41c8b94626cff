//! Cache of events between batches.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tessera_core::id::{EventId, TenantId};

/// Maximum number of events; when it is reached, an arbitrary one is evicted.
const MAX_EVENTS: usize = 4_096;

type Key = (TenantId, EventId);

pub(crate) struct EventCache<T>(Mutex<HashMap<Key, Arc<T>>>);

impl<T> Default for EventCache<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T> EventCache<T> {
    pub(crate) fn get(&self, key: Key) -> Option<Arc<T>> {
        self.lock().get(&key).cloned()
    }

    /// Stores an entry, or removes it for `None`.
    pub(crate) fn put(&self, key: Key, entry: Option<T>) {
        let mut entries = self.lock();
        let Some(entry) = entry else {
            entries.remove(&key);
            return;
        };
        if entries.len() >= MAX_EVENTS && !entries.contains_key(&key) {
            let any = entries.keys().next().copied();
            any.and_then(|any| entries.remove(&any));
        }
        entries.insert(key, Arc::new(entry));
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Key, Arc<T>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
