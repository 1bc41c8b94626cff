//! Quotes: what a basket costs, with every adjustment and its source.

use std::fmt;
use std::sync::Arc;

use crate::id::{EventId, InstallationId, PromotionId, QuoteId, RuleId, TicketTypeId};
use crate::plugin::{Adjustment, Basket, Digest};
use crate::pricing::promotion::CodeClaim;
use crate::pricing::spread;
use crate::time::Timestamp;
use crate::value::{Field, Money};

/// The most bytes of a stored quote.
pub const MAX_SIZE: usize = 512 << 10;

/// About how many bytes the stored form of a line, an adjustment or a call has beside its texts.
const ENTRY: usize = 256;

/// The source of an adjustment.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Source {
    /// A rule, at a version.
    Rule(RuleId, u64),
    /// A release of an installation.
    Plugin(InstallationId, Digest),
    /// A promotion, at a version.
    Promotion(PromotionId, u64),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rule(id, version) => write!(f, "rule:{id}@{version}"),
            Self::Plugin(installation, digest) => write!(f, "plugin:{installation}@{digest}"),
            Self::Promotion(id, version) => write!(f, "promotion:{id}@{version}"),
        }
    }
}

/// A line of a quote.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct QuoteLine {
    /// The ticket type.
    pub ticket_type: TicketTypeId,
    /// Its name.
    pub name: String,
    /// The category of buyers; empty: none.
    pub category: String,
    /// The number of units.
    pub quantity: u32,
    /// The base price of one unit, in minor units.
    pub unit_price: i64,
    /// The price of the line after all adjustments, its share of those of the whole basket included.
    pub total: i64,
}

/// An adjustment with its source.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct QuoteAdjustment {
    /// The source.
    pub source: Source,
    /// The adjustment.
    pub adjustment: Adjustment,
}

/// A call of a pricing plugin for a quote.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct PricingCall {
    /// The installation.
    pub installation: InstallationId,
    /// The plugin with its version, such as `surge@1.0.0`.
    pub plugin: String,
    /// The release.
    pub digest: Digest,
    /// The version of the installation.
    pub version: u64,
    /// The settings that it was called with, as JSON; empty: none.
    pub settings: Arc<str>,
    /// How many of the quote's adjustments it was given: those of the steps before.
    pub applied: usize,
    /// Whether it failed, and the quote was made without it.
    pub failed: bool,
}

/// A code that was entered and not accepted.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct RefusedCode {
    /// The code.
    pub code: String,
    /// Why, for buyers.
    pub reason: String,
}

/// What a basket costs.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Quote {
    /// Its id.
    pub id: QuoteId,
    /// The event.
    pub event: EventId,
    /// The buyer; empty: unknown.
    pub buyer: String,
    /// The sales channel; empty: unknown.
    pub channel: String,
    /// The currency of all amounts.
    pub currency: String,
    /// The lines.
    pub lines: Vec<QuoteLine>,
    /// The adjustments, in the order in which they were made.
    pub adjustments: Vec<QuoteAdjustment>,
    /// The codes that were entered, without those that are refused.
    pub codes: Vec<String>,
    /// The codes that were refused.
    pub refused_codes: Vec<RefusedCode>,
    /// The codes of promotions that were accepted: a reservation claims a use of each.
    pub claims: Vec<CodeClaim>,
    /// The plugins that were called.
    pub calls: Vec<PricingCall>,
    /// What the plugins were given, except for the adjustments; `None` where none was called.
    pub basket: Option<Box<Basket>>,
    /// The principal that asked for it.
    pub created_by: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// Until when its prices can be reserved.
    pub expires_at: Timestamp,
}

impl Quote {
    /// Returns the sum of the lines' base prices.
    #[must_use]
    pub fn base(&self) -> Money {
        let amounts = self.lines.iter().map(|line| line.unit_price.saturating_mul(line.quantity.into()));
        Money { amount: amounts.sum(), currency: self.currency.clone() }
    }

    /// Returns the base price of one unit of a line.
    #[must_use]
    pub fn unit_price(&self, line: usize) -> Option<Money> {
        let line = self.lines.get(line)?;
        Some(Money { amount: line.unit_price, currency: self.currency.clone() })
    }

    /// Returns the price of each unit of a line. They sum to the line's total.
    #[must_use]
    pub fn unit_totals(&self, line: usize) -> Vec<i64> {
        let Some(line) = self.lines.get(line) else { return Vec::new() };
        spread(line.total, &vec![1; usize::try_from(line.quantity).unwrap_or(0)])
    }

    /// Returns the price of the basket: the sum of the lines' totals.
    #[must_use]
    pub fn total(&self) -> Money {
        let amount = self.lines.iter().map(|line| line.total).sum();
        Money { amount, currency: self.currency.clone() }
    }

    /// Returns the plugins that failed, and that the quote was made without.
    #[must_use]
    pub fn passed_over(&self) -> Vec<String> {
        self.calls.iter().filter(|call| call.failed).map(|call| call.plugin.clone()).collect()
    }

    /// Returns about how many bytes its stored form has, rather too many than too few.
    #[must_use]
    pub fn size(&self) -> usize {
        let lines = self.lines.iter().map(|line| ENTRY + text_size(&line.name) + text_size(&line.category));
        let steps = self.adjustments.iter().map(|QuoteAdjustment { adjustment, .. }| {
            let code = adjustment.code.as_deref().map_or(0, text_size);
            ENTRY + text_size(&adjustment.label) + code + fields_size(&adjustment.attributes)
        });
        let refused = self.refused_codes.iter().flat_map(|refused| [&refused.code, &refused.reason]);
        let codes = self.codes.iter().chain(refused).map(|text| text_size(text));
        let calls = self.calls.iter().map(|call| ENTRY + text_size(&call.plugin) + text_size(&call.settings));
        let basket = self.basket.as_deref().map_or(0, |basket| {
            let lines = basket.lines.iter();
            let lines = lines.map(|line| ENTRY + text_size(&line.name) + fields_size(&line.attributes));
            let codes = basket.codes.iter().map(|code| text_size(code));
            fields_size(&basket.event) + fields_size(&basket.buyer) + lines.chain(codes).sum::<usize>()
        });
        let claims = self.claims.len() * ENTRY;
        lines.chain(steps).chain(codes).chain(calls).sum::<usize>() + claims + basket
    }
}

/// Returns the most bytes of a text in JSON: quotes, backslashes and line breaks take two.
fn text_size(text: &str) -> usize {
    text.len() * 2 + 4
}

fn fields_size(fields: &[Field]) -> usize {
    fields.iter().map(|field| 32 + text_size(&field.name) + field.value.size() * 2).sum()
}
