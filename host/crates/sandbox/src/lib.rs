//! Runs plugins: WebAssembly components, each call in a fresh instance, within limits.
//!
//! What plugins are asked, and what becomes of their answers, is the core's; this crate knows of wasmtime,
//! and nothing of stores, transports or the business.

mod bindings;
mod cache;
mod call;
mod check;
mod compile;
mod config;
mod engine;
mod lanes;
mod manifest;
mod pool;
mod schema;
mod shelf;
mod signature;
mod size;
mod state;
#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use sha2::{Digest as _, Sha256};
use tessera_core::id::TenantId;
use tessera_core::plugin::{
    Admitted, Ask, Call, CallLimits, Digest, Failure, FailureReason, Manifest, Outcome, Reply,
};
use tessera_core::ports::Plugins;
use tessera_core::{Error, ErrorKind, Result, Violation};
use wasmtime::Engine;
use wasmtime::component::{Component, Linker};

use crate::bindings::Contract;
use crate::cache::Cache;
use crate::call::{Ready, unsaid};
use crate::engine::Ticker;
use crate::lanes::Lanes;
use crate::pool::Pool;
use crate::shelf::Shelf;
use crate::state::Guest;

pub use check::{Inspection, inspect};
pub use compile::compile_child;
pub use config::{PoolSize, SandboxConfig};

/// How long each call at an upload may wait and run.
const DESCRIBE: Duration = Duration::from_secs(10);

/// The longest that compiling and evaluating a schema may wait and run.
const SCHEMA_TIME: Duration = Duration::from_secs(5);

/// Why a schema was not evaluated.
const SCHEMA_BUSY: &str = "too many schemas of the tenant's plugins are being checked";

/// Why a call that found no place in time did not begin.
const BUSY: &str = "too many calls of the tenant's plugins are running";

/// Runs the plugins of a host.
pub struct Sandbox {
    config: SandboxConfig,
    engine: Engine,
    linker: Linker<Guest>,
    cache: Option<Cache>,
    pool: Arc<Pool>,
    ticker: Ticker,
    lanes: Lanes,
    ready: Shelf<Ready>,
    /// Who compiles which release right now: one for each, however many ask.
    compiling: Mutex<HashMap<Digest, Arc<tokio::sync::Mutex<()>>>>,
}

impl Sandbox {
    /// The sandbox of a host.
    pub fn new(config: SandboxConfig) -> Result<Self> {
        let engine = engine::engine(Some(&config.pool))?;
        let cache = config
            .cache
            .as_deref()
            .map(|folder| Cache::open(folder, config.cache_key, &engine))
            .transpose()?;
        let mut linker = Linker::new(&engine);
        bindings::link(&mut linker).map_err(internal)?;
        let pool = Pool::new(&config.pool, config.tenant_share);
        let ticker = Ticker::start(&engine)?;
        Ok(Self {
            ready: Shelf::new(config.idle_releases),
            config,
            engine,
            linker,
            cache,
            pool,
            ticker,
            lanes: Lanes::new()?,
            compiling: Mutex::default(),
        })
    }

    /// Makes a release ready, once however many ask; what it runs for this is the tenant's who asks first.
    async fn make_ready(&self, tenant: TenantId, digest: Digest, component: &[u8]) -> Result<Arc<Ready>> {
        let turn = {
            let mut compiling = self.compiling.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(compiling.entry(digest).or_default())
        };
        let made = {
            let _turn = turn.lock().await;
            match self.ready.get(digest) {
                Some(ready) => Ok(ready),
                None => self.make(tenant, digest, component).await,
            }
        };
        let mut compiling = self.compiling.lock().unwrap_or_else(PoisonError::into_inner);
        // The map holds one, and this holds one: nobody else waits for its turn.
        if Arc::strong_count(&turn) <= 2 {
            compiling.remove(&digest);
        }
        made
    }

