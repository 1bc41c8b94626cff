//! Pricing hook: adjusts the price of a basket.

use crate::entity::find;
use crate::money::{Percent, spread};
use crate::{Context, Timestamp, Value, Violation};

pub use crate::bindings::pricing::exports::tessera::plugin::pricing::{
    Adjustment, AdjustmentKind, Applied, Decision, Line, RefusedCode, Request as Basket,
};

/// Adjusts prices.
pub trait Pricing {
    /// Returns adjustments of the basket's price, or refuses the basket.
    fn quote(context: &Context, basket: &Basket) -> Result<Decision, Vec<Violation>>;
}

impl Adjustment {
    /// Makes an adjustment of the whole basket. The amount of a discount is negative, and that of other kinds is not.
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

    /// Makes a surcharge on the whole basket.
    #[must_use]
    pub fn surcharge(amount: i64, label: &str) -> Self {
        Self::new(AdjustmentKind::Surcharge, amount, label)
    }

    /// Makes a discount on the whole basket: the price is reduced by the amount.
    #[must_use]
    pub fn discount(amount: i64, label: &str) -> Self {
        Self::new(AdjustmentKind::Discount, amount.saturating_neg(), label)
    }

    /// Makes a fee on the whole basket.
    #[must_use]
    pub fn fee(amount: i64, label: &str) -> Self {
        Self::new(AdjustmentKind::Fee, amount, label)
    }

    /// Makes a tax on the whole basket.
    #[must_use]
    pub fn tax(amount: i64, label: &str) -> Self {
        Self::new(AdjustmentKind::Tax, amount, label)
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

    /// Marks a fee or a tax that the prices contain already: it is shown and not added.
    #[must_use]
    pub fn as_included(mut self) -> Self {
        self.included = true;
        self
    }

    /// Changes the prices of lines as the host does. One of the whole basket is spread in proportion to the prices.
    pub fn apply_to(&self, amounts: &mut [i64]) {
        if self.included {
            return;
        }
        if let Some(line) = self.line {
            if let Some(amount) = amounts.get_mut(line as usize) {
                *amount = amount.saturating_add(self.amount);
            }
            return;
        }
        let parts = spread(self.amount, amounts);
        for (amount, part) in amounts.iter_mut().zip(parts) {
            *amount = amount.saturating_add(part);
        }
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

    /// Refuses one of the plugin's codes, with a text for the buyer.
    #[must_use]
    pub fn refusing(mut self, code: &str, reason: impl Into<String>) -> Self {
        self.refused_codes.push(RefusedCode { code: code.to_owned(), reason: reason.into() });
        self
    }
}

impl Line {
    /// Returns the base price of all tickets of the line.
    #[must_use]
    pub fn total(&self) -> i64 {
        self.unit_price.saturating_mul(i64::from(self.quantity))
    }

    /// Returns the share of the ticket type's units that are held or sold, as rules see it: the largest of its pools.
    /// Locked units are neither.
    #[must_use]
    pub fn sold(&self) -> Percent {
        let sold = find(&self.attributes, "sold").and_then(Value::as_text);
        sold.and_then(Percent::parse).unwrap_or(Percent::whole(0))
    }

    /// Returns the category of buyers, such as child.
    #[must_use]
    pub fn category(&self) -> Option<&str> {
        find(&self.attributes, "category")?.as_text()
    }
}

impl Basket {
    /// Returns the prices of the lines after the adjustments of earlier steps. Percentages are usually of these.
    #[must_use]
    pub fn amounts(&self) -> Vec<i64> {
        let mut amounts: Vec<i64> = self.lines.iter().map(Line::total).collect();
        for applied in &self.applied {
            applied.adjustment.apply_to(&mut amounts);
        }
        amounts
    }

    /// Returns the number of tickets.
    #[must_use]
    pub fn units(&self) -> u64 {
        self.lines.iter().map(|line| u64::from(line.quantity)).sum()
    }

    /// Returns a text of the event, such as `title`, `category`, `venue_name`, `venue_city` or `venue_country`.
    #[must_use]
    pub fn event_text(&self, name: &str) -> Option<&str> {
        find(&self.event, name)?.as_text()
    }

    /// Returns the milliseconds to the start of the event; 0 once it has started.
    #[must_use]
    pub fn time_to_start(&self, context: &Context) -> Option<Timestamp> {
        Some(self.starts_at?.saturating_sub(context.now))
    }

    /// Returns the id of the buyer, or `None` if the buyer is unknown.
    #[must_use]
    pub fn buyer_id(&self) -> Option<&str> {
        find(&self.buyer, "id")?.as_text()
    }

    /// Returns whether the buyer entered a code.
    #[must_use]
    pub fn has_code(&self, code: &str) -> bool {
        self.codes.iter().any(|entered| entered == code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Field;
    use crate::testing::{Harness, basket, line};

    fn after(steps: Vec<Adjustment>) -> Vec<i64> {
        let applied = steps.into_iter().map(|adjustment| Applied { source: "rule:1".into(), adjustment });
        let basket = Basket { applied: applied.collect(), ..basket([line(1, 100), line(2, 100)]) };
        basket.amounts()
    }

    #[test]
    fn amounts_follow_the_steps_before() {
        assert_eq!(after(Vec::new()), [100, 200]);
        assert_eq!(after(vec![Adjustment::fee(50, "Fee")]), [117, 233]);
        let discount = Adjustment::discount(60, "Half").on_line(0);
        assert_eq!(discount.amount, -60);
        assert_eq!(after(vec![discount.clone(), Adjustment::surcharge(6, "More")]), [41, 205]);
        let included = Adjustment::tax(19, "Tax").as_included();
        assert_eq!(after(vec![discount, included]), [40, 200]);
        assert_eq!(after(vec![Adjustment::fee(1, "No such line").on_line(7)]), [100, 200]);
    }

    #[test]
    fn basket_is_read_by_name() {
        let harness = Harness::new();
        let start = harness.context().now + 7;
        let mut seat = line(3, 100);
        seat.attributes = vec![Field::new("category", "child"), Field::new("sold", "66.6666")];
        let basket = Basket {
            event: vec![Field::new("venue_city", "Berlin")],
            starts_at: Some(start),
            codes: vec!["FRIENDS".into()],
            buyer: vec![Field::new("id", "ann")],
            ..basket([seat, line(2, 100)])
        };
        assert_eq!((basket.event_text("venue_city"), basket.event_text("title")), (Some("Berlin"), None));
        assert_eq!((basket.buyer_id(), basket.units()), (Some("ann"), 5));
        assert!(basket.has_code("FRIENDS") && !basket.has_code("friends"));
        assert_eq!(basket.time_to_start(harness.context()), Some(7));
        assert_eq!((basket.lines[0].category(), basket.lines[1].category()), (Some("child"), None));
        assert_eq!(Some(basket.lines[0].sold()), Percent::parse("66.6666"));
        assert_eq!(basket.lines[1].sold(), Percent::whole(0));
    }
}
