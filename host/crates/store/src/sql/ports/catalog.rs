//! Venues, series, events, ticket types and pools.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use tessera_core::Result;
use tessera_core::access::ObjectKind;
use tessera_core::catalog::{Event, Series, TicketType, Venue};
use tessera_core::id::{EventId, PoolId, SeriesId, TenantId, TicketTypeId, VenueId};
use tessera_core::inventory::Pool;
use tessera_core::page::{Page, PageRequest};
use tessera_core::ports::{CatalogStore, Store as _};
use uuid::Uuid;

use super::super::super::DbStore;
use super::super::catalog::{event, pool, series, ticket_type, venue};

#[async_trait]
impl CatalogStore for DbStore {
    async fn venue(&self, tenant: TenantId, id: VenueId) -> Result<Option<Venue>> {
        read!(self.read(tenant).await?, venue::get, tenant, id)
    }

    async fn venues(&self, tenant: TenantId, page: &PageRequest) -> Result<Page<Venue>> {
        read!(self.read(tenant).await?, venue::list, tenant, page)
    }

    async fn series(&self, tenant: TenantId, id: SeriesId) -> Result<Option<Series>> {
        read!(self.read(tenant).await?, series::get, tenant, id)
    }

    async fn all_series(&self, tenant: TenantId, page: &PageRequest) -> Result<Page<Series>> {
        read!(self.read(tenant).await?, series::list, tenant, page)
    }

    async fn has_events(&self, tenant: TenantId, kind: ObjectKind, id: Uuid) -> Result<bool> {
        read!(self.read(tenant).await?, event::any_of, tenant, kind, id)
    }

    async fn event(&self, tenant: TenantId, id: EventId) -> Result<Option<Event>> {
        read!(self.read(tenant).await?, event::get, tenant, id)
    }

    async fn events(&self, tenant: TenantId, public: bool, page: &PageRequest) -> Result<Page<Event>> {
        read!(self.read(tenant).await?, event::list, tenant, public, page)
    }

    async fn event_categories(&self, tenant: TenantId) -> Result<BTreeMap<String, u64>> {
        read!(self.read(tenant).await?, event::categories, tenant)
    }

    async fn events_over(&self, tenant: TenantId, limit: u32) -> Result<Vec<EventId>> {
        read!(self.read(tenant).await?, event::over, tenant, self.now(), limit)
    }

    async fn ticket_type(&self, tenant: TenantId, id: TicketTypeId) -> Result<Option<TicketType>> {
        read!(self.read(tenant).await?, ticket_type::get, tenant, id)
    }

    async fn ticket_types(&self, tenant: TenantId, event: EventId) -> Result<Vec<TicketType>> {
        read!(self.read(tenant).await?, ticket_type::list, tenant, event)
    }

    async fn ticket_type_page(
        &self,
        tenant: TenantId,
        event: Option<EventId>,
        public: Option<&BTreeSet<TicketTypeId>>,
        page: &PageRequest,
    ) -> Result<Page<TicketType>> {
        read!(self.read(tenant).await?, ticket_type::page, tenant, (event, public), page)
    }

    async fn pool(&self, tenant: TenantId, event: EventId, id: PoolId) -> Result<Option<Pool>> {
        read!(self.read(tenant).await?, pool::get, tenant, event, id)
    }

    async fn pools(&self, tenant: TenantId, events: &[EventId]) -> Result<Vec<Pool>> {
        read!(self.read(tenant).await?, pool::list, tenant, events)
    }
}
