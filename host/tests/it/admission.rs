//! Tickets and check-ins over the API: issue, transfer, cancellation and validation.

mod codes;
mod documents;
mod door;
mod offline;
mod public_tickets;
mod reentry;

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Answer, Kind, Rest};
use crate::reservations::{counts, id as reserved, reserve, show};
use crate::tracker::{all_pages, done, memory, on, on_every_store, until};

on_every_store! {
    a_sale_issues_tickets_with_codes
    unused_ticket_can_be_transferred
    cancelled_ticket_is_void_and_restocked_on_request
    a_cancelled_event_cancels_its_tickets
}

/// A confirmed reservation and its tickets.
struct Sold {
    event: String,
    ticket_type: String,
    reservation: String,
    /// The tickets with their codes, as a seller reads them.
    tickets: Vec<Value>,
}

impl Sold {
    /// Returns the id of a ticket.
    fn id(&self, place: usize) -> &str {
        self.tickets[place]["id"].as_str().unwrap()
    }

    /// Returns the code of a ticket.
    fn code(&self, place: usize) -> &str {
        self.tickets[place]["code"].as_str().unwrap()
    }
}

/// Creates an event with ten units and sells `quantity` of them. `more` is merged into the event.
async fn sold(rest: &Rest, quantity: u32, more: Value) -> Sold {
    let show = show(rest, 10, more).await;
    buy(rest, &show, "ann", quantity).await
}

/// Reserves and confirms units of a ticket type.
async fn buy(rest: &Rest, show: &(String, String), buyer: &str, quantity: u32) -> Sold {
    let reservation = reserved(&reserve(rest, show, buyer, quantity).await);
    let confirm = format!("/v1/reservations/{reservation}:confirm");
    let confirmed = rest.post(&confirm, json!({"payment_reference": "p-1"})).await;
    let units = done(&confirmed)["reservation"]["tickets"].as_array().unwrap().clone();
    let mut tickets = Vec::new();
    for unit in &units {
        tickets.push(ticket(rest, unit["id"].as_str().unwrap()).await);
    }
    let (event, ticket_type) = show.clone();
    Sold { event, ticket_type, reservation, tickets }
}

/// Reads a ticket.
async fn ticket(rest: &Rest, id: &str) -> Value {
    rest.get(&format!("/v1/tickets/{id}")).await.expect(200)["ticket"].clone()
}

/// Checks a ticket in at a gate. `scan` is merged into the request.
async fn check_in(rest: &Rest, event: &str, gate: &str, scan: Value) -> Answer {
    let mut body = json!({"gate": gate});
    body.as_object_mut().unwrap().extend(scan.as_object().unwrap().clone());
    rest.post(&format!("/v1/events/{event}/check-ins"), body).await
}

/// Validates a ticket: whether it is valid, and the reason if it is not.
async fn validate(rest: &Rest, event: &str, scan: Value) -> (bool, String) {
    let answer = rest.post(&format!("/v1/events/{event}/check-ins:validate"), scan).await;
    let body = done(&answer);
    (body["valid"].as_bool().unwrap(), body["reason"].as_str().unwrap().to_owned())
}

