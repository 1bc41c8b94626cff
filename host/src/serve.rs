//! Starts the host, serves until a signal, and shuts down.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use axum::Router;
use tessera_api::in_flight::ByteBudget;
use tessera_api::state::{ApiState, Timeouts};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::{Bounds, Config};
use crate::server::{ConnectionSlots, Server};
use crate::{bootstrap, data_dir, print, secret, wiring};

/// Serves until SIGTERM or SIGINT.
pub(crate) async fn serve(config: Config) -> Result<()> {
    let stop = CancellationToken::new();
    let signals = cancel_on_signal(stop.clone())?;
    data_dir::prepare(&config)?;
    let host = uuid::Uuid::now_v7().to_string();
    let secret = secret::load(&config)?;
    let app = wiring::app(&config, &secret, &host).await?;
    // Before the first key is created: it is printed once, so nothing may fail between the two.
    let request = config.bounds.request;
    let timeouts = Timeouts { request, upload: request + config.plugins.compile_time };
    let limits = (timeouts, byte_budget(&config));
    let api = Arc::new(ApiState::new(app.clone(), &secret, limits, stop.clone()));
    let servers = listen(&config, &api).await?;
    let prepared = app.prepare_plugins(config.preload).await;
    prepared.context("the installed plugins cannot be read")?;
    let first_key = bootstrap::run(&app, config.bootstrap_key.as_ref()).await?;
    if let Some(demo) = config.demo {
        bootstrap::create_examples(&app, demo).await?;
    }

    let background = CancellationToken::new();
    let tasks = TaskTracker::new();
    tasks.spawn({
        let (app, stop) = (app.clone(), background.clone());
        async move { app.follow(stop).await }
    });
    tasks.spawn({
        let (app, stop, host) = (app.clone(), background.clone(), host.clone());
        async move { app.run_maintenance(&host, stop).await }
    });
    tasks.spawn({
        let (app, stop, host) = (app.clone(), background.clone(), host.clone());
        async move { app.keep_plugins(&host, stop).await }
    });
    tasks.spawn({
        let (app, stop) = (app.clone(), background.clone());
        async move { app.fire_timers(stop).await }
    });
    tasks.spawn({
        let (app, stop) = (app.clone(), background.clone());
        async move { app.record_refused_logins(stop).await }
    });
    tasks.spawn({
        let (app, stop, host) = (app.clone(), background.clone(), host.clone());
        async move { app.sweep_holds(&host, stop).await }
    });
    tasks.spawn({
        let (app, stop, host) = (app.clone(), background.clone(), host.clone());
        async move { app.run_queue_worker(&host, stop).await }
    });

    print_welcome(&servers, first_key.as_deref())?;
    let open = TaskTracker::new();
    let slots = ConnectionSlots::new(config.bounds);
    for server in servers {
        tasks.spawn(server.serve(config.bounds, slots.clone(), stop.clone(), open.clone()));
    }
    stop.cancelled().await;

    tracing::info!("stopping: finishing requests in flight");
    open.close();
    if tokio::time::timeout(config.bounds.shutdown, open.wait()).await.is_err() {
        tracing::warn!(connections = open.len(), "shutdown timeout: requests in flight were aborted");
    }
    background.cancel();
    tasks.close();
    if tokio::time::timeout(config.bounds.shutdown, tasks.wait()).await.is_err() {
        tracing::warn!("shutdown timeout: background tasks were aborted");
    }
    app.close().await;
    signals.abort();
    tracing::info!("stopped");
    Ok(())
}

/// Returns the limits of bytes in flight, which follow from those of messages.
fn byte_budget(config: &Config) -> ByteBudget {
    let Bounds { body, grpc_receive, grpc_send, .. } = config.bounds;
    let component = usize::try_from(config.plugins.component).unwrap_or(usize::MAX);
    ByteBudget::new(body.max(grpc_receive).max(grpc_send), component)
}

/// Cancels the token at SIGTERM or SIGINT.
fn cancel_on_signal(stop: CancellationToken) -> Result<tokio::task::JoinHandle<()>> {
    let mut terminate =
        signal(SignalKind::terminate()).context("the handler of SIGTERM cannot be installed")?;
    let mut interrupt =
        signal(SignalKind::interrupt()).context("the handler of SIGINT cannot be installed")?;
    Ok(tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        stop.cancel();
    }))
}

/// Binds REST and gRPC to two ports, or both to one. The first server of the result serves REST.
async fn listen(config: &Config, api: &Arc<ApiState>) -> Result<Vec<Server>> {
    let at = |port| SocketAddr::new(config.listen.address, port);
    let rest = tessera_api::rest::router(Arc::clone(api), config.bounds.body);
    let grpc =
        tessera_api::grpc::router(Arc::clone(api), config.bounds.grpc_receive, config.bounds.grpc_send);
    let (http_port, grpc_port) = (config.listen.http, config.listen.grpc);
    if http_port == grpc_port && http_port != 0 {
        return Ok(vec![Server::bind(at(http_port), by_content_type(rest, grpc)).await?]);
    }
    Ok(vec![Server::bind(at(http_port), rest).await?, Server::bind(at(grpc_port), grpc).await?])
}

/// Routes requests with a content type of gRPC to gRPC, and all others to REST.
fn by_content_type(rest: Router, grpc: Router) -> Router {
    use tower::ServiceExt as _;
    Router::new().fallback(move |request: axum::extract::Request| {
        let kind = request.headers().get(axum::http::header::CONTENT_TYPE);
        let is_grpc = kind.is_some_and(|kind| kind.as_bytes().starts_with(b"application/grpc"));
        let router = if is_grpc { grpc.clone() } else { rest.clone() };
        async move { router.oneshot(request).await }
    })
}

fn print_welcome(servers: &[Server], first_key: Option<&str>) -> Result<()> {
    let addresses = servers.iter().map(Server::address).collect::<Result<Vec<_>>>()?;
    let (Some(http), Some(grpc)) = (addresses.first(), addresses.last()) else { return Ok(()) };
    tracing::info!(%http, %grpc, "ready");
    let mut text = format!(
        "Tessera is ready.\n  REST  http://{http}   (reference: http://{http}/docs)\n  gRPC  {grpc}\n"
    );
    if let Some(key) = first_key {
        text.push_str(&format!(
            "\nThe admin key of the tenant \"default\". It is not shown again:\n  export TESSERA_KEY={key}\n"
        ));
    }
    let key = "-H \"Authorization: Bearer $TESSERA_KEY\"";
    text.push_str(&format!(
        "\nTry:\n  curl -s http://{http}/v1/me {key}\n  \
         curl -s http://{http}/v1/projects {key} -H 'Content-Type: application/json' -d '{{\"name\": \"First\"}}'\n  \
         grpcurl -plaintext {key} {grpc} project.v1.ProjectService/ListProjects\n\n"
    ));
    print(&text)
}
