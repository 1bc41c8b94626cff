//! The description of the API (OpenAPI 3.1), made from the table of routes and the protos, and the pages to try it.

mod operation;
mod schema;

use std::sync::Arc;

use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::IntoResponse;
use axum::{Router, routing};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{ComponentsBuilder, InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder, RefOr};
use utoipa::{PartialSchema, ToSchema};
use utoipa_swagger_ui::{Config, SwaggerUi};

use crate::rest::error::ProblemBody;
use crate::rest::health::Health;
use crate::rest::openapi::operation::{BEARER, describe};
use crate::rest::openapi::schema::Protos;
use crate::rest::route::Route;
use crate::rest::state::Rest;
use crate::rest::streams::StreamToken;

/// The document of all routes; each comes with its tag.
pub(super) fn document(routes: &[(&'static str, Arc<Route>)]) -> OpenApi {
    let protos = Protos::load();
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some("An API key: tsk_<id>_<secret>"))
        .build();
    let mut api = OpenApiBuilder::new()
        .info(about())
        .components(Some(
            ComponentsBuilder::new().security_scheme(BEARER, SecurityScheme::Http(bearer)).build(),
        ))
        .build();
    for (tag, route) in routes.iter().filter(|(_, route)| route.is_documented) {
        let (method, operation) = describe(&protos, tag, route);
        api.paths.add_path_operation(route.path, vec![method], operation);
    }
    let components = api.components.get_or_insert_default();
    components.schemas.extend(protos.schemas(routes));
    for (name, schema) in [own::<ProblemBody>(), own::<Health>(), own::<StreamToken>()].concat() {
        components.schemas.insert(name, schema);
    }
    api
}

/// A type that is no message, with the types in it.
fn own<T: ToSchema + PartialSchema>() -> Vec<(String, RefOr<utoipa::openapi::Schema>)> {
    let mut schemas = vec![(T::name().into_owned(), T::schema())];
    T::schemas(&mut schemas);
    schemas
}

fn about() -> utoipa::openapi::Info {
    let license = LicenseBuilder::new().name("Apache-2.0").identifier(Some("Apache-2.0")).build();
    InfoBuilder::new()
        .title("Tessera")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(
            "A multi-tenant host for issues, support tickets and admission tickets. Errors are problems (RFC 9457). Lists come in pages. Everything with a version has an ETag.",
        ))
        .license(Some(license))
        .build()
}

/// `/openapi.json`, and `/docs` from the binary alone.
pub(super) fn pages(api: &OpenApi) -> Router<Rest> {
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
mod tests;