async fn a_sale_issues_tickets_with_codes(kind: Kind) {
    let (_home, _host, rest) = on(kind).await;
    let sold = sold(&rest, 3, json!({})).await;
    for ticket in &sold.tickets {
        assert_eq!(ticket["event_id"], sold.event.as_str());
        assert_eq!(ticket["reservation_id"], sold.reservation.as_str());
        assert_eq!(ticket["ticket_type_id"], sold.ticket_type.as_str());
        assert_eq!((&ticket["holder"], &ticket["state"]), (&json!("ann"), &json!("valid")));
        assert_eq!(ticket["price"], json!({"amount": 1250, "currency": "EUR"}));
        assert_eq!((&ticket["serial"], &ticket["entries"]), (&json!(1), &json!(0)));
        assert_eq!(ticket["code"].as_str().unwrap().len(), 136);
    }
    let path = format!("/v1/tickets?filter=reservation:{}%20state:valid", sold.reservation);
    let mut listed = all_pages(&rest, &path, "tickets", 2).await;
    listed.sort_by_key(|ticket| ticket["id"].to_string());
    let mut expected = sold.tickets.clone();
    expected.sort_by_key(|ticket| ticket["id"].to_string());
    assert_eq!(listed, expected);
    // A code admits its bearer, so viewers do not see codes.
    let viewer = rest.with_key(Some(&rest.new_key(&["viewer"], None).await));
    let redacted = ticket(&viewer, sold.id(0)).await;
    assert_eq!((&redacted["code"], &redacted["holder"]), (&Value::Null, &json!("ann")));
    let listed = viewer.get(&path).await;
    assert!(done(&listed)["tickets"].as_array().unwrap().iter().all(|ticket| ticket["code"].is_null()));
    let gate = rest.with_key(Some(&rest.new_key(&["gate"], None).await));
    assert_eq!(gate.get(&format!("/v1/tickets/{}", sold.id(0))).await.code(403), "PERMISSION_DENIED");
    assert_eq!(validate(&gate, &sold.event, json!({"ticket_id": sold.id(0)})).await, (true, String::new()));
}

async fn unused_ticket_can_be_transferred(kind: Kind) {
    let (_home, _host, rest) = on(kind).await;
    let sold = sold(&rest, 2, json!({})).await;
    let (event, path) = (sold.event.as_str(), format!("/v1/tickets/{}:transfer", sold.id(0)));
    let stale = rest.request(Method::POST, &path).header("if-match", "\"7\"");
    assert_eq!(rest.send(stale.json(&json!({"holder": "ben"}))).await.code(412), "VERSION_MISMATCH");
    let etag = sold.tickets[0]["etag"].as_str().unwrap();
    let fresh = rest.request(Method::POST, &path).header("if-match", format!("\"{etag}\""));
    let moved = rest.send(fresh.json(&json!({"holder": "ben"}))).await;
    let moved = done(&moved)["ticket"].clone();
    assert_eq!((&moved["holder"], &moved["serial"]), (&json!("ben"), &json!(2)));
    let code = moved["code"].as_str().unwrap();
    assert_ne!(code, sold.code(0));
    let former = check_in(&rest, event, "North", json!({"qr_code": sold.code(0)})).await;
    assert_eq!(former.code(409), "CODE_REVOKED");
    assert_eq!(
        validate(&rest, event, json!({"qr_code": sold.code(0)})).await,
        (false, "CODE_REVOKED".to_owned())
    );
    let revoked = rest.get(&format!("/v1/events/{event}/revoked-codes")).await;
    let revoked = done(&revoked)["revoked_codes"].as_array().unwrap().clone();
    assert_eq!(revoked.len(), 1, "{revoked:#?}");
    assert_eq!((&revoked[0]["ticket_id"], &revoked[0]["good_serial"]), (&json!(sold.id(0)), &json!(2)));
    done(&check_in(&rest, event, "North", json!({"qr_code": code})).await);
    assert_eq!(rest.post(&path, json!({"holder": "cat"})).await.code(409), "TICKET_USED");
    done(&check_in(&rest, event, "North", json!({"qr_code": sold.code(1)})).await);
}

