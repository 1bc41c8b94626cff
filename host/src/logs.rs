//! Logging to standard error: text on a terminal, JSON otherwise.
//!
//! Never logged: secrets and keys, bodies and headers, query strings, e-mail addresses and names of people.
//! Identifiers are fields.

use std::io::IsTerminal as _;

use anyhow::{Result, anyhow};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::config::Logs;

/// Installs the subscriber.
pub(crate) fn init(logs: Logs) -> Result<()> {
    let level = LevelFilter::from_level(logs.level);
    // Libraries log much below warnings that does not help to operate a host.
    let targets = Targets::new().with_default(level.min(LevelFilter::WARN)).with_targets(
        ["tessera", "tessera_api", "tessera_core", "tessera_sandbox", "tessera_store", "tessera_backends"]
            .map(|t| (t, level)),
    );
    let registry = tracing_subscriber::registry().with(targets);
    let pretty = logs.pretty.unwrap_or_else(|| std::io::stderr().is_terminal());
    let installed = if pretty {
        registry.with(tracing_subscriber::fmt::layer().with_writer(std::io::stderr)).try_init()
    } else {
        let layer = tracing_subscriber::fmt::layer().json().flatten_event(true).with_writer(std::io::stderr);
        registry.with(layer).try_init()
    };
    installed.map_err(|error| anyhow!("the log cannot be started: {error}"))
}
