//! Reservations and what can still be had, as JSON.

use serde::{Deserialize, Serialize};
use tessera_core::Result;
use tessera_core::id::{EventId, TicketId};
use tessera_core::inventory::availability::{AvailabilityCheck, AvailableType};
use tessera_core::inventory::reservation::Unit;
use tessera_core::inventory::{AvailabilityUpdate, Reservation};
use tessera_core::value::Money;
use utoipa::ToSchema;

use crate::inventory::{WrittenLine, WrittenReservation, unit_ids};
use crate::request::etag;
use crate::rest::dto::ticket_type::MoneyBody;

/// A claim on units of an event's ticket types.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReservationBody {
    /// Its id.
    pub id: String,
    /// The event.
    pub event_id: String,
    /// For whom it is.
    pub user_id: String,
    /// `held`, `confirmed`, `released` or `expired`.
    pub state: &'static str,
    /// What was reserved, with what is still in it of each line.
    pub lines: Vec<LineBody>,
    /// The units that are still in it.
    pub tickets: Vec<ReservedTicketBody>,
    /// What its units cost together; null: it has none.
    pub total: Option<MoneyBody>,
    /// What the payment is known by; null: it is not confirmed.
    pub payment_reference: Option<String>,
    /// The principal who made it, as `key:<id>`.
    pub created_by: String,
    /// When it was made.
    pub created_at: String,
    /// When it was last changed.
    pub updated_at: String,
    /// When a hold ends.
    pub expires_at: String,
    /// Names this version, for `If-Match` and `If-None-Match`.
    pub etag: String,
}

/// Units of one ticket type that were reserved.
#[derive(Debug, Serialize, ToSchema)]
pub struct LineBody {
    /// The ticket type.
    pub ticket_type_id: String,
    /// How many units are still in the reservation.
    pub quantity: u32,
    /// The price of one, as it was when it was reserved.
    pub price: MoneyBody,
}

/// One admission that is held or was sold.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReservedTicketBody {
    /// Its id, which becomes the ticket's.
    pub id: String,
    /// The ticket type.
    pub ticket_type_id: String,
    /// Its seat's label; null: it has no seat.
    pub seat_number: Option<String>,
    /// What it costs.
    pub price: MoneyBody,
}

/// Units of a ticket type that are wanted.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WantedLineBody {
    /// The ticket type.
    #[serde(default)]
    #[schema(required = true)]
    pub ticket_type_id: String,
    /// How many units.
    #[serde(default)]
    #[schema(required = true)]
    pub quantity: i32,
    /// Labels of seats, as many as units; absent: any that are free, together where possible.
    #[serde(default)]
    pub seat_numbers: Vec<String>,
}

/// What to reserve: either one line by the single fields, or `lines`. All of it or nothing.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReserveBody {
    /// The event.
    #[serde(default)]
    #[schema(required = true)]
    pub event_id: String,
    /// The ticket type of the one line.
    #[serde(default)]
    pub ticket_type_id: String,
    /// How many units of it.
    #[serde(default)]
    pub quantity: i32,
    /// Labels of its seats, as many as units; absent: any.
    #[serde(default)]
    pub seat_numbers: Vec<String>,
    /// For whom it is, 1 to 255 characters.
    #[serde(default)]
    #[schema(required = true)]
    pub user_id: String,
    /// How many seconds it is held, as the event allows; absent or 0: as long as is usual.
    #[serde(default)]
    pub timeout_seconds: i32,
    /// Several lines at once, at most 50 with 1,000 units.
    #[serde(default)]
    pub lines: Vec<WantedLineBody>,
}

/// What is held now.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReservedAnswer {
    /// The reservation's id.
    pub reservation_id: String,
    /// When the hold ends.
    pub expires_at: String,
    /// The units that are held.
    pub tickets: Vec<ReservedTicketBody>,
    /// All of it.
    pub reservation: ReservationBody,
}

