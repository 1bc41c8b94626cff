//! The background work of a host. Work that must not run twice at once takes a lease.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::App;
use super::tenant_work::{Lease, Schedule};
use crate::error::Result;
use crate::ports::DueWork;
use crate::tracker::Purger;

/// The interval of maintenance rounds.
const MAINTENANCE_INTERVAL: Duration = Duration::from_secs(5);

/// How often a host looks for refused logins to record.
const REFUSED_LOGINS_INTERVAL: Duration = Duration::from_secs(1);

/// How often a host looks for due timers.
const TIMER_INTERVAL: Duration = Duration::from_millis(500);

/// How many timers a host fires at once, and how many of one tenant.
const TIMERS_AT_ONCE: (usize, usize) = (64, 4);

/// How often a host looks for due holds and for queues that need work, and the duration of its lease. A hold ends at
/// most two seconds late, even if the host with the lease is gone.
const SALE_INTERVAL: Duration = Duration::from_millis(400);
const SALE_LEASE: Duration = Duration::from_millis(1_200);

/// How many events a host works on at once, and how many of one tenant.
const EVENTS_AT_ONCE: (usize, usize) = (64, 4);

/// How many items of each kind of maintenance are in progress at once, and how many of one tenant.
const MAINTENANCE_AT_ONCE: (usize, usize) = (8, 1);

/// How many rows of deleted events are purged in one round.
const MAX_PURGED: u32 = 1_000;

/// The duration of the lease on maintenance.
const MAINTENANCE_LEASE: Duration = Duration::from_secs(15);

/// How many expired idempotency records are deleted in one round.
const MAX_RECORDS: u32 = 1_000;

/// How many quotes are deleted at once, and how often in one round.
const MAX_QUOTES: u32 = 1_000;
const QUOTE_SLICES: u32 = 20;

