//! The sandbox of a host: admits uploaded components, keeps releases ready, and calls them.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use sha2::{Digest as _, Sha256};
use tessera_core::fair::{FairLimiter, Permits, WaitingLimits};
use tessera_core::id::TenantId;
use tessera_core::plugin::{
    AdmittedComponent, Call, CallLimits, Digest, Failure, FailureReason, Footprint, Manifest, Outcome,
    PluginRequest, Reply,
};
use tessera_core::ports::{AdmissionGuard, ComponentSource, Plugins};
use tessera_core::{Error, ErrorKind, Result, Violation};
use wasmtime::Engine;
use wasmtime::component::{Component, Linker};

use crate::call_state::CallState;
use crate::code_cache::{CodeCache, MachineCode, StagedCode};
use crate::config::SandboxConfig;
use crate::contract::{Contract, TypeMismatch};
use crate::engine::new_engine;
use crate::epoch_ticker::EpochTicker;
use crate::failure::not_begun;
use crate::inspection::inspect;
use crate::pool::Pool;
use crate::release::LoadedRelease;
use crate::release_cache::ReleaseCache;
use crate::requirements::{Requirements, too_large};
use crate::scheduler::Scheduler;
use crate::{bindings, compiler, component_check, manifest_check, schema, signature};

/// The longest that each call at an upload may wait and run.
const ADMISSION_TIME: Duration = Duration::from_secs(10);

/// The longest that compiling and evaluating a schema may wait and run.
const SCHEMA_TIME: Duration = Duration::from_secs(5);

/// After how long a caller that was refused for want of a place may try again.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// The `Retry-After` of an upload that got no turn to compile.
const COMPILE_RETRY_AFTER: Duration = Duration::from_secs(5);

/// The message of an upload that got no turn to compile.
const COMPILERS_BUSY: &str = "too many components are being compiled; try again later";

/// Compilations that wait: 32 of a tenant.
const WAITING_COMPILATIONS: WaitingLimits = WaitingLimits { tenants: 64, host: 0, message: COMPILERS_BUSY };

/// Why a call was refused for want of a place.
const CALLS_BUSY: &str = "too many calls of the tenant's plugins are running";

/// Why a schema was not checked.
const SCHEMAS_BUSY: &str = "too many schemas of the tenant's plugins are being checked";

/// Limits compilations for uploads, first calls and preparations: one at a time of each tenant, tenants in turn.
fn compile_limiter(limit: usize) -> Arc<FairLimiter> {
    FairLimiter::new(Permits { shared: limit.max(1), tenant: 1, host: 0 }, WAITING_COMPILATIONS)
}

/// Runs the plugins of a host.
pub struct Sandbox {
    config: SandboxConfig,
    engine: Engine,
    linker: Linker<CallState>,
    code_cache: Option<CodeCache>,
    pub(crate) pool: Arc<Pool>,
    ticker: EpochTicker,
    pub(crate) scheduler: Scheduler,
    releases: ReleaseCache<LoadedRelease>,
    compilations: Arc<FairLimiter>,
    /// A lock for each release that is being loaded, so that it is compiled once. It is held during the wait for a turn
    /// to compile, which delays only callers of the same release.
    loading: Mutex<HashMap<Digest, Arc<tokio::sync::Mutex<()>>>>,
    /// Uploaded releases that are not stored yet, with their machine code if it is not in the cache.
    staged_uploads: Mutex<HashMap<Digest, Option<StagedCode>>>,
}

/// The owner and the deadlines of loading a release.
#[derive(Clone, Copy)]
struct LoadRequest {
    digest: Digest,
    tenant: TenantId,
    is_upload: bool,
    /// The end of the wait for a turn to compile.
    turn: Instant,
    deadline: Instant,
}

/// The lock of a release that is being loaded. The last one to drop it removes it from the map.
struct LoadLock<'a> {
    sandbox: &'a Sandbox,
    digest: Digest,
    lock: Arc<tokio::sync::Mutex<()>>,
}

