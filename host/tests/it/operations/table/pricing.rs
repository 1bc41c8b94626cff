//! Prices, quotes and pricing rules.

use reqwest::Method;
use serde_json::{Value, json};

use super::calls::{call, joined, patch};
use super::{Caller, Further, Row, delete, get, post, row};

const RULES: &str = "/v1/pricing-rules";
const RULE: &str = "/v1/pricing-rules/{rule_id}";

pub(super) fn rows() -> Vec<Row> {
    [prices(), displayed_prices(), rules()].concat()
}

fn basket(quantity: i32) -> Value {
    json!({
        "event_id": "{event_id}", "zone_id": "{ticket_type_id}", "quantity": quantity, "user_id": "ann",
        "channel": "web",
    })
}

fn prices() -> Vec<Row> {
    let calculate = "ticket.v1.PricingService/CalculatePrice";
    let kept = |quantity| joined(&basket(quantity), &json!({"keep": true}));
    vec![
        post("price.calculate", "/v1/prices:calculate", basket(2), calculate, basket(2))
            .bad(basket(-1), basket(-1)),
        post("quote.create", "/v1/quotes", basket(2), calculate, kept(2)).bad(basket(0), kept(0)),
        get(
            "quote.get",
            "/v1/quotes/{quote_id}",
            "ticket.v1.PricingService/GetQuote",
            json!({"quote_id": "{quote_id}"}),
        ),
    ]
}

fn displayed_prices() -> Vec<Row> {
    let rpc = "ticket.v1.PricingService/GetDynamicPricing";
    vec![
        get("price.display", "/v1/events/{event_id}/dynamic-pricing", rpc, json!({"event_id": "{event_id}"})),
        get(
            "price.forecast",
            "/v1/events/{event_id}/tickets/{ticket_type_id}/dynamic-pricing",
            rpc,
            json!({"event_id": "{other_event_id}", "ticket_type_id": "{seated_id}"}),
        )
        .at("/v1/events/{other_event_id}/tickets/{seated_id}/dynamic-pricing"),
    ]
}

fn rules() -> Vec<Row> {
    let id = json!({"rule_id": "{rule_id}"});
    let new = |percent: &str| {
        json!({
            "name": "Evening", "kind": "surcharge", "percent": percent, "event_id": "{other_event_id}",
            "weekdays": ["friday", "saturday"], "from_time": "18:30", "until_time": "02:00", "order": 2,
        })
    };
    let test = |percent: &str| json!({"rule": new(percent), "basket": basket(2)});
    let update = "ticket.v1.PricingService/UpdatePricingRule";
    vec![
        post(
            "pricing_rule.create",
            RULES,
            new("12.5"),
            "ticket.v1.PricingService/CreatePricingRule",
            new("12.5"),
        )
        .bad(new("-1"), new("-1")),
        get("pricing_rule.get", RULE, "ticket.v1.PricingService/GetPricingRule", id.clone()),
        get(
            "pricing_rule.list",
            RULES,
            "ticket.v1.PricingService/ListPricingRules",
            json!({"filter": "event:{other_event_id}"}),
        )
        .query("filter=event:{other_event_id}")
        .list_of("event:{priced_event_id}"),
        row("pricing_rule.replace", Method::PUT, RULE, new("7"), update, joined(&new("7"), &id)),
        row(
            "pricing_rule.update",
            Method::PATCH,
            RULE,
            json!({"percent": "20", "enabled": true}),
            update,
            json!({"rule_id": "{rule_id}", "percent": "20", "enabled": true, "update_mask": "percent,enabled"}),
        ),
        delete("pricing_rule.delete", RULE, "ticket.v1.PricingService/DeletePricingRule", id),
        post(
            "pricing_rule.test",
            "/v1/pricing-rules:test",
            test("12.5"),
            "ticket.v1.PricingService/TestPricingRule",
            test("12.5"),
        )
        .bad(test("many"), test("many")),
        get(
            "pricing_rule.of_event",
            "/v1/events/{event_id}/pricing-rules",
            "ticket.v1.PricingService/GetPricingRules",
            json!({"event_id": "{event_id}"}),
        ),
    ]
}

/// More calls, also of other operations that have to do with prices.
pub(super) fn further(id: &str) -> Vec<Further> {
    [quotes(id), curves(id), pricing_rules(id), sales(id), installations(id)].concat()
}

/// A basket with a category, a refused code, and a plugin that fails.
fn several_lines() -> Value {
    json!({
        "event_id": "{priced_event_id}", "buyer_id": "{slug}", "channel": "web", "codes": ["FRIENDS", "UNKNOWN"],
        "lines": [
            {"ticket_type_id": "{priced_type_id}", "quantity": 2, "pricing_category": "child"},
            {"ticket_type_id": "{second_type_id}", "quantity": 1},
        ],
    })
}

fn quotes(id: &str) -> Vec<Further> {
    let none = json!({});
    let with = |more: Value| joined(&basket(1), &more);
    match id {
        "price.calculate" => vec![
            call("several lines", &none, several_lines()),
            call("kept", &none, with(json!({"keep": true}))),
            call("kept without a key", &none, with(json!({"keep": true}))).by(Caller::Public),
            call("ticket type of another event", &none, with(json!({"zone_id": "{seated_id}"}))),
            call("unknown category", &none, with(json!({"pricing_category": "child"}))),
            call("two buyers", &none, with(json!({"buyer_id": "ben"}))),
            call("single line and lines", &none, joined(&several_lines(), &json!({"quantity": 1}))),
        ],
        "quote.get" => vec![
            call("plugins", &json!({"quote_id": "{priced_quote_id}"}), json!({}))
                .at("/v1/quotes/{priced_quote_id}"),
        ],
        _ => Vec::new(),
    }
}