    async fn make(&self, tenant: TenantId, digest: Digest, bytes: &[u8]) -> Result<Arc<Ready>> {
        let inspection = inspect(bytes)?;
        let found = check::names(&inspection)?;
        let component = self.compiled(digest, bytes).await?;
        let footprint = check::footprint(&component, &inspection);
        if let Some(beyond) = self.pool.beyond_share(footprint) {
            let message = format!("an instance of the component {beyond}");
            return Err(Error::new(ErrorKind::TooLarge, "COMPONENT_TOO_LARGE", message));
        }
        let pre = self.linker.instantiate_pre(&component).map_err(|error| misfit(&error))?;
        let ready = Ready::new(pre, found.contract, footprint).map_err(|error| misfit(&error))?;
        let ready = Arc::new(ready);
        self.fits(tenant, &ready, &component, found.contract).await?;
        self.ready.put(digest, Arc::clone(&ready));
        Ok(ready)
    }

    /// Refuses exports of the wrong types, with what was expected and what is there.
    async fn fits(
        &self,
        tenant: TenantId,
        ready: &Arc<Ready>,
        component: &Component,
        contract: Contract,
    ) -> Result<()> {
        let deadline = Instant::now() + DESCRIBE;
        let Some(_place) = self.pool.enter(tenant, ready.footprint, deadline).await else {
            return Err(Error::unavailable(BUSY, Duration::from_secs(1)));
        };
        let _ticking = self.ticker.enter();
        let bounds = (tenant, self.config.limits, deadline);
        match Arc::clone(ready).check(&self.engine, &self.lanes, bounds).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err((name, expected))) => {
                let interface = contract.interface(name);
                let found = signature::found(&self.engine, component, &interface);
                let message =
                    format!("{interface} does not fit the contract; expected {expected}; found {found}");
                Err(Error::new(ErrorKind::Invalid, "COMPONENT_EXPORTS", message))
            }
            Err(Failure { reason, message, .. }) => {
                let message = format!("the component cannot be begun: {message}");
                Err(Error::new(ErrorKind::Invalid, reason.name(), message))
            }
        }
    }

    /// The machine code of a release: kept from before, or made now.
    async fn compiled(&self, digest: Digest, bytes: &[u8]) -> Result<Component> {
        let mut cache = self.cache.as_ref();
        match cache.map_or(Ok(None), |cache| cache.load(&self.engine, digest)) {
            Ok(Some(kept)) => return Ok(kept),
            Ok(None) => {}
            Err(error) => {
                tracing::warn!(?error, release = %digest, "machine code that is kept cannot be loaded; it is made for this time");
                cache = None;
            }
        }
        let code = compile::compile(&self.config, bytes).await?;
        let kept = cache.map_or(Ok(None), |cache| {
            cache.keep(digest, &code)?;
            cache.load(&self.engine, digest)
        });
        match kept {
            Ok(Some(kept)) => return Ok(kept),
            Ok(None) => {}
            Err(error) => tracing::warn!(?error, release = %digest, "machine code cannot be kept"),
        }
        cache::load_fresh(&self.engine, &code)
    }

    async fn describe(&self, tenant: TenantId, digest: Digest, ready: &Arc<Ready>) -> Result<Manifest> {
        let call = Call {
            tenant,
            release: digest,
            settings: "".into(),
            limits: self.config.limits,
            deadline: Instant::now() + DESCRIBE,
            lookup: None,
            ask: Ask::Describe,
        };
        match self.run(ready, call).await.reply {
            Ok(Reply::Manifest(manifest)) => Ok(manifest),
            Ok(_) => Err(Error::internal(anyhow::anyhow!("an answer to another question"))),
            Err(Failure { reason: FailureReason::Busy | FailureReason::Late, message, .. }) => {
                Err(Error::unavailable(message, Duration::from_secs(1)))
            }
            Err(Failure { reason, message, backtrace }) => {
                let mut told = format!("the component cannot describe itself: {message}");
                if let Some(at) = backtrace.first() {
                    told.push_str(&format!(" (in {at})"));
                }
                Err(Error::new(ErrorKind::Invalid, reason.name(), told))
            }
        }
    }

    /// Compiles or evaluates a schema away from the threads of requests, within the tenant's places.
    async fn check_schema<T: Send + 'static>(
        &self,
        tenant: TenantId,
        work: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let deadline = Instant::now() + SCHEMA_TIME;
        let done = self.lanes.run_blocking(tenant, deadline, work).await;
        done.unwrap_or_else(|| Err(Error::unavailable(SCHEMA_BUSY, Duration::from_secs(1))))
    }

    async fn run(&self, ready: &Arc<Ready>, mut call: Call) -> Outcome {
        let Some(_place) = self.pool.enter(call.tenant, ready.footprint, call.deadline).await else {
            return unsaid(FailureReason::Busy, BUSY.to_owned());
        };
        if matches!(call.ask, Ask::Describe | Ask::Quote(..)) {
            call.lookup = None;
        }
        let _ticking = self.ticker.enter();
        Arc::clone(ready).call(&self.engine, &self.lanes, call).await
    }
}