impl Drop for LoadLock<'_> {
    fn drop(&mut self) {
        let mut loading = lock(&self.sandbox.loading);
        // One reference is the map's and one is this one: no other caller waits for the lock.
        if Arc::strong_count(&self.lock) <= 2 {
            loading.remove(&self.digest);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Sandbox {
    /// Creates the sandbox of a host.
    pub fn new(config: SandboxConfig) -> Result<Self> {
        let engine = new_engine(Some(&config.pool))?;
        let code_cache = config
            .cache
            .as_deref()
            .map(|folder| CodeCache::open(folder, config.cache_key, &engine))
            .transpose()?;
        let mut linker = Linker::new(&engine);
        bindings::link(&mut linker).map_err(|error| Error::internal(anyhow::Error::from(error)))?;
        let pool = Pool::new(&config.pool, config.tenant_share);
        let ticker = EpochTicker::start(&engine)?;
        Ok(Self {
            releases: ReleaseCache::new(config.idle_releases),
            compilations: compile_limiter(config.compilations),
            config,
            engine,
            linker,
            code_cache,
            pool,
            ticker,
            scheduler: Scheduler::new()?,
            loading: Mutex::default(),
            staged_uploads: Mutex::default(),
        })
    }

    /// Returns a release from the cache, or loads it once for all concurrent callers. What it runs for this counts as
    /// the first caller's. The bytes are read only if the release is loaded.
    async fn get_or_load(
        &self,
        request: LoadRequest,
        source: ComponentSource<'_>,
    ) -> Result<Arc<LoadedRelease>> {
        let digest = request.digest;
        let lock = Arc::clone(lock(&self.loading).entry(digest).or_default());
        let load_lock = LoadLock { sandbox: self, digest, lock };
        let _guard = load_lock.lock.lock().await;
        match self.releases.get(digest) {
            Some(release) => Ok(release),
            None => self.load(request, &source.await?).await,
        }
    }

    /// Compiles a release, checks that it fits the contract and a tenant's share, and puts it into the cache.
    async fn load(&self, request: LoadRequest, bytes: &[u8]) -> Result<Arc<LoadedRelease>> {
        let inspection = inspect(bytes)?;
        let kind = component_check::check_names(&inspection)?;
        let (component, footprint, code) = self.compile(request, bytes).await?;
        let pre = self.linker.instantiate_pre(&component).map_err(|error| does_not_fit(&error))?;
        let release =
            LoadedRelease::new(pre, kind.contract, footprint).map_err(|error| does_not_fit(&error))?;
        let release = Arc::new(release);
        self.check_types(request, &release, &component, kind.contract).await?;
        if request.is_upload {
            lock(&self.staged_uploads).insert(request.digest, code);
        } else {
            keep(request.digest, code);
        }
        self.releases.insert(request.digest, Arc::clone(&release));
        Ok(release)
    }

    /// Refuses exports of the wrong types; the error shows the expected and the actual functions.
    async fn check_types(
        &self,
        request: LoadRequest,
        release: &Arc<LoadedRelease>,
        component: &Component,
        contract: Contract,
    ) -> Result<()> {
        let tenant = request.tenant;
        let deadline = request.deadline.min(Instant::now() + ADMISSION_TIME);
        let Some(_permit) = self.pool.acquire(tenant.into(), release.footprint, deadline).await else {
            return Err(Error::unavailable(CALLS_BUSY, RETRY_AFTER));
        };
        let _tick_guard = self.ticker.enter();
        let bounds = (tenant.into(), self.config.limits, deadline);
        match Arc::clone(release).check_types(&self.engine, &self.scheduler, bounds).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(TypeMismatch { interface, expected })) => {
                let interface = contract.interface(interface);
                let found = signature::describe(&self.engine, component, &interface);
                let message =
                    format!("{interface} does not fit the contract; expected {expected}; found {found}");
                Err(Error::new(ErrorKind::Invalid, "COMPONENT_EXPORTS", message))
            }
            Err(Failure { reason: FailureReason::Late, .. }) => Err(Error::deadline()),
            Err(Failure { reason, message, .. }) => {
                let message = format!("the component cannot be started: {message}");
                Err(Error::new(ErrorKind::Invalid, reason.name(), message))
            }
        }
    }

    /// Loads a release's machine code from the cache, or compiles it in its turn; then it is not in the cache yet. Also
    /// returns the parts that an instance takes from the pool.
    async fn compile(
        &self,
        request: LoadRequest,
        bytes: &[u8],
    ) -> Result<(Component, Footprint, Option<StagedCode>)> {
        let LoadRequest { digest, tenant, turn, .. } = request;
        let mut cache = self.code_cache.as_ref();
        match cache.map_or(Ok(None), |cache| cache.read(digest)) {
            Ok(Some(code)) => {
                let footprint = self.check_requirements(&code)?;
                match code.load(&self.engine) {
                    Ok(component) => return Ok((component, footprint, None)),
                    Err(error) => {
                        tracing::warn!(?error, release = %digest, "cached machine code cannot be loaded")
                    }
                }
                cache = None;
            }
            Ok(None) => {}
            Err(error) => {
                tracing::warn!(?error, release = %digest, "cached machine code cannot be read");
                cache = None;
            }
        }
        let Ok(_permit) = self.compilations.acquire(tenant, turn).await else {
            return Err(Error::unavailable(COMPILERS_BUSY, COMPILE_RETRY_AFTER));
        };
        let code = MachineCode::new(compiler::compile(&self.config, bytes).await?);
        let footprint = self.check_requirements(&code)?;
        match cache.map(|cache| cache.stage(&self.engine, digest, code.bytes())) {
            Some(Ok((staged, component))) => return Ok((component, footprint, Some(staged))),
            Some(Err(error)) => tracing::warn!(?error, release = %digest, "machine code cannot be cached"),
            None => {}
        }
        let component = code.load(&self.engine);
        Ok((component.map_err(|error| Error::internal(anyhow::Error::from(error)))?, footprint, None))
    }

    /// Refuses a component whose instance exceeds the limits or a tenant's share; returns its parts.
    fn check_requirements(&self, code: &MachineCode) -> Result<Footprint> {
        let requirements = Requirements::read(code.bytes())?;
        requirements.check(self.config.limits.memory)?;
        match self.pool.exceeds_share(requirements.footprint) {
            Some(excess) => Err(too_large(&excess)),
            None => Ok(requirements.footprint),
        }
    }

    /// Calls the component for its manifest.
    async fn describe(
        &self,
        (tenant, digest): (TenantId, Digest),
        release: &Arc<LoadedRelease>,
        deadline: Instant,
    ) -> Result<Manifest> {
        let call = Call {
            share: tenant.into(),
            release: digest,
            settings: "".into(),
            limits: self.config.limits,
            deadline: deadline.min(Instant::now() + ADMISSION_TIME),
            lookup: None,
            request: PluginRequest::Describe,
        };
        match self.run(release, call).await.reply {
            Ok(Reply::Manifest(manifest)) => Ok(manifest),
            Ok(_) => Err(Error::internal(anyhow::anyhow!("the reply is not a manifest"))),
            Err(Failure { reason: FailureReason::Busy | FailureReason::Late, message, .. }) => {
                Err(Error::unavailable(message, RETRY_AFTER))
            }
            Err(Failure { reason, message, backtrace }) => {
                let mut message = format!("the component cannot describe itself: {message}");
                if let Some(function) = backtrace.first() {
                    message.push_str(&format!(" (in {function})"));
                }
                Err(Error::new(ErrorKind::Invalid, reason.name(), message))
            }
        }
    }

    /// Compiles or evaluates a schema away from the threads of requests, within the tenant's permits.
    async fn check_schema<T: Send + 'static>(
        &self,
        tenant: TenantId,
        work: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let deadline = Instant::now() + SCHEMA_TIME;
        let output = self.scheduler.run_blocking(tenant.into(), deadline, work).await;
        output.unwrap_or_else(|| Err(Error::unavailable(SCHEMAS_BUSY, RETRY_AFTER)))
    }

    async fn run(&self, release: &Arc<LoadedRelease>, mut call: Call) -> Outcome {
        let Some(_permit) = self.pool.acquire(call.share, release.footprint, call.deadline).await else {
            return not_begun(FailureReason::Busy, CALLS_BUSY.to_owned());
        };
        if matches!(call.request, PluginRequest::Describe | PluginRequest::Quote(..)) {
            call.lookup = None;
        }
        let _tick_guard = self.ticker.enter();
        Arc::clone(release).call(&self.engine, &self.scheduler, call).await
    }
}

