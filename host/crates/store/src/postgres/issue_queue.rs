//! Changesets of new issues that wait to be written, by project.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tessera_core::changeset::{Changeset, Committed};
use tessera_core::fair::Places;
use tessera_core::id::{ProjectId, TenantId};
use tessera_core::{Error, Result};
use tokio::sync::oneshot;

use crate::limits::WAITING;

/// Changesets that are written by one statement.
const MAX_BATCH: usize = 64;

/// Where the result of a changeset is sent.
pub(super) type Reply = oneshot::Sender<Result<Committed>>;

/// A changeset and where its result is sent.
pub(super) struct Waiting {
    pub(super) changeset: Changeset,
    pub(super) reply: Reply,
}

/// The project whose new issues are written together, so that a wait for one project's lock delays no other project.
pub(super) type Key = (TenantId, ProjectId);

/// Waiting changesets by project. Each project with an entry has a task that writes them.
pub(super) struct Queues(Mutex<State>);

struct State {
    places: Places,
    queues: HashMap<Key, VecDeque<Waiting>>,
}

impl Default for Queues {
    fn default() -> Self {
        Self(Mutex::new(State { places: Places::new(WAITING), queues: HashMap::new() }))
    }
}

impl Queues {
    /// Queues a changeset and returns whether a task must be started for the project.
    pub(super) fn push(&self, key: Key, waiting: Waiting) -> bool {
        let mut state = self.lock();
        if let Err(refusal) = state.places.take(key.0.into()) {
            drop(state);
            reply_all(vec![waiting], || Err(copy_of(&refusal)));
            return false;
        }
        match state.queues.entry(key) {
            Entry::Occupied(queue) => {
                queue.into_mut().push_back(waiting);
                false
            }
            Entry::Vacant(queue) => {
                queue.insert(VecDeque::from([waiting]));
                true
            }
        }
    }

    /// Returns whether a changeset waits; if none does, removes the queue.
    pub(super) fn is_waiting(&self, key: Key) -> bool {
        let mut state = self.lock();
        let waiting = state.queues.get(&key).is_some_and(|queue| !queue.is_empty());
        if !waiting {
            state.queues.remove(&key);
        }
        waiting
    }

    /// Takes the next changesets, at most [`MAX_BATCH`].
    pub(super) fn take(&self, key: Key) -> Vec<Waiting> {
        let mut state = self.lock();
        let queue = state.queues.get_mut(&key).map(|queue| queue.drain(..queue.len().min(MAX_BATCH)));
        let batch: Vec<_> = queue.into_iter().flatten().collect();
        state.places.free(key.0.into(), batch.len());
        batch
    }

    /// Removes the queue of a project whose task ended early, which drops the replies.
    pub(super) fn remove(&self, key: Key) {
        let mut state = self.lock();
        let queue = state.queues.remove(&key).unwrap_or_default();
        state.places.free(key.0.into(), queue.len());
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sends the same result to all.
pub(super) fn reply_all(batch: Vec<Waiting>, result: impl Fn() -> Result<Committed>) {
    for waiting in batch {
        // A caller that has left reads the outcome later, by its key or by the rows.
        let _ = waiting.reply.send(result());
    }
}

/// Copies an error, for one of several callers.
pub(super) fn copy_of(error: &Error) -> Error {
    Error::unavailable(error.message().to_owned(), error.retry_after().unwrap_or(Duration::from_secs(1)))
}
