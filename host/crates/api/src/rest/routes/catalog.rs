//! Venues, series, events and ticket types.

use crate::operations::{event, series, ticket_type, venue};
use crate::rest::route::{EVENTS, RouteEntry, delete, get, patch, post, put};

pub(super) fn routes() -> Vec<(&'static str, Vec<RouteEntry>)> {
    let events = events().into_iter().chain(ticket_types());
    let events = events.map(|route| route.also_below(EVENTS)).collect();
    vec![("catalogue", venues_and_series()), ("events", events)]
}

fn venues_and_series() -> Vec<RouteEntry> {
    vec![
        post("/v1/venues", "venue.create", venue::create).created("/v1/venues/{id}"),
        get("/v1/venues", "venue.list", venue::list).public(),
        get("/v1/venues/{venue_id}", "venue.get", venue::get).public(),
        put("/v1/venues/{venue_id}", "venue.replace", venue::update).summary("Replaces a venue."),
        patch("/v1/venues/{venue_id}", "venue.update", venue::update),
        delete("/v1/venues/{venue_id}", "venue.delete", venue::delete),
        post("/v1/series", "series.create", series::create).created("/v1/series/{id}"),
        get("/v1/series", "series.list", series::list).public(),
        get("/v1/series/{series_id}", "series.get", series::get).public(),
        put("/v1/series/{series_id}", "series.replace", series::update).summary("Replaces a series."),
        patch("/v1/series/{series_id}", "series.update", series::update),
        delete("/v1/series/{series_id}", "series.delete", series::delete),
    ]
}

fn events() -> Vec<RouteEntry> {
    vec![
        post("/v1/events", "event.create", event::create).created("/v1/events/{id}"),
        get("/v1/events", "event.list", event::list).public(),
        get("/v1/events/featured", "event.featured", event::featured).public(),
        get("/v1/events/categories", "event.categories", event::categories).public(),
        get("/v1/events/{event_id}", "event.get", event::get).public(),
        put("/v1/events/{event_id}", "event.replace", event::update)
            .summary("Replaces an event. Without a status, the event keeps its status."),
        patch("/v1/events/{event_id}", "event.update", event::update),
        delete("/v1/events/{event_id}", "event.delete", event::delete),
    ]
}

fn ticket_types() -> Vec<RouteEntry> {
    let one = "/v1/events/{event_id}/tickets/{ticket_type_id}";
    vec![
        post("/v1/events/{event_id}/tickets", "ticket_type.create", ticket_type::create)
            .created("/v1/events/{event_id}/tickets/{id}"),
        get("/v1/events/{event_id}/tickets", "ticket_type.list", ticket_type::list).public(),
        get("/v1/tickets/types", "ticket_type.of_event", ticket_type::list).public(),
        get(one, "ticket_type.get", ticket_type::get).public(),
        get("/v1/tickets/types/{ticket_type_id}", "ticket_type.by_id", ticket_type::get).public(),
        put(one, "ticket_type.replace", ticket_type::update).summary("Replaces a ticket type."),
        patch(one, "ticket_type.update", ticket_type::update),
        delete(one, "ticket_type.delete", ticket_type::delete),
    ]
}
