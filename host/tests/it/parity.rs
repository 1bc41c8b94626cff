//! Every operation gives equal answers and equal errors over REST and gRPC.
//!
//! Two hosts get the same operations in the same order, one over REST and one over gRPC; then all values but ids and
//! times near now have to be equal.

mod fields;
mod streams;

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::StreamExt as _;
use prost_reflect::DynamicMessage;
use reqwest::Method;
use serde_json::{Map, Value, json};
use tessera_core::access::Operation;
use time::format_description::well_known::Rfc3339;
use time::{OffsetDateTime, UtcOffset};
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::harness::{Answer, Grpc, Home, Host, Kind, Rest, TestTime};
use crate::operations::fixture::Fixture;
use crate::operations::shape::Shape;
use crate::operations::{Caller, Row, groups, rows, rpc};

/// Groups of operations that are called at a time.
pub const CONCURRENT: usize = 3;

/// Sends a row over REST.
pub async fn send(rest: &Rest, row: &Row, fixture: &Fixture, bad: Option<&Value>) -> Answer {
    rest.send(request(rest, row, fixture, bad)).await
}

/// A row as a request over REST.
pub fn request(rest: &Rest, row: &Row, fixture: &Fixture, bad: Option<&Value>) -> reqwest::RequestBuilder {
    request_to(rest, row, row.path, fixture, bad)
}

fn request_to(
    rest: &Rest,
    row: &Row,
    path: &str,
    fixture: &Fixture,
    bad: Option<&Value>,
) -> reqwest::RequestBuilder {
    let mut query = fixture.fill(row.query);
    let mut body = row.body.clone();
    match (bad, &row.method) {
        (Some(Value::Object(values)), &Method::GET) => {
            let pairs =
                values.iter().map(|(name, value)| format!("{name}={}", value.to_string().trim_matches('"')));
            query = fixture.fill(&pairs.collect::<Vec<_>>().join("&"));
        }
        (Some(bad), _) => body = bad.clone(),
        (None, _) => {}
    }
    let path = format!("{}?{query}", fixture.fill(path));
    let request = rest.request(row.method.clone(), path.trim_end_matches('?'));
    match fixture.fill_json(&body) {
        Value::Null => request,
        Value::String(text) => {
            request.header("content-type", "application/wasm").body(STANDARD.decode(text).unwrap())
        }
        body => request.json(&body),
    }
}

#[test]
fn every_operation_has_a_row() {
    let held: BTreeSet<_> = rows().iter().map(|row| row.id).collect();
    let missing: Vec<_> =
        Operation::ALL.iter().map(|op| op.name()).filter(|name| !held.contains(name)).collect();
    assert!(missing.is_empty(), "no row for {missing:?}");
}

