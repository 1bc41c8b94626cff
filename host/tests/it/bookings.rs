//! Queues before sales as a client meets them: the order of arrival, how many are served, and what becomes of a place.

mod cancellation;
mod rights;
mod streams;
mod trials;

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::harness::{Answer, Kind, Rest};
use crate::reservations::{counts, id as reserved, made, reserve, show};
use crate::tracker::{done, faults, memory, on, on_every_store};

on_every_store! {
    bookings_become_active_in_order_of_entry
    at_most_max_active_bookings_are_active
    booking_with_lines_is_reserved_automatically
    required_queue_refuses_reservations_without_an_active_booking
    buyer_has_at_most_one_booking_in_a_queue
    the_bookings_of_a_cancelled_event_end_within_two_seconds
}

/// Within this a booking must have got where it goes.
const SOON: Duration = Duration::from_secs(5);

/// Sets the terms of a queue.
async fn set(rest: &Rest, event: &str, served: u32, required: bool) -> Answer {
    let terms = json!({"max_active": served, "active_seconds": 600, "required": required});
    rest.put(&format!("/v1/events/{event}/queue"), terms).await
}

async fn enqueue(rest: &Rest, event: &str, buyer: &str, more: Value) -> Answer {
    let mut body = json!({"user_id": buyer});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    rest.post(&format!("/v1/events/{event}/queue"), body).await
}

/// The id of a new booking.
async fn entered(rest: &Rest, event: &str, buyer: &str, more: Value) -> String {
    let answer = enqueue(rest, event, buyer, more).await;
    answer.expect(201)["booking"]["id"].as_str().unwrap().to_owned()
}

