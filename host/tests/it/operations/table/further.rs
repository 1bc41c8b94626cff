//! More calls of operations: with other fields set, and with a rule broken.

use serde_json::json;

use super::Further;
use super::calls::{call, differing, joined, patch};

/// What an operation is called with beside its row's own request.
pub(super) fn further(id: &str) -> Vec<Further> {
    let id = id.strip_prefix("v2.").unwrap_or(id);
    [tracker(id), work(id), parts(id), plugins(id), catalog(id), prices(id), supply(id), door(id)].concat()
}

fn tracker(id: &str) -> Vec<Further> {
    let none = json!({});
    let tenant = json!({"tenant": "{tenant}"});
    let user = json!({"user_id": "{user_id}"});
    let project = json!({"project_id": "{project_id}"});
    match id {
        "tenant.update" => vec![
            patch(
                "limits",
                &tenant,
                json!({"plugin_limits": {"fuel": 2_000_000, "time_ms": 20, "memory": 1_048_576, "output": 4_096}}),
            ),
            patch(
                "limits beyond the host's",
                &tenant,
                json!({"plugin_limits": {"fuel": 9_000_000_000_000_u64}}),
            ),
        ],
        "tenant.list" => vec![call(
            "ordered",
            &none,
            json!({"filter": "slug:{tenant} state:active", "order_by": "slug desc", "page_size": 1}),
        )],
        "key.create" => vec![
            differing(
                "every field",
                json!({"name": "all", "roles": ["agent", "gate"], "user_id": "{user_id}", "expires_at": "2126-01-02T03:04:05.678901Z", "tenant": "default"}),
                json!({"name": "all", "roles": ["AGENT", "GATE"], "user_id": "{user_id}", "expires_at": "2126-01-02T03:04:05.678901Z", "tenant": "default"}),
            ),
            differing(
                "expired already",
                json!({"name": "late", "roles": ["viewer"], "expires_at": "2020-01-01T00:00:00Z"}),
                json!({"name": "late", "roles": ["VIEWER"], "expires_at": "2020-01-01T00:00:00Z"}),
            ),
        ],
        "tenant.create" => vec![
            call("other names", &none, json!({"slug": "{slug}-b", "name": "Ünïcode GmbH"})),
            call("slug taken", &none, json!({"slug": "{tenant}", "name": "Again"})),
        ],
        "user.create" => vec![
            call(
                "other names",
                &none,
                json!({"first_name": "Zoë", "last_name": "O'Hara", "email_address": "{email}.uk"}),
            ),
            call(
                "address taken",
                &none,
                json!({"first_name": "A", "last_name": "B", "email_address": "{held_email}"}),
            ),
        ],
        "user.update" => vec![patch(
            "all names",
            &user,
            json!({"first_name": "Zoë", "last_name": "O'Hara", "email_address": "{email}.uk"}),
        )],
        "user.replace" => vec![call(
            "address malformed",
            &user,
            json!({"first_name": "A", "last_name": "B", "email_address": "nowhere"}),
        )],
        "user.bulk_create" => vec![call(
            "two users",
            &none,
            json!({"users": [
                {"first_name": "A", "last_name": "B", "email_address": "a.{email}"},
                {"first_name": "C", "last_name": "D", "email_address": "c.{email}"},
            ]}),
        )],
        "user.list" => vec![call(
            "ordered",
            &none,
            json!({"filter": "email:{held_email} active:true", "order_by": "email desc", "page_size": 2}),
        )],
        "user.search" => vec![call("page", &none, json!({"query": "{held_email}", "page_size": 1}))],
        "project.create" => vec![
            call("no description", &none, json!({"name": "{name} b"})),
            call("name taken", &none, json!({"name": "{name}"})),
        ],
        "project.update" => vec![patch("description", &project, json!({"description": "Zwei\nZeilen"}))],
        "project.list" => vec![call(
            "ordered",
            &none,
            json!({"filter": "name:{name}", "order_by": "name desc", "page_size": 1}),
        )],
        "scheme.set" => {
            let scheme = |category: [&str; 2], types: [&str; 2], default: &str| {
                json!({
                    "types": ["BUG", "STORY"], "priorities": ["LOW", "HIGH"], "resolutions": ["DONE"],
                    "default_type": default, "default_priority": "HIGH",
                    "machine": {
                        "initial": "TODO",
                        "states": [
                            {"name": "TODO", "category": category[0]},
                            {"name": "OVER", "category": category[1]},
                        ],
                        "transitions": [
                            {"name": "finish", "from": ["TODO"], "to": "OVER", "requires": ["resolution"]},
                            {"name": "back", "from": ["OVER"], "to": "TODO", "requires": []},
                        ],
                        "on_assign": {"from": "TODO", "to": "TODO"},
                    },
                    "fields": [
                        {"name": "cost", "type": types[0], "required": false, "options": []},
                        {"name": "size", "type": types[1], "required": true, "options": ["S", "M"]},
                    ],
                })
            };
            let both = |name, default| {
                let message = json!({"scheme": scheme(["OPEN", "DONE"], ["INTEGER", "TEXT"], default)});
                let body = scheme(["open", "done"], ["integer", "text"], default);
                differing(name, body, joined(&project, &message))
            };
            vec![both("every field", "STORY"), both("default that is no type", "EPIC")]
        }
        _ => Vec::new(),
    }
}

