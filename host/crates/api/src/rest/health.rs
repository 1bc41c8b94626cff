//! Whether the host lives and can do its work. Needs no key.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::routes;

use crate::rest::Rest;
use crate::rest::front::Written;
use crate::rest::routes::Routes;

pub(super) fn routes(routes: Routes) -> Routes {
    routes.with(routes!(live)).with(routes!(ready)).with(routes!(health))
}

/// How the host is.
#[derive(Debug, Serialize, ToSchema)]
struct Health {
    /// `ok`, `draining` or `unavailable`.
    status: &'static str,
    /// Each part.
    checks: Vec<Check>,
}

/// How one part is.
#[derive(Debug, Serialize, ToSchema)]
struct Check {
    /// The part.
    name: &'static str,
    /// `ok`, `draining` or `unavailable`.
    status: &'static str,
}

async fn judged(rest: &Rest) -> (StatusCode, Health) {
    let store = match rest.app.ready().await {
        Ok(()) => "ok",
        Err(error) => {
            tracing::warn!(?error, "the store does not answer");
            "unavailable"
        }
    };
    let host = if rest.stop.is_cancelled() { "draining" } else { "ok" };
    let status = if store == "ok" { host } else { store };
    let code = if status == "ok" { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let checks = vec![Check { name: "host", status: host }, Check { name: "store", status: store }];
    (code, Health { status, checks })
}

/// Marks the answer as one that stands as it is.
fn stands((status, body): (StatusCode, Health)) -> Response {
    let mut response = (status, Json(body)).into_response();
    response.extensions_mut().insert(Written);
    response
}

/// Says that the process runs.
#[utoipa::path(get, path = "/livez", operation_id = "livez", tag = "health", security(()),
    responses((status = 200, description = "It runs")))]
async fn live() -> &'static str {
    "ok"
}

/// Says whether the host takes requests: the store answers, and it is not going down.
#[utoipa::path(get, path = "/readyz", operation_id = "readyz", tag = "health", security(()),
    responses((status = 200, description = "It is ready", body = Health), (status = 503, description = "It is not", body = Health)))]
async fn ready(State(rest): State<Rest>) -> Response {
    stands(judged(&rest).await)
}

/// Says how each part of the host is; 503 only when the host cannot work.
#[utoipa::path(get, path = "/health", operation_id = "health", tag = "health", security(()),
    responses((status = 200, description = "It works", body = Health), (status = 503, description = "It does not", body = Health)))]
async fn health(State(rest): State<Rest>) -> Response {
    stands(judged(&rest).await)
}
