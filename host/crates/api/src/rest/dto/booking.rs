//! Queues and the places in them, as JSON.

use serde::{Deserialize, Serialize};
use tessera_core::Result;
use tessera_core::booking::{BookingPosition, CreateBooking, Queue, QueueStatus};
use tessera_core::id::EventId;
use tessera_core::inventory::LineRequest;
use utoipa::ToSchema;

use crate::booking::{WrittenBooking, standing_etag, status_etag, terms};
use crate::request::etag;
use crate::rest::dto::reservation::WantedLineBody;
use crate::rest::dto::text;

/// A place in an event's queue.
#[derive(Debug, Serialize, ToSchema)]
pub struct BookingBody {
    /// Its id.
    pub id: String,
    /// The event.
    pub event_id: String,
    /// Whose place it is.
    pub user_id: String,
    /// What the host reserves when it is its turn; empty: the buyer reserves.
    pub lines: Vec<BookedLineBody>,
    /// How many seconds that is held; 0: as long as is usual.
    pub timeout_seconds: u32,
    /// `waiting`, `active` (it is served), `done` (something was reserved), `failed`, `cancelled` or `expired` (it was
    /// not used in time). The last four are for good.
    pub state: &'static str,
    /// Its place among those that wait, 1 being the next; null: it does not wait.
    pub position: Option<u64>,
    /// When it was put into the queue; this orders it.
    pub entered_at: String,
    /// When its turn came; null: it has not.
    pub active_at: Option<String>,
    /// Until when it is served; null: its turn has not come.
    pub active_until: Option<String>,
    /// What was reserved; null: nothing.
    pub reservation_id: Option<String>,
    /// Why it failed: the code that reserving would have been refused with; null: it has not failed.
    pub failure_reason: Option<String>,
    /// The same in words.
    pub failure_message: Option<String>,
    /// The principal who put it there, as `key:<id>`.
    pub created_by: String,
    /// When it was last changed.
    pub updated_at: String,
    /// Names this version and place, for `If-Match` and `If-None-Match`.
    pub etag: String,
}

/// Units of a ticket type that the host is to reserve.
#[derive(Debug, Serialize, ToSchema)]
pub struct BookedLineBody {
    /// The ticket type.
    pub ticket_type_id: String,
    /// How many units.
    pub quantity: u32,
    /// Labels of seats; empty: any that are free.
    pub seat_numbers: Vec<String>,
}

/// Who wants a place in the queue.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EnqueueBody {
    /// Whose place it is to be, 1 to 255 characters.
    #[serde(default)]
    #[schema(required = true)]
    pub user_id: String,
    /// What the host reserves when it is its turn, at most 50 lines with 1,000 units; absent: the buyer reserves.
    #[serde(default)]
    pub lines: Vec<WantedLineBody>,
    /// How many seconds that is held, as the event allows; absent or 0: as long as is usual.
    #[serde(default)]
    pub timeout_seconds: i32,
}

/// One booking.
#[derive(Debug, Serialize, ToSchema)]
pub struct BookingAnswer {
    /// The booking.
    pub booking: BookingBody,
}

/// An event's queue.
#[derive(Debug, Serialize, ToSchema)]
pub struct QueueStatusAnswer {
    /// The event.
    pub event_id: String,
    /// How many wait.
    pub waiting: u64,
    /// How many are served.
    pub active: u64,
    /// How many are served at once.
    pub max_active: u32,
    /// How many seconds a place is kept for who is served.
    pub active_seconds: u32,
    /// Whether nobody reserves without being served.
    pub required: bool,
    /// Names the version of the terms and the counts, for `If-Match` and `If-None-Match`.
    pub etag: String,
}

/// How an event's buyers are to be served.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetQueueBody {
    /// How many are served at once, 1 to 10,000.
    #[serde(default)]
    #[schema(required = true)]
    pub max_active: i32,
    /// How many seconds a place is kept for who is served, 10 to 3,600.
    #[serde(default)]
    #[schema(required = true)]
    pub active_seconds: i32,
    /// Whether nobody reserves without being served.
    #[serde(default)]
    pub required: bool,
}

/// How an event's buyers are served.
#[derive(Debug, Serialize, ToSchema)]
pub struct QueueAnswer {
    /// The event.
    pub event_id: String,
    /// How many are served at once.
    pub max_active: u32,
    /// How many seconds a place is kept for who is served.
    pub active_seconds: u32,
    /// Whether nobody reserves without being served.
    pub required: bool,
    /// When it was last changed.
    pub updated_at: String,
    /// Names this version of the terms, for `If-Match`.
    pub etag: String,
}

impl From<BookingPosition> for BookingBody {
    fn from(held: BookingPosition) -> Self {
        let etag = standing_etag(&held);
        let BookingPosition { booking, position } = held;
        let (failure_reason, failure_message) = booking.failure.unzip();
        Self {
            id: booking.id.to_string(),
            event_id: booking.event.to_string(),
            user_id: booking.buyer,
            lines: booking.lines.into_iter().map(BookedLineBody::from).collect(),
            timeout_seconds: booking.hold_seconds.unwrap_or_default(),
            state: booking.state.name(),
            position,
            entered_at: booking.entered_at.to_string(),
            active_at: text(booking.active_at),
            active_until: text(booking.active_until),
            reservation_id: text(booking.reservation),
            failure_reason,
            failure_message,
            created_by: booking.created_by,
            updated_at: booking.updated_at.to_string(),
            etag,
        }
    }
}

impl From<LineRequest> for BookedLineBody {
    fn from(line: LineRequest) -> Self {
        let ticket_type_id = line.ticket_type.to_string();
        Self { ticket_type_id, quantity: line.quantity, seat_numbers: line.seats }
    }
}

impl From<&QueueStatus> for QueueStatusAnswer {
    fn from(held: &QueueStatus) -> Self {
        Self {
            event_id: held.queue.id.to_string(),
            waiting: held.waiting,
            active: held.active,
            max_active: held.queue.max_active,
            active_seconds: held.queue.active_seconds,
            required: held.queue.required,
            etag: status_etag(held),
        }
    }
}

impl From<&Queue> for QueueAnswer {
    fn from(held: &Queue) -> Self {
        Self {
            event_id: held.id.to_string(),
            max_active: held.max_active,
            active_seconds: held.active_seconds,
            required: held.required,
            updated_at: held.updated_at.to_string(),
            etag: etag(held.version),
        }
    }
}

impl EnqueueBody {
    /// What is asked for.
    pub fn command(self, event: EventId) -> Result<CreateBooking> {
        let lines = self.lines.into_iter().map(Into::into).collect();
        WrittenBooking { user_id: self.user_id, lines, timeout_seconds: self.timeout_seconds }.read(event)
    }
}

impl SetQueueBody {
    /// The terms.
    pub fn terms(&self) -> Result<(u32, u32, bool)> {
        terms(self.max_active, self.active_seconds, self.required)
    }
}
