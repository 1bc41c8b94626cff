//! The lines of a basket while its price is computed.

use crate::id::TicketTypeId;

/// A line while its price is computed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PricedLine {
    /// The ticket type.
    pub ticket_type: TicketTypeId,
    /// Its name.
    pub name: String,
    /// The category of buyers; empty: none.
    pub category: String,
    /// The number of units.
    pub quantity: u32,
    /// The base price of one unit.
    pub unit_price: i64,
    /// The price of the line so far.
    pub amount: i64,
}
