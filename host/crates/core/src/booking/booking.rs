//! Bookings: places in an event's queue.

use crate::error::{Error, ErrorKind, Result};
use crate::id::{BookingId, EventId, ReservationId};
use crate::inventory::LineRequest;
use crate::inventory::reservation_request::check_lines;
use crate::text::Faults;
use crate::time::Timestamp;
use crate::value::{Field, Snapshot, Value};

/// The state of a booking.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum BookingState {
    /// It waits in the queue.
    Waiting,
    /// Its buyer may reserve, or the host reserves its lines.
    Active,
    /// Its buyer has a reservation.
    Done,
    /// Its lines could not be reserved.
    Failed,
    /// It was cancelled.
    Cancelled,
    /// Its buyer did not reserve in time.
    Expired,
}

impl BookingState {
    /// All states.
    pub const ALL: [Self; 6] =
        [Self::Waiting, Self::Active, Self::Done, Self::Failed, Self::Cancelled, Self::Expired];

    /// Returns its stable name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Active => "active",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Expired => "expired",
        }
    }

    /// Returns whether the state is final.
    #[must_use]
    pub const fn is_final(self) -> bool {
        !matches!(self, Self::Waiting | Self::Active)
    }
}

/// A place in an event's queue.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Booking {
    /// Its id.
    pub id: BookingId,
    /// The event.
    pub event: EventId,
    /// The buyer.
    pub buyer: String,
    /// The lines that the host reserves when it becomes active; if empty, the buyer reserves.
    pub lines: Vec<LineRequest>,
    /// The seconds that they are held; `None` for the default.
    pub hold_seconds: Option<u32>,
    /// Its state.
    pub state: BookingState,
    /// When it entered the queue, which determines its order.
    pub entered_at: Timestamp,
    /// When it became active.
    pub active_at: Option<Timestamp>,
    /// When it stops being active.
    pub active_until: Option<Timestamp>,
    /// Its reservation.
    pub reservation: Option<ReservationId>,
    /// Why it failed: a reason and a message.
    pub failure: Option<(String, String)>,
    /// The principal that created it.
    pub created_by: String,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Its version, incremented by each change.
    pub version: u64,
}

impl Booking {
    /// Returns the booking in another state, at its next version.
    #[must_use]
    pub fn in_state(&self, state: BookingState, now: Timestamp) -> Self {
        Self { state, updated_at: now, version: self.version + 1, ..self.clone() }
    }

    /// Returns the booking, active from now on.
    #[must_use]
    pub fn activated(&self, now: Timestamp, seconds: u32) -> Self {
        let until = now.plus(std::time::Duration::from_secs(seconds.into()));
        Self { active_at: Some(now), active_until: Some(until), ..self.in_state(BookingState::Active, now) }
    }

    /// Returns the booking, done with a reservation.
    #[must_use]
    pub fn done(&self, reservation: ReservationId, now: Timestamp) -> Self {
        Self { reservation: Some(reservation), ..self.in_state(BookingState::Done, now) }
    }

    /// Returns the booking, failed with an error.
    #[must_use]
    pub fn failed(&self, error: &Error, now: Timestamp) -> Self {
        let failure = (error.reason().to_owned(), error.message().to_owned());
        Self { failure: Some(failure), ..self.in_state(BookingState::Failed, now) }
    }

    /// Returns the booking, cancelled. Refuses one in a final state.
    pub fn cancelled(&self, now: Timestamp) -> Result<Self> {
        if self.state.is_final() {
            let message = format!(
                "the booking is {}; only one that is waiting or active can be cancelled",
                self.state.name()
            );
            return Err(Error::new(ErrorKind::Precondition, "TRANSITION_NOT_ALLOWED", message));
        }
        Ok(self.in_state(BookingState::Cancelled, now))
    }
}

/// A booking with its position.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BookingPosition {
    /// The booking.
    pub booking: Booking,
    /// Its position among the waiting bookings, from 1; `None` if it is not waiting.
    pub position: Option<u64>,
}

/// A request for a booking.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct CreateBooking {
    /// The event.
    pub event: EventId,
    /// The buyer.
    pub buyer: String,
    /// The lines that the host reserves when it becomes active; if empty, the buyer reserves.
    pub lines: Vec<LineRequest>,
    /// The seconds that they are held; `None` for the default.
    pub hold_seconds: Option<u32>,
}

impl CreateBooking {
    /// Checks what a client wrote.
    pub(super) fn check(&self) -> Result<()> {
        let mut faults = Faults::default();
        faults.text("user_id", &self.buyer, 1, 255);
        if !self.lines.is_empty() {
            check_lines(&self.lines, &mut faults);
        }
        faults.into_result()
    }
}

impl Snapshot for Booking {
    fn snapshot(&self) -> Vec<Field> {
        let lines = self.lines.iter().map(|line| format!("{} {}", line.quantity, line.ticket_type)).collect();
        let time = |at: Option<Timestamp>| at.map_or(Value::None, Value::Time);
        vec![
            Field::new("event_id", Value::from(Some(self.event))),
            Field::new("buyer_id", self.buyer.as_str()),
            Field::new("lines", Value::Texts(lines)),
            Field::new("state", self.state.name()),
            Field::new("active_until", time(self.active_until)),
            Field::new("reservation_id", Value::from(self.reservation)),
            Field::new("failure", Value::from(self.failure.as_ref().map(|(reason, _)| reason))),
        ]
    }
}
