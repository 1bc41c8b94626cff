//! Reads of venues, series, events, ticket types and pools.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use uuid::Uuid;

use crate::access::ObjectKind;
use crate::catalog::{Event, Series, TicketType, Venue};
use crate::error::Result;
use crate::id::{EventId, PoolId, SeriesId, TenantId, TicketTypeId, VenueId};
use crate::inventory::Pool;
use crate::page::{Page, PageRequest};

/// Venues, series, events, ticket types, and pools.
#[async_trait]
pub trait CatalogStore: Send + Sync {
    /// Returns a venue.
    async fn venue(&self, tenant: TenantId, id: VenueId) -> Result<Option<Venue>>;
    /// Returns a page of venues.
    async fn venues(&self, tenant: TenantId, page: &PageRequest) -> Result<Page<Venue>>;
    /// Returns a series of events.
    async fn series(&self, tenant: TenantId, id: SeriesId) -> Result<Option<Series>>;
    /// Returns a page of series.
    async fn all_series(&self, tenant: TenantId, page: &PageRequest) -> Result<Page<Series>>;
    /// Returns whether an event refers to the venue or the series.
    async fn has_events(&self, tenant: TenantId, kind: ObjectKind, id: Uuid) -> Result<bool>;
    /// Returns an event with its capacity.
    async fn event(&self, tenant: TenantId, id: EventId) -> Result<Option<Event>>;
    /// Returns a page of events; without drafts if `public`.
    async fn events(&self, tenant: TenantId, public: bool, page: &PageRequest) -> Result<Page<Event>>;
    /// Counts active events by category.
    async fn event_categories(&self, tenant: TenantId) -> Result<BTreeMap<String, u64>>;
    /// Returns at most `limit` active events whose end has passed.
    async fn events_over(&self, tenant: TenantId, limit: u32) -> Result<Vec<EventId>>;
    /// Returns a ticket type with its quantity.
    async fn ticket_type(&self, tenant: TenantId, id: TicketTypeId) -> Result<Option<TicketType>>;
    /// Returns an event's ticket types, oldest first.
    async fn ticket_types(&self, tenant: TenantId, event: EventId) -> Result<Vec<TicketType>>;
    /// Returns a page of the ticket types of an event, or of all events, sorted by event and id. For the public, those of
    /// drafts are left out, and hidden ones except for these.
    async fn ticket_type_page(
        &self,
        tenant: TenantId,
        event: Option<EventId>,
        public: Option<&BTreeSet<TicketTypeId>>,
        page: &PageRequest,
    ) -> Result<Page<TicketType>>;
    /// Returns a pool of an event.
    async fn pool(&self, tenant: TenantId, event: EventId, id: PoolId) -> Result<Option<Pool>>;
    /// Returns all pools of these events, sorted by id.
    async fn pools(&self, tenant: TenantId, events: &[EventId]) -> Result<Vec<Pool>>;
}
