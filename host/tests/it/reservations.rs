//! Reservations over the API: holds, sales, seats, availability and validation.

mod trials;

use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use reqwest::Method;
use serde_json::{Value, json};
use tessera_proto::ticket::v1::inventory_service_client::InventoryServiceClient;
use tessera_proto::ticket::v1::{PoolCapacity, UpdateInventoryRequest};

use crate::harness::{Answer, Kind, Rest};
use crate::plugins::install;
use crate::tracker::{done, memory, on, on_every_store};

on_every_store! {
    hold_rules_of_the_tenant_apply_where_an_event_has_none
    held_units_are_sold_or_released
    hold_expires_within_two_seconds
    repeated_reservation_gets_the_first_answer
    concurrent_reservations_sell_exactly_the_capacity
    cancelled_event_releases_its_holds
    seats_are_reserved_by_label_or_adjacent
}

/// Creates an event with `quantity` units of one ticket type; returns both ids.
pub async fn show(rest: &Rest, quantity: u64, more: Value) -> (String, String) {
    let mut body = json!({
        "title": "A night", "category": "music", "status": "active",
        "start_date": "2126-03-01T19:00:00Z", "end_date": "2126-03-01T22:00:00Z",
    });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let event = create(rest, "/v1/events", body, "event").await;
    let ticket_type =
        json!({"name": "Standing", "price": {"amount": 1250, "currency": "EUR"}, "quantity": quantity});
    let ticket_type = create(rest, &format!("/v1/events/{event}/tickets"), ticket_type, "ticket_type").await;
    (event, ticket_type)
}

/// Creates an object from `body`; returns its id.
pub async fn create(rest: &Rest, path: &str, body: Value, name: &str) -> String {
    rest.post(path, body).await.expect(201)[name]["id"].as_str().unwrap().to_owned()
}

pub async fn reserve(
    rest: &Rest,
    (event, ticket_type): &(String, String),
    buyer: &str,
    quantity: u32,
) -> Answer {
    let body =
        json!({"event_id": event, "ticket_type_id": ticket_type, "quantity": quantity, "user_id": buyer});
    rest.post("/v1/reservations", body).await
}

pub fn id(answer: &Answer) -> String {
    assert_eq!(answer.status.as_u16(), 201, "{:#}", answer.body);
    answer.body["reservation_id"].as_str().unwrap().to_owned()
}

/// Returns the held, sold and locked units of the whole event.
pub async fn counts(rest: &Rest, event: &str) -> [u64; 3] {
    let levels = rest.get(&format!("/v1/events/{event}/inventory")).await.expect(200).clone();
    let pool = levels["pools"].as_array().unwrap().iter().find(|pool| pool["id"] == event).cloned().unwrap();
    ["held", "sold", "locked"].map(|name| pool[name].as_u64().unwrap())
}

async fn hold_rules_of_the_tenant_apply_where_an_event_has_none(kind: Kind) {
    let (_home, _host, rest) = on(kind).await;
    let (own, other) = (show(&rest, 5, json!({"hold_seconds": 50})).await, show(&rest, 5, json!({})).await);
    let hold_seconds = async |show: &(String, String), buyer: &str| {
        let reservation = reserve(&rest, show, buyer, 1).await;
        let span = |name: &str| {
            time::OffsetDateTime::parse(
                reservation.body["reservation"][name].as_str().unwrap(),
                &time::format_description::well_known::Rfc3339,
            )
        };
        (span("expires_at").unwrap() - span("created_at").unwrap()).whole_seconds()
    };
    assert_eq!(hold_seconds(&other, "ann").await, 600);
    let rules = rest.get("/v1/hold-rules").await.expect(200)["rules"].clone();
    assert_eq!(rules["hold_seconds"], Value::Null);
    let set = rest.put("/v1/hold-rules", json!({"hold_seconds": 40, "hold_max_seconds": 45})).await;
    assert_eq!(set.expect(200)["rules"]["hold_seconds"], 40);
    assert_eq!(hold_seconds(&other, "ben").await, 40);
    // The event sets the duration, the tenant its maximum.
    assert_eq!(hold_seconds(&own, "cem").await, 45);
    let wrong = json!({"hold_min_seconds": 50, "hold_max_seconds": 40});
    assert_eq!(
        rest.put("/v1/hold-rules", wrong).await.expect(422)["violations"][0]["field"],
        "hold_min_seconds"
    );
    let viewer = rest.with_key(Some(&rest.new_key(&["viewer"], None).await));
    viewer.get("/v1/hold-rules").await.expect(200);
    viewer.put("/v1/hold-rules", json!({})).await.expect(403);
}

