//! Ticket types: validation, availability, and the event they belong to.

use serde_json::{Value, json};

use super::{event, ticket_body, ticket_type};
use crate::harness::Kind;
use crate::tracker::{done, faults, memory, on, on_every_store, until};

on_every_store! {
    availability_is_that_of_the_smallest_pool
    a_ticket_type_belongs_to_one_event
}

#[tokio::test(flavor = "multi_thread")]
async fn each_fault_of_a_ticket_type_names_its_field() {
    let (_home, _host, rest) = memory().await;
    let event = event(&rest, "Night", json!({})).await;
    let path = format!("/v1/events/{event}/tickets");
    let ticket_type = ticket_type(&rest, &event, json!({"quantity": 5})).await;
    let at = format!("{path}/{ticket_type}");
    let stranger = uuid::Uuid::now_v7().to_string();
    for (more, fields) in [
        (json!({"name": ""}), vec!["name"]),
        (json!({"price": {"amount": -1, "currency": "EUR"}}), vec!["price.amount"]),
        (json!({"price": {"amount": 1, "currency": "XXX"}}), vec!["price.currency"]),
        (json!({"price": {"amount": -1, "currency": "eur"}}), vec!["price.currency", "price.amount"]),
        (json!({"min_per_purchase": -1}), vec!["min_per_purchase"]),
        (json!({"min_per_purchase": 5, "max_per_purchase": 4}), vec!["max_per_purchase"]),
        (json!({"max_per_purchase": 1001}), vec!["max_per_purchase"]),
        (json!({"valid_from": "soon"}), vec!["valid_from"]),
        (json!({"valid_from": "2126-01-02", "valid_until": "2126-01-01"}), vec!["valid_until"]),
        (json!({"status": "sold"}), vec!["status"]),
        (json!({"quantity": -1}), vec!["quantity"]),
        (json!({"quantity": 10_000_001}), vec!["quantity"]),
        (json!({"metadata": {"a": "\u{1}"}}), vec!["metadata.a"]),
        (json!({"pools": [stranger]}), vec!["pools"]),
    ] {
        assert_eq!(faults(&rest.post(&path, ticket_body("Seat", &more)).await), fields, "{more}");
        assert_eq!(faults(&rest.patch(&at, more.clone()).await), fields, "{more}");
        assert_eq!(faults(&rest.put(&at, ticket_body("Seat", &more)).await), fields, "{more}");
    }
    let bare = rest.post(&path, json!({"name": "Seat"})).await;
    assert_eq!(faults(&bare), ["price.currency"]);
    for field in ["name", "price", "status"] {
        assert_eq!(faults(&rest.patch(&at, json!({field: null})).await), [field]);
    }
    assert_eq!(
        rest.post(&path, ticket_body("Seat", &json!({"pools": ["p"]}))).await.code(400),
        "INVALID_ARGUMENT"
    );
    let whole = rest.get(&at).await.expect(200)["ticket_type"].clone();
    assert_eq!((&whole["name"], &whole["etag"]), (&json!("Seat"), &json!("1.5")), "nothing was changed");
    assert_eq!((&whole["min_per_purchase"], &whole["max_per_purchase"]), (&json!(1), &json!(10)));
}

async fn availability_is_that_of_the_smallest_pool(kind: Kind) {
    let (_home, _host, rest) = on(kind).await;
    let event = event(&rest, "Night", json!({"status": "active"})).await;
    let path = format!("/v1/events/{event}/tickets");
    let bounded = ticket_type(&rest, &event, json!({"quantity": 100})).await;
    let open = ticket_type(&rest, &event, json!({})).await;
    let available = async || {
        let listed = rest.get(&path).await;
        let types = listed.expect(200)["ticket_types"].as_array().unwrap().clone();
        assert_eq!((&types[0]["id"], &types[1]["id"]), (&json!(bounded), &json!(open)), "oldest first");
        types.iter().map(|ticket_type| ticket_type["available_quantity"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(available().await, [json!(100), Value::Null]);
    done(&rest.patch(&format!("/v1/events/{event}"), json!({"max_capacity": 60})).await);
    assert_eq!(available().await, [json!(60), json!(60)]);
    let answer = rest.get(&format!("{path}/{bounded}")).await;
    assert_eq!(answer.expect(200)["ticket_type"]["quantity"], 100, "what was written stays");
    let changed = rest.patch(&format!("{path}/{bounded}"), json!({"quantity": 40})).await;
    assert_eq!(done(&changed)["ticket_type"]["available_quantity"], 40);
    assert_eq!(available().await, [json!(40), json!(60)]);
    done(&rest.patch(&format!("{path}/{bounded}"), json!({"quantity": null})).await);
    assert_eq!(available().await, [json!(60), json!(60)]);
    let facts = format!("/v1/audit?filter=event:{event}%20kind:pool");
    until(&rest, &facts, |answer| answer.expect(200)["facts"].as_array().unwrap().len() == 3).await;
}

async fn a_ticket_type_belongs_to_one_event(kind: Kind) {
    let (_home, _host, rest) = on(kind).await;
    let (one, other) = (event(&rest, "One", json!({})).await, event(&rest, "Other", json!({})).await);
    let id = ticket_type(&rest, &one, json!({"metadata": {"door": "north"}})).await;
    let wrong = format!("/v1/events/{other}/tickets/{id}");
    assert_eq!(rest.get(&wrong).await.code(404), "TICKET_TYPE_NOT_FOUND");
    assert_eq!(rest.patch(&wrong, json!({"name": "x"})).await.code(404), "TICKET_TYPE_NOT_FOUND");
    assert_eq!(rest.put(&wrong, ticket_body("x", &json!({}))).await.code(404), "TICKET_TYPE_NOT_FOUND");
    assert_eq!(rest.delete(&wrong).await.code(404), "TICKET_TYPE_NOT_FOUND");
    let right = format!("/v1/events/{one}/tickets/{id}");
    let whole = rest.get(&right).await.expect(200)["ticket_type"].clone();
    assert_eq!((&whole["name"], &whole["metadata"]), (&json!("Seat"), &json!({"door": "north"})));
    assert_eq!(rest.get(&format!("/v1/tickets/types/{id}")).await.expect(200)["ticket_type"], whole);
    let listed = rest.get(&format!("/v1/tickets/types?event_id={one}")).await;
    assert_eq!(listed.expect(200)["ticket_types"], json!([whole]));
    assert_eq!(rest.get("/v1/tickets/types?event_id=x").await.code(400), "INVALID_ARGUMENT");
    assert_eq!(rest.get(&format!("/v1/events/{other}/tickets")).await.expect(200)["ticket_types"], json!([]));
    done(&rest.delete(&right).await);
    assert_eq!(rest.get(&right).await.code(404), "TICKET_TYPE_NOT_FOUND");
    let again = ticket_type(&rest, &one, json!({})).await;
    done(&rest.delete(&format!("/v1/events/{one}")).await);
    for path in [format!("/v1/events/{one}/tickets"), format!("/v1/tickets/types/{again}")] {
        assert_eq!(rest.get(&path).await.status.as_u16(), 404, "{path}");
    }
}
