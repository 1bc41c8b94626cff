//! Tickets, and the keys of their codes.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tessera_core::admission::{Code, RevokedCodes, ScannedCode, SigningKey, Ticket};
use tessera_core::value::Money;
use tessera_proto::common::v1 as common;
use tessera_proto::ticket::v1 as pb;

use crate::convert::{count, time};
use crate::state::{etag, etag_with_count};

/// By what codes are signed.
const ALGORITHM: &str = "Ed25519";

/// The entity tag of a ticket; a code that is signed by another key has another tag.
fn ticket_etag(ticket: &Ticket, code: Option<&Code>) -> String {
    let signed_by = code.and_then(|code| ScannedCode::parse("code", &code.0).ok()).map(|code| code.key);
    signed_by.map_or_else(|| etag(ticket.version), |key| etag_with_count(ticket.version, key.into()))
}

/// A ticket, with its code for who sees it.
#[must_use]
pub(crate) fn ticket(held: Ticket, code: Option<Code>) -> pb::Ticket {
    let etag = ticket_etag(&held, code.as_ref());
    let Money { amount, currency } = held.price;
    pb::Ticket {
        id: held.id.to_string(),
        event_id: held.event.to_string(),
        reservation_id: held.reservation.to_string(),
        ticket_type_id: held.ticket_type.to_string(),
        seat_number: held.seat.map(|seat| seat.label),
        price: Some(common::Money { amount, currency }),
        holder: held.holder,
        state: held.state.name().to_owned(),
        code: code.map(|code| code.0),
        serial: held.serial.into(),
        entries: count(held.presence.entries.into()),
        inside: held.presence.inside,
        last_at: held.presence.last_at.and_then(time),
        last_gate: held.presence.last_gate,
        cancelled_at: held.cancelled_at.and_then(time),
        created_at: time(held.created_at),
        updated_at: time(held.updated_at),
        etag,
    }
}

/// Codes of a ticket that are void.
#[must_use]
pub(crate) fn revoked(held: RevokedCodes) -> pb::RevokedCode {
    pb::RevokedCode {
        ticket_id: held.ticket.to_string(),
        good_serial: held.valid_serial.map(Into::into),
        revoked_at: time(held.at),
    }
}

/// The public half of a key.
#[must_use]
pub(crate) fn key(held: &SigningKey) -> pb::SigningKey {
    pb::SigningKey {
        number: held.id.into(),
        public_key: STANDARD.encode(&held.public),
        algorithm: ALGORITHM.to_owned(),
        created_at: time(held.created_at),
        revoked_at: held.revoked_at.and_then(time),
    }
}