#[async_trait]
impl Plugins for Sandbox {
    async fn admit(&self, tenant: TenantId, component: Arc<[u8]>) -> Result<Admitted> {
        let size = component.len() as u64;
        if size > self.config.max_component {
            let most = self.config.max_component;
            let message = format!("the component has {size} bytes; this host takes {most}");
            return Err(Error::new(ErrorKind::TooLarge, "TOO_LARGE", message));
        }
        let found = check::names(&inspect(&component)?)?;
        let digest = Digest(Sha256::digest(&component).into());
        let known = self.is_ready(digest);
        let ready = self.make_ready(tenant, digest, &component).await?;
        let admitted = async {
            let manifest = self.describe(tenant, digest, &ready).await?;
            let manifest =
                self.check_schema(tenant, || manifest::check(&manifest).map(|()| manifest)).await?;
            let footprint = ready.footprint;
            let contract = found.contract.name().to_owned();
            Ok(Admitted { digest, contract, hooks: found.hooks, manifest, footprint })
        };
        let admitted: Result<_> = admitted.await;
        // One that was ready before may be at work for somebody else; and one that could not be asked is not refused.
        let refused = admitted.as_ref().is_err_and(|error| error.kind() != ErrorKind::Unavailable);
        if refused && !known {
            self.forget(digest);
        }
        admitted
    }

    async fn prepare(&self, tenant: Option<TenantId>, digest: Digest, component: Arc<[u8]>) -> Result<()> {
        // The host's own is counted as that of a tenant who has nothing else.
        let tenant = tenant.unwrap_or_else(TenantId::generate);
        self.make_ready(tenant, digest, &component).await.map(drop)
    }

    fn is_ready(&self, digest: Digest) -> bool {
        self.ready.get(digest).is_some()
    }

    fn forget(&self, digest: Digest) {
        self.ready.take(digest);
        if let Some(cache) = &self.cache {
            cache.forget(digest);
        }
    }

    fn forget_idle(&self, installed: &BTreeSet<Digest>) {
        for release in self.ready.take_idle(installed) {
            tracing::debug!(%release, "a release that is not installed is not kept ready any longer");
        }
    }

    async fn call(&self, call: Call) -> Outcome {
        match self.ready.get(call.release) {
            Some(ready) => self.run(&ready, call).await,
            None => unsaid(FailureReason::Host, "the release is not ready on this host".to_owned()),
        }
    }

    async fn schema_violations(
        &self,
        tenant: TenantId,
        schema: &str,
        json: &str,
        field: &str,
    ) -> Result<Vec<Violation>> {
        let (schema, json, field) = (schema.to_owned(), json.to_owned(), field.to_owned());
        self.check_schema(tenant, move || schema::violations(&schema, &json, &field)).await
    }

    fn limits(&self) -> CallLimits {
        self.config.limits
    }
}

fn internal(error: wasmtime::Error) -> Error {
    Error::internal(anyhow::Error::from(error))
}

/// The component's imports or exports are not of the contract's types.
fn misfit(error: &wasmtime::Error) -> Error {
    let message = format!("the component does not fit the contract: {error:#}");
    Error::new(ErrorKind::Invalid, "COMPONENT_EXPORTS", message)
}
