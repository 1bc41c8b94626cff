//! Queues before sales over the API: order of entry, limit of active bookings, outcome of each booking.

mod cancellation;
mod failures;
mod rights;
mod streams;
mod trials;

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::harness::{Answer, Kind, Rest};
use crate::reservations::{counts, create, id as reserved, reserve, show};
use crate::tracker::{done, faults, memory, on, on_every_store};

on_every_store! {
    bookings_become_active_in_order_of_entry
    at_most_max_active_bookings_are_active
    booking_with_lines_is_reserved_automatically
    required_queue_refuses_reservations_without_an_active_booking
    buyer_has_at_most_one_booking_in_a_queue
    the_bookings_of_a_cancelled_event_end_within_two_seconds
}

/// Longest wait for a booking to reach an expected state.
const SOON: Duration = Duration::from_secs(5);

/// Sets the terms of a queue.
async fn set(rest: &Rest, event: &str, max_active: u32, required: bool) -> Answer {
    let terms = json!({"max_active": max_active, "active_seconds": 600, "required": required});
    rest.put(&format!("/v1/events/{event}/queue"), terms).await
}

async fn enqueue(rest: &Rest, event: &str, buyer: &str, more: Value) -> Answer {
    let mut body = json!({"user_id": buyer});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    rest.post(&format!("/v1/events/{event}/queue"), body).await
}

/// Enters the queue; returns the id of the booking.
async fn enter_queue(rest: &Rest, event: &str, buyer: &str, more: Value) -> String {
    let answer = enqueue(rest, event, buyer, more).await;
    answer.expect(201)["booking"]["id"].as_str().unwrap().to_owned()
}

/// The body of a booking with one line.
fn lines((_, ticket_type): &(String, String), quantity: u32) -> Value {
    json!({"lines": [{"ticket_type_id": ticket_type, "quantity": quantity}]})
}

async fn booking(rest: &Rest, id: &str) -> Value {
    rest.get(&format!("/v1/bookings/{id}")).await.expect(200)["booking"].clone()
}

async fn places(rest: &Rest, ids: &[String]) -> Vec<Value> {
    let mut places = Vec::new();
    for id in ids {
        places.push(booking(rest, id).await["position"].clone());
    }
    places
}

fn time_of(object: &Value, name: &str) -> OffsetDateTime {
    OffsetDateTime::parse(object[name].as_str().unwrap(), &Rfc3339).unwrap()
}