/// How long a quote is kept after its end, so that a late reservation is told that it has ended, and after its last
/// reservation was released or has expired, so that its prices can still be explained.
const QUOTE_GRACE: Duration = Duration::from_secs(60 * 60);

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

    /// Returns the number of releases of active installations that are not prepared yet.
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
        let schedule = Schedule {
            work: DueWork::Timers,
            interval: TIMER_INTERVAL,
            lease: None,
            at_once: TIMERS_AT_ONCE,
        };
        let timers = self.timers.clone();
        let round = move |tenant, limiter: Arc<_>| {
            let timers = timers.clone();
            async move { timers.fire_due(tenant, &limiter).await }
        };
        schedule.run(&self.store, (&stop, None), round).await;
    }

    /// Ends due holds until cancelled, on one host at a time.
    pub async fn sweep_holds(&self, host: &str, stop: CancellationToken) {
        let lease = Lease { name: "holds", holder: host.to_owned(), span: SALE_LEASE };
        let schedule = Schedule {
            work: DueWork::Holds,
            interval: SALE_INTERVAL,
            lease: Some(lease),
            at_once: EVENTS_AT_ONCE,
        };
        let reservations = self.reservations.clone();
        let round = move |tenant, limiter: Arc<_>| {
            let reservations = reservations.clone();
            async move { reservations.sweep(tenant, &limiter).await }
        };
        schedule.run(&self.store, (&stop, None), round).await;
    }

    /// Advances queues until cancelled, on one host at a time.
    pub async fn run_queue_worker(&self, host: &str, stop: CancellationToken) {
        let lease = Lease { name: "queues", holder: host.to_owned(), span: SALE_LEASE };
        let schedule = Schedule {
            work: DueWork::Queues,
            interval: SALE_INTERVAL,
            lease: Some(lease),
            at_once: EVENTS_AT_ONCE,
        };
        let worker = self.queue_worker.clone();
        let round = move |tenant, limiter: Arc<_>| {
            let worker = worker.clone();
            async move { worker.advance(tenant, &limiter).await }
        };
        schedule.run(&self.store, (&stop, Some(&*self.queue_changed)), round).await;
    }

    /// Runs maintenance until cancelled, on one host at a time: purges, deletes expired records and facts, ends locks and
    /// events, frees the units that codes of ended promotions and cancelled events keep, and refreshes displayed prices.
    pub async fn run_maintenance(&self, host: &str, stop: CancellationToken) {
        tokio::join!(
            self.purge(host, &stop),
            self.purge_promotions(host, &stop),
            self.end_locks(host, &stop),
            self.free_kept_units(host, &stop),
            self.end_events(host, &stop),
            self.refresh_prices(host, &stop),
            self.delete_expired(host, &stop),
        );
    }

    async fn purge(&self, host: &str, stop: &CancellationToken) {
        let purger = Purger::new(Arc::clone(&self.store));
        let round = move |tenant, limiter: Arc<_>| {
            let purger = purger.clone();
            async move { purger.purge(tenant, &limiter).await }
        };
        maintenance(DueWork::Purges, "purges", host).run(&self.store, (stop, None), round).await;
    }

    async fn purge_promotions(&self, host: &str, stop: &CancellationToken) {
        let promotions = self.promotions.clone();
        let round = move |tenant, limiter: Arc<_>| {
            let promotions = promotions.clone();
            async move { promotions.purge(tenant, &limiter).await }
        };
        maintenance(DueWork::DeletedPromotions, "promotions", host)
            .run(&self.store, (stop, None), round)
            .await;
    }

    async fn end_locks(&self, host: &str, stop: &CancellationToken) {
        let supplies = self.supplies.clone();
        let round = move |tenant, limiter: Arc<_>| {
            let supplies = supplies.clone();
            async move { supplies.end_locks(tenant, &limiter).await }
        };
        maintenance(DueWork::Locks, "locks", host).run(&self.store, (stop, None), round).await;
    }

    async fn free_kept_units(&self, host: &str, stop: &CancellationToken) {
        let promotions = self.promotions.clone();
        let round = move |tenant, limiter: Arc<_>| {
            let promotions = promotions.clone();
            async move { promotions.end_kept(tenant, &limiter).await }
        };
        maintenance(DueWork::KeptUnits, "kept-units", host).run(&self.store, (stop, None), round).await;
    }

    async fn end_events(&self, host: &str, stop: &CancellationToken) {
        let events = self.events.clone();
        let round = move |tenant, limiter: Arc<_>| {
            let events = events.clone();
            async move { events.end_over(tenant, &limiter).await }
        };
        maintenance(DueWork::EventEnds, "events", host).run(&self.store, (stop, None), round).await;
    }

    async fn refresh_prices(&self, host: &str, stop: &CancellationToken) {
        let displayed_pricing = self.displayed_pricing.clone();
        let interval = displayed_pricing.interval();
        if interval.is_zero() {
            return;
        }
        let round = move |tenant, limiter: Arc<_>| {
            let displayed_pricing = displayed_pricing.clone();
            async move { displayed_pricing.refresh_stale(tenant, &limiter).await }
        };
        maintenance(DueWork::Prices(interval), "prices", host).run(&self.store, (stop, None), round).await;
    }

    async fn delete_expired(&self, host: &str, stop: &CancellationToken) {
        while !stop.is_cancelled() {
            if let Err(error) = self.delete_expired_once(host).await {
                tracing::warn!(?error, "maintenance failed; retrying");
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(MAINTENANCE_INTERVAL) => {}
            }
        }
    }

    async fn delete_expired_once(&self, host: &str) -> Result<()> {
        if !self.store.lease("sweeps", host, MAINTENANCE_LEASE).await? {
            return Ok(());
        }
        self.facts.trim().await?;
        self.store.forget_keys(MAX_RECORDS).await?;
        let ended_before = self.store.now().minus(QUOTE_GRACE);
        for _ in 0..QUOTE_SLICES {
            if self.store.purge_quotes(ended_before, MAX_QUOTES).await? < u64::from(MAX_QUOTES) {
                break;
            }
        }
        self.store.purge_events(MAX_PURGED).await?;
        Ok(())
    }
}

/// Schedules one kind of maintenance.
fn maintenance(work: DueWork, lease: &'static str, host: &str) -> Schedule {
    let lease = Lease { name: lease, holder: host.to_owned(), span: MAINTENANCE_LEASE };
    Schedule { work, interval: MAINTENANCE_INTERVAL, lease: Some(lease), at_once: MAINTENANCE_AT_ONCE }
}