#[async_trait]
impl Plugins for Sandbox {
    async fn admit(
        &self,
        tenant: TenantId,
        component: Arc<[u8]>,
        deadline: Instant,
    ) -> Result<AdmittedComponent> {
        let size = component.len() as u64;
        if size > self.config.max_component {
            let most = self.config.max_component;
            let message = format!(
                "the component has {size} bytes; at most {most} are allowed by TESSERA_PLUGIN_MAX_BYTES"
            );
            return Err(Error::new(ErrorKind::TooLarge, "TOO_LARGE", message));
        }
        let kind = component_check::check_names(&inspect(&component)?)?;
        let digest = Digest(Sha256::digest(&component).into());
        let guard = AdmissionGuard::new(self, digest);
        let begun = Instant::now();
        // Of the time beyond that of compiling, half is for the wait before it and half for the calls after it.
        let slack = deadline.saturating_duration_since(begun).saturating_sub(self.config.compile_time);
        let turn = begun + slack / 2;
        let request = LoadRequest { digest, tenant, is_upload: true, turn, deadline };
        let release = self.get_or_load(request, Box::pin(std::future::ready(Ok(component)))).await?;
        let manifest = self.describe((tenant, digest), &release, deadline).await?;
        let check = || manifest_check::check(&manifest).map(|()| manifest);
        let manifest = self.check_schema(tenant, check).await?;
        let footprint = release.footprint;
        let contract = kind.contract.name().to_owned();
        guard.disarm();
        Ok(AdmittedComponent { digest, contract, hooks: kind.hooks, manifest, footprint })
    }

