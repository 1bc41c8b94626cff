//! Tickets, check-ins and signing keys as answers that are recorded.

use serde::{Deserialize, Serialize};
use tessera_core::Result;
use tessera_core::admission::check_in::Undone;
use tessera_core::admission::ticket::Presence;
use tessera_core::admission::{CheckIn, Direction, SigningKey, Ticket, TicketState, Verdict};
use tessera_core::id::{CheckInId, EventId, ReservationId, SeatId, TicketId, TicketTypeId};
use tessera_core::inventory::reservation::UnitSeat;
use tessera_core::value::Money;
use uuid::Uuid;

use super::{corrupt, moment};

/// A ticket, also as a row of a batch: ids are texts, times microseconds.
#[derive(Serialize, Deserialize)]
pub(crate) struct TicketForm {
    id: Uuid,
    event: Uuid,
    reservation: Uuid,
    #[serde(rename = "type")]
    ticket_type: Uuid,
    seat_id: Option<Uuid>,
    seat: Option<String>,
    amount: i64,
    currency: String,
    holder: String,
    state: String,
    serial: u16,
    code_since: i64,
    cancelled_at: Option<i64>,
    entries: u32,
    inside: bool,
    last_at: Option<i64>,
    last_gate: Option<String>,
    created_at: i64,
    updated_at: i64,
    version: u64,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct CheckInForm {
    id: Uuid,
    event: Uuid,
    ticket: Uuid,
    direction: String,
    verdict: String,
    at: i64,
    gate: String,
    device: String,
    staff: String,
    nonce: Option<String>,
    serial: Option<u16>,
    #[serde(default)]
    reentry: bool,
    created_by: String,
    recorded_at: i64,
    undone: Option<(String, i64)>,
}

/// A key without its private half, sealed as it is: nobody needs it of an answer.
#[derive(Serialize, Deserialize)]
pub(crate) struct SigningKeyForm {
    number: u16,
    public: Vec<u8>,
    created_at: i64,
    revoked_at: Option<i64>,
    version: u64,
}

/// A ticket's state from its name.
pub(crate) fn ticket_state(name: &str) -> Result<TicketState> {
    let found = TicketState::ALL.into_iter().find(|state| state.name() == name);
    found.ok_or_else(|| corrupt("a ticket's state", name))
}

/// A check-in's verdict from its name.
pub(crate) fn verdict(name: &str) -> Result<Verdict> {
    let found = Verdict::ALL.into_iter().find(|verdict| verdict.name() == name);
    found.ok_or_else(|| corrupt("a check-in's verdict", name))
}

pub(crate) fn ticket_form(ticket: &Ticket) -> TicketForm {
    let presence = &ticket.presence;
    TicketForm {
        id: ticket.id.0,
        event: ticket.event.0,
        reservation: ticket.reservation.0,
        ticket_type: ticket.ticket_type.0,
        seat_id: ticket.seat.as_ref().map(|seat| seat.id.0),
        seat: ticket.seat.as_ref().map(|seat| seat.label.clone()),
        amount: ticket.price.amount,
        currency: ticket.price.currency.clone(),
        holder: ticket.holder.clone(),
        state: ticket.state.name().to_owned(),
        serial: ticket.serial,
        code_since: ticket.code_since.micros(),
        cancelled_at: ticket.cancelled_at.map(|at| at.micros()),
        entries: presence.entries,
        inside: presence.inside,
        last_at: presence.last_at.map(|at| at.micros()),
        last_gate: presence.last_gate.clone(),
        created_at: ticket.created_at.micros(),
        updated_at: ticket.updated_at.micros(),
        version: ticket.version,
    }
}

pub(crate) fn ticket(form: TicketForm) -> Result<Ticket> {
    let seat = form.seat_id.zip(form.seat);
    Ok(Ticket {
        id: TicketId(form.id),
        event: EventId(form.event),
        reservation: ReservationId(form.reservation),
        ticket_type: TicketTypeId(form.ticket_type),
        seat: seat.map(|(id, label)| UnitSeat { id: SeatId(id), label }),
        price: Money { amount: form.amount, currency: form.currency },
        holder: form.holder,
        state: ticket_state(&form.state)?,
        serial: form.serial,
        code_since: moment(form.code_since)?,
        cancelled_at: form.cancelled_at.map(moment).transpose()?,
        presence: Presence {
            entries: form.entries,
            inside: form.inside,
            last_at: form.last_at.map(moment).transpose()?,
            last_gate: form.last_gate,
        },
        created_at: moment(form.created_at)?,
        updated_at: moment(form.updated_at)?,
        version: form.version,
    })
}

pub(crate) fn check_in_form(held: &CheckIn) -> CheckInForm {
    CheckInForm {
        id: held.id.0,
        event: held.event.0,
        ticket: held.ticket.0,
        direction: held.direction.name().to_owned(),
        verdict: held.verdict.name().to_owned(),
        at: held.at.micros(),
        gate: held.gate.clone(),
        device: held.device.clone(),
        staff: held.staff.clone(),
        nonce: held.nonce.clone(),
        serial: held.serial,
        reentry: held.reentry,
        created_by: held.created_by.clone(),
        recorded_at: held.recorded_at.micros(),
        undone: held.undone.as_ref().map(|undone| (undone.by.clone(), undone.at.micros())),
    }
}

pub(crate) fn check_in(form: CheckInForm) -> Result<CheckIn> {
    let undone = form.undone.map(|(by, at)| Ok(Undone { by, at: moment(at)? }));
    Ok(CheckIn {
        id: CheckInId(form.id),
        event: EventId(form.event),
        ticket: TicketId(form.ticket),
        direction: Direction::parse("direction", &form.direction)?,
        verdict: verdict(&form.verdict)?,
        at: moment(form.at)?,
        gate: form.gate,
        device: form.device,
        staff: form.staff,
        nonce: form.nonce,
        serial: form.serial,
        reentry: form.reentry,
        created_by: form.created_by,
        recorded_at: moment(form.recorded_at)?,
        undone: undone.transpose()?,
    })
}

pub(crate) fn signing_key_form(key: &SigningKey) -> SigningKeyForm {
    SigningKeyForm {
        number: key.id,
        public: key.public.clone(),
        created_at: key.created_at.micros(),
        revoked_at: key.revoked_at.map(|at| at.micros()),
        version: key.version,
    }
}

pub(crate) fn signing_key(form: SigningKeyForm) -> Result<SigningKey> {
    Ok(SigningKey {
        id: form.number,
        public: form.public,
        sealed: Vec::new(),
        created_at: moment(form.created_at)?,
        revoked_at: form.revoked_at.map(moment).transpose()?,
        version: form.version,
    })
}
