use prost_types::FieldMask;
use tessera_core::Timestamp;
use tessera_core::id::{InstallationId, QuoteId, RuleId};
use tessera_core::plugin::Digest;
use tessera_core::pricing::Source;
use tessera_core::value::Field;

use super::*;

fn fields(error: &Error) -> Vec<&str> {
    error.faults().iter().map(|fault| fault.field.as_str()).collect()
}

fn euros(amount: i64) -> Option<common::Money> {
    Some(common::Money { amount, currency: "EUR".into() })
}

fn single() -> pb::CalculatePriceRequest {
    pb::CalculatePriceRequest {
        event_id: EventId::generate().to_string(),
        zone_id: TicketTypeId::generate().to_string(),
        quantity: 2,
        ..Default::default()
    }
}

fn percent_rule() -> pb::CreatePricingRuleRequest {
    pb::CreatePricingRuleRequest {
        name: "Evening".into(),
        kind: "surcharge".into(),
        percent: "12.5".into(),
        ..Default::default()
    }
}

fn update(paths: &[&str]) -> pb::UpdatePricingRuleRequest {
    let paths = paths.iter().map(|&path| path.to_owned()).collect();
    pb::UpdatePricingRuleRequest { update_mask: Some(FieldMask { paths }), ..Default::default() }
}

fn adjustment(kind: AdjustmentKind, line: Option<u32>, amount: i64, label: &str) -> QuoteAdjustment {
    let included = kind == AdjustmentKind::Tax;
    let adjustment =
        Adjustment { kind, line, amount, included, label: label.into(), code: None, attributes: Vec::new() };
    QuoteAdjustment { source: Source::Rule(RuleId::generate(), 3), adjustment }
}

fn sample_quote(currency: &str) -> Quote {
    let line = |name: &str, category: &str, quantity, unit_price, total| QuoteLine {
        ticket_type: TicketTypeId::generate(),
        name: name.into(),
        category: category.into(),
        quantity,
        unit_price,
        total,
    };
    let failed = PricingCall {
        installation: InstallationId::generate(),
        plugin: "tiers@1.0.0".into(),
        digest: Digest([1; 32]),
        version: 4,
        settings: "{}".into(),
        applied: 2,
        failed: true,
    };
    Quote {
        id: QuoteId::generate(),
        event: EventId::generate(),
        buyer: String::new(),
        channel: String::new(),
        currency: currency.into(),
        lines: vec![line("Stalls", "child", 2, 1_000, 1_800), line("Balcony", "", 1, 505, 455)],
        adjustments: vec![
            adjustment(AdjustmentKind::Discount, Some(0), -200, "Early bird"),
            adjustment(AdjustmentKind::Discount, Some(1), -51, "Early bird"),
            adjustment(AdjustmentKind::Discount, None, -99, "Group"),
            adjustment(AdjustmentKind::Fee, None, 100, "Booking fee"),
            adjustment(AdjustmentKind::Tax, None, 147, "VAT"),
        ],
        codes: Vec::new(),
        refused_codes: Vec::new(),
        claims: Vec::new(),
        calls: vec![failed],
        basket: None,
        created_by: "key:k".into(),
        created_at: Timestamp::default(),
        expires_at: Timestamp::default(),
    }
}

#[test]
fn single_line_and_discount_code_make_a_basket() {
    let request = pb::CalculatePriceRequest {
        pricing_category: "child".into(),
        discount_code: "EARLY".into(),
        codes: vec!["GROUP".into()],
        user_id: "ann".into(),
        ..single()
    };
    let read = basket(request.clone()).unwrap();
    assert_eq!((read.lines.len(), read.lines[0].quantity, read.lines[0].category.as_str()), (1, 2, "child"));
    assert!(read.by_zone);
    assert_eq!((read.codes.join(" "), read.buyer.as_str()), ("GROUP EARLY".to_owned(), "ann"));
    let same = pb::CalculatePriceRequest { buyer_id: "ann".into(), codes: vec!["EARLY".into()], ..request };
    let read = basket(same.clone()).unwrap();
    assert_eq!((read.codes.join(" "), read.buyer.as_str()), ("EARLY".to_owned(), "ann"));
    let differing = pb::CalculatePriceRequest { buyer_id: "ben".into(), ..same };
    assert_eq!(fields(&basket(differing).unwrap_err()), ["user_id"]);
}

