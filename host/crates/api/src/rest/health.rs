//! Liveness and readiness, without a key.

use axum::Json;
use axum::extract::State;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse as _, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::rest::middleware::KeepBody;
use crate::rest::route::{RouteEntry, Shape, special};
use crate::rest::state::Rest;

pub(super) fn routes() -> Vec<RouteEntry> {
    let health = Shape::Schema("Health");
    vec![
        special(Method::GET, "/livez", "livez", String::new(), live)
            .open()
            .answers("text/plain", Shape::Text)
            .summary("Checks that the process runs."),
        special(Method::GET, "/readyz", "readyz", String::new(), readiness)
            .open()
            .answers("application/json", health.clone())
            .summary("Checks whether the host accepts requests: the store responds, and the host is not shutting down."),
        special(Method::GET, "/health", "health", String::new(), readiness)
            .open()
            .answers("application/json", health)
            .summary("Reports the health of each part of the host; 503 if the host cannot work."),
    ]
}

/// The health of the host.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Health {
    /// `ok`, `draining` or `unavailable`.
    status: &'static str,
    /// The health of each part.
    checks: Vec<Check>,
}

/// The health of one part.
#[derive(Debug, Serialize, ToSchema)]
struct Check {
    /// The name of the part.
    name: &'static str,
    /// `ok`, `draining` or `unavailable`; of plugins `ok`, or `preparing` while installed releases are not compiled yet.
    status: &'static str,
}

/// Checks each part of the host.
async fn check(rest: &Rest) -> (StatusCode, Health) {
    let store = if rest.app.is_ready().await { "ok" } else { "unavailable" };
    let host = if rest.stop.is_cancelled() { "draining" } else { "ok" };
    let status = if store == "ok" { host } else { store };
    let code = if status == "ok" { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    // A host whose releases are not compiled can work: calls compile them.
    let plugins = if rest.app.pending_releases() == 0 { "ok" } else { "preparing" };
    let checks = [("host", host), ("store", store), ("plugins", plugins)];
    let checks = checks.map(|(name, status)| Check { name, status }).into();
    (code, Health { status, checks })
}

/// Responds while the process runs.
async fn live() -> &'static str {
    "ok"
}

async fn readiness(State(rest): State<Rest>) -> Response {
    let (status, body) = check(&rest).await;
    let mut response = (status, Json(body)).into_response();
    // The body is the health, also with an error status.
    response.extensions_mut().insert(KeepBody);
    response
}
