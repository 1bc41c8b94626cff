//! Prices, quotes and pricing rules.

use std::collections::{BTreeMap, BTreeSet};

use tessera_core::id::{EventId, TicketTypeId};
use tessera_core::money::exponent;
use tessera_core::plugin::{Adjustment, AdjustmentKind, Basket, BasketLine};
use tessera_core::pricing::rule::{Clock, Per, SoldStep, WEEKDAYS, minute_of_day, time_of_day};
use tessera_core::pricing::{
    ChangeRule, Percent, PriceRequest, PricingCall, PricingRule, Quote, QuoteAdjustment, QuoteLine,
    RefusedCode, RuleValue, WriteRule,
};
use tessera_core::text::Faults;
use tessera_core::value::Money;
use tessera_core::{Error, Result};
use tessera_proto::common::v1 as common;
use tessera_proto::ticket::v1 as pb;

use crate::convert::catalog::{check_group, read_u32};
use crate::convert::mask::Mask;
use crate::convert::reservation::{money, one_or_several, read_lines};
use crate::convert::ticket_type::timestamp;
use crate::convert::value::encode_named;
use crate::convert::{non_empty, text, time, to_i32, to_i64};
use crate::state::etag;

/// Reads a basket: one line in the single fields, or `lines`.
pub(crate) fn basket(request: pb::CalculatePriceRequest) -> Result<PriceRequest> {
    by_single_fields(request.lines.is_empty(), read_basket(request))
}

/// Renames the fields in faults of the only line to the single fields of the request, if the request has them.
pub(crate) fn by_single_fields<T>(is_single: bool, result: Result<T>) -> Result<T> {
    let rename = |field: &str| match field.strip_prefix("lines[0].")? {
        "ticket_type_id" => Some("zone_id".to_owned()),
        name => Some(name.to_owned()),
    };
    result.map_err(|error| if is_single { error.renamed(rename) } else { error })
}

fn read_basket(request: pb::CalculatePriceRequest) -> Result<PriceRequest> {
    let pb::CalculatePriceRequest { zone_id, quantity, pricing_category, user_id, buyer_id, .. } = request;
    let single =
        pb::RequestedLine { ticket_type_id: zone_id, quantity, seat_numbers: Vec::new(), pricing_category };
    let by_zone = request.lines.is_empty();
    let lines = one_or_several("zone_id", single, request.lines)?;
    let event = EventId::parse("event_id", &request.event_id)?;
    let buyer = buyer(user_id, buyer_id)?;
    let mut codes = request.codes;
    if !request.discount_code.is_empty() && !codes.contains(&request.discount_code) {
        codes.push(request.discount_code);
    }
    Ok(PriceRequest { event, lines: read_lines(lines)?, by_zone, codes, buyer, channel: request.channel })
}

/// Reads the buyer from either of its two fields.
pub(crate) fn buyer(user_id: String, buyer_id: String) -> Result<String> {
    if !user_id.is_empty() && !buyer_id.is_empty() && user_id != buyer_id {
        return Err(Error::invalid("user_id", "differs from buyer_id; both are the buyer, give one of them"));
    }
    Ok(non_empty(buyer_id).unwrap_or(user_id))
}

