//! What a code takes off a price, without a basket.

use serde_json::{Value, json};
use tessera_proto::common::v1::Money;
use tessera_proto::ticket::v1::ApplyDiscountRequest;
use tessera_proto::ticket::v1::pricing_service_client::PricingServiceClient;
use time::Duration;

use super::{
    Show, amount_off, coded, from_now, keep_coded, percent_off, promotion, reserve_coded, reserve_quote, uses,
};
use crate::harness::{Answer, Home, Host, Kind, Rest};
use crate::plugins::install;
use crate::pricing::{show, ticket_type, with};
use crate::reservations::counts;
use crate::tracker::{done, faults, memory, on, on_every_store};

on_every_store! {
    code_tells_what_it_takes_off
}

/// Asks what a code takes off a price in EUR. `more` is merged into the request.
pub(super) async fn apply(rest: &Rest, event: &str, (code, original): (&str, i64), more: Value) -> Answer {
    let body = json!({
        "event_id": event, "discount_code": code, "original_price": {"amount": original, "currency": "EUR"},
    });
    rest.post("/v1/prices:apply-discount", with(body, more)).await
}

/// Returns the discount, the price, the reason, and whether the code is accepted.
#[track_caller]
fn parts(answer: &Answer) -> (i64, i64, String, bool) {
    let body = done(answer);
    let amount = |name: &str| {
        assert_eq!(body[name]["currency"], "EUR", "{body:#}");
        body[name]["amount"].as_i64().unwrap()
    };
    let reason = body["discount_reason"].as_str().unwrap().to_owned();
    (amount("discount_amount"), amount("final_price"), reason, body["is_valid"].as_bool().unwrap())
}

async fn code_tells_what_it_takes_off(kind: Kind) {
    let (_home, _host, rest) = on(kind).await;
    let (here, other) = (show(&rest, 1_000).await, show(&rest, 1_000).await);
    let circle = ticket_type(&rest, &here.0, (500, "EUR")).await;
    let yesterday = from_now(Duration::days(-1));
    let friends = promotion(&rest, percent_off("12.5", &["FRIENDS"], json!({"name": "Friends"}))).await;
    for body in [
        amount_off(300, "unit", &["UNITS"], json!({"name": "Three each"})),
        amount_off(99_999, "order", &["ALL"], json!({"name": "Free"})),
        percent_off("10", &["LATE"], json!({"valid_until": yesterday})),
        percent_off("10", &["OFF"], json!({"enabled": false})),
        percent_off("10", &["HERE"], json!({"event_id": here.0})),
        percent_off("10", &["CIRCLE"], json!({"ticket_type_ids": [circle]})),
        percent_off("10", &["THREE"], json!({"min_quantity": 3})),
        percent_off("10", &["ONCE"], json!({"max_uses": 1})),
        percent_off("10", &["MINE"], json!({"max_uses_per_buyer": 1})),
    ] {
        promotion(&rest, body).await;
    }
    for (buyer, code) in [("ann", "ONCE"), ("ben", "MINE")] {
        reserve_coded(&rest, &here, (buyer, 1), &[code]).await.expect(201);
    }
    let stranger = rest.with_key(None);
    // 12.5 % of 5,004 are 625.5, which is rounded to even.
    for (code, more, (discount, reason)) in [
        ("FRIENDS", json!({}), (626, "Friends")),
        ("friends", json!({"user_id": "ann"}), (626, "Friends")),
        ("UNITS", json!({}), (300, "Three each")),
        ("UNITS", json!({"quantity": 2}), (600, "Three each")),
        ("ALL", json!({}), (5_004, "Free")),
        ("THREE", json!({"quantity": 3}), (500, "10 % off")),
        ("CIRCLE", json!({"ticket_type_id": circle}), (500, "10 % off")),
        // How often a buyer has used it is not told without a key.
        ("MINE", json!({"user_id": "ben"}), (500, "10 % off")),
    ] {
        let answer = apply(&stranger, &here.0, (code, 5_004), more).await;
        assert_eq!(parts(&answer), (discount, 5_004 - discount, reason.to_owned(), true), "{code}");
    }
    let invalid = "the code is not valid";
    let elsewhere = "the code is not for this basket";
    // Each case has a buyer of its own, since refused codes of one buyer are limited.
    for (number, (event, code, more, reason)) in [
        (&here.0, "NONE", json!({}), invalid),
        (&here.0, "no code at all", json!({}), invalid),
        (&here.0, "OFF", json!({}), invalid),
        (&other.0, "HERE", json!({}), invalid),
        (&here.0, "LATE", json!({}), "the code has expired"),
        (&here.0, "CIRCLE", json!({"ticket_type_id": here.1}), elsewhere),
        (&here.0, "THREE", json!({"quantity": 2}), elsewhere),
        (&here.0, "UNITS", json!({"original_price": {"amount": 5_004, "currency": "JPY"}}), elsewhere),
        (&here.0, "ONCE", json!({}), "the code has been used up"),
        (&here.0, "MINE", json!({"buyer_id": "ben"}), "you have used this promotion as often as is allowed"),
    ]
    .into_iter()
    .enumerate()
    {
        let more = with(json!({"buyer_id": format!("buyer {number}")}), more);
        let answer = apply(&rest, event, (code, 5_004), more).await;
        let body = done(&answer);
        assert_eq!((&body["is_valid"], &body["discount_reason"]), (&json!(false), &json!(reason)), "{code}");
        assert_eq!(
            (&body["discount_amount"]["amount"], &body["final_price"]["amount"]),
            (&json!(0), &json!(5_004))
        );
    }
    // Nothing is claimed.
    assert_eq!(uses(&rest, &friends).await, 0);
    assert_eq!(counts(&rest, &here.0).await, [2, 0, 0]);
}