async fn held_units_are_sold_or_released(kind: Kind) {
    let (_home, _host, rest) = on(kind).await;
    let show = show(&rest, 5, json!({"buyer_limit": 4})).await;
    let reservation = reserve(&rest, &show, "ann", 3).await;
    assert_eq!(reservation.body["tickets"].as_array().unwrap().len(), 3);
    assert_eq!(reservation.body["reservation"]["total"], json!({"amount": 3750, "currency": "EUR"}));
    let path = format!("/v1/reservations/{}", id(&reservation));
    assert_eq!(reservation.headers["location"], path);
    assert_eq!(reserve(&rest, &show, "ben", 3).await.code(409), "INVENTORY_EXHAUSTED");
    assert_eq!(reserve(&rest, &show, "ann", 2).await.code(409), "BUYER_LIMIT_REACHED");
    let of_type = rest.get(&format!("/v1/tickets/types/{}", show.1)).await;
    assert_eq!(done(&of_type)["ticket_type"]["available_quantity"], 2);
    let first = reservation.body["tickets"][0]["id"].clone();
    let less = rest.post(&format!("{path}:release"), json!({"ticket_ids": [first]})).await;
    assert_eq!(done(&less)["reservation"]["lines"][0]["quantity"], 2);
    let longer = rest.post(&format!("{path}:extend"), json!({"timeout_seconds": 1800})).await;
    assert!(done(&longer)["reservation"]["expires_at"].as_str() > reservation.body["expires_at"].as_str());
    let stale = rest.request(Method::POST, &format!("{path}:confirm")).header("if-match", "\"1\"");
    let stale = rest.send(stale.json(&json!({"payment_reference": "p"}))).await;
    assert_eq!(stale.code(412), "VERSION_MISMATCH");
    let sold = rest.post(&format!("{path}:confirm"), json!({"payment_reference": "p-7"})).await;
    assert_eq!(done(&sold)["reservation"]["state"], "confirmed");
    assert_eq!(counts(&rest, &show.0).await, [0, 2, 0]);
    let again = rest.post(&format!("{path}:release"), json!({})).await;
    assert_eq!(again.code(409), "TRANSITION_NOT_ALLOWED");
    // The capacity covers sold and locked units, and an event with sales is not deleted.
    let inventory = format!("/v1/events/{}/inventory", show.0);
    let lower = rest.patch(&inventory, json!({"pools": [{"pool_id": show.1, "capacity": 1}]})).await;
    assert_eq!(lower.code(409), "INVENTORY_IN_USE");
    // A missing capacity does not remove the bound.
    let forgotten = rest.patch(&inventory, json!({"pools": [{"pool_id": show.1}]})).await;
    assert_eq!(forgotten.code(422), "INVALID_ARGUMENT");
    assert_eq!(forgotten.body["violations"][0]["field"], "pools[0].capacity");
    let lock = json!({"pool_id": show.1, "quantity": 2, "reason": "press"});
    let lock = create(&rest, &format!("/v1/events/{}/locks", show.0), lock, "lock").await;
    assert_eq!(reserve(&rest, &show, "ben", 2).await.code(409), "INVENTORY_EXHAUSTED");
    done(&rest.delete(&format!("/v1/locks/{lock}")).await);
    assert_eq!(rest.delete(&format!("/v1/events/{}", show.0)).await.code(409), "EVENT_HAS_SALES");
    let back = id(&reserve(&rest, &show, "ben", 2).await);
    done(&rest.post(&format!("/v1/reservations/{back}:release"), json!({})).await);
    assert_eq!(counts(&rest, &show.0).await, [0, 2, 0]);
}

