//! The one place that names both sides: which store, which cache, what runs plugins.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use tessera_backends::cache::Memory;
use tessera_core::secret::SecretKey;
use tessera_core::{App, Limits};
use tessera_sandbox::{PoolSize, Sandbox, SandboxConfig};

use crate::cli::COMPILE;
use crate::config::{Config, PluginBounds};

/// How long an entry stays in the cache when no fact ends it before.
const CACHE_LIFETIME: Duration = Duration::from_secs(300);

/// How many plugin releases stay ready that are not installed: for an author's next try, and a roll-back.
const IDLE_RELEASES: usize = 16;

/// Opens the store and puts the services together.
pub(crate) async fn app(config: &Config, secret: &SecretKey, host: &str) -> Result<App> {
    let store =
        tessera_store::open(config.store.clone(), host).await.context("the store cannot be opened")?;
    let cache = Arc::new(Memory::new(config.cache_entries, CACHE_LIFETIME));
    let folder = config.keeps_files.then(|| config.data.join("plugins"));
    let plugins = Arc::new(sandbox(&config.plugins, folder, secret.derive("machine code"))?);
    let limits = Limits { retention: config.retention, max_component: config.plugins.component };
    Ok(App::new(store, cache, plugins, secret, limits).await?)
}

/// A sandbox within these bounds; machine code is kept in the folder, if there is one.
pub(crate) fn sandbox(bounds: &PluginBounds, folder: Option<PathBuf>, key: [u8; 32]) -> Result<Sandbox> {
    let program = std::env::current_exe().context("the host does not find its own program")?;
    let config = SandboxConfig {
        cache: folder,
        cache_key: key,
        limits: bounds.call,
        max_component: bounds.component,
        compile_time: bounds.compile_time,
        compile_memory: bounds.compile_memory,
        compiler: (program, vec![COMPILE.into()]),
        pool: PoolSize::for_calls(bounds.calls, bounds.call.memory),
        idle_releases: IDLE_RELEASES,
        tenant_share: bounds.tenant_percent,
    };
    Sandbox::new(config).context("the sandbox for plugins cannot be made")
}
