//! Hidden ticket types: codes that show them, and sales with and without one.

use serde_json::{Value, json};

use super::{coded, percent_off, promotion, reserve_coded};
use crate::harness::{Kind, Rest};
use crate::pricing::{basket, event, price, show, ticket_type, total, with};
use crate::reservations::{counts, create, id};
use crate::tracker::{all_pages, faults, memory, on, on_every_store};

on_every_store! {
    hidden_ticket_type_is_sold_only_with_its_code
}

/// Returns the ids of an event's ticket types that are listed.
async fn listed(rest: &Rest, event: &str, more: &str) -> Vec<String> {
    let path = format!("/v1/tickets/types?event_id={event}{more}");
    let types = all_pages(rest, &path, "ticket_types", 50).await;
    types.iter().map(|listed| listed["id"].as_str().unwrap().to_owned()).collect()
}

async fn hidden_ticket_type_is_sold_only_with_its_code(kind: Kind) {
    let (_home, _host, rest) = on(kind).await;
    let stranger = rest.with_key(None);
    let event = event(&rest, json!({})).await;
    let open = ticket_type(&rest, &event, (1_000, "EUR")).await;
    let body = json!({
        "name": "Backstage", "price": {"amount": 5_000, "currency": "EUR"}, "quantity": 10, "hidden": true,
    });
    let hidden = create(&rest, &format!("/v1/events/{event}/tickets"), body, "ticket_type").await;
    let crew = json!({"name": "Crew", "shown_ticket_type_ids": [hidden], "codes": ["CREW"]});
    promotion(&rest, crew).await;
    promotion(&rest, percent_off("10", &["TEN"], json!({"combinable": true}))).await;

    let path = format!("/v1/tickets/types/{hidden}");
    let shown = rest.get(&path).await.expect(200)["ticket_type"].clone();
    assert_eq!(shown["hidden"], true);
    assert_eq!(stranger.get(&path).await.code(404), "TICKET_TYPE_NOT_FOUND");
    let both = listed(&rest, &event, "").await;
    assert!(both.len() == 2 && both.contains(&hidden), "{both:?}");
    assert_eq!(listed(&stranger, &event, "").await, std::slice::from_ref(&open));
    assert_eq!(listed(&stranger, &event, "&access_code=crew").await, both);

    let sale = (event.clone(), hidden);
    // Without a key it is not to be told from one that does not exist.
    let unknown = stranger.post("/v1/prices:calculate", basket(&event, &[(&event, 1)])).await;
    let refused = stranger.post("/v1/prices:calculate", basket(&event, &[(&sale.1, 1)])).await;
    assert_eq!((refused.code(404), unknown.code(404)), ("TICKET_TYPE_NOT_FOUND", "TICKET_TYPE_NOT_FOUND"));
    let text = |body: &Value| body["detail"].as_str().unwrap().to_owned();
    assert_eq!(text(&refused.body).replace(&sale.1, ""), text(&unknown.body).replace(&event, ""));
    assert_eq!(total(&price(&stranger, coded(&sale, ("", 1), &["CREW"])).await), 5_000);
    let refused = rest.post("/v1/prices:calculate", basket(&event, &[(&sale.1, 1)])).await;
    assert_eq!(refused.code(409), "ACCESS_CODE_REQUIRED");
    let refused = rest.post("/v1/quotes", basket(&event, &[(&sale.1, 1)])).await;
    assert_eq!(refused.code(409), "ACCESS_CODE_REQUIRED");
    for codes in [&[][..], &["TEN"]] {
        let refused = reserve_coded(&rest, &sale, ("ann", 1), codes).await;
        assert_eq!(refused.code(409), "ACCESS_CODE_REQUIRED", "{codes:?}");
    }
    assert_eq!(counts(&rest, &event).await, [0, 0, 0]);
    let reserved = reserve_coded(&rest, &sale, ("ann", 2), &["Crew"]).await;
    let reservation = &reserved.expect(201)["reservation"];
    assert_eq!((&reservation["codes"], &reservation["total"]["amount"]), (&json!(["CREW"]), &json!(10_000)));
    // The other ticket type needs no code.
    id(&reserve_coded(&rest, &(event.clone(), open), ("ben", 1), &[]).await);
    assert_eq!(counts(&rest, &event).await, [3, 0, 0]);
}