/// Encodes the price of a basket. Only a stored quote has an id that clients can use.
#[must_use]
pub(crate) fn price(quote: &Quote, is_stored: bool) -> pb::CalculatePriceResponse {
    let mut discount_amount = 0_i64;
    let mut labels: Vec<&str> = Vec::new();
    for QuoteAdjustment { adjustment, .. } in &quote.adjustments {
        if adjustment.kind != AdjustmentKind::Discount {
            continue;
        }
        discount_amount = discount_amount.saturating_sub(adjustment.amount);
        // A rule for several lines has an adjustment for each.
        if !labels.contains(&adjustment.label.as_str()) {
            labels.push(adjustment.label.as_str());
        }
    }
    pb::CalculatePriceResponse {
        base_price: Some(money(&quote.base())),
        final_price: Some(money(&quote.total())),
        discount_amount: in_currency(quote, discount_amount),
        discount_reason: labels.join("; "),
        currency: quote.currency.clone(),
        pricing_details: details(quote),
        quote_id: is_stored.then(|| quote.id.to_string()),
        lines: quote.lines.iter().map(|line| quote_line(quote, line)).collect(),
        adjustments: quote.adjustments.iter().map(|step| adjustment(&quote.currency, step)).collect(),
        codes: quote.codes.clone(),
        refused_codes: quote.refused_codes.iter().map(refused_code).collect(),
        passed_over: quote.passed_over(),
        expires_at: if is_stored { time(quote.expires_at) } else { None },
    }
}

/// Encodes a stored quote.
#[must_use]
pub(crate) fn quote(quote: &Quote) -> pb::Quote {
    // Buyers see the answers to requests for prices, so attributes are in stored quotes alone.
    let with_attributes = |step: &QuoteAdjustment| pb::QuoteAdjustment {
        attributes: encode_named(&step.adjustment.attributes),
        ..adjustment(&quote.currency, step)
    };
    pb::Quote {
        id: quote.id.to_string(),
        event_id: quote.event.to_string(),
        buyer_id: non_empty(quote.buyer.clone()),
        channel: non_empty(quote.channel.clone()),
        base_price: Some(money(&quote.base())),
        final_price: Some(money(&quote.total())),
        lines: quote.lines.iter().map(|line| quote_line(quote, line)).collect(),
        adjustments: quote.adjustments.iter().map(with_attributes).collect(),
        codes: quote.codes.clone(),
        refused_codes: quote.refused_codes.iter().map(refused_code).collect(),
        calls: quote.calls.iter().map(call).collect(),
        inputs: quote.basket.as_deref().map(inputs),
        created_by: quote.created_by.clone(),
        created_at: time(quote.created_at),
        expires_at: time(quote.expires_at),
    }
}

fn in_currency(quote: &Quote, amount: i64) -> Option<common::Money> {
    Some(common::Money { amount, currency: quote.currency.clone() })
}

fn quote_line(quote: &Quote, line: &QuoteLine) -> pb::QuoteLine {
    pb::QuoteLine {
        ticket_type_id: line.ticket_type.to_string(),
        name: line.name.clone(),
        pricing_category: non_empty(line.category.clone()),
        quantity: to_i32(line.quantity.into()),
        unit_price: in_currency(quote, line.unit_price),
        total: in_currency(quote, line.total),
    }
}

/// Encodes an adjustment of a price in this currency.
pub(crate) fn adjustment(currency: &str, step: &QuoteAdjustment) -> pb::QuoteAdjustment {
    let Adjustment { kind, line, amount, included, label, code, .. } = &step.adjustment;
    pb::QuoteAdjustment {
        kind: kind.name().to_owned(),
        line: line.map(|line| to_i32(line.into())),
        amount: Some(common::Money { amount: *amount, currency: currency.to_owned() }),
        included: *included,
        label: label.clone(),
        source: step.source.to_string(),
        code: code.clone(),
        attributes: BTreeMap::new(),
    }
}

fn refused_code(refused: &RefusedCode) -> pb::RefusedCode {
    pb::RefusedCode { code: refused.code.clone(), reason: refused.reason.clone() }
}

fn call(call: &PricingCall) -> pb::PricingCall {
    pb::PricingCall {
        installation_id: call.installation.to_string(),
        plugin: call.plugin.clone(),
        release: call.digest.to_string(),
        applied: i32::try_from(call.applied).unwrap_or(i32::MAX),
        failed: call.failed,
        installation_version: to_i64(call.version),
        settings_json: non_empty(call.settings.to_string()),
    }
}

