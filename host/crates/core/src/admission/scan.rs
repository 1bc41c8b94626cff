//! Requests for check-ins, online and reported later, and their results.

use crate::admission::{CheckIn, Direction, Ticket};
use crate::error::{Error, Result};
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

    /// Checks what a client wrote; the device must have at least `min_device` characters.
    pub(super) fn check(&self, faults: &mut Faults, min_device: usize) {
        self.check_ticket(faults);
        faults.text("gate", &self.gate, 1, 100);
        faults.text("device_id", &self.device, min_device, 100);
        faults.text("staff_id", &self.staff, 0, 100);
    }
}
