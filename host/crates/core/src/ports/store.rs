//! The store as a whole: one trait for each area, and the one way to write.

use std::time::Duration;

use async_trait::async_trait;

use crate::changeset::{Changeset, Committed};
use crate::error::Result;
use crate::id::TenantId;
use crate::idempotency::{IdempotencyRecord, Scope};
use crate::ports::{
    AdmissionStore, BookingStore, CatalogStore, InventoryStore, OutboxStore, PluginStore, PricingStore,
    TenancyStore, TrackerStore,
};
use crate::time::Timestamp;

/// A kind of work that the host does by itself for each tenant.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DueWork {
    /// Timers to fire.
    Timers,
    /// Holds to end, and cancelled events to clean up.
    Holds,
    /// Queues with bookings that wait or are active.
    Queues,
    /// Deleted projects and users to purge.
    Purges,
    /// Locks whose end has passed.
    Locks,
    /// Active events whose end has passed.
    EventEnds,
    /// Codes that still keep units although their promotion has ended or is disabled, or the event was cancelled.
    KeptUnits,
    /// Deleted promotions to purge.
    DeletedPromotions,
    /// Displayed prices that are at least so old.
    Prices(Duration),
}

/// A page of tenants for which there may be work.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TenantPage {
    /// The tenants, in the order of their ids.
    pub tenants: Vec<TenantId>,
    /// The last tenant that was examined, after which the next page begins; `None` if there is no other page.
    pub next: Option<TenantId>,
}

/// The store: reads by area, and writes.
#[async_trait]
pub trait Store:
    TenancyStore
    + TrackerStore
    + PluginStore
    + CatalogStore
    + InventoryStore
    + AdmissionStore
    + BookingStore
    + PricingStore
    + OutboxStore
{
    /// Stores all of a changeset, or nothing.
    async fn commit(&self, changeset: Changeset) -> Result<Committed>;

    /// Returns the record of an idempotency key.
    async fn recorded(&self, scope: &Scope) -> Result<Option<IdempotencyRecord>>;

    /// Reads the store's clock, which all hosts share.
    fn now(&self) -> Timestamp;

    /// Checks that the store answers.
    async fn ping(&self) -> Result<()>;

    /// Returns tenants after `after` for which there may be work of a kind. Examines at most `limit` tenants of each
    /// source of work, and not how much there is for one of them.
    async fn tenants_with(&self, work: DueWork, after: Option<TenantId>, limit: u32) -> Result<TenantPage>;

    /// Takes or renews a lease. Returns whether `holder` has it for `span` from now.
    async fn lease(&self, name: &str, holder: &str, span: Duration) -> Result<bool>;

    /// Deletes at most `limit` expired idempotency records, and returns their number.
    async fn forget_keys(&self, limit: u32) -> Result<u64>;

    /// Records the fingerprint of the hosts' secret if there is none yet, and returns the recorded one.
    async fn secret_fingerprint(&self, mine: [u8; 32]) -> Result<[u8; 32]>;

    /// Finishes pending writes and closes.
    async fn close(&self);
}
