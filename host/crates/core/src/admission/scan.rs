//! Requests for check-ins, online and reported later, and their results.

use crate::admission::{CheckIn, Direction, ScannedCode, Ticket};
use crate::error::{Error, ErrorKind, Result};
use crate::id::{EventId, TicketId};
use crate::text::Faults;
use crate::time::Timestamp;

/// A request for a check-in.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct CreateCheckIn {
    /// The event.
    pub event: EventId,
    /// The ticket, if it is given by its id.
    pub ticket: Option<TicketId>,
    /// The code, if one was scanned.
    pub code: Option<String>,
    /// In or out.
    pub direction: Direction,
    /// The gate.
    pub gate: String,
    /// The device; empty if unknown.
    pub device: String,
    /// The staff member; empty if unknown.
    pub staff: String,
}

/// A scan that an offline scanner reports later.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Scan {
    /// The check-in that was requested.
    pub request: CreateCheckIn,
    /// The device's own id of the scan. A scan that is reported again has the same one.
    pub nonce: String,
    /// The time of the scan by the clock of the scanner.
    pub at: Timestamp,
}

/// An entry of a report.
#[derive(Debug)]
pub struct ReportedScan {
    /// The device's own id of the scan.
    pub nonce: String,
    /// The scan, or why it could not be read.
    pub scan: Result<Scan>,
}

/// The result of a reported scan.
#[derive(Debug)]
pub struct MergedScan {
    /// The device's own id of the scan.
    pub nonce: String,
    /// The check-in, whatever its verdict, or why there is none.
    pub result: Result<CheckIn>,
}

/// The result of an inspection, which changes nothing.
#[derive(Debug)]
pub struct Inspection {
    /// The ticket, if it belongs to the event.
    pub ticket: Option<Ticket>,
    /// Why it would be refused; `None` if it would be accepted.
    pub refusal: Option<Error>,
}

impl CreateCheckIn {
    /// Refuses a request without a ticket and a code.
    pub(super) fn check_ticket(&self, faults: &mut Faults) {
        if self.ticket.is_none() && self.code.is_none() {
            faults.add("ticket_id", "is missing; name the ticket, or show its qr_code");
        }
    }

    /// Reads the code, if one was scanned. It is not verified.
    pub(super) fn scanned_code(&self) -> Result<Option<ScannedCode>> {
        self.code.as_deref().map(|code| ScannedCode::parse("qr_code", code)).transpose()
    }

    /// Returns the ticket that the request and its code name.
    pub(super) fn ticket_of(&self, code: Option<&ScannedCode>) -> Result<TicketId> {
        match (code.map(|code| code.ticket), self.ticket) {
            (Some(scanned), Some(named)) if scanned != named => {
                Err(Error::invalid("ticket_id", "is not the ticket of the qr_code"))
            }
            (scanned, named) => scanned.or(named).ok_or_else(|| Error::not_found("ticket")),
        }
    }

    /// Checks what a client wrote; the device must have at least `min_device` characters.
    pub(super) fn check(&self, faults: &mut Faults, min_device: usize) {
        self.check_ticket(faults);
        faults.text("gate", &self.gate, 1, 100);
        faults.text("device_id", &self.device, min_device, 100);
        faults.text("staff_id", &self.staff, 0, 100);
    }
}

impl Scan {
    /// Refuses a scan that is not the one that was recorded under its nonce.
    pub(super) fn check_repeat(&self, recorded: &CheckIn) -> Result<()> {
        let code = self.request.scanned_code()?;
        let ticket = self.request.ticket_of(code.as_ref())?;
        let serial = code.map(|code| code.serial);
        let differences = [
            (ticket != recorded.ticket, "ticket"),
            (serial != recorded.serial, "code"),
            (self.request.direction != recorded.direction, "direction"),
            (self.at != recorded.at, "time"),
        ];
        let names: Vec<_> =
            differences.iter().filter(|(differs, _)| *differs).map(|(_, name)| *name).collect();
        if names.is_empty() {
            return Ok(());
        }
        let message = format!(
            "the nonce was used for a scan with another {}; use a nonce once, and report the scan with a new one",
            names.join(" and ")
        );
        Err(Error::new(ErrorKind::Invalid, "NONCE_REUSED", message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admission::Verdict;
    use crate::id::CheckInId;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_micros(1_800_000_000_000_000 + second * 1_000_000).unwrap()
    }

    fn scan(ticket: TicketId) -> Scan {
        let request = CreateCheckIn {
            event: EventId::generate(),
            ticket: Some(ticket),
            code: None,
            direction: Direction::In,
            gate: "North".into(),
            device: "d1".into(),
            staff: String::new(),
        };
        Scan { request, nonce: "n".into(), at: at(0) }
    }

    fn record(scan: &Scan) -> CheckIn {
        let request = &scan.request;
        CheckIn {
            id: CheckInId::generate(),
            event: request.event,
            ticket: request.ticket.unwrap(),
            direction: request.direction,
            verdict: Verdict::Accepted,
            at: scan.at,
            gate: request.gate.clone(),
            device: request.device.clone(),
            staff: String::new(),
            nonce: Some(scan.nonce.clone()),
            serial: None,
            reentry: false,
            created_by: "key:k".into(),
            recorded_at: scan.at,
            undone: None,
        }
    }

    #[test]
    fn nonce_stands_for_one_ticket_code_direction_and_time() {
        let first = scan(TicketId::generate());
        let recorded = record(&first);
        first.check_repeat(&recorded).unwrap();
        let refusal = |scan: &Scan, recorded: &CheckIn| {
            let error = scan.check_repeat(recorded).unwrap_err();
            assert_eq!(error.reason(), "NONCE_REUSED");
            error.message().to_owned()
        };
        let other_ticket = Scan { at: at(1), ..scan(TicketId::generate()) };
        assert!(refusal(&other_ticket, &recorded).contains("another ticket and time;"));
        let mut way_out = first.clone();
        way_out.request.direction = Direction::Out;
        assert!(refusal(&way_out, &recorded).contains("another direction;"));
        let by_code = CheckIn { serial: Some(1), ..recorded };
        assert!(refusal(&first, &by_code).contains("another code;"));
    }
}
