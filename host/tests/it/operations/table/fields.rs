//! More calls of operations, for the fields of answers that the other calls leave out.

use serde_json::json;

use super::calls::{call, differing};
use super::{Caller, Further};

/// What an operation is called with so that each field of its answers has a value.
pub(super) fn further(id: &str) -> Vec<Further> {
    let id = id.strip_prefix("v2.").unwrap_or(id);
    [tenancy(id), tracker(id), plugins(id), catalog(id), booking(id), admission(id)].concat()
}

fn tenancy(id: &str) -> Vec<Further> {
    let none = json!({});
    match id {
        "whoami" => vec![call("key of a user", &none, json!({})).by(Caller::Key("member_key"))],
        "user.search" => vec![call("page_size=1", &none, json!({"query": "{second}", "page_size": 1}))],
        "audit.list" => vec![
            call("of an event", &none, json!({"filter": "event:{event_id}"})),
            call("of a user", &none, json!({"filter": "object:{custom_issue_id}"})),
        ],
        _ => Vec::new(),
    }
}

fn tracker(id: &str) -> Vec<Further> {
    let (project, issue) =
        (json!({"project_id": "{custom_project_id}"}), json!({"issue_id": "{custom_issue_id}"}));
    let custom = |path| vec![call("custom fields", &issue, json!({})).at(path)];
    match id {
        "project.get" => {
            vec![call("custom scheme", &project, json!({})).at("/v1/projects/{custom_project_id}")]
        }
        "scheme.get" => {
            vec![call("custom scheme", &project, json!({})).at("/v1/projects/{custom_project_id}/scheme")]
        }
        "issue.get" => {
            let details = call("details of custom fields", &issue, json!({"include_details": true}));
            vec![details.at("/v1/issues/{custom_issue_id}")]
        }
        "issue.transitions" => custom("/v1/issues/{custom_issue_id}/transitions"),
        "issue.history" => {
            let effect = call("effect of a plugin", &json!({"issue_id": "{sample_issue_id}"}), json!({}));
            let mut calls = custom("/v1/issues/{custom_issue_id}/history");
            calls.push(effect.at("/v1/issues/{sample_issue_id}/history"));
            calls
        }
        "issue.bulk_update" => vec![call(
            "refused by a plugin",
            &json!({}),
            json!({"issue_ids": ["{sample_issue_id}"], "change": {"add_labels": ["refused"]}}),
        )],
        "comment.list" => vec![
            call("page_size=1", &issue, json!({"page_size": 1})).at("/v1/issues/{custom_issue_id}/comments"),
        ],
        "watcher.list" => custom("/v1/issues/{custom_issue_id}/watchers"),
        _ => Vec::new(),
    }
}

fn plugins(id: &str) -> Vec<Further> {
    let installation = json!({"installation_id": "{sample_installation_id}"});
    match id {
        "release.get" => {
            let digest = json!({"digest": "{sample_digest}"});
            vec![call("attributes", &digest, json!({})).at("/v1/releases/{sample_digest}")]
        }
        "installation.get" => vec![
            call("settings", &installation, json!({})).at("/v1/installations/{sample_installation_id}"),
            call("machine", &json!({"installation_id": "{machine_installation_id}"}), json!({}))
                .at("/v1/installations/{machine_installation_id}"),
        ],
        "installation.calls" => vec![
            call("all outcomes", &installation, json!({}))
                .at("/v1/installations/{sample_installation_id}/calls"),
        ],
        "timer.list" => vec![
            call("failed", &installation, json!({"filter": "issue:{timed_issue_id}"}))
                .at("/v1/installations/{sample_installation_id}/timers"),
        ],
        "issue.command_list" => vec![
            call("in states", &json!({"issue_id": "{sample_issue_id}"}), json!({}))
                .at("/v1/issues/{sample_issue_id}/commands"),
        ],
        _ => Vec::new(),
    }
}

fn catalog(id: &str) -> Vec<Further> {
    match id {
        "ticket_type.of_event" => {
            vec![call("page_size=1", &json!({}), json!({"event_id": "{second_event_id}", "page_size": 1}))]
        }
        "ticket_type.get" => vec![
            call("seated", &json!({"ticket_type_id": "{seated_id}"}), json!({}))
                .at("/v1/events/{other_event_id}/tickets/{seated_id}"),
        ],
        "inventory.locks" => vec![
            call("locked", &json!({"event_id": "{other_event_id}"}), json!({}))
                .at("/v1/events/{other_event_id}/locks"),
        ],
        _ => Vec::new(),
    }
}

fn booking(id: &str) -> Vec<Further> {
    match id {
        "queue.get" => vec![
            call("required", &json!({"event_id": "{queue_event_id}"}), json!({}))
                .at("/v1/events/{queue_event_id}/queue"),
        ],
        "booking.get" => vec![
            call("done", &json!({"booking_id": "{done_booking_id}"}), json!({}))
                .at("/v1/bookings/{done_booking_id}"),
            call("failed", &json!({"booking_id": "{failed_booking_id}"}), json!({}))
                .at("/v1/bookings/{failed_booking_id}"),
        ],
        _ => Vec::new(),
    }
}

fn admission(id: &str) -> Vec<Further> {
    let event = json!({"event_id": "{door_event_id}"});
    match id {
        "ticket.get" => vec![
            call("code without a key", &json!({"ticket_id": "{ticket_id}"}), json!({"code": "{code}"}))
                .by(Caller::Public),
            differing("ticket type", json!({}), json!({"ticket_id": "{ticket_type_id}"}))
                .at("/v1/tickets/{ticket_type_id}"),
        ],
        "ticket.revoked" => vec![
            call("several tickets", &event, json!({"page_size": 1}))
                .at("/v1/events/{door_event_id}/revoked-codes"),
        ],
        "signing_key.list" => {
            vec![call("revoked", &json!({}), json!({})).by(Caller::Key("other_tenant_key"))]
        }
        "check_in.list" => vec![
            call("entries and exits", &event, json!({"page_size": 2}))
                .at("/v1/events/{door_event_id}/check-ins"),
        ],
        "check_in.stats" => vec![
            call("entries and exits", &event, json!({"since": "{gates_open}"}))
                .at("/v1/events/{door_event_id}/check-ins/stats"),
        ],
        _ => Vec::new(),
    }
}
