//! The API over gRPC and gRPC-Web: a function decodes, makes one call, and encodes.
//!
//! The contract is in `tessera_proto`; how its messages become commands is in `convert`.

mod access_log;
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
use tessera_proto::ticket::v1::ticket_service_server::{SERVICE_NAME as TICKETS, TicketServiceServer};
use tessera_proto::user::v1::user_service_server::{SERVICE_NAME as USERS, UserServiceServer};
use tessera_proto::user::v2::user_service_server as users_v2;
use tonic::body::Body;
use tonic::codegen::http::{Request, Response};
use tonic::server::NamedService;
use tonic_reflection::server::Builder as Reflection;
use tonic_web::GrpcWebLayer;
use tower::{Layer, Service, ServiceExt as _, service_fn};

use crate::grpc::call::Grpc;
use crate::grpc::middleware::Front;
use crate::state::ApiState;

/// The services of the contract.
pub const SERVICES: &[&str] = &[
    BOOKINGS,
    CATALOG,
    CHECK_INS,
    FACTS,
    INVENTORY,
    ISSUES,
    PLUGINS,
    PROJECTS,
    KEYS,
    TENANTS,
    TICKETS,
    USERS,
    users_v2::SERVICE_NAME,
];

/// The size of an upload message without the component.
const ENVELOPE: usize = 64;

/// The whole API over gRPC: takes messages of at most `receive` bytes, uploads apart, and sends such of at most `send`.
/// Must be called on a runtime. Has a fallback of its own, so it cannot be merged with another that has one.
pub fn router(api: Arc<ApiState>, receive: usize, send: usize) -> Router {
    let grpc = Grpc::new(Arc::clone(&api), send);
    let timeout = api.timeout;
    let component = usize::try_from(api.app.releases.max_component()).unwrap_or(usize::MAX);
    let upload = receive.max(component.saturating_add(ENVELOPE));
    let mut router = Router::new();
    macro_rules! mount {
        ($($server:path: $most:expr),*) => {$(
            let service = <$server>::new(grpc.clone());
            let service = service.max_decoding_message_size($most).max_encoding_message_size(send);
            router = mounted(router, Front::new(service, timeout), <$server as NamedService>::NAME);
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
        ProjectServiceServer<Grpc>: receive,
        KeyServiceServer<Grpc>: receive,
        TenantServiceServer<Grpc>: receive,
        TicketServiceServer<Grpc>: receive,
        UserServiceServer<Grpc>: receive,
        users_v2::UserServiceServer<Grpc>: receive
    );
    let (reporter, health) = tonic_health::server::health_reporter();
    router = mounted(router, Front::new(health, timeout), "grpc.health.v1.Health");
    tokio::spawn(health::watch(api, reporter, SERVICES));
    let unknown = Front::new(service_fn(middleware::unimplemented), timeout);
    reflected(router, timeout).fallback_service(unknown.map_request(of_axum))
}

/// The router with the services that describe all others.
fn reflected(router: Router, timeout: std::time::Duration) -> Router {
    let described = || {
        Reflection::configure()
            .register_encoded_file_descriptor_set(tessera_proto::FILE_DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
            // The details of errors, so that a client can show them.
            .register_encoded_file_descriptor_set(tonic_types::pb::FILE_DESCRIPTOR_SET)
    };
    match (described().build_v1(), described().build_v1alpha()) {
        (Ok(v1), Ok(v1alpha)) => {
            let router = mounted(router, Front::new(v1, timeout), "grpc.reflection.v1.ServerReflection");
            mounted(router, Front::new(v1alpha, timeout), "grpc.reflection.v1alpha.ServerReflection")
        }
        (Err(error), _) | (_, Err(error)) => {
            // Only a broken build comes here; what calls can do does not depend on it.
            tracing::error!(%error, "gRPC reflection disabled: descriptors cannot be read");
            router
        }
    }
}

/// The router with a service, over gRPC and gRPC-Web.
fn mounted<S>(router: Router, service: S, name: &str) -> Router
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible> + Clone + Send + Sync + 'static,
    S::Future: Send,
{
    let service = GrpcWebLayer::new().layer(service);
    router.route_service(&format!("/{name}/{{*method}}"), service.map_request(of_axum))
}

fn of_axum(request: Request<axum::body::Body>) -> Request<Body> {
    request.map(Body::new)
}

#[cfg(test)]
mod tests;
