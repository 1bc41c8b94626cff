//! What operations work on, in the tenant `default`: objects that are created when a call first names one of them.

mod groups;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::harness::Rest;
use crate::plugins::upload;

/// A text that only the fixture's own tenant may ever see.
pub const MARK: &str = "only for its own tenant";

/// A plugin that is installed, the command that it offers, and a plugin that is only uploaded.
const INSTALLED: &str = "support-sla";
const COMMAND: &str = "pause-sla";
const SPARE: &str = "text-policy";

/// Names and what they stand for.
#[derive(Clone)]
pub struct Fixture(BTreeMap<&'static str, String>);

impl Fixture {
    /// Makes up names; nothing exists yet.
    pub fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        Self(
            [
                ("spare", SPARE.to_owned()),
                ("command", COMMAND.to_owned()),
                ("name", format!("Fixture-{n:04}")),
                ("held_email", format!("held{n:04}@example.com")),
                ("email", format!("new{n:04}@example.com")),
                ("label", "held".to_owned()),
                ("kind", "blocks".to_owned()),
                ("slug", format!("new-{n:04}")),
                ("absent", uuid::Uuid::now_v7().to_string()),
            ]
            .into(),
        )
    }

    /// Creates all objects that the rows of the table name.
    pub async fn complete(rest: &Rest) -> Self {
        let mut fixture = Self::new();
        fixture.prepare(rest, "{name} {component} {rule_id} {promotion_id}").await;
        fixture
    }

    /// The same names, and nothing that they stand for exists.
    pub fn absent(&self) -> Self {
        let mut absent = self.clone();
        for (name, value) in &mut absent.0 {
            match *name {
                "tenant" | "key_id" => *value = "nobody".to_owned(),
                "digest" => *value = format!("{0}{0}", uuid::Uuid::now_v7().simple()),
                name if name.ends_with("_id") => *value = uuid::Uuid::now_v7().to_string(),
                _ => {}
            }
        }
        absent
    }

    /// The same names, and ids that are none.
    pub fn malformed(&self) -> Self {
        let mut malformed = self.clone();
        for (name, value) in &mut malformed.0 {
            if name.ends_with("_id") || ["digest", "tenant"].contains(name) {
                *value = "not-an-id".to_owned();
            }
        }
        malformed
    }

    /// The values that no other fixture has, with their names; longer values first.
    pub fn distinct(&self) -> Vec<(String, &'static str)> {
        let shared = ["spare", "component", "command", "label", "kind", "soon", "gates_open"];
        let distinct = self.0.iter().filter(|(name, value)| !shared.contains(name) && *value != "not-an-id");
        let mut distinct: Vec<_> = distinct.map(|(name, value)| (value.clone(), *name)).collect();
        distinct.sort_by_key(|(value, _)| std::cmp::Reverse(value.len()));
        distinct
    }

    /// The text with names replaced.
    pub fn fill(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, (name, value)| text.replace(&format!("{{{name}}}"), value))
    }

    /// The same in all texts of a value.
    pub fn fill_json(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.fill(text)),
            Value::Array(list) => list.iter().map(|item| self.fill_json(item)).collect(),
            Value::Object(map) => {
                map.iter().map(|(name, item)| (name.clone(), self.fill_json(item))).collect()
            }
            other => other.clone(),
        }
    }
}

/// The digest of a plugin's release, which is uploaded if it is not there.
async fn release(rest: &Rest, plugin: &str, version: &str, component: Vec<u8>) -> String {
    let held = rest.get(&format!("/v1/releases?filter=plugin:{plugin}")).await.expect(200).clone();
    let held = held["releases"].as_array().unwrap().iter().find(|held| held["version"] == version).cloned();
    let release = match held {
        Some(release) => release,
        None => upload(rest, component).await,
    };
    release["digest"].as_str().unwrap().to_owned()
}

/// A venue and a series, and an event that sells, with a ticket type.
async fn show(rest: &Rest, name: &str) -> [String; 4] {
    let venue = json!({"name": name, "address": MARK, "city": "Berlin", "country": "Germany"});
    let venue = create(rest, "/v1/venues", venue, "venue").await;
    let series = create(rest, "/v1/series", json!({"name": name, "description": MARK}), "series").await;
    let event = json!({
        "title": name, "category": "concert", "status": "active", "featured": true, "max_capacity": 1000,
        "start_date": "2126-03-01T19:00:00Z", "end_date": "2126-03-01T22:00:00Z",
    });
    let event = create(rest, "/v1/events", event, "event").await;
    let held = json!({"name": name, "price": {"amount": 1250, "currency": "EUR"}, "quantity": 100});
    let ticket_type = create(rest, &format!("/v1/events/{event}/tickets"), held, "ticket_type").await;
    [venue, series, event, ticket_type]
}

