//! Baskets and price adjustments.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tessera_core::plugin::{Adjustment, AdjustmentKind, Basket, BasketLine};
use tessera_core::{Error, Result, Timestamp};
use tessera_proto::common::v1 as pb;

use crate::convert::value::{decode_named, encode_named};

/// A basket to price.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BasketBody {
    /// The attributes of the event.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub event: BTreeMap<String, pb::Value>,
    /// When the event starts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub starts_at: Option<String>,
    /// The current UTC offset of the venue, in minutes.
    #[serde(default)]
    pub offset_now: i16,
    /// The UTC offset of the venue when the event starts, in minutes.
    #[serde(default)]
    pub offset_start: i16,
    /// The ISO 4217 currency of all lines.
    pub currency: String,
    /// The number of decimals of the currency; absent: 2.
    #[serde(default = "two")]
    pub currency_exponent: u8,
    /// The lines of the basket.
    #[serde(default)]
    pub lines: Vec<LineBody>,
    /// Discount codes that the buyer entered.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub codes: Vec<String>,
    /// The sales channel.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub channel: String,
    /// The attributes of the buyer.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub buyer: BTreeMap<String, pb::Value>,
    /// The adjustments that were applied before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub applied: Vec<AppliedBody>,
}

/// A line of a basket.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LineBody {
    /// The id of the ticket type.
    pub ticket_type: String,
    /// The name of the ticket type.
    #[serde(default)]
    pub name: String,
    /// The number of units.
    pub quantity: u32,
    /// The price of one unit, in minor units.
    pub unit_price: i64,
    /// The available units.
    #[serde(default)]
    pub available: u32,
    /// The capacity.
    #[serde(default)]
    pub capacity: u32,
    /// Other attributes.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, pb::Value>,
}

/// An earlier adjustment and its source.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AppliedBody {
    /// `rule:ID@VERSION`, `promotion:ID@VERSION` or `plugin:INSTALLATION@DIGEST`.
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
    /// The index of the line; null: the whole basket.
    #[serde(default)]
    pub line: Option<u32>,
    /// The amount in minor units of the basket's currency; negative to reduce the price.
    pub amount: i64,
    /// Whether the prices include the amount already, so that it is shown but not added.
    #[serde(default)]
    pub included: bool,
    /// The label, as text for people.
    #[serde(default)]
    pub label: String,
    /// The discount code that caused the adjustment.
    #[serde(default)]
    pub code: Option<String>,
    /// Other attributes.
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

impl From<BasketLine> for LineBody {
    fn from(line: BasketLine) -> Self {
        let BasketLine { ticket_type, name, quantity, unit_price, available, capacity, attributes } = line;
        let attributes = encode_named(&attributes);
        Self { ticket_type, name, quantity, unit_price, available, capacity, attributes }
    }
}

impl From<Basket> for BasketBody {
    fn from(basket: Basket) -> Self {
        let applied = basket.applied.into_iter();
        let applied = applied.map(|(source, step)| AppliedBody { source, adjustment: step.into() });
        Self {
            event: encode_named(&basket.event),
            starts_at: basket.starts_at.map(|at| at.to_string()),
            offset_now: basket.offset_now,
            offset_start: basket.offset_start,
            currency: basket.currency,
            currency_exponent: basket.currency_exponent,
            lines: basket.lines.into_iter().map(LineBody::from).collect(),
            codes: basket.codes,
            channel: basket.channel,
            buyer: encode_named(&basket.buyer),
            applied: applied.collect(),
        }
    }
}

impl AdjustmentBody {
    fn decode(self, at: &str) -> Result<Adjustment> {
        let kind = KINDS.into_iter().find(|(_, name)| *name == self.kind);
        let (kind, _) = kind.ok_or_else(|| {
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
    /// Decodes the basket; the paths of faults begin with `at`.
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