fn work(id: &str) -> Vec<Further> {
    let none = json!({});
    let issue = json!({"issue_id": "{issue_id}"});
    match id {
        "issue.create" => vec![
            call(
                "every field",
                &none,
                json!({
                    "project_id": "{project_id}", "summary": "All", "description": "Zeile 1\nZeile 2", "type": "PERFORMANCE",
                    "priority": "CRITICAL", "assignee_id": "{user_id}", "parent_id": "{issue_id}", "labels": ["b", "a"],
                }),
            ),
            call("least", &none, json!({"project_id": "{project_id}", "summary": "Least"})),
            call(
                "unknown assignee",
                &none,
                json!({"project_id": "{project_id}", "summary": "x", "assignee_id": "{absent}"}),
            ),
            call(
                "labels repeated",
                &none,
                json!({"project_id": "{project_id}", "summary": "x", "labels": ["a", "a", ""]}),
            ),
        ],
        "issue.get" => vec![call("details", &issue, json!({"include_details": true}))],
        "issue.list" => vec![
            call(
                "ordered",
                &none,
                json!({"filter": "project:{project_id}", "order_by": "summary desc", "page_size": 2}),
            ),
            call("status", &none, json!({"filter": "project:{project_id} status:NEW -label:held"})),
        ],
        "issue.update" => vec![
            patch(
                "several fields",
                &issue,
                json!({"description": null, "status": "ASSIGNED", "type": "COSMETIC", "priority": "CRITICAL", "assignee_id": "{user_id}"}),
            ),
            patch("status that is not open", &issue, json!({"status": "CLOSED"})),
        ],
        "issue.transition" => vec![
            call("to a status", &issue, json!({"status": "ASSIGNED"})),
            call("with a resolution", &issue, json!({"status": "RESOLVED", "resolution": "FIXED"})),
            call("unknown transition", &issue, json!({"transition": "fly"})),
        ],
        "issue.assign" => vec![
            call("nobody", &issue, json!({"assignee_id": ""})),
            call("unknown user", &issue, json!({"assignee_id": "{absent}"})),
        ],
        "issue.bulk_update" => vec![
            call(
                "every field",
                &none,
                json!({
                    "issue_ids": ["{issue_id}", "{other_id}"],
                    "change": {"type": "BUG", "priority": "MINOR", "assignee_id": "{user_id}", "add_labels": ["n"], "remove_labels": ["held"]},
                }),
            ),
            call(
                "status that is not open",
                &none,
                json!({"issue_ids": ["{issue_id}"], "change": {"status": "CLOSED", "resolution": "FIXED"}}),
            ),
        ],
        "issue.history" => vec![call("page", &issue, json!({"page_size": 1}))],
        "audit.list" => {
            vec![call("types", &none, json!({"filter": "object:{issue_id} type:comment.created"}))]
        }
        _ => Vec::new(),
    }
}

