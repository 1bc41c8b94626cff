//! Reservations, what can still be had, and supply.

use reqwest::Method;
use serde_json::{Value, json};

use super::{Row, delete, get, post, row};

const RESERVATION: &str = "/v1/reservations/{reservation_id}";

pub(super) fn rows() -> Vec<Row> {
    [reservations(), availability(), pools(), locks(), seats()].concat()
}

fn reservations() -> Vec<Row> {
    let id = json!({"reservation_id": "{reservation_id}"});
    let wanted = |quantity: i32| {
        json!({
            "event_id": "{event_id}", "ticket_type_id": "{ticket_type_id}", "quantity": quantity,
            "user_id": "ann", "timeout_seconds": 90,
        })
    };
    let of = |tail: &'static str, more: Value, rpc: &'static str| {
        let mut ask = id.clone();
        ask.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let (name, route) = match tail {
            "confirm" => ("reservation.confirm", "/v1/reservations/{reservation_id}:confirm"),
            "extend" => ("reservation.extend", "/v1/reservations/{reservation_id}:extend"),
            _ => ("reservation.release", "/v1/reservations/{reservation_id}:release"),
        };
        post(name, route, more, rpc, ask)
    };
    vec![
        post(
            "reservation.create",
            "/v1/reservations",
            wanted(2),
            "ticket.v1.TicketService/ReserveTickets",
            wanted(2),
        )
        .bad(wanted(-1), wanted(-1)),
        get("reservation.get", RESERVATION, "ticket.v1.TicketService/GetReservation", id.clone()),
        get(
            "reservation.list",
            "/v1/reservations",
            "ticket.v1.TicketService/ListReservations",
            json!({"filter": "buyer:{name}"}),
        )
        .query("filter=buyer:{name}")
        .list(),
        of("confirm", json!({"payment_reference": "p-1"}), "ticket.v1.TicketService/ConfirmReservation"),
        of("extend", json!({"timeout_seconds": 1200}), "ticket.v1.TicketService/ExtendReservation"),
        of("release", json!({"ticket_ids": []}), "ticket.v1.TicketService/ReleaseTickets"),
    ]
}

fn availability() -> Vec<Row> {
    let of_event = json!({"event_id": "{event_id}"});
    let wanted = json!({"ticket_type_id": "{seated_id}", "quantity": 2, "seat_numbers": ["A8", "A9"]});
    let asked = json!({
        "event_id": "{other_event_id}", "ticket_type_id": "{seated_id}", "quantity": 2,
        "seat_numbers": ["A8", "A9"],
    });
    vec![
        get(
            "availability.list",
            "/v1/events/{event_id}/availability",
            "ticket.v1.TicketService/GetAvailableTickets",
            json!({"event_id": "{other_event_id}", "limit": 3}),
        )
        .at("/v1/events/{other_event_id}/availability")
        .query("limit=3"),
        post(
            "availability.check",
            "/v1/events/{event_id}/availability:check",
            wanted,
            "ticket.v1.InventoryService/CheckAvailability",
            asked,
        )
        .at("/v1/events/{other_event_id}/availability:check"),
        get(
            "availability.stream",
            "/v1/events/{event_id}/availability/stream",
            "ticket.v1.TicketService/StreamAvailability",
            of_event,
        )
        .streaming(),
    ]
}

fn pools() -> Vec<Row> {
    let of_event = json!({"event_id": "{event_id}"});
    let new = |capacity: i64| json!({"name": "Balcony", "capacity": capacity});
    let made = |capacity: i64| json!({"event_id": "{event_id}", "name": "Balcony", "capacity": capacity});
    let capacities = json!([{"pool_id": "{other_event_id}", "capacity": 60}]);
    vec![
        get(
            "inventory.get",
            "/v1/events/{event_id}/inventory",
            "ticket.v1.InventoryService/GetInventoryLevels",
            json!({"event_id": "{other_event_id}"}),
        )
        .at("/v1/events/{other_event_id}/inventory"),
        row(
            "inventory.update",
            Method::PATCH,
            "/v1/events/{event_id}/inventory",
            json!({"pools": capacities}),
            "ticket.v1.InventoryService/UpdateInventory",
            json!({"event_id": "{other_event_id}", "pools": capacities}),
        )
        .at("/v1/events/{other_event_id}/inventory"),
        post(
            "pool.create",
            "/v1/events/{event_id}/pools",
            new(20),
            "ticket.v1.InventoryService/CreatePool",
            made(20),
        )
        .bad(new(-1), made(-1)),
        delete(
            "pool.delete",
            "/v1/events/{event_id}/pools/{pool_id}",
            "ticket.v1.InventoryService/DeletePool",
            json!({"event_id": "{event_id}", "pool_id": "{pool_id}"}),
        ),
        post(
            "inventory.lock",
            "/v1/events/{event_id}/locks",
            json!({"pool_id": "{pool_id}", "quantity": 3, "reason": "press"}),
            "ticket.v1.InventoryService/LockInventory",
            json!({"event_id": "{event_id}", "pool_id": "{pool_id}", "quantity": 3, "reason": "press"}),
        ),
        get(
            "inventory.locks",
            "/v1/events/{event_id}/locks",
            "ticket.v1.InventoryService/ListLocks",
            of_event,
        ),
    ]
}

fn locks() -> Vec<Row> {
    let id = json!({"lock_id": "{lock_id}"});
    vec![delete("inventory.unlock", "/v1/locks/{lock_id}", "ticket.v1.InventoryService/UnlockInventory", id)]
}

fn seats() -> Vec<Row> {
    let new =
        |number: i32| json!([{"row": "B", "number": number}, {"row": "B", "number": 2, "label": "B two"}]);
    let import = |number: i32| json!({"seats": new(number)});
    let asked = |number: i32| json!({"ticket_type_id": "{ticket_type_id}", "seats": new(number)});
    vec![
        post(
            "seat.import",
            "/v1/tickets/types/{ticket_type_id}/seats",
            import(1),
            "ticket.v1.InventoryService/ImportSeats",
            asked(1),
        )
        .bad(import(0), asked(0)),
        get(
            "seat.list",
            "/v1/tickets/types/{ticket_type_id}/seats",
            "ticket.v1.InventoryService/ListSeats",
            json!({"ticket_type_id": "{seated_id}", "filter": "free:false"}),
        )
        .at("/v1/tickets/types/{seated_id}/seats")
        .query("filter=free:false")
        .list(),
        post(
            "seat.delete",
            "/v1/tickets/types/{ticket_type_id}:delete_seats",
            json!({"seat_numbers": ["A9"]}),
            "ticket.v1.InventoryService/DeleteSeats",
            json!({"ticket_type_id": "{seated_id}", "seat_numbers": ["A9"]}),
        )
        .at("/v1/tickets/types/{seated_id}:delete_seats"),
    ]
}
