//! What both transports need of reservations: what was asked for, whichever way it was written.

use tessera_core::id::{EventId, TicketTypeId};
use tessera_core::inventory::{AskedLine, AskedReservation};
use tessera_core::text::Faults;
use tessera_core::{Error, Result};

use crate::catalog::small;

/// Units of a ticket type, as a client writes them.
#[derive(Debug, Default)]
pub struct WrittenLine {
    /// The ticket type.
    pub ticket_type_id: String,
    /// How many.
    pub quantity: i32,
    /// Labels of seats.
    pub seat_numbers: Vec<String>,
}

/// A reservation, as a client writes it: by the fields of one line, or by lines.
#[derive(Debug, Default)]
pub struct WrittenReservation {
    /// The event.
    pub event_id: String,
    /// The one line.
    pub single: WrittenLine,
    /// Several lines.
    pub lines: Vec<WrittenLine>,
    /// For whom it is.
    pub user_id: String,
    /// How many seconds it is held; 0: as long as is usual.
    pub timeout_seconds: i32,
}

impl WrittenReservation {
    /// What is asked for.
    pub fn read(self) -> Result<AskedReservation> {
        let single = &self.single;
        let names_one =
            !single.ticket_type_id.is_empty() || single.quantity != 0 || !single.seat_numbers.is_empty();
        let lines = match (names_one, self.lines.is_empty()) {
            (true, true) => vec![self.single],
            (false, false) => self.lines,
            (true, false) => {
                return Err(Error::invalid(
                    "lines",
                    "are given beside ticket_type_id and quantity; use one or the other",
                ));
            }
            (false, true) => {
                return Err(Error::invalid("ticket_type_id", "must be given, with a quantity; or lines"));
            }
        };
        let mut faults = Faults::default();
        let seconds = small("timeout_seconds", Some(self.timeout_seconds), &mut faults);
        let event = EventId::parse("event_id", &self.event_id)?;
        let lines = read_lines(lines)?;
        faults.into_result()?;
        Ok(AskedReservation {
            event,
            buyer: self.user_id,
            lines,
            seconds: seconds.filter(|seconds| *seconds > 0),
        })
    }
}

/// The lines that are asked for.
pub(crate) fn read_lines(lines: Vec<WrittenLine>) -> Result<Vec<AskedLine>> {
    lines.into_iter().enumerate().map(|(index, line)| read_line(index, line)).collect()
}

fn read_line(index: usize, line: WrittenLine) -> Result<AskedLine> {
    let at = |name: &str| format!("lines[{index}].{name}");
    let ticket_type = TicketTypeId::parse(&at("ticket_type_id"), &line.ticket_type_id)?;
    let mut faults = Faults::default();
    let quantity = small(&at("quantity"), Some(line.quantity), &mut faults).unwrap_or_default();
    faults.into_result()?;
    Ok(AskedLine { ticket_type, quantity, seats: line.seat_numbers })
}
