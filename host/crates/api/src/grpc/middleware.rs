//! Middleware of every RPC: request id, authentication, limits, access log, panics, errors.
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

use crate::connection::Connection;
use crate::grpc::access_log::{Line, LoggedBody};
use crate::grpc::authentication::Authentication;
use crate::grpc::error::{ensure_error_details, grpc_status, status_of, unknown_method};
use crate::grpc::trace::Trace;
use crate::in_flight::{ByteBudget, InFlight};
use crate::metered_body::{RequestBody, ResponseBody};
use crate::state::{Timeouts, deadline_exceeded, panic_error};
use crate::stream_limits::OpenStreams;

/// The limits of a service's RPCs.
#[derive(Clone)]
pub(super) struct Limits {
    /// The time until a response starts.
    pub(super) timeouts: Timeouts,
    /// The bytes of all requests and responses in flight.
    pub(super) bytes: ByteBudget,
}

/// Wraps a service.
#[derive(Clone)]
pub(super) struct Middleware<S> {
    inner: S,
    limits: Limits,
    authentication: Option<Authentication>,
    streams: Option<OpenStreams>,
}

impl<S> Middleware<S> {
    /// Wraps a service that needs no authentication. It must decode only small messages, which are not counted.
    pub(super) fn new(inner: S, limits: Limits) -> Self {
        Self { inner, limits, authentication: None, streams: None }
    }

    /// Authenticates the callers before their messages are read.
    pub(super) fn authenticated(self, authentication: Authentication) -> Self {
        Self { authentication: Some(authentication), ..self }
    }

    /// Limits the streams of a service that needs no authentication. All its RPCs must be streams.
    pub(super) fn of_streams(self, streams: OpenStreams) -> Self {
        Self { streams: Some(streams), ..self }
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
        let authentication = self.authentication.clone();
        let in_flight = InFlight::new(&self.limits.bytes, Connection::of(request.extensions()));
        let trace = Trace::new(request.headers(), in_flight.clone()).with_uri(request.uri());
        request.extensions_mut().insert(trace.clone());
        let max = self.limits.timeouts.of(trace.is_upload);
        let timeout = trace.timeout.map_or(max, |timeout| timeout.min(max));
        let entered = match &self.streams {
            Some(streams) => in_flight.enter(streams),
            None => Ok(()),
        };
        let request = match &authentication {
            Some(Authentication { max_message, .. }) => {
                request.map(|body| Body::new(RequestBody::of_messages(body, in_flight, *max_message)))
            }
            None => request,
        };
        Box::pin(async move {
            let line = Line { rpc: request.uri().path().to_owned(), trace: trace.clone() };
            let response = match (reject_non_grpc(&request, &trace), entered) {
                (Some(refusal), _) => refusal,
                (None, Err(error)) => status_of(&error, &trace.request_id).into_http(),
                (None, Ok(())) => call_service((authentication, inner), request, timeout, &trace).await,
            };
            let response = match trace.in_flight.take_refusal() {
                Some(refusal) => status_of(&refusal, &trace.request_id).into_http(),
                None => response,
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

/// Authenticates the caller and calls the service; a timeout and a panic become error responses.
async fn call_service<S>(
    (authentication, mut inner): (Option<Authentication>, S),
    request: Request<Body>,
    timeout: Duration,
    trace: &Trace,
) -> Response<Body>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
{
    let (head, body) = request.into_parts();
    let response = AssertUnwindSafe(async move {
        if let Some(authentication) = authentication {
            authentication.check(&head, trace).await?;
        }
        let Ok(response) = inner.call(Request::from_parts(head, body)).await;
        Ok::<_, Error>(response)
    });
    let error = match tokio::time::timeout(timeout, response.catch_unwind()).await {
        Ok(Ok(Ok(response))) => return response,
        Ok(Ok(Err(error))) => error,
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
    let in_flight = line.trace.in_flight.clone();
    match grpc_status(headers) {
        Some(code) => {
            line.write(code);
            response
        }
        None => response.map(|body| Body::new(ResponseBody::new(LoggedBody::new(body, line), in_flight))),
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