/// A payment.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ConfirmBody {
    /// What the payment is known by, 1 to 255 characters.
    #[serde(default)]
    #[schema(required = true)]
    pub payment_reference: String,
}

/// How much longer a hold lasts.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ExtendBody {
    /// How many seconds from now, as the event allows; 0: as long as is usual.
    pub timeout_seconds: i32,
}

/// What is given back.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ReleaseBody {
    /// Units of the reservation; absent: all.
    pub ticket_ids: Vec<String>,
}

/// One reservation.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReservationAnswer {
    /// The reservation.
    pub reservation: ReservationBody,
}

/// A page of reservations.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReservationsPage {
    /// The reservations.
    pub reservations: Vec<ReservationBody>,
    /// The token of the next page; empty: this was the last.
    pub next_page_token: String,
}

/// What somebody would like to have.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CheckBody {
    /// The ticket type.
    #[serde(default)]
    #[schema(required = true)]
    pub ticket_type_id: String,
    /// How many units.
    #[serde(default)]
    #[schema(required = true)]
    pub quantity: i32,
    /// Labels of seats; absent: any.
    #[serde(default)]
    pub seat_numbers: Vec<String>,
}

/// Whether something can be had.
#[derive(Debug, Serialize, ToSchema)]
pub struct CheckAnswer {
    /// Whether it can.
    pub available: bool,
    /// How many can be had; null: no pool sets a bound.
    pub available_quantity: Option<u64>,
    /// Labels of free seats: those that were asked about, or some.
    pub available_seats: Vec<String>,
    /// Why not; empty: it can be had.
    pub message: String,
}

/// What can be had of a ticket type.
#[derive(Debug, Serialize, ToSchema)]
pub struct AvailableBody {
    /// The ticket type.
    pub ticket_type_id: String,
    /// Its name.
    pub name: String,
    /// The price of one.
    pub price: MoneyBody,
    /// How many can be reserved; null: no pool sets a bound.
    pub quantity: Option<u64>,
    /// Labels of seats that are free, by row and number.
    pub seat_numbers: Vec<String>,
}

/// What can be had of an event.
#[derive(Debug, Serialize, ToSchema)]
pub struct AvailableAnswer {
    /// The ticket types on sale, oldest first.
    pub tickets: Vec<AvailableBody>,
}

/// An event's availability at a moment.
#[derive(Debug, Serialize, ToSchema)]
pub struct LevelsBody {
    /// The event.
    pub event_id: String,
    /// `draft`, `active`, `cancelled` or `ended`.
    pub status: &'static str,
    /// When it was read.
    pub at: String,
    /// Its ticket types, oldest first.
    pub types: Vec<TypeLevelBody>,
    /// Seats that changed hands since the update before.
    pub seats: Vec<SeatLevelBody>,
    /// Whether more seats changed than are remembered: list them anew.
    pub seats_missed: bool,
}

/// How much is left of a ticket type.
#[derive(Debug, Serialize, ToSchema)]
pub struct TypeLevelBody {
    /// The ticket type.
    pub ticket_type_id: String,
    /// Its name.
    pub name: String,
    /// How many there are; null: no pool sets a bound.
    pub quantity: Option<u64>,
    /// How many can be reserved; null: no pool sets a bound.
    pub available_quantity: Option<u64>,
}

/// A seat that changed hands.
#[derive(Debug, Serialize, ToSchema)]
pub struct SeatLevelBody {
    /// The type of which it is a seat.
    pub ticket_type_id: String,
    /// Its label.
    pub seat_number: String,
    /// Whether it is free now.
    pub free: bool,
}

impl From<&Money> for MoneyBody {
    fn from(money: &Money) -> Self {
        Self { amount: money.amount, currency: money.currency.clone() }
    }
}

