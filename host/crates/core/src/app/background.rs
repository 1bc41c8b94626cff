//! The background work of a host. Work that must not run twice at once takes a lease.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::App;
use crate::error::Result;
use crate::tracker::Purger;

/// The interval of maintenance rounds.
const MAINTENANCE_INTERVAL: Duration = Duration::from_secs(5);

/// How often a host looks for refused logins to record.
const REFUSED_LOGINS_INTERVAL: Duration = Duration::from_secs(1);

/// How often a host looks for due timers.
const TIMER_INTERVAL: Duration = Duration::from_secs(1);

/// How often a host looks for due holds, and the duration of its lease. A hold ends at most two seconds late, even if
/// the host with the lease is gone.
const HOLD_INTERVAL: Duration = Duration::from_millis(400);
const HOLD_LEASE: Duration = Duration::from_millis(1_200);

/// How often a host looks for queues that need work, and the duration of its lease.
const QUEUE_INTERVAL: Duration = Duration::from_millis(400);
const QUEUE_LEASE: Duration = Duration::from_millis(1_200);

/// How many rows of deleted events are purged in one round.
const MAX_PURGED: u32 = 1_000;

/// The duration of the lease on maintenance.
const MAINTENANCE_LEASE: Duration = Duration::from_secs(15);

/// How many expired idempotency records are deleted in one round.
const MAX_RECORDS: u32 = 1_000;

impl App {
    /// Follows the facts of the store until cancelled.
    pub async fn follow(&self, stop: CancellationToken) {
        Arc::clone(&self.feed).follow(stop).await;
    }

    /// Prepares all installed releases, before the host is ready. Waits at most for a time; the rest is prepared in the
    /// background.
    pub async fn prepare_plugins(&self, time: Duration) -> Result<()> {
        self.preloader.prepare(time).await
    }

    /// Returns the number of installed releases that are not ready yet.
    #[must_use]
    pub fn pending_releases(&self) -> usize {
        self.preloader.pending()
    }

    /// Prepares newly installed releases until cancelled.
    pub async fn keep_plugins(&self, host: &str, stop: CancellationToken) {
        self.preloader.run(host, stop).await;
    }

    /// Records refused logins in the audit log until cancelled, and the last ones then.
    pub async fn record_refused_logins(&self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            self.auth.record_refused_logins(false).await;
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(REFUSED_LOGINS_INTERVAL) => {}
            }
        }
        self.auth.record_refused_logins(true).await;
    }

    /// Fires due timers until cancelled.
    pub async fn fire_timers(&self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            match self.timers.run().await {
                Ok(true) => continue,
                Ok(false) => {}
                Err(error) => tracing::warn!(?error, "timers not fired; retrying"),
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(TIMER_INTERVAL) => {}
            }
        }
    }

    /// Ends due holds until cancelled, on one host at a time.
    pub async fn sweep_holds(&self, host: &str, stop: CancellationToken) {
        while !stop.is_cancelled() {
            match self.sweep_holds_once(host).await {
                Ok(true) => continue,
                Ok(false) => {}
                Err(error) => tracing::warn!(?error, "holds not ended; retrying"),
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(HOLD_INTERVAL) => {}
            }
        }
    }

    async fn sweep_holds_once(&self, host: &str) -> Result<bool> {
        let due = self.reservations.due().await?;
        // Only with work to do, so that an idle host writes nothing.
        if due.is_empty() || !self.store.lease("holds", host, HOLD_LEASE).await? {
            return Ok(false);
        }
        self.reservations.sweep(due).await
    }

    /// Advances queues until cancelled, on one host at a time.
    pub async fn run_queue_worker(&self, host: &str, stop: CancellationToken) {
        while !stop.is_cancelled() {
            match self.advance_queues_once(host).await {
                // Ended bookings make room for the next ones.
                Ok(true) => continue,
                Ok(false) => {}
                Err(error) => tracing::warn!(?error, "queues not advanced; retrying"),
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.queue_changed.notified() => {}
                () = tokio::time::sleep(QUEUE_INTERVAL) => {}
            }
        }
    }

    async fn advance_queues_once(&self, host: &str) -> Result<bool> {
        let due = self.queue_worker.due().await?;
        if due.is_empty() || !self.store.lease("queues", host, QUEUE_LEASE).await? {
            return Ok(false);
        }
        self.queue_worker.advance(due).await
    }

    /// Runs maintenance until cancelled, on one host at a time: purges, deletes expired records and facts, and ends locks
    /// and events.
    pub async fn run_maintenance(&self, host: &str, stop: CancellationToken) {
        let purger = Purger::new(Arc::clone(&self.store));
        while !stop.is_cancelled() {
            if let Err(error) = self.maintain_once(host, &purger).await {
                tracing::warn!(?error, "maintenance failed; retrying");
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(MAINTENANCE_INTERVAL) => {}
            }
        }
    }

    async fn maintain_once(&self, host: &str, purger: &Purger) -> Result<()> {
        if !self.store.lease("sweeps", host, MAINTENANCE_LEASE).await? {
            return Ok(());
        }
        purger.run().await?;
        self.facts.trim().await?;
        self.store.forget_keys(MAX_RECORDS).await?;
        self.store.purge_events(MAX_PURGED).await?;
        self.supplies.end_locks().await?;
        self.events.end_over().await?;
        Ok(())
    }
}
