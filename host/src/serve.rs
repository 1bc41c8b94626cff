//! Serving: from start to ready, and from the signal to the end.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use axum::Router;
use tessera_api::request::Gate;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::Config;
use crate::server::Server;
use crate::{bootstrap, prepare_data, say, secret, wiring};

/// Serves until SIGTERM or SIGINT.
pub(crate) async fn serve(config: Config) -> Result<()> {
    let stop = CancellationToken::new();
    let signals = signals(stop.clone())?;
    prepare_data(&config)?;
    let host = uuid::Uuid::now_v7().to_string();
    let secret = secret::of(&config)?;
    let app = wiring::app(&config, &secret, &host).await?;
    // Before the first key is made: it is shown once, so nothing may fail between.
    let gate = Arc::new(Gate::new(app.clone(), &secret, config.bounds.request, stop.clone()));
    let servers = listen(&config, &gate).await?;
    app.prepare_plugins().await.context("the installed plugins cannot be read")?;
    let first_key = bootstrap::run(&app, config.bootstrap_key.as_ref()).await?;
    if let Some(demo) = config.demo {
        bootstrap::demo(&app, demo).await?;
    }

    let background = CancellationToken::new();
    let tasks = TaskTracker::new();
    tasks.spawn({
        let (app, stop) = (app.clone(), background.clone());
        async move { app.follow(stop).await }
    });
    tasks.spawn({
        let (app, stop, host) = (app.clone(), background.clone(), host.clone());
        async move { app.sweep(&host, stop).await }
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
        let (app, stop, host) = (app.clone(), background.clone(), host.clone());
        async move { app.sweep_holds(&host, stop).await }
    });
    tasks.spawn({
        let (app, stop, host) = (app.clone(), background.clone(), host.clone());
        async move { app.take_turns(&host, stop).await }
    });

    announce(&servers, first_key.as_deref())?;
    let open = TaskTracker::new();
    let places = Arc::new(Semaphore::new(config.bounds.connections));
    for server in servers {
        tasks.spawn(server.serve(config.bounds, Arc::clone(&places), stop.clone(), open.clone()));
    }
    stop.cancelled().await;

    tracing::info!("stopping: no new work is taken, what has begun is finished");
    open.close();
    if tokio::time::timeout(config.bounds.shutdown, open.wait()).await.is_err() {
        tracing::warn!(connections = open.len(), "some requests were not finished in time");
    }
    background.cancel();
    tasks.close();
    if tokio::time::timeout(config.bounds.shutdown, tasks.wait()).await.is_err() {
        tracing::warn!("some of the host's own work was not finished in time");
    }
    app.close().await;
    signals.abort();
    tracing::info!("stopped");
    Ok(())
}

fn signals(stop: CancellationToken) -> Result<tokio::task::JoinHandle<()>> {
    let mut terminate = signal(SignalKind::terminate()).context("SIGTERM cannot be listened for")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("SIGINT cannot be listened for")?;
    Ok(tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        stop.cancel();
    }))
}

/// REST and gRPC on two ports, or both on one. The first is the one that speaks HTTP.
async fn listen(config: &Config, gate: &Arc<Gate>) -> Result<Vec<Server>> {
    let at = |port| SocketAddr::new(config.listen.address, port);
    let rest = tessera_api::rest::router(Arc::clone(gate), config.bounds.body);
    let grpc =
        tessera_api::grpc::router(Arc::clone(gate), config.bounds.grpc_receive, config.bounds.grpc_send);
    let (http_port, grpc_port) = (config.listen.http, config.listen.grpc);
    if http_port == grpc_port && http_port != 0 {
        return Ok(vec![Server::bind(at(http_port), both(rest, grpc)).await?]);
    }
    Ok(vec![Server::bind(at(http_port), rest).await?, Server::bind(at(grpc_port), grpc).await?])
}

/// Both on one port: what says that it is gRPC goes there, and all else is REST.
fn both(rest: Router, grpc: Router) -> Router {
    use tower::ServiceExt as _;
    Router::new().fallback(move |request: axum::extract::Request| {
        let kind = request.headers().get(axum::http::header::CONTENT_TYPE);
        let is_grpc = kind.is_some_and(|kind| kind.as_bytes().starts_with(b"application/grpc"));
        let router = if is_grpc { grpc.clone() } else { rest.clone() };
        async move { router.oneshot(request).await }
    })
}

fn announce(servers: &[Server], first_key: Option<&str>) -> Result<()> {
    let addresses = servers.iter().map(Server::address).collect::<Result<Vec<_>>>()?;
    let (Some(http), Some(grpc)) = (addresses.first(), addresses.last()) else { return Ok(()) };
    tracing::info!(%http, %grpc, "ready");
    let mut text = format!(
        "Tessera is ready.\n  REST  http://{http}   (reference: http://{http}/docs)\n  gRPC  {grpc}\n"
    );
    if let Some(key) = first_key {
        text.push_str(&format!(
            "\nThe admin key of the tenant \"default\", shown this once:\n  export TESSERA_KEY={key}\n"
        ));
    }
    let key = "-H \"Authorization: Bearer $TESSERA_KEY\"";
    text.push_str(&format!(
        "\nTry:\n  curl -s http://{http}/v1/me {key}\n  \
         curl -s http://{http}/v1/projects {key} -H 'Content-Type: application/json' -d '{{\"name\": \"First\"}}'\n  \
         grpcurl -plaintext {key} {grpc} project.v1.ProjectService/ListProjects\n\n"
    ));
    say(&text)
}
