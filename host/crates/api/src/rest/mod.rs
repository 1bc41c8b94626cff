//! The API over HTTP and JSON.
//!
//! `routes/` is the table of routes; `route` decodes a request into its message, runs the operation and encodes the answer.

pub mod decode;
mod decode_error;
pub mod error;
mod extract;
mod health;
mod middleware;
mod node;
mod openapi;
mod release_upload;
mod route;
mod routes;
mod state;
mod streams;
mod ticket_documents;
mod verbs;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use tower::ServiceExt as _;

use crate::rest::error::Problem;
use crate::rest::state::Rest;
use crate::rest::verbs::Verbs;
use crate::state::ApiState;

/// The whole API over HTTP, for bodies of at most `max_body` bytes. It has a fallback of its own, so it cannot be merged
/// with another router that has one.
pub fn router(api: Arc<ApiState>, max_body: usize) -> Router {
    let rest = Rest::new(api);
    let (mut router, mut verbs, mut documented) = (Router::new(), Verbs::default(), Vec::new());
    for (tag, group) in routes::all() {
        for mounted in group {
            let (route, handler) = mounted.mount();
            for path in paths(&route) {
                verbs.add(&path);
                router = router.route(&verbs::internal(&path), handler.clone());
            }
            documented.push((tag, route));
        }
    }
    let routed = router
        .merge(openapi::pages(&openapi::document(&documented)))
        .fallback(|| async { Problem::no_route() })
        .layer(DefaultBodyLimit::max(max_body))
        .layer(from_fn_with_state(rest.clone(), middleware::front))
        .with_state(rest);
    let verbs = Arc::new(verbs);
    Router::new().fallback_service(routed.map_request(move |request| verbs.rewrite(request)))
}

/// The paths at which a route answers.
fn paths(route: &route::Route) -> Vec<String> {
    let tail = route.path.strip_prefix("/v1").unwrap_or(route.path);
    let aliases = route.aliases.iter().map(|root| format!("{root}{tail}"));
    std::iter::once(route.path.to_owned()).chain(aliases).collect()
}
