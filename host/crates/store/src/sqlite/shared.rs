//! State that the store shares with its tasks.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tessera_core::fair::{FairLimiter, FairQueue};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::dialect::Db;
use super::file::DatabaseFile;
use super::request::WriteRequest;
use super::sql::inventory::cached_event::CachedEvent;
use crate::clock::Clock;
use crate::connections::Connections;
use crate::event_cache::EventCache;
use crate::notifier::Notifier;

/// State that the store shares with its tasks.
pub(super) struct Shared {
    pub(super) host: String,
    pub(super) file: DatabaseFile,
    pub(super) queue: FairQueue<WriteRequest>,
    pub(super) readers: Connections<Db>,
    pub(super) limiter: Arc<FairLimiter>,
    pub(super) clock: Clock,
    pub(super) notifier: Notifier,
    /// Events of recent batches.
    pub(super) cached_events: EventCache<CachedEvent>,
    /// Number of transactions, by which the checkpointer detects writes.
    pub(super) written: AtomicU64,
    pub(super) tasks: TaskTracker,
    pub(super) stop: CancellationToken,
}

impl Shared {
    /// Counts a committed transaction and notifies of its facts.
    pub(super) fn note_written(&self) {
        self.written.fetch_add(1, Ordering::Relaxed);
        self.notifier.notify();
    }
}