fn parts(id: &str) -> Vec<Further> {
    let issue = json!({"issue_id": "{issue_id}"});
    let link = |name, rest: &str, grpc: &str, other: &str| {
        let message = joined(&issue, &json!({"kind": grpc, "other_id": other}));
        differing(name, json!({"kind": rest, "other_id": other}), message)
    };
    match id {
        "comment.add" => vec![
            call("several lines", &issue, json!({"body": "**a**\n\n- b\n"})),
            call("empty", &issue, json!({"body": ""})),
        ],
        "comment.list" => vec![call("page", &issue, json!({"page_size": 1}))],
        "label.add" => vec![
            call("there already", &issue, json!({"label": "held"})),
            call("malformed", &issue, json!({"label": "a b"})),
        ],
        "link.add" => vec![
            link("duplicates", "duplicates", "LINK_KIND_DUPLICATES", "{other_id}"),
            link("parent", "parent", "LINK_KIND_PARENT", "{other_id}"),
            link("itself", "relates", "LINK_KIND_RELATES", "{issue_id}"),
        ],
        _ => Vec::new(),
    }
}

fn plugins(id: &str) -> Vec<Further> {
    let none = json!({});
    let installation = json!({"installation_id": "{installation_id}"});
    let new = |policy: &str| {
        json!({
            "release": {"plugin": "{spare}", "version": "1.0.0"}, "order": -2, "on_failure": policy,
            "limits": {"fuel": 3_000_000, "time_ms": 4_000, "memory": 2_097_152, "output": 8_192},
        })
    };
    match id {
        "release.list" => vec![call(
            "ordered",
            &none,
            json!({"filter": "plugin:{spare}", "order_by": "uploaded", "page_size": 1}),
        )],
        "installation.create" => vec![
            differing(
                "of the tenant",
                joined(&new("closed"), &json!({"enabled": false, "grants": []})),
                joined(&new("CLOSED"), &json!({"enabled": false, "grants": {"rights": []}})),
            ),
            differing(
                "unknown setting and grant",
                joined(&new("closed"), &json!({"settings": {"nonsense": 1}, "grants": ["nonsense"]})),
                joined(
                    &new("CLOSED"),
                    &json!({"settings_json": "{\"nonsense\":1}", "grants": {"rights": ["nonsense"]}}),
                ),
            ),
        ],
        "installation.update" => vec![patch(
            "limits",
            &installation,
            json!({"limits": {"fuel": 5_000_000, "time_ms": 3_000}, "order": 7}),
        )],
        "installation.calls" => vec![call("after", &installation, json!({"after": 1}))],
        "issue.command" => vec![call(
            "unknown",
            &json!({"issue_id": "{issue_id}"}),
            json!({"name": "fly", "installation_id": "{installation_id}"}),
        )],
        "timer.list" => vec![call("page", &installation, json!({"page_size": 1}))],
        _ => Vec::new(),
    }
}

