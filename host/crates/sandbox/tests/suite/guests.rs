//! Example plugins, sandboxes and calls for the tests.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use tessera_core::id::TenantId;
use tessera_core::plugin::{
    Call, CallContext, CallLimits, Digest, Entity, Failure, Lookup, Outcome, PluginRequest, Validation,
};
use tessera_core::ports::{ComponentSource, Plugins as _};
use tessera_core::{Field, Timestamp};
use tessera_sandbox::{PoolSize, Sandbox, SandboxConfig};

type Component = Arc<OnceLock<Arc<[u8]>>>;

/// Returns the component of an example plugin, which is built once.
pub fn component(name: &str) -> Arc<[u8]> {
    static BUILT: Mutex<Option<HashMap<String, Component>>> = Mutex::new(None);
    let component = {
        let mut built = BUILT.lock().unwrap();
        Arc::clone(built.get_or_insert_default().entry(name.to_owned()).or_default())
    };
    Arc::clone(component.get_or_init(|| build(name)))
}

fn build(name: &str) -> Arc<[u8]> {
    encode(&module(name)).into()
}

/// Makes a component of a core module.
pub fn encode(module: &[u8]) -> Vec<u8> {
    wit_component::ComponentEncoder::default().module(module).unwrap().encode().unwrap()
}

/// Builds the core module of an example plugin.
pub fn module(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../plugins");
    let target = folder.join("../target/plugins");
    let status = Command::new("cargo")
        .args(["build", "--quiet", "--release", "--target", "wasm32-unknown-unknown", "-p", name])
        .current_dir(&folder)
        .env("CARGO_TARGET_DIR", &target)
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .env_remove("RUSTFLAGS")
        .status()
        .unwrap();
    assert!(status.success());
    let module = format!("wasm32-unknown-unknown/release/{}.wasm", name.replace('-', "_"));
    std::fs::read(target.join(module)).unwrap()
}

/// Returns the component with a custom section, so that its digest differs.
pub fn varied(component: &[u8], mark: u8) -> Arc<[u8]> {
    // A custom section: id 0, its size, the length of its name, its name, its bytes.
    [component, &[0, 6, 4], b"mark", &[mark]].concat().into()
}

/// Uploads a component, as if the store then stored its release.
pub async fn upload(sandbox: &Sandbox, component: Arc<[u8]>) -> Digest {
    let digest = sandbox.admit(TenantId::generate(), component, later()).await.unwrap().digest;
    sandbox.keep(digest);
    digest
}

/// Returns a deadline that no test reaches.
pub fn later() -> Instant {
    Instant::now() + Duration::from_secs(300)
}

/// Returns the source of a component's bytes.
pub fn source(component: Arc<[u8]>) -> ComponentSource<'static> {
    Box::pin(std::future::ready(Ok(component)))
}

/// Returns the path of the compiler process, which cargo builds beside the tests.
pub fn compiler() -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    let compiler = tests.parent().unwrap().parent().unwrap().join("examples/compile");
    assert!(compiler.exists(), "{} is not built: run the tests of the whole crate", compiler.display());
    compiler
}

pub fn config() -> SandboxConfig {
    let limits = CallLimits::standard();
    SandboxConfig {
        cache: None,
        cache_key: [7; 32],
        limits,
        max_component: 4 << 20,
        compile_time: Duration::from_secs(60),
        compile_memory: 4 << 30,
        compilations: 2,
        compiler: (compiler(), Vec::new()),
        pool: PoolSize::for_calls(16, limits.memory),
        idle_releases: 16,
        tenant_share: 50,
    }
}

/// Creates a sandbox and uploads the hostile plugin to it.
pub async fn hostile_sandbox(config: SandboxConfig) -> (Arc<Sandbox>, Digest) {
    let sandbox = Sandbox::new(config).unwrap();
    let digest = upload(&sandbox, component("hostile")).await;
    (Arc::new(sandbox), digest)
}

pub fn context() -> CallContext {
    CallContext {
        tenant: "t".into(),
        invocation: "1".into(),
        now: Timestamp::from_micros(1_767_225_600_000_000).unwrap(),
        actor: "user-1".into(),
        roles: vec!["agent".into()],
        dry_run: true,
        cause: Vec::new(),
        attributes: Vec::new(),
    }
}

pub fn issue() -> Entity {
    let fields = vec![Field::new("summary", "s"), Field::new("description", "d")];
    Entity { kind: "issue".into(), id: "1".into(), version: 1, fields }
}

pub fn validate() -> PluginRequest {
    let subject = issue();
    let changes = Entity::changes(None, &subject);
    PluginRequest::Validate(
        context(),
        Validation { operation: "create".into(), subject, before: None, changes },
    )
}

pub fn on_change() -> PluginRequest {
    PluginRequest::OnChange(context(), issue(), None, Vec::new())
}

/// Creates a call in which the hostile plugin performs an act a number of times.
pub fn hostile_call(
    tenant: TenantId,
    release: Digest,
    act: &str,
    amount: u64,
    request: PluginRequest,
) -> Call {
    Call {
        share: tenant.into(),
        release,
        settings: format!(r#"{{"act": "{act}", "amount": {amount}}}"#).into(),
        limits: CallLimits::standard(),
        deadline: Instant::now() + Duration::from_secs(30),
        lookup: Some(Lookup::new(|_| async { Ok(Vec::new()) })),
        request,
    }
}

/// Returns the failure of a call.
#[track_caller]
pub fn failure(outcome: &Outcome) -> &Failure {
    outcome.reply.as_ref().expect_err("the call did not fail")
}
