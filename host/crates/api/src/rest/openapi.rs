//! The OpenAPI 3.1 document, generated from the table of routes and the protos, and the Swagger UI.

mod operation;
mod schema;

use std::sync::{Arc, LazyLock};

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

/// Builds the document of all routes, each with its tag.
fn document(routes: &[(&'static str, Arc<Route>)]) -> OpenApi {
    let protos = Protos::load();
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some("An API key: tsk_<id>_<secret>"))
        .build();
    let mut api = OpenApiBuilder::new()
        .info(info())
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
    for (name, schema) in
        [rust_schemas::<ProblemBody>(), rust_schemas::<Health>(), rust_schemas::<StreamToken>()].concat()
    {
        components.schemas.insert(name, schema);
    }
    api
}

/// Returns the schema of a Rust type that is not a message, and of the types in it.
fn rust_schemas<T: ToSchema + PartialSchema>() -> Vec<(String, RefOr<utoipa::openapi::Schema>)> {
    let mut schemas = vec![(T::name().into_owned(), T::schema())];
    T::schemas(&mut schemas);
    schemas
}

fn info() -> utoipa::openapi::Info {
    let license = LicenseBuilder::new().name("Apache-2.0").identifier(Some("Apache-2.0")).build();
    InfoBuilder::new()
        .title("Tessera")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(
            "A multi-tenant host for issues, support tickets and admission tickets. Errors are problems (RFC 9457). Lists are paged. Objects with a version have an ETag.",
        ))
        .license(Some(license))
        .build()
}

/// Serves `/openapi.json`, and `/docs` from files in the binary. The document is built when it is first requested, so that
/// no start takes the time.
pub(super) fn pages(routes: Vec<(&'static str, Arc<Route>)>) -> Router<Rest> {
    let json = Arc::new(LazyLock::new(move || document(&routes).to_json().unwrap_or_default()));
    let page = move || {
        let json = Arc::clone(&json);
        async move {
            let headers = [(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "no-cache")];
            (headers, String::clone(&json)).into_response()
        }
    };
    let pages: Router<Rest> = SwaggerUi::new("/docs").config(Config::from("/openapi.json")).into();
    pages.route("/openapi.json", routing::get(page))
}

#[cfg(test)]
mod tests;
