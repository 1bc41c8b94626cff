//! Texts of statements that are put together of parts: each is made once.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

/// Texts by what they are made of. There are few ways to put them together, so that all are kept.
pub(crate) struct Texts<K>(Mutex<HashMap<K, Arc<str>>>);

impl<K> Default for Texts<K> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Eq + Hash> Texts<K> {
    /// The text of that key, which is made where it is asked for the first time.
    pub(crate) fn get(&self, key: K, make: impl FnOnce() -> String) -> Arc<str> {
        let mut texts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(texts.entry(key).or_insert_with(|| make().into()))
    }
}