async fn cancelled_ticket_is_void_and_restocked_on_request(kind: Kind) {
    let (_home, _host, rest) = on(kind).await;
    let show = show(&rest, 4, json!({"buyer_limit": 2})).await;
    let sold = buy(&rest, &show, "ann", 2).await;
    let left = async || {
        let answer = rest.get(&format!("/v1/tickets/types/{}", show.1)).await;
        done(&answer)["ticket_type"]["available_quantity"].as_u64().unwrap()
    };
    assert_eq!(left().await, 2);
    assert_eq!(reserve(&rest, &show, "ann", 1).await.code(409), "BUYER_LIMIT_REACHED");
    // Without `restock` only the buyer's limit is freed, not the unit.
    let path = format!("/v1/tickets/{}:cancel", sold.id(0));
    let cancelled = rest.send(rest.request(Method::POST, &path)).await;
    let cancelled = &done(&cancelled)["ticket"];
    assert_eq!((&cancelled["state"], &cancelled["code"]), (&json!("cancelled"), &Value::Null));
    assert!(cancelled["cancelled_at"].is_string());
    assert_eq!((left().await, counts(&rest, &show.0).await), (2, [0, 2, 0]));
    let again = reserve(&rest, &show, "ann", 1).await;
    let again = format!("/v1/reservations/{}:release", reserved(&again));
    done(&rest.post(&again, json!({})).await);
    let other = format!("/v1/tickets/{}:cancel", sold.id(1));
    done(&rest.post(&other, json!({"restock": true})).await);
    assert_eq!((left().await, counts(&rest, &show.0).await), (3, [0, 1, 0]));
    assert_eq!(rest.post(&other, json!({"restock": true})).await.code(409), "TICKET_CANCELLED");
    assert_eq!((left().await, counts(&rest, &show.0).await), (3, [0, 1, 0]));
    for place in [0, 1] {
        let answer = check_in(&rest, &show.0, "North", json!({"qr_code": sold.code(place)})).await;
        assert_eq!(answer.code(409), "TICKET_CANCELLED");
    }
    let revoked = rest.get(&format!("/v1/events/{}/revoked-codes?page_size=1", show.0)).await;
    let first = &done(&revoked)["revoked_codes"][0];
    assert_eq!((&first["ticket_id"], &first["good_serial"]), (&json!(sold.id(0)), &Value::Null));
    assert!(!revoked.body["next_page_token"].as_str().unwrap().is_empty());
    let moved = rest.post(&format!("/v1/tickets/{}:transfer", sold.id(0)), json!({"holder": "ben"})).await;
    assert_eq!(moved.code(409), "TICKET_CANCELLED");
}

async fn a_cancelled_event_cancels_its_tickets(kind: Kind) {
    let (_home, _host, rest) = on(kind).await;
    let sold = sold(&rest, 3, json!({})).await;
    done(&rest.patch(&format!("/v1/events/{}", sold.event), json!({"status": "cancelled"})).await);
    let start = Instant::now();
    let answer = check_in(&rest, &sold.event, "North", json!({"qr_code": sold.code(0)})).await;
    assert_eq!(answer.code(409), "EVENT_CANCELLED");
    let path = format!("/v1/tickets?filter=event:{}%20state:cancelled", sold.event);
    until(&rest, &path, |answer| answer.body["tickets"].as_array().is_some_and(|tickets| tickets.len() == 3))
        .await;
    assert!(start.elapsed() < Duration::from_secs(3), "it took {:?}", start.elapsed());
    assert_eq!(ticket(&rest, sold.id(0)).await["code"], Value::Null);
    let verdict = validate(&rest, &sold.event, json!({"ticket_id": sold.id(0)})).await;
    assert_eq!(verdict, (false, "EVENT_CANCELLED".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn ticket_with_matching_etag_is_not_modified() {
    let (_home, _host, rest) = memory().await;
    let sold = sold(&rest, 1, json!({})).await;
    let path = format!("/v1/tickets/{}", sold.id(0));
    let tag = rest.get(&path).await.headers["etag"].to_str().unwrap().to_owned();
    let again = async || rest.send(rest.request(Method::GET, &path).header("if-none-match", &tag)).await;
    assert_eq!(again().await.status.as_u16(), 304);
    // A new signing key changes the code, but not the ticket.
    done(&rest.send(rest.request(Method::POST, "/v1/signing-keys:rotate")).await);
    let changed = again().await;
    assert_ne!(done(&changed)["ticket"]["code"], sold.code(0));
    let alias = rest.get(&format!("/tickets/{}", sold.id(0))).await;
    assert_eq!(alias.body, changed.body);
}
