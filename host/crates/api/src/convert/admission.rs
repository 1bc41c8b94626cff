//! Tickets and signing keys.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tessera_core::admission::{Code, RevokedCodes, ScannedCode, SigningKey, Ticket};
use tessera_core::value::Money;
use tessera_proto::common::v1 as common;
use tessera_proto::ticket::v1 as pb;

use crate::convert::{time, to_i32};
use crate::state::{etag, etag_with_count};

/// The signature algorithm of codes.
const ALGORITHM: &str = "Ed25519";

/// The entity tag of a ticket; it depends on the key that signs the code.
fn ticket_etag(ticket: &Ticket, code: Option<&Code>) -> String {
    let signed_by = code.and_then(|code| ScannedCode::parse("code", &code.0).ok()).map(|code| code.key);
    signed_by.map_or_else(|| etag(ticket.version), |key| etag_with_count(ticket.version, key.into()))
}

/// Encodes a ticket, with its code if the caller may see it.
#[must_use]
pub(crate) fn ticket(ticket: Ticket, code: Option<Code>) -> pb::Ticket {
    let etag = ticket_etag(&ticket, code.as_ref());
    let Money { amount, currency } = ticket.price;
    pb::Ticket {
        id: ticket.id.to_string(),
        event_id: ticket.event.to_string(),
        reservation_id: ticket.reservation.to_string(),
        ticket_type_id: ticket.ticket_type.to_string(),
        seat_number: ticket.seat.map(|seat| seat.label),
        price: Some(common::Money { amount, currency }),
        holder: ticket.holder,
        state: ticket.state.name().to_owned(),
        code: code.map(|code| code.0),
        serial: ticket.serial.into(),
        entries: to_i32(ticket.presence.entries.into()),
        inside: ticket.presence.inside,
        last_at: ticket.presence.last_at.and_then(time),
        last_gate: ticket.presence.last_gate,
        cancelled_at: ticket.cancelled_at.and_then(time),
        created_at: time(ticket.created_at),
        updated_at: time(ticket.updated_at),
        etag,
    }
}

/// Encodes the public part of a ticket.
#[must_use]
pub(crate) fn public_ticket(ticket: Ticket) -> pb::PublicTicket {
    pb::PublicTicket {
        id: ticket.id.to_string(),
        event_id: ticket.event.to_string(),
        ticket_type_id: ticket.ticket_type.to_string(),
        seat_number: ticket.seat.map(|seat| seat.label),
    }
}

/// Encodes revoked codes of a ticket.
#[must_use]
pub(crate) fn revoked_code(codes: RevokedCodes) -> pb::RevokedCode {
    pb::RevokedCode {
        ticket_id: codes.ticket.to_string(),
        good_serial: codes.valid_serial.map(Into::into),
        revoked_at: time(codes.at),
    }
}

/// Encodes the public part of a signing key.
#[must_use]
pub(crate) fn signing_key(key: &SigningKey) -> pb::SigningKey {
    pb::SigningKey {
        number: key.id.into(),
        public_key: STANDARD.encode(&key.public),
        algorithm: ALGORITHM.to_owned(),
        created_at: time(key.created_at),
        revoked_at: key.revoked_at.and_then(time),
    }
}