/// Creates a ticket type at 50 EUR that only a code shows; returns its id.
async fn hidden_type(rest: &Rest, event: &str) -> String {
    let body = json!({
        "name": "Backstage", "price": {"amount": 5_000, "currency": "EUR"}, "quantity": 10, "hidden": true,
    });
    create(rest, &format!("/v1/events/{event}/tickets"), body, "ticket_type").await
}

#[tokio::test(flavor = "multi_thread")]
async fn code_that_shows_nothing_of_an_event_is_refused_like_an_unknown_one() {
    let (_home, _host, rest) = memory().await;
    let (here, other) = (show(&rest, 1_000).await, show(&rest, 1_000).await);
    let hidden = hidden_type(&rest, &here.0).await;
    let elsewhere = hidden_type(&rest, &other.0).await;
    for (name, event, shown) in [("CREW", &here.0, &hidden), ("PRESS", &other.0, &elsewhere)] {
        let body = json!({
            "name": name, "event_id": event, "shown_ticket_type_ids": [shown], "codes": [name],
        });
        promotion(&rest, body).await;
    }
    promotion(&rest, percent_off("10", &["TEN"], json!({}))).await;
    let stranger = rest.with_key(None);
    assert_eq!(listed(&stranger, &here.0, "&access_code=CREW").await, [here.1.clone(), hidden.clone()]);
    assert_eq!(listed(&stranger, &other.0, "&access_code=PRESS").await, [other.1.clone(), elsewhere]);
    let refusal = async |path: &str, code: &str| {
        let refused = stranger.get(&format!("{path}access_code={code}")).await;
        assert_eq!(faults(&refused), ["access_code"], "{path} {code}");
        refused.body["detail"].clone()
    };
    let list = format!("/v1/tickets/types?event_id={}&", here.0);
    let unknown = refusal(&list, "UNKNOWN").await;
    for code in ["TEN", "PRESS"] {
        assert_eq!(refusal(&list, code).await, unknown, "{code}");
    }
    assert_eq!(refusal(&format!("/v1/events/{}/availability?", here.0), "PRESS").await, unknown);
    // A hidden ticket type, one that everybody sees, and an id of none.
    for id in [&hidden, &here.1, &here.0] {
        assert_eq!(refusal(&format!("/v1/tickets/types/{id}?"), "PRESS").await, unknown, "{id}");
    }
    // The list of all events has those of any event.
    let all = stranger.get("/v1/tickets/types?access_code=PRESS").await;
    assert_eq!(all.expect(200)["ticket_types"].as_array().unwrap().len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn shown_ticket_type_is_sold_without_those_that_are_reduced() {
    let (_home, _host, rest) = memory().await;
    let (event, stalls) = show(&rest, 1_000).await;
    let hidden = hidden_type(&rest, &event).await;
    let more = json!({"ticket_type_ids": [stalls], "shown_ticket_type_ids": [hidden], "min_quantity": 2});
    promotion(&rest, percent_off("10", &["CLUB"], more)).await;
    let stranger = rest.with_key(None);
    for (stalls_units, expected) in [(0, 5_000), (1, 6_000), (2, 6_800)] {
        let lines = [(hidden.as_str(), 1), (stalls.as_str(), stalls_units)];
        let lines = if stalls_units == 0 { &lines[..1] } else { &lines[..] };
        let priced = price(&stranger, with(basket(&event, lines), json!({"codes": ["CLUB"]}))).await;
        assert_eq!((total(&priced), &priced["codes"]), (expected, &json!(["CLUB"])), "{priced:#}");
    }
    let reserved = reserve_coded(&rest, &(event, hidden), ("ann", 1), &["CLUB"]).await;
    assert_eq!(reserved.expect(201)["reservation"]["total"]["amount"], 5_000);
}