/// Codes of plugins are priced by them, and are no guesses if they are accepted.
#[tokio::test(flavor = "multi_thread")]
async fn code_of_a_plugin_tells_what_it_takes_off() {
    let (_home, _host, rest) = memory().await;
    let (event, seat) = show(&rest, 1_000).await;
    promotion(&rest, percent_off("50", &["HALF"], json!({"name": "Half"}))).await;
    let codes = json!({"codes": [
        {"code": "FRIENDS", "percent": "10", "label": "Friends"},
        {"code": "BIG", "percent": "20", "minimum": 5_000, "currency": "EUR"},
    ]});
    install(&rest, "loyalty", json!({"settings": codes})).await;
    let stranger = rest.with_key(None);
    let of_type = json!({"ticket_type_id": seat, "quantity": 2});
    // Ten codes that are not accepted would be too many.
    for _ in 0..11 {
        let answer = apply(&stranger, &event, ("friends", 2_000), of_type.clone()).await;
        assert_eq!(parts(&answer), (200, 1_800, "Friends".to_owned(), true));
    }
    let answer = apply(&stranger, &event, ("HALF", 2_000), of_type.clone()).await;
    assert_eq!(parts(&answer), (1_000, 1_000, "Half".to_owned(), true));
    for (code, original, more, reason) in [
        ("BIG", 4_998, of_type.clone(), "the basket is below the minimum of the code"),
        ("NONE", 4_998, of_type.clone(), "the code is not valid"),
        // No basket has this price.
        ("FRIENDS", 4_999, of_type, "the code is not valid without a basket"),
        ("FRIENDS", 2_000, json!({}), "the code is not valid without a basket"),
    ] {
        let (discount, left, told, is_valid) = parts(&apply(&stranger, &event, (code, original), more).await);
        assert_eq!((discount, left, is_valid), (0, original, false), "{code}");
        assert!(told.starts_with(reason), "{code}: {told}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn discounts_are_equal_over_grpc() {
    let (_home, host, rest) = memory().await;
    let (event, _) = show(&rest, 1_000).await;
    promotion(&rest, percent_off("25", &["QUARTER"], json!({"name": "A quarter"}))).await;
    let client = host.grpc().await.with_key(None);
    let mut grpc = PricingServiceClient::with_interceptor(client.channel.clone(), client);
    let request = ApplyDiscountRequest {
        event_id: event.clone(),
        discount_code: "quarter".into(),
        original_price: Some(Money { amount: 2_002, currency: "EUR".into() }),
        ..ApplyDiscountRequest::default()
    };
    let applied = grpc.apply_discount(request.clone()).await.unwrap().into_inner();
    // 25 % of 2,002 are 500.5.
    assert_eq!(applied.discount_amount, Some(Money { amount: 500, currency: "EUR".into() }));
    assert_eq!(applied.final_price.unwrap().amount, 1_502);
    assert_eq!((applied.discount_reason.as_str(), applied.is_valid), ("A quarter", true));
    let over_rest = apply(&rest.with_key(None), &event, ("quarter", 2_002), json!({})).await;
    assert_eq!(parts(&over_rest), (500, 1_502, "A quarter".to_owned(), true));
    let wrong = ApplyDiscountRequest { original_price: None, ..request };
    assert_eq!(grpc.apply_discount(wrong).await.unwrap_err().code(), tonic::Code::InvalidArgument);
}

#[tokio::test(flavor = "multi_thread")]
async fn invalid_request_for_a_discount_names_its_field() {
    let (_home, _host, rest) = memory().await;
    let (event, _) = show(&rest, 1_000).await;
    for (code, more, field) in [
        ("", json!({}), "discount_code"),
        ("X", json!({"original_price": {"amount": -1, "currency": "EUR"}}), "original_price"),
        ("X", json!({"original_price": {"amount": 1, "currency": "E"}}), "original_price"),
        ("X", json!({"quantity": -1}), "quantity"),
        ("X", json!({"user_id": "ann", "buyer_id": "ben"}), "user_id"),
    ] {
        let refused = apply(&rest, &event, (code, 1_000), more).await;
        let fields = faults(&refused);
        assert!(fields.iter().any(|name| name.starts_with(field)), "{field}: {fields:?}");
    }
    let unknown = apply(&rest, "0198c0de-0000-7000-8000-000000000000", ("X", 1_000), json!({})).await;
    assert_eq!(unknown.code(404), "EVENT_NOT_FOUND");
}

/// An operator who switches discounts off refuses codes by name, also those that were accepted before.
#[tokio::test(flavor = "multi_thread")]
async fn codes_are_refused_by_name_while_discounts_are_off() {
    let home = Home::new(Kind::Sqlite).await;
    let host = Host::start(&home).await;
    let sale: Show = show(&host.rest(), 1_000).await;
    promotion(&host.rest(), percent_off("10", &["TEN"], json!({}))).await;
    let quote = keep_coded(&host.rest(), &sale, ("ann", 1), &["TEN"]).await;
    drop(host);
    let host = Host::start_with(&home, &[("DISCOUNT_RULES_ENABLED", "false")]).await;
    let rest = host.rest();
    let coded = coded(&sale, ("ben", 1), &["TEN"]);
    for (answer, field) in [
        (rest.post("/v1/prices:calculate", coded.clone()).await, "codes"),
        (rest.post("/v1/quotes", coded.clone()).await, "codes"),
        (rest.post("/v1/reservations", coded).await, "codes"),
        (apply(&rest, &sale.0, ("TEN", 1_000), json!({})).await, "discount_code"),
    ] {
        assert_eq!(faults(&answer), [field]);
        assert!(
            answer.body["detail"].as_str().unwrap().contains("DISCOUNT_RULES_ENABLED"),
            "{:#}",
            answer.body
        );
    }
    // What was quoted holds.
    assert_eq!(reserve_quote(&rest, &quote).await.expect(201)["reservation"]["total"]["amount"], 900);
}
