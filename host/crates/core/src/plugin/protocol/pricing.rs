//! Baskets that pricing plugins are called with, and the adjustments that they return.

use crate::time::Timestamp;
use crate::value::Field;

/// A basket whose price is asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Basket {
    /// What is known of the event.
    pub event: Vec<Field>,
    /// When it starts.
    pub starts_at: Option<Timestamp>,
    /// Minutes that the venue's clock is ahead of UTC now.
    pub offset_now: i16,
    /// Minutes that it will be ahead when the event starts.
    pub offset_start: i16,
    /// ISO 4217, the same for all lines.
    pub currency: String,
    /// How many decimals the currency has.
    pub currency_exponent: u8,
    /// What is bought.
    pub lines: Vec<BasketLine>,
    /// Discount codes that the buyer entered.
    pub codes: Vec<String>,
    /// By what channel it is bought.
    pub channel: String,
    /// What is known of the buyer.
    pub buyer: Vec<Field>,
    /// What was adjusted before, and by whom.
    pub applied: Vec<(String, Adjustment)>,
}

/// A line of a basket.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BasketLine {
    /// The ticket type's id.
    pub ticket_type: String,
    /// Its name.
    pub name: String,
    /// How many.
    pub quantity: u32,
    /// The price of one.
    pub unit_price: i64,
    /// How many can still be had.
    pub available: u32,
    /// How many there are in all.
    pub capacity: u32,
    /// What else is known.
    pub attributes: Vec<Field>,
}

/// What sort of adjustment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AdjustmentKind {
    /// More.
    Surcharge,
    /// Less.
    Discount,
    /// A fee.
    Fee,
    /// A tax.
    Tax,
}

/// An adjustment of a price.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Adjustment {
    /// What sort.
    pub kind: AdjustmentKind,
    /// The line that it belongs to; none: the whole basket.
    pub line: Option<u32>,
    /// Minor units of the basket's currency, negative to reduce the price.
    pub amount: i64,
    /// It is shown, not added, for the prices contain it already.
    pub included: bool,
    /// For a person.
    pub label: String,
    /// The discount code that earned it.
    pub code: Option<String>,
    /// What else is known.
    pub attributes: Vec<Field>,
}

/// What a pricing plugin decided.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PriceAdjustments {
    /// The adjustments.
    pub adjustments: Vec<Adjustment>,
    /// Codes that the plugin knows and refuses, and why.
    pub refused_codes: Vec<(String, String)>,
    /// What else it says.
    pub attributes: Vec<Field>,
}
