//! Tickets, the keys of their codes, and the door.

use serde_json::{Value, json};

use super::{Row, get, post};

const TICKET: &str = "/v1/tickets/{ticket_id}";

pub(super) fn rows() -> Vec<Row> {
    [tickets(), codes(), door(), check_ins()].concat()
}

fn tickets() -> Vec<Row> {
    let with_code = json!({"ticket_id": "{ticket_id}", "code": "{code}"});
    let to = |holder: &str| json!({"ticket_id": "{ticket_id}", "holder": holder});
    vec![
        get("ticket.get", TICKET, "ticket.v1.TicketService/GetTicket", with_code).query("code={code}"),
        get(
            "ticket.print",
            "/v1/tickets/{ticket_id}:print",
            "ticket.v1.TicketService/PrintTicket",
            json!({"ticket_id": "{ticket_id}", "format": "svg"}),
        )
        .query("format=svg")
        .document()
        .bad(json!({"format": "gif"}), json!({"ticket_id": "{ticket_id}", "format": "gif"})),
        get(
            "ticket.list",
            "/v1/tickets",
            "ticket.v1.TicketService/ListTickets",
            json!({"filter": "holder:{name}"}),
        )
        .query("filter=holder:{name}")
        .list(),
        post(
            "ticket.transfer",
            "/v1/tickets/{ticket_id}:transfer",
            json!({"holder": "ben"}),
            "ticket.v1.TicketService/TransferTicket",
            to("ben"),
        )
        .bad(json!({"holder": ""}), to("")),
        post(
            "ticket.cancel",
            "/v1/tickets/{ticket_id}:cancel",
            json!({"restock": true}),
            "ticket.v1.TicketService/CancelTicket",
            json!({"ticket_id": "{ticket_id}", "restock": true}),
        ),
    ]
}

fn codes() -> Vec<Row> {
    vec![
        get(
            "ticket.revoked",
            "/v1/events/{event_id}/revoked-codes",
            "ticket.v1.TicketService/ListRevokedCodes",
            json!({"event_id": "{other_event_id}"}),
        )
        .at("/v1/events/{other_event_id}/revoked-codes")
        .list(),
        get("signing_key.list", "/v1/signing-keys", "ticket.v1.TicketService/ListSigningKeys", json!({})),
        post(
            "signing_key.rotate",
            "/v1/signing-keys:rotate",
            json!({"revoke_former": false}),
            "ticket.v1.TicketService/RotateSigningKeys",
            json!({"revoke_former": false}),
        ),
    ]
}

fn door() -> Vec<Row> {
    let shown = json!({"ticket_id": "{ticket_id}", "direction": "in"});
    let at = |gate: &str| json!({"ticket_id": "{ticket_id}", "gate": gate, "device_id": "d1", "staff_id": "s1", "direction": "in"});
    let scan = json!({
        "nonce": "n-1", "at": "{soon}", "ticket_id": "{ticket_id}", "gate": "North", "staff_id": "s1",
    });
    let unread = json!({"nonce": "n-2", "ticket_id": "{ticket_id}", "gate": "North"});
    let noted = |scans: Value| json!({"device_id": "d1", "scans": scans});
    vec![
        post(
            "ticket.validate",
            "/v1/events/{event_id}/check-ins:validate",
            shown.clone(),
            "ticket.v1.CheckInService/ValidateTicket",
            of_event(shown),
        )
        .at("/v1/events/{other_event_id}/check-ins:validate"),
        post(
            "check_in.create",
            "/v1/events/{event_id}/check-ins",
            at("North"),
            "ticket.v1.CheckInService/CheckIn",
            of_event(at("North")),
        )
        .at("/v1/events/{other_event_id}/check-ins")
        .bad(at(""), of_event(at(""))),
        post(
            "check_in.merge",
            "/v1/events/{event_id}/check-ins:batch",
            noted(json!([scan, unread])),
            "ticket.v1.CheckInService/CheckInBatch",
            of_event(noted(json!([scan, unread]))),
        )
        .at("/v1/events/{other_event_id}/check-ins:batch")
        .bad(noted(json!([])), of_event(noted(json!([])))),
    ]
}

fn check_ins() -> Vec<Row> {
    let id = json!({"check_in_id": "{check_in_id}"});
    vec![
        get("check_in.get", "/v1/check-ins/{check_in_id}", "ticket.v1.CheckInService/GetCheckIn", id.clone()),
        get(
            "check_in.list",
            "/v1/events/{event_id}/check-ins",
            "ticket.v1.CheckInService/ListCheckIns",
            of_event(json!({"filter": "ticket:{used_id}"})),
        )
        .at("/v1/events/{other_event_id}/check-ins")
        .query("filter=ticket:{used_id}")
        .list(),
        get(
            "check_in.stats",
            "/v1/events/{event_id}/check-ins/stats",
            "ticket.v1.CheckInService/GetEventStats",
            of_event(json!({})),
        )
        .at("/v1/events/{other_event_id}/check-ins/stats"),
        post(
            "check_in.undo",
            "/v1/check-ins/{check_in_id}:undo",
            Value::Null,
            "ticket.v1.CheckInService/UndoCheckIn",
            id,
        ),
    ]
}

/// What is asked of the event that has sold.
fn of_event(mut ask: Value) -> Value {
    ask["event_id"] = json!("{other_event_id}");
    ask
}
