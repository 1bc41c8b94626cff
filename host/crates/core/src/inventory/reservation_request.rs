//! Requests for new reservations.

use crate::catalog::ticket_type::MAX_CATEGORY;
use crate::error::{Error, Result};
use crate::id::{EventId, QuoteId, TicketTypeId};
use crate::inventory::reservation::{MAX_LINES, MAX_UNITS};
use crate::text::Faults;

/// A line of a requested reservation.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct LineRequest {
    /// The ticket type.
    pub ticket_type: TicketTypeId,
    /// The number of units.
    pub quantity: u32,
    /// The labels of seats; any free ones if empty.
    pub seats: Vec<String>,
    /// The category of buyers; empty: none.
    pub category: String,
}

/// A request for a reservation.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct CreateReservation {
    /// The event; `None`: that of the quote.
    pub event: Option<EventId>,
    /// The buyer; empty: that of the quote.
    pub buyer: String,
    /// The lines; empty: those of the quote.
    pub lines: Vec<LineRequest>,
    /// The seconds that it is held; `None` for the default.
    pub seconds: Option<u32>,
    /// The quote to reserve with; `None`: prices are computed now.
    pub quote: Option<QuoteId>,
    /// Discount codes of the buyer.
    pub codes: Vec<String>,
    /// The sales channel; empty: unknown.
    pub channel: String,
}

impl CreateReservation {
    /// Returns the event.
    pub(crate) fn event(&self) -> Result<EventId> {
        self.event.ok_or_else(|| Error::invalid("event_id", "must be given, or the quote of an event"))
    }

    /// Checks what a client wrote.
    pub(super) fn check(&self) -> Result<()> {
        let mut faults = Faults::default();
        faults.text("user_id", &self.buyer, 1, 255);
        faults.text("channel", &self.channel, 0, 50);
        if self.quote.is_some() && !self.codes.is_empty() {
            faults.add("codes", "are given beside quote_id; a quote has the codes that it was made with");
        }
        check_lines(&self.lines, &mut faults);
        faults.into_result()
    }
}

/// Checks the lines that a client wrote.
pub(crate) fn check_lines(lines: &[LineRequest], faults: &mut Faults) {
    if lines.is_empty() || lines.len() > MAX_LINES {
        faults.add("lines", format_args!("has {} entries; 1 to {MAX_LINES} are allowed", lines.len()));
    }
    for (index, line) in lines.iter().enumerate() {
        if line.quantity == 0 || line.quantity > MAX_UNITS {
            let field = format!("lines[{index}].quantity");
            faults.add(&field, format_args!("is {}; 1 to {MAX_UNITS} are allowed", line.quantity));
        }
        let field = format!("lines[{index}].seat_numbers");
        if !line.seats.is_empty() && line.seats.len() != line.quantity as usize {
            faults.add(&field, format_args!("names {} seats for {} units", line.seats.len(), line.quantity));
        }
        for seat in &line.seats {
            faults.text(&field, seat, 1, 50);
        }
        faults.text(&format!("lines[{index}].pricing_category"), &line.category, 0, MAX_CATEGORY);
    }
    let units: u64 = lines.iter().map(|line| u64::from(line.quantity)).sum();
    if units > u64::from(MAX_UNITS) {
        faults.add("lines", format_args!("have {units} units together; at most {MAX_UNITS} are allowed"));
    }
}
