//! The configuration: collected once, parsed and validated as a whole before anything starts.

mod parse;
mod settings;
mod sources;

#[cfg(test)]
mod tests;

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use tessera_core::outbox::audit::Retention;
use tessera_core::plugin::CallLimits;
use tessera_core::pricing::PricingSettings;
use tessera_store::StoreConfig;

pub(crate) use settings::{SETTINGS, Status};
pub(crate) use sources::Sources;

/// A fault of a setting.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Fault {
    /// The name of the setting.
    pub(crate) key: String,
    /// The fault and the accepted values. Continues a sentence that begins with the name.
    pub(crate) message: String,
}

impl Fault {
    fn new(key: &str, message: impl Into<String>) -> Self {
        Self { key: key.to_owned(), message: message.into() }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.key, self.message)
    }
}

/// The configuration of a host.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    /// Address and ports.
    pub(crate) listen: Listen,
    /// The store.
    pub(crate) store: StoreConfig,
    /// The data folder.
    pub(crate) data: PathBuf,
    /// Whether the host writes files to the data folder. False for the in-memory store.
    pub(crate) uses_data_dir: bool,
    /// The host's secret, if it is configured.
    pub(crate) secret: Option<Redacted>,
    /// The file of the host's secret, if one is configured.
    pub(crate) secret_file: Option<PathBuf>,
    /// The first API key, if it is configured.
    pub(crate) bootstrap_key: Option<Redacted>,
    /// Limit of cache entries.
    pub(crate) cache_entries: u64,
    /// Logging.
    pub(crate) logs: Logs,
    /// Example data for an empty host, if it is enabled.
    pub(crate) demo: Option<Demo>,
    /// Retention of facts.
    pub(crate) retention: Retention,
    /// Limits of requests and connections.
    pub(crate) bounds: Bounds,
    /// Limits of plugins.
    pub(crate) plugins: PluginBounds,
    /// How prices are made.
    pub(crate) pricing: PricingSettings,
    /// How old displayed prices may be; zero if each request computes them.
    pub(crate) price_interval: Duration,
    /// Limit of the size of all components of a tenant in bytes.
    pub(crate) tenant_components: u64,
    /// Limit of the time for which a start waits for compilations.
    pub(crate) preload: Duration,
    /// Environment variables that are no settings, but whose names are close to one.
    pub(crate) hints: Vec<Fault>,
}

/// Address and ports to listen on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Listen {
    /// Address of both listeners.
    pub(crate) address: IpAddr,
    /// Port of gRPC.
    pub(crate) grpc: u16,
    /// Port of REST.
    pub(crate) http: u16,
}

/// Level and format of the log.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Logs {
    /// The lowest level that is logged.
    pub(crate) level: tracing::Level,
    /// Whether the log is text rather than JSON. `None` decides by whether standard error is a terminal.
    pub(crate) pretty: Option<bool>,
}

/// Example data for an empty host.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Demo {
    /// Number of users.
    pub(crate) users: u32,
    /// Number of projects.
    pub(crate) projects: u32,
    /// Whether to create assigned issues.
    pub(crate) relationships: bool,
}

/// Limits of plugin calls and of compilation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PluginBounds {
    /// Limit of a component's size in bytes.
    pub(crate) component: u64,
    /// Limits of one call.
    pub(crate) call: CallLimits,
    /// Limit of concurrent calls.
    pub(crate) calls: u32,
    /// Share of the concurrent calls that one tenant may use, in percent.
    pub(crate) tenant_percent: u32,
    /// Limit of a compilation's time.
    pub(crate) compile_time: Duration,
    /// Limit of a compilation's memory in bytes.
    pub(crate) compile_memory: u64,
    /// Limit of concurrent compilations.
    pub(crate) compilations: usize,
}

/// Limits of requests and connections.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// Limit of a request's time.
    pub(crate) request: Duration,
    /// Limit of time that a part of a response waits for the client.
    pub(crate) response_read: Duration,
    /// Limit of time for requests in flight at shutdown.
    pub(crate) shutdown: Duration,
    /// Limit of a REST body in bytes.
    pub(crate) body: usize,
    /// Limit of connections.
    pub(crate) connections: usize,
    /// Limit of connections from one address.
    pub(crate) address_connections: usize,
    /// Limit of a received gRPC message in bytes.
    pub(crate) grpc_receive: usize,
    /// Limit of a sent gRPC message in bytes.
    pub(crate) grpc_send: usize,
    /// Interval of HTTP/2 keepalive pings.
    pub(crate) keepalive: Duration,
    /// Limit of time for the answer to a ping.
    pub(crate) keepalive_timeout: Duration,
}

/// Text that `Debug` does not print.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Redacted(pub String);

impl fmt::Debug for Redacted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(hidden)")
    }
}
