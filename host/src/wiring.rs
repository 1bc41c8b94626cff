//! The one place that names both sides: which store, which cache, which transports.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use tessera_backends::cache::Memory;
use tessera_core::secret::SecretKey;
use tessera_core::{App, Limits};

use crate::config::Config;

/// How long an entry stays in the cache when no fact ends it before.
const CACHE_LIFETIME: Duration = Duration::from_secs(300);

/// Opens the store and puts the services together.
pub(crate) async fn app(config: &Config, secret: &SecretKey, host: &str) -> Result<App> {
    let store =
        tessera_store::open(config.store.clone(), host).await.context("the store cannot be opened")?;
    let cache = Arc::new(Memory::new(config.cache_entries, CACHE_LIFETIME));
    let limits = Limits { retention: config.retention };
    Ok(App::new(store, cache, secret, limits).await?)
}