fn curves(id: &str) -> Vec<Further> {
    let event = json!({"event_id": "{event_id}"});
    let of = |ticket_type: &str| json!({"ticket_type_id": ticket_type});
    match id {
        "price.display" => vec![
            call("rules and plugins", &json!({"event_id": "{priced_event_id}"}), json!({}))
                .at("/v1/events/{priced_event_id}/dynamic-pricing"),
            call("ticket type", &event, of("{ticket_type_id}")),
            call("ticket type of another event", &event, of("{seated_id}")),
            call("ticket type without a key", &event, of("{ticket_type_id}")).by(Caller::Public),
        ],
        _ => Vec::new(),
    }
}

fn pricing_rules(id: &str) -> Vec<Further> {
    let none = json!({});
    let rule = json!({"rule_id": "{rule_id}"});
    let new = |more: Value| joined(&json!({"name": "New", "kind": "fee", "event_id": "{event_id}"}), &more);
    let amount = json!({"amount": {"amount": 250, "currency": "EUR"}, "per": "order"});
    match id {
        "pricing_rule.create" => vec![
            call(
                "every field",
                &none,
                new(json!({
                    "percent": "19", "included": true, "ticket_type_ids": ["{ticket_type_id}"],
                    "categories": ["child"], "valid_from": "2026-02-03T04:05:06.000007Z",
                    "valid_until": "2126-03-04T05:06:07Z", "min_minutes_to_start": 60,
                    "max_minutes_to_start": 100_000, "min_quantity": 2, "max_quantity": 9,
                    "weekdays": ["monday"], "from_time": "08:00", "until_time": "24:00", "clock": "sale",
                    "order": -7, "enabled": false,
                })),
            ),
            call("amount", &none, new(amount.clone())),
            call(
                "steps",
                &none,
                new(json!({"steps": [{"sold": "50", "percent": "5"}, {"sold": "90.5", "percent": "12.25"}]})),
            ),
            call("no value", &none, new(json!({}))),
            call("two values", &none, joined(&new(amount), &json!({"percent": "5"}))),
            call("unknown event", &none, new(json!({"percent": "5", "event_id": "{absent}"}))),
        ],
        "pricing_rule.update" => vec![
            patch("weekdays", &rule, json!({"weekdays": ["sunday"], "order": null})),
            patch("times of the day", &rule, json!({"from_time": "20:00", "until_time": "02:00"})),
            patch("clock", &rule, json!({"clock": "sale"})),
            patch("half of the times", &rule, json!({"from_time": "20:00"})),
            patch("amount without what it is for", &rule, json!({"amount": amount["amount"]})),
            patch("amount", &rule, amount),
        ],
        "pricing_rule.test" => {
            let half = json!({"name": "Half", "kind": "discount", "percent": "50"});
            let kept = joined(&basket(1), &json!({"keep": true}));
            vec![
                call("several lines", &none, json!({"rule": half, "basket": several_lines()})),
                call("kept", &none, json!({"rule": half, "basket": kept})),
                call("no rule", &none, json!({"basket": basket(1)})),
            ]
        }
        "pricing_rule.of_event" => vec![
            call("in their order", &json!({"event_id": "{priced_event_id}"}), json!({}))
                .at("/v1/events/{priced_event_id}/pricing-rules"),
        ],
        _ => Vec::new(),
    }
}

fn sales(id: &str) -> Vec<Further> {
    let none = json!({});
    let child = |id: &str| json!([{"ticket_type_id": id, "quantity": 1, "pricing_category": "child"}]);
    let prices = |amount: i64| {
        json!({
            "name": "By category", "price": {"amount": 900, "currency": "EUR"},
            "category_prices": {"child": amount, "senior": 700},
        })
    };
    match id {
        "reservation.create" => vec![
            call("quote", &none, json!({"quote_id": "{priced_quote_id}"})),
            call("codes beside a quote", &none, json!({"quote_id": "{priced_quote_id}", "codes": ["A"]})),
            call("another buyer", &none, json!({"quote_id": "{priced_quote_id}", "user_id": "ben"})),
            call(
                "category",
                &none,
                json!({"event_id": "{priced_event_id}", "user_id": "ben", "lines": child("{priced_type_id}")}),
            ),
        ],
        "booking.create" => vec![call(
            "category",
            &json!({"event_id": "{other_event_id}"}),
            json!({"user_id": "cat", "lines": child("{seated_id}")}),
        )],
        "ticket_type.create" => {
            let event = json!({"event_id": "{event_id}"});
            vec![
                call("category prices", &event, prices(500)),
                call("category price below zero", &event, prices(-1)),
            ]
        }
        "ticket_type.update" => vec![patch(
            "category prices",
            &json!({"ticket_type_id": "{ticket_type_id}"}),
            json!({"category_prices": {"child": 5}}),
        )],
        _ => Vec::new(),
    }
}

fn installations(id: &str) -> Vec<Further> {
    let none = json!({});
    let of = |digest: &str, more: Value| joined(&json!({"release": {"digest": digest}}), &more);
    let event = json!({"event_id": "{event_id}"});
    match id {
        "installation.create" => vec![
            call("of an event", &none, of("{digest}", event.clone())),
            call("of an unknown event", &none, of("{digest}", json!({"event_id": "{absent}"}))),
            call(
                "of a project and an event",
                &none,
                of("{digest}", joined(&event, &json!({"project_id": "{project_id}"}))),
            ),
            call("workflow of an event", &none, of("{earlier}", event)),
            call("prices of a project", &none, of("{loyalty_digest}", json!({"project_id": "{project_id}"}))),
        ],
        "installation.list" => {
            vec![call("of an event", &none, json!({"filter": "event:{priced_event_id}", "page_size": 1}))]
        }
        _ => Vec::new(),
    }
}
