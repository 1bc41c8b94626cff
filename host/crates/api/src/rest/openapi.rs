//! The description of the API (OpenAPI 3.1), made from the handlers' own types, and the pages to try it.
//!
//! What is true of every operation (ids in paths, headers, errors, security) is added here once.

use std::sync::Arc;

use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::IntoResponse;
use axum::{Router, routing};
use utoipa::openapi::path::{Operation, Parameter, ParameterBuilder, ParameterIn, PathItem};
use utoipa::openapi::schema::{Object, SchemaFormat};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{
    ContentBuilder, InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder, Ref, RefOr, Required, Response,
    ResponseBuilder, Type,
};
use utoipa::{PartialSchema as _, ToSchema as _};
use utoipa_swagger_ui::{Config, SwaggerUi};

use crate::rest::Rest;
use crate::rest::error::{PROBLEM_JSON, ProblemBody};

/// The name of the scheme by which callers say who they are.
const BEARER: &str = "bearer";

/// What parts of paths mean.
const SEGMENTS: [(&str, &str, bool); 21] = [
    ("user_id", "The user's id.", true),
    ("project_id", "The project's id.", true),
    ("issue_id", "The issue's id.", true),
    ("comment_id", "The comment's id.", true),
    ("other_id", "The other issue's id.", true),
    ("venue_id", "The venue's id.", true),
    ("series_id", "The series' id.", true),
    ("event_id", "The event's id.", true),
    ("ticket_type_id", "The ticket type's id.", true),
    ("pool_id", "The pool's id.", true),
    ("lock_id", "The lock's id.", true),
    ("reservation_id", "The reservation's id.", true),
    ("ticket_id", "The ticket's id.", true),
    ("check_in_id", "The check-in's id.", true),
    ("booking_id", "The booking's id.", true),
    ("installation_id", "The installation's id.", true),
    ("digest", "The release's digest: 64 hex digits, with or without `sha256:` before them.", false),
    ("key_id", "The key's id.", false),
    ("tenant", "The tenant's id or slug.", false),
    ("label", "The label.", false),
    (
        "kind",
        "What the issue is to the other: blocks, blocked_by, duplicates, duplicated_by, relates, parent or child.",
        false,
    ),
];

/// Errors that every operation with a key may answer, and those of operations that change something.
const ERRORS: [(&str, &str); 8] = [
    ("400", "The request cannot be read"),
    ("401", "No API key, or none that is valid"),
    ("403", "The key's roles do not suffice"),
    ("404", "It does not exist, or not for this key"),
    ("422", "The request breaks a rule, or a plugin refuses it; `violations` says which"),
    ("500", "An internal error; the log has it under the request id"),
    ("503", "A part is away; `Retry-After` says when to try again"),
    ("504", "The deadline passed"),
];
const CHANGE_ERRORS: [(&str, &str); 5] = [
    ("409", "It exists already, or its state or another request does not allow it"),
    ("412", "It was changed since the version that `If-Match` names"),
    ("413", "The body is larger than this host takes"),
    ("415", "The body is not JSON"),
    ("424", "A plugin that must be asked failed; `code` says how"),
];

/// What is true of the whole API.
#[must_use]
pub fn about() -> OpenApi {
    let license = LicenseBuilder::new().name("Apache-2.0").identifier(Some("Apache-2.0")).build();
    let info = InfoBuilder::new()
        .title("Tessera")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(
            "A multi-tenant host for issues, support tickets and admission tickets. Errors are problems (RFC 9457). Lists come in pages. Everything with a version has an ETag.",
        ))
        .license(Some(license))
        .build();
    OpenApiBuilder::new().info(info).build()
}

/// Adds to every operation what is true of all.
#[must_use]
pub fn complete(mut api: OpenApi) -> OpenApi {
    let components = api.components.get_or_insert_default();
    let mut schemas = Vec::new();
    ProblemBody::schemas(&mut schemas);
    schemas.push((ProblemBody::name().into_owned(), ProblemBody::schema()));
    components.schemas.extend(schemas);
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some("An API key: tsk_<id>_<secret>"))
        .build();
    components.security_schemes.insert(BEARER.to_owned(), RefOr::T(SecurityScheme::Http(bearer)));
    for (path, item) in &mut api.paths.paths {
        for (method, operation) in operations(item) {
            complete_operation(path, method, operation);
        }
    }
    api
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = (&'static str, &mut Operation)> {
    let all = [
        ("get", &mut item.get),
        ("put", &mut item.put),
        ("post", &mut item.post),
        ("delete", &mut item.delete),
        ("patch", &mut item.patch),
    ];
    all.into_iter().filter_map(|(method, operation)| operation.as_mut().map(|operation| (method, operation)))
}

fn complete_operation(path: &str, method: &str, operation: &mut Operation) {
    let parameters = operation.parameters.get_or_insert_default();
    let segments = SEGMENTS.into_iter().filter(|(name, ..)| path.contains(&format!("{{{name}}}")));
    parameters.extend(segments.map(|(name, about, uuid)| RefOr::T(segment(name, about, uuid))));
    if is_open(operation) {
        return;
    }
    let public = operation.security.is_some();
    let parameters = operation.parameters.get_or_insert_default();
    parameters.extend(headers(method, public).into_iter().map(|(name, about)| RefOr::T(header(name, about))));
    let keyed = || vec![SecurityRequirement::new(BEARER, Vec::<String>::new())];
    operation.security.get_or_insert_with(keyed);
    let changes: &[_] = if method == "get" { &[] } else { &CHANGE_ERRORS };
    for (status, about) in ERRORS.iter().chain(changes) {
        operation.responses.responses.entry((*status).to_owned()).or_insert_with(|| RefOr::T(problem(about)));
    }
}

