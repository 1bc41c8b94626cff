//! What both transports need of tickets and the door: who is at a gate, whichever way it was written, and what check-ins
//! are told in words.

use tessera_core::admission::{
    CheckIn, Code, CreateCheckIn, Direction, ReportedScan, Scan, ScannedCode, Ticket, Verdict,
};
use tessera_core::id::{EventId, TicketId};
use tessera_core::{Result, Timestamp};

use crate::request::{etag, etag_with_count};

/// How revoked codes are listed: those that were revoked first come first, so that a scanner reads on where it was.
pub const REVOKED_ORDER: &str = "revoked";

/// The algorithm of all keys for codes.
pub const ALGORITHM: &str = "Ed25519";

/// Somebody at a gate, as a client writes it.
#[derive(Debug, Default)]
pub struct WrittenCheckIn {
    /// The ticket; empty: the code names it.
    pub ticket_id: String,
    /// Its code; empty: the ticket is named.
    pub qr_code: String,
    /// "in" or "out"; empty: in.
    pub direction: String,
    /// At which gate.
    pub gate: String,
    /// With which device.
    pub device_id: String,
    /// By whom of the staff.
    pub staff_id: String,
}

impl WrittenCheckIn {
    /// What is asked for.
    pub fn read(self, event: EventId) -> Result<CreateCheckIn> {
        let ticket = match self.ticket_id.as_str() {
            "" => None,
            id => Some(TicketId::parse("ticket_id", id)?),
        };
        Ok(CreateCheckIn {
            event,
            ticket,
            code: Some(self.qr_code).filter(|code| !code.is_empty()),
            direction: Direction::parse("direction", &self.direction)?,
            gate: self.gate,
            device: self.device_id,
            staff: self.staff_id,
        })
    }
}

/// What a device noted at a moment, as far as it can be read.
#[must_use]
pub fn noted(
    event: EventId,
    nonce: String,
    (at, asked): (Result<Timestamp>, WrittenCheckIn),
) -> ReportedScan {
    let scan = at.and_then(|at| Ok(Scan { request: asked.read(event)?, nonce: nonce.clone(), at }));
    ReportedScan { nonce, scan }
}

/// What a check-in was worth, in words.
#[must_use]
pub fn told(held: &CheckIn) -> &'static str {
    match (held.verdict, held.direction) {
        (Verdict::Accepted, Direction::In) => "admitted",
        (Verdict::Accepted, Direction::Out) => "let out",
        (Verdict::Duplicate, _) => "the ticket had been used before",
        (Verdict::Stray, _) => "the ticket's holder was not inside",
        (Verdict::Void, _) => "the ticket, or the code that was shown, was not good any more",
    }
}

/// The entity tag of a ticket. Its code changes with the key that signs, without the ticket's version.
#[must_use]
pub fn ticket_etag(held: &Ticket, code: Option<&Code>) -> String {
    let signed_by = code.and_then(|code| ScannedCode::parse("code", &code.0).ok()).map(|code| code.key);
    signed_by.map_or_else(|| etag(held.version), |key| etag_with_count(held.version, key.into()))
}