fn catalog(id: &str) -> Vec<Further> {
    let none = json!({});
    let (venue, series, event) = (
        json!({"venue_id": "{venue_id}"}),
        json!({"series_id": "{series_id}"}),
        json!({"event_id": "{event_id}"}),
    );
    let place = json!({
        "name": "Arena", "address": "2 Road\nBack door", "city": "Köln", "state": "NW", "country": "Germany",
        "postal_code": "50679", "latitude": -89.999_999, "longitude": 179.25, "capacity": 9_007_199_254_740_991_i64,
        "amenities": ["bar", "lift"], "time_zone": "Pacific/Auckland",
    });
    let small = json!({"name": "Cellar", "address": "", "city": "", "country": "", "latitude": 0.0, "longitude": 0.0, "capacity": 0});
    let show = json!({
        "title": "All", "description": "Zeile 1\nZeile 2", "category": "Opera", "venue_id": "{venue_id}",
        "series_id": "{series_id}", "start_date": "2126-05-01T19:00:00.123456Z", "end_date": "2126-05-01T22:30:00+02:00",
        "time_zone": "America/New_York", "status": "draft", "featured": false, "image_url": "https://example.com/b.png",
        "max_capacity": 12_345, "hold_seconds": 301, "hold_min_seconds": 61, "hold_max_seconds": 901, "buyer_limit": 5,
        "reentry": false,
    });
    let short =
        json!({"title": "Least", "start_date": "2126-05-01T19:00:00Z", "end_date": "2126-05-01T22:00:00Z"});
    let turned =
        json!({"title": "Turned", "start_date": "2126-05-02T19:00:00Z", "end_date": "2126-05-01T22:00:00Z"});
    let holds = json!({"title": "Holds", "start_date": "2126-05-01T19:00:00Z", "end_date": "2126-05-01T22:00:00Z", "hold_min_seconds": 900, "hold_max_seconds": 60});
    match id {
        "ticket_type.of_event" => {
            vec![call("first of a page", &none, json!({"event_id": "{event_id}", "page_size": 1}))]
        }
        "ticket_type.list" => vec![call("negative page", &event, json!({"page_size": -1}))],
        "venue.create" => vec![
            call("every field", &none, place),
            call("zeros", &none, small),
            call(
                "half a place",
                &none,
                json!({"name": "Half", "city": "B", "country": "C", "latitude": 1.5}),
            ),
        ],
        "venue.replace" => vec![call("every field", &venue, place), call("zeros", &venue, small)],
        "venue.update" => vec![
            patch(
                "place",
                &venue,
                json!({"latitude": 1.25, "longitude": -2.5, "postal_code": "1", "state": "S", "amenities": ["x"]}),
            ),
            patch("cleared", &venue, json!({"amenities": null, "time_zone": null, "address": null})),
            patch("latitude too large", &venue, json!({"latitude": 90.1, "longitude": 0.5})),
        ],
        "venue.list" | "series.list" => vec![call(
            "ordered",
            &none,
            json!({"filter": "name:{name}", "order_by": "name desc", "page_size": 1}),
        )],
        "series.create" => vec![call("no description", &none, json!({"name": "Tour 2"}))],
        "series.update" => vec![patch("description", &series, json!({"description": null}))],
        "event.create" => vec![
            call("every field", &none, show),
            call("least", &none, short),
            call("ends before it starts", &none, turned),
            call("bounds turned", &none, holds),
            call(
                "unknown venue",
                &none,
                json!({"title": "x", "start_date": "2126-05-01T19:00:00Z", "end_date": "2126-05-01T22:00:00Z", "venue_id": "{absent}"}),
            ),
        ],
        "event.replace" => vec![
            call("every field", &event, show),
            call("least", &event, short),
            call("ends before it starts", &event, turned),
        ],
        "event.update" => vec![
            patch(
                "references and bounds",
                &event,
                json!({
                    "venue_id": "{venue_id}", "series_id": "{series_id}", "buyer_limit": 3, "hold_seconds": 200,
                    "hold_min_seconds": 100, "hold_max_seconds": 300, "reentry": true, "description": "d", "featured": false,
                }),
            ),
            patch(
                "cleared",
                &event,
                json!({"venue_id": null, "max_capacity": null, "image_url": null, "description": null}),
            ),
            patch("status unknown", &event, json!({"status": "nonsense"})),
        ],
        "event.list" | "event.featured" => vec![
            call(
                "ordered",
                &none,
                json!({"filter": "title:{name}", "order_by": "start desc", "page_size": 1}),
            ),
            call("category", &none, json!({"filter": "title:{name} category:concert"})),
        ],
        _ => Vec::new(),
    }
}

