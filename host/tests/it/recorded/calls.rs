//! The calls of one operation that are recorded: good ones, and every kind of bad one that its request allows.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::Rest;
use crate::operations::fixture::Fixture;
use crate::operations::{Caller, Row};

/// What a request carries.
#[derive(Clone)]
enum Body {
    None,
    Json(Value),
    /// A content type and a text.
    Text(&'static str, String),
    /// A component in base64, perhaps as a name of the fixture.
    Component(String),
}

/// A request over REST.
#[derive(Clone)]
pub(super) struct Call {
    pub(super) name: String,
    method: Method,
    path: String,
    query: String,
    headers: Vec<(&'static str, String)>,
    body: Body,
    caller: Caller,
    /// Whether it needs objects that no call before it has touched.
    pub(super) fresh: bool,
    /// Whether its objects do not exist.
    pub(super) absent: bool,
    /// Whether its ids are not even ids.
    pub(super) malformed_ids: bool,
}

impl Call {
    fn named(&self, name: impl Into<String>) -> Self {
        Self { name: name.into(), ..self.clone() }
    }

    fn with_json(&self, name: impl Into<String>, body: Value) -> Self {
        Self { body: Body::Json(body), ..self.named(name) }
    }

    fn with_query(&self, name: impl Into<String>, query: impl Into<String>) -> Self {
        Self { query: query.into(), ..self.named(name) }
    }

    fn with_header(&self, name: impl Into<String>, header: &'static str, value: &str) -> Self {
        let mut call = self.named(name);
        call.headers.push((header, value.to_owned()));
        call
    }

    /// The request with the fixture's names filled in.
    pub(super) fn request(&self, rest: &Rest, fixture: &Fixture) -> reqwest::RequestBuilder {
        let rest = fixture.client(rest, self.caller);
        let path = format!("{}?{}", fixture.fill(&self.path), fixture.fill(&self.query));
        let mut request = rest.request(self.method.clone(), path.trim_end_matches('?'));
        for (name, value) in &self.headers {
            request = request.header(*name, fixture.fill(value));
        }
        match &self.body {
            Body::None => request,
            Body::Json(body) => request.json(&fixture.fill_json(body)),
            Body::Text(media, text) => request.header("content-type", *media).body(text.clone()),
            Body::Component(text) => request
                .header("content-type", "application/wasm")
                .body(STANDARD.decode(fixture.fill(text)).unwrap()),
        }
    }

    /// The request as it is recorded.
    pub(super) fn described(&self) -> Value {
        let query = if self.query.is_empty() { String::new() } else { format!("?{}", self.query) };
        let mut request = json!({"line": format!("{} {}{query}", self.method, self.path)});
        for (name, value) in &self.headers {
            request[*name] = json!(value);
        }
        match &self.body {
            Body::None => {}
            Body::Json(body) => request["body"] = body.clone(),
            Body::Text(media, text) => {
                request["content-type"] = json!(media);
                request["body"] = json!(text);
            }
            Body::Component(text) => {
                request["content-type"] = json!("application/wasm");
                request["body"] = json!(text);
            }
        }
        match self.caller {
            Caller::Root => {}
            Caller::Public => request["key"] = json!("none"),
            Caller::Key(name) => request["key"] = json!(format!("{{{name}}}")),
        }
        request
    }

    /// All that may name objects of the fixture.
    pub(super) fn text(&self) -> String {
        self.described().to_string()
    }

