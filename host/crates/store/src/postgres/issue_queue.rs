//! Changesets of new issues that wait to be written, by tenant.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tessera_core::changeset::{Changeset, Committed};
use tessera_core::id::TenantId;
use tessera_core::{Error, Result};
use tokio::sync::oneshot;

use crate::fair::{MAX_WAITING, queue_full};

/// Changesets that are written by one statement.
const MAX_BATCH: usize = 64;

/// Where the result of a changeset is sent.
pub(super) type Reply = oneshot::Sender<Result<Committed>>;

/// A changeset and where its result is sent.
pub(super) struct Waiting {
    pub(super) changeset: Changeset,
    pub(super) reply: Reply,
}

/// Waiting changesets by tenant. Each tenant with an entry has a task that writes them.
#[derive(Default)]
pub(super) struct Queues(Mutex<HashMap<TenantId, VecDeque<Waiting>>>);

impl Queues {
    /// Queues a changeset and returns whether a task must be started for the tenant.
    pub(super) fn push(&self, waiting: Waiting) -> bool {
        match self.lock().entry(waiting.changeset.tenant) {
            Entry::Occupied(queue) if queue.get().len() >= MAX_WAITING => {
                reply_all(vec![waiting], || Err(queue_full()));
                false
            }
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
    pub(super) fn is_waiting(&self, tenant: TenantId) -> bool {
        let mut queues = self.lock();
        let waiting = queues.get(&tenant).is_some_and(|queue| !queue.is_empty());
        if !waiting {
            queues.remove(&tenant);
        }
        waiting
    }

    /// Takes the next changesets, at most [`MAX_BATCH`].
    pub(super) fn take(&self, tenant: TenantId) -> Vec<Waiting> {
        let mut queues = self.lock();
        let queue = queues.get_mut(&tenant).map(|queue| queue.drain(..queue.len().min(MAX_BATCH)));
        queue.into_iter().flatten().collect()
    }

    /// Removes the queue of a tenant whose task ended early, which drops the replies.
    pub(super) fn remove(&self, tenant: TenantId) {
        self.lock().remove(&tenant);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<TenantId, VecDeque<Waiting>>> {
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
