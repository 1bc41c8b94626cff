//! Prices: they turn a basket into adjustments.

use crate::{Context, Violation};

pub use crate::bindings::pricing::exports::tessera::plugin::pricing::{
    Adjustment, AdjustmentKind, Applied, Decision, Line, RefusedCode, Request as Basket,
};

/// Adjusts prices.
pub trait Pricing {
    /// What a basket's price changes by.
    fn quote(context: &Context, basket: &Basket) -> Result<Decision, Vec<Violation>>;
}

impl Adjustment {
    /// An adjustment of the whole basket; a discount's amount is negative.
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

    /// Of one line.
    #[must_use]
    pub fn on_line(mut self, line: usize) -> Self {
        self.line = u32::try_from(line).ok();
        self
    }

    /// Earned by a discount code.
    #[must_use]
    pub fn by_code(mut self, code: &str) -> Self {
        self.code = Some(code.to_owned());
        self
    }
}

impl Decision {
    /// Nothing is adjusted.
    #[must_use]
    pub fn none() -> Self {
        Self { adjustments: Vec::new(), refused_codes: Vec::new(), attributes: Vec::new() }
    }

    /// With an adjustment.
    #[must_use]
    pub fn with(mut self, adjustment: Adjustment) -> Self {
        self.adjustments.push(adjustment);
        self
    }
}

impl Line {
    /// The price of all its tickets.
    #[must_use]
    pub fn total(&self) -> i64 {
        self.unit_price.saturating_mul(i64::from(self.quantity))
    }
}
