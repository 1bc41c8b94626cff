//! Pricing rules: their conditions, their arithmetic, and their operations.

use reqwest::Method;
use serde_json::{Value, json};
use tessera_proto::common::v1::Money;
use tessera_proto::ticket::v1::pricing_service_client::PricingServiceClient;
use tessera_proto::ticket::v1::{
    CalculatePriceRequest, CreatePricingRuleRequest, GetPricingRulesRequest, RequestedLine, SoldStep,
};
use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime};

use super::{
    amount, basket, event, expected, facts, keep, other_tenant, percent, price, rule, show, steps,
    ticket_type, total, with,
};
use crate::harness::{Kind, Rest};
use crate::reservations::{create, id, reserve};
use crate::tracker::{done, faults, memory, on, on_every_store, until};

on_every_store! {
    rules_are_created_changed_and_deleted
    fees_and_taxes_apply_last_and_sum_exactly
}

/// Returns a time from now on as text.
pub(super) fn from_now(duration: Duration) -> String {
    let at = OffsetDateTime::now_utc().replace_nanosecond(0).unwrap() + duration;
    at.format(&Rfc3339).unwrap()
}

/// Returns the price of a number of units of one ticket type.
async fn price_of(rest: &Rest, (event, ticket_type): &(String, String), units: u32) -> i64 {
    total(&price(rest, basket(event, &[(ticket_type, units)])).await)
}

#[tokio::test(flavor = "multi_thread")]
async fn base_price_needs_no_key() {
    let (_home, _host, rest) = memory().await;
    let (event, seat) = show(&rest, 1_250).await;
    let stranger = rest.with_key(None);
    let answer = price(&stranger, basket(&event, &[(&seat, 2)])).await;
    assert_eq!(answer["base_price"], json!({"amount": 2500, "currency": "EUR"}));
    assert_eq!(answer["final_price"], answer["base_price"]);
    assert_eq!((&answer["currency"], &answer["adjustments"]), (&json!("EUR"), &json!([])));
    assert_eq!((&answer["quote_id"], &answer["expires_at"]), (&Value::Null, &Value::Null));
    assert_eq!(answer["lines"][0]["unit_price"], json!({"amount": 1250, "currency": "EUR"}));
    // The fields of a single line say the same.
    let single = json!({"event_id": event, "zone_id": seat, "quantity": 2});
    assert_eq!(price(&stranger, single).await, answer);
    let unknown = stranger.post("/v1/prices:calculate", basket(&event, &[(&event, 1)])).await;
    assert_eq!(unknown.code(404), "TICKET_TYPE_NOT_FOUND");
    let unknown = stranger.post("/v1/prices:calculate", basket(&seat, &[(&seat, 1)])).await;
    assert_eq!(unknown.code(404), "EVENT_NOT_FOUND");
    let none = stranger.post("/v1/prices:calculate", basket(&event, &[(&seat, 0)])).await;
    assert_eq!(faults(&none), ["lines[0].quantity"]);
    // What is not public yet has a price for callers with a key alone.
    done(&rest.patch(&format!("/v1/events/{event}"), json!({"status": "draft"})).await);
    let hidden = stranger.post("/v1/prices:calculate", basket(&event, &[(&seat, 1)])).await;
    assert_eq!(hidden.code(404), "EVENT_NOT_FOUND");
    assert_eq!(price_of(&rest, &(event, seat), 1).await, 1_250);
}

