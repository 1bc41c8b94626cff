//! Tickets, check-ins and signing keys as recorded answers.

use serde::{Deserialize, Serialize};
use tessera_core::Result;
use tessera_core::admission::check_in::Undone;
use tessera_core::admission::ticket::Presence;
use tessera_core::admission::{CheckIn, Direction, SigningKey, Ticket, TicketState, Verdict};
use tessera_core::id::{CheckInId, EventId, ReservationId, SeatId, TicketId, TicketTypeId};
use tessera_core::inventory::reservation::UnitSeat;
use tessera_core::value::Money;
use uuid::Uuid;

use super::scalar::{corrupt, moment};

/// A ticket; ids are texts, times microseconds.
#[derive(Serialize, Deserialize)]
pub(crate) struct StoredTicket {
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
pub(crate) struct StoredCheckIn {
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

/// A signing key without its private key, which answers never need.
#[derive(Serialize, Deserialize)]
pub(crate) struct StoredSigningKey {
    number: u16,
    public: Vec<u8>,
    created_at: i64,
    revoked_at: Option<i64>,
    version: u64,
}

/// Decodes a ticket's state.
pub(crate) fn ticket_state(name: &str) -> Result<TicketState> {
    let state = TicketState::ALL.into_iter().find(|state| state.name() == name);
    state.ok_or_else(|| corrupt("a ticket's state", name))
}

/// Decodes a check-in's verdict.
pub(crate) fn verdict(name: &str) -> Result<Verdict> {
    let verdict = Verdict::ALL.into_iter().find(|verdict| verdict.name() == name);
    verdict.ok_or_else(|| corrupt("a check-in's verdict", name))
}

pub(crate) fn stored_ticket(ticket: &Ticket) -> StoredTicket {
    let presence = &ticket.presence;
    StoredTicket {
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

pub(crate) fn ticket(stored: StoredTicket) -> Result<Ticket> {
    let seat = stored.seat_id.zip(stored.seat);
    Ok(Ticket {
        id: TicketId(stored.id),
        event: EventId(stored.event),
        reservation: ReservationId(stored.reservation),
        ticket_type: TicketTypeId(stored.ticket_type),
        seat: seat.map(|(id, label)| UnitSeat { id: SeatId(id), label }),
        price: Money { amount: stored.amount, currency: stored.currency },
        holder: stored.holder,
        state: ticket_state(&stored.state)?,
        serial: stored.serial,
        code_since: moment(stored.code_since)?,
        cancelled_at: stored.cancelled_at.map(moment).transpose()?,
        presence: Presence {
            entries: stored.entries,
            inside: stored.inside,
            last_at: stored.last_at.map(moment).transpose()?,
            last_gate: stored.last_gate,
        },
        created_at: moment(stored.created_at)?,
        updated_at: moment(stored.updated_at)?,
        version: stored.version,
    })
}

pub(crate) fn stored_check_in(check_in: &CheckIn) -> StoredCheckIn {
    StoredCheckIn {
        id: check_in.id.0,
        event: check_in.event.0,
        ticket: check_in.ticket.0,
        direction: check_in.direction.name().to_owned(),
        verdict: check_in.verdict.name().to_owned(),
        at: check_in.at.micros(),
        gate: check_in.gate.clone(),
        device: check_in.device.clone(),
        staff: check_in.staff.clone(),
        nonce: check_in.nonce.clone(),
        serial: check_in.serial,
        reentry: check_in.reentry,
        created_by: check_in.created_by.clone(),
        recorded_at: check_in.recorded_at.micros(),
        undone: check_in.undone.as_ref().map(|undone| (undone.by.clone(), undone.at.micros())),
    }
}

pub(crate) fn check_in(stored: StoredCheckIn) -> Result<CheckIn> {
    let undone = stored.undone.map(|(by, at)| Ok(Undone { by, at: moment(at)? }));
    Ok(CheckIn {
        id: CheckInId(stored.id),
        event: EventId(stored.event),
        ticket: TicketId(stored.ticket),
        direction: Direction::parse("direction", &stored.direction)?,
        verdict: verdict(&stored.verdict)?,
        at: moment(stored.at)?,
        gate: stored.gate,
        device: stored.device,
        staff: stored.staff,
        nonce: stored.nonce,
        serial: stored.serial,
        reentry: stored.reentry,
        created_by: stored.created_by,
        recorded_at: moment(stored.recorded_at)?,
        undone: undone.transpose()?,
    })
}

pub(crate) fn stored_signing_key(key: &SigningKey) -> StoredSigningKey {
    StoredSigningKey {
        number: key.id,
        public: key.public.clone(),
        created_at: key.created_at.micros(),
        revoked_at: key.revoked_at.map(|at| at.micros()),
        version: key.version,
    }
}

pub(crate) fn signing_key(stored: StoredSigningKey) -> Result<SigningKey> {
    Ok(SigningKey {
        id: stored.number,
        public: stored.public,
        sealed: Vec::new(),
        created_at: moment(stored.created_at)?,
        revoked_at: stored.revoked_at.map(moment).transpose()?,
        version: stored.version,
    })
}