fn inputs(basket: &Basket) -> pb::QuoteInputs {
    // Plugins are given the largest number where there is no bound.
    let bounded = |units: u32| (units != u32::MAX).then_some(i64::from(units));
    let line = |line: &BasketLine| pb::QuoteInputLine {
        ticket_type_id: line.ticket_type.clone(),
        available: bounded(line.available),
        capacity: bounded(line.capacity),
    };
    pb::QuoteInputs {
        event: encode_named(&basket.event),
        starts_at: basket.starts_at.and_then(time),
        offset_now: basket.offset_now.into(),
        offset_start: basket.offset_start.into(),
        lines: basket.lines.iter().map(line).collect(),
        codes: basket.codes.clone(),
        buyer: encode_named(&basket.buyer),
    }
}

/// Describes a quote for people: one line for each line and each adjustment.
fn details(quote: &Quote) -> String {
    let amount = |minor_units| amount_text(minor_units, &quote.currency);
    let lines = quote.lines.iter().map(|line| {
        let QuoteLine { name, category, quantity, unit_price, .. } = line;
        let category = if category.is_empty() { String::new() } else { format!(" ({category})") };
        let total = unit_price.saturating_mul((*quantity).into());
        format!("{quantity} × {name}{category} at {}: {}", amount(*unit_price), amount(total))
    });
    let adjustments = quote.adjustments.iter().map(|step| {
        let Adjustment { kind, line, included, label, .. } = &step.adjustment;
        let line = line.map(|line| format!(", line {}", u64::from(line) + 1)).unwrap_or_default();
        let included = if *included { ", included" } else { "" };
        format!("{label} ({}{line}{included}): {}", kind.name(), amount(step.adjustment.amount))
    });
    lines.chain(adjustments).collect::<Vec<_>>().join("\n")
}

/// Writes an amount with the decimals of its currency, such as "-12.50 EUR".
fn amount_text(minor_units: i64, currency: &str) -> String {
    let sign = if minor_units < 0 { "-" } else { "" };
    let minor_units = minor_units.unsigned_abs();
    match exponent(currency).unwrap_or_default() {
        0 => format!("{sign}{minor_units} {currency}"),
        decimals => {
            let (width, unit) = (usize::from(decimals), 10_u64.pow(decimals.into()));
            format!("{sign}{}.{:0width$} {currency}", minor_units / unit, minor_units % unit)
        }
    }
}

/// Encodes a pricing rule.
#[must_use]
pub(crate) fn rule(rule: PricingRule) -> pb::PricingRule {
    let attributes = rule.attributes;
    let (mut percent, mut amount, mut per, mut steps) = (None, None, None, Vec::new());
    match &attributes.value {
        RuleValue::Percent(of) => percent = Some(of.to_string()),
        RuleValue::Amount(of, each) => (amount, per) = (Some(money(of)), Some(each.name().to_owned())),
        RuleValue::Steps(of) => {
            let texts = of.iter().map(|step| (step.sold.to_string(), step.percent.to_string()));
            steps = texts.map(|(sold, percent)| pb::SoldStep { sold, percent }).collect();
        }
    }
    let count = |number: Option<u32>| number.map(|number| to_i32(number.into()));
    let weekdays = attributes.weekdays.iter().filter_map(|day| WEEKDAYS.get(usize::from(*day)));
    pb::PricingRule {
        id: rule.id.to_string(),
        name: attributes.name,
        kind: attributes.kind.name().to_owned(),
        percent,
        amount,
        per,
        steps,
        included: attributes.included,
        event_id: text(attributes.event),
        ticket_type_ids: attributes.ticket_types.iter().map(ToString::to_string).collect(),
        categories: attributes.categories.into_iter().collect(),
        valid_from: attributes.valid_from.and_then(time),
        valid_until: attributes.valid_until.and_then(time),
        min_minutes_to_start: count(attributes.min_minutes_to_start),
        max_minutes_to_start: count(attributes.max_minutes_to_start),
        min_quantity: count(attributes.min_quantity),
        max_quantity: count(attributes.max_quantity),
        weekdays: weekdays.map(|&day| day.to_owned()).collect(),
        from_time: attributes.minutes.map(|(from, _)| time_of_day(from)),
        until_time: attributes.minutes.map(|(_, until)| time_of_day(until)),
        clock: attributes.clock.name().to_owned(),
        order: attributes.order,
        enabled: attributes.enabled,
        created_at: time(rule.created_at),
        updated_at: time(rule.updated_at),
        etag: etag(rule.version),
    }
}