#[tokio::test(flavor = "multi_thread")]
async fn zone_stands_for_the_ticket_type_that_is_sold_from_it() {
    let (_home, _host, rest) = memory().await;
    let event = event(&rest, json!({})).await;
    let pool = json!({"name": "Balcony", "capacity": 20});
    let zone = create(&rest, &format!("/v1/events/{event}/pools"), pool, "pool").await;
    let of_zone = json!({"name": "Seat", "price": {"amount": 1_250, "currency": "EUR"}, "pools": [zone]});
    let path = format!("/v1/events/{event}/tickets");
    let seat = create(&rest, &path, of_zone.clone(), "ticket_type").await;
    let stranger = rest.with_key(None);
    let bought = json!({"event_id": event, "zone_id": zone, "quantity": 2});
    let priced = price(&stranger, bought.clone()).await;
    assert_eq!((total(&priced), &priced["lines"][0]["ticket_type_id"]), (2_500, &json!(seat)));
    let other = create(&rest, &path, with(of_zone, json!({"name": "Box"})), "ticket_type").await;
    let refused = stranger.post("/v1/prices:calculate", bought).await;
    let detail = refused.expect(422)["detail"].as_str().unwrap();
    assert!(detail.contains(&seat) && detail.contains(&other), "{detail}");
}

