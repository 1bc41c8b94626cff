//! Two versions of the contract in one engine, and the tenant to which calls at an upload are counted.

use std::path::Path;
use std::process::Command;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use sha2::{Digest as _, Sha256};
use tessera_core::plugin::{
    Call, CallContext, CallLimits, Digest, Entity, Footprint, PluginRequest, Refusal, Reply, Validation,
};
use tessera_core::ports::Plugins as _;
use tessera_core::{ErrorKind, Field};
use tessera_core::{Timestamp, id::TenantId};
use wasmtime::component::{Component, Linker};

use crate::config::PoolSize;
use crate::contract::Contract;
use crate::engine::new_engine;
use crate::inspection::{Inspection, inspect};
use crate::release::LoadedRelease;
use crate::scheduler::Scheduler;
use crate::{Sandbox, SandboxConfig, bindings, component_check};

/// Builds an example plugin as a component for the present contract.
fn component(name: &str) -> Vec<u8> {
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
    let module = std::fs::read(target.join(module)).unwrap();
    wit_component::ComponentEncoder::default().module(&module).unwrap().encode().unwrap()
}

/// Returns the component with each occurrence of `old` replaced.
fn replaced(component: &[u8], old: &[u8], new: &[u8]) -> Vec<u8> {
    let mut changed = component.to_vec();
    let places = component.windows(old.len()).enumerate().filter(|(_, window)| *window == old);
    for (at, _) in places {
        changed[at..at + new.len()].copy_from_slice(new);
    }
    assert_ne!(changed, component);
    changed
}

fn validate() -> PluginRequest {
    let context = CallContext {
        tenant: String::new(),
        invocation: String::new(),
        now: Timestamp::from_micros(0).unwrap(),
        actor: String::new(),
        roles: Vec::new(),
        dry_run: true,
        cause: Vec::new(),
        attributes: Vec::new(),
    };
    let fields = vec![Field::new("type", "BUG")];
    let subject = Entity { kind: "issue".into(), id: "1".into(), version: 1, fields };
    PluginRequest::Validate(
        context,
        Validation { operation: "create".into(), subject, before: None, changes: Vec::new() },
    )
}

#[tokio::test]
async fn two_versions_of_the_contract_are_served() {
    let engine = new_engine(Some(&PoolSize::for_calls(16, 16 << 20))).unwrap();
    let mut linker = Linker::new(&engine);
    bindings::link(&mut linker).unwrap();
    let scheduler = Scheduler::new().unwrap();
    let present = component("required-fields");
    for (bytes, contract, message) in [
        (replaced(&present, b"@1.0.0", b"@2.0.0"), Contract::Next, "next: description is required"),
        (present, Contract::V1_0, "description is required"),
    ] {
        let kind = component_check::check_names(&inspect(&bytes).unwrap()).unwrap();
        assert_eq!(kind.contract, contract);
        let component = Component::new(&engine, &bytes).unwrap();
        let release = LoadedRelease::new(
            linker.instantiate_pre(&component).unwrap(),
            contract,
            Footprint { instances: 8, memories: 1, tables: 2 },
        )
        .unwrap();
        let release = Arc::new(release);
        let call = Call {
            share: TenantId::generate().into(),
            release: Digest([0; 32]),
            settings: r#"{"rules": [{"fields": ["description"]}]}"#.into(),
            limits: CallLimits::standard(),
            deadline: Instant::now() + Duration::from_secs(10),
            lookup: None,
            request: validate(),
        };
        let refusal = Refusal {
            field: Some("description".into()),
            code: "FIELD_REQUIRED".into(),
            message: message.into(),
        };
        assert_eq!(release.call(&engine, &scheduler, call).await.reply, Ok(Reply::Verdict(vec![refusal])));
    }
}

#[test]
fn an_unsupported_version_and_several_are_named_with_the_supported_ones() {
    for versions in [&["0.1.0"][..], &["1.1.0"], &["0.1.0", "1.0.0"], &["1.0.0", "2.0.0"]] {
        let exports = versions.iter().map(|version| format!("tessera:plugin/manifest@{version}")).collect();
        let inspection = Inspection { imports: Vec::new(), exports, size: 1 };
        let error = component_check::check_names(&inspection).map(drop).unwrap_err();
        assert_eq!(error.reason(), "CONTRACT_UNSUPPORTED");
        let message = format!("tessera:plugin@{}; this host serves 1.0.0, 2.0.0", versions.join(" and "));
        assert!(error.message().ends_with(&message), "{}", error.message());
    }
}

