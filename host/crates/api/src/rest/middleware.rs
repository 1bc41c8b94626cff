//! Middleware of every request: request id, timeout, limits of bytes, access log, panics, errors.
//!
//! Never logged: bodies, headers, queries, client addresses, keys.

use std::net::IpAddr;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{
    CONNECTION, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{Extensions, HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Version};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt as _;
use hyper::body::Body as _;
use tessera_core::{Ctx, ErrorKind, Result};

use crate::connection::Connection;
use crate::in_flight::InFlight;
use crate::metered_body::{RequestBody, ResponseBody};
use crate::rest::error::Problem;
use crate::rest::state::Rest;
use crate::rest::verbs::documented;
use crate::state::{deadline_exceeded, key_id, panic_error, request_id};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// The path of uploads, by POST.
pub(super) const UPLOAD_PATH: &str = "/v1/releases";

/// The content security policy of HTML pages: resources of this host only.
const HTML_POLICY: &str = "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The trace of a request: its id, its bytes in flight and its context.
#[derive(Clone, Debug)]
pub(crate) struct Trace {
    request_id: Arc<str>,
    is_upload: bool,
    in_flight: InFlight,
    ctx: Arc<OnceLock<Ctx>>,
}

impl Trace {
    fn new(headers: &HeaderMap, is_upload: bool, in_flight: InFlight) -> Self {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let request_id = request_id(text("x-request-id"), text("traceparent"));
        Self { request_id, is_upload, in_flight, ctx: Arc::default() }
    }

    /// Returns the trace in the extensions of a request.
    #[must_use]
    pub(crate) fn of(extensions: &Extensions) -> Self {
        let trace = extensions.get::<Self>().cloned();
        trace.unwrap_or_else(|| Self::new(&HeaderMap::new(), false, InFlight::default()))
    }

    /// The request id.
    #[must_use]
    pub(crate) fn request_id(&self) -> Arc<str> {
        Arc::clone(&self.request_id)
    }

    /// The client's address, as callers share limits by it.
    #[must_use]
    pub(crate) fn address(&self) -> IpAddr {
        self.in_flight.connection().address()
    }

    /// Returns whether the request uploads a component.
    #[must_use]
    pub(crate) fn is_upload(&self) -> bool {
        self.is_upload
    }

    /// Sets the caller, and counts the bytes of the request for it.
    pub(crate) fn admit(&self, ctx: &Ctx) -> Result<()> {
        // A request has one caller: the first context stays.
        let _ = self.ctx.set(ctx.clone());
        self.in_flight.admit(ctx)
    }

    /// Counts no more of the request's body, which is read without being kept.
    pub(crate) fn discard_body(&self) {
        self.in_flight.discard_body();
    }
}

/// Handles a request: runs its handler, renders problems, sets headers, and writes the access log.
pub(crate) async fn handle(State(rest): State<Rest>, mut request: Request, next: Next) -> Response {
    let started_at = Instant::now();
    let method = request.method().clone();
    let path = documented(request.uri().path());
    let matched = request.extensions().get::<MatchedPath>().map(|path| documented(path.as_str()));
    let is_upload = method == Method::POST && matched.as_deref() == Some(UPLOAD_PATH);
    let in_flight = InFlight::new(&rest.bytes, Connection::of(request.extensions()));
    let trace = Trace::new(request.headers(), is_upload, in_flight);
    request.extensions_mut().insert(trace.clone());
    let if_none_match = request.headers().get(IF_NONE_MATCH).cloned();
    let has_body = request.version() <= Version::HTTP_11 && !request.body().is_end_stream();
    let request = request.map(|body| Body::new(RequestBody::of_bytes(body, trace.in_flight.clone())));
    let response = run_handler(rest.timeouts.of(is_upload), request, next).await;
    let response = match trace.in_flight.take_refusal() {
        Some(refusal) => Problem::from(refusal).into_response(),
        None => response,
    };
    let response = render_problem(response, &trace, &path);
    let response = not_modified(response, &method, if_none_match.as_ref());
    let mut response = count_response(response, &trace, &path);
    finish(&mut response, &trace);
    if has_body && !trace.in_flight.has_whole_body() {
        // The connection ends with this response. A client that is not told sends its next request into it, and loses it.
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    log(&trace, &method, matched.as_deref(), response.status(), started_at);
    response
}

/// Runs the handler; a timeout and a panic become problems.
async fn run_handler(timeout: Duration, request: Request, next: Next) -> Response {
    let response = AssertUnwindSafe(next.run(request)).catch_unwind();
    match tokio::time::timeout(timeout, response).await {
        Ok(Ok(response)) => response,
        Ok(Err(panic)) => Problem::from(panic_error(&*panic)).into_response(),
        Err(_) => Problem::from(deadline_exceeded()).into_response(),
    }
}

/// Renders the problem of a handler or of the framework; other responses are returned unchanged.
fn render_problem(response: Response, trace: &Trace, path: &str) -> Response {
    let status = response.status();
    let problem = response.extensions().get::<Arc<Problem>>().cloned();
    let problem = match problem {
        Some(problem) => problem,
        None if status.is_client_error() || status.is_server_error() => {
            if response.extensions().get::<KeepBody>().is_some() {
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

/// Marks an error response whose body is not replaced by a problem.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KeepBody;

/// Responds 304 to a read if the client has the current version.
fn not_modified(response: Response, method: &Method, if_none_match: Option<&HeaderValue>) -> Response {
    let etag = response.headers().get(ETAG).and_then(|tag| tag.to_str().ok());
    let if_none_match = if_none_match.and_then(|tags| tags.to_str().ok());
    let is_read = matches!(*method, Method::GET | Method::HEAD) && response.status() == StatusCode::OK;
    match (etag, if_none_match) {
        (Some(etag), Some(if_none_match)) if is_read && matches_tag(if_none_match, etag) => {
            let mut not_modified = StatusCode::NOT_MODIFIED.into_response();
            not_modified.headers_mut().extend(response.headers().get(ETAG).map(|tag| (ETAG, tag.clone())));
            not_modified
        }
        _ => response,
    }
}

/// Counts the bytes of a response until they are sent, or refuses them. Only streams have no exact size.
fn count_response(response: Response, trace: &Trace, path: &str) -> Response {
    let counted = match response.body().size_hint().exact() {
        Some(bytes) => trace.in_flight.respond(usize::try_from(bytes).unwrap_or(usize::MAX)),
        None => {
            trace.in_flight.stream();
            Ok(())
        }
    };
    let response = match counted {
        Ok(()) => response,
        Err(error) => render_problem(Problem::from(error).into_response(), trace, path),
    };
    response.map(|body| Body::new(ResponseBody::new(body, trace.in_flight.clone())))
}

fn matches_tag(tags: &str, etag: &str) -> bool {
    let opaque = |tag: &str| tag.trim().strip_prefix("W/").unwrap_or(tag.trim()).to_owned();
    tags.trim() == "*" || tags.split(',').any(|tag| opaque(tag) == opaque(etag))
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
        headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(HTML_POLICY));
    }
}

/// Writes the access log line of a request.
fn log(trace: &Trace, method: &Method, matched: Option<&str>, status: StatusCode, started_at: Instant) {
    let ctx = trace.ctx.get();
    let key = ctx.and_then(key_id);
    tracing::info!(
        transport = "rest",
        method = %method,
        path = matched.unwrap_or("-"),
        status = status.as_u16(),
        ms = u64::try_from(started_at.elapsed().as_millis()).unwrap_or(u64::MAX),
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
    fn weak_and_strong_entity_tags_match() {
        for tags in ["\"3.1\"", "*", "\"2\", \"3.1\"", "W/\"3.1\""] {
            assert!(matches_tag(tags, "\"3.1\""), "{tags}");
        }
        for tags in ["\"3\"", "", "3.1", "\"3.1"] {
            assert!(!matches_tag(tags, "\"3.1\""), "{tags}");
        }
    }
}
