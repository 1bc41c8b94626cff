//! Calls that fail before they reach an operation. The health service stands for all services, since it is generated in
//! the same way.

use std::time::Duration;

use axum::body::to_bytes;
use tonic::codegen::http::StatusCode;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use super::*;
use crate::in_flight::ByteBudget;
use crate::state::Timeouts;

const CHECK: &str = "/grpc.health.v1.Health/Check";
const WATCH: &str = "/grpc.health.v1.Health/Watch";
const SECOND: Timeouts = Timeouts { request: Duration::from_secs(1), upload: Duration::from_secs(1) };

fn limits(timeouts: Timeouts) -> Limits {
    Limits { timeouts, bytes: ByteBudget::new(0, 0) }
}

type Call = Request<axum::body::Body>;

fn test_router() -> Router {
    let (_reporter, health) = tonic_health::server::health_reporter();
    let health = health.max_decoding_message_size(64);
    let router = add_service(Router::new(), Middleware::new(health, limits(SECOND)), "grpc.health.v1.Health");
    let broken = service_fn(|_: Request<Body>| async { panic!("at the disco") });
    let router = add_service(router, Middleware::new(broken, limits(SECOND)), "broken");
    let stuck = service_fn(|_: Request<Body>| std::future::pending());
    let short = Timeouts { request: Duration::from_millis(20), ..SECOND };
    let router = add_service(router, Middleware::new(stuck, limits(short)), "stuck");
    let unknown = Middleware::new(service_fn(middleware::unimplemented), limits(SECOND));
    router.fallback_service(unknown.map_request(from_axum))
}

/// Builds a call with one message.
fn call(path: &str, content_type: &str, message: &[u8]) -> Call {
    let mut frame = vec![0];
    frame.extend(u32::try_from(message.len()).unwrap().to_be_bytes());
    frame.extend(message);
    let request = Request::builder().method("POST").uri(path).header("content-type", content_type);
    let version = tonic::codegen::http::Version::HTTP_2;
    request.header("x-request-id", "r-1").version(version).body(frame.into()).unwrap()
}

async fn refusal(request: Call) -> Status {
    let response = test_router().oneshot(request).await.unwrap();
    assert_eq!(response.headers()["x-request-id"], "r-1");
    Status::from_header_map(response.headers()).unwrap()
}

#[tokio::test]
async fn refused_call_has_error_info() {
    let grpc = "application/grpc";
    for (path, message, code, reason) in [
        ("/nobody.v1.Service/Call", &[][..], Code::Unimplemented, "METHOD_NOT_FOUND"),
        ("/grpc.health.v1.Health/Cure", &[], Code::Unimplemented, "METHOD_NOT_FOUND"),
        (CHECK, &[0xff, 0xff], Code::InvalidArgument, "INVALID_ARGUMENT"),
        (CHECK, &[0; 65], Code::ResourceExhausted, "TOO_LARGE"),
        ("/broken/Call", &[], Code::Internal, "INTERNAL"),
        ("/stuck/Call", &[], Code::DeadlineExceeded, "DEADLINE_EXCEEDED"),
    ] {
        let status = refusal(call(path, grpc, message)).await;
        assert_eq!(status.code(), code, "{path}");
        let info = status.get_details_error_info().unwrap();
        assert_eq!((info.reason.as_str(), info.domain.as_str()), (reason, "tessera"), "{path}");
        assert_eq!(info.metadata["request_id"], "r-1");
        assert!(!status.message().contains("disco"), "{status}");
    }
    let status = refusal(call(CHECK, grpc, &[0xff, 0xff])).await;
    assert_eq!(status.get_details_bad_request().unwrap().field_violations[0].field, "message");
}

#[tokio::test]
async fn streams_without_authentication_are_limited_for_each_address() {
    let (_reporter, health) = tonic_health::server::health_reporter();
    let watch = Middleware::new(health, limits(SECOND)).of_streams(OpenStreams::new(20));
    let router = add_route(Router::new(), watch, WATCH);
    let open = async || router.clone().oneshot(call(WATCH, "application/grpc", &[])).await.unwrap();
    let (first, _second) = (open().await, open().await);
    assert!(!first.headers().contains_key("grpc-status"));
    let refused = Status::from_header_map(open().await.headers()).unwrap();
    assert_eq!(refused.code(), Code::ResourceExhausted);
    assert_eq!(refused.get_details_error_info().unwrap().reason, "TOO_MANY_STREAMS");
    drop(first);
    assert!(!open().await.headers().contains_key("grpc-status"));
}

#[tokio::test]
async fn other_content_types_are_refused() {
    for path in [CHECK, "/nobody.v1.Service/Call"] {
        let response = test_router().oneshot(call(path, "application/json", b"{}")).await.unwrap();
        assert_eq!(response.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE);
    }
}

#[tokio::test]
async fn grpc_web_response_has_trailers_in_the_body() {
    let mut request = call(CHECK, "application/grpc-web+proto", &[]);
    *request.version_mut() = tonic::codegen::http::Version::HTTP_11;
    let response = test_router().oneshot(request).await.unwrap();
    assert_eq!(response.headers()["x-request-id"], "r-1");
    let body = to_bytes(response.into_body(), 10_000).await.unwrap();
    // A message with the status SERVING, then a frame of trailers.
    assert_eq!(body[..8], [0, 0, 0, 0, 2, 8, 1, 0x80]);
    assert!(String::from_utf8_lossy(&body).contains("grpc-status:0"));
    let mut request = call("/nobody.v1.Service/Call", "application/grpc-web+proto", &[]);
    *request.version_mut() = tonic::codegen::http::Version::HTTP_11;
    let response = test_router().oneshot(request).await.unwrap();
    assert_eq!(response.headers()["content-type"], "application/grpc-web+proto");
    assert_eq!(response.headers()["grpc-status"], "12");
}

#[test]
fn reflection_is_available() {
    assert!(add_reflection(Router::new(), &limits(SECOND)).has_routes());
}