/// Reads the attributes of a rule, except for its value, from either request.
macro_rules! attributes {
    ($request:ident, $value:expr, $faults:ident) => {
        WriteRule {
            name: $request.name,
            kind: kind(&$request.kind, &mut $faults),
            value: $value,
            included: $request.included,
            event: event(&$request.event_id, &mut $faults),
            ticket_types: ticket_types("ticket_type_ids", &$request.ticket_type_ids, &mut $faults),
            categories: $request.categories.into_iter().collect(),
            valid_from: timestamp("valid_from", $request.valid_from, &mut $faults),
            valid_until: timestamp("valid_until", $request.valid_until, &mut $faults),
            min_minutes_to_start: read_u32(
                "min_minutes_to_start",
                $request.min_minutes_to_start,
                &mut $faults,
            ),
            max_minutes_to_start: read_u32(
                "max_minutes_to_start",
                $request.max_minutes_to_start,
                &mut $faults,
            ),
            min_quantity: read_u32("min_quantity", $request.min_quantity, &mut $faults),
            max_quantity: read_u32("max_quantity", $request.max_quantity, &mut $faults),
            weekdays: weekdays(&$request.weekdays, &mut $faults),
            minutes: minutes(&$request.from_time, &$request.until_time, &mut $faults),
            clock: clock(&$request.clock, &mut $faults),
            order: $request.order,
            enabled: $request.enabled.unwrap_or(true),
        }
    };
}

/// Reads a request to create a rule.
pub(crate) fn create(request: pb::CreatePricingRuleRequest) -> Result<WriteRule> {
    let mut faults = Faults::default();
    let value = faults.take(value(&request.percent, request.amount, &request.per, &request.steps));
    let rule = attributes!(request, value.unwrap_or(RuleValue::Steps(Vec::new())), faults);
    faults.into_result().map(|()| rule)
}

/// Reads an update of a rule; without a mask, every field changes. A mask with a part of the value changes all of it.
pub(crate) fn change(request: pb::UpdatePricingRuleRequest) -> Result<ChangeRule> {
    let mask = Mask::read(request.update_mask, ChangeRule::FIELDS, None)?;
    let mut faults = Faults::default();
    let rule = attributes!(request, RuleValue::Steps(Vec::new()), faults);
    faults.retain(mask.fields());
    let mut change = ChangeRule::from_write(rule, mask.fields());
    if change.value.is_some() {
        let value = value(&request.percent, request.amount, &request.per, &request.steps);
        change.value = faults.take(value);
    }
    let named = |name: &'static str| (name, mask.names(name));
    check_group(&["from_time", "until_time"].map(named), &mut faults);
    if !mask.is_absent() && matches!(change.value, Some(RuleValue::Amount(..))) {
        check_group(&["amount", "per"].map(named), &mut faults);
    }
    faults.into_result().map(|()| change)
}

