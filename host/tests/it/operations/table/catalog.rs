//! Venues, series, events and ticket types.

use reqwest::Method;
use serde_json::{Value, json};

use super::{Row, delete, get, post, row};

const VENUE: &str = "/v1/venues/{venue_id}";
const SERIES: &str = "/v1/series/{series_id}";
const EVENT: &str = "/v1/events/{event_id}";
const TYPES: &str = "/v1/events/{event_id}/tickets";
const TYPE: &str = "/v1/events/{event_id}/tickets/{ticket_type_id}";

pub(super) fn rows() -> Vec<Row> {
    [venues(), series(), events(), lists(), types()].concat()
}

/// The same object with more in it.
fn with(value: &Value, more: &Value) -> Value {
    let mut value = value.clone();
    let fields = value.as_object_mut().unwrap();
    fields.extend(more.as_object().unwrap().clone());
    value
}

fn venues() -> Vec<Row> {
    let id = json!({"venue_id": "{venue_id}"});
    let new = json!({
        "name": "Hall", "address": "1 Street", "city": "Berlin", "country": "Germany", "latitude": 52.5,
        "longitude": 13.4, "capacity": 3000, "amenities": ["bar"], "time_zone": "Europe/Berlin",
    });
    let bad = with(&new, &json!({"name": "", "latitude": 91}));
    vec![
        post("venue.create", "/v1/venues", new.clone(), "ticket.v1.CatalogService/CreateVenue", new.clone())
            .bad(bad.clone(), bad),
        get("venue.get", VENUE, "ticket.v1.CatalogService/GetVenue", id.clone()),
        get(
            "venue.list",
            "/v1/venues",
            "ticket.v1.CatalogService/ListVenues",
            json!({"filter": "name:{name}"}),
        )
        .query("filter=name:{name}")
        .list_of("name:{name},{second}"),
        row(
            "venue.replace",
            Method::PUT,
            VENUE,
            new.clone(),
            "ticket.v1.CatalogService/UpdateVenue",
            with(&new, &id),
        ),
        row(
            "venue.update",
            Method::PATCH,
            VENUE,
            json!({"city": "Hamburg", "capacity": null}),
            "ticket.v1.CatalogService/UpdateVenue",
            json!({"venue_id": "{venue_id}", "city": "Hamburg", "update_mask": "city,capacity"}),
        ),
        delete("venue.delete", VENUE, "ticket.v1.CatalogService/DeleteVenue", id),
    ]
}

fn series() -> Vec<Row> {
    let id = json!({"series_id": "{series_id}"});
    let new = json!({"name": "Tour", "description": "d"});
    let bad = json!({"name": "", "description": "d"});
    vec![
        post(
            "series.create",
            "/v1/series",
            new.clone(),
            "ticket.v1.CatalogService/CreateSeries",
            new.clone(),
        )
        .bad(bad.clone(), bad),
        get("series.get", SERIES, "ticket.v1.CatalogService/GetSeries", id.clone()),
        get(
            "series.list",
            "/v1/series",
            "ticket.v1.CatalogService/ListSeries",
            json!({"filter": "name:{name}"}),
        )
        .query("filter=name:{name}")
        .list_of("name:{name},{second}"),
        row(
            "series.replace",
            Method::PUT,
            SERIES,
            new.clone(),
            "ticket.v1.CatalogService/UpdateSeries",
            with(&new, &id),
        ),
        row(
            "series.update",
            Method::PATCH,
            SERIES,
            json!({"name": "Tour"}),
            "ticket.v1.CatalogService/UpdateSeries",
            json!({"series_id": "{series_id}", "name": "Tour", "update_mask": "name"}),
        ),
        delete("series.delete", SERIES, "ticket.v1.CatalogService/DeleteSeries", id),
    ]
}

