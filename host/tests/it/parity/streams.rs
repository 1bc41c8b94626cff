//! Streams of gRPC: the first messages, and those after a change.

use std::time::Duration;

use prost_reflect::{DynamicMessage, ReflectMessage as _};
use serde_json::{Value, json};
use tonic::transport::Channel;

use super::Pair;
use crate::harness::{Grpc, Rest};
use crate::operations::Row;
use crate::operations::fixture::Fixture;
use crate::operations::rpc::{self, Messages};

/// Seats of the hall where more seats change than the host keeps.
const SEATS: u32 = 1_000;

/// How often all seats are taken and freed until no more messages fit between the host and a client that does not
/// read. About three fit.
const FILLING: u32 = 3;

/// How often all seats are taken and freed after that: more changes than the 10,000 that the host keeps.
const MISSED: u32 = 6;

/// The messages of a row's stream.
pub(super) async fn messages(pair: &Pair, row: &Row, fixture: &Fixture) -> Vec<DynamicMessage> {
    let rest = &pair.other;
    let request = fixture.fill_json(&row.ask);
    match row.id {
        // It is a stream of facts too.
        "stream.token" => Vec::new(),
        "fact.stream" => {
            let mut stream = open(&pair.grpc, row, &request).await;
            let first = next(&mut stream).await;
            rest.project(&fixture.fill("{name}-streamed")).await;
            vec![first, next_with(&mut stream, "fact").await]
        }
        "availability.stream" => {
            let first = next(&mut open(&pair.grpc, row, &request).await).await;
            let seats = taken_and_freed(pair, row, fixture).await;
            [first].into_iter().chain(seats).chain([missed_seats(pair, row, fixture).await]).collect()
        }
        _ => vec![next(&mut open(&pair.grpc, row, &request).await).await],
    }
}

/// The messages after a seat was taken, and after it was freed.
async fn taken_and_freed(pair: &Pair, row: &Row, fixture: &Fixture) -> [DynamicMessage; 2] {
    let event = fixture.fill("{other_event_id}");
    let mut stream = open(&pair.grpc, row, &json!({"event_id": event})).await;
    next(&mut stream).await;
    let reservation = reserve(&pair.other, &event, &fixture.fill("{seated_id}"), 1).await;
    let taken = next_with(&mut stream, "seats").await;
    release(&pair.other, &reservation).await;
    [taken, next_with(&mut stream, "seats").await]
}

/// The message to a client that did not read while more seats changed than the host keeps.
async fn missed_seats(pair: &Pair, row: &Row, fixture: &Fixture) -> DynamicMessage {
    let rest = &pair.other;
    let (event, ticket_type) = hall(rest, &fixture.fill("{name}-hall")).await;
    // So small that one message with many seats fills it.
    let channel = Channel::from_shared(format!("http://{}", pair.hosts[1].grpc)).unwrap();
    let channel = channel.initial_stream_window_size(1_024).connect().await.unwrap();
    let slow = Grpc { channel, key: pair.grpc.key.clone() };
    let request = json!({"event_id": event});
    let (mut stream, mut other) = (open(&slow, row, &request).await, open(&pair.grpc, row, &request).await);
    next(&mut stream).await;
    next(&mut other).await;
    for _ in 0..FILLING {
        // Each change is a message of its own.
        let reservation = reserve(rest, &event, &ticket_type, SEATS).await;
        next_with(&mut other, "seats").await;
        release(rest, &reservation).await;
        next_with(&mut other, "seats").await;
    }
    for _ in 0..MISSED {
        let reservation = reserve(rest, &event, &ticket_type, SEATS).await;
        release(rest, &reservation).await;
    }
    next_with(&mut stream, "seats_missed").await
}

/// Creates an event with many seats; returns it and its ticket type.
async fn hall(rest: &Rest, title: &str) -> (String, String) {
    let event = json!({
        "title": title, "category": "concert", "status": "active", "start_date": "2126-03-01T19:00:00Z",
        "end_date": "2126-03-01T22:00:00Z",
    });
    let event = id(rest.post("/v1/events", event).await.expect(201), "event");
    let price = json!({"amount": 100, "currency": "EUR"});
    let ticket_type = json!({"name": "Seat", "price": price, "max_per_purchase": SEATS});
    let ticket_type = rest.post(&format!("/v1/events/{event}/tickets"), ticket_type).await;
    let ticket_type = id(ticket_type.expect(201), "ticket_type");
    let seats: Vec<_> = (1..=SEATS).map(|number| json!({"row": "A", "number": number})).collect();
    let import = format!("/v1/tickets/types/{ticket_type}/seats");
    rest.post(&import, json!({"seats": seats})).await.expect(200);
    (event, ticket_type)
}

async fn reserve(rest: &Rest, event: &str, ticket_type: &str, quantity: u32) -> String {
    let request = json!({
        "event_id": event, "ticket_type_id": ticket_type, "quantity": quantity, "user_id": "guest",
    });
    id(rest.post("/v1/reservations", request).await.expect(201), "reservation")
}

async fn release(rest: &Rest, reservation: &str) {
    rest.post(&format!("/v1/reservations/{reservation}:release"), json!({})).await.expect(200);
}

fn id(body: &Value, object: &str) -> String {
    body[object]["id"].as_str().unwrap().to_owned()
}

async fn open(grpc: &Grpc, row: &Row, request: &Value) -> Messages {
    rpc::open(grpc, row.rpc, request).await.unwrap()
}

async fn next(stream: &mut Messages) -> DynamicMessage {
    let message = tokio::time::timeout(Duration::from_secs(20), stream.next()).await;
    message.expect("no message arrives").unwrap().expect("the stream ended")
}

/// The next message in which a field is set.
async fn next_with(stream: &mut Messages, field: &str) -> DynamicMessage {
    loop {
        let message = next(stream).await;
        let descriptor = message.descriptor().get_field_by_name(field).unwrap();
        if message.has_field(&descriptor) {
            return message;
        }
    }
}
