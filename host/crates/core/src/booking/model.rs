//! Places in an event's queue, and the terms of the queue.

use crate::error::{Error, ErrorKind, Result};
use crate::id::{BookingId, EventId, ReservationId};
use crate::inventory::AskedLine;
use crate::text::Faults;
use crate::time::Timestamp;
use crate::value::{Field, Snapshot, Value};

/// The most buyers that are served at once.
pub const MAX_SERVED: u32 = 10_000;

/// How many are served at once where nobody said otherwise.
pub const USUALLY_SERVED: u32 = 100;

/// The least and the most seconds for which a buyer is served.
pub const SERVED_SECONDS: (u32, u32) = (10, 3_600);

/// The most that wait for one event.
pub const MAX_WAITING: u64 = 100_000;

/// How an event's buyers are served.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Queue {
    /// The event.
    pub id: EventId,
    /// How many are served at once.
    pub served: u32,
    /// How many seconds a place is kept for who is served.
    pub seconds: u32,
    /// Whether nobody reserves without being served.
    pub required: bool,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Counts its changes; 0: it is as it is when nobody has said anything.
    pub version: u64,
}

impl Queue {
    /// The queue of an event for which nothing was said.
    #[must_use]
    pub fn usual(event: EventId, now: Timestamp) -> Self {
        Self { id: event, served: USUALLY_SERVED, seconds: 300, required: false, updated_at: now, version: 0 }
    }

    /// Checks what clients may write.
    pub fn check(&self) -> Result<()> {
        let mut faults = Faults::default();
        if !(1..=MAX_SERVED).contains(&self.served) {
            faults.add("max_active", format_args!("is {}; 1 to {MAX_SERVED} are allowed", self.served));
        }
        let (least, most) = SERVED_SECONDS;
        if !(least..=most).contains(&self.seconds) {
            faults.add("active_seconds", format_args!("is {}; {least} to {most} are allowed", self.seconds));
        }
        faults.into_result()
    }
}

impl Snapshot for Queue {
    fn snapshot(&self) -> Vec<Field> {
        vec![
            Field::new("max_active", Value::Integer(self.served.into())),
            Field::new("active_seconds", Value::Integer(self.seconds.into())),
            Field::new("required", self.required),
        ]
    }
}

/// Where a booking is in its life.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum BookingState {
    /// Its turn is still to come.
    Waiting,
    /// It is served: its buyer may reserve, or the host does.
    Active,
    /// Something was reserved.
    Done,
    /// What it was to reserve could not be had.
    Failed,
    /// Somebody took it out of the queue.
    Cancelled,
    /// It was not used in time.
    Expired,
}

impl BookingState {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Waiting, Self::Active, Self::Done, Self::Failed, Self::Cancelled, Self::Expired];

    /// Its name.
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

    /// Whether nothing will become of it any more.
    #[must_use]
    pub const fn is_over(self) -> bool {
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
    /// Whose place it is.
    pub buyer: String,
    /// What is reserved when it is its turn; nothing: the buyer reserves.
    pub lines: Vec<AskedLine>,
    /// How many seconds that is held; none: as long as is usual.
    pub hold_seconds: Option<u32>,
    /// Where it is in its life.
    pub state: BookingState,
    /// When it was put into the queue; this orders it.
    pub entered_at: Timestamp,
    /// When its turn came.
    pub active_at: Option<Timestamp>,
    /// Until when it is served.
    pub active_until: Option<Timestamp>,
    /// What was reserved.
    pub reservation: Option<ReservationId>,
    /// Why it failed: a reason and a message.
    pub failure: Option<(String, String)>,
    /// The principal who put it there.
    pub created_by: String,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Counts its changes.
    pub version: u64,
}

impl Booking {
    /// The booking in another state, at its next version.
    #[must_use]
    pub fn becomes(&self, state: BookingState, now: Timestamp) -> Self {
        Self { state, updated_at: now, version: self.version + 1, ..self.clone() }
    }

    /// The booking, served from now on.
    #[must_use]
    pub fn served(&self, now: Timestamp, seconds: u32) -> Self {
        let until = now.plus(std::time::Duration::from_secs(seconds.into()));
        Self { active_at: Some(now), active_until: Some(until), ..self.becomes(BookingState::Active, now) }
    }

    /// The booking with what was reserved.
    #[must_use]
    pub fn done(&self, reservation: ReservationId, now: Timestamp) -> Self {
        Self { reservation: Some(reservation), ..self.becomes(BookingState::Done, now) }
    }

    /// The booking, failed for a reason that its buyer may know.
    #[must_use]
    pub fn failed(&self, error: &Error, now: Timestamp) -> Self {
        let failure = (error.reason().to_owned(), error.message().to_owned());
        Self { failure: Some(failure), ..self.becomes(BookingState::Failed, now) }
    }

    /// The booking, taken out of the queue.
    pub fn cancelled(&self, now: Timestamp) -> Result<Self> {
        if self.state.is_over() {
            let message = format!(
                "the booking is {}; only one that waits or is served can be cancelled",
                self.state.name()
            );
            return Err(Error::new(ErrorKind::Precondition, "TRANSITION_NOT_ALLOWED", message));
        }
        Ok(self.becomes(BookingState::Cancelled, now))
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
