//! Baskets, and the adjustments of their price.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tessera_core::plugin::{Adjustment, AdjustmentKind, Basket, BasketLine};
use tessera_core::{Error, Result, Timestamp};
use tessera_proto::common::v1 as pb;

use crate::convert::value::{decode_named, encode_named};

/// A basket whose price is asked for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BasketBody {
    /// What is known of the event.
    #[serde(default)]
    pub event: BTreeMap<String, pb::Value>,
    /// When it starts.
    #[serde(default)]
    pub starts_at: Option<String>,
    /// Minutes that the venue's clock is ahead of UTC now.
    #[serde(default)]
    pub offset_now: i16,
    /// Minutes that it will be ahead when the event starts.
    #[serde(default)]
    pub offset_start: i16,
    /// ISO 4217, the same for all lines.
    pub currency: String,
    /// How many decimals the currency has; absent: 2.
    #[serde(default = "two")]
    pub currency_exponent: u8,
    /// What is bought.
    #[serde(default)]
    pub lines: Vec<LineBody>,
    /// Discount codes that the buyer entered.
    #[serde(default)]
    pub codes: Vec<String>,
    /// By what channel it is bought.
    #[serde(default)]
    pub channel: String,
    /// What is known of the buyer.
    #[serde(default)]
    pub buyer: BTreeMap<String, pb::Value>,
    /// What was adjusted before.
    #[serde(default)]
    pub applied: Vec<AppliedBody>,
}

/// A line of a basket.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LineBody {
    /// The ticket type's id.
    pub ticket_type: String,
    /// Its name.
    #[serde(default)]
    pub name: String,
    /// How many.
    pub quantity: u32,
    /// The price of one in minor units.
    pub unit_price: i64,
    /// How many can still be had.
    #[serde(default)]
    pub available: u32,
    /// How many there are in all.
    #[serde(default)]
    pub capacity: u32,
    /// What else is known.
    #[serde(default)]
    pub attributes: BTreeMap<String, pb::Value>,
}

/// An earlier adjustment and its source.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AppliedBody {
    /// `rule:<id>` or `plugin:<installation>`.
    pub source: String,
    /// The adjustment.
    pub adjustment: AdjustmentBody,
}

/// An adjustment of a price.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdjustmentBody {
    /// `surcharge`, `discount`, `fee` or `tax`.
    pub kind: String,
    /// The line that it belongs to; null: the whole basket.
    #[serde(default)]
    pub line: Option<u32>,
    /// Minor units of the basket's currency, negative to reduce the price.
    pub amount: i64,
    /// It is shown, not added, for the prices contain it already.
    #[serde(default)]
    pub included: bool,
    /// For a person.
    #[serde(default)]
    pub label: String,
    /// The discount code that earned it.
    #[serde(default)]
    pub code: Option<String>,
    /// What else is known.
    #[serde(default)]
    pub attributes: BTreeMap<String, pb::Value>,
}

const fn two() -> u8 {
    2
}

const KINDS: [(AdjustmentKind, &str); 4] = [
    (AdjustmentKind::Surcharge, "surcharge"),
    (AdjustmentKind::Discount, "discount"),
    (AdjustmentKind::Fee, "fee"),
    (AdjustmentKind::Tax, "tax"),
];

const fn kind_name(kind: AdjustmentKind) -> &'static str {
    match kind {
        AdjustmentKind::Surcharge => "surcharge",
        AdjustmentKind::Discount => "discount",
        AdjustmentKind::Fee => "fee",
        AdjustmentKind::Tax => "tax",
    }
}

impl From<Adjustment> for AdjustmentBody {
    fn from(adjustment: Adjustment) -> Self {
        Self {
            kind: kind_name(adjustment.kind).to_owned(),
            line: adjustment.line,
            amount: adjustment.amount,
            included: adjustment.included,
            label: adjustment.label,
            code: adjustment.code,
            attributes: encode_named(&adjustment.attributes),
        }
    }
}

impl AdjustmentBody {
    fn decode(self, at: &str) -> Result<Adjustment> {
        let found = KINDS.into_iter().find(|(_, name)| *name == self.kind);
        let (kind, _) = found.ok_or_else(|| {
            Error::invalid(&format!("{at}.kind"), "must be surcharge, discount, fee or tax")
        })?;
        let Self { kind: _, line, amount, included, label, code, attributes } = self;
        let attributes = decode_named(&format!("{at}.attributes"), attributes)?;
        Ok(Adjustment { kind, line, amount, included, label, code, attributes })
    }
}

impl LineBody {
    fn decode(self, at: &str) -> Result<BasketLine> {
        let Self { ticket_type, name, quantity, unit_price, available, capacity, attributes } = self;
        let attributes = decode_named(&format!("{at}.attributes"), attributes)?;
        Ok(BasketLine { ticket_type, name, quantity, unit_price, available, capacity, attributes })
    }
}

impl BasketBody {
    /// The basket; faults are named below `at`.
    pub(super) fn decode(self, at: &str) -> Result<Basket> {
        let starts_at = self.starts_at.map(|time| Timestamp::parse(&format!("{at}.starts_at"), &time));
        let lines = self.lines.into_iter().enumerate();
        let lines = lines.map(|(index, line)| line.decode(&format!("{at}.lines[{index}]")));
        let applied = self.applied.into_iter().enumerate().map(|(index, applied)| {
            let at = format!("{at}.applied[{index}].adjustment");
            Ok((applied.source, applied.adjustment.decode(&at)?))
        });
        Ok(Basket {
            event: decode_named(&format!("{at}.event"), self.event)?,
            starts_at: starts_at.transpose()?,
            offset_now: self.offset_now,
            offset_start: self.offset_start,
            currency: self.currency,
            currency_exponent: self.currency_exponent,
            lines: lines.collect::<Result<_>>()?,
            codes: self.codes,
            channel: self.channel,
            buyer: decode_named(&format!("{at}.buyer"), self.buyer)?,
            applied: applied.collect::<Result<_>>()?,
        })
    }
}
