//! Check-ins and their statistics.

use tessera_core::admission::{
    CheckIn, CreateCheckIn, Direction, Inspection, MergedScan, ReportedScan, Scan, Verdict,
};
use tessera_core::admission::{DoorStats, GateCounts};
use tessera_core::id::{EventId, TicketId};
use tessera_core::{Error, Result, Timestamp};
use tessera_proto::ticket::v1 as pb;

use crate::convert::admission::ticket;
use crate::convert::{non_empty, read_time, time, to_i64};

/// Encodes a check-in.
#[must_use]
pub(crate) fn record(check_in: CheckIn) -> pb::CheckInRecord {
    let (undone_by, undone_at) = check_in.undone.map(|undone| (undone.by, undone.at)).unzip();
    pb::CheckInRecord {
        id: check_in.id.to_string(),
        event_id: check_in.event.to_string(),
        ticket_id: check_in.ticket.to_string(),
        direction: check_in.direction.name().to_owned(),
        verdict: check_in.verdict.name().to_owned(),
        at: time(check_in.at),
        gate: check_in.gate,
        device_id: check_in.device,
        staff_id: check_in.staff,
        nonce: check_in.nonce,
        serial: check_in.serial.map(Into::into),
        created_by: check_in.created_by,
        created_at: time(check_in.recorded_at),
        undone_by,
        undone_at: undone_at.and_then(time),
    }
}

/// Encodes the result of a validation.
#[must_use]
pub(crate) fn inspection(inspection: Inspection) -> pb::ValidateTicketResponse {
    let refusal = inspection.refusal.as_ref();
    pb::ValidateTicketResponse {
        valid: refusal.is_none(),
        reason: refusal.map(|error| error.reason().to_owned()).unwrap_or_default(),
        message: refusal.map(|error| error.message().to_owned()).unwrap_or_default(),
        ticket: inspection.ticket.map(|model| ticket(model, None)),
    }
}

/// Reads a check-in request.
pub(crate) fn check_in(request: pb::CheckInRequest) -> Result<CreateCheckIn> {
    Ok(CreateCheckIn {
        event: EventId::parse("event_id", &request.event_id)?,
        ticket: non_empty(request.ticket_id).map(|id| TicketId::parse("ticket_id", &id)).transpose()?,
        code: non_empty(request.qr_code),
        direction: Direction::parse("direction", &request.direction)?,
        gate: request.gate,
        device: request.device_id,
        staff: request.staff_id,
    })
}

/// Reads a validation request, as a check-in without a gate.
pub(crate) fn validation(request: pb::ValidateTicketRequest) -> Result<CreateCheckIn> {
    let pb::ValidateTicketRequest { event_id, ticket_id, qr_code, direction } = request;
    check_in(pb::CheckInRequest { event_id, ticket_id, qr_code, direction, ..Default::default() })
}

/// Reads a scan of a device; a malformed scan does not fail the batch.
#[must_use]
pub(crate) fn scan(event_id: &str, device_id: &str, scan: pb::Scan) -> ReportedScan {
    let pb::Scan { nonce, at, ticket_id, qr_code, direction, gate, staff_id } = scan;
    let (event_id, device_id) = (event_id.to_owned(), device_id.to_owned());
    let request = pb::CheckInRequest { ticket_id, qr_code, event_id, staff_id, device_id, gate, direction };
    let at = at.ok_or_else(|| Error::invalid("at", "must be given"));
    let at = at.and_then(|at| read_time("at", &at));
    let scan = at.and_then(|at| Ok(Scan { request: check_in(request)?, nonce: nonce.clone(), at }));
    ReportedScan { nonce, scan }
}

/// Returns the message for the person at the gate.
#[must_use]
pub(crate) fn message(check_in: &CheckIn) -> &'static str {
    match (check_in.verdict, check_in.direction) {
        (Verdict::Accepted, Direction::In) => "admitted",
        (Verdict::Accepted, Direction::Out) => "let out",
        (Verdict::Duplicate, _) => "the ticket had been used before",
        (Verdict::Stray, _) => "the ticket's holder was not inside",
        (Verdict::Void, _) => "the ticket, or the code that was shown, was no longer valid",
    }
}

/// Encodes the result of a scan.
#[must_use]
pub(crate) fn scan_result(scan: MergedScan) -> pb::ScanResult {
    let nonce = scan.nonce;
    match scan.result {
        Ok(check_in) => {
            let message = message(&check_in).to_owned();
            pb::ScanResult { nonce, record: Some(record(check_in)), reason: String::new(), message }
        }
        Err(error) => {
            let (reason, message) = (error.reason().to_owned(), error.message().to_owned());
            pb::ScanResult { nonce, record: None, reason, message }
        }
    }
}

/// Encodes the statistics of an event's check-ins.
#[must_use]
pub(crate) fn stats(stats: DoorStats) -> pb::EventStats {
    pb::EventStats {
        valid: to_i64(stats.valid),
        cancelled: to_i64(stats.cancelled),
        admitted: to_i64(stats.admitted),
        inside: to_i64(stats.inside),
        gates: stats.gates.into_iter().map(gate).collect(),
        minutes: stats.minutes.into_iter().map(minute).collect(),
    }
}

fn gate((gate, counts): (String, GateCounts)) -> pb::GateStats {
    let GateCounts { entries, exits, refused } = counts;
    pb::GateStats { gate, entries: to_i64(entries), exits: to_i64(exits), refused: to_i64(refused) }
}

fn minute((at, gate, counts): (Timestamp, String, GateCounts)) -> pb::MinuteStats {
    let GateCounts { entries, exits, refused } = counts;
    let (entries, exits, refused) = (to_i64(entries), to_i64(exits), to_i64(refused));
    pb::MinuteStats { minute: time(at), gate, entries, exits, refused }
}
