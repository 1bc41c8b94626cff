//! Hidden ticket types: codes that show them, and sales with and without one.

use serde_json::{Value, json};

use super::{coded, percent_off, promotion, reserve_coded};
use crate::harness::{Kind, Rest};
use crate::pricing::{basket, event, price, ticket_type, total};
use crate::reservations::{counts, create, id};
use crate::tracker::{all_pages, on, on_every_store};

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
    assert_eq!(listed(&stranger, &event, "").await, [open.clone()]);
    assert_eq!(listed(&stranger, &event, "&access_code=TEN").await, [open.clone()]);
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