/// Whether nothing is asked of the caller, not even in which tenant it is.
fn is_open(operation: &Operation) -> bool {
    operation.security.as_ref().is_some_and(|all| *all == [SecurityRequirement::default()])
}

/// The headers that operations of a method take.
fn headers(method: &str, public: bool) -> Vec<(&'static str, &'static str)> {
    let tenant = if public {
        "The tenant, by id or slug. Without a key it must be named here or by the host name, if there are several."
    } else {
        "The key's tenant, by id or slug; another one is not found."
    };
    let mut headers = vec![("X-Tenant", tenant)];
    match method {
        "get" => headers.push(("If-None-Match", "The ETag that the client has; 304 when it is still right.")),
        "post" => headers.push((
            "Idempotency-Key",
            "Makes a repeat within 24 hours return the first answer: 1 to 128 visible ASCII characters.",
        )),
        _ => {}
    }
    if method != "get" {
        headers
            .push(("If-Match", "The ETag of the version that is changed; 412 when there is another by now."));
    }
    headers
}

fn parameter(name: &str, place: ParameterIn, required: Required, about: &str, schema: Object) -> Parameter {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(place)
        .required(required)
        .description(Some(about))
        .schema(Some(schema))
        .build()
}

fn segment(name: &str, about: &str, uuid: bool) -> Parameter {
    let mut schema = Object::with_type(Type::String);
    schema.format = uuid.then_some(SchemaFormat::Custom("uuid".to_owned()));
    parameter(name, ParameterIn::Path, Required::True, about, schema)
}

fn header(name: &str, about: &str) -> Parameter {
    parameter(name, ParameterIn::Header, Required::False, about, Object::with_type(Type::String))
}

fn problem(about: &str) -> Response {
    let schema = RefOr::Ref(Ref::from_schema_name(ProblemBody::name()));
    let content = ContentBuilder::new().schema(Some(schema)).build();
    ResponseBuilder::new().description(about).content(PROBLEM_JSON, content).build()
}

/// `/openapi.json`, and `/docs` from the binary alone.
pub fn pages(api: &OpenApi) -> Router<Rest> {
    let json: Arc<str> = api.to_json().unwrap_or_default().into();
    let document = move || {
        let json = Arc::clone(&json);
        async move {
            let headers = [(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "no-cache")];
            (headers, json.to_string()).into_response()
        }
    };
    let pages: Router<Rest> = SwaggerUi::new("/docs").config(Config::from("/openapi.json")).into();
    pages.route("/openapi.json", routing::get(document))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn document() -> OpenApi {
        let (_, api, _) = crate::rest::routes().into_parts();
        complete(api)
    }

    #[test]
    fn every_operation_is_described_once() {
        let mut api = document();
        let mut held = BTreeSet::new();
        for (path, item) in &mut api.paths.paths {
            for (method, operation) in operations(item) {
                let id = operation.operation_id.clone().unwrap();
                assert!(operation.summary.is_some(), "{method} {path} says nothing");
                assert!(held.insert(id.clone()), "{id} twice");
            }
        }
        for operation in tessera_core::access::Operation::ALL {
            assert!(held.contains(operation.name()), "{} is not in the description", operation.name());
        }
    }

    #[test]
    fn what_needs_no_key_is_public_in_the_core() {
        let mut api = document();
        let nobody = SecurityRequirement::default();
        for (path, item) in &mut api.paths.paths {
            for (_, operation) in operations(item).filter(|(_, operation)| !is_open(operation)) {
                let id = operation.operation_id.as_deref().unwrap();
                // Another way to the same.
                let id = id.replace("of_event", "list").replace("by_id", "get");
                let known = tessera_core::access::Operation::ALL.iter().find(|known| known.name() == id);
                let open = operation.security.iter().flatten().any(|held| *held == nobody);
                assert_eq!(open, known.is_some_and(|known| known.is_public()), "{path}");
            }
        }
    }

    #[test]
    fn every_part_of_a_path_is_described() {
        let mut api = document();
        assert!(api.paths.paths.contains_key("/v1/issues/{issue_id}:transition"));
        for (path, item) in &mut api.paths.paths {
            for (_, operation) in operations(item) {
                let parameters = operation.parameters.iter().flatten();
                let described = parameters
                    .filter(|one| matches!(one, RefOr::T(one) if one.parameter_in == ParameterIn::Path))
                    .count();
                assert_eq!(described, path.matches('{').count(), "{path}");
            }
        }
    }

    #[test]
    fn every_reference_leads_somewhere() {
        let json: serde_json::Value = serde_json::from_str(&document().to_json().unwrap()).unwrap();
        assert_eq!(json["openapi"], "3.1.0");
        let text = json.to_string();
        for part in text.split("#/components/schemas/").skip(1) {
            let name = part.split('"').next().unwrap();
            assert!(json["components"]["schemas"][name].is_object(), "{name}");
        }
    }
}
