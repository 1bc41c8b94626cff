//! Reservations, seats and locked supply.

use std::sync::Arc;

use async_trait::async_trait;
use tessera_core::Result;
use tessera_core::id::{EventId, LockId, ReservationId, TenantId, TicketTypeId};
use tessera_core::inventory::{Job, JobOutcome, Lock, Reservation, Seat, TenantHoldRules};
use tessera_core::page::{Page, PageRequest};
use tessera_core::ports::{BatchResult, InventoryStore, Store as _};

use super::super::super::DbStore;
use super::super::catalog::pool;
use super::super::inventory::{batch, hold_rules, reservation, seat};
use super::super::maintenance::Maintenance;

#[async_trait]
impl InventoryStore for DbStore {
    async fn run_batch(&self, tenant: TenantId, event: EventId, jobs: &[Arc<Job>]) -> Result<BatchResult> {
        self.batch(tenant, event, jobs.to_vec()).await
    }

    async fn peek_batch(
        &self,
        tenant: TenantId,
        event: EventId,
        jobs: &[Arc<Job>],
    ) -> Result<Option<Vec<Result<JobOutcome>>>> {
        read!(self.read(tenant).await?, batch::peek, tenant, event, jobs)
    }

    async fn reservation(&self, tenant: TenantId, id: ReservationId) -> Result<Option<Reservation>> {
        read!(self.read(tenant).await?, reservation::get, tenant, id)
    }

    async fn reservations(&self, tenant: TenantId, page: &PageRequest) -> Result<Page<Reservation>> {
        read!(self.read(tenant).await?, reservation::list, tenant, page)
    }

    async fn due_events(&self, tenant: TenantId, limit: u32) -> Result<Vec<EventId>> {
        read!(self.host_reader().await?, reservation::due, tenant, self.now(), limit)
    }

    async fn note_swept(&self, tenant: TenantId, event: EventId) -> Result<()> {
        self.maintenance(Maintenance::MarkSwept { tenant, event }).await.map(drop)
    }

    async fn hold_rules(&self, tenant: TenantId) -> Result<Option<TenantHoldRules>> {
        read!(self.read(tenant).await?, hold_rules::get, tenant)
    }

    async fn lock(&self, tenant: TenantId, id: LockId) -> Result<Option<Lock>> {
        read!(self.read(tenant).await?, pool::get_lock, tenant, id)
    }

    async fn locks(&self, tenant: TenantId, event: EventId) -> Result<Vec<Lock>> {
        read!(self.read(tenant).await?, pool::locks, tenant, event)
    }

    async fn due_locks(&self, tenant: TenantId, limit: u32) -> Result<Vec<Lock>> {
        read!(self.read(tenant).await?, pool::due_locks, tenant, self.now(), limit)
    }

    async fn seats(&self, tenant: TenantId, of: TicketTypeId, page: &PageRequest) -> Result<Page<Seat>> {
        read!(self.read(tenant).await?, seat::list, tenant, of, page)
    }

    async fn seats_named(&self, tenant: TenantId, of: TicketTypeId, labels: &[String]) -> Result<Vec<Seat>> {
        read!(self.read(tenant).await?, seat::named, tenant, of, labels)
    }

    async fn purge_events(&self, limit: u32) -> Result<u64> {
        self.maintenance(Maintenance::PurgeEvents { limit }).await
    }
}
