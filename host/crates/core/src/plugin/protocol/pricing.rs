//! Baskets that pricing plugins are called with, and the adjustments that they return.

use crate::time::Timestamp;
use crate::value::Field;

/// A basket to price.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Basket {
    /// The event's fields.
    pub event: Vec<Field>,
    /// When it starts.
    pub starts_at: Option<Timestamp>,
    /// The venue's offset from UTC now, in minutes.
    pub offset_now: i16,
    /// The venue's offset from UTC when the event starts, in minutes.
    pub offset_start: i16,
    /// The ISO 4217 currency of all lines.
    pub currency: String,
    /// The number of the currency's decimals.
    pub currency_exponent: u8,
    /// The lines.
    pub lines: Vec<BasketLine>,
    /// Discount codes that the buyer entered.
    pub codes: Vec<String>,
    /// The sales channel.
    pub channel: String,
    /// The buyer's fields.
    pub buyer: Vec<Field>,
    /// The adjustments by rules and by earlier plugins, each with its source.
    pub applied: Vec<(String, Adjustment)>,
}

/// A line of a basket.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct BasketLine {
    /// The id of the ticket type.
    pub ticket_type: String,
    /// The name of the ticket type.
    pub name: String,
    /// The quantity.
    pub quantity: u32,
    /// The unit price in minor units.
    pub unit_price: i64,
    /// The number of units that are available.
    pub available: u32,
    /// The number of units in total.
    pub capacity: u32,
    /// Further attributes.
    pub attributes: Vec<Field>,
}

/// The kind of an adjustment.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum AdjustmentKind {
    /// Raises the price.
    Surcharge,
    /// Reduces the price.
    Discount,
    /// A fee.
    Fee,
    /// A tax.
    Tax,
}

impl AdjustmentKind {
    /// All kinds.
    pub const ALL: [Self; 4] = [Self::Surcharge, Self::Discount, Self::Fee, Self::Tax];

    /// Returns its stable name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Surcharge => "surcharge",
            Self::Discount => "discount",
            Self::Fee => "fee",
            Self::Tax => "tax",
        }
    }
}

/// An adjustment of a price.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Adjustment {
    /// The kind.
    pub kind: AdjustmentKind,
    /// The index of its line; `None`: the whole basket.
    pub line: Option<u32>,
    /// Minor units of the basket's currency, negative to reduce the price.
    pub amount: i64,
    /// Whether the prices already contain it: it is shown and not added.
    pub included: bool,
    /// A label for people.
    pub label: String,
    /// The discount code that earned it.
    pub code: Option<String>,
    /// Further attributes.
    pub attributes: Vec<Field>,
}

/// A pricing plugin's adjustments.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PriceAdjustments {
    /// The adjustments.
    pub adjustments: Vec<Adjustment>,
    /// Codes that the plugin refuses, each with the reason.
    pub refused_codes: Vec<(String, String)>,
    /// Further attributes.
    pub attributes: Vec<Field>,
}
