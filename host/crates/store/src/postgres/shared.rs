//! State that the store shares with its tasks.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use tessera_core::Result;
use tessera_core::fair::{FairLimiter, Owner};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::dialect::{Db, Ts};
use super::issue_queue::Queues;
use super::sql::inventory::cached_event::CachedEvent;
use super::sql::maintenance::{self, Maintenance};
use crate::clock::Clock;
use crate::connections::Connections;
use crate::error::db_error;
use crate::event_cache::EventCache;
use crate::limits;
use crate::notifier::Notifier;

/// State that the store shares with its tasks.
pub(super) struct Shared {
    pub(super) host: String,
    pub(super) pool: Connections<Db>,
    pub(super) limiter: Arc<FairLimiter>,
    pub(super) clock: Clock,
    pub(super) notifier: Notifier,
    /// Events of recent batches.
    pub(super) cached_events: EventCache<CachedEvent>,
    /// New issues that wait to be written.
    pub(super) issue_queues: Queues,
    /// Wakes the sequencer.
    pub(super) committed: Notify,
    /// Wakes the notifier.
    pub(super) uncommunicated: Notify,
    /// Whether this host is the sequencer.
    pub(super) sequencing: AtomicBool,
    /// Write transactions in flight.
    pub(super) writes: TaskTracker,
    /// The host's own tasks.
    pub(super) tasks: TaskTracker,
    pub(super) stop: CancellationToken,
}

impl Shared {
    pub(super) async fn maintenance(&self, maintenance: &Maintenance) -> Result<u64> {
        let _permit = limits::acquire(&self.limiter, Owner::Host).await?;
        let mut conn = self.pool.acquire().await.map_err(db_error)?;
        maintenance::run(&mut conn, maintenance).await
    }

    /// Sets the clock by the server's, half a round trip ago.
    pub(super) async fn sync_clock(&self) -> Result<()> {
        let mut conn = self.pool.acquire().await.map_err(db_error)?;
        let sent_at = Instant::now();
        let query = sqlx::query_scalar("SELECT clock_timestamp()");
        let Ts(time) = query.fetch_one(&mut *conn).await.map_err(db_error)?;
        self.clock.set(time, sent_at + sent_at.elapsed() / 2);
        Ok(())
    }

    pub(super) fn is_sequencer(&self) -> bool {
        self.sequencing.load(Ordering::Relaxed)
    }
}
