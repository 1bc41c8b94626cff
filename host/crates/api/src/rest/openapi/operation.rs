//! One operation of the document: parameters, body, answers, errors.

use axum::http::Method;
use serde_json::{Value as Json, json};
use utoipa::openapi::HttpMethod;
use utoipa::openapi::path::Operation;

use crate::rest::decode::RESERVED;
use crate::rest::error::PROBLEM_JSON;
use crate::rest::openapi::schema::{Protos, described, path_names};
use crate::rest::route::{Route, Shape, has_body};
use crate::state::AuthMode;

/// The name of the scheme by which callers authenticate.
pub(super) const BEARER: &str = "bearer";

/// Errors that every operation with a tenant may answer.
const ERRORS: [(&str, &str); 8] = [
    ("400", "The request cannot be read"),
    ("401", "No API key, or none that is valid"),
    ("403", "The key's roles do not suffice"),
    ("404", "It does not exist, or not for this key"),
    ("422", "The request breaks a rule, or a plugin refuses it; `violations` says which"),
    ("500", "An internal error; the log has it under the request id"),
    ("503", "A part is not available; `Retry-After` says when to try again"),
    ("504", "The deadline passed"),
];

/// Errors of operations that change something.
const CHANGE_ERRORS: [(&str, &str); 5] = [
    ("409", "It exists already, or its state or another request does not allow it"),
    ("412", "It was changed since the version that `If-Match` names"),
    ("413", "The body is larger than this host takes"),
    ("415", "The body is of an unsupported type"),
    ("424", "A plugin that must be asked failed; `code` says how"),
];

/// Describes a route.
pub(super) fn describe(protos: &Protos, tag: &str, route: &Route) -> (HttpMethod, Operation) {
    let comment = route.summary.map_or_else(|| protos.rpc(&route.request).to_owned(), str::to_owned);
    let (summary, description) =
        comment.split_once(". ").map_or((comment.as_str(), ""), |(head, tail)| (head, tail));
    let mut operation = json!({
        "tags": [tag],
        "operationId": route.id,
        "summary": summary.trim_end_matches('.'),
        "parameters": parameters(protos, route),
        "responses": responses(route),
    });
    if !description.is_empty() {
        operation["description"] = json!(description);
    }
    if let Some(body) = body(protos, route) {
        operation["requestBody"] = body;
    }
    operation["security"] = match route.auth {
        AuthMode::Keyed => json!([{BEARER: []}]),
        AuthMode::Public => json!([{BEARER: []}, {}]),
        AuthMode::Open => json!([{}]),
    };
    let method = match route.method {
        Method::PUT => HttpMethod::Put,
        Method::POST => HttpMethod::Post,
        Method::PATCH => HttpMethod::Patch,
        Method::DELETE => HttpMethod::Delete,
        _ => HttpMethod::Get,
    };
    // The value above has the document's form.
    (method, serde_json::from_value(operation).unwrap_or_default())
}

fn parameters(protos: &Protos, route: &Route) -> Vec<Json> {
    let fields = protos.fields(&route.request);
    let parameter = |name: &str, place: &str, about: &str, schema: Json| json!({"name": name, "in": place, "required": place == "path", "description": about, "schema": schema});
    let mut parameters = Vec::new();
    for name in path_names(route.path) {
        let field = fields.iter().find(|field| field.name == name);
        let (about, schema) = field
            .map_or(("", json!({"type": "string"})), |field| (field.about.as_str(), field.schema.clone()));
        parameters.push(parameter(name, "path", about, schema));
    }
    if !has_body(&route.method) {
        let in_path: Vec<_> = path_names(route.path).collect();
        let is_query = |name: &str| !in_path.contains(&name) && !RESERVED.contains(&name);
        for field in fields.iter().filter(|field| is_query(&field.name)) {
            parameters.push(parameter(&field.name, "query", &field.about, field.schema.clone()));
        }
    }
    for (name, about) in &route.parameters {
        parameters.push(parameter(name, "query", about, json!({"type": "string"})));
    }
    if route.auth != AuthMode::Open {
        let headers = headers(route).into_iter();
        parameters
            .extend(headers.map(|(name, about)| parameter(name, "header", about, json!({"type": "string"}))));
    }
    parameters
}

/// The headers that a route takes.
fn headers(route: &Route) -> Vec<(&'static str, &'static str)> {
    let tenant = match route.auth {
        AuthMode::Keyed => "The key's tenant, by id or slug; another one is not found.",
        AuthMode::Public | AuthMode::Open => {
            "The tenant, by id or slug. Without a key it must be named here or by the host name, if there are several."
        }
    };
    let mut headers = vec![("X-Tenant", tenant)];
    if route.method == Method::GET {
        headers.push(("If-None-Match", "The ETag that the client has; 304 when it is still right."));
        return headers;
    }
    if route.method == Method::POST {
        headers.push((
            "Idempotency-Key",
            "Makes a repeat within 24 hours return the first answer: 1 to 128 visible ASCII characters.",
        ));
    }
    headers.push(("If-Match", "The ETag of the version that is changed; 412 when there is another by now."));
    headers
}

fn body(protos: &Protos, route: &Route) -> Option<Json> {
    if route.path == "/v1/releases" && route.method == Method::POST {
        let component = json!({"schema": {"type": "string", "format": "binary"}});
        return Some(
            json!({"description": "The component", "content": {"application/wasm": component}, "required": true}),
        );
    }
    if !has_body(&route.method) || route.request.is_empty() {
        return None;
    }
    let in_path: Vec<_> = path_names(route.path).chain(RESERVED).collect();
    let fields = protos.fields(&route.request);
    let mut fields = fields.iter().filter(|field| !in_path.contains(&field.name.as_str()));
    let schema = match route.body_field {
        Some(name) => fields.find(|field| field.name == name).map(|field| field.schema.clone())?,
        None => {
            fields.next()?;
            json!({"$ref": format!("#/components/schemas/{}", route.request)})
        }
    };
    Some(
        json!({"content": {"application/json": {"schema": schema}}, "required": route.method != Method::POST}),
    )
}

fn responses(route: &Route) -> Json {
    let mut responses = serde_json::Map::new();
    let content = route.answers.iter().map(|(media_type, shape)| {
        let schema = match shape {
            Shape::Message(name) if name == "google.protobuf.Empty" => json!({"type": "object"}),
            Shape::Message(name) => json!({"$ref": format!("#/components/schemas/{name}")}),
            Shape::Schema(name) => json!({"$ref": format!("#/components/schemas/{name}")}),
            Shape::Binary => json!({"type": "string", "format": "binary"}),
            Shape::Text => json!({"type": "string"}),
        };
        ((*media_type).to_owned(), json!({"schema": schema}))
    });
    let content: serde_json::Map<_, _> = content.collect();
    responses.insert(route.status.as_str().to_owned(), json!({"description": "Success", "content": content}));
    if route.auth == AuthMode::Open {
        return Json::Object(responses);
    }
    let changes: &[_] = if route.method == Method::GET { &[] } else { &CHANGE_ERRORS };
    for (status, about) in ERRORS.iter().chain(changes) {
        let problem = json!({PROBLEM_JSON: {"schema": {"$ref": "#/components/schemas/Problem"}}});
        responses.insert((*status).to_owned(), described(json!({"content": problem}), about));
    }
    Json::Object(responses)
}