/// Reads the value of a rule: exactly one of a percentage, an amount and steps.
fn value(
    percent: &str,
    amount: Option<common::Money>,
    per: &str,
    steps: &[pb::SoldStep],
) -> Result<RuleValue> {
    let fields =
        [("percent", !percent.is_empty()), ("amount", amount.is_some()), ("steps", !steps.is_empty())];
    let mut given = fields.into_iter().filter(|(_, is_given)| *is_given).map(|(name, _)| name);
    match (given.next(), given.next()) {
        (None, _) => {
            return Err(Error::invalid("percent", "must be given, or amount or steps: exactly one of them"));
        }
        (Some(first), Some(second)) => {
            let message = format!("is given beside {first}; give exactly one of percent, amount and steps");
            return Err(Error::invalid(second, message));
        }
        (Some(_), None) => {}
    }
    if amount.is_none() && !per.is_empty() {
        return Err(Error::invalid("per", "is given without an amount"));
    }
    if let Some(common::Money { amount, currency }) = amount {
        let per = if per.is_empty() { Per::Unit } else { named("per", per, &Per::ALL, Per::name)? };
        return Ok(RuleValue::Amount(Money { amount, currency }, per));
    }
    if steps.is_empty() {
        return Percent::parse("percent", percent).map(RuleValue::Percent);
    }
    let step = |(index, step): (usize, &pb::SoldStep)| -> Result<SoldStep> {
        let sold = Percent::parse(&format!("steps[{index}].sold"), &step.sold)?;
        let percent = Percent::parse(&format!("steps[{index}].percent"), &step.percent)?;
        Ok(SoldStep { sold, percent })
    };
    steps.iter().enumerate().map(step).collect::<Result<Vec<_>>>().map(RuleValue::Steps)
}

/// Reads the name of one of several values.
pub(crate) fn named<T: Copy>(
    field: &str,
    text: &str,
    all: &[T],
    name: impl Fn(T) -> &'static str,
) -> Result<T> {
    let found = all.iter().copied().find(|value| name(*value) == text);
    found.ok_or_else(|| {
        let names: Vec<_> = all.iter().map(|value| name(*value)).collect();
        Error::invalid(field, format!("is {text:?}; one of {} is expected", names.join(", ")))
    })
}

fn kind(text: &str, faults: &mut Faults) -> AdjustmentKind {
    let kind = named("kind", text, &AdjustmentKind::ALL, AdjustmentKind::name);
    faults.take(kind).unwrap_or(AdjustmentKind::Surcharge)
}

fn clock(text: &str, faults: &mut Faults) -> Clock {
    if text.is_empty() {
        return Clock::default();
    }
    faults.take(named("clock", text, &Clock::ALL, Clock::name)).unwrap_or_default()
}

/// Reads an event; `None` if the id is empty.
pub(crate) fn event(id: &str, faults: &mut Faults) -> Option<EventId> {
    if id.is_empty() { None } else { faults.take(EventId::parse("event_id", id)) }
}

/// Reads the ids of ticket types.
pub(crate) fn ticket_types(field: &str, ids: &[String], faults: &mut Faults) -> BTreeSet<TicketTypeId> {
    let read = |(index, id): (usize, &String)| TicketTypeId::parse(&format!("{field}[{index}]"), id);
    ids.iter().enumerate().filter_map(|entry| faults.take(read(entry))).collect()
}

fn weekdays(names: &[String], faults: &mut Faults) -> BTreeSet<u8> {
    let read = |(index, name): (usize, &String)| {
        let mut days = (0_u8..).zip(WEEKDAYS);
        let day = days.find(|(_, known)| *known == name.as_str()).map(|(day, _)| day);
        day.ok_or_else(|| {
            let message = format!("is {name:?}; one of {} is expected", WEEKDAYS.join(", "));
            Error::invalid(&format!("weekdays[{index}]"), message)
        })
    };
    names.iter().enumerate().filter_map(|entry| faults.take(read(entry))).collect()
}

/// Reads the times of the day; both are given, or none.
fn minutes(from: &str, until: &str, faults: &mut Faults) -> Option<(u16, u16)> {
    let missing = match (from, until) {
        ("", "") => return None,
        ("", _) => "from_time",
        (_, "") => "until_time",
        _ => {
            let from = faults.take(minute_of_day("from_time", from));
            return from.zip(faults.take(minute_of_day("until_time", until)));
        }
    };
    faults.add(missing, "must be given: from_time and until_time go together");
    None
}

#[cfg(test)]
mod tests;
