//! The settings of an event's queue.

use crate::error::Result;
use crate::id::EventId;
use crate::text::Faults;
use crate::time::Timestamp;
use crate::value::{Field, Snapshot, Value};

/// The most bookings that may be active at once.
pub const MAX_ACTIVE: u32 = 10_000;

/// The number of active bookings, and the seconds for which they are active, by default.
pub const DEFAULT_ACTIVE: u32 = 100;
const DEFAULT_SECONDS: u32 = 300;

/// The fewest and the most seconds that a booking may stay active.
pub const ACTIVE_SECONDS: (u32, u32) = (10, 3_600);

/// The most waiting bookings of one event.
pub const MAX_WAITING: u64 = 100_000;

/// The settings of an event's queue.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Queue {
    /// The event.
    pub id: EventId,
    /// The most active bookings.
    pub max_active: u32,
    /// The seconds that a booking stays active.
    pub active_seconds: u32,
    /// Whether only buyers with an active booking may reserve.
    pub required: bool,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Its version, incremented by each change; 0 for the defaults.
    pub version: u64,
}

impl Queue {
    /// Returns the default settings.
    #[must_use]
    pub fn default_of(event: EventId, now: Timestamp) -> Self {
        Self {
            id: event,
            max_active: DEFAULT_ACTIVE,
            active_seconds: DEFAULT_SECONDS,
            required: false,
            updated_at: now,
            version: 0,
        }
    }

    /// Checks what a client wrote.
    pub fn check(&self) -> Result<()> {
        let mut faults = Faults::default();
        if !(1..=MAX_ACTIVE).contains(&self.max_active) {
            faults.add("max_active", format_args!("is {}; 1 to {MAX_ACTIVE} are allowed", self.max_active));
        }
        let (min, max) = ACTIVE_SECONDS;
        if !(min..=max).contains(&self.active_seconds) {
            faults.add(
                "active_seconds",
                format_args!("is {}; {min} to {max} are allowed", self.active_seconds),
            );
        }
        faults.into_result()
    }
}

impl Snapshot for Queue {
    fn snapshot(&self) -> Vec<Field> {
        vec![
            Field::new("max_active", Value::Integer(self.max_active.into())),
            Field::new("active_seconds", Value::Integer(self.active_seconds.into())),
            Field::new("required", self.required),
        ]
    }
}

/// The state of a queue.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct QueueStatus {
    /// Its settings.
    pub queue: Queue,
    /// The number of waiting bookings.
    pub waiting: u64,
    /// The number of active bookings.
    pub active: u64,
}