    fn without_key(&self, name: &str) -> Self {
        Self { caller: Caller::Public, ..self.with_header(name, "x-tenant", "default") }
    }
}

/// A row's call with a body or, of a GET, with a query.
fn variant(good: &Call, name: &str, value: &Value) -> Call {
    match (value, &good.method, &good.body) {
        (Value::Object(fields), &Method::GET, _) => {
            let pairs = fields.iter().map(|(name, value)| match value {
                Value::String(text) => format!("{name}={text}"),
                other => format!("{name}={other}"),
            });
            good.with_query(name, pairs.collect::<Vec<_>>().join("&"))
        }
        (Value::String(text), _, Body::Component(_)) => {
            Call { body: Body::Component(text.clone()), ..good.named(name) }
        }
        _ => good.with_json(name, value.clone()),
    }
}

/// The calls that are recorded of a row. What only reads goes first where it is read, since others may change it.
pub(super) fn calls(row: &Row) -> Vec<Call> {
    let body = match &row.body {
        Value::Null => Body::None,
        Value::String(text) => Body::Component(text.clone()),
        body => Body::Json(body.clone()),
    };
    let good = Call {
        name: "good".to_owned(),
        method: row.method.clone(),
        path: row.path.to_owned(),
        query: row.query.to_owned(),
        headers: Vec::new(),
        body,
        caller: Caller::Root,
        fresh: false,
        absent: false,
        malformed_ids: false,
    };
    let mut calls = if row.method == Method::GET { reads(&good, row) } else { writes(&good, row) };
    calls.extend(refused_paths(&good));
    calls.extend(refused_bodies(&good));
    calls.extend(row.bad.iter().map(|(rest, _)| variant(&good, "rule broken", rest)));
    calls.extend(row.further.iter().map(|further| {
        let call = match further.caller {
            Caller::Public => good.without_key(further.name),
            caller => Call { caller, ..good.clone() },
        };
        let path = further.path.unwrap_or(row.path).to_owned();
        let fresh = row.method != Method::GET;
        variant(&Call { path, fresh, ..call }, further.name, &further.rest)
    }));
    calls
}

fn reads(good: &Call, row: &Row) -> Vec<Call> {
    let mut calls = vec![good.clone(), good.named("repeated"), good.without_key("without a key")];
    let with =
        |more: &str| if row.query.is_empty() { more.to_owned() } else { format!("{}&{more}", row.query) };
    calls.push(good.with_query("unknown parameter", with("nonsense=1")));
    if row.bad.as_ref().is_some_and(|(rest, _)| rest.get("page_size").is_some()) {
        for more in [
            "page_size=0",
            "page_size=100000",
            "page_size=many",
            "page_size=",
            "page_token=nonsense",
            "order_by=nonsense",
            "pageSize=1",
        ] {
            calls.push(good.with_query(more, with(more)));
        }
        calls.push(good.with_query("unknown filter", "filter=nonsense:1"));
        calls.push(good.with_query("malformed filter", "filter=a:%22"));
    }
    calls
}

fn writes(good: &Call, row: &Row) -> Vec<Call> {
    let keyed = good.with_header("good", "idempotency-key", "{slug}");
    let mut calls = vec![
        Call { fresh: true, ..keyed.clone() },
        keyed.named("repeated with its key"),
        good.without_key("without a key"),
        Call { fresh: true, ..good.with_query("unknown parameter", "nonsense=1") },
    ];
    if matches!(good.body, Body::Json(_)) {
        calls.insert(2, keyed.with_json("its key with another body", json!({})));
    }
    if row.method != Method::POST {
        calls.extend([
            Call { fresh: true, ..good.with_header("stale version", "if-match", "\"999\"") },
            good.with_header("malformed version", "if-match", "nonsense"),
            good.with_header("list of versions", "if-match", "\"998\", \"999\""),
            good.with_header("any version", "if-match", "*"),
        ]);
    }
    calls
}

/// Paths whose objects do not exist, and ids that are none.
fn refused_paths(good: &Call) -> Vec<Call> {
    if !good.path.contains('{') {
        return Vec::new();
    }
    vec![
        Call { absent: true, ..good.named("not found") },
        Call { malformed_ids: true, ..good.named("malformed id") },
    ]
}

/// Bodies that are refused, or that say less than the good one.
fn refused_bodies(good: &Call) -> Vec<Call> {
    let Body::Json(Value::Object(fields)) = &good.body else {
        return Vec::new();
    };
    let text = |name: &str, media: &'static str, text: &str| Call {
        body: Body::Text(media, text.to_owned()),
        ..good.named(name)
    };
    let json = "application/json";
    let mut calls = vec![
        Call { fresh: true, body: Body::None, ..good.named("no body") },
        text("empty body", json, ""),
        text("malformed body", json, "{\"a\": "),
        text("another media type", "text/plain", "{}"),
        good.with_json("empty object", json!({})),
        good.with_json("a list for an object", json!([])),
    ];
    let with = |name: &str, value: Value| {
        let mut fields = fields.clone();
        fields.insert(name.to_owned(), value);
        Value::Object(fields)
    };
    for name in ["unknown_field", "etag", "update_mask", "id", "created_at"] {
        calls.push(good.with_json(format!("unknown field {name}"), with(name, json!("1"))));
    }
    for (name, value) in fields {
        let wrong = if value.is_object() || value.is_array() { json!("text") } else { json!({"a": 1}) };
        calls.push(good.with_json(format!("{name} of a wrong type"), with(name, wrong)));
        calls.push(good.with_json(format!("{name} null"), with(name, Value::Null)));
        let mut less = fields.clone();
        less.remove(name);
        calls.push(good.with_json(format!("without {name}"), Value::Object(less)));
        let edge = match value {
            Value::Number(_) => json!(-1),
            Value::String(_) => json!(""),
            Value::Array(_) => json!([]),
            _ => continue,
        };
        calls.push(good.with_json(format!("{name} {edge}"), with(name, edge)));
    }
    calls
}