/// Only callers with a key are told which rule cannot be applied.
#[tokio::test(flavor = "multi_thread")]
async fn rule_that_cannot_be_applied_refuses_the_price() {
    let (_home, _host, rest) = memory().await;
    let (event, seat) = show(&rest, 1_000_000_000_000).await;
    // Each makes the price eleven times as high.
    for (order, name) in ["First", "Second", "Excessive"].into_iter().enumerate() {
        rule(&rest, percent("surcharge", "1000", json!({"name": name, "order": order}))).await;
    }
    let bought = basket(&event, &[(&seat, 1)]);
    for (caller, is_named) in [(&rest, true), (&rest.with_key(None), false)] {
        let of_basket = caller.post("/v1/prices:calculate", bought.clone()).await;
        let displayed = caller.get(&format!("/v1/events/{event}/dynamic-pricing")).await;
        for refused in [of_basket, displayed] {
            assert_eq!(refused.code(409), "PRICING_RULE_FAILED");
            assert_eq!(refused.body.to_string().contains("Excessive"), is_named, "{:#}", refused.body);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn early_birds_and_last_minutes_depend_on_the_start() {
    let (_home, _host, rest) = memory().await;
    let far = show(&rest, 1_250).await;
    let [start, end] = [30, 33].map(|hours| from_now(Duration::hours(hours)));
    let soon = event(&rest, json!({"start_date": start, "end_date": end})).await;
    let soon = (soon.clone(), ticket_type(&rest, &soon, (1_250, "EUR")).await);
    rule(&rest, percent("discount", "20", json!({"min_minutes_to_start": 43_200}))).await;
    rule(&rest, percent("surcharge", "10", json!({"max_minutes_to_start": 2_880}))).await;
    assert_eq!(price_of(&rest, &far, 2).await, 2_000);
    assert_eq!(price_of(&rest, &soon, 2).await, 2_750);
    // The time of sale: one rule is over, one has not begun, one applies.
    let (yesterday, tomorrow) = (from_now(Duration::days(-1)), from_now(Duration::days(1)));
    rule(&rest, percent("discount", "50", json!({"valid_until": yesterday}))).await;
    rule(&rest, percent("discount", "50", json!({"valid_from": tomorrow}))).await;
    assert_eq!(price_of(&rest, &soon, 2).await, 2_750);
    let now = json!({"valid_from": yesterday, "valid_until": tomorrow, "order": 1});
    rule(&rest, percent("discount", "50", now)).await;
    assert_eq!(price_of(&rest, &soon, 2).await, 1_375);
}

#[tokio::test(flavor = "multi_thread")]
async fn last_step_that_the_share_sold_reaches_applies() {
    let (_home, _host, rest) = memory().await;
    let show = crate::reservations::show(&rest, 10, json!({})).await;
    let steps = json!([{"sold": "50", "percent": "10"}, {"sold": "80", "percent": "25"}]);
    rule(&rest, json!({"name": "Demand", "kind": "surcharge", "steps": steps})).await;
    // 10 % of 1,250 are 125; 25 % are 312.5, which is rounded to even.
    for (units, expected) in [(4, 1_250), (1, 1_375), (3, 1_562)] {
        id(&reserve(&rest, &show, "ann", units).await);
        assert_eq!(price_of(&rest, &show, 1).await, expected, "after {units} more");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn quantities_and_categories_are_conditions() {
    let (_home, _host, rest) = memory().await;
    let event = event(&rest, json!({})).await;
    let body = json!({
        "name": "Seat", "price": {"amount": 1_000, "currency": "EUR"}, "category_prices": {"child": 600},
    });
    let seat = create(&rest, &format!("/v1/events/{event}/tickets"), body, "ticket_type").await;
    rule(&rest, percent("discount", "50", json!({"categories": ["senior"]}))).await;
    rule(&rest, percent("discount", "10", json!({"min_quantity": 4, "max_quantity": 6, "order": 1}))).await;
    let line = |category: &str, quantity: u32| json!({"ticket_type_id": seat, "quantity": quantity, "pricing_category": category});
    let family = json!({"event_id": event, "lines": [line("child", 2), line("senior", 1), line("", 1)]});
    let family = price(&rest, family).await;
    assert_eq!(family["base_price"]["amount"], 3_200);
    let discounts = [(1, -500), (0, -120), (1, -50), (2, -100)];
    assert_eq!(steps(&family), expected(discounts.map(|(line, amount)| ("discount", Some(line), amount))));
    assert_eq!(total(&family), 2_430);
    assert_eq!(family["discount_amount"], json!({"amount": 770, "currency": "EUR"}));
    assert_eq!(family["lines"][0]["pricing_category"], "child");
    // Three units are too few and seven too many.
    for (units, expected) in [(3, 3_000), (6, 5_400), (7, 7_000)] {
        assert_eq!(price_of(&rest, &(event.clone(), seat.clone()), units).await, expected);
    }
    let pirate = json!({"event_id": event, "lines": [line("", 1), line("pirate", 1)]});
    // Rules, and so their categories, are not public.
    for (caller, expected) in
        [(&rest, "one of child, senior is expected"), (&rest.with_key(None), "one of child is expected")]
    {
        let refused = caller.post("/v1/prices:calculate", pirate.clone()).await;
        assert_eq!(faults(&refused), ["lines[1].pricing_category"]);
        let message = refused.body["violations"][0]["message"].as_str().unwrap();
        assert!(message.contains(expected), "{message}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn weekdays_and_hours_are_those_of_the_venue() {
    let (_home, _host, rest) = memory().await;
    let venue = json!({
        "name": "Met", "address": "30 Lincoln Center Plaza", "city": "New York", "country": "United States",
        "time_zone": "America/New_York",
    });
    let venue = create(&rest, "/v1/venues", venue, "venue").await;
    // Saturday 00:30 in UTC is Friday 19:30 in New York.
    let night = json!({"start_date": "2126-03-02T00:30:00Z", "end_date": "2126-03-02T03:00:00Z"});
    let utc = event(&rest, night.clone()).await;
    let local = event(&rest, with(night, json!({"venue_id": venue}))).await;
    let utc = (utc.clone(), ticket_type(&rest, &utc, (1_000, "EUR")).await);
    let local = (local.clone(), ticket_type(&rest, &local, (1_000, "EUR")).await);
    let friday = json!({"weekdays": ["friday"], "from_time": "18:00", "until_time": "20:00"});
    rule(&rest, percent("surcharge", "20", friday)).await;
    assert_eq!(price_of(&rest, &local, 1).await, 1_200);
    assert_eq!(price_of(&rest, &utc, 1).await, 1_000);
    // Past midnight.
    rule(&rest, percent("discount", "10", json!({"from_time": "23:00", "until_time": "01:00"}))).await;
    assert_eq!(price_of(&rest, &local, 1).await, 1_200);
    assert_eq!(price_of(&rest, &utc, 1).await, 900);
    // The time of sale, in the zone of the event.
    let days = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
    let today = usize::from(OffsetDateTime::now_utc().weekday().number_days_from_monday());
    let day = |after: usize| days[(today + after) % 7];
    // Tomorrow as well, in case that the day ends meanwhile.
    let now = json!({"weekdays": [day(0), day(1)], "clock": "sale", "order": 1});
    rule(&rest, percent("surcharge", "100", now)).await;
    let later = json!({"weekdays": [day(3)], "clock": "sale", "order": 2});
    rule(&rest, percent("surcharge", "700", later)).await;
    assert_eq!(price_of(&rest, &utc, 1).await, 1_800);
}

async fn fees_and_taxes_apply_last_and_sum_exactly(kind: Kind) {
    let (_home, _host, rest) = on(kind).await;
    let event = event(&rest, json!({})).await;
    let stalls = ticket_type(&rest, &event, (1_250, "EUR")).await;
    let circle = ticket_type(&rest, &event, (999, "EUR")).await;
    // Taxes are last and fees before them, in whatever order they were created.
    rule(&rest, percent("tax", "8.875", json!({}))).await;
    rule(&rest, percent("tax", "19", json!({"included": true, "order": 1}))).await;
    rule(&rest, with(amount("fee", 200, "order"), json!({"order": 2}))).await;
    rule(&rest, with(amount("fee", 50, "unit"), json!({"order": 1}))).await;
    rule(&rest, percent("fee", "5", json!({}))).await;
    let answer = price(&rest, basket(&event, &[(&stalls, 2), (&circle, 1)])).await;
    let steps_by_hand = [
        // 5 % of 2,500 and of 999, which are 49.95.
        ("fee", Some(0), 125),
        ("fee", Some(1), 50),
        ("fee", Some(0), 100),
        ("fee", Some(1), 50),
        // Spread over 2,725 and 1,099: 142.52 and 57.48, so that the first gets what is left over.
        ("fee", None, 200),
        // 8.875 % of 2,868 are 254.535, of 1,156 they are 102.595.
        ("tax", Some(0), 255),
        ("tax", Some(1), 103),
        // 3,123 at 119 % contain 498.63, and 1,259 contain 201.02.
        ("tax", Some(0), 499),
        ("tax", Some(1), 201),
    ];
    assert_eq!(steps(&answer), expected(steps_by_hand));
    let included: Vec<_> =
        answer["adjustments"].as_array().unwrap().iter().map(|step| step["included"] == true).collect();
    assert_eq!(included, [false, false, false, false, false, false, false, true, true]);
    let totals = [0, 1].map(|line| answer["lines"][line]["total"]["amount"].as_i64().unwrap());
    assert_eq!(totals, [3_123, 1_259]);
    assert_eq!((answer["base_price"]["amount"].as_i64(), total(&answer)), (Some(3_499), 4_382));
    assert_eq!(answer["discount_amount"]["amount"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn minor_units_are_rounded_in_every_currency() {
    let (_home, _host, rest) = memory().await;
    rule(&rest, percent("discount", "12.5", json!({}))).await;
    // An amount is only for prices in its currency.
    rule(&rest, amount("fee", 10, "order")).await;
    // 12.5 % of 100 yen are 12.5, of 300 cents 37.5, of 12,345 fils 1,543.125.
    for (currency, base, discount, fee) in
        [("JPY", 100, 12, 0), ("EUR", 300, 38, 10), ("KWD", 12_345, 1_543, 0)]
    {
        let event = event(&rest, json!({})).await;
        let seat = ticket_type(&rest, &event, (base, currency)).await;
        let answer = price(&rest, basket(&event, &[(&seat, 1)])).await;
        assert_eq!(answer["final_price"], json!({"amount": base - discount + fee, "currency": currency}));
        assert_eq!(answer["discount_amount"], json!({"amount": discount, "currency": currency}));
    }
    // A discount reduces a price to zero at most.
    rule(&rest, with(amount("discount", 500, "unit"), json!({"order": -1}))).await;
    assert_eq!(price_of(&rest, &show(&rest, 300).await, 2).await, 10);
}

async fn rules_are_created_changed_and_deleted(kind: Kind) {
    let (_home, _host, rest) = on(kind).await;
    let (own, other) = (show(&rest, 1_000).await, show(&rest, 1_000).await);
    let body = percent("discount", "10", json!({"event_id": own.0, "ticket_type_ids": [own.1]}));
    let created = rest.post("/v1/pricing-rules", body).await;
    let created_rule = created.expect(201)["rule"].clone();
    let path = format!("/v1/pricing-rules/{}", created_rule["id"].as_str().unwrap());
    assert_eq!(created.headers["location"], path);
    assert_eq!((&created_rule["etag"], &created_rule["enabled"]), (&json!("1"), &json!(true)));
    assert_eq!((&created_rule["percent"], &created_rule["clock"]), (&json!("10"), &json!("start")));
    assert_eq!((&created_rule["amount"], &created_rule["per"]), (&Value::Null, &Value::Null));
    assert_eq!(rest.get(&path).await.expect(200)["rule"], created_rule);
    assert_eq!((price_of(&rest, &own, 1).await, price_of(&rest, &other, 1).await), (900, 1_000));

    let change = |tag: &str, body: Value| {
        rest.send(rest.request(Method::PATCH, &path).header("if-match", tag).json(&body))
    };
    let changed = change("\"1\"", json!({"percent": "25", "name": "Opening"})).await;
    let changed_rule = &done(&changed)["rule"];
    assert_eq!((&changed_rule["etag"], &changed_rule["percent"]), (&json!("2"), &json!("25")));
    assert_eq!(change("\"1\"", json!({"percent": "30"})).await.code(412), "VERSION_MISMATCH");
    assert_eq!(price_of(&rest, &own, 1).await, 750);
    // A rule for the event applies beside one for all, in their order.
    let all = rule(&rest, with(amount("fee", 100, "order"), json!({"order": -5}))).await;
    let of_event = async |event: &str| {
        let rules = rest.get(&format!("/v1/events/{event}/pricing-rules")).await;
        let rules = done(&rules)["rules"].as_array().unwrap().clone();
        rules.into_iter().map(|rule| rule["id"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(of_event(&own.0).await, [created_rule["id"].clone(), json!(all)]);
    assert_eq!(of_event(&other.0).await, [json!(all)]);
    let fees = rest.get("/v1/pricing-rules?filter=kind:fee").await;
    assert_eq!(done(&fees)["rules"].as_array().unwrap().len(), 1);
    let listed = rest.get("/v1/pricing-rules?order_by=created&page_size=1").await;
    assert_eq!(done(&listed)["rules"][0]["id"], created_rule["id"]);
    assert_ne!(listed.body["next_page_token"], "");
    done(&change("\"2\"", json!({"enabled": false})).await);
    assert_eq!(of_event(&own.0).await, [json!(all)]);
    assert_eq!(price_of(&rest, &own, 1).await, 1_100);

    let theirs = other_tenant(&rest).await;
    assert_eq!(theirs.get(&path).await.code(404), "PRICING_RULE_NOT_FOUND");
    assert_eq!(theirs.delete(&path).await.code(404), "PRICING_RULE_NOT_FOUND");
    let foreign = theirs.post("/v1/pricing-rules", percent("fee", "1", json!({"event_id": own.0}))).await;
    assert_eq!(faults(&foreign), ["event_id"]);
    let viewer = rest.with_key(Some(&rest.new_key(&["viewer"], None).await));
    done(&viewer.get(&path).await);
    assert_eq!(viewer.patch(&path, json!({"name": "Mine"})).await.code(403), "PERMISSION_DENIED");

    let stale = rest.request(Method::DELETE, &path).header("if-match", "\"2\"");
    assert_eq!(rest.send(stale).await.code(412), "VERSION_MISMATCH");
    done(&rest.delete(&path).await);
    assert_eq!(rest.get(&path).await.code(404), "PRICING_RULE_NOT_FOUND");
    for (fact_type, count) in [("created", 2), ("updated", 2), ("deleted", 1)] {
        let path = format!("/v1/audit?filter=type:pricing_rule.{fact_type}");
        until(&rest, &path, |answer| answer.expect(200)["facts"].as_array().unwrap().len() == count).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn invalid_rule_names_its_field() {
    let (_home, _host, rest) = memory().await;
    let (_, seat) = show(&rest, 1_000).await;
    let (other, _) = show(&rest, 1_000).await;
    let step = |sold: &str| json!({"sold": sold, "percent": "5"});
    for (body, field) in [
        (percent("discount", "100.0001", json!({})), "percent"),
        (percent("fee", "1.00001", json!({})), "percent"),
        (percent("surcharge", "5", json!({"included": true})), "included"),
        (percent("gift", "5", json!({})), "kind"),
        (percent("fee", "5", json!({"name": ""})), "name"),
        (percent("fee", "5", json!({"min_quantity": 3, "max_quantity": 2})), "max_quantity"),
        (percent("fee", "5", json!({"min_quantity": 0})), "min_quantity"),
        (percent("fee", "5", json!({"max_minutes_to_start": -1})), "max_minutes_to_start"),
        (percent("fee", "5", json!({"event_id": other, "ticket_type_ids": [seat]})), "ticket_type_ids"),
        (json!({"name": "s", "kind": "fee", "steps": [step("50"), step("50")]}), "steps"),
        (json!({"name": "s", "kind": "fee", "steps": [step("100.5")]}), "steps[0].sold"),
        (amount("fee", -1, "order"), "amount"),
        (with(amount("fee", 1, "order"), json!({"per": "week"})), "per"),
    ] {
        let answer = rest.post("/v1/pricing-rules", body.clone()).await;
        let fields = faults(&answer);
        assert!(fields.iter().any(|name| name.starts_with(field)), "{field}: {fields:?}");
    }
    // Exactly one value.
    rest.post("/v1/pricing-rules", json!({"name": "n", "kind": "fee"})).await.expect(422);
    let both = with(amount("fee", 1, "order"), json!({"percent": "5"}));
    rest.post("/v1/pricing-rules", both).await.expect(422);
    let none = rest.get("/v1/pricing-rules").await;
    assert_eq!(done(&none)["rules"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn rule_of_a_deleted_ticket_type_can_be_disabled() {
    let (_home, _host, rest) = memory().await;
    let (event, seat) = show(&rest, 1_000).await;
    let body = percent("fee", "5", json!({"event_id": event, "ticket_type_ids": [seat]}));
    let path = format!("/v1/pricing-rules/{}", rule(&rest, body).await);
    done(&rest.delete(&format!("/v1/events/{event}/tickets/{seat}")).await);
    let disabled = rest.patch(&path, json!({"enabled": false})).await;
    assert_eq!(done(&disabled)["rule"]["enabled"], false);
    // What an update changes must exist.
    let other = ticket_type(&rest, &event, (1_000, "EUR")).await;
    let both = rest.patch(&path, json!({"ticket_type_ids": [seat, other]})).await;
    assert_eq!(faults(&both), ["ticket_type_ids"]);
    done(&rest.patch(&path, json!({"ticket_type_ids": [other]})).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn dry_run_prices_a_rule_and_stores_nothing() {
    let (_home, _host, rest) = memory().await;
    let show = show(&rest, 1_000).await;
    rule(&rest, percent("discount", "10", json!({"order": 1}))).await;
    let bought = basket(&show.0, &[(&show.1, 1)]);
    let body = json!({"rule": percent("surcharge", "50", json!({})), "basket": bought});
    let answer = rest.post("/v1/pricing-rules:test", body.clone()).await;
    let with_rule = &done(&answer)["price"];
    assert_eq!(steps(with_rule), expected([("surcharge", Some(0), 500), ("discount", Some(0), -150)]));
    assert_eq!((total(with_rule), &with_rule["quote_id"]), (1_350, &Value::Null));
    assert_eq!(price_of(&rest, &show, 1).await, 900);
    let listed = rest.get("/v1/pricing-rules").await;
    assert_eq!(done(&listed)["rules"].as_array().unwrap().len(), 1);
    let kept = with(bought.clone(), json!({"keep": true}));
    let kept = json!({"rule": percent("fee", "5", json!({})), "basket": kept});
    rest.post("/v1/pricing-rules:test", kept).await.expect(422);
    let wrong = json!({"rule": percent("discount", "101", json!({})), "basket": bought});
    rest.post("/v1/pricing-rules:test", wrong).await.expect(422);
    assert_eq!(facts(&rest, "quote.created").await, 0);
    let viewer = rest.with_key(Some(&rest.new_key(&["viewer"], None).await));
    assert_eq!(viewer.post("/v1/pricing-rules:test", body).await.code(403), "PERMISSION_DENIED");
}

#[tokio::test(flavor = "multi_thread")]
async fn changed_rule_applies_to_new_quotes_alone() {
    let (_home, _host, rest) = memory().await;
    let show = show(&rest, 1_000).await;
    let id = rule(&rest, amount("fee", 100, "order")).await;
    let (before, quote) = keep(&rest, basket(&show.0, &[(&show.1, 1)])).await;
    assert_eq!(before["adjustments"][0]["source"], format!("rule:{id}@1"));
    let amount = json!({"amount": {"amount": 200, "currency": "EUR"}, "per": "order"});
    done(&rest.patch(&format!("/v1/pricing-rules/{id}"), amount).await);
    let after = price(&rest, basket(&show.0, &[(&show.1, 1)])).await;
    assert_eq!((total(&after), &after["adjustments"][0]["source"]), (1_200, &json!(format!("rule:{id}@2"))));
    done(&rest.delete(&format!("/v1/pricing-rules/{id}")).await);
    assert_eq!(price_of(&rest, &show, 1).await, 1_000);
    let stored = rest.get(&format!("/v1/quotes/{quote}")).await;
    assert_eq!(done(&stored)["quote"]["final_price"], json!({"amount": 1100, "currency": "EUR"}));
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_and_prices_are_equal_over_grpc() {
    let (_home, host, rest) = memory().await;
    let (event, seat) = show(&rest, 1_250).await;
    let client = host.grpc().await;
    let mut grpc = PricingServiceClient::with_interceptor(client.channel.clone(), client.clone());
    let new = CreatePricingRuleRequest {
        name: "Demand".into(),
        kind: "surcharge".into(),
        steps: vec![SoldStep { sold: "0".into(), percent: "12.5".into() }],
        ..CreatePricingRuleRequest::default()
    };
    let made = grpc.create_pricing_rule(new.clone()).await.unwrap().into_inner().rule.unwrap();
    assert_eq!((made.steps.clone(), made.enabled, made.etag.as_str()), (new.steps.clone(), true, "1"));
    let request = CalculatePriceRequest {
        event_id: event.clone(),
        lines: vec![RequestedLine { ticket_type_id: seat.clone(), quantity: 3, ..RequestedLine::default() }],
        ..CalculatePriceRequest::default()
    };
    let priced = grpc.calculate_price(request).await.unwrap().into_inner();
    // 12.5 % of 3,750 are 468.75.
    assert_eq!(priced.final_price, Some(Money { amount: 4_219, currency: "EUR".into() }));
    assert_eq!((priced.adjustments[0].line, priced.quote_id), (Some(0), None));
    let over_rest = price(&rest, basket(&event, &[(&seat, 3)])).await;
    assert_eq!((total(&over_rest), &over_rest["pricing_details"]), (4_219, &json!(priced.pricing_details)));
    let rules = grpc.get_pricing_rules(GetPricingRulesRequest { event_id: event }).await.unwrap();
    assert_eq!(rules.into_inner().rules, [made]);
    let wrong = CreatePricingRuleRequest { percent: "5".into(), ..new };
    assert_eq!(grpc.create_pricing_rule(wrong).await.unwrap_err().code(), tonic::Code::InvalidArgument);
}
