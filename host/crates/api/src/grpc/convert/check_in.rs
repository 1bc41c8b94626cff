//! Check-ins, and what they add up to.

use tessera_core::admission::{CheckIn, Inspection, MergedScan, ReportedScan};
use tessera_core::admission::{DoorStats, GateCounts};
use tessera_core::id::EventId;
use tessera_core::{Error, Timestamp};
use tessera_proto::ticket::v1 as pb;

use crate::admission::{WrittenCheckIn, noted, told};
use crate::grpc::convert::admission::ticket;
use crate::grpc::convert::{large, read_time, time};

/// A check-in.
#[must_use]
pub fn record(held: CheckIn) -> pb::CheckInRecord {
    let (undone_by, undone_at) = held.undone.map(|undone| (undone.by, time(undone.at))).unwrap_or_default();
    pb::CheckInRecord {
        id: held.id.to_string(),
        event_id: held.event.to_string(),
        ticket_id: held.ticket.to_string(),
        direction: held.direction.name().to_owned(),
        verdict: held.verdict.name().to_owned(),
        at: time(held.at),
        gate: held.gate,
        device_id: held.device,
        staff_id: held.staff,
        nonce: held.nonce.unwrap_or_default(),
        serial: held.serial.unwrap_or_default().into(),
        created_by: held.created_by,
        created_at: time(held.recorded_at),
        undone_by,
        undone_at,
    }
}

/// What a ticket is worth at the gate.
#[must_use]
pub fn inspection(held: Inspection) -> pb::ValidateTicketResponse {
    let refusal = held.refusal.as_ref();
    pb::ValidateTicketResponse {
        valid: refusal.is_none(),
        reason: refusal.map(|error| error.reason().to_owned()).unwrap_or_default(),
        message: refusal.map(|error| error.message().to_owned()).unwrap_or_default(),
        ticket: held.ticket.map(|held| ticket(held, None)),
    }
}

/// A scan that a device noted.
#[must_use]
pub fn scan(event: EventId, device: &str, scan: pb::Scan) -> ReportedScan {
    let at = scan.at.ok_or_else(|| Error::invalid("at", "must be given"));
    let at = at.and_then(|at| read_time("at", &at));
    let asked = WrittenCheckIn {
        ticket_id: scan.ticket_id,
        qr_code: scan.qr_code,
        direction: scan.direction,
        gate: scan.gate,
        device_id: device.to_owned(),
        staff_id: scan.staff_id,
    };
    noted(event, scan.nonce, (at, asked))
}

/// What became of a scan.
#[must_use]
pub fn merged(held: MergedScan) -> pb::ScanResult {
    let nonce = held.nonce;
    match held.result {
        Ok(held) => {
            let message = told(&held).to_owned();
            pb::ScanResult { nonce, record: Some(record(held)), reason: String::new(), message }
        }
        Err(error) => {
            let (reason, message) = (error.reason().to_owned(), error.message().to_owned());
            pb::ScanResult { nonce, record: None, reason, message }
        }
    }
}

/// What is known of an event's door.
#[must_use]
pub fn stats(held: DoorStats) -> pb::EventStats {
    pb::EventStats {
        valid: large(held.valid),
        cancelled: large(held.cancelled),
        admitted: large(held.admitted),
        inside: large(held.inside),
        gates: held.gates.into_iter().map(gate).collect(),
        minutes: held.minutes.into_iter().map(minute).collect(),
    }
}

fn gate((gate, passed): (String, GateCounts)) -> pb::GateStats {
    let GateCounts { entries, exits, refused } = passed;
    pb::GateStats { gate, entries: large(entries), exits: large(exits), refused: large(refused) }
}

fn minute((at, gate, passed): (Timestamp, String, GateCounts)) -> pb::MinuteStats {
    let GateCounts { entries, exits, refused } = passed;
    let (entries, exits, refused) = (large(entries), large(exits), large(refused));
    pb::MinuteStats { minute: time(at), gate, entries, exits, refused }
}
