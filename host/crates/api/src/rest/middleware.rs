//! Middleware of every request: id, time-out, access log, panics, errors.
//!
//! Never logged: bodies, headers, queries, addresses of people, keys.

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{
    CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{Extensions, HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt as _;
use tessera_core::{Ctx, ErrorKind};

use crate::rest::error::Problem;
use crate::rest::state::Rest;
use crate::rest::verbs::documented;
use crate::state::{key_of, late, panicked, request_id};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// The content security policy of pages: resources of this host only.
const PAGES: &str = "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The trace of a request while it runs.
#[derive(Clone, Debug)]
pub(crate) struct Trace {
    request_id: Arc<str>,
    ctx: Arc<OnceLock<Ctx>>,
}

impl Trace {
    fn new(headers: &HeaderMap) -> Self {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        Self { request_id: request_id(text("x-request-id"), text("traceparent")), ctx: Arc::default() }
    }

    /// The trace of the request with these extensions.
    #[must_use]
    pub(crate) fn of(extensions: &Extensions) -> Self {
        extensions.get::<Self>().cloned().unwrap_or_else(|| Self::new(&HeaderMap::new()))
    }

    /// Names the request.
    #[must_use]
    pub(crate) fn request_id(&self) -> Arc<str> {
        Arc::clone(&self.request_id)
    }

    /// Sets the context for the log line.
    pub(crate) fn set_context(&self, ctx: &Ctx) {
        // A request has one caller: the first context stays.
        let _ = self.ctx.set(ctx.clone());
    }
}

/// Carries a request through.
pub(crate) async fn front(State(rest): State<Rest>, mut request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let trace = Trace::new(request.headers());
    request.extensions_mut().insert(trace.clone());
    let method = request.method().clone();
    let path = documented(request.uri().path());
    let matched = request.extensions().get::<MatchedPath>().map(|path| documented(path.as_str()));
    let if_none_match = request.headers().get(IF_NONE_MATCH).cloned();
    let response = answer(&rest, request, next).await;
    let response = written(response, &trace, &path);
    let mut response = fresh(response, &method, if_none_match.as_ref());
    finish(&mut response, &trace);
    log(&trace, &method, matched.as_deref(), response.status(), begun);
    response
}

/// The handler's answer, in time and without a panic.
async fn answer(rest: &Rest, request: Request, next: Next) -> Response {
    let handled = AssertUnwindSafe(next.run(request)).catch_unwind();
    match tokio::time::timeout(rest.timeout, handled).await {
        Ok(Ok(response)) => response,
        Ok(Err(panic)) => Problem::from(panicked(&*panic)).into_response(),
        Err(_) => Problem::from(late()).into_response(),
    }
}

/// Writes a problem as such, also one that the framework found.
fn written(response: Response, trace: &Trace, path: &str) -> Response {
    let status = response.status();
    let found = response.extensions().get::<Arc<Problem>>().cloned();
    let problem = match found {
        Some(problem) => problem,
        None if status.is_client_error() || status.is_server_error() => {
            if response.extensions().get::<Written>().is_some() {
                return response;
            }
            Arc::new(Problem::of_status(status, response.headers()))
        }
        None => return response,
    };
    if problem.error.kind() == ErrorKind::Internal {
        let error = &problem.error;
        let backtrace = error.backtrace().map(tracing::field::display);
        tracing::error!(request_id = %trace.request_id, cause = ?error.cause(), backtrace, "request failed with an internal error");
    }
    problem.render(&trace.request_id, path)
}

/// Marks an answer whose body stands although its status says that something is wrong.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Written;

/// Says nothing again to a client that has it already.
fn fresh(response: Response, method: &Method, if_none_match: Option<&HeaderValue>) -> Response {
    let etag = response.headers().get(ETAG).and_then(|tag| tag.to_str().ok());
    let if_none_match = if_none_match.and_then(|tags| tags.to_str().ok());
    let reads = matches!(*method, Method::GET | Method::HEAD) && response.status() == StatusCode::OK;
    match (etag, if_none_match) {
        (Some(etag), Some(if_none_match)) if reads && matches_tag(if_none_match, etag) => {
            let mut short = StatusCode::NOT_MODIFIED.into_response();
            short.headers_mut().extend(response.headers().get(ETAG).map(|tag| (ETAG, tag.clone())));
            short
        }
        _ => response,
    }
}

fn matches_tag(tags: &str, etag: &str) -> bool {
    let plain = |tag: &str| tag.trim().strip_prefix("W/").unwrap_or(tag.trim()).to_owned();
    tags.trim() == "*" || tags.split(',').any(|tag| plain(tag) == plain(etag))
}

fn finish(response: &mut Response, trace: &Trace) {
    let replayed = trace.ctx.get().is_some_and(Ctx::was_replayed);
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::from_str(&trace.request_id) {
        headers.insert(REQUEST_ID, id);
    }
    if replayed {
        headers.insert(REPLAYED, HeaderValue::from_static("true"));
    }
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    let html = headers.get(CONTENT_TYPE).is_some_and(|value| value.as_bytes().starts_with(b"text/html"));
    if html {
        headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(PAGES));
    }
}

/// The one line of a request.
fn log(trace: &Trace, method: &Method, matched: Option<&str>, status: StatusCode, begun: Instant) {
    let ctx = trace.ctx.get();
    let key = ctx.and_then(key_of);
    tracing::info!(
        transport = "rest",
        method = %method,
        path = matched.unwrap_or("-"),
        status = status.as_u16(),
        ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX),
        tenant = ctx.map(|ctx| ctx.tenant.to_string()),
        key,
        request_id = %trace.request_id,
        "request"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_found_in_a_list_weak_or_strong() {
        for tags in ["\"3.1\"", "*", "\"2\", \"3.1\"", "W/\"3.1\""] {
            assert!(matches_tag(tags, "\"3.1\""), "{tags}");
        }
        for tags in ["\"3\"", "", "3.1", "\"3.1"] {
            assert!(!matches_tag(tags, "\"3.1\""), "{tags}");
        }
    }
}