/// Waits until a booking is in a state, and returns it.
async fn until(rest: &Rest, id: &str, state: &str, at_most: Duration) -> Value {
    let start = Instant::now();
    loop {
        let booking = booking(rest, id).await;
        if booking["state"] == state {
            return booking;
        }
        assert!(start.elapsed() < at_most, "it is not {state}: {booking:#}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn cancel(rest: &Rest, id: &str) -> Answer {
    rest.delete(&format!("/v1/bookings/{id}")).await
}

async fn status(rest: &Rest, event: &str) -> Value {
    rest.get(&format!("/v1/events/{event}/queue")).await.expect(200).clone()
}

async fn bookings_become_active_in_order_of_entry(kind: Kind) {
    let (_home, _host, rest) = on(kind).await;
    let show = show(&rest, 5, json!({})).await;
    done(&set(&rest, &show.0, 1, false).await);
    let first = enqueue(&rest, &show.0, "ann", json!({"timeout_seconds": 90})).await;
    let ann = first.expect(201)["booking"].clone();
    assert_eq!((&ann["state"], &ann["position"]), (&json!("waiting"), &json!(1)));
    let path = format!("/v1/bookings/{}", ann["id"].as_str().unwrap());
    assert_eq!(first.headers["location"], path);
    assert_eq!(ann["timeout_seconds"], 90);
    let ann = ann["id"].as_str().unwrap().to_owned();
    let served = until(&rest, &ann, "active", SOON).await;
    assert!(time_of(&served, "active_at") >= time_of(&served, "entered_at"), "{served:#}");
    let span = time_of(&served, "active_until") - time_of(&served, "active_at");
    assert_eq!(span, Duration::from_secs(600));
    assert_eq!(served["position"], Value::Null);
    let mut waiting = Vec::new();
    for buyer in ["ben", "cem", "dia"] {
        waiting.push(enter_queue(&rest, &show.0, buyer, json!({})).await);
    }
    assert_eq!(places(&rest, &waiting).await, [1, 2, 3]);
    let queue = status(&rest, &show.0).await;
    assert_eq!(
        (&queue["waiting"], &queue["active"], &queue["max_active"]),
        (&json!(3), &json!(1), &json!(1))
    );
    // A cancelled booking lets the next one in, and the others move up.
    let tag = rest.get(&format!("/v1/bookings/{}", waiting[1])).await.headers["etag"].clone();
    let gone = cancel(&rest, &ann).await;
    assert_eq!(done(&gone)["booking"]["state"], "cancelled");
    until(&rest, &waiting[0], "active", SOON).await;
    assert_eq!(places(&rest, &waiting).await, [Value::Null, json!(1), json!(2)]);
    let request = rest.request(Method::GET, &format!("/v1/bookings/{}", waiting[1]));
    let moved = rest.send(request.header("if-none-match", tag)).await;
    assert_eq!(moved.expect(200)["booking"]["position"], 1);
    // A reservation ends the booking and lets the next one in.
    let reservation = reserved(&reserve(&rest, &show, "ben", 2).await);
    let ben = until(&rest, &waiting[0], "done", SOON).await;
    assert_eq!(ben["reservation_id"], reservation);
    until(&rest, &waiting[1], "active", SOON).await;
    assert_eq!(places(&rest, &waiting[2..]).await, [1]);
    assert_eq!(cancel(&rest, &waiting[0]).await.code(409), "TRANSITION_NOT_ALLOWED");
    assert_eq!(cancel(&rest, &ann).await.code(409), "TRANSITION_NOT_ALLOWED");
    let stale = rest.request(Method::DELETE, &format!("/v1/bookings/{}", waiting[2]));
    assert_eq!(rest.send(stale.header("if-match", "\"7\"")).await.code(412), "VERSION_MISMATCH");
    // A waiting booking can be cancelled too.
    done(&cancel(&rest, &waiting[2]).await);
    let queue = status(&rest, &show.0).await;
    assert_eq!((&queue["waiting"], &queue["active"]), (&json!(0), &json!(1)));
}

async fn at_most_max_active_bookings_are_active(kind: Kind) {
    let (_home, _host, rest) = on(kind).await;
    let (event, _) = show(&rest, 20, json!({})).await;
    done(&set(&rest, &event, 3, false).await);
    let mut all = Vec::new();
    for buyer in 0..8 {
        all.push(enter_queue(&rest, &event, &format!("b{buyer}"), json!({})).await);
    }
    let expect_active = async |count: usize| {
        for id in &all[..count] {
            until(&rest, id, "active", SOON).await;
        }
        // Longer than the interval of the queue worker.
        tokio::time::sleep(Duration::from_millis(900)).await;
        let queue = status(&rest, &event).await;
        assert_eq!((&queue["active"], &queue["waiting"]), (&json!(count), &json!(8 - count)), "{queue:#}");
    };
    expect_active(3).await;
    done(&set(&rest, &event, 5, false).await);
    expect_active(5).await;
    // A lower limit ends no active booking.
    done(&set(&rest, &event, 1, false).await);
    expect_active(5).await;
    done(&cancel(&rest, &all[0]).await);
    tokio::time::sleep(Duration::from_millis(900)).await;
    assert_eq!(booking(&rest, &all[5]).await["position"], 1);
}

async fn booking_with_lines_is_reserved_automatically(kind: Kind) {
    let (_home, _host, rest) = on(kind).await;
    let show = show(&rest, 5, json!({})).await;
    let mut body = lines(&show, 3);
    body["timeout_seconds"] = json!(120);
    let ann = enter_queue(&rest, &show.0, "ann", body).await;
    let booking = until(&rest, &ann, "done", SOON).await;
    assert_eq!(
        booking["lines"],
        json!([{"ticket_type_id": show.1, "quantity": 3, "seat_numbers": [], "pricing_category": ""}]),
        "{booking:#}"
    );
    let reservation = format!("/v1/reservations/{}", booking["reservation_id"].as_str().unwrap());
    let reservation = rest.get(&reservation).await.expect(200)["reservation"].clone();
    assert_eq!((&reservation["user_id"], &reservation["state"]), (&json!("ann"), &json!("held")));
    assert_eq!(reservation["tickets"].as_array().unwrap().len(), 3);
    let span = time_of(&reservation, "expires_at") - time_of(&reservation, "created_at");
    assert_eq!(span, Duration::from_secs(120));
    assert_eq!(counts(&rest, &show.0).await, [3, 0, 0]);
    // A booking is reserved whole or fails.
    let ben = enter_queue(&rest, &show.0, "ben", lines(&show, 3)).await;
    let failed = until(&rest, &ben, "failed", SOON).await;
    assert_eq!(failed["failure_reason"], "INVENTORY_EXHAUSTED", "{failed:#}");
    assert!(!failed["failure_message"].as_str().unwrap().is_empty());
    assert_eq!(failed["reservation_id"], Value::Null);
    let lost = json!({"lines": [{"ticket_type_id": uuid::Uuid::now_v7(), "quantity": 1}]});
    assert_eq!(enqueue(&rest, &show.0, "cem", lost).await.code(404), "TICKET_TYPE_NOT_FOUND");
    // A ticket type that is not on sale yet is accepted: it may be on sale at its turn.
    let later = json!({"name": "Later", "price": {"amount": 1, "currency": "EUR"}, "status": "inactive"});
    let later = create(&rest, &format!("/v1/events/{}/tickets", show.0), later, "ticket_type").await;
    let cem = enter_queue(&rest, &show.0, "cem", lines(&(show.0.clone(), later), 1)).await;
    assert_eq!(until(&rest, &cem, "failed", SOON).await["failure_reason"], "TICKET_TYPE_NOT_ON_SALE");
    assert_eq!(counts(&rest, &show.0).await, [3, 0, 0]);
    // A buyer may enter again after a failed booking.
    let again = enter_queue(&rest, &show.0, "ben", lines(&show, 2)).await;
    until(&rest, &again, "done", SOON).await;
    assert_eq!(counts(&rest, &show.0).await, [5, 0, 0]);
}

async fn required_queue_refuses_reservations_without_an_active_booking(kind: Kind) {
    let (_home, _host, rest) = on(kind).await;
    let show = show(&rest, 9, json!({})).await;
    reserved(&reserve(&rest, &show, "dia", 1).await);
    let terms = set(&rest, &show.0, 1, true).await;
    assert_eq!(done(&terms)["required"], true);
    assert_eq!(reserve(&rest, &show, "ann", 1).await.code(409), "QUEUE_REQUIRED");
    let ann = enter_queue(&rest, &show.0, "ann", json!({})).await;
    until(&rest, &ann, "active", SOON).await;
    let ben = enter_queue(&rest, &show.0, "ben", json!({})).await;
    let cem = enter_queue(&rest, &show.0, "cem", lines(&show, 2)).await;
    assert_eq!(reserve(&rest, &show, "ben", 1).await.code(409), "QUEUE_REQUIRED");
    reserved(&reserve(&rest, &show, "ann", 1).await);
    until(&rest, &ann, "done", SOON).await;
    until(&rest, &ben, "active", SOON).await;
    reserved(&reserve(&rest, &show, "ben", 1).await);
    // The automatic reservation of an active booking is allowed.
    until(&rest, &cem, "done", SOON).await;
    assert_eq!(reserve(&rest, &show, "ann", 1).await.code(409), "QUEUE_REQUIRED");
    assert_eq!(counts(&rest, &show.0).await, [5, 0, 0]);
    let stale = rest.request(Method::PUT, &format!("/v1/events/{}/queue", show.0));
    let open = json!({"max_active": 1, "active_seconds": 600});
    let stale = rest.send(stale.header("if-match", "\"0\"").json(&open)).await;
    assert_eq!(stale.code(412), "VERSION_MISMATCH");
    let path = format!("/v1/events/{}/queue", show.0);
    let tag = rest.get(&path).await.headers["etag"].clone();
    let right = rest.send(rest.request(Method::PUT, &path).header("if-match", tag).json(&open)).await;
    assert_eq!(done(&right)["required"], false);
    reserved(&reserve(&rest, &show, "ann", 1).await);
}

async fn buyer_has_at_most_one_booking_in_a_queue(kind: Kind) {
    let (_home, host, rest) = on(kind).await;
    let (event, _) = show(&rest, 9, json!({})).await;
    done(&set(&rest, &event, 1, false).await);
    let ann = enter_queue(&rest, &event, "ann", json!({})).await;
    assert_eq!(enqueue(&rest, &event, "ann", json!({})).await.code(409), "BOOKING_EXISTS");
    until(&rest, &ann, "active", SOON).await;
    assert_eq!(enqueue(&rest, &event, "ann", json!({})).await.code(409), "BOOKING_EXISTS");
    done(&cancel(&rest, &ann).await);
    // Of concurrent requests of one buyer, one succeeds.
    let tasks: Vec<_> = (0..12)
        .map(|_| {
            let (rest, event) = (host.rest(), event.clone());
            tokio::spawn(async move { enqueue(&rest, &event, "ann", json!({})).await.status.as_u16() })
        })
        .collect();
    let mut statuses = Vec::new();
    for task in tasks {
        statuses.push(task.await.unwrap());
    }
    statuses.sort_unstable();
    assert_eq!((statuses[0], &statuses[1..]), (201, &[409; 11][..]));
    // A repeat gets the first answer.
    let repeat = async || {
        let request = rest.request(Method::POST, &format!("/v1/events/{event}/queue"));
        rest.send(request.header("idempotency-key", "k-1").json(&json!({"user_id": "ben"}))).await
    };
    let (first, again) = (repeat().await, repeat().await);
    assert_eq!(first.expect(201)["booking"]["id"], again.expect(201)["booking"]["id"]);
    assert_eq!(again.headers["idempotency-replayed"], "true");
}

async fn the_bookings_of_a_cancelled_event_end_within_two_seconds(kind: Kind) {
    let (_home, _host, rest) = on(kind).await;
    let (event, _) = show(&rest, 9, json!({})).await;
    done(&set(&rest, &event, 1, false).await);
    let ann = enter_queue(&rest, &event, "ann", json!({})).await;
    let ben = enter_queue(&rest, &event, "ben", json!({})).await;
    until(&rest, &ann, "active", SOON).await;
    let cancelled = rest.patch(&format!("/v1/events/{event}"), json!({"status": "cancelled"})).await;
    let cancelled = time_of(&done(&cancelled)["event"], "updated_at");
    for id in [&ann, &ben] {
        let ended = until(&rest, id, "failed", SOON).await;
        // Both times are of the host's clock.
        assert!(time_of(&ended, "updated_at") - cancelled < Duration::from_secs(2), "{ended:#}");
        assert_eq!(ended["failure_reason"], "EVENT_NOT_ON_SALE");
        assert_eq!(ended["position"], Value::Null);
    }
    assert_eq!(enqueue(&rest, &event, "cem", json!({})).await.code(409), "EVENT_NOT_ON_SALE");
    // The event can be deleted.
    done(&rest.delete(&format!("/v1/events/{event}")).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn unused_turn_expires_and_the_next_booking_becomes_active() {
    let (_home, _host, rest) = memory().await;
    let show = show(&rest, 9, json!({})).await;
    let terms = json!({"max_active": 1, "active_seconds": 10, "required": true});
    done(&rest.put(&format!("/v1/events/{}/queue", show.0), terms).await);
    let ann = enter_queue(&rest, &show.0, "ann", json!({})).await;
    until(&rest, &ann, "active", SOON).await;
    let ben = enter_queue(&rest, &show.0, "ben", json!({})).await;
    let late = until(&rest, &ann, "expired", Duration::from_secs(13)).await;
    let span = time_of(&late, "updated_at") - time_of(&late, "active_at");
    assert!(span >= Duration::from_secs(10), "it ended early: {late:#}");
    until(&rest, &ben, "active", SOON).await;
    assert_eq!(reserve(&rest, &show, "ann", 1).await.code(409), "QUEUE_REQUIRED");
    reserved(&reserve(&rest, &show, "ben", 1).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn booking_with_lines_of_a_hidden_ticket_type_is_refused() {
    let (_home, _host, rest) = memory().await;
    let (event, open) = show(&rest, 5, json!({})).await;
    let hidden = json!({"name": "Backstage", "price": {"amount": 5_000, "currency": "EUR"}, "hidden": true});
    let hidden = create(&rest, &format!("/v1/events/{event}/tickets"), hidden, "ticket_type").await;
    let body = json!({"lines": [
        {"ticket_type_id": open, "quantity": 1}, {"ticket_type_id": hidden, "quantity": 1},
    ]});
    let refused = enqueue(&rest, &event, "ann", body).await;
    assert_eq!(refused.code(409), "ACCESS_CODE_REQUIRED");
    assert_eq!(refused.body["violations"][0]["field"], "lines[1].ticket_type_id");
    // Without lines, the buyer reserves with a code.
    enter_queue(&rest, &event, "ann", json!({})).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn invalid_booking_names_its_field() {
    let (_home, _host, rest) = memory().await;
    let (event, ticket_type) = show(&rest, 5, json!({})).await;
    for (more, field) in [
        (json!({"user_id": ""}), "user_id"),
        (json!({"timeout_seconds": -1}), "timeout_seconds"),
        (json!({"lines": [{"ticket_type_id": ticket_type, "quantity": 0}]}), "lines[0].quantity"),
        (
            json!({"lines": [{"ticket_type_id": ticket_type, "quantity": 1, "seat_numbers": ["A1", "A2"]}]}),
            "lines[0].seat_numbers",
        ),
        // A booking that could never be reserved is refused at once.
        (json!({"timeout_seconds": 5}), "timeout_seconds"),
        (json!({"lines": [{"ticket_type_id": ticket_type, "quantity": 11}]}), "lines[0].quantity"),
        (
            json!({"lines": [{"ticket_type_id": ticket_type, "quantity": 6}, {"ticket_type_id": ticket_type, "quantity": 5}]}),
            "lines[0].quantity",
        ),
        (
            json!({"lines": [{"ticket_type_id": ticket_type, "quantity": 1, "seat_numbers": ["A1"]}]}),
            "lines[0].seat_numbers",
        ),
    ] {
        assert_eq!(faults(&enqueue(&rest, &event, "ann", more).await), [field]);
    }
    let elsewhere = show(&rest, 5, json!({})).await;
    assert_eq!(enqueue(&rest, &event, "ann", lines(&elsewhere, 1)).await.code(404), "TICKET_TYPE_NOT_FOUND");
    let malformed = json!({"lines": [{"ticket_type_id": "x", "quantity": 1}]});
    let malformed = enqueue(&rest, &event, "ann", malformed).await;
    assert_eq!(malformed.expect(400)["violations"][0]["field"], "lines[0].ticket_type_id");
    let path = format!("/v1/events/{event}/queue");
    for (max_active, seconds, fields) in [
        (0, 9, &["max_active", "active_seconds"][..]),
        (10_001, 60, &["max_active"]),
        (1, 3_601, &["active_seconds"]),
        (-1, 60, &["max_active"]),
    ] {
        let terms = json!({"max_active": max_active, "active_seconds": seconds});
        assert_eq!(faults(&rest.put(&path, terms).await), fields);
    }
    let usual = status(&rest, &event).await;
    assert_eq!((&usual["max_active"], &usual["required"]), (&json!(100), &json!(false)));
    let (draft, _) = show(&rest, 5, json!({"status": "draft"})).await;
    assert_eq!(enqueue(&rest, &draft, "ann", json!({})).await.code(409), "EVENT_NOT_ON_SALE");
    let absent = uuid::Uuid::now_v7().to_string();
    assert_eq!(enqueue(&rest, &absent, "ann", json!({})).await.code(404), "EVENT_NOT_FOUND");
}
