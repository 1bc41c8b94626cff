//! Queues before events' sales, and how long reservations are held.

use reqwest::Method;
use serde_json::json;

use super::{Row, delete, get, post, row};

const QUEUE: &str = "/v1/events/{event_id}/queue";
const BOOKING: &str = "/v1/bookings/{booking_id}";

pub(super) fn rows() -> Vec<Row> {
    [queue(), bookings(), holds()].concat()
}

fn queue() -> Vec<Row> {
    let terms = |served: i32| json!({"max_active": served, "active_seconds": 60, "required": true});
    let set = |served: i32| {
        let mut ask = terms(served);
        ask["event_id"] = json!("{event_id}");
        ask
    };
    vec![
        get(
            "queue.get",
            QUEUE,
            "ticket.v1.BookingService/GetQueueStatus",
            json!({"event_id": "{other_event_id}"}),
        )
        .at("/v1/events/{other_event_id}/queue"),
        row("queue.set", Method::PUT, QUEUE, terms(7), "ticket.v1.BookingService/SetQueue", set(7))
            .bad(terms(0), set(0)),
    ]
}

fn holds() -> Vec<Row> {
    let path = "/v1/hold-rules";
    let rules = |most: i32| json!({"hold_seconds": 400, "hold_max_seconds": most});
    let rpc = "ticket.v1.InventoryService/SetHoldRules";
    vec![
        get("hold_rules.get", path, "ticket.v1.InventoryService/GetHoldRules", json!({})),
        row("hold_rules.set", Method::PUT, path, rules(3_000), rpc, rules(3_000)).bad(rules(-1), rules(-1)),
    ]
}

fn bookings() -> Vec<Row> {
    let id = json!({"booking_id": "{booking_id}"});
    let wanted = |quantity: i32| {
        let lines = json!([{"ticket_type_id": "{seated_id}", "quantity": quantity, "seat_numbers": ["A8"]}]);
        json!({"user_id": "ann", "lines": lines, "timeout_seconds": 90})
    };
    let asked = |quantity: i32| {
        let mut ask = wanted(quantity);
        ask["event_id"] = json!("{other_event_id}");
        ask
    };
    vec![
        post("booking.create", QUEUE, wanted(1), "ticket.v1.BookingService/EnqueueBooking", asked(1))
            .at("/v1/events/{other_event_id}/queue")
            .bad(wanted(2), asked(2)),
        get("booking.get", BOOKING, "ticket.v1.BookingService/GetQueuePosition", id.clone()),
        get(
            "booking.stream",
            "/v1/bookings/{booking_id}/stream",
            "ticket.v1.BookingService/StreamQueuePosition",
            id.clone(),
        )
        .streaming(),
        delete("booking.cancel", BOOKING, "ticket.v1.BookingService/CancelQueueItem", id),
    ]
}
