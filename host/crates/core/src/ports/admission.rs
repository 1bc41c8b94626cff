//! Reads of tickets, signing keys and check-ins.

use async_trait::async_trait;

use crate::admission::{CheckIn, DoorStats, RevokedCodes, SigningKey, Ticket};
use crate::error::Result;
use crate::id::{CheckInId, EventId, TenantId, TicketId};
use crate::page::{Page, PageRequest};
use crate::time::Timestamp;

/// Tickets, signing keys and check-ins.
#[async_trait]
pub trait AdmissionStore: Send + Sync {
    /// Returns a ticket.
    async fn ticket(&self, tenant: TenantId, id: TicketId) -> Result<Option<Ticket>>;
    /// Returns a page of tickets.
    async fn tickets(&self, tenant: TenantId, page: &PageRequest) -> Result<Page<Ticket>>;
    /// Returns at most `limit` valid tickets of a cancelled event.
    async fn tickets_to_cancel(&self, tenant: TenantId, event: EventId, limit: u32) -> Result<Vec<Ticket>>;
    /// Returns a page of an event's tickets with revoked codes.
    async fn revoked(
        &self,
        tenant: TenantId,
        event: EventId,
        page: &PageRequest,
    ) -> Result<Page<RevokedCodes>>;
    /// Returns a tenant's signing keys, sorted by number.
    async fn signing_keys(&self, tenant: TenantId) -> Result<Vec<SigningKey>>;
    /// Returns a check-in.
    async fn check_in(&self, tenant: TenantId, id: CheckInId) -> Result<Option<CheckIn>>;
    /// Returns a check-in by event, device and nonce.
    async fn check_in_named(&self, tenant: TenantId, name: (EventId, &str, &str)) -> Result<Option<CheckIn>>;
    /// Returns all check-ins of a ticket.
    async fn check_ins_of(&self, tenant: TenantId, ticket: TicketId) -> Result<Vec<CheckIn>>;
    /// Returns a page of an event's check-ins.
    async fn check_ins(&self, tenant: TenantId, event: EventId, page: &PageRequest) -> Result<Page<CheckIn>>;
    /// Counts an event's tickets and check-ins; by minute between two moments.
    async fn door_stats(
        &self,
        tenant: TenantId,
        event: EventId,
        between: (Timestamp, Timestamp),
    ) -> Result<DoorStats>;
}
