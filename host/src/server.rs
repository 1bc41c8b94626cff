//! The accept loop: limits of connections in all and for each address, timeouts, and a graceful shutdown.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use axum::Router;
use axum::extract::Request;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use tessera_api::connection::{Connection, OpenConnections};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;

use crate::config::Bounds;
use crate::timeout_stream::TimeoutStream;

/// Limit of time for the head of an HTTP/1 request.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);

/// Limit of a request's head, and of an HTTP/1 connection's buffer for reading.
const MAX_HEAD: u32 = 16 * 1024;

/// Limits of received bytes of HTTP/2 bodies that no handler has read yet: of a stream, and of its connection.
const STREAM_WINDOW: u32 = 64 * 1024;
const CONNECTION_WINDOW: u32 = 128 * 1024;

/// A listener with the routes that it serves.
pub(crate) struct Server {
    listener: TcpListener,
    router: Router,
}

/// The slots for connections, which all listeners share.
#[derive(Clone)]
pub(crate) struct ConnectionSlots {
    all: Arc<Semaphore>,
    of_addresses: OpenConnections,
}

impl ConnectionSlots {
    /// Creates free slots.
    pub(crate) fn new(bounds: Bounds) -> Self {
        Self {
            all: Arc::new(Semaphore::new(bounds.connections)),
            of_addresses: OpenConnections::new(bounds.address_connections),
        }
    }
}

impl Server {
    /// Listens on an address.
    pub(crate) async fn bind(address: SocketAddr, router: Router) -> Result<Self> {
        let listener =
            TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}"))?;
        Ok(Self { listener, router })
    }

    /// Returns the address of the listener.
    pub(crate) fn address(&self) -> Result<SocketAddr> {
        Ok(self.listener.local_addr()?)
    }

    /// Accepts connections until `stop`. Open connections then finish the requests that are in flight.
    pub(crate) async fn serve(
        self,
        bounds: Bounds,
        slots: ConnectionSlots,
        stop: CancellationToken,
        open: TaskTracker,
    ) {
        loop {
            let accepted = tokio::select! {
                biased;
                () = stop.cancelled() => return,
                accepted = self.listener.accept() => accepted,
            };
            let (stream, address) = match accepted {
                // Small responses must not wait for more data. The option fails only on a stream that is closed already.
                Ok((stream, _)) if stream.set_nodelay(true).is_err() => continue,
                Ok(accepted) => accepted,
                Err(error) => {
                    // Most likely no file descriptor is left: wait for connections to close.
                    tracing::warn!(%error, "connection cannot be accepted");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            };
            let client = Connection::new(address.ip());
            let Some(of_address) = slots.of_addresses.enter(&client) else {
                tracing::debug!("connection closed: its address has too many");
                continue;
            };
            // Taken after a connection was accepted: an idle listener must not keep a slot from the other one.
            let slot = tokio::select! {
                biased;
                () = stop.cancelled() => return,
                slot = Arc::clone(&slots.all).acquire_owned() => slot,
            };
            let Ok(slot) = slot else { return };
            // An upgraded connection outlives its task. It keeps its slots and is waited for until it is closed.
            let stream = TimeoutStream::new(stream, (slot, of_address, open.token()));
            open.spawn(serve_connection((stream, client), self.router.clone(), bounds, stop.clone()));
        }
    }
}

async fn serve_connection<G>(
    (stream, client): (TimeoutStream<G>, Arc<Connection>),
    router: Router,
    bounds: Bounds,
    stop: CancellationToken,
) where
    G: Unpin + Send + 'static,
{
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_buf_size(MAX_HEAD as usize);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(bounds.keepalive)
        .keep_alive_timeout(bounds.keepalive_timeout)
        .max_concurrent_streams(256)
        .max_header_list_size(MAX_HEAD)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW);
    let service = TowerToHyperService::new(router.map_request({
        let client = Arc::clone(&client);
        move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(Arc::clone(&client));
            request
        }
    }));
    let connection = builder.serve_connection_with_upgrades(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let result = async {
        tokio::select! {
            result = connection.as_mut() => return result,
            () = stop.cancelled() => connection.as_mut().graceful_shutdown(),
        }
        connection.as_mut().await
    };
    tokio::select! {
        result = result => {
            if let Err(error) = result {
                tracing::debug!(%error, "connection failed");
            }
        }
        () = client.stalled(bounds.response_read) => {
            tracing::debug!("connection closed: the client does not read");
        }
    }
}
