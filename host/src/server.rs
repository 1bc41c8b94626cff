//! The accept loop: connections with time-outs, a bound on their number, and an orderly end.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use axum::Router;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::Bounds;
use crate::impatient::Impatient;

/// How long a client may take to send the head of a request.
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
            let accepted = tokio::select! {
                biased;
                () = stop.cancelled() => return,
                accepted = self.listener.accept() => accepted,
            };
            let stream = match accepted {
                // Small answers must not wait for more of them; a stream that refuses this is gone already.
                Ok((stream, _)) if stream.set_nodelay(true).is_err() => continue,
                Ok((stream, _)) => stream,
                Err(error) => {
                    // Out of descriptors, most likely: give connections time to end.
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            };
            // A place is taken with a connection in hand: a port that nobody calls keeps none.
            let place = tokio::select! {
                biased;
                () = stop.cancelled() => return,
                place = Arc::clone(&places).acquire_owned() => place,
            };
            let Ok(place) = place else { return };
            // What is upgraded outlives its task here, and goes on counting until it is closed.
            let stream = Impatient::new(stream, (place, open.token()));
            open.spawn(converse(stream, self.router.clone(), bounds, stop.clone()));
        }
    }
}

async fn converse<K>(stream: Impatient<K>, router: Router, bounds: Bounds, stop: CancellationToken)
where
    K: Unpin + Send + 'static,
{
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