    fn keep(&self, digest: Digest) {
        let code = lock(&self.staged_uploads).remove(&digest);
        keep(digest, code.flatten());
    }

    fn discard(&self, digest: Digest) {
        let code = lock(&self.staged_uploads).remove(&digest);
        if code.is_some() {
            self.releases.remove(digest);
        }
    }

    async fn prepare(
        &self,
        tenant: TenantId,
        digest: Digest,
        source: ComponentSource<'_>,
        deadline: Instant,
    ) -> Result<()> {
        let request = LoadRequest { digest, tenant, is_upload: false, turn: deadline, deadline };
        let loaded = tokio::time::timeout_at(deadline.into(), self.get_or_load(request, source)).await;
        loaded.unwrap_or_else(|_| Err(Error::deadline())).map(drop)
    }

    fn is_ready(&self, digest: Digest) -> bool {
        self.releases.get(digest).is_some()
    }

    fn forget(&self, digest: Digest) {
        self.releases.remove(digest);
        if let Some(cache) = &self.code_cache {
            cache.remove(digest);
        }
    }

    fn forget_idle(&self, installed: &BTreeSet<Digest>) {
        for release in self.releases.remove_idle(installed) {
            tracing::debug!(%release, "idle release unloaded");
        }
    }

    fn sweep(&self) -> BTreeSet<Digest> {
        self.code_cache.as_ref().map(CodeCache::sweep).unwrap_or_default()
    }

    async fn call(&self, call: Call) -> Outcome {
        match self.releases.get(call.release) {
            Some(release) => self.run(&release, call).await,
            None => not_begun(FailureReason::Host, "the release is not ready on this host".to_owned()),
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

/// Puts a release's machine code into the cache, if it is not there.
fn keep(digest: Digest, code: Option<StagedCode>) {
    if let Some(Err(error)) = code.map(StagedCode::keep) {
        tracing::warn!(?error, release = %digest, "machine code cannot be cached");
    }
}

/// Creates the error for imports or exports whose types are not the contract's.
fn does_not_fit(error: &wasmtime::Error) -> Error {
    let message = format!("the component does not fit the contract: {error:#}");
    Error::new(ErrorKind::Invalid, "COMPONENT_EXPORTS", message)
}
