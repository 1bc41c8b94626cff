//! Venues, series, events and ticket types over the API, with a key and without.

mod hidden;
mod lists;
mod public;
mod ticket_type_lists;
mod types;

use reqwest::Method;
use serde_json::{Value, json};
use tessera_proto::ticket::v1::catalog_service_client::CatalogServiceClient;
use tessera_proto::ticket::v1::{CreateEventRequest, DeleteEventRequest, UpdateEventRequest};

use crate::harness::{Answer, Kind, Rest};
use crate::tracker::{done, faults, memory, on, on_every_store, until};

on_every_store! {
    event_status_moves_from_draft_to_active_to_cancelled
    referenced_venues_and_series_are_not_deleted
    venue_fields_are_kept_and_coordinates_change_together
}

/// Creates an object from `body`; returns its id.
async fn create(rest: &Rest, path: &str, body: Value, name: &str) -> String {
    rest.post(path, body).await.expect(201)[name]["id"].as_str().unwrap().to_owned()
}

fn event_body(title: &str, more: &Value) -> Value {
    let mut body = json!({
        "title": title, "category": "concert", "start_date": "2126-03-01T19:00:00Z",
        "end_date": "2126-03-01T22:00:00Z",
    });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

/// Creates an event with `more` besides the required fields; returns its id.
async fn event(rest: &Rest, title: &str, more: Value) -> String {
    create(rest, "/v1/events", event_body(title, &more), "event").await
}

async fn venue(rest: &Rest, name: &str) -> String {
    let body = json!({"name": name, "address": "1 Street", "city": "Berlin", "country": "Germany"});
    create(rest, "/v1/venues", body, "venue").await
}

fn ticket_body(name: &str, more: &Value) -> Value {
    let mut body = json!({"name": name, "price": {"amount": 1250, "currency": "EUR"}});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

async fn ticket_type(rest: &Rest, event: &str, more: Value) -> String {
    create(rest, &format!("/v1/events/{event}/tickets"), ticket_body("Seat", &more), "ticket_type").await
}

async fn with_tag(rest: &Rest, method: Method, path: &str, tag: &str, body: Value) -> Answer {
    rest.send(rest.request(method, path).header("if-match", tag).json(&body)).await
}

async fn event_status_moves_from_draft_to_active_to_cancelled(kind: Kind) {
    let (_home, _host, rest) = on(kind).await;
    let id = event(&rest, "Night", json!({"max_capacity": 10, "status": "draft"})).await;
    let path = format!("/v1/events/{id}");
    let to = async |status: &str| rest.patch(&path, json!({"status": status})).await;
    let event = rest.get(&path).await.expect(200)["event"].clone();
    assert_eq!((&event["status"], &event["time_zone"]), (&json!("draft"), &json!("UTC")));
    assert!(event["created_by"].as_str().unwrap().starts_with("key:"), "{event:#}");
    assert_eq!(to("ended").await.code(409), "TRANSITION_NOT_ALLOWED");
    for (status, fact) in
        [("active", "event.opened"), ("draft", "event.withdrawn"), ("active", "event.opened")]
    {
        assert_eq!(done(&to(status).await)["event"]["status"], status);
        let facts = format!("/v1/audit?filter=event:{id}&page_size=1");
        let page = until(&rest, &facts, |answer| answer.expect(200)["facts"][0]["type"] == fact).await;
        assert_eq!(page.body["facts"][0]["event_id"], id);
    }
    assert_eq!(done(&to("cancelled").await)["event"]["status"], "cancelled");
    for status in ["draft", "active", "ended"] {
        assert_eq!(to(status).await.code(409), "TRANSITION_NOT_ALLOWED", "{status}");
    }
    done(&rest.patch(&path, json!({"title": "It was to be"})).await);
    assert_eq!(to("gone").await.code(422), "INVALID_ARGUMENT");
    assert_eq!(
        rest.post("/v1/events", event_body("Over", &json!({"status": "ended"}))).await.code(409),
        "TRANSITION_NOT_ALLOWED"
    );
    done(&rest.delete(&path).await);
    assert_eq!(rest.get(&path).await.code(404), "EVENT_NOT_FOUND");
    assert_eq!(to("draft").await.code(404), "EVENT_NOT_FOUND");
}

async fn referenced_venues_and_series_are_not_deleted(kind: Kind) {
    let (_home, _host, rest) = on(kind).await;
    let venue = venue(&rest, "Hall").await;
    let series = create(&rest, "/v1/series", json!({"name": "Tour"}), "series").await;
    let id = event(&rest, "Night", json!({"venue_id": venue, "series_id": series})).await;
    let (at_venue, at_series) = (format!("/v1/venues/{venue}"), format!("/v1/series/{series}"));
    assert_eq!(rest.delete(&at_venue).await.code(409), "VENUE_IN_USE");
    assert_eq!(rest.delete(&at_series).await.code(409), "SERIES_IN_USE");
    done(&rest.patch(&format!("/v1/events/{id}"), json!({"venue_id": null})).await);
    done(&rest.delete(&at_venue).await);
    assert_eq!(rest.get(&at_venue).await.code(404), "VENUE_NOT_FOUND");
    done(&rest.delete(&format!("/v1/events/{id}")).await);
    done(&rest.delete(&at_series).await);
    for (field, gone) in [("venue_id", &venue), ("series_id", &series)] {
        let refused = rest.post("/v1/events", event_body("Night", &json!({field: gone}))).await;
        assert_eq!(faults(&refused), [field]);
    }
}

async fn venue_fields_are_kept_and_coordinates_change_together(kind: Kind) {
    let (_home, _host, rest) = on(kind).await;
    let body = json!({
        "name": "Hall", "address": "1 Street", "city": "Berlin", "country": "Germany",
        "latitude": 52.520_006_61, "longitude": -13.404_954, "capacity": 3000, "amenities": ["bar", "lift"],
        "time_zone": "Europe/Berlin",
    });
    let id = create(&rest, "/v1/venues", body.clone(), "venue").await;
    let path = format!("/v1/venues/{id}");
    let venue = rest.get(&path).await.expect(200)["venue"].clone();
    for (name, value) in body.as_object().unwrap() {
        assert_eq!(&venue[name], value, "{name}");
    }
    assert_eq!(faults(&rest.patch(&path, json!({"latitude": 1})).await), ["longitude"]);
    assert_eq!(faults(&rest.patch(&path, json!({"latitude": 1, "longitude": null})).await), ["longitude"]);
    let far = json!({"latitude": 90.1, "longitude": 180.1});
    assert_eq!(faults(&rest.patch(&path, far).await), ["latitude", "longitude"]);
    let moved = rest.patch(&path, json!({"latitude": null, "longitude": null, "capacity": null})).await;
    let moved = &done(&moved)["venue"];
    assert_eq!((&moved["latitude"], &moved["capacity"]), (&Value::Null, &Value::Null));
    assert_eq!(moved["amenities"], json!(["bar", "lift"]));
    assert_eq!(faults(&rest.patch(&path, json!({"time_zone": "Moon/Base"})).await), ["time_zone"]);
    // An event without a time zone takes that of its venue.
    let here = event(&rest, "Here", json!({"venue_id": id})).await;
    let here = rest.get(&format!("/v1/events/{here}")).await;
    assert_eq!(here.expect(200)["event"]["time_zone"], "Europe/Berlin");
}

#[tokio::test(flavor = "multi_thread")]
async fn stale_version_is_refused() {
    let (_home, host, rest) = memory().await;
    let (venue, event) = (venue(&rest, "Hall").await, event(&rest, "Night", json!({})).await);
    let series = create(&rest, "/v1/series", json!({"name": "Tour"}), "series").await;
    let ticket_type = ticket_type(&rest, &event, json!({"quantity": 5})).await;
    let changes = [
        (format!("/v1/events/{event}/tickets/{ticket_type}"), "name"),
        (format!("/v1/venues/{venue}"), "name"),
        (format!("/v1/series/{series}"), "name"),
        (format!("/v1/events/{event}"), "title"),
    ];
    for (path, field) in &changes {
        let old = rest.get(path).await.headers["etag"].to_str().unwrap().to_owned();
        let again = rest.send(rest.request(Method::GET, path).header("if-none-match", &old)).await;
        assert_eq!(again.status.as_u16(), 304, "{path}");
        let changed = with_tag(&rest, Method::PATCH, path, &old, json!({*field: "Other"})).await;
        done(&changed);
        assert_ne!(changed.headers["etag"], old.as_str(), "{path}");
        for method in [Method::PATCH, Method::DELETE] {
            let lost = with_tag(&rest, method, path, &old, json!({*field: "Lost"})).await;
            assert_eq!(lost.code(412), "VERSION_MISMATCH", "{path}");
        }
        let now = changed.headers["etag"].to_str().unwrap();
        done(&with_tag(&rest, Method::DELETE, path, now, Value::Null).await);
    }
    let id = self::event(&rest, "Last", json!({})).await;
    let client = host.grpc().await;
    let mut grpc = CatalogServiceClient::with_interceptor(client.channel.clone(), client);
    let request = |etag: &str| DeleteEventRequest { event_id: id.clone(), etag: etag.into() };
    assert_eq!(grpc.delete_event(request("2")).await.unwrap_err().code(), tonic::Code::Aborted);
    grpc.delete_event(request("1")).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn put_replaces_all_fields_and_patch_only_named_ones() {
    let (_home, _host, rest) = memory().await;
    let more =
        json!({"description": "d", "hold_seconds": 60, "buyer_limit": 4, "image_url": "https://e.example/a"});
    let id = event(&rest, "Night", more).await;
    let path = format!("/v1/events/{id}");
    let patched = rest.patch(&path, json!({"description": null, "featured": true})).await;
    let patched = done(&patched)["event"].clone();
    assert_eq!((&patched["description"], &patched["buyer_limit"]), (&json!(""), &json!(4)));
    for field in ["title", "category", "start_date", "end_date", "status"] {
        assert_eq!(faults(&rest.patch(&path, json!({field: null})).await), [field]);
    }
    let cleared = rest.patch(&path, json!({"featured": null, "reentry": null})).await;
    assert_eq!(
        (&done(&cleared)["event"]["featured"], &done(&cleared)["event"]["reentry"]),
        (&json!(false), &json!(false))
    );
    // Rules can be changed one by one; their combination is validated.
    for (patch, expected) in [
        (json!({"hold_min_seconds": 30}), json!([60, 30, null])),
        (json!({"hold_seconds": 90, "hold_max_seconds": 120}), json!([90, 30, 120])),
        (json!({"hold_seconds": null}), json!([null, 30, 120])),
    ] {
        let answer = rest.patch(&path, patch).await;
        let event = &done(&answer)["event"];
        let rules = json!([event["hold_seconds"], event["hold_min_seconds"], event["hold_max_seconds"]]);
        assert_eq!(rules, expected);
    }
    assert_eq!(faults(&rest.patch(&path, json!({"hold_min_seconds": 121})).await).len(), 1);
    done(&rest.patch(&path, json!({"hold_seconds": 90})).await);
    let replaced = rest.put(&path, event_body("Other", &json!({}))).await;
    let replaced = &done(&replaced)["event"];
    for field in ["hold_seconds", "hold_min_seconds", "buyer_limit", "image_url"] {
        assert_eq!(replaced[field], Value::Null, "{field}");
    }
    assert_eq!((&replaced["title"], &replaced["featured"]), (&json!("Other"), &json!(false)));
    let missing = rest.put(&path, json!({"title": "Other", "category": "c"})).await;
    assert_eq!(faults(&missing), ["start_date", "end_date"]);
    assert_eq!(rest.patch(&path, json!({"titel": "x"})).await.code(400), "INVALID_ARGUMENT");
}

#[tokio::test(flavor = "multi_thread")]
async fn create_defaults_to_active_and_replace_keeps_the_status() {
    let (_home, host, rest) = memory().await;
    let id = event(&rest, "Night", json!({})).await;
    let path = format!("/v1/events/{id}");
    assert_eq!(rest.with_key(None).get(&path).await.expect(200)["event"]["status"], "active");
    done(&rest.patch(&path, json!({"status": "draft"})).await);
    let replaced = rest.put(&path, event_body("Later", &json!({}))).await;
    assert_eq!(done(&replaced)["event"]["status"], "draft");
    assert_eq!(faults(&rest.patch(&path, json!({"status": ""})).await), ["status"]);
    // The same over gRPC.
    let client = host.grpc().await;
    let mut grpc = CatalogServiceClient::with_interceptor(client.channel.clone(), client);
    let at = |seconds: i64| Some(prost_types::Timestamp { seconds, nanos: 0 });
    let (start_date, end_date) = (at(4_900_000_000), at(4_900_010_000));
    let whole = UpdateEventRequest {
        event_id: id,
        title: "Latest".into(),
        category: "concert".into(),
        start_date,
        end_date,
        ..Default::default()
    };
    let replaced = grpc.update_event(whole).await.unwrap().into_inner().event.unwrap();
    assert_eq!((replaced.title.as_str(), replaced.status.as_str()), ("Latest", "draft"));
    let new = CreateEventRequest {
        title: "New".into(),
        category: "concert".into(),
        start_date,
        end_date,
        ..Default::default()
    };
    assert_eq!(grpc.create_event(new).await.unwrap().into_inner().event.unwrap().status, "active");
}

#[tokio::test(flavor = "multi_thread")]
async fn unversioned_paths_still_work() {
    let (_home, _host, rest) = memory().await;
    let id = create(&rest, "/events", event_body("Old", &json!({"status": "active"})), "event").await;
    let ticket_type =
        create(&rest, &format!("/events/{id}/tickets"), ticket_body("Seat", &json!({})), "ticket_type").await;
    done(
        &rest
            .put(&format!("/events/{id}"), event_body("New", &json!({"status": "active", "featured": true})))
            .await,
    );
    done(&rest.put(&format!("/events/{id}/tickets/{ticket_type}"), ticket_body("Row", &json!({}))).await);
    let nobody = rest.with_key(None);
    for path in [
        "/events".to_owned(),
        "/events/categories".to_owned(),
        "/events/featured".to_owned(),
        format!("/events/{id}"),
        format!("/events/{id}/tickets"),
        format!("/tickets/types?event_id={id}"),
        format!("/tickets/types/{ticket_type}"),
    ] {
        let old = nobody.get(&path).await;
        let new = nobody.get(&format!("/v1{path}")).await;
        assert_eq!(old.expect(200), new.expect(200), "{path}");
    }
    done(&rest.delete(&format!("/events/{id}/tickets/{ticket_type}")).await);
    done(&rest.delete(&format!("/events/{id}")).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn repeated_key_creates_nothing_twice() {
    let (_home, _host, rest) = memory().await;
    let event = event(&rest, "Night", json!({})).await;
    for (path, name, body) in [
        ("/v1/venues", "venue", json!({"name": "H", "address": "a", "city": "c", "country": "d"})),
        ("/v1/series", "series", json!({"name": "Tour"})),
        ("/v1/events", "event", event_body("Other", &json!({}))),
        (
            &*format!("/v1/events/{event}/tickets"),
            "ticket_type",
            ticket_body("Seat", &json!({"quantity": 5})),
        ),
    ] {
        let send = async || {
            let request = rest.request(Method::POST, path).header("idempotency-key", name).json(&body);
            rest.send(request).await
        };
        let first = send().await;
        let again = send().await;
        assert_eq!(again.headers["idempotency-replayed"], "true", "{path}");
        assert_eq!(first.expect(201), again.expect(201), "{path}");
        let place = first.headers["location"].to_str().unwrap();
        assert_eq!(rest.get(place).await.expect(200)[name], first.body[name], "{path}");
    }
}
