//! The API over HTTP and JSON: a handler decodes, makes one call, and encodes.

#![allow(unused_qualifications, reason = "what utoipa's macros make has them")]

pub mod booking;
pub mod check_in;
pub mod command;
pub mod comment;
pub mod dto;
pub mod error;
pub mod event;
pub mod extract;
pub mod fact;
pub mod front;
pub mod health;
pub mod holding;
pub mod installation;
pub mod inventory;
pub mod issue;
pub mod key;
pub mod label;
pub mod link;
pub mod openapi;
pub mod plugin_json;
pub mod project;
pub mod release;
pub mod reply;
pub mod reservation;
pub mod routes;
pub mod scheme;
pub mod series;
pub mod stream;
pub mod tenant;
pub mod ticket;
pub mod ticket_type;
pub mod timer;
pub mod transition;
mod unread;
pub mod user;
pub mod user_v2;
pub mod venue;
pub mod watcher;

use std::ops::Deref;
use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware;
use serde::Deserialize;
use tessera_core::access::Operation;
use tessera_core::filter::Spec;
use tower::ServiceExt as _;
use utoipa::IntoParams;

use crate::request::{AskedPage, Gate};
use crate::rest::error::Problem;
use crate::rest::routes::Routes;
use crate::tokens::PageQuery;

/// What handlers work with.
#[derive(Clone)]
pub struct Rest(Arc<Gate>);

impl Deref for Rest {
    type Target = Gate;

    fn deref(&self) -> &Gate {
        &self.0
    }
}

/// Which page of a list is asked for.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields, default)]
pub struct ListQuery {
    /// How many rows; 0 or absent: 50, or the list's maximum if that is less.
    #[param(minimum = 0)]
    pub page_size: i64,
    /// The `next_page_token` of the page before.
    pub page_token: String,
    /// Which rows: `field:value,value`, `-field:value`, `created>2026-01-01`.
    pub filter: String,
    /// A field, then `asc` (the default) or `desc`; absent: newest first.
    pub order_by: String,
}

/// Which page of a list without filter and order is asked for.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields, default)]
pub struct PageOnly {
    /// How many rows; 0 or absent: 50, or the list's maximum if that is less.
    #[param(minimum = 0)]
    pub page_size: i64,
    /// The `next_page_token` of the page before.
    pub page_token: String,
}

impl ListQuery {
    fn page(&self, spec: &'static Spec, max: u32, operation: Operation) -> AskedPage<'_> {
        let query = PageQuery { operation, filter: &self.filter, order_by: &self.order_by, scope: &[] };
        AskedPage { spec, max, size: self.page_size, token: &self.page_token, query }
    }
}

impl PageOnly {
    fn page<'a>(&'a self, max: u32, operation: Operation, scope: &'a [&'a str]) -> AskedPage<'a> {
        let query = crate::request::plain_query(operation, scope);
        AskedPage { spec: &crate::request::PLAIN, max, size: self.page_size, token: &self.page_token, query }
    }
}

/// The whole API over HTTP, for bodies of at most `max_body` bytes. Has a fallback of its own, so it cannot be merged with another that has one.
pub fn router(gate: Arc<Gate>, max_body: usize) -> Router {
    let rest = Rest(gate);
    let (router, api, verbs) = routes().into_parts();
    let front = middleware::from_fn_with_state(rest.clone(), front::front);
    let routed = router
        .merge(openapi::pages(&openapi::complete(api)))
        .fallback(|| async { Problem::no_route() })
        .layer(DefaultBodyLimit::max(max_body))
        .layer(front)
        .with_state(rest);
    let verbs = Arc::new(verbs);
    Router::new().fallback_service(routed.map_request(move |request| verbs.rewrite(request)))
}

fn routes() -> Routes {
    let routes = Routes::new(openapi::about());
    let routes = health::routes(routes);
    let routes = tenant::routes(routes);
    let routes = key::routes(routes);
    let routes = user_v2::routes(user::routes(routes));
    let routes = scheme::routes(project::routes(routes));
    let routes = transition::routes(issue::routes(routes));
    let routes = link::routes(label::routes(comment::routes(routes)));
    let routes = command::routes(routes);
    let routes = timer::routes(installation::routes(release::routes(routes)));
    let routes = series::routes(venue::routes(routes));
    let routes = ticket_type::routes(event::routes(routes));
    let routes = reservation::routes(holding::routes(inventory::routes(routes)));
    let routes = check_in::routes(ticket::routes(routes));
    let routes = booking::routes(routes);
    let routes = fact::routes(watcher::routes(routes));
    stream::routes(routes)
}
