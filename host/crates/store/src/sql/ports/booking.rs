//! Queues and bookings.

use async_trait::async_trait;
use tessera_core::booking::{Booking, Queue};
use tessera_core::id::{BookingId, EventId, ReservationId, TenantId};
use tessera_core::ports::{BookingStore, Store as _};
use tessera_core::{Result, Timestamp};

use super::super::super::DbStore;
use super::super::booking::{bookings, queue};
use super::super::maintenance::Maintenance;

#[async_trait]
impl BookingStore for DbStore {
    async fn queue(&self, tenant: TenantId, event: EventId) -> Result<Option<Queue>> {
        read!(self.read(tenant).await?, queue::get, tenant, event)
    }

    async fn queue_counts(&self, tenant: TenantId, event: EventId) -> Result<(u64, u64)> {
        read!(self.read(tenant).await?, queue::counts, tenant, event)
    }

    async fn queued_events(&self, tenant: TenantId, limit: u32) -> Result<Vec<EventId>> {
        read!(self.read(tenant).await?, queue::due, tenant, self.now(), limit)
    }

    async fn booking(&self, tenant: TenantId, id: BookingId) -> Result<Option<Booking>> {
        read!(self.read(tenant).await?, bookings::get, tenant, id)
    }

    async fn open_booking(&self, tenant: TenantId, event: EventId, buyer: &str) -> Result<Option<Booking>> {
        read!(self.read(tenant).await?, bookings::open, tenant, event, buyer)
    }

    async fn bookings_before(&self, tenant: TenantId, booking: &Booking) -> Result<u64> {
        read!(self.read(tenant).await?, bookings::before, tenant, booking)
    }

    async fn waiting_bookings(&self, tenant: TenantId, event: EventId) -> Result<Vec<BookingId>> {
        read!(self.read(tenant).await?, bookings::waiting, tenant, event)
    }

    async fn next_bookings(&self, tenant: TenantId, event: EventId, limit: u32) -> Result<Vec<Booking>> {
        read!(self.read(tenant).await?, bookings::next, tenant, event, limit)
    }

    async fn active_bookings(
        &self,
        tenant: TenantId,
        event: EventId,
        due: (Option<Timestamp>, u32),
    ) -> Result<Vec<(Booking, Option<ReservationId>)>> {
        read!(self.read(tenant).await?, bookings::active, tenant, event, due)
    }

    async fn reservable_bookings(
        &self,
        tenant: TenantId,
        event: EventId,
        now_and_limit: (Timestamp, u32),
    ) -> Result<Vec<(Booking, u32)>> {
        read!(self.read(tenant).await?, bookings::reservable, tenant, event, now_and_limit)
    }

    async fn delay_booking(
        &self,
        tenant: TenantId,
        id: BookingId,
        attempts_and_retry: (u32, Timestamp),
    ) -> Result<()> {
        let (attempts, retry_at) = attempts_and_retry;
        self.maintenance(Maintenance::DelayBooking { tenant, id, attempts, retry_at }).await.map(|_| ())
    }
}
