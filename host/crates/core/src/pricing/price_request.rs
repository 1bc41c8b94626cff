//! Requests for prices.

use crate::error::Result;
use crate::id::{EventId, TicketTypeId};
use crate::inventory::reservation::MAX_UNITS;
use crate::inventory::{LineRequest, reservation_request};
use crate::money;
use crate::pricing::Percent;
use crate::text::Faults;
use crate::time::Timestamp;
use crate::value::Money;

/// The most codes of a basket.
pub(super) const MAX_CODES: usize = 10;

/// The longest code that a buyer enters, in characters.
pub(super) const MAX_ENTERED_CODE: usize = 50;

/// A basket to be priced.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct PriceRequest {
    /// The event.
    pub event: EventId,
    /// The lines. Labels of seats are checked, and change no price.
    pub lines: Vec<LineRequest>,
    /// Whether the ticket type of the only line may be the id of a shared pool from which one type is sold.
    pub by_zone: bool,
    /// The codes that the buyer entered.
    pub codes: Vec<String>,
    /// The buyer; empty: unknown.
    pub buyer: String,
    /// The sales channel; empty: unknown.
    pub channel: String,
}

impl PriceRequest {
    /// Checks what a client wrote.
    pub(super) fn check(&self) -> Result<()> {
        let mut faults = Faults::default();
        faults.text("buyer_id", &self.buyer, 0, 255);
        faults.text("channel", &self.channel, 0, 50);
        if self.codes.len() > MAX_CODES {
            faults.add(
                "codes",
                format_args!("has {} entries; at most {MAX_CODES} are allowed", self.codes.len()),
            );
        }
        for (index, code) in self.codes.iter().enumerate().take(MAX_CODES) {
            let field = format!("codes[{index}]");
            faults.text(&field, code, 1, MAX_ENTERED_CODE);
            if self.codes.iter().take(index).any(|other| other == code) {
                faults.add(&field, "is named twice");
            }
        }
        reservation_request::check_lines(&self.lines, &mut faults);
        faults.into_result()
    }
}

/// A code whose discount of a price is wanted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ApplyDiscount {
    /// The event.
    pub event: EventId,
    /// The code that the buyer entered.
    pub code: String,
    /// The price.
    pub original: Money,
    /// The buyer; empty: unknown.
    pub buyer: String,
    /// The ticket type that the price is for; `None`: any.
    pub ticket_type: Option<TicketTypeId>,
    /// The number of units that the price is for; 0: one.
    pub quantity: u32,
}

impl ApplyDiscount {
    /// Checks what a client wrote.
    pub(super) fn check(&self) -> Result<()> {
        let mut faults = Faults::default();
        faults.text("discount_code", &self.code, 1, MAX_ENTERED_CODE);
        money::check("original_price", &self.original, &mut faults);
        faults.text("buyer_id", &self.buyer, 0, 255);
        if self.quantity > MAX_UNITS {
            faults.add("quantity", format_args!("is {}; at most {MAX_UNITS} are allowed", self.quantity));
        }
        faults.into_result()
    }
}

/// What a code takes off a price.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AppliedDiscount {
    /// The amount in the price's currency, not negative.
    pub amount: i64,
    /// The label of the discount, or why the code is not accepted.
    pub reason: String,
    /// Whether the code is accepted.
    pub is_valid: bool,
}

/// When and how much of it sold one unit is priced.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct UnitCircumstances {
    /// The time of the sale.
    pub now: Timestamp,
    /// The share of the ticket type's units that are held or sold; `None`: as it is now.
    pub sold: Option<Percent>,
}
