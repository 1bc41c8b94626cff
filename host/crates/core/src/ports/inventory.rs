//! Batches of reservation commands, and reads of reservations, seats and locks.

use std::sync::Arc;

use async_trait::async_trait;

use crate::error::Result;
use crate::id::{EventId, LockId, ReservationId, TenantId, TicketTypeId};
use crate::inventory::{Job, JobOutcome, Lock, Reservation, Seat, TenantHoldRules};
use crate::outbox::ObjectRef;
use crate::page::{Page, PageRequest};

/// The result of a batch of commands.
#[derive(Debug)]
pub struct BatchResult {
    /// One for each command.
    pub outcomes: Vec<Result<JobOutcome>>,
    /// The objects that were changed.
    pub objects: Vec<ObjectRef>,
}

/// Reservations, seats and locks.
#[async_trait]
pub trait InventoryStore: Send + Sync {
    /// Decides commands of one event one by one and stores their results, in one transaction that locks the event's
    /// pools. An error means that nothing was stored. Callers must not cancel it.
    async fn run_batch(&self, tenant: TenantId, event: EventId, jobs: &[Arc<Job>]) -> Result<BatchResult>;
    /// Decides commands without a lock. Returns `None` if one of them would change something.
    async fn peek_batch(
        &self,
        tenant: TenantId,
        event: EventId,
        jobs: &[Arc<Job>],
    ) -> Result<Option<Vec<Result<JobOutcome>>>>;
    /// Returns a reservation.
    async fn reservation(&self, tenant: TenantId, id: ReservationId) -> Result<Option<Reservation>>;
    /// Returns a page of reservations.
    async fn reservations(&self, tenant: TenantId, page: &PageRequest) -> Result<Page<Reservation>>;
    /// Returns events with due holds, or that were cancelled and are not cleaned up yet, at most `limit` of each.
    async fn due_events(&self, tenant: TenantId, limit: u32) -> Result<Vec<EventId>>;
    /// Records that a cancelled event is cleaned up, if nothing of it is held or kept by a code and none of its tickets is
    /// valid.
    async fn note_swept(&self, tenant: TenantId, event: EventId) -> Result<()>;
    /// Returns a tenant's hold rules, if it set any.
    async fn hold_rules(&self, tenant: TenantId) -> Result<Option<TenantHoldRules>>;
    /// Returns a lock.
    async fn lock(&self, tenant: TenantId, id: LockId) -> Result<Option<Lock>>;
    /// Returns all locks of an event.
    async fn locks(&self, tenant: TenantId, event: EventId) -> Result<Vec<Lock>>;
    /// Returns at most `limit` locks whose end has passed.
    async fn due_locks(&self, tenant: TenantId, limit: u32) -> Result<Vec<Lock>>;
    /// Returns a page of a ticket type's seats, sorted by row and number.
    async fn seats(&self, tenant: TenantId, of: TicketTypeId, page: &PageRequest) -> Result<Page<Seat>>;
    /// Returns the seats of a ticket type that have these labels.
    async fn seats_named(&self, tenant: TenantId, of: TicketTypeId, labels: &[String]) -> Result<Vec<Seat>>;
    /// Deletes at most `limit` rows of deleted events, the events last, and returns their number.
    async fn purge_events(&self, limit: u32) -> Result<u64>;
}