/// One line of a booking.
fn wants((_, ticket_type): &(String, String), quantity: u32) -> Value {
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

fn time_of(held: &Value, name: &str) -> OffsetDateTime {
    OffsetDateTime::parse(held[name].as_str().unwrap(), &Rfc3339).unwrap()
}

/// The booking, once it is in that state.
async fn until(rest: &Rest, id: &str, state: &str, at_most: Duration) -> Value {
    let begun = Instant::now();
    loop {
        let held = booking(rest, id).await;
        if held["state"] == state {
            return held;
        }
        assert!(begun.elapsed() < at_most, "it is not {state}: {held:#}");
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
    let kept = time_of(&served, "active_until") - time_of(&served, "active_at");
    assert_eq!(kept, Duration::from_secs(600));
    assert_eq!(served["position"], Value::Null);
    let mut waiting = Vec::new();
    for buyer in ["ben", "cem", "dia"] {
        waiting.push(entered(&rest, &show.0, buyer, json!({})).await);
    }
    assert_eq!(places(&rest, &waiting).await, [1, 2, 3]);
    let held = status(&rest, &show.0).await;
    assert_eq!((&held["waiting"], &held["active"], &held["max_active"]), (&json!(3), &json!(1), &json!(1)));
    // One leaves: the next is served, and the others move up.
    let tag = rest.get(&format!("/v1/bookings/{}", waiting[1])).await.headers["etag"].clone();
    let gone = cancel(&rest, &ann).await;
    assert_eq!(done(&gone)["booking"]["state"], "cancelled");
    until(&rest, &waiting[0], "active", SOON).await;
    assert_eq!(places(&rest, &waiting).await, [Value::Null, json!(1), json!(2)]);
    let asked = rest.request(Method::GET, &format!("/v1/bookings/{}", waiting[1]));
    let moved = rest.send(asked.header("if-none-match", tag)).await;
    assert_eq!(moved.expect(200)["booking"]["position"], 1);
    // One reserves: its place is another's.
    let reservation = reserved(&reserve(&rest, &show, "ben", 2).await);
    let ben = until(&rest, &waiting[0], "done", SOON).await;
    assert_eq!(ben["reservation_id"], reservation);
    until(&rest, &waiting[1], "active", SOON).await;
    assert_eq!(places(&rest, &waiting[2..]).await, [1]);
    assert_eq!(cancel(&rest, &waiting[0]).await.code(409), "TRANSITION_NOT_ALLOWED");
    assert_eq!(cancel(&rest, &ann).await.code(409), "TRANSITION_NOT_ALLOWED");
    let stale = rest.request(Method::DELETE, &format!("/v1/bookings/{}", waiting[2]));
    assert_eq!(rest.send(stale.header("if-match", "\"7\"")).await.code(412), "VERSION_MISMATCH");
    // Who waits may leave as well.
    done(&cancel(&rest, &waiting[2]).await);
    let held = status(&rest, &show.0).await;
    assert_eq!((&held["waiting"], &held["active"]), (&json!(0), &json!(1)));
}

async fn at_most_max_active_bookings_are_active(kind: Kind) {
    let (_home, _host, rest) = on(kind).await;
    let (event, _) = show(&rest, 20, json!({})).await;
    done(&set(&rest, &event, 3, false).await);
    let mut all = Vec::new();
    for buyer in 0..8 {
        all.push(entered(&rest, &event, &format!("b{buyer}"), json!({})).await);
    }
    let served = async |count: usize| {
        for id in &all[..count] {
            until(&rest, id, "active", SOON).await;
        }
        // Longer than a host needs to look again.
        tokio::time::sleep(Duration::from_millis(900)).await;
        let held = status(&rest, &event).await;
        assert_eq!((&held["active"], &held["waiting"]), (&json!(count), &json!(8 - count)), "{held:#}");
    };
    served(3).await;
    done(&set(&rest, &event, 5, false).await);
    served(5).await;
    // Nobody who is served is sent away when fewer are to be.
    done(&set(&rest, &event, 1, false).await);
    served(5).await;
    done(&cancel(&rest, &all[0]).await);
    tokio::time::sleep(Duration::from_millis(900)).await;
    assert_eq!(booking(&rest, &all[5]).await["position"], 1);
}

async fn booking_with_lines_is_reserved_automatically(kind: Kind) {
    let (_home, _host, rest) = on(kind).await;
    let show = show(&rest, 5, json!({})).await;
    let mut wanted = wants(&show, 3);
    wanted["timeout_seconds"] = json!(120);
    let ann = entered(&rest, &show.0, "ann", wanted).await;
    let held = until(&rest, &ann, "done", SOON).await;
    assert_eq!(
        held["lines"],
        json!([{"ticket_type_id": show.1, "quantity": 3, "seat_numbers": []}]),
        "{held:#}"
    );
    let reservation = format!("/v1/reservations/{}", held["reservation_id"].as_str().unwrap());
    let reservation = rest.get(&reservation).await.expect(200)["reservation"].clone();
    assert_eq!((&reservation["user_id"], &reservation["state"]), (&json!("ann"), &json!("held")));
    assert_eq!(reservation["tickets"].as_array().unwrap().len(), 3);
    let kept = time_of(&reservation, "expires_at") - time_of(&reservation, "created_at");
    assert_eq!(kept, Duration::from_secs(120));
    assert_eq!(counts(&rest, &show.0).await, [3, 0, 0]);
    // All of it or nothing.
    let ben = entered(&rest, &show.0, "ben", wants(&show, 3)).await;
    let failed = until(&rest, &ben, "failed", SOON).await;
    assert_eq!(failed["failure_reason"], "INVENTORY_EXHAUSTED", "{failed:#}");
    assert!(!failed["failure_message"].as_str().unwrap().is_empty());
    assert_eq!(failed["reservation_id"], Value::Null);
    let lost = json!({"lines": [{"ticket_type_id": uuid::Uuid::now_v7(), "quantity": 1}]});
    assert_eq!(enqueue(&rest, &show.0, "cem", lost).await.code(404), "TICKET_TYPE_NOT_FOUND");
    // What is not sold yet may be when its turn comes.
    let later = json!({"name": "Later", "price": {"amount": 1, "currency": "EUR"}, "status": "inactive"});
    let later = made(&rest, &format!("/v1/events/{}/tickets", show.0), later, "ticket_type").await;
    let cem = entered(&rest, &show.0, "cem", wants(&(show.0.clone(), later), 1)).await;
    assert_eq!(until(&rest, &cem, "failed", SOON).await["failure_reason"], "TICKET_TYPE_NOT_ON_SALE");
    assert_eq!(counts(&rest, &show.0).await, [3, 0, 0]);
    // Who failed may come again.
    let again = entered(&rest, &show.0, "ben", wants(&show, 2)).await;
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
    let ann = entered(&rest, &show.0, "ann", json!({})).await;
    until(&rest, &ann, "active", SOON).await;
    let ben = entered(&rest, &show.0, "ben", json!({})).await;
    let cem = entered(&rest, &show.0, "cem", wants(&show, 2)).await;
    assert_eq!(reserve(&rest, &show, "ben", 1).await.code(409), "QUEUE_REQUIRED");
    reserved(&reserve(&rest, &show, "ann", 1).await);
    until(&rest, &ann, "done", SOON).await;
    until(&rest, &ben, "active", SOON).await;
    reserved(&reserve(&rest, &show, "ben", 1).await);
    // What the host reserves needs no other leave than the turn.
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
    let ann = entered(&rest, &event, "ann", json!({})).await;
    assert_eq!(enqueue(&rest, &event, "ann", json!({})).await.code(409), "BOOKING_EXISTS");
    until(&rest, &ann, "active", SOON).await;
    assert_eq!(enqueue(&rest, &event, "ann", json!({})).await.code(409), "BOOKING_EXISTS");
    done(&cancel(&rest, &ann).await);
    // Of many that come at once, one gets in.
    let tasks: Vec<_> = (0..12)
        .map(|_| {
            let (rest, event) = (host.rest(), event.clone());
            tokio::spawn(async move { enqueue(&rest, &event, "ann", json!({})).await.status.as_u16() })
        })
        .collect();
    let mut told = Vec::new();
    for task in tasks {
        told.push(task.await.unwrap());
    }
    told.sort_unstable();
    assert_eq!((told[0], &told[1..]), (201, &[409; 11][..]));
    // A repeat is told what the first was.
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
    let ann = entered(&rest, &event, "ann", json!({})).await;
    let ben = entered(&rest, &event, "ben", json!({})).await;
    until(&rest, &ann, "active", SOON).await;
    let cancelled = rest.patch(&format!("/v1/events/{event}"), json!({"status": "cancelled"})).await;
    let cancelled = time_of(&done(&cancelled)["event"], "updated_at");
    for id in [&ann, &ben] {
        let ended = until(&rest, id, "failed", SOON).await;
        // By the host's own clock.
        assert!(time_of(&ended, "updated_at") - cancelled < Duration::from_secs(2), "{ended:#}");
        assert_eq!(ended["failure_reason"], "EVENT_NOT_ON_SALE");
        assert_eq!(ended["position"], Value::Null);
    }
    assert_eq!(enqueue(&rest, &event, "cem", json!({})).await.code(409), "EVENT_NOT_ON_SALE");
    // Nothing hinders the end of the event.
    done(&rest.delete(&format!("/v1/events/{event}")).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn unused_turn_expires_and_the_next_booking_becomes_active() {
    let (_home, _host, rest) = memory().await;
    let show = show(&rest, 9, json!({})).await;
    let terms = json!({"max_active": 1, "active_seconds": 10, "required": true});
    done(&rest.put(&format!("/v1/events/{}/queue", show.0), terms).await);
    let ann = entered(&rest, &show.0, "ann", json!({})).await;
    until(&rest, &ann, "active", SOON).await;
    let ben = entered(&rest, &show.0, "ben", json!({})).await;
    let late = until(&rest, &ann, "expired", Duration::from_secs(13)).await;
    let served = time_of(&late, "updated_at") - time_of(&late, "active_at");
    assert!(served >= Duration::from_secs(10), "it ended early: {late:#}");
    until(&rest, &ben, "active", SOON).await;
    assert_eq!(reserve(&rest, &show, "ann", 1).await.code(409), "QUEUE_REQUIRED");
    reserved(&reserve(&rest, &show, "ben", 1).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn invalid_booking_names_its_field() {
    let (_home, _host, rest) = memory().await;
    let (event, held) = show(&rest, 5, json!({})).await;
    for (more, field) in [
        (json!({"user_id": ""}), "user_id"),
        (json!({"timeout_seconds": -1}), "timeout_seconds"),
        (json!({"lines": [{"ticket_type_id": held, "quantity": 0}]}), "lines[0].quantity"),
        (
            json!({"lines": [{"ticket_type_id": held, "quantity": 1, "seat_numbers": ["A1", "A2"]}]}),
            "lines[0].seat_numbers",
        ),
        // What could never be reserved does not wait for its turn.
        (json!({"timeout_seconds": 5}), "timeout_seconds"),
        (json!({"lines": [{"ticket_type_id": held, "quantity": 11}]}), "lines[0].quantity"),
        (
            json!({"lines": [{"ticket_type_id": held, "quantity": 6}, {"ticket_type_id": held, "quantity": 5}]}),
            "lines[0].quantity",
        ),
        (
            json!({"lines": [{"ticket_type_id": held, "quantity": 1, "seat_numbers": ["A1"]}]}),
            "lines[0].seat_numbers",
        ),
    ] {
        assert_eq!(faults(&enqueue(&rest, &event, "ann", more).await), [field]);
    }
    let elsewhere = show(&rest, 5, json!({})).await;
    assert_eq!(enqueue(&rest, &event, "ann", wants(&elsewhere, 1)).await.code(404), "TICKET_TYPE_NOT_FOUND");
    let unread = json!({"lines": [{"ticket_type_id": "x", "quantity": 1}]});
    let unread = enqueue(&rest, &event, "ann", unread).await;
    assert_eq!(unread.expect(400)["violations"][0]["field"], "lines[0].ticket_type_id");
    let path = format!("/v1/events/{event}/queue");
    for (served, seconds, fields) in [
        (0, 9, &["max_active", "active_seconds"][..]),
        (10_001, 60, &["max_active"]),
        (1, 3_601, &["active_seconds"]),
        (-1, 60, &["max_active"]),
    ] {
        let terms = json!({"max_active": served, "active_seconds": seconds});
        assert_eq!(faults(&rest.put(&path, terms).await), fields);
    }
    let usual = status(&rest, &event).await;
    assert_eq!((&usual["max_active"], &usual["required"]), (&json!(100), &json!(false)));
    let (draft, _) = show(&rest, 5, json!({"status": "draft"})).await;
    assert_eq!(enqueue(&rest, &draft, "ann", json!({})).await.code(409), "EVENT_NOT_ON_SALE");
    let absent = uuid::Uuid::now_v7().to_string();
    assert_eq!(enqueue(&rest, &absent, "ann", json!({})).await.code(404), "EVENT_NOT_FOUND");
}
