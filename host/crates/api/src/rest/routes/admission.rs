//! Tickets, the keys of their codes, and check-ins.

use crate::operations::{check_in, ticket};
use crate::rest::route::{RouteEntry, get, post};
use crate::rest::ticket_documents;

pub(super) fn routes() -> Vec<(&'static str, Vec<RouteEntry>)> {
    vec![("tickets", tickets()), ("check-ins", check_ins())]
}

fn tickets() -> Vec<RouteEntry> {
    let mut routes = vec![
        get("/v1/tickets", "ticket.list", ticket::list),
        post("/v1/tickets/{ticket_id}:transfer", "ticket.transfer", ticket::transfer),
        post("/v1/tickets/{ticket_id}:cancel", "ticket.cancel", ticket::cancel),
    ];
    routes.extend(ticket_documents::routes());
    routes
}

fn check_ins() -> Vec<RouteEntry> {
    vec![
        post("/v1/events/{event_id}/check-ins:validate", "ticket.validate", check_in::validate),
        post("/v1/events/{event_id}/check-ins", "check_in.create", check_in::create)
            .created("/v1/check-ins/{id}"),
        post("/v1/events/{event_id}/check-ins:batch", "check_in.merge", check_in::batch),
        get("/v1/events/{event_id}/check-ins", "check_in.list", check_in::list),
        get("/v1/events/{event_id}/check-ins/stats", "check_in.stats", check_in::stats),
        get("/v1/check-ins/{check_in_id}", "check_in.get", check_in::get),
        post("/v1/check-ins/{check_in_id}:undo", "check_in.undo", check_in::undo),
        get("/v1/events/{event_id}/revoked-codes", "ticket.revoked", ticket::revoked),
        get("/v1/signing-keys", "signing_key.list", ticket::keys).public(),
        post("/v1/signing-keys:rotate", "signing_key.rotate", ticket::rotate),
    ]
}