#[test]
fn every_rpc_has_a_row() {
    let held: BTreeSet<_> = rows().iter().map(|row| row.rpc).collect();
    for service in rpc::pool().services() {
        for method in service.methods() {
            let rpc = format!("{}/{}", service.full_name(), method.name());
            assert!(held.contains(rpc.as_str()), "no row for {rpc}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_route_has_a_row() {
    let home = Home::new(Kind::Memory).await;
    let host = Host::start(&home).await;
    let document = host.rest().get("/openapi.json").await.expect(200).clone();
    let held: BTreeSet<_> =
        rows().iter().map(|row| (row.method.to_string().to_lowercase(), row.route.to_owned())).collect();
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in
            item.as_object().unwrap().keys().filter(|_| !["/livez", "/readyz", "/health"].contains(&&**path))
        {
            assert!(held.contains(&(method.clone(), path.clone())), "no row for {method} {path}");
        }
    }
}

/// Both transports of two hosts that are called with the same operations in the same order.
struct Pair {
    _homes: [Home; 2],
    hosts: [Host; 2],
    rest: Rest,
    /// The other host over REST, for its objects.
    other: Rest,
    grpc: Grpc,
}

impl Pair {
    async fn start(kind: Kind) -> Self {
        let homes = [Home::without_fsync(kind).await, Home::without_fsync(kind).await];
        let hosts = [Host::start_patient(&homes[0]).await, Host::start_patient(&homes[1]).await];
        let (rest, other, grpc) = (hosts[0].rest(), hosts[1].rest(), hosts[1].grpc().await);
        Self { _homes: homes, hosts, rest, other, grpc }
    }

    /// Creates the objects that a text names on both hosts, unless they exist.
    async fn prepare(&self, [ours, theirs]: &mut [Fixture; 2], text: &str) {
        tokio::join!(ours.prepare(&self.rest, text), theirs.prepare(&self.other, text));
    }
}

/// A call of a row over both transports.
struct Call<'a> {
    name: &'a str,
    caller: Caller,
    path: &'a str,
    /// REST's body or query, if it is not the row's.
    rest: Option<&'a Value>,
    /// The message of gRPC.
    grpc: &'a Value,
}

impl Call<'_> {
    /// All that may name objects of the fixture.
    fn text(&self) -> String {
        let key = if let Caller::Key(name) = self.caller { format!("{{{name}}}") } else { String::new() };
        let rest = self.rest.unwrap_or(&Value::Null);
        format!("{} {rest} {} {key}", self.path, self.grpc)
    }

    async fn send(&self, pair: &Pair, row: &Row, fixture: &Fixture) -> Answer {
        let rest = fixture.client(&pair.rest, self.caller);
        let request = request_to(&rest, row, self.path, fixture, self.rest);
        rest.send(match self.caller {
            Caller::Public => request.header("x-tenant", "default"),
            _ => request,
        })
        .await
    }

    async fn answer(&self, pair: &Pair, row: &Row, fixture: &Fixture) -> Result<DynamicMessage, Status> {
        let message = fixture.fill_json(self.grpc);
        match self.caller {
            Caller::Root => rpc::answer(&pair.grpc, row.rpc, &message).await,
            caller => rpc::answer(&pair.grpc.with_key(fixture.key(caller)), row.rpc, &message).await,
        }
    }
}

/// The calls of a row on objects that exist. What leaves the objects as they are goes first.
fn calls(row: &Row) -> Vec<Call<'_>> {
    let own = Call { name: "good", caller: Caller::Root, path: row.path, rest: None, grpc: &row.ask };
    let bad = row.bad.iter().map(|(rest, grpc)| Call {
        name: "rule broken",
        caller: Caller::Root,
        path: row.path,
        rest: Some(rest),
        grpc,
    });
    let further = row.further.iter().map(|further| Call {
        name: further.name,
        caller: further.caller,
        path: further.path.unwrap_or(row.path),
        rest: Some(&further.rest),
        grpc: &further.grpc,
    });
    [own].into_iter().chain(bad).chain(further).collect()
}

/// Calls every operation over both transports, and returns where they differ and what gRPC answered.
async fn compared(kind: Kind, rows: Vec<Row>) -> (Vec<String>, BTreeSet<String>) {
    let pair = Pair::start(kind).await;
    let (mut unequal, mut seen) = (Vec::new(), BTreeSet::new());
    let mut fixtures = [Fixture::new(), Fixture::new()];
    let mut is_used = false;
    for row in &rows {
        // Reads leave the objects as they are.
        if is_used {
            fixtures = [Fixture::new(), Fixture::new()];
        }
        is_used = row.method != Method::GET;
        pair.prepare(&mut fixtures, &row.text()).await;
        if row.stream {
            if kind == Kind::Memory {
                let messages = streams::messages(&pair, row, &fixtures[1]).await;
                messages.iter().for_each(|message| fields::set(message, &mut seen));
            }
            continue;
        }
        for call in calls(row) {
            pair.prepare(&mut fixtures, &call.text()).await;
            let [ours, theirs] = &fixtures;
            let answer = call.send(&pair, row, ours).await;
            let message = call.answer(&pair, row, theirs).await;
            if let Ok(message) = &message {
                fields::set(message, &mut seen);
            }
            if call.name == "good" {
                assert!(answer.status.is_success(), "{}: {} {:#}", row.id, answer.status, answer.body);
            }
            let (rest, grpc) = outcomes(row, &answer, message, [ours, theirs]);
            if rest != grpc {
                unequal
                    .push(format!("{} [{}] on {kind:?}:\n  REST {rest}\n  gRPC {grpc}", row.id, call.name));
            }
        }
        if row.route.contains('{') {
            let [ours, theirs] = &fixtures;
            let answer = send(&pair.rest, row, &ours.absent(), None).await;
            let message = rpc::answer(&pair.grpc, row.rpc, &theirs.absent().fill_json(&row.ask)).await;
            assert!(!answer.status.is_success(), "{}: {:#}", row.id, answer.body);
            let (rest, grpc) = outcomes(row, &answer, message, [ours, theirs]);
            if rest != grpc {
                unequal.push(format!("{} [not found] on {kind:?}:\n  REST {rest}\n  gRPC {grpc}", row.id));
            }
        }
    }
    (unequal, seen)
}

