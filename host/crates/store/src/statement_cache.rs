//! Cache of the texts of composed statements.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

/// Texts by the parts that they are composed of. There are few combinations, so all are kept.
pub(crate) struct StatementCache<K>(Mutex<HashMap<K, Arc<str>>>);

impl<K> Default for StatementCache<K> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Eq + Hash> StatementCache<K> {
    /// Returns the text of a key, composed on first use.
    pub(crate) fn get(&self, key: K, compose: impl FnOnce() -> String) -> Arc<str> {
        let mut texts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(texts.entry(key).or_insert_with(|| compose().into()))
    }
}
