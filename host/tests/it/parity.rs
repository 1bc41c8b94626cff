//! One meaning, two transports: every operation gives equal results and equal errors over REST and gRPC.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::Method;
use serde_json::{Map, Value};
use tessera_core::access::Operation;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::harness::{Answer, Home, Host, Kind, Rest};
use crate::operations::fixture::Fixture;
use crate::operations::{Row, rows, rpc};

/// Sends a row over REST.
pub async fn send(rest: &Rest, row: &Row, fixture: &Fixture, bad: Option<&Value>) -> Answer {
    rest.send(request(rest, row, fixture, bad)).await
}

/// A row as a request over REST.
pub fn request(rest: &Rest, row: &Row, fixture: &Fixture, bad: Option<&Value>) -> reqwest::RequestBuilder {
    let mut query = row.query.to_owned();
    let mut body = row.body.clone();
    match (bad, &row.method) {
        (Some(Value::Object(values)), &Method::GET) => {
            let pairs =
                values.iter().map(|(name, value)| format!("{name}={}", value.to_string().trim_matches('"')));
            query = pairs.collect::<Vec<_>>().join("&");
        }
        (Some(bad), _) => body = bad.clone(),
        (None, _) => {}
    }
    let path = format!("{}?{}", fixture.fill(row.path), fixture.fill(&query));
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

#[tokio::test(flavor = "multi_thread")]
async fn results_are_equal() {
    let home = Home::new(Kind::Memory).await;
    let host = Host::start(&home).await;
    let (rest, grpc) = (host.rest(), host.grpc().await);
    let mut unequal = Vec::new();
    for row in rows().iter().filter(|row| !row.stream) {
        let answer = send(&rest, row, &Fixture::new(&rest).await, None).await;
        assert!(answer.status.is_success(), "{}: {} {:#}", row.id, answer.status, answer.body);
        let fixture = Fixture::new(&rest).await;
        let told = rpc::call(&grpc, row.rpc, &fixture.fill_json(&row.ask)).await;
        let told = told.unwrap_or_else(|status| panic!("{}: {status:?}", row.id));
        let (rest, grpc) = if row.document {
            // Each ticket has another code; what else a document says is shown where one ticket is printed by both.
            let media = answer.headers["content-type"].to_str().unwrap().to_owned();
            (Value::String(media), told["content_type"].clone())
        } else {
            (plain(&answer.body), plain(&told))
        };
        if rest != grpc {
            unequal.push(format!("{}:\n  REST {rest}\n  gRPC {grpc}", row.id));
        }
    }
    assert!(unequal.is_empty(), "{}", unequal.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_are_equal() {
    let home = Home::new(Kind::Memory).await;
    let host = Host::start(&home).await;
    let (rest, grpc) = (host.rest(), host.grpc().await);
    let held = Fixture::new(&rest).await;
    let absent = held.absent();
    let mut unequal = Vec::new();
    for row in rows().iter().filter(|row| !row.stream) {
        let (fixture, bad) = match &row.bad {
            Some((bad_rest, bad_grpc)) => (&held, Some((bad_rest, bad_grpc))),
            None => (&absent, None),
        };
        // Nothing can be wrong with them.
        if ["whoami", "event.categories", "signing_key.list", "signing_key.rotate", "hold_rules.get"]
            .contains(&row.id)
        {
            continue;
        }
        let answer = send(&rest, row, fixture, bad.map(|(rest, _)| rest)).await;
        let ask = fixture.fill_json(bad.map_or(&row.ask, |(_, grpc)| grpc));
        let status = rpc::call(&grpc, row.rpc, &ask)
            .await
            .map_or_else(|status| status, |told| panic!("{}: {told:#}", row.id));
        let (rest, grpc) = (rest_error(&answer), grpc_error(&status));
        if rest != grpc || !matches(answer.status.as_u16(), status.code()) {
            unequal.push(format!(
                "{}: {} {:?}\n  REST {rest:?}\n  gRPC {grpc:?}",
                row.id,
                answer.status,
                status.code()
            ));
        }
    }
    assert!(unequal.is_empty(), "{}", unequal.join("\n"));
}

/// The calls beside the rows' own: other fields set, or a rule broken.
#[tokio::test(flavor = "multi_thread")]
async fn further_calls_are_equal() {
    let home = Home::new(Kind::Memory).await;
    let host = Host::start(&home).await;
    let (rest, grpc) = (host.rest(), host.grpc().await);
    let (mut unequal, mut compared) = (Vec::new(), 0);
    for row in rows().iter().filter(|row| !row.stream && !row.document) {
        for further in &row.further {
            let mut fixture = Fixture::new(&rest).await;
            let answer = send(&rest, row, &fixture, Some(&further.rest)).await;
            // A refused call has changed nothing, so the same objects are used again and errors are equal to the letter.
            if answer.status.is_success() {
                fixture = Fixture::new(&rest).await;
            }
            let called = rpc::call(&grpc, row.rpc, &fixture.fill_json(&further.grpc)).await;
            let over_rest =
                if answer.status.is_success() { Ok(plain(&answer.body)) } else { Err(rest_error(&answer)) };
            let over_grpc = called.map(|body| plain(&body)).map_err(|status| grpc_error(&status));
            if over_rest != over_grpc {
                let name = further.name;
                unequal.push(format!("{} ({name}):\n  REST {over_rest:?}\n  gRPC {over_grpc:?}", row.id));
            }
            compared += 1;
        }
    }
    assert!(compared > 100, "{compared}");
    assert!(unequal.is_empty(), "{} of {compared}:\n{}", unequal.len(), unequal.join("\n"));
}

type Fault = (String, String, Vec<(String, String)>);

fn rest_error(answer: &Answer) -> Fault {
    let text = |value: &Value, name: &str| value[name].as_str().unwrap_or_default().to_owned();
    let faults = answer.body["violations"].as_array().cloned().unwrap_or_default();
    let faults = faults.iter().map(|fault| (text(fault, "field"), text(fault, "message"))).collect();
    (text(&answer.body, "code"), text(&answer.body, "detail"), faults)
}

fn grpc_error(status: &Status) -> Fault {
    let details = status.get_error_details();
    let reason = details.error_info().map(|info| info.reason.clone()).unwrap_or_default();
    let faults = details.bad_request().map(|bad| bad.field_violations.clone()).unwrap_or_default();
    let faults = faults.into_iter().map(|fault| (fault.field, fault.description)).collect();
    (reason, status.message().to_owned(), faults)
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

/// What an answer says, without what is fresh in each and without how JSON and protobuf differ: what is
/// empty is left out, numbers are texts, names of enums are as REST has them.
fn plain(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let map = named(map);
            if let Some(inner) = typed(&map) {
                return plain(inner);
            }
            let fields = map.iter().filter(|(name, _)| !FRESH.contains(&name.as_str()));
            let fields = fields
                .map(|(name, value)| (name.clone(), plain(value)))
                .filter(|(_, value)| !is_empty(value));
            Value::Object(fields.collect())
        }
        Value::Array(list) => list.iter().map(plain).collect(),
        // Protobuf leaves out what is 0.
        Value::Number(number) if number.as_i64() == Some(0) => Value::Null,
        Value::Number(number) => Value::String(masked(&number.to_string())),
        Value::String(text) => Value::String(masked(text)),
        other => other.clone(),
    }
}

/// What differs from call to call.
const FRESH: [&str; 10] = [
    "cursor",
    "next_page_token",
    "secret",
    "request_id",
    "transport",
    "create_date",
    "modify_date",
    "created_at",
    "updated_at",
    "time_us",
];

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
fn typed(map: &Map<String, Value>) -> Option<&Value> {
    let (name, value) = map.iter().next().filter(|_| map.len() == 1)?;
    match name.as_str() {
        "text" | "integer" | "boolean" | "time" | "decimal" | "texts" | "values" => Some(value),
        _ => None,
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.is_empty(),
        Value::Bool(true) | Value::Number(_) => false,
    }
}

/// Text in lower case with ids, digits and times masked.
fn masked(text: &str) -> String {
    let is_id = |word: &&str| uuid::Uuid::try_parse(word).is_ok();
    if let Some(id) = text.split([' ', '.', '"']).find(is_id) {
        return masked(&text.replace(id, "an id"));
    }
    if text.len() >= 20 && text.ends_with('Z') && text.as_bytes().get(10) == Some(&b'T') {
        return "a time".to_owned();
    }
    if text.len() == 136 && text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit()) {
        return "a ticket's code".to_owned();
    }
    if text.len() == 44 && STANDARD.decode(text).is_ok_and(|key| key.len() == 32) {
        return "a public key".to_owned();
    }
    let text = text.to_lowercase().replace("link_kind_", "");
    if text.len() == 16 && text.bytes().all(|b| b.is_ascii_hexdigit()) {
        return "a key".to_owned();
    }
    let mut out = String::new();
    for c in text.chars() {
        if !c.is_ascii_digit() {
            out.push(c);
        } else if !out.ends_with('#') {
            out.push('#');
        }
    }
    out
}