#[test]
fn faults_of_the_single_line_have_its_names() {
    let refused = |request| fields(&basket(request).unwrap_err()).join(" ");
    assert_eq!(refused(pb::CalculatePriceRequest { zone_id: "z".into(), ..single() }), "zone_id");
    assert_eq!(refused(pb::CalculatePriceRequest { quantity: -1, ..single() }), "quantity");
    assert_eq!(refused(pb::CalculatePriceRequest::default()), "zone_id");
    let line = pb::RequestedLine { ticket_type_id: "z".into(), quantity: 1, ..Default::default() };
    let both = pb::CalculatePriceRequest { lines: vec![line.clone()], ..single() };
    assert_eq!(refused(both), "lines");
    let several = pb::CalculatePriceRequest {
        event_id: EventId::generate().to_string(),
        lines: vec![line],
        ..Default::default()
    };
    assert_eq!(refused(several), "lines[0].ticket_type_id");
}

#[test]
fn price_is_described_for_people() {
    let answer = price(&sample_quote("EUR"), false);
    let lines: Vec<_> = answer.pricing_details.lines().collect();
    let expected = [
        "2 × Stalls (child) at 10.00 EUR: 20.00 EUR",
        "1 × Balcony at 5.05 EUR: 5.05 EUR",
        "Early bird (discount, line 1): -2.00 EUR",
        "Early bird (discount, line 2): -0.51 EUR",
        "Group (discount): -0.99 EUR",
        "Booking fee (fee): 1.00 EUR",
        "VAT (tax, included): 1.47 EUR",
    ];
    assert_eq!(lines, expected);
    assert_eq!((answer.base_price, answer.final_price), (euros(2_505), euros(2_255)));
    assert_eq!((answer.discount_amount, answer.discount_reason.as_str()), (euros(350), "Early bird; Group"));
    assert_eq!(answer.passed_over, ["tiers@1.0.0"]);
    assert_eq!((answer.quote_id, answer.expires_at), (None, None));
}

#[test]
fn only_a_stored_quote_has_an_id() {
    let stored = sample_quote("EUR");
    let answer = price(&stored, true);
    assert_eq!(answer.quote_id, Some(stored.id.to_string()));
    assert!(answer.expires_at.is_some());
    assert_eq!(quote(&stored).id, stored.id.to_string());
}

#[test]
fn stored_quote_alone_has_attributes_and_settings() {
    let mut stored = sample_quote("EUR");
    stored.adjustments[0].adjustment.attributes = vec![Field::new("tier", "gold")];
    assert!(price(&stored, true).adjustments[0].attributes.is_empty());
    let encoded = quote(&stored);
    let tier = common::Value { kind: Some(common::value::Kind::Text("gold".into())) };
    assert_eq!(encoded.adjustments[0].attributes.get("tier"), Some(&tier));
    assert!(encoded.adjustments[1].attributes.is_empty());
    assert_eq!(encoded.calls[0].settings_json.as_deref(), Some("{}"));
}

#[test]
fn amounts_have_the_decimals_of_their_currency() {
    let texts = [("EUR", -5), ("JPY", 1_234), ("KWD", 1_005), ("CLF", -12_345)]
        .map(|(currency, amount)| amount_text(amount, currency));
    assert_eq!(texts, ["-0.05 EUR", "1234 JPY", "1.005 KWD", "-1.2345 CLF"]);
}

#[test]
fn rule_has_exactly_one_value() {
    let percent = create(percent_rule()).unwrap();
    assert_eq!(percent.value, RuleValue::Percent(Percent::parse("percent", "12.5").unwrap()));
    assert!(percent.enabled);
    let amount =
        pb::CreatePricingRuleRequest { percent: String::new(), amount: euros(150), ..percent_rule() };
    let money = Money { amount: 150, currency: "EUR".into() };
    assert_eq!(create(amount.clone()).unwrap().value, RuleValue::Amount(money.clone(), Per::Unit));
    let order = pb::CreatePricingRuleRequest { per: "order".into(), ..amount.clone() };
    assert_eq!(create(order).unwrap().value, RuleValue::Amount(money, Per::Order));
    let none = pb::CreatePricingRuleRequest { percent: String::new(), ..percent_rule() };
    let two = pb::CreatePricingRuleRequest { percent: "5".into(), ..amount.clone() };
    let steps = vec![pb::SoldStep { sold: "80".into(), percent: "ten".into() }];
    let all = pb::CreatePricingRuleRequest { steps: steps.clone(), ..two.clone() };
    let bad_step = pb::CreatePricingRuleRequest { steps, ..none.clone() };
    let bad_per = pb::CreatePricingRuleRequest { per: "row".into(), ..amount };
    let stray_per = pb::CreatePricingRuleRequest { per: "unit".into(), ..percent_rule() };
    for (request, field) in [
        (none, "percent"),
        (two, "amount"),
        (all, "amount"),
        (bad_step, "steps[0].percent"),
        (bad_per, "per"),
        (stray_per, "per"),
    ] {
        let error = create(request).unwrap_err();
        assert_eq!(fields(&error), [field], "{error}");
    }
}

