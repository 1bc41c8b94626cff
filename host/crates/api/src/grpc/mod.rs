//! The API over gRPC and gRPC-Web.
//!
//! `services` maps each RPC to its operation. The messages are in `tessera_proto`, their conversions in `convert`.

mod access_log;
mod authentication;
mod call;
pub mod error;
mod health;
mod middleware;
mod response_stream;
mod services;
mod streams;
mod trace;

use std::convert::Infallible;
use std::sync::Arc;

use axum::Router;
use tessera_proto::facts::v1::facts_service_server::{FactsServiceServer, SERVICE_NAME as FACTS};
use tessera_proto::issues::v1::issues_service_server::{IssuesServiceServer, SERVICE_NAME as ISSUES};
use tessera_proto::plugin::v1::plugin_service_server::{PluginServiceServer, SERVICE_NAME as PLUGINS};
use tessera_proto::project::v1::project_service_server::{ProjectServiceServer, SERVICE_NAME as PROJECTS};
use tessera_proto::tenancy::v1::key_service_server::{KeyServiceServer, SERVICE_NAME as KEYS};
use tessera_proto::tenancy::v1::tenant_service_server::{SERVICE_NAME as TENANTS, TenantServiceServer};
use tessera_proto::ticket::v1::booking_service_server::{BookingServiceServer, SERVICE_NAME as BOOKINGS};
use tessera_proto::ticket::v1::catalog_service_server::{CatalogServiceServer, SERVICE_NAME as CATALOG};
use tessera_proto::ticket::v1::check_in_service_server::{CheckInServiceServer, SERVICE_NAME as CHECK_INS};
use tessera_proto::ticket::v1::inventory_service_server::{
    InventoryServiceServer, SERVICE_NAME as INVENTORY,
};
use tessera_proto::ticket::v1::pricing_service_server::{PricingServiceServer, SERVICE_NAME as PRICING};
use tessera_proto::ticket::v1::promotion_service_server::{
    PromotionServiceServer, SERVICE_NAME as PROMOTIONS,
};
use tessera_proto::ticket::v1::ticket_service_server::{SERVICE_NAME as TICKETS, TicketServiceServer};
use tessera_proto::user::v1::user_service_server::{SERVICE_NAME as USERS, UserServiceServer};
use tessera_proto::user::v2::user_service_server as users_v2;
use tonic::body::Body;
use tonic::codegen::http::{Request, Response};
use tonic::server::NamedService;
use tonic_reflection::server::Builder as Reflection;
use tonic_web::GrpcWebLayer;
use tower::{Layer, Service, ServiceExt as _, service_fn};

use crate::grpc::authentication::Authentication;
use crate::grpc::call::Grpc;
use crate::grpc::middleware::{Limits, Middleware};
use crate::state::ApiState;
use crate::stream_limits::OpenStreams;

/// The names of the services.
pub const SERVICES: &[&str] = &[
    BOOKINGS,
    CATALOG,
    CHECK_INS,
    FACTS,
    INVENTORY,
    ISSUES,
    PLUGINS,
    PRICING,
    PROJECTS,
    PROMOTIONS,
    KEYS,
    TENANTS,
    TICKETS,
    USERS,
    users_v2::SERVICE_NAME,
];

/// The most bytes of a message to a service that needs no authentication.
const MAX_OPEN_MESSAGE: usize = 4 << 10;

/// The most open streams of the health service, and of each version of the reflection service, whose responses are
/// large.
const MAX_WATCHES: usize = 10_000;
const MAX_REFLECTIONS: usize = 100;

/// Room in an upload message for everything but the component, in bytes.
const UPLOAD_OVERHEAD: usize = 64;

