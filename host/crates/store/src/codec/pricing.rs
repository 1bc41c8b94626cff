//! Pricing rules, quotes and displayed prices: what their rows have as JSON, and recorded answers. A percentage is stored as its number
//! of steps.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use tessera_core::id::{EventId, InstallationId, PromotionId, QuoteId, RuleId, TicketTypeId};
use tessera_core::plugin::{Adjustment, AdjustmentKind, Basket, BasketLine};
use tessera_core::pricing::rule::{Clock, Per, SoldStep};
use tessera_core::pricing::{
    CodeClaim, DisplayedPrice, Percent, PricingCall, PricingRule, Quote, QuoteAdjustment, QuoteLine,
    RefusedCode, RuleValue, Source, WriteRule,
};
use tessera_core::value::Money;
use tessera_core::{Result, Timestamp};
use uuid::Uuid;

use super::scalar::{corrupt, digest, moment};
use super::value::{StoredAttributes, attributes, stored_attributes};

#[derive(Serialize, Deserialize)]
pub(crate) struct StoredPricingRule {
    pub(crate) id: Uuid,
    pub(crate) event: Option<Uuid>,
    pub(crate) kind: String,
    pub(crate) enabled: bool,
    pub(crate) terms: StoredRuleTerms,
    pub(crate) created_at: i64,
    pub(crate) updated_at: i64,
    pub(crate) version: u64,
}

