//! The positions of waiting bookings. A host reads the order of an event's queue at most twice a second, for all streams
//! together.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::error::Result;
use crate::id::{BookingId, EventId, TenantId};
use crate::ports::Store;

/// The shortest time between two reads of a queue's order.
pub(super) const MIN_INTERVAL: Duration = Duration::from_millis(500);

type Key = (TenantId, EventId);

/// The order that was read last. The lock is held during a read, so that concurrent callers share it.
type Slot = Arc<tokio::sync::Mutex<Option<Order>>>;

/// The positions of an event's waiting bookings.
#[derive(Clone)]
struct Order {
    read_at: Instant,
    positions: Arc<HashMap<BookingId, u64>>,
}

/// The positions in the queues that are streamed on this host.
#[derive(Clone)]
pub(super) struct QueuePositions {
    store: Arc<dyn Store>,
    slots: Arc<Mutex<HashMap<Key, Slot>>>,
}

impl QueuePositions {
    pub(super) fn new(store: Arc<dyn Store>) -> Self {
        Self { store, slots: Arc::default() }
    }

    /// Returns the positions of an event's waiting bookings, from 1.
    pub(super) async fn of(&self, key: Key) -> Result<Arc<HashMap<BookingId, u64>>> {
        let slot = {
            let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
            // Drops slots that no caller is using.
            slots.retain(|other, slot| *other == key || Arc::strong_count(slot) > 1);
            Arc::clone(slots.entry(key).or_default())
        };
        let mut order = slot.lock().await;
        if let Some(order) = order.as_ref().filter(|order| order.read_at.elapsed() < MIN_INTERVAL) {
            return Ok(Arc::clone(&order.positions));
        }
        let waiting = self.store.waiting_bookings(key.0, key.1).await?;
        let positions = Arc::new(waiting.into_iter().zip(1..).collect::<HashMap<_, _>>());
        *order = Some(Order { read_at: Instant::now(), positions: Arc::clone(&positions) });
        Ok(positions)
    }
}