/// Both outcomes in one form: the answer, or the error.
fn outcomes(
    row: &Row,
    answer: &Answer,
    message: Result<DynamicMessage, Status>,
    [ours, theirs]: [&Fixture; 2],
) -> (Value, Value) {
    let (ours, theirs) = (Shape::new(ours), Shape::new(theirs));
    let grpc = match message {
        Ok(message) if row.document => match rpc::json(&message, false)["content_type"].clone() {
            // The file of a list, which has its entries.
            Value::Null => json!("text/csv; charset=utf-8"),
            content_type => content_type,
        },
        Ok(message) => plain(&theirs.of(&rpc::json(&message, false))),
        Err(status) => {
            let is_matching = matches(answer.status.as_u16(), status.code());
            json!({"error": grpc_error(&theirs, &status), "status": is_matching})
        }
    };
    let rest = match answer.status.is_success() {
        // Each ticket has another code; the rest of a document is tested where one ticket is printed by both.
        true if row.document => json!(answer.headers["content-type"].to_str().unwrap()),
        true => plain(&ours.of(&answer.body)),
        false => json!({"error": rest_error(&ours, answer), "status": true}),
    };
    (rest, grpc)
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_and_errors_are_equal_in_memory_and_use_every_field() {
    let _time = TestTime::start();
    let groups = futures_util::stream::iter(groups());
    let groups =
        groups.map(|(_, rows)| tokio::spawn(compared(Kind::Memory, rows))).buffer_unordered(CONCURRENT);
    let groups: Vec<_> = groups.collect().await;
    let (mut unequal, mut seen) = (Vec::new(), BTreeSet::new());
    for group in groups {
        let (lines, fields) = group.unwrap();
        unequal.extend(lines);
        seen.extend(fields);
    }
    assert!(unequal.is_empty(), "{}", unequal.join("\n"));
    fields::assert_complete(&seen);
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_and_errors_are_equal_on_postgres() {
    let (unequal, _) = compared(Kind::Postgres, rows()).await;
    assert!(unequal.is_empty(), "{}", unequal.join("\n"));
}

/// An error's code, text, and the path and text of each fault.
fn rest_error(shape: &Shape, answer: &Answer) -> Value {
    let text = |value: &Value, name: &str| shape.text(value[name].as_str().unwrap_or_default());
    let faults = answer.body["violations"].as_array().cloned().unwrap_or_default();
    let faults: Vec<_> = faults.iter().map(|fault| [text(fault, "field"), text(fault, "message")]).collect();
    json!([text(&answer.body, "code"), text(&answer.body, "detail"), faults])
}

fn grpc_error(shape: &Shape, status: &Status) -> Value {
    let details = status.get_error_details();
    let reason = details.error_info().map(|info| info.reason.clone()).unwrap_or_default();
    let faults = details.bad_request().map(|bad| bad.field_violations.clone()).unwrap_or_default();
    let faults: Vec<_> =
        faults.iter().map(|fault| [shape.text(&fault.field), shape.text(&fault.description)]).collect();
    json!([reason, shape.text(status.message()), faults])
}

/// The table of the APIs: which status goes with which code.
pub fn matches(status: u16, code: Code) -> bool {
    match status {
        400 => code == Code::InvalidArgument,
        422 => matches!(code, Code::InvalidArgument | Code::FailedPrecondition),
        401 => code == Code::Unauthenticated,
        403 => code == Code::PermissionDenied,
        404 => code == Code::NotFound,
        409 => matches!(code, Code::AlreadyExists | Code::FailedPrecondition | Code::Aborted),
        410 | 424 => code == Code::FailedPrecondition,
        412 => code == Code::Aborted,
        413 | 429 => code == Code::ResourceExhausted,
        503 => code == Code::Unavailable,
        504 => code == Code::DeadlineExceeded,
        _ => false,
    }
}

/// An answer without how JSON and protobuf differ: what is absent or empty is left out, numbers are texts, and names
/// of enums are in lower case.
fn plain(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let map = named(map);
            if let Some(inner) = typed(&map) {
                return plain(&inner);
            }
            // A fact has a cursor once it is numbered, shortly after it is written.
            let fields = map.iter().filter(|(name, _)| !["transport", "cursor"].contains(&name.as_str()));
            let fields = fields.map(|(name, value)| {
                let value = plain(value);
                (name.clone(), if fields::enums().contains(name) { lower(value) } else { value })
            });
            Value::Object(fields.filter(|(_, value)| !is_empty(value)).collect())
        }
        Value::Array(list) => list.iter().map(plain).collect(),
        // 1.0 is 1.
        Value::Number(number) => Value::String(match number.as_f64().filter(|_| number.is_f64()) {
            Some(number) => number.to_string(),
            None => number.to_string(),
        }),
        Value::String(text) => Value::String(match OffsetDateTime::parse(text, &Rfc3339) {
            Ok(time) => time.to_offset(UtcOffset::UTC).format(&Rfc3339).unwrap(),
            Err(_) => text.clone(),
        }),
        other => other.clone(),
    }
}

