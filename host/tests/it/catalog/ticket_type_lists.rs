//! Ticket types of all events, and counts of what is left.

use serde_json::{Value, json};

use super::{event, ticket_type};
use crate::harness::{Kind, Rest};
use crate::reservations::reserve;
use crate::tracker::{all_pages, done, faults, on, on_every_store};

on_every_store! {
    types_of_all_visible_events_are_listed_in_pages
    totals_count_what_is_held
}

async fn ids(rest: &Rest, path: &str, page_size: u32) -> Vec<String> {
    let types = all_pages(rest, path, "ticket_types", page_size).await;
    types.iter().map(|ticket_type| ticket_type["id"].as_str().unwrap().to_owned()).collect()
}

async fn types_of_all_visible_events_are_listed_in_pages(kind: Kind) {
    let (_home, _host, rest) = on(kind).await;
    let public = rest.with_key(None);
    let mut expected = Vec::new();
    for (status, quantity) in [("active", 3), ("draft", 5), ("active", 4)] {
        let event = event(&rest, "Night", json!({"status": status, "max_capacity": quantity})).await;
        for _ in 0..2 {
            let ticket_type = ticket_type(&rest, &event, json!({})).await;
            expected.push((event.clone(), ticket_type, quantity));
        }
    }
    let deleted = event(&rest, "Deleted", json!({})).await;
    ticket_type(&rest, &deleted, json!({})).await;
    done(&rest.delete(&format!("/v1/events/{deleted}")).await);
    expected.sort();
    let types = all_pages(&rest, "/v1/tickets/types?", "ticket_types", 1).await;
    let found: Vec<_> = types
        .iter()
        .map(|listed| {
            let text = |name: &str| listed[name].as_str().unwrap().to_owned();
            (text("event_id"), text("id"), listed["available_quantity"].as_u64().unwrap())
        })
        .collect();
    assert_eq!(found, expected, "each with what its own event has left");

    expected.retain(|(.., quantity)| *quantity != 5);
    let expected: Vec<_> = expected.into_iter().map(|(_, ticket_type, _)| ticket_type).collect();
    assert_eq!(ids(&public, "/v1/tickets/types?", 3).await, expected, "no drafts without a key");
    let page = public.get("/v1/tickets/types?page_size=3").await;
    let types_in_page = page.expect(200)["ticket_types"].as_array().unwrap().len();
    assert_eq!(types_in_page, 3, "drafts take no place in a page");
    let first = types[0]["event_id"].as_str().unwrap();
    let of_first = format!("/v1/tickets/types?event_id={first}");
    assert_eq!(ids(&rest, &of_first, 1).await.len(), 2);

    let page = rest.get(&format!("{of_first}&page_size=1")).await;
    let token = page.expect(200)["next_page_token"].as_str().unwrap();
    let other = rest.get(&format!("/v1/tickets/types?page_token={token}")).await;
    assert_eq!(faults(&other), ["page_token"], "a token of another list");
    assert_eq!(faults(&rest.get("/v1/tickets/types?page_size=-1").await), ["page_size"]);
}

async fn totals_count_what_is_held(kind: Kind) {
    let (_home, _host, rest) = on(kind).await;
    let event = event(&rest, "Night", json!({})).await;
    let path = format!("/v1/events/{event}");
    let [one, two] = [
        ticket_type(&rest, &event, json!({"quantity": 6})).await,
        ticket_type(&rest, &event, json!({"quantity": 7})).await,
    ];
    let total = async |query: &str| {
        let available = rest.get(&format!("{path}/availability{query}")).await;
        available.expect(200)["total_available"].clone()
    };
    assert_eq!(total("").await, json!(13));
    reserve(&rest, &(event.clone(), one.clone()), "ann", 2).await.expect(201);
    assert_eq!(total("").await, json!(11));
    let before = rest.get(&path).await;
    let etag = before.headers["etag"].clone();
    assert_eq!(before.expect(200)["event"]["current_capacity"], 2);
    done(&rest.patch(&path, json!({"max_capacity": 10})).await);
    assert_eq!(total("").await, json!(8), "the event's own pool is the bound");
    assert_eq!(total(&format!("?ticket_type_id={two}")).await, json!(7));
    reserve(&rest, &(event.clone(), two), "ben", 1).await.expect(201);
    let after = rest.get(&path).await;
    assert_eq!(after.expect(200)["event"]["current_capacity"], 3);
    assert_ne!(after.headers["etag"], etag, "a cache must not keep the old count");
    let listed = rest.get("/v1/events").await;
    assert_eq!(listed.expect(200)["events"][0]["current_capacity"], 3);

    done(&rest.patch(&path, json!({"max_capacity": null})).await);
    done(&rest.patch(&format!("{path}/tickets/{one}"), json!({"quantity": null})).await);
    assert_eq!(total("").await, Value::Null, "no pool sets a bound");
}
