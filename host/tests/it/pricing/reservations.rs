//! Reservations at quoted prices.

use serde_json::{Value, json};
use tessera_proto::ticket::v1::ReserveTicketsRequest;
use tessera_proto::ticket::v1::ticket_service_client::TicketServiceClient;

use super::{amount, basket, keep, other_tenant, percent, rule, show, ticket_type, with};
use crate::harness::{Answer, Kind, Rest};
use crate::plugins::install;
use crate::reservations::{counts, id, reserve};
use crate::tracker::{all_pages, done, faults, memory, on, on_every_store};

on_every_store! {
    reservation_has_the_quoted_price_although_the_rule_changed
    kept_quote_is_sold_at_its_price_whatever_changes
    partial_release_reduces_the_total_by_the_prices_of_its_units
}

/// Reserves a basket for a buyer with a quote.
async fn reserve_with(rest: &Rest, basket: Value, quote: &str, buyer: &str) -> Answer {
    rest.post("/v1/reservations", with(basket, json!({"quote_id": quote, "user_id": buyer}))).await
}

/// Returns the prices of units or tickets.
fn prices(list: &Value) -> Vec<i64> {
    list.as_array().unwrap().iter().map(|unit| unit["price"]["amount"].as_i64().unwrap()).collect()
}

async fn reservation_has_the_quoted_price_although_the_rule_changed(kind: Kind) {
    let (_home, _host, rest) = on(kind).await;
    let (event, seat) = show(&rest, 1_250).await;
    let fee = rule(&rest, amount("fee", 333, "order")).await;
    let bought = basket(&event, &[(&seat, 2)]);
    let (_, quote) = keep(&rest, bought.clone()).await;
    let more = json!({"amount": {"amount": 900, "currency": "EUR"}, "per": "order"});
    done(&rest.patch(&format!("/v1/pricing-rules/{fee}"), more).await);
    let reserved = reserve_with(&rest, bought, &quote, "ann").await;
    let reservation = &reserved.expect(201)["reservation"];
    assert_eq!(reservation["quote_id"], json!(quote));
    assert_eq!(reservation["total"], json!({"amount": 2833, "currency": "EUR"}));
    assert_eq!(reservation["lines"][0]["price"], json!({"amount": 1250, "currency": "EUR"}));
    // 2,833 in two parts.
    assert_eq!(prices(&reservation["tickets"]), [1_417, 1_416]);
    let path = format!("/v1/reservations/{}", id(&reserved));
    done(&rest.post(&format!("{path}:confirm"), json!({"payment_reference": "p-1"})).await);
    let filter = format!("/v1/tickets?filter=reservation:{}", id(&reserved));
    let tickets = all_pages(&rest, &filter, "tickets", 100).await;
    assert_eq!(prices(&json!(tickets)).iter().sum::<i64>(), 2_833);
    // The next reservation is made at the prices of now: 1,250 and 900.
    let next = reserve(&rest, &(event.clone(), seat), "ben", 1).await;
    assert_eq!(next.expect(201)["reservation"]["total"]["amount"], 2_150);
    assert_eq!(counts(&rest, &event).await, [1, 2, 0]);
}

async fn kept_quote_is_sold_at_its_price_whatever_changes(kind: Kind) {
    let (_home, _host, rest) = on(kind).await;
    let (event, seat) = show(&rest, 1_000).await;
    let fee = rule(&rest, amount("fee", 100, "order")).await;
    let surge = json!({"settings": {"steps": [{"sold": "0", "percent": "50"}]}});
    let installed = install(&rest, "surge", surge).await;
    let bought = basket(&event, &[(&seat, 2)]);
    let (_, quote) = keep(&rest, bought.clone()).await;
    // Before it is reserved, the base price changes and the plugin is removed.
    let price = json!({"price": {"amount": 5_000, "currency": "EUR"}});
    done(&rest.patch(&format!("/v1/events/{event}/tickets/{seat}"), price).await);
    let installed = installed["installation_id"].as_str().unwrap();
    done(&rest.delete(&format!("/v1/installations/{installed}")).await);
    let reserved = reserve_with(&rest, bought, &quote, "ann").await;
    let reservation = &reserved.expect(201)["reservation"];
    assert_eq!((&reservation["quote_id"], &reservation["total"]["amount"]), (&json!(quote), &json!(3_100)));
    // Before it is confirmed, the rule changes and another one begins to apply.
    let more = json!({"amount": {"amount": 900, "currency": "EUR"}, "per": "order"});
    done(&rest.patch(&format!("/v1/pricing-rules/{fee}"), more).await);
    rule(&rest, percent("tax", "20", json!({}))).await;
    let path = format!("/v1/reservations/{}", id(&reserved));
    let sold = rest.post(&format!("{path}:confirm"), json!({"payment_reference": "p"})).await;
    assert_eq!(done(&sold)["reservation"]["total"]["amount"], 3_100);
    let filter = format!("/v1/tickets?filter=reservation:{}", id(&reserved));
    let tickets = all_pages(&rest, &filter, "tickets", 100).await;
    assert_eq!(prices(&json!(tickets)), [1_550, 1_550]);
    // The next one costs what applies now: 5,000 and 900, and 20 % of both.
    let next = reserve(&rest, &(event, seat), "ben", 1).await;
    assert_eq!(next.expect(201)["reservation"]["total"]["amount"], 7_080);
}

