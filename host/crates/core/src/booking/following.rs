//! A booking's place, as it changes. The order of an event's queue is read at most twice a second on a host, however
//! many follow it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::booking::{Booking, BookingState, Standing};
use crate::error::{Error, Result};
use crate::id::{BookingId, EventId, TenantId};
use crate::ports::Store;

/// The least time between two readings of a queue's order, and between two looks of who follows.
const PACE: Duration = Duration::from_millis(500);

type Key = (TenantId, EventId);

/// The order that was read last; one reads it, and who comes meanwhile waits for that.
type Slot = Arc<tokio::sync::Mutex<Option<Order>>>;

/// An event's bookings that wait, in their order.
#[derive(Clone)]
struct Order {
    at: Instant,
    places: Arc<HashMap<BookingId, u64>>,
}

/// The orders of queues that are followed on this host.
#[derive(Clone)]
pub(super) struct Orders {
    store: Arc<dyn Store>,
    read: Arc<Mutex<HashMap<Key, Slot>>>,
}

/// One who follows a booking.
pub struct Following {
    store: Arc<dyn Store>,
    orders: Orders,
    tenant: TenantId,
    id: BookingId,
    told: Option<Standing>,
}

impl Orders {
    pub(super) fn new(store: Arc<dyn Store>) -> Self {
        Self { store, read: Arc::default() }
    }

    /// Where those stand that wait for an event.
    async fn of(&self, key: Key) -> Result<Arc<HashMap<BookingId, u64>>> {
        let slot = {
            let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
            // Queues that nobody follows any more are forgotten: only who reads an order holds its slot.
            read.retain(|held, slot| *held == key || Arc::strong_count(slot) > 1);
            Arc::clone(read.entry(key).or_default())
        };
        // Who comes while another reads waits for what that one reads.
        let mut held = slot.lock().await;
        if let Some(order) = held.as_ref().filter(|order| order.at.elapsed() < PACE) {
            return Ok(Arc::clone(&order.places));
        }
        let waiting = self.store.waiting_bookings(key.0, key.1).await?;
        let places = Arc::new(waiting.into_iter().zip(1..).collect::<HashMap<_, _>>());
        *held = Some(Order { at: Instant::now(), places: Arc::clone(&places) });
        Ok(places)
    }
}

impl Following {
    pub(super) fn new(store: Arc<dyn Store>, orders: Orders, (tenant, id): (TenantId, BookingId)) -> Self {
        Self { store, orders, tenant, id, told: None }
    }

    /// Where the booking stands, when that is another place than was told; none: it is over, and that was told.
    pub async fn next(&mut self) -> Result<Option<Standing>> {
        loop {
            if self.told.as_ref().is_some_and(|told| told.booking.state.is_over()) {
                return Ok(None);
            }
            if self.told.is_some() {
                tokio::time::sleep(PACE).await;
            }
            let now = self.look().await?;
            if self.told.as_ref() != Some(&now) {
                self.told = Some(now.clone());
                return Ok(Some(now));
            }
        }
    }

    async fn look(&self) -> Result<Standing> {
        if let Some(Standing { booking, .. }) = &self.told
            && booking.state == BookingState::Waiting
            && let Some(position) = self.orders.of((self.tenant, booking.event)).await?.get(&self.id)
        {
            return Ok(Standing { booking: booking.clone(), position: Some(*position) });
        }
        let booking = self.store.booking(self.tenant, self.id).await?;
        let booking = booking.ok_or_else(|| Error::not_found("booking"))?;
        let position = self.position(&booking).await?;
        Ok(Standing { booking, position })
    }

    async fn position(&self, booking: &Booking) -> Result<Option<u64>> {
        if booking.state != BookingState::Waiting {
            return Ok(None);
        }
        self.store.bookings_before(self.tenant, booking).await.map(|before| Some(before + 1))
    }
}
