//! Middleware of every RPC: request id, timeout, access log, panics, errors.
//!
//! Never logged: messages, metadata, client addresses, keys.

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

use crate::grpc::access_log::{Line, LoggedBody};
use crate::grpc::error::{ensure_error_details, grpc_status, status_of, unknown_method};
use crate::grpc::trace::Trace;
use crate::state::{Timeouts, deadline_exceeded, panic_error};

/// Wraps a service.
#[derive(Clone)]
pub(super) struct Middleware<S> {
    inner: S,
    timeouts: Timeouts,
}

impl<S> Middleware<S> {
    /// Wraps `inner`; each RPC must start its response within its timeout.
    pub(super) fn new(inner: S, timeouts: Timeouts) -> Self {
        Self { inner, timeouts }
    }
}

impl<S> Service<Request<Body>> for Middleware<S>
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
        let clone = self.inner.clone();
        let inner = std::mem::replace(&mut self.inner, clone);
        let trace = Trace::new(request.headers()).with_uri(request.uri());
        request.extensions_mut().insert(trace.clone());
        let max = self.timeouts.of(trace.is_upload);
        let limit = trace.timeout.map_or(max, |timeout| timeout.min(max));
        Box::pin(async move {
            let line = Line { rpc: request.uri().path().to_owned(), trace: trace.clone() };
            let response = match reject_non_grpc(&request, &trace) {
                Some(refusal) => refusal,
                None => call_service(inner, request, limit, &trace).await,
            };
            Ok(finish(ensure_error_details(response, &trace.request_id), line))
        })
    }
}

/// Returns a refusal if the request is not gRPC.
fn reject_non_grpc(request: &Request<Body>, trace: &Trace) -> Option<Response<Body>> {
    let content_type = request.headers().get(CONTENT_TYPE).map_or(&b""[..], HeaderValue::as_bytes);
    if request.method() == Method::POST && content_type.starts_with(b"application/grpc") {
        return None;
    }
    let error = Error::malformed("content-type", "must be application/grpc, in a POST");
    let mut response = status_of(&error, &trace.request_id).into_http::<Body>();
    *response.status_mut() = StatusCode::UNSUPPORTED_MEDIA_TYPE;
    Some(response)
}

/// Calls the service; a timeout and a panic become error responses.
async fn call_service<S>(
    mut inner: S,
    request: Request<Body>,
    limit: Duration,
    trace: &Trace,
) -> Response<Body>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
{
    let response = AssertUnwindSafe(async move { inner.call(request).await }).catch_unwind();
    let error = match tokio::time::timeout(limit, response).await {
        Ok(Ok(Ok(response))) => return response,
        Ok(Err(panic)) => panic_error(&*panic),
        Err(_) => deadline_exceeded(),
    };
    status_of(&error, &trace.request_id).into_http()
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
    match grpc_status(headers) {
        Some(code) => {
            line.write(code);
            response
        }
        None => response.map(|body| Body::new(LoggedBody::new(body, line))),
    }
}

/// Responds to a call of an unknown service.
pub(super) async fn unimplemented(request: Request<Body>) -> Result<Response<Body>, Infallible> {
    let trace = Trace::of(request.extensions());
    let mut response = unknown_method(&trace.request_id).into_http::<Body>();
    // gRPC-Web clients expect their own type back.
    if let Some(content_type) = request.headers().get(CONTENT_TYPE) {
        response.headers_mut().insert(CONTENT_TYPE, content_type.clone());
    }
    Ok(response)
}