async fn partial_release_reduces_the_total_by_the_prices_of_its_units(kind: Kind) {
    let (_home, _host, rest) = on(kind).await;
    let (event, stalls) = show(&rest, 1_000).await;
    let circle = ticket_type(&rest, &event, (500, "EUR")).await;
    rule(&rest, amount("fee", 100, "order")).await;
    let bought = basket(&event, &[(&stalls, 3), (&circle, 1)]);
    let (priced, quote) = keep(&rest, bought.clone()).await;
    // 100 spread over 3,000 and 500: 85.71 and 14.29.
    let totals = [0, 1].map(|line| priced["lines"][line]["total"]["amount"].as_i64().unwrap());
    assert_eq!(totals, [3_086, 514]);
    let reserved = reserve_with(&rest, bought, &quote, "ann").await;
    let units = reserved.expect(201)["tickets"].clone();
    assert_eq!(prices(&units), [1_029, 1_029, 1_028, 514]);
    let path = format!("/v1/reservations/{}", id(&reserved));
    let release = async |unit: usize| {
        let released = json!({"ticket_ids": [units[unit]["id"]]});
        let answer = rest.post(&format!("{path}:release"), released).await;
        done(&answer)["reservation"].clone()
    };
    let first = release(0).await;
    assert_eq!((&first["total"]["amount"], &first["lines"][0]["quantity"]), (&json!(2_571), &json!(2)));
    assert_eq!(release(3).await["total"]["amount"], 2_057);
    assert_eq!(release(2).await["total"]["amount"], 1_029);
    let sold = rest.post(&format!("{path}:confirm"), json!({"payment_reference": "p"})).await;
    assert_eq!(done(&sold)["reservation"]["total"]["amount"], 1_029);
}

#[tokio::test(flavor = "multi_thread")]
async fn quote_of_another_basket_is_refused() {
    let (_home, _host, rest) = memory().await;
    let (event, seat) = show(&rest, 1_250).await;
    let (other_event, other_seat) = show(&rest, 1_250).await;
    let circle = ticket_type(&rest, &event, (500, "EUR")).await;
    let bought = basket(&event, &[(&seat, 2)]);
    let (_, quote) = keep(&rest, with(bought.clone(), json!({"buyer_id": "ann"}))).await;
    for (basket, buyer) in [
        (basket(&other_event, &[(&other_seat, 2)]), "ann"),
        (basket(&event, &[(&seat, 1)]), "ann"),
        (basket(&event, &[(&seat, 2), (&circle, 1)]), "ann"),
        (basket(&event, &[(&circle, 2)]), "ann"),
        (bought.clone(), "ben"),
    ] {
        let refused = reserve_with(&rest, basket.clone(), &quote, buyer).await;
        assert_eq!(faults(&refused), ["quote_id"], "{basket:#} {buyer}");
    }
    let category = json!([{"ticket_type_id": seat, "quantity": 2, "pricing_category": "child"}]);
    let refused = reserve_with(&rest, with(bought.clone(), json!({"lines": category})), &quote, "ann").await;
    assert_eq!(faults(&refused), ["quote_id"]);
    // A quote has its codes.
    let codes = with(bought.clone(), json!({"codes": ["FRIENDS"]}));
    reserve_with(&rest, codes, &quote, "ann").await.expect(422);
    let unknown = reserve_with(&rest, bought.clone(), &event, "ann").await;
    assert_eq!(unknown.code(404), "QUOTE_NOT_FOUND");
    // A quote of another tenant does not exist.
    let theirs = other_tenant(&rest).await;
    let (their_event, their_seat) = show(&theirs, 1_250).await;
    let refused = reserve_with(&theirs, basket(&their_event, &[(&their_seat, 2)]), &quote, "ann").await;
    assert_eq!(refused.code(404), "QUOTE_NOT_FOUND");
    for of in [&event, &other_event] {
        assert_eq!(counts(&rest, of).await, [0, 0, 0]);
    }
    // A quote without a buyer can be reserved by anybody, in its channel.
    let in_channel = |channel: &str| with(bought.clone(), json!({"channel": channel}));
    let (_, open) = keep(&rest, in_channel("web")).await;
    for quote in [&quote, &open] {
        let refused = reserve_with(&rest, in_channel("box office"), quote, "ann").await;
        assert_eq!(faults(&refused), ["channel"]);
    }
    reserve_with(&rest, in_channel("web"), &open, "cem").await.expect(201);
    reserve_with(&rest, bought.clone(), &quote, "ann").await.expect(201);
    assert_eq!(counts(&rest, &event).await, [4, 0, 0]);
    // Nothing of a cancelled event is sold or priced.
    let (_, late) = keep(&rest, bought.clone()).await;
    done(&rest.patch(&format!("/v1/events/{event}"), json!({"status": "cancelled"})).await);
    assert_eq!(reserve_with(&rest, bought.clone(), &late, "ann").await.code(409), "EVENT_NOT_ON_SALE");
    assert_eq!(rest.post("/v1/prices:calculate", bought).await.code(409), "EVENT_NOT_ON_SALE");
}