fn sandbox(limits: CallLimits, tenant_share: u32) -> Arc<Sandbox> {
    let tests = std::env::current_exe().unwrap();
    let compiler = tests.parent().unwrap().parent().unwrap().join("examples/compile");
    let config = SandboxConfig {
        cache: None,
        cache_key: [7; 32],
        limits,
        max_component: 4 << 20,
        compile_time: Duration::from_secs(60),
        compile_memory: 4 << 30,
        compilations: 2,
        compiler: (compiler, Vec::new()),
        pool: PoolSize::for_calls(16, limits.memory),
        idle_releases: 16,
        tenant_share,
    };
    Arc::new(Sandbox::new(config).unwrap())
}

#[tokio::test]
async fn calls_at_an_upload_count_as_calls_of_the_uploading_tenant() {
    let time = Duration::from_secs(20);
    let sandbox = sandbox(CallLimits { fuel: 200_000_000, time, ..CallLimits::standard() }, 50);
    let (spinning, other) = (TenantId::generate(), TenantId::generate());
    let hostile = component("hostile");
    let spinning_component = replaced(&hostile, b"describes itself: well", b"describes itself: spin");
    let later = Instant::now() + Duration::from_secs(120);
    sandbox.admit(other, hostile.into(), later).await.unwrap();
    let error = sandbox.admit(spinning, spinning_component.into(), later).await.unwrap_err();
    assert_eq!(error.reason(), "PLUGIN_OUT_OF_FUEL", "{error}");
    assert!(sandbox.scheduler.is_slow(spinning.into()) && !sandbox.scheduler.is_slow(other.into()));
}

#[tokio::test]
async fn schemas_are_checked_within_the_tenants_permits() {
    let sandbox = sandbox(CallLimits::standard(), 50);
    let (greedy, other) = (TenantId::generate(), TenantId::generate());
    let later = Instant::now() + Duration::from_secs(60);
    let (senders, receivers): (Vec<_>, Vec<_>) = (0..2).map(|_| mpsc::channel::<()>()).unzip();
    // Each occupies a permit until its sender is dropped.
    let mut receivers = receivers.into_iter();
    let mut occupy = || {
        let receiver = receivers.next().unwrap();
        sandbox.scheduler.run_blocking(greedy.into(), later, move || receiver.recv().is_err())
    };
    let (first, second) = (occupy(), occupy());
    let check = |tenant| sandbox.schema_violations(tenant, r#"{"type": "object"}"#, "1", "settings");
    let checks = async {
        let mut waiting = check(greedy);
        assert!(tokio::time::timeout(Duration::ZERO, &mut waiting).await.is_err());
        assert_eq!(check(other).await.unwrap().len(), 1);
        assert!(tokio::time::timeout(Duration::ZERO, &mut waiting).await.is_err());
        drop(senders);
        assert_eq!(waiting.await.unwrap().len(), 1);
    };
    assert_eq!(tokio::join!(first, second, checks), (Some(true), Some(true), ()));
}

#[tokio::test]
async fn an_upload_uses_the_tenants_share_of_the_pool() {
    // One memory of sixteen.
    let sandbox = sandbox(CallLimits::standard(), 10);
    let (greedy, other) = (TenantId::generate(), TenantId::generate());
    let footprint = Footprint { instances: 1, memories: 1, tables: 1 };
    let soon = Instant::now() + Duration::from_secs(1);
    let permit = sandbox.pool.acquire(greedy.into(), footprint, soon).await.unwrap();
    let bytes = component("required-fields");
    let digest = Digest(Sha256::digest(&bytes).into());
    let later = Instant::now() + Duration::from_secs(120);
    let upload = |tenant| sandbox.admit(tenant, bytes.as_slice().into(), later);
    for was_ready in [false, true] {
        let error = upload(greedy).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
        assert_eq!(sandbox.is_ready(digest), was_ready, "the release was loaded without a permit");
        upload(other).await.unwrap();
        sandbox.keep(digest);
    }
    drop(permit);
    upload(greedy).await.unwrap();
}
