//! Pricing hook: adjusts the price of a basket.

use crate::{Context, Violation};

pub use crate::bindings::pricing::exports::tessera::plugin::pricing::{
    Adjustment, AdjustmentKind, Applied, Decision, Line, RefusedCode, Request as Basket,
};

/// Adjusts prices.
pub trait Pricing {
    /// Returns adjustments of the basket's price, or refuses the basket.
    fn quote(context: &Context, basket: &Basket) -> Result<Decision, Vec<Violation>>;
}

impl Adjustment {
    /// Makes an adjustment of the whole basket. The amount of a discount is negative.
    #[must_use]
    pub fn new(kind: AdjustmentKind, amount: i64, label: &str) -> Self {
        Self {
            kind,
            line: None,
            amount,
            included: false,
            label: label.to_owned(),
            code: None,
            attributes: Vec::new(),
        }
    }

    /// Limits the adjustment to one line.
    #[must_use]
    pub fn on_line(mut self, line: usize) -> Self {
        self.line = u32::try_from(line).ok();
        self
    }

    /// Names the discount code that the adjustment belongs to.
    #[must_use]
    pub fn for_code(mut self, code: &str) -> Self {
        self.code = Some(code.to_owned());
        self
    }
}

impl Decision {
    /// Makes a decision without adjustments.
    #[must_use]
    pub fn none() -> Self {
        Self { adjustments: Vec::new(), refused_codes: Vec::new(), attributes: Vec::new() }
    }

    /// Adds an adjustment.
    #[must_use]
    pub fn with(mut self, adjustment: Adjustment) -> Self {
        self.adjustments.push(adjustment);
        self
    }
}

impl Line {
    /// Returns the price of all tickets of the line.
    #[must_use]
    pub fn total(&self) -> i64 {
        self.unit_price.saturating_mul(i64::from(self.quantity))
    }
}
