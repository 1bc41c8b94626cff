//! The API over HTTP and JSON.
//!
//! `routes/` is the table of routes. `route` decodes a request into its message, calls the operation and encodes its
//! answer.

pub mod decode;
mod decode_error;
pub mod error;
mod extract;
mod health;
mod middleware;
mod node;
mod openapi;
mod promotion_codes;
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
use axum::http::Method;
use axum::middleware::from_fn_with_state;
use tower::ServiceExt as _;

use crate::rest::error::Problem;
use crate::rest::state::Rest;
use crate::rest::verbs::Verbs;
use crate::state::ApiState;

/// Returns the router of the REST API, for bodies of at most `max_body` bytes. The router has a fallback, so it cannot
/// be merged with another that has one.
pub fn router(api: Arc<ApiState>, max_body: usize) -> Router {
    let rest = Rest::new(api);
    let (mut router, mut verbs, mut documented) = (Router::new(), Verbs::default(), Vec::new());
    for (tag, group) in routes::all() {
        for entry in group {
            let (route, handler) = entry.mount();
            for path in paths(&route) {
                verbs.add(&path);
                router = router.route(&verbs::internal(&path), handler.clone());
            }
            documented.push((tag, route));
        }
    }
    let router = router
        .merge(openapi::pages(documented))
        .fallback(|| async { Problem::no_route() })
        .layer(DefaultBodyLimit::max(max_body))
        .layer(from_fn_with_state(rest.clone(), middleware::handle))
        .with_state(rest);
    let verbs = Arc::new(verbs);
    Router::new().fallback_service(router.map_request(move |request| verbs.rewrite(request)))
}

/// Returns the operation's id, the method and the path of every route, with aliases and undocumented routes.
#[must_use]
pub fn served_routes() -> Vec<(&'static str, Method, String)> {
    let mut served = Vec::new();
    for (_, group) in routes::all() {
        for entry in group {
            let route = entry.route;
            served.extend(paths(&route).into_iter().map(|path| (route.id, route.method.clone(), path)));
        }
    }
    served
}

/// Returns all paths of a route: its own and its aliases.
fn paths(route: &route::Route) -> Vec<String> {
    let tail = route.path.strip_prefix("/v1").unwrap_or(route.path);
    let aliases = route.aliases.iter().map(|root| format!("{root}{tail}"));
    std::iter::once(route.path.to_owned()).chain(aliases).collect()
}
