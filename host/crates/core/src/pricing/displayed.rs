//! Prices as they are displayed to buyers who have no basket yet.

use crate::id::{EventId, TicketTypeId};
use crate::pricing::{Percent, QuoteAdjustment};
use crate::time::Timestamp;
use crate::value::Money;

/// The price of one unit of a ticket type.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DisplayedPrice {
    /// The ticket type.
    pub ticket_type: TicketTypeId,
    /// Its name.
    pub name: String,
    /// The base price.
    pub base: Money,
    /// The price, in the currency of the base price.
    pub price: i64,
    /// The share of its units that are held or sold.
    pub sold: Percent,
    /// The adjustments, in the order in which they were made.
    pub adjustments: Vec<QuoteAdjustment>,
}

/// The prices of an event's ticket types.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DisplayedPrices {
    /// The event.
    pub event: EventId,
    /// The prices, in the order of the ticket types.
    pub prices: Vec<DisplayedPrice>,
    /// When they were computed.
    pub computed_at: Timestamp,
    /// How often they were stored before, and 1 more.
    pub version: u64,
}
