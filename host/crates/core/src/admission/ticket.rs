//! Tickets: each admits one person, once or as often as the event allows.

use crate::error::{Error, ErrorKind, Result};
use crate::filter::{Kind, Spec};
use crate::id::{EventId, ReservationId, TicketId, TicketTypeId};
use crate::inventory::Reservation;
use crate::inventory::reservation::{Unit, UnitSeat};
use crate::text::Faults;
use crate::time::Timestamp;
use crate::value::{Field, Money, Snapshot, Value};

/// The largest page of tickets.
pub const MAX_PAGE: u32 = 200;

/// The highest serial of a code, which has two bytes for it.
pub const MAX_SERIAL: u16 = u16::MAX;

/// The state of a ticket.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum TicketState {
    /// It admits, unless it is used up.
    Valid,
    /// It was cancelled.
    Cancelled,
}

impl TicketState {
    /// All states.
    pub const ALL: [Self; 2] = [Self::Valid, Self::Cancelled];

    /// Returns its stable name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Valid => "valid",
            Self::Cancelled => "cancelled",
        }
    }
}

/// The result of all check-ins of a ticket.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Presence {
    /// How often it was checked in.
    pub entries: u32,
    /// Whether its holder is inside.
    pub inside: bool,
    /// When it was last checked in or out.
    pub last_at: Option<Timestamp>,
    /// The gate of that check-in.
    pub last_gate: Option<String>,
}

/// A ticket.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Ticket {
    /// Its id, the same as the unit's.
    pub id: TicketId,
    /// The event that it admits to.
    pub event: EventId,
    /// Its reservation.
    pub reservation: ReservationId,
    /// Its type.
    pub ticket_type: TicketTypeId,
    /// Its seat.
    pub seat: Option<UnitSeat>,
    /// Its price.
    pub price: Money,
    /// Its holder.
    pub holder: String,
    /// Its state.
    pub state: TicketState,
    /// The serial of its code; codes with lower serials are invalid.
    pub serial: u16,
    /// When this code was issued.
    pub code_since: Timestamp,
    /// When it was cancelled.
    pub cancelled_at: Option<Timestamp>,
    /// The result of its check-ins.
    pub presence: Presence,
    /// When it was issued.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Its version, incremented by each change.
    pub version: u64,
}

/// The filters and orders of lists of tickets.
pub const SPEC: Spec = Spec {
    fields: &[
        ("event", Kind::Id),
        ("reservation", Kind::Id),
        ("type", Kind::Id),
        ("holder", Kind::Text),
        ("state", Kind::Text),
        ("inside", Kind::Boolean),
        ("created", Kind::Time),
    ],
    orders: &["created"],
};

impl Ticket {
    /// Creates the ticket of a unit whose reservation is confirmed.
    #[must_use]
    pub fn issued(of: &Reservation, unit: &Unit, now: Timestamp) -> Option<Self> {
        let line = of.lines.get(unit.line)?;
        let price = of.price(unit)?;
        Some(Self {
            id: unit.id,
            event: of.event,
            reservation: of.id,
            ticket_type: line.ticket_type,
            seat: unit.seat.clone(),
            price,
            holder: of.buyer.clone(),
            state: TicketState::Valid,
            serial: 1,
            code_since: now,
            cancelled_at: None,
            presence: Presence::default(),
            created_at: now,
            updated_at: now,
            version: 1,
        })
    }

    /// Returns the ticket with another holder and a new code.
    pub fn transferred(&self, holder: &str, now: Timestamp) -> Result<Self> {
        let mut faults = Faults::default();
        faults.text("holder", holder, 1, 255);
        faults.into_result()?;
        self.check_valid()?;
        if self.presence.entries > 0 {
            let message = "the ticket was used already; it stays with its holder";
            return Err(Error::new(ErrorKind::Precondition, "TICKET_USED", message));
        }
        if self.serial == MAX_SERIAL {
            let message = format!("the ticket had {MAX_SERIAL} codes, which is the most");
            return Err(Error::new(ErrorKind::TooLarge, "TOO_LARGE", message));
        }
        let (serial, holder) = (self.serial + 1, holder.to_owned());
        Ok(Self { holder, serial, code_since: now, ..self.changed(now) })
    }

    /// Returns the ticket, cancelled.
    pub fn cancelled(&self, now: Timestamp) -> Result<Self> {
        self.check_valid()?;
        Ok(Self { state: TicketState::Cancelled, cancelled_at: Some(now), ..self.changed(now) })
    }

    /// Returns the ticket at its next version.
    pub(crate) fn changed(&self, now: Timestamp) -> Self {
        Self { updated_at: now, version: self.version + 1, ..self.clone() }
    }

    /// Refuses a cancelled ticket.
    pub fn check_valid(&self) -> Result<()> {
        match self.state {
            TicketState::Valid => Ok(()),
            TicketState::Cancelled => {
                Err(Error::new(ErrorKind::Precondition, "TICKET_CANCELLED", "the ticket was cancelled"))
            }
        }
    }
}

impl Snapshot for Ticket {
    fn snapshot(&self) -> Vec<Field> {
        let presence = &self.presence;
        vec![
            Field::new("event_id", Value::from(Some(self.event))),
            Field::new("reservation_id", Value::from(Some(self.reservation))),
            Field::new("ticket_type_id", Value::from(Some(self.ticket_type))),
            Field::new("seat", Value::from(self.seat.as_ref().map(|seat| &seat.label))),
            Field::new("price", Value::Money(self.price.clone())),
            Field::new("holder", self.holder.as_str()),
            Field::new("state", self.state.name()),
            Field::new("serial", Value::Integer(self.serial.into())),
            Field::new("entries", Value::Integer(presence.entries.into())),
            Field::new("inside", presence.inside),
            Field::new("last_at", presence.last_at.map_or(Value::None, Value::Time)),
            Field::new("last_gate", Value::from(presence.last_gate.as_ref())),
        ]
    }
}

#[cfg(test)]
impl Ticket {
    /// Creates a valid, unused ticket for tests.
    pub(crate) fn sample(serial: u16, since: Timestamp) -> Self {
        Self {
            id: TicketId::generate(),
            event: EventId::generate(),
            reservation: ReservationId::generate(),
            ticket_type: TicketTypeId::generate(),
            seat: None,
            price: Money { amount: 1, currency: "EUR".into() },
            holder: "ann".into(),
            state: TicketState::Valid,
            serial,
            code_since: since,
            cancelled_at: None,
            presence: Presence::default(),
            created_at: since,
            updated_at: since,
            version: 1,
        }
    }
}