async fn hold_expires_within_two_seconds(kind: Kind) {
    let (_home, _host, rest) = on(kind).await;
    let show = show(&rest, 5, json!({"hold_seconds": 1, "hold_min_seconds": 1})).await;
    let reservation = id(&reserve(&rest, &show, "ann", 5).await);
    let start = Instant::now();
    while counts(&rest, &show.0).await[0] > 0 {
        assert!(start.elapsed() < Duration::from_secs(3), "units are still held");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(start.elapsed() > Duration::from_millis(700), "it ended early");
    let late = rest
        .post(&format!("/v1/reservations/{reservation}:confirm"), json!({"payment_reference": "p"}))
        .await;
    assert_eq!(late.code(410), "RESERVATION_EXPIRED");
    let ended = rest.get(&format!("/v1/reservations/{reservation}")).await;
    assert_eq!(done(&ended)["reservation"]["state"], "expired");
}

async fn repeated_reservation_gets_the_first_answer(kind: Kind) {
    let (_home, _host, rest) = on(kind).await;
    let show = show(&rest, 5, json!({})).await;
    let attempt = |quantity: u32| {
        let body =
            json!({"event_id": show.0, "ticket_type_id": show.1, "quantity": quantity, "user_id": "ann"});
        let request = rest.request(Method::POST, "/v1/reservations").header("idempotency-key", "k-1");
        rest.send(request.json(&body))
    };
    let first = attempt(2).await;
    let again = attempt(2).await;
    assert_eq!(id(&first), id(&again));
    assert_eq!(again.headers["idempotency-replayed"], "true");
    assert_eq!(attempt(3).await.code(422), "IDEMPOTENCY_KEY_REUSED");
    assert_eq!(counts(&rest, &show.0).await, [2, 0, 0]);
}

async fn concurrent_reservations_sell_exactly_the_capacity(kind: Kind) {
    let (_home, host, rest) = on(kind).await;
    let show = show(&rest, 40, json!({})).await;
    let tasks: Vec<_> = (0..30)
        .map(|client| {
            let (rest, show) = (host.rest(), show.clone());
            tokio::spawn(async move {
                let mut sold = 0;
                for round in 0..3 {
                    let reservation = reserve(&rest, &show, &format!("b{client}-{round}"), 1).await;
                    if reservation.status.as_u16() == 409 {
                        assert_eq!(reservation.code(409), "INVENTORY_EXHAUSTED");
                        continue;
                    }
                    let path = format!("/v1/reservations/{}:confirm", id(&reservation));
                    done(&rest.post(&path, json!({"payment_reference": "p"})).await);
                    sold += 1;
                }
                sold
            })
        })
        .collect();
    let mut sold = 0;
    for task in tasks {
        sold += task.await.unwrap();
    }
    assert_eq!((sold, counts(&rest, &show.0).await), (40, [0, 40, 0]));
}

async fn cancelled_event_releases_its_holds(kind: Kind) {
    let (_home, _host, rest) = on(kind).await;
    let show = show(&rest, 9, json!({})).await;
    let reservation = id(&reserve(&rest, &show, "ann", 4).await);
    done(&rest.patch(&format!("/v1/events/{}", show.0), json!({"status": "cancelled"})).await);
    assert_eq!(reserve(&rest, &show, "ben", 1).await.code(409), "EVENT_NOT_ON_SALE");
    let start = Instant::now();
    while counts(&rest, &show.0).await[0] > 0 {
        assert!(start.elapsed() < Duration::from_secs(3), "units are still held");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let ended = rest.get(&format!("/v1/reservations/{reservation}")).await;
    assert_eq!(done(&ended)["reservation"]["state"], "released");
    // An event without sales can be deleted.
    done(&rest.delete(&format!("/v1/events/{}", show.0)).await);
}

async fn seats_are_reserved_by_label_or_adjacent(kind: Kind) {
    let (_home, _host, rest) = on(kind).await;
    let (event, _) = show(&rest, 1, json!({})).await;
    let stalls = json!({"name": "Stalls", "price": {"amount": 4000, "currency": "EUR"}});
    let stalls = create(&rest, &format!("/v1/events/{event}/tickets"), stalls, "ticket_type").await;
    let seats: Vec<_> = ["A", "B"]
        .iter()
        .flat_map(|row| (1..=4).map(move |number| json!({"row": row, "number": number})))
        .collect();
    let path = format!("/v1/tickets/types/{stalls}/seats");
    assert_eq!(done(&rest.post(&path, json!({"seats": seats})).await)["quantity"], 8);
    assert_eq!(rest.post(&path, json!({"seats": seats[..1]})).await.code(409), "SEAT_EXISTS");
    let order = |quantity: u32, seats: Value| {
        json!({
            "event_id": event, "user_id": "ann",
            "lines": [{"ticket_type_id": stalls, "quantity": quantity, "seat_numbers": seats}],
        })
    };
    let named = rest.post("/v1/reservations", order(2, json!(["A2", "B3"]))).await;
    assert_eq!(done(&named)["tickets"][1]["seat_number"], "B3");
    let refused = rest.post("/v1/reservations", order(1, json!(["A2"]))).await;
    assert_eq!(refused.code(409), "SEAT_TAKEN");
    let any = rest.post("/v1/reservations", order(2, json!([]))).await;
    let labels: Vec<_> =
        done(&any)["tickets"].as_array().unwrap().iter().map(|t| t["seat_number"].clone()).collect();
    assert!(labels == ["A3", "A4"] || labels == ["B1", "B2"], "{labels:?}");
    let check = json!({"ticket_type_id": stalls, "quantity": 1, "seat_numbers": ["B3"]});
    let check = rest.post(&format!("/v1/events/{event}/availability:check"), check).await;
    assert_eq!((&done(&check)["available"], &check.body["available_quantity"]), (&json!(false), &json!(4)));
    let free = rest.get(&format!("{path}?filter=free:true")).await;
    assert_eq!(done(&free)["seats"].as_array().unwrap().len(), 4);
    let standing = rest.get(&format!("/v1/events/{event}/availability")).await;
    let types = done(&standing)["tickets"].as_array().unwrap();
    assert_eq!(types[1]["seat_numbers"].as_array().unwrap().len(), 4);
    let removed =
        rest.post(&format!("/v1/tickets/types/{stalls}:delete_seats"), json!({"seat_numbers": ["A2"]})).await;
    assert_eq!(removed.code(409), "SEAT_TAKEN");
}

#[tokio::test(flavor = "multi_thread")]
async fn invalid_reservation_names_its_field() {
    let (_home, _host, rest) = memory().await;
    let (event, ticket_type) = show(&rest, 5, json!({})).await;
    let cases = [
        (json!({}), "ticket_type_id"),
        (json!({"ticket_type_id": ticket_type, "quantity": 0}), "quantity"),
        (json!({"ticket_type_id": ticket_type, "quantity": 11}), "quantity"),
        (json!({"ticket_type_id": ticket_type, "quantity": 1, "user_id": ""}), "user_id"),
        (json!({"ticket_type_id": ticket_type, "quantity": 1, "timeout_seconds": 5}), "timeout_seconds"),
        (json!({"ticket_type_id": ticket_type, "quantity": 1, "seat_numbers": ["A1"]}), "seat_numbers"),
        (json!({"ticket_type_id": ticket_type, "quantity": 1, "seat_numbers": ["A1", "A2"]}), "seat_numbers"),
        (json!({"ticket_type_id": ticket_type, "quantity": -1}), "quantity"),
        (json!({"lines": [{"ticket_type_id": ticket_type, "quantity": 0}]}), "lines[0].quantity"),
        (json!({"lines": [{"ticket_type_id": ticket_type, "quantity": 11}]}), "lines[0].quantity"),
        (
            json!({"ticket_type_id": ticket_type, "quantity": 1, "lines": [{"ticket_type_id": ticket_type, "quantity": 1}]}),
            "lines",
        ),
    ];
    for (more, field) in cases {
        let mut body = json!({"event_id": event, "user_id": "ann"});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let answer = rest.post("/v1/reservations", body).await;
        assert_eq!(answer.status.as_u16(), 422, "{field}: {:#}", answer.body);
        assert_eq!(answer.body["violations"][0]["field"], field, "{:#}", answer.body);
    }
    let draft = json!({"status": "draft"});
    done(&rest.patch(&format!("/v1/events/{event}"), draft).await);
    assert_eq!(reserve(&rest, &(event, ticket_type), "ann", 1).await.code(409), "EVENT_NOT_ON_SALE");
}

#[tokio::test(flavor = "multi_thread")]
async fn grpc_removes_a_capacity_only_when_unbounded_is_set() {
    let (_home, host, rest) = memory().await;
    let (event, ticket_type) = show(&rest, 5, json!({})).await;
    let client = host.grpc().await;
    let mut grpc = InventoryServiceClient::with_interceptor(client.channel.clone(), client);
    let mut update = async |capacity: Option<i64>, unbounded: bool| {
        let pools = vec![PoolCapacity { pool_id: ticket_type.clone(), capacity, unbounded }];
        let answer = grpc.update_inventory(UpdateInventoryRequest { event_id: event.clone(), pools }).await;
        answer.map(|answer| {
            let pools = answer.into_inner().pools;
            pools.into_iter().find(|pool| pool.id == ticket_type).unwrap().capacity
        })
    };
    assert_eq!(update(Some(7), false).await.unwrap(), Some(7));
    for (capacity, unbounded, message) in [
        (None, false, "must be given; `unbounded: true` sets no bound"),
        (Some(3), true, "is given beside `unbounded: true`; use one or the other"),
    ] {
        let refused = update(capacity, unbounded).await.unwrap_err();
        assert_eq!(refused.code(), tonic::Code::InvalidArgument);
        assert_eq!(refused.message(), format!("pools[0].capacity {message}"));
    }
    assert_eq!(update(None, true).await.unwrap(), None);
    assert_eq!(update(Some(5), false).await.unwrap(), Some(5));
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_references_name_their_position() {
    let (_home, _host, rest) = memory().await;
    let show = show(&rest, 5, json!({})).await;
    let (event, ticket_type) = &show;
    let line = |id: &str| json!({"ticket_type_id": id, "quantity": 1});
    // The event's id is not that of a ticket type.
    for (more, field) in [
        (line(event), "ticket_type_id"),
        (line("seven"), "ticket_type_id"),
        (json!({"lines": [line(event)]}), "lines[0].ticket_type_id"),
        (json!({"lines": [line(ticket_type), line(event)]}), "lines[1].ticket_type_id"),
    ] {
        let mut body = json!({"event_id": event, "user_id": "ann"});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let refused = rest.post("/v1/reservations", body).await;
        let fault = &refused.body["violations"][0];
        assert_eq!(fault["field"], field, "{:#}", refused.body);
        assert!(refused.body["detail"].as_str().unwrap().starts_with(&format!("{field} is ")));
        if more.to_string().contains("seven") {
            refused.expect(400);
        } else {
            assert_eq!(refused.code(404), "TICKET_TYPE_NOT_FOUND");
            assert_eq!(fault["code"], "TICKET_TYPE_NOT_FOUND");
        }
    }
    let reservation = reserve(&rest, &show, "ann", 2).await;
    let path = format!("/v1/reservations/{}:release", id(&reservation));
    let unit = reservation.body["tickets"][0]["id"].clone();
    for stranger in [json!("seven"), json!(event)] {
        let refused = rest.post(&path, json!({"ticket_ids": [unit, stranger]})).await;
        assert_eq!(refused.body["violations"][0]["field"], "ticket_ids[1]", "{:#}", refused.body);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn locks_of_an_unbounded_pool_are_bounded() {
    let (_home, _host, rest) = memory().await;
    let show = show(&rest, 5, json!({})).await;
    let path = format!("/v1/events/{}/locks", show.0);
    let lock = |quantity: u64| rest.post(&path, json!({"pool_id": show.0, "quantity": quantity}));
    let fault = async |quantity: u64| {
        let refused = lock(quantity).await.expect(422)["violations"][0].clone();
        assert_eq!(refused["field"], "quantity", "{refused:#}");
        refused["message"].as_str().unwrap().to_owned()
    };
    for quantity in [0, 10_000_001, 9_223_372_036_854_775_807] {
        assert_eq!(fault(quantity).await, format!("is {quantity}; 1 to 10000000 are allowed"));
    }
    lock(9_999_999).await.expect(201);
    assert!(fault(2).await.ends_with("9999999 units of \"event\" are locked already, and 1 more can be"));
    lock(1).await.expect(201);
    id(&reserve(&rest, &show, "ann", 1).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn extension_without_effect_names_the_minimum() {
    let (_home, _host, rest) = memory().await;
    let show = show(&rest, 5, json!({})).await;
    let path = format!("/v1/reservations/{}:extend", id(&reserve(&rest, &show, "ann", 1).await));
    let extend = |more: Value| rest.post(&path, more);
    let longer = extend(json!({"timeout_seconds": 1800})).await;
    let until = done(&longer)["reservation"]["expires_at"].as_str().unwrap().to_owned();
    for (body, prefix) in
        [(json!({"timeout_seconds": 60}), "is 60, which"), (json!({}), "is 600 by default, which")]
    {
        let fault = extend(body).await.expect(422)["violations"][0].clone();
        let message = fault["message"].as_str().unwrap();
        assert_eq!(fault["field"], "timeout_seconds");
        assert!(message.starts_with(prefix) && message.contains(&until), "{message}");
        assert!(message.ends_with(" and 3600"), "{message}");
    }
    let longest = extend(json!({"timeout_seconds": 3600})).await;
    let until = done(&longest)["reservation"]["expires_at"].as_str().unwrap().to_owned();
    let refused = extend(json!({"timeout_seconds": 3600})).await;
    assert_eq!(refused.code(409), "RESERVATION_AT_MAXIMUM");
    assert!(refused.body["detail"].as_str().unwrap().contains(&format!("the hold ends at {until}")));
}

#[tokio::test(flavor = "multi_thread")]
async fn availability_check_agrees_with_reservation() {
    let (_home, _host, rest) = memory().await;
    let (event, ticket_type) = show(&rest, 50, json!({})).await;
    let check = async |quantity: u32, seats: Value| {
        let body = json!({"ticket_type_id": ticket_type, "quantity": quantity, "seat_numbers": seats});
        rest.post(&format!("/v1/events/{event}/availability:check"), body).await
    };
    let availability = async |quantity: u32, seats: Value| {
        let body = check(quantity, seats).await.expect(200).clone();
        (
            body["available"].clone(),
            body["available_quantity"].clone(),
            body["message"].as_str().unwrap_or_default().to_owned(),
        )
    };
    let listed = async || {
        let path = format!("/v1/events/{event}/availability");
        rest.get(&path).await.expect(200)["tickets"].as_array().unwrap().len()
    };
    let fault = async |quantity: u32, seats: Value| {
        let fault = check(quantity, seats).await.expect(422)["violations"][0].clone();
        format!("{} {}", fault["field"].as_str().unwrap(), fault["message"].as_str().unwrap())
    };
    assert_eq!((availability(10, json!([])).await.0, listed().await), (json!(true), 1));
    let many = availability(11, json!([])).await;
    assert_eq!((many.0, many.1), (json!(false), json!(50)));
    assert!(many.2.contains("11 of \"Standing\"; 1 to 10 can be bought at once"), "{}", many.2);
    let path = format!("/v1/tickets/types/{ticket_type}/seats");
    let seats = json!({"seats": [{"row": "A", "number": 1}, {"row": "A", "number": 2}]});
    done(&rest.post(&path, seats).await);
    assert_eq!(fault(2, json!(["A1", "A1"])).await, "seat_numbers names \"A1\" twice");
    assert_eq!(fault(2, json!(["A1"])).await, "seat_numbers names 1 seats for 2 units");
    let missing = availability(2, json!(["A1", "A9"])).await;
    assert_eq!((missing.0, missing.2.as_str()), (json!(false), "the seat \"A9\" is not available"));
    assert_eq!(availability(2, json!(["A1", "A2"])).await.0, true);
    let change = async |path: String, change: Value| {
        done(&rest.patch(&path, change).await);
    };
    let of_event = format!("/v1/events/{event}");
    let of_type = format!("{of_event}/tickets/{ticket_type}");
    change(of_type.clone(), json!({"status": "inactive"})).await;
    let nothing = |why: &str| (json!(false), json!(0), why.to_owned());
    assert_eq!(availability(1, json!([])).await, nothing("the ticket type \"Standing\" is not sold"));
    change(of_type, json!({"status": "active"})).await;
    for (status, why) in
        [("draft", "the event is not on sale yet"), ("active", ""), ("cancelled", "the event was cancelled")]
    {
        change(of_event.clone(), json!({"status": status})).await;
        if why.is_empty() {
            assert_eq!((availability(1, json!([])).await.0, listed().await), (json!(true), 1));
        } else {
            assert_eq!((availability(1, json!([])).await, listed().await), (nothing(why), 0));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn plugins_validate_reservations_before_queueing() {
    let (_home, _host, rest) = memory().await;
    let show = show(&rest, 5, json!({})).await;
    let reservation = id(&reserve(&rest, &show, "ann", 1).await);
    let rules = json!({"settings": {"rules": [{"fields": ["coupon"], "kinds": ["reservation"]}]}});
    let installed = install(&rest, "required-fields", rules).await;
    let refused = reserve(&rest, &show, "ann", 1).await;
    assert_eq!(refused.code(422), "FIELD_REQUIRED", "{installed:#}");
    let refused = rest
        .post(&format!("/v1/reservations/{reservation}:confirm"), json!({"payment_reference": "p"}))
        .await;
    assert_eq!(refused.code(422), "FIELD_REQUIRED");
    assert_eq!(counts(&rest, &show.0).await, [1, 0, 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn availability_stream_ends_with_the_last_state() {
    let (_home, _host, rest) = memory().await;
    let show = show(&rest, 50, json!({})).await;
    let request =
        rest.with_key(None).request(Method::GET, &format!("/v1/events/{}/availability/stream", show.0));
    let mut stream = request.send().await.unwrap().bytes_stream();
    let mut text = String::new();
    let mut updates = 0;
    for buyer in 0..30 {
        done(&reserve(&rest, &show, &format!("b{buyer}"), 1).await);
    }
    let start = Instant::now();
    while !text.contains("\"available_quantity\":20}") {
        assert!(start.elapsed() < Duration::from_secs(5), "{text}");
        let Ok(Some(part)) = tokio::time::timeout(Duration::from_secs(5), stream.next()).await else { break };
        text.push_str(std::str::from_utf8(&part.unwrap()).unwrap());
        updates = text.matches("event: availability").count();
    }
    assert!(text.contains("\"available_quantity\":20}"), "{text}");
    assert!((1..20).contains(&updates), "{updates} updates for 30 reservations");
}
