//! The configuration: read once, from an injected source, and checked whole before anything starts.

mod read;
mod settings;
mod source;

#[cfg(test)]
mod tests;

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use tessera_core::outbox::audit::Retention;
use tessera_core::plugin::CallLimits;
use tessera_store::StoreConfig;

pub(crate) use settings::{SETTINGS, Standing};
pub(crate) use source::Said;

/// A setting's fault, and what would be right.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Fault {
    /// The setting.
    pub(crate) key: String,
    /// What is wrong with it: goes on after the name.
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

/// What runs where, and how.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    /// Where to listen.
    pub(crate) listen: Listen,
    /// The store.
    pub(crate) store: StoreConfig,
    /// The folder of what the host keeps; none: it keeps nothing.
    pub(crate) data: PathBuf,
    /// Whether what the host makes may be kept in the data folder.
    pub(crate) keeps_files: bool,
    /// The host's secret, if somebody gave it.
    pub(crate) secret: Option<Hidden>,
    /// The first key, if somebody gave it.
    pub(crate) bootstrap_key: Option<Hidden>,
    /// The cache's bound.
    pub(crate) cache_entries: u64,
    /// What is logged.
    pub(crate) logs: Logs,
    /// The examples, if they are asked for.
    pub(crate) demo: Option<Demo>,
    /// How long facts are kept.
    pub(crate) retention: Retention,
    /// Bounds of requests.
    pub(crate) bounds: Bounds,
    /// Bounds of plugins.
    pub(crate) plugins: PluginBounds,
}

/// Where to listen.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Listen {
    /// The address.
    pub(crate) address: IpAddr,
    /// The port of gRPC.
    pub(crate) grpc: u16,
    /// The port of REST.
    pub(crate) http: u16,
}

/// What is logged, and how.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Logs {
    /// The least important that is logged.
    pub(crate) level: tracing::Level,
    /// Whether for people; none: if they look.
    pub(crate) pretty: Option<bool>,
}

/// Examples for an empty host.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Demo {
    /// How many users.
    pub(crate) users: u32,
    /// How many projects.
    pub(crate) projects: u32,
    /// Whether there are issues.
    pub(crate) relationships: bool,
}

/// Bounds of plugins and of compiling them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PluginBounds {
    /// The largest component.
    pub(crate) component: u64,
    /// What holds a call.
    pub(crate) call: CallLimits,
    /// The most calls at once.
    pub(crate) calls: u32,
    /// What one tenant may have of them, in hundredths.
    pub(crate) tenant_percent: u32,
    /// How long a compilation may take.
    pub(crate) compile_time: Duration,
    /// How much memory it may take.
    pub(crate) compile_memory: u64,
}

/// Bounds of requests and connections.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// How long a request may take.
    pub(crate) request: Duration,
    /// How long those in flight may take at the end.
    pub(crate) shutdown: Duration,
    /// The largest body.
    pub(crate) body: usize,
    /// The most connections.
    pub(crate) connections: usize,
    /// The largest message received.
    pub(crate) grpc_receive: usize,
    /// The largest message sent.
    pub(crate) grpc_send: usize,
    /// How often idle connections are asked for a sign of life.
    pub(crate) keepalive: Duration,
    /// How long that may take.
    pub(crate) keepalive_timeout: Duration,
}

/// Text that is never printed.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Hidden(pub String);

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(hidden)")
    }
}