/// Names of an enum, as REST writes them.
fn lower(value: Value) -> Value {
    match value {
        Value::String(name) => {
            let name = name.to_lowercase();
            // What is not set has no name in REST.
            let name =
                if name.ends_with("_unspecified") { "" } else { name.trim_start_matches("link_kind_") };
            json!(name)
        }
        Value::Array(names) => names.into_iter().map(lower).collect(),
        other => other,
    }
}

/// An issue's own names in the place of the built-in ones, and JSON in the place of its text.
fn named(map: &Map<String, Value>) -> Map<String, Value> {
    let parsed = |(name, value): (&String, &Value)| match (name.strip_suffix("_json"), value) {
        (Some(name), Value::String(text)) => {
            (name.to_owned(), serde_json::from_str(text).unwrap_or_default())
        }
        (Some(_) | None, _) => (name.clone(), value.clone()),
    };
    let mut map: Map<_, _> = map.iter().map(parsed).collect();
    for field in ["status", "resolution", "type", "priority"] {
        if let Some(name) = map.remove(&format!("{field}_name")) {
            map.insert(field.to_owned(), name);
        }
    }
    map
}

/// A value that says its type, without the type.
fn typed(map: &Map<String, Value>) -> Option<Value> {
    let (name, value) = map.iter().next().filter(|_| map.len() == 1)?;
    match (name.as_str(), value) {
        ("text" | "integer" | "boolean" | "time" | "decimal" | "money" | "texts" | "values", value) => {
            Some(value.clone())
        }
        // Over gRPC it is a text.
        ("json", Value::String(text)) => serde_json::from_str(text).ok(),
        ("json", value) => Some(value.clone()),
        _ => None,
    }
}

/// Whether a value is absent: `null`, or an empty text, list or object.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}
