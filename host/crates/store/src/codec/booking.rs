//! Queues, bookings and tenants' hold rules as answers that are recorded, and what a booking wants.

use serde::{Deserialize, Serialize};
use tessera_core::Result;
use tessera_core::booking::{Booking, BookingState, Queue};
use tessera_core::catalog::event::HoldRules;
use tessera_core::id::{BookingId, EventId, ReservationId, TenantId, TicketTypeId};
use tessera_core::inventory::{AskedLine, TenantHolds};
use uuid::Uuid;

use super::{corrupt, moment};

#[derive(Serialize, Deserialize)]
pub(crate) struct AskedLineForm {
    #[serde(rename = "type")]
    ticket_type: Uuid,
    quantity: u32,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    seats: Vec<String>,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct QueueForm {
    event: Uuid,
    served: u32,
    seconds: u32,
    required: bool,
    updated_at: i64,
    version: u64,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct BookingForm {
    id: Uuid,
    event: Uuid,
    buyer: String,
    lines: Vec<AskedLineForm>,
    hold_seconds: Option<u32>,
    state: String,
    entered_at: i64,
    active_at: Option<i64>,
    active_until: Option<i64>,
    reservation: Option<Uuid>,
    failure: Option<(String, String)>,
    created_by: String,
    updated_at: i64,
    version: u64,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct TenantHoldsForm {
    tenant: Uuid,
    usual: Option<u32>,
    least: Option<u32>,
    most: Option<u32>,
    updated_at: i64,
    version: u64,
}

pub(crate) fn tenant_holds_form(held: &TenantHolds) -> TenantHoldsForm {
    let HoldRules { usual, least, most } = held.rules;
    let (updated_at, version) = (held.updated_at.micros(), held.version);
    TenantHoldsForm { tenant: held.id.0, usual, least, most, updated_at, version }
}

pub(crate) fn tenant_holds(form: &TenantHoldsForm) -> Result<TenantHolds> {
    Ok(TenantHolds {
        id: TenantId(form.tenant),
        rules: HoldRules { usual: form.usual, least: form.least, most: form.most },
        updated_at: moment(form.updated_at)?,
        version: form.version,
    })
}

/// A booking's state from its name.
pub(crate) fn booking_state(name: &str) -> Result<BookingState> {
    let found = BookingState::ALL.into_iter().find(|state| state.name() == name);
    found.ok_or_else(|| corrupt("a booking's state", name))
}

pub(crate) fn asked_line_form(line: &AskedLine) -> AskedLineForm {
    AskedLineForm { ticket_type: line.ticket_type.0, quantity: line.quantity, seats: line.seats.clone() }
}

pub(crate) fn asked_line(form: AskedLineForm) -> AskedLine {
    AskedLine { ticket_type: TicketTypeId(form.ticket_type), quantity: form.quantity, seats: form.seats }
}

pub(crate) fn queue_form(queue: &Queue) -> QueueForm {
    QueueForm {
        event: queue.id.0,
        served: queue.served,
        seconds: queue.seconds,
        required: queue.required,
        updated_at: queue.updated_at.micros(),
        version: queue.version,
    }
}

pub(crate) fn queue(form: &QueueForm) -> Result<Queue> {
    Ok(Queue {
        id: EventId(form.event),
        served: form.served,
        seconds: form.seconds,
        required: form.required,
        updated_at: moment(form.updated_at)?,
        version: form.version,
    })
}

pub(crate) fn booking_form(held: &Booking) -> BookingForm {
    BookingForm {
        id: held.id.0,
        event: held.event.0,
        buyer: held.buyer.clone(),
        lines: held.lines.iter().map(asked_line_form).collect(),
        hold_seconds: held.hold_seconds,
        state: held.state.name().to_owned(),
        entered_at: held.entered_at.micros(),
        active_at: held.active_at.map(|at| at.micros()),
        active_until: held.active_until.map(|at| at.micros()),
        reservation: held.reservation.map(|id| id.0),
        failure: held.failure.clone(),
        created_by: held.created_by.clone(),
        updated_at: held.updated_at.micros(),
        version: held.version,
    }
}

pub(crate) fn booking(form: BookingForm) -> Result<Booking> {
    Ok(Booking {
        id: BookingId(form.id),
        event: EventId(form.event),
        buyer: form.buyer,
        lines: form.lines.into_iter().map(asked_line).collect(),
        hold_seconds: form.hold_seconds,
        state: booking_state(&form.state)?,
        entered_at: moment(form.entered_at)?,
        active_at: form.active_at.map(moment).transpose()?,
        active_until: form.active_until.map(moment).transpose()?,
        reservation: form.reservation.map(ReservationId),
        failure: form.failure,
        created_by: form.created_by,
        updated_at: moment(form.updated_at)?,
        version: form.version,
    })
}
