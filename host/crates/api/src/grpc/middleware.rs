//! Middleware of every RPC: id, time-out, access log, panics, errors.
//!
//! Never logged: messages, metadata, addresses of people, keys.

use std::convert::Infallible;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::FutureExt as _;
use tessera_core::{Ctx, Error};
use tonic::body::Body;
use tonic::codegen::http::header::CONTENT_TYPE;
use tonic::codegen::http::{HeaderValue, Method, Request, Response, StatusCode};
use tower::Service;

use crate::grpc::access_log::{Line, Logged};
use crate::grpc::error::{code_in, explain, no_method, refuse};
use crate::grpc::trace::Trace;
use crate::state::{late, panicked};

/// Carries RPCs through to a service.
#[derive(Clone)]
pub(super) struct Front<S> {
    inner: S,
    timeout: Duration,
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
        let limit = trace.timeout.map_or(self.timeout, |timeout| timeout.min(self.timeout));
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
    let content_type = request.headers().get(CONTENT_TYPE).map_or(&b""[..], HeaderValue::as_bytes);
    if request.method() == Method::POST && content_type.starts_with(b"application/grpc") {
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