/// An event with nine seats, of which two are held, and with a unit out of sale.
async fn seated(rest: &Rest, name: &str) -> [String; 4] {
    let event = json!({
        "title": name, "category": MARK, "status": "active", "max_capacity": 9,
        "start_date": "2126-04-01T19:00:00Z", "end_date": "2126-04-01T22:00:00Z",
    });
    let event = create(rest, "/v1/events", event, "event").await;
    let held = json!({"name": name, "price": {"amount": 4000, "currency": "EUR"}});
    let held = create(rest, &format!("/v1/events/{event}/tickets"), held, "ticket_type").await;
    let seats: Vec<_> = (1..=9).map(|number| json!({"row": "A", "number": number})).collect();
    rest.post(&format!("/v1/tickets/types/{held}/seats"), json!({"seats": seats})).await.expect(200);
    let wanted = json!({"event_id": event, "ticket_type_id": held, "quantity": 2, "user_id": name});
    let reservation = create(rest, "/v1/reservations", wanted, "reservation").await;
    let lock = json!({"pool_id": event, "quantity": 1, "reason": MARK});
    let lock = create(rest, &format!("/v1/events/{event}/locks"), lock, "lock").await;
    [event, held, reservation, lock]
}

/// Three tickets of which one was not used, one was, and one went to somebody else: the first, the second, and the
/// second's check-in.
async fn sold(rest: &Rest, [event, held]: [&str; 2], name: &str) -> [String; 4] {
    let wanted = json!({"event_id": event, "ticket_type_id": held, "quantity": 3, "user_id": name});
    let wanted = rest.post("/v1/reservations", wanted).await.expect(201)["reservation"].clone();
    let confirm = format!("/v1/reservations/{}:confirm", wanted["id"].as_str().unwrap());
    rest.post(&confirm, json!({"payment_reference": "p"})).await.expect(200);
    let [ticket, used, moved] =
        [0, 1, 2].map(|place| wanted["tickets"][place]["id"].as_str().unwrap().to_owned());
    rest.post(&format!("/v1/tickets/{moved}:transfer"), json!({"holder": MARK})).await.expect(200);
    let at = json!({"ticket_id": used, "gate": MARK});
    let check_in = create(rest, &format!("/v1/events/{event}/check-ins"), at, "record").await;
    let ticket_with_code = rest.get(&format!("/v1/tickets/{ticket}")).await;
    let code = ticket_with_code.expect(200)["ticket"]["code"].as_str().unwrap().to_owned();
    [ticket, code, used, check_in]
}

/// A booking that waits for one who is served.
async fn queued(rest: &Rest, event: &str) -> String {
    let queue = format!("/v1/events/{event}/queue");
    // Who is served stays while the fixture is in use, also on a busy machine, and leaves then: a host looks after a
    // bounded number of queues at once.
    rest.put(&queue, json!({"max_active": 1, "active_seconds": 60})).await.expect(200);
    create(rest, &queue, json!({"user_id": "served"}), "booking").await;
    let begun = Instant::now();
    while rest.get(&queue).await.expect(200)["active"] == 0 {
        assert!(begun.elapsed() < Duration::from_secs(20), "nobody is served");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    create(rest, &queue, json!({"user_id": MARK}), "booking").await
}

/// The tenant's only pricing rule, which is disabled, and a quote: a tenant may have only so many rules.
async fn priced(rest: &Rest, [event, held]: [&str; 2], name: &str) -> [String; 2] {
    let rules = rest.get("/v1/pricing-rules?page_size=200").await.expect(200).clone();
    for rule in rules["rules"].as_array().unwrap() {
        rest.delete(&format!("/v1/pricing-rules/{}", rule["id"].as_str().unwrap())).await.expect(200);
    }
    let rule = json!({
        "name": name, "kind": "discount", "percent": "10", "event_id": event, "enabled": false,
    });
    let rule = create(rest, "/v1/pricing-rules", rule, "rule").await;
    let basket = json!({
        "event_id": event, "zone_id": held, "quantity": 2, "user_id": name, "channel": MARK,
    });
    let quote = rest.post("/v1/quotes", basket).await;
    let quote = quote.expect(201)["quote_id"].as_str().unwrap().to_owned();
    [rule, quote]
}

async fn create(rest: &Rest, path: &str, body: Value, name: &str) -> String {
    rest.post(path, body).await.expect(201)[name]["id"].as_str().unwrap().to_owned()
}

/// The tenant's only installation, in that project, updated from one release to the next: a tenant may have only so
/// many.
async fn installation(rest: &Rest, [earlier, digest]: [&str; 2], project: &str) -> String {
    let held = rest.get("/v1/installations?page_size=100").await.expect(200).clone();
    for installation in held["installations"].as_array().unwrap() {
        let id = installation["installation_id"].as_str().unwrap();
        rest.delete(&format!("/v1/installations/{id}")).await.expect(200);
    }
    let body = json!({"release": {"digest": earlier}, "project_id": project});
    let answer = rest.post("/v1/installations", body).await;
    let id = answer.expect(201)["installation"]["installation_id"].as_str().unwrap().to_owned();
    let next = json!({"release": {"digest": digest}});
    rest.patch(&format!("/v1/installations/{id}"), next).await.expect(200);
    id
}