fn prices(id: &str) -> Vec<Further> {
    let (event, id_of) = (json!({"event_id": "{event_id}"}), json!({"ticket_type_id": "{ticket_type_id}"}));
    let full = json!({
        "name": "All", "description": "Zeile", "price": {"amount": 123_456_789_012_i64, "currency": "KWD"}, "quantity": 77,
        "max_per_purchase": 9, "min_per_purchase": 3, "valid_from": "2026-02-03T04:05:06.000007Z",
        "valid_until": "2126-03-04T05:06:07Z", "status": "active", "metadata": {"a": "1", "b": "zwei"}, "pools": ["{pool_id}"],
    });
    let least = json!({"name": "Least", "price": {"amount": 1, "currency": "EUR"}});
    let turned = json!({"name": "Turned", "price": {"amount": 1, "currency": "EUR"}, "max_per_purchase": 1, "min_per_purchase": 2});
    match id {
        "ticket_type.create" => vec![
            call("every field", &event, full),
            call(
                "hidden",
                &event,
                json!({"name": "Guests", "price": {"amount": 1, "currency": "EUR"}, "hidden": true}),
            ),
            call("least", &event, least),
            call("bounds turned", &event, turned),
            call(
                "unknown pool",
                &event,
                json!({"name": "x", "price": {"amount": 1, "currency": "EUR"}, "pools": ["{absent}"]}),
            ),
        ],
        "ticket_type.replace" => vec![
            call("every field", &id_of, full),
            call("least", &id_of, least),
            call("bounds turned", &id_of, turned),
        ],
        "ticket_type.update" => vec![
            patch(
                "price and bounds",
                &id_of,
                json!({"price": {"amount": 99, "currency": "EUR"}, "max_per_purchase": 8, "min_per_purchase": 2, "metadata": {"k": "v"}}),
            ),
            patch("cleared", &id_of, json!({"description": null, "metadata": null, "valid_from": null})),
            patch("currency unknown", &id_of, json!({"price": {"amount": 99, "currency": "XXX"}})),
        ],
        _ => Vec::new(),
    }
}

