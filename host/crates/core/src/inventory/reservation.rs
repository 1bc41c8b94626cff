//! Reservations: units that are held for a while, then confirmed, released or expired.

use crate::error::{Error, ErrorKind, Result};
use crate::filter::{Kind, Spec};
use crate::id::{EventId, PoolId, QuoteId, ReservationId, SeatId, TicketId, TicketTypeId};
use crate::pricing::CodeUse;
use crate::time::Timestamp;
use crate::value::{Field, Money, Snapshot, Value};

/// The most units of one reservation.
pub const MAX_UNITS: u32 = 1_000;

/// The most lines of one reservation.
pub const MAX_LINES: usize = 50;

/// The state of a reservation.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum ReservationState {
    /// Its units are held until it expires.
    Held,
    /// Its units were sold.
    Confirmed,
    /// Its units were released.
    Released,
    /// It expired.
    Expired,
}

impl ReservationState {
    /// All states.
    pub const ALL: [Self; 4] = [Self::Held, Self::Confirmed, Self::Released, Self::Expired];

    /// Returns its stable name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Confirmed => "confirmed",
            Self::Released => "released",
            Self::Expired => "expired",
        }
    }
}

/// Units of one ticket type.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Line {
    /// The ticket type.
    pub ticket_type: TicketTypeId,
    /// The base price of one unit at the time of the reservation.
    pub price: Money,
    /// The category of buyers; empty: none.
    pub category: String,
    /// The pools that each unit was taken from and returns to.
    pub pools: Vec<PoolId>,
}

/// One admission.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Unit {
    /// Its id, which becomes the ticket's.
    pub id: TicketId,
    /// The index of its line.
    pub line: usize,
    /// Its seat.
    pub seat: Option<UnitSeat>,
    /// Its price by the reservation's quote, in the line's currency; `None`: the line's base price.
    pub quoted: Option<i64>,
}

/// The seat of a unit.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct UnitSeat {
    /// The seat.
    pub id: SeatId,
    /// Its label.
    pub label: String,
}

/// A reservation.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Reservation {
    /// Its id.
    pub id: ReservationId,
    /// The event.
    pub event: EventId,
    /// The buyer.
    pub buyer: String,
    /// Its state.
    pub state: ReservationState,
    /// Its lines.
    pub lines: Vec<Line>,
    /// The units that it still has.
    pub units: Vec<Unit>,
    /// The quote that it was made with; `None`: the base prices apply.
    pub quote: Option<QuoteId>,
    /// The codes of promotions that it uses, until it is released or expires.
    pub codes: Vec<CodeUse>,
    /// The client's reference to the payment.
    pub payment_reference: Option<String>,
    /// The principal that created it.
    pub created_by: String,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// When the hold expires.
    pub expires_at: Timestamp,
    /// Its version, incremented by each change.
    pub version: u64,
}

/// The filters and orders of lists of reservations.
pub const SPEC: Spec = Spec {
    fields: &[
        ("event", Kind::Id),
        ("buyer", Kind::Text),
        ("state", Kind::Text),
        ("created", Kind::Time),
        ("expires", Kind::Time),
    ],
    orders: &["created"],
};

/// The largest page of reservations.
pub const MAX_PAGE: u32 = 200;

impl Reservation {
    /// Returns the price of a unit: the quoted one, or else the line's base price.
    #[must_use]
    pub fn price(&self, unit: &Unit) -> Option<Money> {
        let base = &self.lines.get(unit.line)?.price;
        Some(Money { amount: unit.quoted.unwrap_or(base.amount), currency: base.currency.clone() })
    }

    /// Returns the price of all units; `None` if there are no units or the currencies differ.
    #[must_use]
    pub fn total(&self) -> Option<Money> {
        let mut total: Option<Money> = None;
        for unit in &self.units {
            let price = self.price(unit)?;
            match &mut total {
                None => total = Some(price),
                Some(sum) if sum.currency == price.currency => {
                    sum.amount = sum.amount.checked_add(price.amount)?;
                }
                Some(_) => return None,
            }
        }
        total
    }

    /// Returns the number of units of each line.
    #[must_use]
    pub fn quantities(&self) -> Vec<u32> {
        let mut quantities = vec![0; self.lines.len()];
        for unit in &self.units {
            if let Some(quantity) = quantities.get_mut(unit.line) {
                *quantity += 1;
            }
        }
        quantities
    }

    /// Refuses a reservation that is not held.
    pub fn check_held(&self) -> Result<()> {
        match self.state {
            ReservationState::Held => Ok(()),
            ReservationState::Expired => Err(expired()),
            ReservationState::Confirmed | ReservationState::Released => {
                let message =
                    format!("the reservation is {}; only one that is held can be changed", self.state.name());
                Err(Error::new(ErrorKind::Precondition, "TRANSITION_NOT_ALLOWED", message))
            }
        }
    }
}

/// The refusal of a command on an expired reservation.
#[must_use]
pub fn expired() -> Error {
    Error::new(ErrorKind::Gone, "RESERVATION_EXPIRED", "the hold is over; reserve again")
}

impl Snapshot for Reservation {
    fn snapshot(&self) -> Vec<Field> {
        let types = self.lines.iter().zip(self.quantities());
        let lines = types.map(|(line, quantity)| format!("{quantity} {}", line.ticket_type)).collect();
        let seat = |unit: &Unit| {
            let line = self.lines.get(unit.line)?;
            Some(format!("{}/{}", line.ticket_type, unit.seat.as_ref()?.label))
        };
        let seats = self.units.iter().filter_map(seat).collect();
        vec![
            Field::new("event_id", Value::from(Some(self.event))),
            Field::new("buyer_id", self.buyer.as_str()),
            Field::new("state", self.state.name()),
            Field::new("lines", Value::Texts(lines)),
            Field::new("seats", Value::Texts(seats)),
            Field::new("total", self.total().map_or(Value::None, Value::Money)),
            Field::new("quote_id", Value::from(self.quote)),
            Field::new("codes", Value::Texts(self.codes.iter().map(|code| code.code.clone()).collect())),
            Field::new("payment_reference", self.payment_reference.clone()),
            Field::new("expires_at", self.expires_at),
        ]
    }
}
