//! Builds the application from the configuration: the store, the cache, the plugin sandbox and the services.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use tessera_backends::cache::Memory;
use tessera_core::plugin::ComponentLimits;
use tessera_core::secret::SecretKey;
use tessera_core::{App, Limits};
use tessera_sandbox::{PoolSize, Sandbox, SandboxConfig};

use crate::cli::COMPILE;
use crate::config::{Config, PluginBounds};

/// Time to live of cache entries that no fact invalidates earlier.
const CACHE_TTL: Duration = Duration::from_secs(300);

/// How many releases without an installation stay loaded, for dry runs and roll-backs.
const IDLE_RELEASES: usize = 16;

/// Opens the store and builds the services.
pub(crate) async fn app(config: &Config, secret: &SecretKey, host: &str) -> Result<App> {
    let store =
        tessera_store::open(config.store.clone(), host).await.context("the store cannot be opened")?;
    let cache = Arc::new(Memory::new(config.cache_entries, CACHE_TTL));
    let folder = config.uses_data_dir.then(|| config.data.join("plugins"));
    let plugins = Arc::new(sandbox(&config.plugins, folder, secret.derive("machine code"))?);
    let components =
        ComponentLimits { component: config.plugins.component, tenant: config.tenant_components };
    let limits = Limits {
        retention: config.retention,
        components,
        pricing: config.pricing,
        price_interval: config.price_interval,
    };
    Ok(App::new(store, cache, plugins, secret, limits).await?)
}

/// Builds a sandbox with these limits. Machine code is cached in the folder if there is one.
pub(crate) fn sandbox(bounds: &PluginBounds, folder: Option<PathBuf>, key: [u8; 32]) -> Result<Sandbox> {
    let program = std::env::current_exe().context("the path of the host's own executable cannot be found")?;
    let config = SandboxConfig {
        cache: folder,
        cache_key: key,
        limits: bounds.call,
        max_component: bounds.component,
        compile_time: bounds.compile_time,
        compile_memory: bounds.compile_memory,
        compilations: bounds.compilations,
        compiler: (program, vec![COMPILE.into()]),
        pool: PoolSize::for_calls(bounds.calls, bounds.call.memory),
        idle_releases: IDLE_RELEASES,
        tenant_share: bounds.tenant_percent,
    };
    Sandbox::new(config).context("the plugin sandbox cannot be created")
}