/// Returns the router of the gRPC API. Requests have at most `receive` bytes, except uploads; responses have at most
/// `send` bytes. Must be called on a runtime. The router has a fallback, so it cannot be merged with another that has
/// one.
pub fn router(api: Arc<ApiState>, receive: usize, send: usize) -> Router {
    let grpc = Grpc::new(Arc::clone(&api), send);
    let limits = Limits { timeouts: api.timeouts, bytes: api.bytes.clone() };
    let component = usize::try_from(api.app.releases.max_component()).unwrap_or(usize::MAX);
    let upload = receive.max(component.saturating_add(UPLOAD_OVERHEAD));
    let mut router = Router::new();
    macro_rules! mount {
        ($($server:path: $max:expr),*) => {$(
            let service = <$server>::new(grpc.clone());
            let service = service.max_decoding_message_size($max).max_encoding_message_size(send);
            let authentication = Authentication::of::<$server>(&api, $max);
            let service = Middleware::new(service, limits.clone()).authenticated(authentication);
            router = add_service(router, service, <$server as NamedService>::NAME);
        )*};
    }
    mount!(
        BookingServiceServer<Grpc>: receive,
        CatalogServiceServer<Grpc>: receive,
        CheckInServiceServer<Grpc>: receive,
        FactsServiceServer<Grpc>: receive,
        InventoryServiceServer<Grpc>: receive,
        IssuesServiceServer<Grpc>: receive,
        PluginServiceServer<Grpc>: upload,
        PricingServiceServer<Grpc>: receive,
        ProjectServiceServer<Grpc>: receive,
        PromotionServiceServer<Grpc>: receive,
        KeyServiceServer<Grpc>: receive,
        TenantServiceServer<Grpc>: receive,
        TicketServiceServer<Grpc>: receive,
        UserServiceServer<Grpc>: receive,
        users_v2::UserServiceServer<Grpc>: receive
    );
    let (reporter, health) = tonic_health::server::health_reporter();
    let health = health.max_decoding_message_size(MAX_OPEN_MESSAGE);
    let watch = Middleware::new(health.clone(), limits.clone()).of_streams(OpenStreams::new(MAX_WATCHES));
    router = add_route(router, watch, "/grpc.health.v1.Health/Watch");
    router = add_service(router, Middleware::new(health, limits.clone()), "grpc.health.v1.Health");
    tokio::spawn(health::watch(api, reporter, SERVICES));
    let unknown = Middleware::new(service_fn(middleware::unimplemented), limits.clone());
    add_reflection(router, &limits).fallback_service(unknown.map_request(from_axum))
}

/// Adds the reflection services.
fn add_reflection(router: Router, limits: &Limits) -> Router {
    let builder = || {
        Reflection::configure()
            .register_encoded_file_descriptor_set(tessera_proto::FILE_DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
            // The details of errors, so that clients can decode them.
            .register_encoded_file_descriptor_set(tonic_types::pb::FILE_DESCRIPTOR_SET)
    };
    match (builder().build_v1(), builder().build_v1alpha()) {
        (Ok(v1), Ok(v1alpha)) => {
            let v1 = Middleware::new(v1.max_decoding_message_size(MAX_OPEN_MESSAGE), limits.clone());
            let v1 = v1.of_streams(OpenStreams::new(MAX_REFLECTIONS));
            let router = add_service(router, v1, "grpc.reflection.v1.ServerReflection");
            let v1alpha = v1alpha.max_decoding_message_size(MAX_OPEN_MESSAGE);
            let v1alpha = Middleware::new(v1alpha, limits.clone());
            let v1alpha = v1alpha.of_streams(OpenStreams::new(MAX_REFLECTIONS));
            add_service(router, v1alpha, "grpc.reflection.v1alpha.ServerReflection")
        }
        (Err(error), _) | (_, Err(error)) => {
            // The descriptors are part of the build; calls work without reflection.
            tracing::error!(%error, "gRPC reflection disabled: descriptors cannot be read");
            router
        }
    }
}

/// Adds a service, over gRPC and gRPC-Web.
fn add_service<S>(router: Router, service: S, name: &str) -> Router
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible> + Clone + Send + Sync + 'static,
    S::Future: Send,
{
    add_route(router, service, &format!("/{name}/{{*method}}"))
}

/// Adds a service for one path, over gRPC and gRPC-Web.
fn add_route<S>(router: Router, service: S, path: &str) -> Router
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible> + Clone + Send + Sync + 'static,
    S::Future: Send,
{
    let service = GrpcWebLayer::new().layer(service);
    router.route_service(path, service.map_request(from_axum))
}

fn from_axum(request: Request<axum::body::Body>) -> Request<Body> {
    request.map(Body::new)
}

#[cfg(test)]
mod tests;