fn events() -> Vec<Row> {
    let id = json!({"event_id": "{event_id}"});
    let new = json!({
        "title": "New", "category": "theatre", "venue_id": "{venue_id}", "series_id": "{series_id}",
        "start_date": "2126-04-01T19:00:00Z", "end_date": "2126-04-01T22:00:00Z", "time_zone": "Europe/Berlin",
        "status": "active", "featured": true, "image_url": "https://example.com/a.png", "max_capacity": 500,
        "hold_seconds": 300, "hold_min_seconds": 60, "hold_max_seconds": 900, "buyer_limit": 4, "reentry": true,
    });
    let bad = with(&new, &json!({"title": "", "image_url": "ftp://example.com"}));
    vec![
        post("event.create", "/v1/events", new.clone(), "ticket.v1.CatalogService/CreateEvent", new.clone())
            .bad(bad.clone(), bad),
        get("event.get", EVENT, "ticket.v1.TicketService/GetEventById", id.clone()),
        row(
            "event.replace",
            Method::PUT,
            EVENT,
            new.clone(),
            "ticket.v1.CatalogService/UpdateEvent",
            with(&new, &id),
        ),
        row(
            "event.update",
            Method::PATCH,
            EVENT,
            json!({"title": "New", "max_capacity": 200}),
            "ticket.v1.CatalogService/UpdateEvent",
            json!({"event_id": "{event_id}", "title": "New", "max_capacity": 200, "update_mask": "title,maxCapacity"}),
        ),
        delete("event.delete", EVENT, "ticket.v1.CatalogService/DeleteEvent", id),
    ]
}

fn lists() -> Vec<Row> {
    let filter = json!({"filter": "title:{name}"});
    vec![
        get("event.list", "/v1/events", "ticket.v1.TicketService/GetEvents", filter.clone())
            .query("filter=title:{name}")
            .list_of("title:{name},{second}"),
        get("event.featured", "/v1/events/featured", "ticket.v1.TicketService/GetFeaturedEvents", filter)
            .query("filter=title:{name}")
            .list_of("title:{name},{second}"),
        get(
            "event.categories",
            "/v1/events/categories",
            "ticket.v1.TicketService/GetEventCategories",
            json!({}),
        ),
    ]
}

fn types() -> Vec<Row> {
    let (id, event) = (json!({"ticket_type_id": "{ticket_type_id}"}), json!({"event_id": "{event_id}"}));
    let new = json!({
        "name": "New", "description": "d", "price": {"amount": 0, "currency": "JPY"}, "quantity": 50,
        "max_per_purchase": 4, "min_per_purchase": 2, "valid_from": "2026-01-01T00:00:00Z",
        "valid_until": "2126-01-01T00:00:00Z", "status": "inactive", "metadata": {"door": "north"},
    });
    let bad = with(&new, &json!({"price": {"amount": -1, "currency": "XXX"}}));
    vec![
        post(
            "ticket_type.create",
            TYPES,
            new.clone(),
            "ticket.v1.CatalogService/CreateTicketType",
            with(&new, &event),
        )
        .bad(bad.clone(), with(&bad, &event)),
        get("ticket_type.list", TYPES, "ticket.v1.TicketService/GetTicketTypes", event.clone()),
        get("ticket_type.of_event", "/v1/tickets/types", "ticket.v1.TicketService/GetTicketTypes", event)
            .query("event_id={event_id}"),
        get("ticket_type.get", TYPE, "ticket.v1.TicketService/GetTicketType", id.clone()),
        get(
            "ticket_type.by_id",
            "/v1/tickets/types/{ticket_type_id}",
            "ticket.v1.TicketService/GetTicketType",
            id.clone(),
        ),
        row(
            "ticket_type.replace",
            Method::PUT,
            TYPE,
            new.clone(),
            "ticket.v1.CatalogService/UpdateTicketType",
            with(&new, &id),
        ),
        row(
            "ticket_type.update",
            Method::PATCH,
            TYPE,
            json!({"name": "New", "quantity": null}),
            "ticket.v1.CatalogService/UpdateTicketType",
            json!({"ticket_type_id": "{ticket_type_id}", "name": "New", "update_mask": "name,quantity"}),
        ),
        delete("ticket_type.delete", TYPE, "ticket.v1.CatalogService/DeleteTicketType", id),
    ]
}
