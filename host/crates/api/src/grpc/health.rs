//! The gRPC health protocol: every service is serving while the host is ready and not shutting down.

use std::sync::Arc;
use std::time::Duration;

use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;

use crate::state::ApiState;

/// The interval of readiness checks.
const CHECK_INTERVAL: Duration = Duration::from_secs(5);

/// Reports the health of all services until the host shuts down. The empty name stands for the whole host.
pub(super) async fn watch(
    api: Arc<ApiState>,
    mut reporter: HealthReporter,
    services: &'static [&'static str],
) {
    report(&reporter, services, ServingStatus::Serving).await;
    loop {
        tokio::select! {
            () = api.stop.cancelled() => break,
            () = tokio::time::sleep(CHECK_INTERVAL) => {}
        }
        let status =
            if api.app.is_ready().await { ServingStatus::Serving } else { ServingStatus::NotServing };
        report(&reporter, services, status).await;
    }
    report(&reporter, services, ServingStatus::NotServing).await;
    // Watchers have received the last status; open watch streams would delay the shutdown.
    for service in [""].iter().chain(services) {
        reporter.clear_service_status(service).await;
    }
}

async fn report(reporter: &HealthReporter, services: &[&str], status: ServingStatus) {
    for service in [""].iter().chain(services) {
        reporter.set_service_status(service, status).await;
    }
}
