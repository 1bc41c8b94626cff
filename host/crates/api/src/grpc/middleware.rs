//! What every RPC passes through: its id, its time, its log line, panics, and how its errors are written.
//!
//! Never logged: messages, metadata, addresses of people, keys.

use std::convert::Infallible;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use tessera_core::{Ctx, Error};
use tonic::Code;
use tonic::body::Body;
use tonic::codegen::http::header::CONTENT_TYPE;
use tonic::codegen::http::{Extensions, HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use tower::Service;

use crate::grpc::access_log::Logged;
use crate::grpc::error::{code_in, code_name, explain, no_method, refuse};
use crate::state::{key_of, late, panicked, request_id};

/// What is known of an RPC while it goes on.
#[derive(Clone, Debug)]
pub(crate) struct Trace {
    /// Names the request.
    pub request_id: Arc<str>,
    /// When it began.
    pub begun: Instant,
    /// How long the client waits, where it said so.
    pub timeout: Option<Duration>,
    /// The host name that the client called.
    pub host: Option<Arc<str>>,
    ctx: Arc<OnceLock<Ctx>>,
}

/// The line of an RPC in the log, still to be written.
pub(super) struct Line {
    rpc: String,
    trace: Trace,
}

/// Carries RPCs through to a service.
#[derive(Clone)]
pub(super) struct Front<S> {
    inner: S,
    timeout: Duration,
}

impl Trace {
    fn new(headers: &HeaderMap) -> Self {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        Self {
            request_id: request_id(text("x-request-id"), text("traceparent")),
            begun: Instant::now(),
            timeout: text("grpc-timeout").and_then(timeout),
            host: text("host").map(Into::into),
            ctx: Arc::default(),
        }
    }

    /// The same with the host name in the address, where HTTP/2 has it.
    fn at(mut self, host: Option<&str>) -> Self {
        self.host = host.map(Into::into).or(self.host);
        self
    }

    /// The trace of the request with these extensions.
    #[must_use]
    pub(crate) fn of(extensions: &Extensions) -> Self {
        extensions.get::<Self>().cloned().unwrap_or_else(|| Self::new(&HeaderMap::new()))
    }

    /// Sets the context for the log line.
    pub(crate) fn set_context(&self, ctx: &Ctx) {
        // A request has one caller: the first context stays.
        let _ = self.ctx.set(ctx.clone());
    }
}

/// Reads `grpc-timeout`: at most 8 digits and a unit. What is malformed is as if it were not there.
fn timeout(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if !(1..=8).contains(&digits.len()) || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let number = digits.parse().ok()?;
    match unit {
        "H" => Some(Duration::from_secs(number * 3_600)),
        "M" => Some(Duration::from_secs(number * 60)),
        "S" => Some(Duration::from_secs(number)),
        "m" => Some(Duration::from_millis(number)),
        "u" => Some(Duration::from_micros(number)),
        "n" => Some(Duration::from_nanos(number)),
        _ => None,
    }
}

impl<S> Front<S> {
    /// Gives each RPC at most so long until its answer begins.
    pub(super) fn new(inner: S, timeout: Duration) -> Self {
        Self { inner, timeout }
    }
}

impl<S> Service<Request<Body>> for Front<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let waiting = self.inner.clone();
        let inner = std::mem::replace(&mut self.inner, waiting);
        let trace = Trace::new(request.headers()).at(request.uri().host());
        request.extensions_mut().insert(trace.clone());
        let limit = trace.timeout.map_or(self.timeout, |asked| asked.min(self.timeout));
        Box::pin(async move {
            let line = Line { rpc: request.uri().path().to_owned(), trace: trace.clone() };
            let response = match misdirected(&request, &trace) {
                Some(refusal) => refusal,
                None => answer(inner, request, limit, &trace).await,
            };
            Ok(finish(explain(response, &trace.request_id), line))
        })
    }
}

/// Refuses what is no gRPC.
fn misdirected(request: &Request<Body>, trace: &Trace) -> Option<Response<Body>> {
    let held = request.headers().get(CONTENT_TYPE).map_or(&b""[..], HeaderValue::as_bytes);
    if request.method() == Method::POST && held.starts_with(b"application/grpc") {
        return None;
    }
    let error = Error::malformed("content-type", "must be application/grpc, in a POST");
    let mut response = refuse(&error, &trace.request_id).into_http::<Body>();
    *response.status_mut() = StatusCode::UNSUPPORTED_MEDIA_TYPE;
    Some(response)
}

/// The service's answer, in time and without a panic.
async fn answer<S>(mut inner: S, request: Request<Body>, limit: Duration, trace: &Trace) -> Response<Body>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
{
    let answered = AssertUnwindSafe(async move { inner.call(request).await }).catch_unwind();
    let error = match tokio::time::timeout(limit, answered).await {
        Ok(Ok(Ok(response))) => return response,
        Ok(Err(panic)) => panicked(&*panic),
        Err(_) => late(),
    };
    refuse(&error, &trace.request_id).into_http()
}

fn finish(mut response: Response<Body>, line: Line) -> Response<Body> {
    let replayed = line.trace.ctx.get().is_some_and(Ctx::was_replayed);
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::from_str(&line.trace.request_id) {
        headers.insert("x-request-id", id);
    }
    if replayed {
        headers.insert("idempotency-replayed", HeaderValue::from_static("true"));
    }
    match code_in(headers) {
        Some(code) => {
            line.write(code);
            response
        }
        None => response.map(|body| Body::new(Logged::new(body, line))),
    }
}

impl Line {
    /// Writes the one line of an RPC.
    pub(super) fn write(self, code: Code) {
        let Self { rpc, trace } = self;
        let ctx = trace.ctx.get();
        let key = ctx.and_then(key_of);
        // The path of what does not exist is whatever the client made up.
        let rpc = if code == Code::Unimplemented { "-" } else { rpc.as_str() };
        tracing::info!(
            transport = "grpc",
            rpc,
            code = code_name(code),
            ms = u64::try_from(trace.begun.elapsed().as_millis()).unwrap_or(u64::MAX),
            tenant = ctx.map(|ctx| ctx.tenant.to_string()),
            key,
            request_id = %trace.request_id,
            "request"
        );
    }
}

/// Answers what no service answers.
pub(super) async fn unimplemented(request: Request<Body>) -> Result<Response<Body>, Infallible> {
    let trace = Trace::of(request.extensions());
    let mut response = no_method(&trace.request_id).into_http::<Body>();
    // gRPC-Web clients expect their own type back.
    if let Some(kind) = request.headers().get(CONTENT_TYPE) {
        response.headers_mut().insert(CONTENT_TYPE, kind.clone());
    }
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeout_is_digits_and_a_unit() {
        for (text, expected) in [
            ("1H", Some(Duration::from_secs(3_600))),
            ("2M", Some(Duration::from_secs(120))),
            ("3S", Some(Duration::from_secs(3))),
            ("99999999m", Some(Duration::from_millis(99_999_999))),
            ("5u", Some(Duration::from_micros(5))),
            ("6n", Some(Duration::from_nanos(6))),
        ] {
            assert_eq!(timeout(text), expected, "{text}");
        }
        for bad in ["", "S", "1", "1s", "-1S", "123456789S", "1 S", "é"] {
            assert_eq!(timeout(bad), None, "{bad}");
        }
    }
}