fn supply(id: &str) -> Vec<Further> {
    let none = json!({});
    let (event, other) = (json!({"event_id": "{event_id}"}), json!({"event_id": "{other_event_id}"}));
    let reservation = json!({"reservation_id": "{reservation_id}"});
    let seated = json!({"ticket_type_id": "{seated_id}"});
    match id {
        "reservation.create" => vec![
            call(
                "lines and seats",
                &none,
                json!({
                    "event_id": "{other_event_id}", "user_id": "ben",
                    "lines": [{"ticket_type_id": "{seated_id}", "quantity": 2, "seat_numbers": ["A8", "A9"]}],
                }),
            ),
            call(
                "more than there are",
                &none,
                json!({"event_id": "{event_id}", "ticket_type_id": "{ticket_type_id}", "quantity": 101, "user_id": "ben"}),
            ),
            call(
                "seat taken",
                &none,
                json!({"event_id": "{other_event_id}", "ticket_type_id": "{seated_id}", "quantity": 1, "seat_numbers": ["A1"], "user_id": "ben"}),
            ),
            call(
                "seat unknown",
                &none,
                json!({"event_id": "{other_event_id}", "ticket_type_id": "{seated_id}", "quantity": 1, "seat_numbers": ["Z1"], "user_id": "ben"}),
            ),
        ],
        "reservation.confirm" => vec![call("no payment", &reservation, json!({}))],
        "reservation.extend" => vec![call("too long", &reservation, json!({"timeout_seconds": 1_000_000}))],
        "reservation.release" => {
            vec![call("unknown ticket", &reservation, json!({"ticket_ids": ["{absent}"]}))]
        }
        "reservation.list" => vec![call(
            "held",
            &none,
            json!({"filter": "buyer:{name} state:held", "page_size": 1, "order_by": "created desc"}),
        )],
        "availability.list" => {
            vec![call("one type", &other, json!({"ticket_type_id": "{seated_id}", "limit": 2}))]
        }
        "availability.check" => vec![
            call("more than there are", &other, json!({"ticket_type_id": "{seated_id}", "quantity": 10})),
            call(
                "seat taken",
                &other,
                json!({"ticket_type_id": "{seated_id}", "quantity": 1, "seat_numbers": ["A1"]}),
            ),
        ],
        "inventory.update" => vec![call(
            "below what is locked",
            &other,
            json!({"pools": [{"pool_id": "{other_event_id}", "capacity": 1}]}),
        )],
        "pool.create" => vec![call("name taken", &event, json!({"name": "Floor", "capacity": 7}))],
        "inventory.lock" => vec![
            call(
                "until",
                &event,
                json!({"pool_id": "{pool_id}", "quantity": 5, "reason": "artists", "until": "2126-01-01T00:00:00Z"}),
            ),
            call(
                "more than there are",
                &event,
                json!({"pool_id": "{pool_id}", "quantity": 51, "reason": "all"}),
            ),
        ],
        "seat.list" => vec![call("free", &seated, json!({"filter": "free:true", "page_size": 2}))],
        "seat.import" => vec![call(
            "one",
            &json!({"ticket_type_id": "{ticket_type_id}"}),
            json!({"seats": [{"row": "C", "number": 12, "label": "C twelve"}]}),
        )],
        "seat.delete" => vec![
            call("taken", &seated, json!({"seat_numbers": ["A1"]})),
            call("unknown", &seated, json!({"seat_numbers": ["Z9"]})),
        ],
        "hold_rules.set" => vec![
            call(
                "every field",
                &none,
                json!({"hold_seconds": 500, "hold_min_seconds": 70, "hold_max_seconds": 2_000}),
            ),
            call(
                "bounds turned",
                &none,
                json!({"hold_seconds": 500, "hold_min_seconds": 900, "hold_max_seconds": 60}),
            ),
        ],
        "queue.set" => vec![call(
            "not required",
            &event,
            json!({"max_active": 3, "active_seconds": 120, "required": false}),
        )],
        "booking.create" => vec![call(
            "two lines",
            &other,
            json!({
                "user_id": "ben", "timeout_seconds": 120,
                "lines": [{"ticket_type_id": "{seated_id}", "quantity": 2, "seat_numbers": ["A8", "A9"]}],
            }),
        )],
        _ => Vec::new(),
    }
}

fn door(id: &str) -> Vec<Further> {
    let ticket = json!({"ticket_id": "{ticket_id}"});
    let event = json!({"event_id": "{other_event_id}"});
    let none = json!({});
    match id {
        "ticket.list" => vec![call(
            "state",
            &none,
            json!({"filter": "holder:{name} state:valid", "order_by": "created desc", "page_size": 1}),
        )],
        "ticket.print" => vec![
            call("pdf", &ticket, json!({"format": "pdf"})),
            call("png", &ticket, json!({"format": "png"})),
        ],
        "ticket.transfer" => vec![call("to the same holder", &ticket, json!({"holder": "{name}"}))],
        "ticket.cancel" => vec![call("not restocked", &ticket, json!({"restock": false}))],
        "ticket.validate" => vec![
            call("used", &event, json!({"ticket_id": "{used_id}", "direction": "in"})),
            call("out", &event, json!({"ticket_id": "{ticket_id}", "direction": "out"})),
            call("malformed code", &event, json!({"qr_code": "nonsense"})),
            call("unknown ticket", &event, json!({"ticket_id": "{absent}"})),
        ],
        "check_in.create" => vec![
            call(
                "used",
                &event,
                json!({"ticket_id": "{used_id}", "gate": "South", "device_id": "d2", "direction": "in"}),
            ),
            call("code of another key", &event, json!({"qr_code": "nonsense", "gate": "South"})),
        ],
        "check_in.list" => vec![call(
            "gate",
            &event,
            json!({"filter": "verdict:admitted", "page_size": 1, "order_by": "at desc"}),
        )],
        "check_in.stats" => vec![call("since", &event, json!({"since": "2126-01-01T00:00:00Z"}))],
        "signing_key.rotate" => vec![call("former revoked", &none, json!({"revoke_former": true}))],
        _ => Vec::new(),
    }
}
