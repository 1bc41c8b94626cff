//! Reads of queues and bookings.

use async_trait::async_trait;

use crate::booking::{Booking, Queue};
use crate::error::Result;
use crate::id::{BookingId, EventId, ReservationId, TenantId};
use crate::time::Timestamp;

/// Queues and their bookings.
#[async_trait]
pub trait BookingStore: Send + Sync {
    /// Returns the settings of an event's queue, if any were set.
    async fn queue(&self, tenant: TenantId, event: EventId) -> Result<Option<Queue>>;
    /// Counts the waiting and the active bookings.
    async fn queue_counts(&self, tenant: TenantId, event: EventId) -> Result<(u64, u64)>;
    /// Returns at most `limit` events whose queue needs work: a booking may become active, an active
    /// booking is due or has lines to reserve now, or the event is no longer on sale.
    async fn queued_events(&self, tenant: TenantId, limit: u32) -> Result<Vec<EventId>>;
    /// Returns a booking.
    async fn booking(&self, tenant: TenantId, id: BookingId) -> Result<Option<Booking>>;
    /// Returns a buyer's booking that is waiting or active.
    async fn open_booking(&self, tenant: TenantId, event: EventId, buyer: &str) -> Result<Option<Booking>>;
    /// Counts the waiting bookings ahead of this one.
    async fn bookings_before(&self, tenant: TenantId, booking: &Booking) -> Result<u64>;
    /// Returns all waiting bookings of an event, in their order.
    async fn waiting_bookings(&self, tenant: TenantId, event: EventId) -> Result<Vec<BookingId>>;
    /// Returns at most `limit` waiting bookings, first in line first.
    async fn next_bookings(&self, tenant: TenantId, event: EventId, limit: u32) -> Result<Vec<Booking>>;
    /// Returns active bookings, each with what its buyer has reserved since. With a moment, only those that end then:
    /// their time is up, or their buyer has reserved.
    async fn active_bookings(
        &self,
        tenant: TenantId,
        event: EventId,
        due_and_limit: (Option<Timestamp>, u32),
    ) -> Result<Vec<(Booking, Option<ReservationId>)>>;
    /// Returns active bookings with lines to reserve now, each with its failed attempts. The one that is due for the
    /// longest time is first.
    async fn reservable_bookings(
        &self,
        tenant: TenantId,
        event: EventId,
        now_and_limit: (Timestamp, u32),
    ) -> Result<Vec<(Booking, u32)>>;
    /// Postpones the next attempt to reserve an active booking, and records its failed attempts. The booking keeps its
    /// version.
    async fn delay_booking(
        &self,
        tenant: TenantId,
        id: BookingId,
        attempts_and_retry: (u32, Timestamp),
    ) -> Result<()>;
}