impl From<&Reservation> for ReservationBody {
    fn from(held: &Reservation) -> Self {
        let lines = held.lines.iter().zip(held.quantities()).map(|(line, quantity)| LineBody {
            ticket_type_id: line.ticket_type.to_string(),
            quantity,
            price: MoneyBody::from(&line.price),
        });
        Self {
            id: held.id.to_string(),
            event_id: held.event.to_string(),
            user_id: held.buyer.clone(),
            state: held.state.name(),
            lines: lines.collect(),
            tickets: tickets(held),
            total: held.total().as_ref().map(MoneyBody::from),
            payment_reference: held.payment_reference.clone(),
            created_by: held.created_by.clone(),
            created_at: held.created_at.to_string(),
            updated_at: held.updated_at.to_string(),
            expires_at: held.expires_at.to_string(),
            etag: etag(held.version),
        }
    }
}

impl From<&Reservation> for ReservedAnswer {
    fn from(held: &Reservation) -> Self {
        Self {
            reservation_id: held.id.to_string(),
            expires_at: held.expires_at.to_string(),
            tickets: tickets(held),
            reservation: ReservationBody::from(held),
        }
    }
}

fn tickets(held: &Reservation) -> Vec<ReservedTicketBody> {
    let ticket = |unit: &Unit| {
        let line = held.lines.get(unit.line)?;
        Some(ReservedTicketBody {
            id: unit.id.to_string(),
            ticket_type_id: line.ticket_type.to_string(),
            seat_number: unit.seat.as_ref().map(|seat| seat.label.clone()),
            price: MoneyBody::from(&line.price),
        })
    };
    held.units.iter().filter_map(ticket).collect()
}

impl From<WantedLineBody> for WrittenLine {
    fn from(line: WantedLineBody) -> Self {
        Self { ticket_type_id: line.ticket_type_id, quantity: line.quantity, seat_numbers: line.seat_numbers }
    }
}

impl ReserveBody {
    /// What is asked for.
    #[must_use]
    pub fn written(self) -> WrittenReservation {
        let single = WrittenLine {
            ticket_type_id: self.ticket_type_id,
            quantity: self.quantity,
            seat_numbers: self.seat_numbers,
        };
        WrittenReservation {
            event_id: self.event_id,
            single,
            lines: self.lines.into_iter().map(Into::into).collect(),
            user_id: self.user_id,
            timeout_seconds: self.timeout_seconds,
        }
    }
}

impl ReleaseBody {
    /// The units that are named.
    pub fn units(&self) -> Result<Vec<TicketId>> {
        unit_ids(&self.ticket_ids)
    }
}

impl From<AvailabilityCheck> for CheckAnswer {
    fn from(checked: AvailabilityCheck) -> Self {
        Self {
            available: checked.available,
            available_quantity: checked.quantity,
            available_seats: checked.seats,
            message: checked.message,
        }
    }
}

impl From<AvailableType> for AvailableBody {
    fn from(held: AvailableType) -> Self {
        let text = held.ticket_type.attributes;
        Self {
            ticket_type_id: held.ticket_type.id.to_string(),
            name: text.name,
            price: MoneyBody::from(&text.price),
            quantity: held.quantity,
            seat_numbers: held.seats.into_iter().map(|seat| seat.label).collect(),
        }
    }
}

impl LevelsBody {
    /// An event's availability at a moment.
    #[must_use]
    pub fn new(event: EventId, update: &AvailabilityUpdate) -> Self {
        let types = update.availability.types.iter().map(|level| TypeLevelBody {
            ticket_type_id: level.ticket_type.to_string(),
            name: level.name.clone(),
            quantity: level.quantity,
            available_quantity: level.available,
        });
        let seats = update.seats.iter().map(|seat| SeatLevelBody {
            ticket_type_id: seat.ticket_type.to_string(),
            seat_number: seat.label.clone(),
            free: seat.free,
        });
        Self {
            event_id: event.to_string(),
            status: update.availability.status.name(),
            at: update.availability.at.to_string(),
            types: types.collect(),
            seats: seats.collect(),
            seats_missed: update.seats_missed,
        }
    }
}
