//! The arithmetic of a quote: base prices, then adjustments one after another.

use crate::plugin::{Adjustment, AdjustmentKind};
use crate::pricing::conditions::Circumstances;
use crate::pricing::line::PricedLine;
use crate::pricing::promotion::{Discount, Promotion};
use crate::pricing::quote::{QuoteAdjustment, QuoteLine, Source};
use crate::pricing::rule::{Per, PricingRule, RuleValue, WriteRule};
use crate::pricing::{Percent, spread};

/// The largest price of a basket, in minor units.
pub const MAX_TOTAL: i64 = 1_000_000_000_000_000;

/// The most adjustments of all plugins in a quote. A rule makes at most one for each line.
pub const MAX_PLUGIN_ADJUSTMENTS: usize = 1_000;

/// The price of a basket while it is computed. The lines' amounts always sum to the base prices and the adjustments that
/// are not included, and none is negative.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Calculation {
    currency: String,
    lines: Vec<PricedLine>,
    adjustments: Vec<QuoteAdjustment>,
    /// The number of adjustments by plugins.
    of_plugins: usize,
}

impl Calculation {
    /// Begins with base prices. Each line's amount is its unit price times its quantity.
    #[must_use]
    pub fn new(currency: String, lines: Vec<PricedLine>) -> Self {
        Self { currency, lines, adjustments: Vec::new(), of_plugins: 0 }
    }

    /// Returns the currency.
    #[must_use]
    pub fn currency(&self) -> &str {
        &self.currency
    }

    /// Returns the lines at their prices so far.
    #[must_use]
    pub fn lines(&self) -> &[PricedLine] {
        &self.lines
    }

    /// Returns the adjustments so far.
    #[must_use]
    pub fn adjustments(&self) -> &[QuoteAdjustment] {
        &self.adjustments
    }

    /// Returns the lines and adjustments of the quote.
    #[must_use]
    pub fn into_parts(self) -> (Vec<QuoteLine>, Vec<QuoteAdjustment>) {
        let lines = self.lines.into_iter().map(|line| QuoteLine {
            ticket_type: line.ticket_type,
            name: line.name,
            category: line.category,
            quantity: line.quantity,
            unit_price: line.unit_price,
            total: line.amount,
        });
        (lines.collect(), self.adjustments)
    }

    /// Applies a rule, if its conditions hold. A discount, and a tax or fee that is included, is at most the price.
    /// The error says why the rule cannot be applied.
    pub fn apply_rule(&mut self, rule: &PricingRule, circumstances: &Circumstances) -> Result<(), String> {
        let attributes = &rule.attributes;
        let lines = circumstances.lines(attributes, &self.lines);
        if lines.is_empty() {
            return Ok(());
        }
        let source = Source::Rule(rule.id, rule.version);
        if let RuleValue::Amount(money, _) = &attributes.value
            && money.currency != self.currency
        {
            // A tenant sells in several currencies, and an amount is in one of them.
            return Ok(());
        }
        if let RuleValue::Amount(money, Per::Order) = &attributes.value {
            let amount = bounded(attributes, money.amount, self.amounts(&lines).iter().sum());
            return self.apply_to_order(source, &lines, amount, |line, part| adjustment(rule, line, part));
        }
        for index in lines {
            let Some(line) = self.lines.get(index) else { continue };
            let percent = |percent: Percent| {
                if attributes.included { percent.included_in(line.amount) } else { percent.of(line.amount) }
            };
            let amount = match &attributes.value {
                RuleValue::Percent(of) => percent(*of),
                RuleValue::Amount(money, _) => money.amount.saturating_mul(line.quantity.into()),
                RuleValue::Steps(steps) => {
                    let sold = circumstances.sold(line.ticket_type);
                    let reached = steps.iter().rev().find(|step| step.sold <= sold);
                    reached.map_or(0, |step| percent(step.percent))
                }
            };
            let amount = bounded(attributes, amount, line.amount);
            self.add(source, adjustment(rule, Some(index), amount))?;
        }
        Ok(())
    }

    /// Applies the discount of a promotion whose code was entered to the lines that it is for, if it has one in the
    /// currency. It is at most the price. The error says why it cannot be applied.
    pub fn apply_promotion(&mut self, promotion: &Promotion, code: &str) -> Result<(), String> {
        let Some(discount) = &promotion.attributes.discount else { return Ok(()) };
        let lines = self.lines.iter().enumerate().filter(|(_, line)| promotion.is_for(line.ticket_type));
        let lines: Vec<usize> = lines.map(|(index, _)| index).collect();
        let source = Source::Promotion(promotion.id, promotion.version);
        let adjustment = |line: Option<usize>, amount| Adjustment {
            kind: AdjustmentKind::Discount,
            line: line.and_then(|line| u32::try_from(line).ok()),
            amount,
            included: false,
            label: promotion.attributes.name.clone(),
            code: Some(code.to_owned()),
            attributes: Vec::new(),
        };
        if let Discount::Amount(money, per) = discount {
            if lines.is_empty() || money.currency != self.currency {
                return Ok(());
            }
            if *per == Per::Order {
                let amount = money.amount.min(self.amounts(&lines).iter().sum());
                return self.apply_to_order(source, &lines, -amount, adjustment);
            }
        }
        for index in lines {
            let Some(line) = self.lines.get(index) else { continue };
            let amount = match discount {
                Discount::Percent(percent) => percent.of(line.amount),
                Discount::Amount(money, _) => money.amount.saturating_mul(line.quantity.into()),
            };
            let amount = amount.min(line.amount);
            self.add(source, adjustment(Some(index), -amount))?;
        }
        Ok(())
    }

