//! What is remembered of events from one batch to the next.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tessera_core::id::{EventId, TenantId};

/// Of how many events. When there are more, any one is forgotten: what is asked for again is read again.
const EVENTS: usize = 4_096;

type Key = (TenantId, EventId);

pub(crate) struct Remembered<T>(Mutex<HashMap<Key, Arc<T>>>);

impl<T> Default for Remembered<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T> Remembered<T> {
    pub(crate) fn get(&self, key: Key) -> Option<Arc<T>> {
        self.lock().get(&key).cloned()
    }

    /// Keeps what a batch has left, or forgets what was kept if it has left nothing.
    pub(crate) fn put(&self, key: Key, known: Option<T>) {
        let mut kept = self.lock();
        let Some(known) = known else {
            kept.remove(&key);
            return;
        };
        if kept.len() >= EVENTS && !kept.contains_key(&key) {
            let any = kept.keys().next().copied();
            any.and_then(|any| kept.remove(&any));
        }
        kept.insert(key, Arc::new(known));
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Key, Arc<T>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
