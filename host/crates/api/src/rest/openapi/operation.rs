//! An operation of the document: parameters, body, responses, errors.

use axum::http::Method;
use serde_json::{Value as Json, json};
use utoipa::openapi::HttpMethod;
use utoipa::openapi::path::Operation;

use crate::rest::decode::RESERVED;
use crate::rest::error::PROBLEM_JSON;
use crate::rest::openapi::schema::{Protos, path_names, with_description};
use crate::rest::route::{Route, Shape, has_body};
use crate::state::AuthMode;

/// The name of the security scheme.
pub(super) const BEARER: &str = "bearer";

/// Error responses of every operation that has a tenant.
const ERRORS: [(&str, &str); 8] = [
    ("400", "The request is malformed"),
    ("401", "The API key is missing or invalid"),
    ("403", "The roles of the key do not permit the operation"),
    ("404", "The object does not exist, or the key may not see it"),
    ("422", "The request is invalid, or a plugin refused it; `violations` lists the faults"),
    ("500", "Internal error; the host logs it with the request id"),
    ("503", "A component of the host is unavailable; `Retry-After` says when to retry"),
    ("504", "The request timed out"),
];

/// Error responses of operations that change objects.
const CHANGE_ERRORS: [(&str, &str); 5] = [
    ("409", "The object exists already, or its state or a concurrent request prevents the change"),
    ("412", "The object has another version than `If-Match`"),
    ("413", "The body exceeds the limit of this host"),
    ("415", "The media type of the body is not supported"),
    ("424", "A required call of a plugin failed; `code` says how"),
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
    // The value has the form of an operation.
    (method, serde_json::from_value(operation).unwrap_or_default())
}

fn parameters(protos: &Protos, route: &Route) -> Vec<Json> {
    let fields = protos.fields(&route.request);
    let parameter = |name: &str, location: &str, about: &str, schema: Json| json!({"name": name, "in": location, "required": location == "path", "description": about, "schema": schema});
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

/// Returns the request headers of a route, with their descriptions.
fn headers(route: &Route) -> Vec<(&'static str, &'static str)> {
    let tenant = match route.auth {
        AuthMode::Keyed => "The tenant of the key, by id or slug; any other tenant is not found.",
        AuthMode::Public | AuthMode::Open => {
            "The tenant, by id or slug. Without a key it is required, unless the host name identifies the tenant or there is only one."
        }
    };
    let mut headers = vec![("X-Tenant", tenant)];
    if route.method == Method::GET {
        headers.push(("If-None-Match", "The ETag that the client has; 304 if it is current."));
        return headers;
    }
    if route.method == Method::POST {
        headers.push((
            "Idempotency-Key",
            "Makes a repeat within 24 hours return the first answer: 1 to 128 visible ASCII characters.",
        ));
    }
    headers.push(("If-Match", "The ETag of the version to change; 412 if the object has another version."));
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
        responses.insert((*status).to_owned(), with_description(json!({"content": problem}), about));
    }
    Json::Object(responses)
}