#[test]
fn every_malformed_field_of_a_rule_is_reported() {
    let request = pb::CreatePricingRuleRequest {
        kind: "gift".into(),
        event_id: "e".into(),
        ticket_type_ids: vec!["t".into()],
        min_quantity: Some(-1),
        weekdays: vec!["monday".into(), "funday".into()],
        from_time: "18:30".into(),
        clock: "moon".into(),
        ..percent_rule()
    };
    let expected =
        ["kind", "event_id", "ticket_type_ids[0]", "min_quantity", "weekdays[1]", "until_time", "clock"];
    assert_eq!(fields(&create(request).unwrap_err()), expected);
}

#[test]
fn rule_round_trips() {
    let attributes = create(pb::CreatePricingRuleRequest {
        weekdays: vec!["sunday".into(), "friday".into()],
        from_time: "18:30".into(),
        until_time: "24:00".into(),
        clock: "sale".into(),
        enabled: Some(false),
        order: -3,
        ..percent_rule()
    });
    let (id, at) = (RuleId::generate(), Timestamp::default());
    let attributes = attributes.unwrap();
    let encoded = rule(PricingRule { id, attributes, created_at: at, updated_at: at, version: 1 });
    assert_eq!((encoded.percent.as_deref(), encoded.amount, encoded.per), (Some("12.5"), None, None));
    assert_eq!(encoded.weekdays, ["friday", "sunday"]);
    assert_eq!((encoded.from_time.as_deref(), encoded.until_time.as_deref()), (Some("18:30"), Some("24:00")));
    assert_eq!((encoded.clock.as_str(), encoded.order, encoded.enabled), ("sale", -3, false));
}

#[test]
fn masked_weekdays_leave_times_and_clock() {
    let request = pb::UpdatePricingRuleRequest { weekdays: vec!["monday".into()], ..update(&["weekdays"]) };
    let read = change(request).unwrap();
    assert_eq!((read.weekdays, read.minutes, read.clock), (Some([0].into()), None, None));
    assert!(read.value.is_none() && read.kind.is_none());
}

#[test]
fn times_of_the_day_change_together() {
    let request = pb::UpdatePricingRuleRequest { from_time: "18:30".into(), ..update(&["from_time"]) };
    assert_eq!(fields(&change(request).unwrap_err()), ["until_time"]);
    let cleared = change(update(&["from_time", "until_time"])).unwrap();
    assert_eq!((cleared.minutes, cleared.weekdays), (Some(None), None));
}

#[test]
fn masked_part_of_the_value_requires_all_of_it() {
    let percent = pb::UpdatePricingRuleRequest { percent: "5".into(), ..update(&["percent"]) };
    assert!(matches!(change(percent).unwrap().value, Some(RuleValue::Percent(_))));
    let other = pb::UpdatePricingRuleRequest { amount: euros(5), ..update(&["amount", "per", "percent"]) };
    assert!(matches!(change(other).unwrap().value, Some(RuleValue::Amount(_, Per::Unit))));
    let half = pb::UpdatePricingRuleRequest { amount: euros(5), ..update(&["amount"]) };
    assert_eq!(fields(&change(half).unwrap_err()), ["per"]);
    let per = pb::UpdatePricingRuleRequest { per: "order".into(), ..update(&["per"]) };
    assert_eq!(fields(&change(per).unwrap_err()), ["percent"]);
    assert_eq!(fields(&change(update(&["kind"])).unwrap_err()), ["kind"]);
    assert_eq!(fields(&change(update(&["times"])).unwrap_err()), ["update_mask"]);
}

#[test]
fn enabled_is_true_where_it_is_absent() {
    assert_eq!(change(update(&["enabled"])).unwrap().enabled, Some(true));
    assert_eq!(change(update(&["order"])).unwrap().enabled, None);
}