#[tokio::test(flavor = "multi_thread")]
async fn reservation_is_quoted_where_prices_may_change() {
    let (_home, _host, rest) = memory().await;
    let (plain, other) = (show(&rest, 1_250).await, show(&rest, 1_250).await);
    let reserved = reserve(&rest, &plain, "ann", 2).await;
    let reservation = &reserved.expect(201)["reservation"];
    assert_eq!((&reservation["quote_id"], &reservation["total"]["amount"]), (&Value::Null, &json!(2_500)));
    rule(&rest, percent("fee", "10", json!({"event_id": plain.0}))).await;
    // A rule for one event leaves the others at their base prices.
    let reserved = reserve(&rest, &other, "ann", 1).await;
    assert_eq!(reserved.expect(201)["reservation"]["quote_id"], Value::Null);
    let body = with(basket(&plain.0, &[(&plain.1, 2)]), json!({"user_id": "ann", "channel": "box office"}));
    let reserved = rest.post("/v1/reservations", body).await;
    let reservation = &reserved.expect(201)["reservation"];
    assert_eq!(reservation["total"]["amount"], 2_750);
    // Its quote is stored with it.
    let quote = rest.get(&format!("/v1/quotes/{}", reservation["quote_id"].as_str().unwrap())).await;
    let quote = &quote.expect(200)["quote"];
    assert_eq!((&quote["final_price"]["amount"], &quote["buyer_id"]), (&json!(2_750), &json!("ann")));
    assert_eq!(quote["channel"], "box office");
}

#[tokio::test(flavor = "multi_thread")]
async fn repeated_reservation_keeps_its_price() {
    let (_home, _host, rest) = memory().await;
    let show = show(&rest, 1_000).await;
    let fee = rule(&rest, percent("fee", "10", json!({}))).await;
    let attempt = || {
        let body = with(basket(&show.0, &[(&show.1, 1)]), json!({"user_id": "ann"}));
        let request = rest.request(reqwest::Method::POST, "/v1/reservations").header("idempotency-key", "k");
        rest.send(request.json(&body))
    };
    let first = attempt().await;
    assert_eq!(first.expect(201)["reservation"]["total"]["amount"], 1_100);
    done(&rest.patch(&format!("/v1/pricing-rules/{fee}"), json!({"percent": "50"})).await);
    let again = attempt().await;
    assert_eq!(again.headers["idempotency-replayed"], "true");
    assert_eq!(again.body["reservation"], first.body["reservation"]);
    assert_eq!(counts(&rest, &show.0).await, [1, 0, 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn quote_is_reserved_over_grpc() {
    let (_home, host, rest) = memory().await;
    let (event, seat) = show(&rest, 1_000).await;
    rule(&rest, percent("surcharge", "25", json!({}))).await;
    let (_, quote) = keep(&rest, basket(&event, &[(&seat, 2)])).await;
    let client = host.grpc().await;
    let mut grpc = TicketServiceClient::with_interceptor(client.channel.clone(), client);
    let request = ReserveTicketsRequest {
        event_id: event,
        ticket_type_id: seat,
        quantity: 2,
        user_id: "ann".into(),
        quote_id: quote.clone(),
        ..ReserveTicketsRequest::default()
    };
    let wrong = ReserveTicketsRequest { quantity: 3, ..request.clone() };
    assert_eq!(grpc.reserve_tickets(wrong).await.unwrap_err().code(), tonic::Code::InvalidArgument);
    let reserved = grpc.reserve_tickets(request).await.unwrap().into_inner().reservation.unwrap();
    assert_eq!((reserved.total.unwrap().amount, reserved.quote_id), (2_500, Some(quote)));
}