    /// Applies an amount for the whole basket: as one adjustment where it is for all lines, and otherwise split over the
    /// lines that it is for.
    fn apply_to_order(
        &mut self,
        source: Source,
        lines: &[usize],
        amount: i64,
        adjustment: impl Fn(Option<usize>, i64) -> Adjustment,
    ) -> Result<(), String> {
        if lines.len() == self.lines.len() {
            return self.add(source, adjustment(None, amount));
        }
        for (index, part) in lines.iter().zip(spread(amount, &self.amounts(lines))) {
            self.add(source, adjustment(Some(*index), part))?;
        }
        Ok(())
    }

    /// Returns the prices of lines so far.
    fn amounts(&self, lines: &[usize]) -> Vec<i64> {
        lines.iter().filter_map(|index| Some(self.lines.get(*index)?.amount)).collect()
    }

    /// Adds an adjustment. One of zero is left out, unless a plugin accepts a code with it. The error says what the
    /// contract does not allow.
    pub fn add(&mut self, source: Source, adjustment: Adjustment) -> Result<(), String> {
        let Adjustment { kind, line, amount, included, code, .. } = &adjustment;
        let of_plugin = matches!(source, Source::Plugin(..));
        if *amount == 0 && !(of_plugin && code.is_some()) {
            return Ok(());
        }
        if of_plugin && self.of_plugins >= MAX_PLUGIN_ADJUSTMENTS {
            return Err(format!(
                "all plugins together may make at most {MAX_PLUGIN_ADJUSTMENTS} adjustments of a quote"
            ));
        }
        if *amount != 0 && (*kind == AdjustmentKind::Discount) != (*amount < 0) {
            return Err(format!("a {} of {amount} has the wrong sign", kind.name()));
        }
        if !(-MAX_TOTAL..=MAX_TOTAL).contains(amount) {
            return Err(format!("an adjustment of {amount} is not within {MAX_TOTAL} minor units"));
        }
        let index = match line {
            None => None,
            Some(line) => {
                let index = usize::try_from(*line).unwrap_or(usize::MAX);
                if index >= self.lines.len() {
                    let lines = self.lines.len();
                    return Err(format!(
                        "an adjustment is for line {line}, and the basket has {lines} lines"
                    ));
                }
                Some(index)
            }
        };
        if *included {
            if !matches!(kind, AdjustmentKind::Fee | AdjustmentKind::Tax) {
                return Err(format!("a {} cannot be included in the prices", kind.name()));
            }
            if *amount > self.price(index) {
                return Err(format!("a {} of {amount} is more than the price that contains it", kind.name()));
            }
        } else {
            self.change_amounts(index, *amount)?;
        }
        self.of_plugins += usize::from(of_plugin);
        self.adjustments.push(QuoteAdjustment { source, adjustment });
        Ok(())
    }

    /// Returns the price of a line, or of the basket, so far.
    fn price(&self, line: Option<usize>) -> i64 {
        match line {
            None => self.lines.iter().map(|line| line.amount).sum(),
            Some(index) => self.lines.get(index).map_or(0, |line| line.amount),
        }
    }

    fn change_amounts(&mut self, line: Option<usize>, amount: i64) -> Result<(), String> {
        let before: Vec<i64> = self.lines.iter().map(|line| line.amount).collect();
        let parts = match line {
            None => spread(amount, &before),
            Some(index) => (0..before.len()).map(|other| if other == index { amount } else { 0 }).collect(),
        };
        let after: Option<Vec<i64>> =
            before.iter().zip(&parts).map(|(amount, part)| amount.checked_add(*part)).collect();
        let too_high = || format!("the price would be more than {MAX_TOTAL} minor units");
        let after = after.ok_or_else(too_high)?;
        if let Some(negative) = after.iter().find(|amount| **amount < 0) {
            return Err(format!("the price would be {negative}, which is below zero"));
        }
        let total = after.iter().try_fold(0_i64, |sum, amount| sum.checked_add(*amount));
        if total.is_none_or(|total| total > MAX_TOTAL) {
            return Err(too_high());
        }
        for (line, amount) in self.lines.iter_mut().zip(after) {
            line.amount = amount;
        }
        Ok(())
    }
}

/// Returns a rule's amount with the sign of its kind. A discount is at most the price, as is an amount that the price
/// contains.
fn bounded(rule: &WriteRule, amount: i64, price: i64) -> i64 {
    if rule.kind == AdjustmentKind::Discount {
        -amount.min(price)
    } else if rule.included {
        amount.min(price)
    } else {
        amount
    }
}

fn adjustment(rule: &PricingRule, line: Option<usize>, amount: i64) -> Adjustment {
    Adjustment {
        kind: rule.attributes.kind,
        line: line.and_then(|line| u32::try_from(line).ok()),
        amount,
        included: rule.attributes.included,
        label: rule.attributes.name.clone(),
        code: None,
        attributes: Vec::new(),
    }
}

#[cfg(test)]
mod tests;
