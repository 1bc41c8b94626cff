//! A stream of one booking and its position.

use std::sync::Arc;

use crate::booking::queue_positions::{MIN_INTERVAL, QueuePositions};
use crate::booking::{Booking, BookingPosition, BookingState};
use crate::error::{Error, Result};
use crate::id::{BookingId, TenantId};
use crate::ports::Store;

/// A stream of a booking.
pub struct PositionStream {
    store: Arc<dyn Store>,
    positions: QueuePositions,
    tenant: TenantId,
    id: BookingId,
    last: Option<BookingPosition>,
}

impl PositionStream {
    pub(super) fn new(
        store: Arc<dyn Store>,
        positions: QueuePositions,
        (tenant, id): (TenantId, BookingId),
    ) -> Self {
        Self { store, positions, tenant, id, last: None }
    }

    /// Waits until the booking or its position differs from the last one that was returned; `None` after a final state.
    pub async fn next(&mut self) -> Result<Option<BookingPosition>> {
        loop {
            if self.last.as_ref().is_some_and(|last| last.booking.state.is_final()) {
                return Ok(None);
            }
            if self.last.is_some() {
                tokio::time::sleep(MIN_INTERVAL).await;
            }
            let current = self.read().await?;
            if self.last.as_ref() != Some(&current) {
                self.last = Some(current.clone());
                return Ok(Some(current));
            }
        }
    }

    async fn read(&self) -> Result<BookingPosition> {
        if let Some(BookingPosition { booking, .. }) = &self.last
            && booking.state == BookingState::Waiting
            && let Some(position) = self.positions.of((self.tenant, booking.event)).await?.get(&self.id)
        {
            return Ok(BookingPosition { booking: booking.clone(), position: Some(*position) });
        }
        let booking = self.store.booking(self.tenant, self.id).await?;
        let booking = booking.ok_or_else(|| Error::not_found("booking"))?;
        let position = self.position(&booking).await?;
        Ok(BookingPosition { booking, position })
    }

    async fn position(&self, booking: &Booking) -> Result<Option<u64>> {
        if booking.state != BookingState::Waiting {
            return Ok(None);
        }
        self.store.bookings_before(self.tenant, booking).await.map(|before| Some(before + 1))
    }
}
