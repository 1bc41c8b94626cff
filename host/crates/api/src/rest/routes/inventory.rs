//! Supply, reservations and queues.

use crate::operations::{booking, hold_rules, inventory, reservation};
use crate::rest::route::{RouteEntry, delete, get, patch, post, put};

pub(super) fn routes() -> Vec<(&'static str, Vec<RouteEntry>)> {
    vec![("inventory", supply()), ("reservations", reservations()), ("queues", queues())]
}

fn supply() -> Vec<RouteEntry> {
    vec![
        get("/v1/events/{event_id}/inventory", "inventory.get", inventory::levels),
        patch("/v1/events/{event_id}/inventory", "inventory.update", inventory::update),
        post("/v1/events/{event_id}/pools", "pool.create", inventory::create_pool).created_in_place(),
        delete("/v1/events/{event_id}/pools/{pool_id}", "pool.delete", inventory::delete_pool),
        post("/v1/events/{event_id}/locks", "inventory.lock", inventory::lock).created_in_place(),
        get("/v1/events/{event_id}/locks", "inventory.locks", inventory::locks),
        delete("/v1/locks/{lock_id}", "inventory.unlock", inventory::unlock),
        post("/v1/tickets/types/{ticket_type_id}/seats", "seat.import", inventory::import_seats),
        get("/v1/tickets/types/{ticket_type_id}/seats", "seat.list", inventory::list_seats).public(),
        post("/v1/tickets/types/{ticket_type_id}:delete_seats", "seat.delete", inventory::delete_seats),
        get("/v1/hold-rules", "hold_rules.get", hold_rules::get),
        put("/v1/hold-rules", "hold_rules.set", hold_rules::set),
    ]
}

fn reservations() -> Vec<RouteEntry> {
    vec![
        post("/v1/reservations", "reservation.create", reservation::reserve).created("/v1/reservations/{id}"),
        get("/v1/reservations", "reservation.list", reservation::list),
        get("/v1/reservations/{reservation_id}", "reservation.get", reservation::get),
        post("/v1/reservations/{reservation_id}:confirm", "reservation.confirm", reservation::confirm),
        post("/v1/reservations/{reservation_id}:extend", "reservation.extend", reservation::extend),
        post("/v1/reservations/{reservation_id}:release", "reservation.release", reservation::release),
        get("/v1/events/{event_id}/availability", "availability.list", reservation::available_tickets)
            .public(),
        post("/v1/events/{event_id}/availability:check", "availability.check", inventory::check).public(),
    ]
}

fn queues() -> Vec<RouteEntry> {
    vec![
        post("/v1/events/{event_id}/queue", "booking.create", booking::enqueue).created("/v1/bookings/{id}"),
        get("/v1/events/{event_id}/queue", "queue.get", booking::status).public(),
        put("/v1/events/{event_id}/queue", "queue.set", booking::set),
        get("/v1/bookings/{booking_id}", "booking.get", booking::get),
        delete("/v1/bookings/{booking_id}", "booking.cancel", booking::cancel),
    ]
}
