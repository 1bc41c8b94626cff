//! Reservations: their lines and units, and they themselves as they are read in batches and answered.

use serde::{Deserialize, Serialize};
use tessera_core::Result;
use tessera_core::id::{EventId, PoolId, ReservationId, SeatId, TicketId, TicketTypeId};
use tessera_core::inventory::reservation::{Line, Unit, UnitSeat};
use tessera_core::inventory::{Reservation, ReservationState};
use tessera_core::value::Money;
use uuid::Uuid;

use super::{corrupt, moment};

#[derive(Serialize, Deserialize)]
pub(crate) struct LineForm {
    #[serde(rename = "type")]
    ticket_type: Uuid,
    amount: i64,
    currency: String,
    pools: Vec<Uuid>,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct UnitForm {
    id: Uuid,
    line: usize,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    seat: Option<(Uuid, String)>,
}

/// A reservation as a row of a batch: ids are texts, times microseconds.
#[derive(Serialize, Deserialize)]
pub(crate) struct ReservationForm {
    pub(crate) id: Uuid,
    pub(crate) event: Uuid,
    pub(crate) buyer: String,
    pub(crate) state: String,
    pub(crate) quantity: u64,
    pub(crate) lines: Vec<LineForm>,
    pub(crate) units: Vec<UnitForm>,
    pub(crate) payment: Option<String>,
    pub(crate) created_by: String,
    pub(crate) created_at: i64,
    pub(crate) updated_at: i64,
    pub(crate) expires_at: i64,
    pub(crate) version: u64,
}

/// A reservation's state from its name.
pub(crate) fn reservation_state(name: &str) -> Result<ReservationState> {
    ReservationState::ALL
        .into_iter()
        .find(|state| state.name() == name)
        .ok_or_else(|| corrupt("a reservation's state", name))
}

pub(crate) fn line_form(line: &Line) -> LineForm {
    LineForm {
        ticket_type: line.ticket_type.0,
        amount: line.price.amount,
        currency: line.price.currency.clone(),
        pools: line.pools.iter().map(|pool| pool.0).collect(),
    }
}

pub(crate) fn line(form: LineForm) -> Line {
    Line {
        ticket_type: TicketTypeId(form.ticket_type),
        price: Money { amount: form.amount, currency: form.currency },
        pools: form.pools.into_iter().map(PoolId).collect(),
    }
}

pub(crate) fn unit_form(unit: &Unit) -> UnitForm {
    let seat = unit.seat.as_ref().map(|seat| (seat.id.0, seat.label.clone()));
    UnitForm { id: unit.id.0, line: unit.line, seat }
}

pub(crate) fn unit(form: UnitForm) -> Unit {
    let seat = form.seat.map(|(id, label)| UnitSeat { id: SeatId(id), label });
    Unit { id: TicketId(form.id), line: form.line, seat }
}

pub(crate) fn reservation_form(held: &Reservation) -> ReservationForm {
    ReservationForm {
        id: held.id.0,
        event: held.event.0,
        buyer: held.buyer.clone(),
        state: held.state.name().to_owned(),
        quantity: held.units.len() as u64,
        lines: held.lines.iter().map(line_form).collect(),
        units: held.units.iter().map(unit_form).collect(),
        payment: held.payment_reference.clone(),
        created_by: held.created_by.clone(),
        created_at: held.created_at.micros(),
        updated_at: held.updated_at.micros(),
        expires_at: held.expires_at.micros(),
        version: held.version,
    }
}

pub(crate) fn reservation(form: ReservationForm) -> Result<Reservation> {
    Ok(Reservation {
        id: ReservationId(form.id),
        event: EventId(form.event),
        buyer: form.buyer,
        state: reservation_state(&form.state)?,
        lines: form.lines.into_iter().map(line).collect(),
        units: form.units.into_iter().map(unit).collect(),
        payment_reference: form.payment,
        created_by: form.created_by,
        created_at: moment(form.created_at)?,
        updated_at: moment(form.updated_at)?,
        expires_at: moment(form.expires_at)?,
        version: form.version,
    })
}