/// Attributes of a rule that its row has no columns for.
#[derive(Serialize, Deserialize)]
pub(crate) struct StoredRuleTerms {
    name: String,
    value: StoredRuleValue,
    included: bool,
    ticket_types: BTreeSet<Uuid>,
    categories: BTreeSet<String>,
    valid: (Option<i64>, Option<i64>),
    minutes_to_start: (Option<u32>, Option<u32>),
    quantity: (Option<u32>, Option<u32>),
    clock: String,
    weekdays: BTreeSet<u8>,
    minutes: Option<(u16, u16)>,
    order: i32,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum StoredRuleValue {
    Percent(u32),
    Amount {
        amount: i64,
        currency: String,
        per: String,
    },
    /// Shares sold, each with its percentage.
    Steps(Vec<(u32, u32)>),
}

#[derive(Serialize, Deserialize)]
pub(crate) struct StoredQuote {
    pub(crate) id: Uuid,
    pub(crate) event: Uuid,
    pub(crate) buyer: String,
    pub(crate) content: StoredQuoteContent,
    pub(crate) created_by: String,
    pub(crate) created_at: i64,
    pub(crate) expires_at: i64,
}

/// Parts of a quote that its row has no columns for.
#[derive(Serialize, Deserialize)]
pub(crate) struct StoredQuoteContent {
    #[serde(default, skip_serializing_if = "String::is_empty")]
    channel: String,
    currency: String,
    lines: Vec<StoredQuoteLine>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    adjustments: Vec<StoredQuoteAdjustment>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    codes: Vec<String>,
    /// Codes, each with the reason.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    refused_codes: Vec<(String, String)>,
    /// Canonical codes, each with its promotion.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    claims: Vec<(String, Uuid)>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    calls: Vec<StoredCall>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    basket: Option<StoredBasket>,
}

#[derive(Serialize, Deserialize)]
struct StoredQuoteLine {
    #[serde(rename = "type")]
    ticket_type: Uuid,
    name: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    category: String,
    quantity: u32,
    unit_price: i64,
    total: i64,
}

#[derive(Serialize, Deserialize)]
struct StoredQuoteAdjustment {
    source: StoredSource,
    #[serde(flatten)]
    adjustment: StoredAdjustment,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum StoredSource {
    Rule(Uuid, u64),
    Plugin(Uuid, String),
    Promotion(Uuid, u64),
}

#[derive(Serialize, Deserialize)]
struct StoredAdjustment {
    kind: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    line: Option<u32>,
    amount: i64,
    #[serde(default)]
    included: bool,
    label: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    code: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    attributes: StoredAttributes,
}

#[derive(Serialize, Deserialize)]
struct StoredCall {
    installation: Uuid,
    plugin: String,
    digest: String,
    /// 0 where the quote is older than this member.
    #[serde(default)]
    version: u64,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    settings: String,
    applied: usize,
    failed: bool,
}

#[derive(Serialize, Deserialize)]
struct StoredBasket {
    event: StoredAttributes,
    starts_at: Option<i64>,
    /// Offsets from UTC in minutes: now, and when the event starts.
    offsets: (i16, i16),
    currency: String,
    exponent: u8,
    lines: Vec<StoredBasketLine>,
    codes: Vec<String>,
    channel: String,
    buyer: StoredAttributes,
}

#[derive(Serialize, Deserialize)]
struct StoredBasketLine {
    #[serde(rename = "type")]
    ticket_type: String,
    name: String,
    quantity: u32,
    unit_price: i64,
    available: u32,
    capacity: u32,
    attributes: StoredAttributes,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct StoredDisplayedPrice {
    #[serde(rename = "type")]
    ticket_type: Uuid,
    name: String,
    currency: String,
    base: i64,
    price: i64,
    sold: u32,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    adjustments: Vec<StoredQuoteAdjustment>,
    #[serde(default)]
    left_out: bool,
}

pub(crate) fn stored_pricing_rule(rule: &PricingRule) -> StoredPricingRule {
    StoredPricingRule {
        id: rule.id.0,
        event: rule.attributes.event.map(|event| event.0),
        kind: rule.attributes.kind.name().to_owned(),
        enabled: rule.attributes.enabled,
        terms: stored_rule_terms(&rule.attributes),
        created_at: rule.created_at.micros(),
        updated_at: rule.updated_at.micros(),
        version: rule.version,
    }
}

pub(crate) fn pricing_rule(stored: StoredPricingRule) -> Result<PricingRule> {
    let StoredRuleTerms {
        name,
        value,
        included,
        ticket_types,
        categories,
        valid: (valid_from, valid_until),
        minutes_to_start: (min_minutes_to_start, max_minutes_to_start),
        quantity: (min_quantity, max_quantity),
        clock,
        weekdays,
        minutes,
        order,
    } = stored.terms;
    Ok(PricingRule {
        id: RuleId(stored.id),
        attributes: WriteRule {
            name,
            kind: adjustment_kind(&stored.kind)?,
            value: rule_value(value)?,
            included,
            event: stored.event.map(EventId),
            ticket_types: ticket_types.into_iter().map(TicketTypeId).collect(),
            categories,
            valid_from: valid_from.map(moment).transpose()?,
            valid_until: valid_until.map(moment).transpose()?,
            min_minutes_to_start,
            max_minutes_to_start,
            min_quantity,
            max_quantity,
            weekdays,
            minutes,
            clock: clock_named(&clock)?,
            order,
            enabled: stored.enabled,
        },
        created_at: moment(stored.created_at)?,
        updated_at: moment(stored.updated_at)?,
        version: stored.version,
    })
}

pub(crate) fn stored_rule_terms(rule: &WriteRule) -> StoredRuleTerms {
    StoredRuleTerms {
        name: rule.name.clone(),
        value: stored_rule_value(&rule.value),
        included: rule.included,
        ticket_types: rule.ticket_types.iter().map(|ticket_type| ticket_type.0).collect(),
        categories: rule.categories.clone(),
        valid: (rule.valid_from.map(Timestamp::micros), rule.valid_until.map(Timestamp::micros)),
        minutes_to_start: (rule.min_minutes_to_start, rule.max_minutes_to_start),
        quantity: (rule.min_quantity, rule.max_quantity),
        clock: rule.clock.name().to_owned(),
        weekdays: rule.weekdays.clone(),
        minutes: rule.minutes,
        order: rule.order,
    }
}

fn stored_rule_value(value: &RuleValue) -> StoredRuleValue {
    match value {
        RuleValue::Percent(percent) => StoredRuleValue::Percent(percent.steps()),
        RuleValue::Amount(amount, per) => StoredRuleValue::Amount {
            amount: amount.amount,
            currency: amount.currency.clone(),
            per: per.name().to_owned(),
        },
        RuleValue::Steps(steps) => {
            let steps = steps.iter().map(|step| (step.sold.steps(), step.percent.steps()));
            StoredRuleValue::Steps(steps.collect())
        }
    }
}

fn rule_value(stored: StoredRuleValue) -> Result<RuleValue> {
    Ok(match stored {
        StoredRuleValue::Percent(steps) => RuleValue::Percent(percent(steps)?),
        StoredRuleValue::Amount { amount, currency, per } => {
            RuleValue::Amount(Money { amount, currency }, per_named(&per)?)
        }
        StoredRuleValue::Steps(steps) => {
            let step = |(sold, of_price)| Ok(SoldStep { sold: percent(sold)?, percent: percent(of_price)? });
            RuleValue::Steps(steps.into_iter().map(step).collect::<Result<_>>()?)
        }
    })
}

pub(super) fn per_named(name: &str) -> Result<Per> {
    let per = Per::ALL.into_iter().find(|per| per.name() == name);
    per.ok_or_else(|| corrupt("what an amount is for", name))
}

pub(super) fn percent(steps: u32) -> Result<Percent> {
    Percent::from_steps(steps).ok_or_else(|| corrupt("a percentage", steps))
}

fn clock_named(name: &str) -> Result<Clock> {
    Clock::ALL.into_iter().find(|clock| clock.name() == name).ok_or_else(|| corrupt("a clock", name))
}

fn adjustment_kind(name: &str) -> Result<AdjustmentKind> {
    let kind = AdjustmentKind::ALL.into_iter().find(|kind| kind.name() == name);
    kind.ok_or_else(|| corrupt("a kind of adjustment", name))
}

pub(crate) fn stored_quote(quote: &Quote) -> StoredQuote {
    StoredQuote {
        id: quote.id.0,
        event: quote.event.0,
        buyer: quote.buyer.clone(),
        content: stored_quote_content(quote),
        created_by: quote.created_by.clone(),
        created_at: quote.created_at.micros(),
        expires_at: quote.expires_at.micros(),
    }
}

pub(crate) fn quote(stored: StoredQuote) -> Result<Quote> {
    let content = stored.content;
    let refused = content.refused_codes.into_iter();
    let claims = content.claims.into_iter();
    Ok(Quote {
        id: QuoteId(stored.id),
        event: EventId(stored.event),
        buyer: stored.buyer,
        channel: content.channel,
        currency: content.currency,
        lines: content.lines.into_iter().map(quote_line).collect(),
        adjustments: content.adjustments.into_iter().map(quote_adjustment).collect::<Result<_>>()?,
        codes: content.codes,
        refused_codes: refused.map(|(code, reason)| RefusedCode { code, reason }).collect(),
        claims: claims.map(|(code, id)| CodeClaim { code, promotion: PromotionId(id) }).collect(),
        calls: content.calls.into_iter().map(call).collect::<Result<_>>()?,
        basket: content.basket.map(basket).transpose()?.map(Box::new),
        created_by: stored.created_by,
        created_at: moment(stored.created_at)?,
        expires_at: moment(stored.expires_at)?,
    })
}

pub(crate) fn stored_quote_content(quote: &Quote) -> StoredQuoteContent {
    let refused = quote.refused_codes.iter();
    StoredQuoteContent {
        channel: quote.channel.clone(),
        currency: quote.currency.clone(),
        lines: quote.lines.iter().map(stored_quote_line).collect(),
        adjustments: quote.adjustments.iter().map(stored_quote_adjustment).collect(),
        codes: quote.codes.clone(),
        refused_codes: refused.map(|refused| (refused.code.clone(), refused.reason.clone())).collect(),
        claims: quote.claims.iter().map(|claim| (claim.code.clone(), claim.promotion.0)).collect(),
        calls: quote.calls.iter().map(stored_call).collect(),
        basket: quote.basket.as_deref().map(stored_basket),
    }
}

fn stored_quote_line(line: &QuoteLine) -> StoredQuoteLine {
    StoredQuoteLine {
        ticket_type: line.ticket_type.0,
        name: line.name.clone(),
        category: line.category.clone(),
        quantity: line.quantity,
        unit_price: line.unit_price,
        total: line.total,
    }
}

fn quote_line(stored: StoredQuoteLine) -> QuoteLine {
    QuoteLine {
        ticket_type: TicketTypeId(stored.ticket_type),
        name: stored.name,
        category: stored.category,
        quantity: stored.quantity,
        unit_price: stored.unit_price,
        total: stored.total,
    }
}

fn stored_quote_adjustment(step: &QuoteAdjustment) -> StoredQuoteAdjustment {
    let source = match step.source {
        Source::Rule(id, version) => StoredSource::Rule(id.0, version),
        Source::Plugin(id, digest) => StoredSource::Plugin(id.0, digest.to_string()),
        Source::Promotion(id, version) => StoredSource::Promotion(id.0, version),
    };
    StoredQuoteAdjustment { source, adjustment: stored_adjustment(&step.adjustment) }
}

fn quote_adjustment(stored: StoredQuoteAdjustment) -> Result<QuoteAdjustment> {
    let source = match stored.source {
        StoredSource::Rule(id, version) => Source::Rule(RuleId(id), version),
        StoredSource::Plugin(id, release) => Source::Plugin(InstallationId(id), digest(&release)?),
        StoredSource::Promotion(id, version) => Source::Promotion(PromotionId(id), version),
    };
    Ok(QuoteAdjustment { source, adjustment: adjustment(stored.adjustment)? })
}

fn stored_adjustment(adjustment: &Adjustment) -> StoredAdjustment {
    StoredAdjustment {
        kind: adjustment.kind.name().to_owned(),
        line: adjustment.line,
        amount: adjustment.amount,
        included: adjustment.included,
        label: adjustment.label.clone(),
        code: adjustment.code.clone(),
        attributes: stored_attributes(&adjustment.attributes),
    }
}

fn adjustment(stored: StoredAdjustment) -> Result<Adjustment> {
    Ok(Adjustment {
        kind: adjustment_kind(&stored.kind)?,
        line: stored.line,
        amount: stored.amount,
        included: stored.included,
        label: stored.label,
        code: stored.code,
        attributes: attributes(stored.attributes)?,
    })
}

fn stored_call(call: &PricingCall) -> StoredCall {
    StoredCall {
        installation: call.installation.0,
        plugin: call.plugin.clone(),
        digest: call.digest.to_string(),
        version: call.version,
        settings: call.settings.as_ref().to_owned(),
        applied: call.applied,
        failed: call.failed,
    }
}

fn call(stored: StoredCall) -> Result<PricingCall> {
    Ok(PricingCall {
        installation: InstallationId(stored.installation),
        plugin: stored.plugin,
        digest: digest(&stored.digest)?,
        version: stored.version,
        settings: stored.settings.into(),
        applied: stored.applied,
        failed: stored.failed,
    })
}

/// Stores a basket without the adjustments that are applied: they are those of the quote.
fn stored_basket(basket: &Basket) -> StoredBasket {
    StoredBasket {
        event: stored_attributes(&basket.event),
        starts_at: basket.starts_at.map(Timestamp::micros),
        offsets: (basket.offset_now, basket.offset_start),
        currency: basket.currency.clone(),
        exponent: basket.currency_exponent,
        lines: basket.lines.iter().map(stored_basket_line).collect(),
        codes: basket.codes.clone(),
        channel: basket.channel.clone(),
        buyer: stored_attributes(&basket.buyer),
    }
}

fn basket(stored: StoredBasket) -> Result<Basket> {
    let (offset_now, offset_start) = stored.offsets;
    Ok(Basket {
        event: attributes(stored.event)?,
        starts_at: stored.starts_at.map(moment).transpose()?,
        offset_now,
        offset_start,
        currency: stored.currency,
        currency_exponent: stored.exponent,
        lines: stored.lines.into_iter().map(basket_line).collect::<Result<_>>()?,
        codes: stored.codes,
        channel: stored.channel,
        buyer: attributes(stored.buyer)?,
        applied: Vec::new(),
    })
}

fn stored_basket_line(line: &BasketLine) -> StoredBasketLine {
    StoredBasketLine {
        ticket_type: line.ticket_type.clone(),
        name: line.name.clone(),
        quantity: line.quantity,
        unit_price: line.unit_price,
        available: line.available,
        capacity: line.capacity,
        attributes: stored_attributes(&line.attributes),
    }
}

fn basket_line(stored: StoredBasketLine) -> Result<BasketLine> {
    Ok(BasketLine {
        ticket_type: stored.ticket_type,
        name: stored.name,
        quantity: stored.quantity,
        unit_price: stored.unit_price,
        available: stored.available,
        capacity: stored.capacity,
        attributes: attributes(stored.attributes)?,
    })
}

pub(crate) fn stored_displayed_price(price: &DisplayedPrice) -> StoredDisplayedPrice {
    StoredDisplayedPrice {
        ticket_type: price.ticket_type.0,
        name: price.name.clone(),
        currency: price.base.currency.clone(),
        base: price.base.amount,
        price: price.price,
        sold: price.sold.steps(),
        adjustments: price.adjustments.iter().map(stored_quote_adjustment).collect(),
        left_out: price.left_out,
    }
}

pub(crate) fn displayed_price(stored: StoredDisplayedPrice) -> Result<DisplayedPrice> {
    Ok(DisplayedPrice {
        ticket_type: TicketTypeId(stored.ticket_type),
        name: stored.name,
        base: Money { amount: stored.base, currency: stored.currency },
        price: stored.price,
        sold: percent(stored.sold)?,
        adjustments: stored.adjustments.into_iter().map(quote_adjustment).collect::<Result<_>>()?,
        left_out: stored.left_out,
    })
}

#[cfg(test)]
mod tests {
    use tessera_core::ErrorKind;

    use super::*;

    #[test]
    fn unknown_names_and_percentages_are_refused() {
        assert!(adjustment_kind("gift").is_err());
        assert_eq!(digest("damaged").unwrap_err().kind(), ErrorKind::Internal);
        assert!(clock_named("noon").is_err());
        assert!(rule_value(StoredRuleValue::Percent(u32::MAX)).is_err());
        assert!(rule_value(StoredRuleValue::Steps(vec![(0, u32::MAX)])).is_err());
        let per = "day".to_owned();
        assert!(rule_value(StoredRuleValue::Amount { amount: 1, currency: "EUR".into(), per }).is_err());
    }
}
