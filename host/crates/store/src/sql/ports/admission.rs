//! Tickets, signing keys and check-ins.

use async_trait::async_trait;
use tessera_core::admission::DoorStats;
use tessera_core::admission::{CheckIn, RevokedCodes, SigningKey, Ticket};
use tessera_core::id::{CheckInId, EventId, TenantId, TicketId};
use tessera_core::page::{Page, PageRequest};
use tessera_core::ports::AdmissionStore;
use tessera_core::{Result, Timestamp};

use super::super::super::DbStore;
use super::super::admission::{check_in, signing_key, ticket};

#[async_trait]
impl AdmissionStore for DbStore {
    async fn ticket(&self, tenant: TenantId, id: TicketId) -> Result<Option<Ticket>> {
        read!(self.read(tenant).await?, ticket::get, tenant, id)
    }

    async fn tickets(&self, tenant: TenantId, page: &PageRequest) -> Result<Page<Ticket>> {
        read!(self.read(tenant).await?, ticket::list, tenant, page)
    }

    async fn tickets_to_cancel(&self, tenant: TenantId, event: EventId, limit: u32) -> Result<Vec<Ticket>> {
        read!(self.read(tenant).await?, ticket::to_cancel, tenant, event, limit)
    }

    async fn revoked(
        &self,
        tenant: TenantId,
        event: EventId,
        page: &PageRequest,
    ) -> Result<Page<RevokedCodes>> {
        read!(self.read(tenant).await?, ticket::revoked, tenant, event, page)
    }

    async fn signing_keys(&self, tenant: TenantId) -> Result<Vec<SigningKey>> {
        read!(self.read(tenant).await?, signing_key::list, tenant)
    }

    async fn check_in(&self, tenant: TenantId, id: CheckInId) -> Result<Option<CheckIn>> {
        read!(self.read(tenant).await?, check_in::get, tenant, id)
    }

    async fn check_in_named(&self, tenant: TenantId, name: (EventId, &str, &str)) -> Result<Option<CheckIn>> {
        read!(self.read(tenant).await?, check_in::named, tenant, name)
    }

    async fn check_ins_of(&self, tenant: TenantId, ticket: TicketId) -> Result<Vec<CheckIn>> {
        read!(self.read(tenant).await?, check_in::of, tenant, ticket)
    }

    async fn check_ins(&self, tenant: TenantId, event: EventId, page: &PageRequest) -> Result<Page<CheckIn>> {
        read!(self.read(tenant).await?, check_in::list, tenant, event, page)
    }

    async fn door_stats(
        &self,
        tenant: TenantId,
        event: EventId,
        between: (Timestamp, Timestamp),
    ) -> Result<DoorStats> {
        read!(self.read(tenant).await?, check_in::stats, tenant, event, between)
    }
}
