//! Prices: rules, promotions, quotes, reservations at quoted prices, displayed prices, and pricing plugins.

mod dynamic;
mod hostile;
mod plugins;
mod promotions;
mod quotes;
mod reservations;
mod rules;

use serde_json::{Value, json};

use crate::harness::Rest;
use crate::reservations::create;
use crate::tracker::done;

/// Creates an event that is on sale, far in the future. `more` replaces attributes.
async fn event(rest: &Rest, more: Value) -> String {
    let body = json!({
        "title": "A night", "category": "music", "status": "active",
        "start_date": "2126-03-01T19:00:00Z", "end_date": "2126-03-01T22:00:00Z",
    });
    create(rest, "/v1/events", with(body, more), "event").await
}

/// Creates a ticket type of 100 units.
async fn ticket_type(rest: &Rest, event: &str, (amount, currency): (i64, &str)) -> String {
    let body = json!({"name": "Seat", "price": {"amount": amount, "currency": currency}, "quantity": 100});
    create(rest, &format!("/v1/events/{event}/tickets"), body, "ticket_type").await
}

/// Creates an event with one ticket type at a price in EUR; returns both ids.
async fn show(rest: &Rest, amount: i64) -> (String, String) {
    let event = event(rest, json!({})).await;
    let ticket_type = ticket_type(rest, &event, (amount, "EUR")).await;
    (event, ticket_type)
}

/// Creates a rule; returns its id.
async fn rule(rest: &Rest, body: Value) -> String {
    create(rest, "/v1/pricing-rules", body, "rule").await
}

/// Returns a rule of a percentage.
fn percent(kind: &str, percent: &str, more: Value) -> Value {
    with(json!({"name": format!("{kind} of {percent} %"), "kind": kind, "percent": percent}), more)
}

/// Returns a rule of an amount in EUR.
fn amount(kind: &str, amount: i64, per: &str) -> Value {
    json!({"name": kind, "kind": kind, "amount": {"amount": amount, "currency": "EUR"}, "per": per})
}

/// Returns a basket of lines, each a ticket type with a quantity.
fn basket(event: &str, lines: &[(&str, u32)]) -> Value {
    let line = |(id, quantity): &(&str, u32)| json!({"ticket_type_id": id, "quantity": quantity});
    json!({"event_id": event, "lines": lines.iter().map(line).collect::<Vec<_>>()})
}

/// Returns a body with more members.
fn with(mut body: Value, more: Value) -> Value {
    let Value::Object(more) = more else { panic!("not an object: {more:#}") };
    body.as_object_mut().unwrap().extend(more);
    body
}

/// Computes the price of a basket, whose parts must sum to it.
async fn price(rest: &Rest, basket: Value) -> Value {
    let price = done(&rest.post("/v1/prices:calculate", basket).await).clone();
    check_sum(&price);
    price
}

/// Computes the price of a basket and stores the quote; returns the response and the quote's id.
async fn keep(rest: &Rest, basket: Value) -> (Value, String) {
    let price = price(rest, with(basket, json!({"keep": true}))).await;
    let id = price["quote_id"].as_str().unwrap_or_else(|| panic!("no quote: {price:#}")).to_owned();
    (price, id)
}

/// Checks that base prices and adjustments sum to the price, and that the lines do.
#[track_caller]
fn check_sum(price: &Value) {
    let amount = |money: &Value| money["amount"].as_i64().unwrap_or_else(|| panic!("{price:#}"));
    let list = |name: &str| price[name].as_array().unwrap_or_else(|| panic!("{price:#}")).clone();
    let added = list("adjustments").into_iter().filter(|step| step["included"] == false);
    let added: i64 = added.map(|step| amount(&step["amount"])).sum();
    let lines: i64 = list("lines").iter().map(|line| amount(&line["total"])).sum();
    let last = amount(&price["final_price"]);
    assert_eq!((amount(&price["base_price"]) + added, lines), (last, last), "{price:#}");
    assert!(list("lines").iter().all(|line| amount(&line["total"]) >= 0), "{price:#}");
}

/// Returns the price of a basket.
fn total(price: &Value) -> i64 {
    price["final_price"]["amount"].as_i64().unwrap()
}

/// Returns the kind, the line and the amount of each adjustment.
fn steps(price: &Value) -> Vec<(String, Option<u64>, i64)> {
    let step = |step: &Value| {
        let kind = step["kind"].as_str().unwrap().to_owned();
        (kind, step["line"].as_u64(), step["amount"]["amount"].as_i64().unwrap())
    };
    price["adjustments"].as_array().unwrap().iter().map(step).collect()
}

/// Returns the same as [`steps`] does, written in a test.
fn expected<const N: usize>(steps: [(&str, Option<u64>, i64); N]) -> Vec<(String, Option<u64>, i64)> {
    steps.map(|(kind, line, amount)| (kind.to_owned(), line, amount)).into()
}

/// Creates another tenant; returns a client of its admin.
async fn other_tenant(rest: &Rest) -> Rest {
    done(&rest.post("/v1/tenants", json!({"slug": "acme", "name": "Acme"})).await);
    let key = rest.post("/v1/keys", json!({"name": "theirs", "roles": ["admin"], "tenant": "acme"})).await;
    rest.with_key(key.expect(201)["secret"].as_str())
}

/// Returns the number of facts of a type.
async fn facts(rest: &Rest, fact_type: &str) -> usize {
    crate::tracker::all_pages(rest, &format!("/v1/audit?filter=type:{fact_type}"), "facts", 100).await.len()
}
