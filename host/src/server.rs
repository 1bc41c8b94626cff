//! The accept loop: connections with time-outs, a bound on their number, and an orderly end.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use axum::Router;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::Bounds;
use crate::impatient::Impatient;

/// How long a client may take to send the head of a request, and to begin its first one.
const HEAD: Duration = Duration::from_secs(10);

/// What listens, and what it answers with.
pub(crate) struct Server {
    listener: TcpListener,
    router: Router,
}

impl Server {
    /// Listens at an address.
    pub(crate) async fn bind(address: SocketAddr, router: Router) -> Result<Self> {
        let listener =
            TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}"))?;
        Ok(Self { listener, router })
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> Result<SocketAddr> {
        Ok(self.listener.local_addr()?)
    }

    /// Accepts connections until `stop`; then those that are open finish what they have begun.
    pub(crate) async fn serve(
        self,
        bounds: Bounds,
        places: Arc<Semaphore>,
        stop: CancellationToken,
        open: TaskTracker,
    ) {
        loop {
            let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
            let accepted = tokio::select! {
                () = stop.cancelled() => return,
                accepted = self.listener.accept() => accepted,
            };
            let stream = match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    // Out of descriptors, most likely: give connections time to end.
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            };
            let (router, stop) = (self.router.clone(), stop.clone());
            open.spawn(async move {
                converse(stream, router, bounds, stop).await;
                drop(place);
            });
        }
    }
}

async fn converse(stream: TcpStream, router: Router, bounds: Bounds, stop: CancellationToken) {
    // Small answers must not wait for more of them.
    let speaks = tokio::select! {
        speaks = speaks_in_time(&stream) => speaks,
        () = stop.cancelled() => false,
    };
    if stream.set_nodelay(true).is_err() || !speaks {
        return;
    }
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(bounds.keepalive)
        .keep_alive_timeout(bounds.keepalive_timeout)
        .max_concurrent_streams(256)
        .max_header_list_size(64 * 1024);
    let service = TowerToHyperService::new(router);
    let stream = Impatient::new(stream);
    let connection = builder.serve_connection_with_upgrades(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection broke");
    }
}

/// Whether the client says anything at all in time: before the protocol is known, no other timer runs.
async fn speaks_in_time(stream: &TcpStream) -> bool {
    let mut byte = [0_u8; 1];
    matches!(tokio::time::timeout(HEAD, stream.peek(&mut byte)).await, Ok(Ok(1)))
}
