//! Two versions of the contract, side by side in one engine.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tessera_core::Field;
use tessera_core::plugin::{
    Ask, Call, CallContext, CallLimits, Digest, Entity, Footprint, Refusal, Reply, Validation,
};
use tessera_core::{Timestamp, id::TenantId};
use wasmtime::component::{Component, Linker};

use crate::bindings::{self, Contract};
use crate::call::Ready;
use crate::config::PoolSize;
use crate::lanes::Lanes;
use crate::{check, engine};

/// The example `required-fields`, as a component for the present contract.
fn required_fields() -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../plugins");
    let target = folder.join("../target/plugins");
    let built = Command::new("cargo")
        .args([
            "build",
            "--quiet",
            "--release",
            "--target",
            "wasm32-unknown-unknown",
            "-p",
            "required-fields",
        ])
        .current_dir(&folder)
        .env("CARGO_TARGET_DIR", &target)
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .env_remove("RUSTFLAGS")
        .status()
        .unwrap();
    assert!(built.success());
    let module = std::fs::read(target.join("wasm32-unknown-unknown/release/required_fields.wasm")).unwrap();
    wit_component::ComponentEncoder::default().module(&module).unwrap().encode().unwrap()
}

/// The same component, built for the next version: what it uses looks the same there.
fn for_next(component: &[u8]) -> Vec<u8> {
    let mut next = component.to_vec();
    let (old, new) = (b"@0.1.0", b"@0.2.0");
    let places: Vec<_> = next.windows(old.len()).enumerate().filter(|(_, held)| held == old).collect();
    let places: Vec<_> = places.into_iter().map(|(at, _)| at).collect();
    for at in places {
        next[at..at + new.len()].copy_from_slice(new);
    }
    next
}

fn ask() -> Ask {
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
    Ask::Validate(
        context,
        Validation { operation: "create".into(), subject, before: None, changes: Vec::new() },
    )
}

#[tokio::test]
async fn two_versions_of_the_contract_are_served_side_by_side() {
    let engine = engine::engine(Some(&PoolSize::for_calls(16, 16 << 20))).unwrap();
    let mut linker = Linker::new(&engine);
    bindings::link(&mut linker).unwrap();
    let lanes = Lanes::new().unwrap();
    let present = required_fields();
    for (bytes, contract, message) in [
        (for_next(&present), Contract::Next, "next: description is required"),
        (present, Contract::V0_1, "description is required"),
    ] {
        let found = check::names(&check::inspect(&bytes).unwrap()).unwrap();
        assert_eq!(found.contract, contract);
        let component = Component::new(&engine, &bytes).unwrap();
        let ready = Ready::new(
            linker.instantiate_pre(&component).unwrap(),
            contract,
            Footprint { instances: 8, memories: 1, tables: 2 },
        )
        .unwrap();
        let ready = Arc::new(ready);
        let call = Call {
            tenant: TenantId::generate(),
            release: Digest([0; 32]),
            settings: r#"{"rules": [{"fields": ["description"]}]}"#.into(),
            limits: CallLimits::standard(),
            deadline: Instant::now() + Duration::from_secs(10),
            lookup: None,
            ask: ask(),
        };
        let refusal = Refusal {
            field: Some("description".into()),
            code: "FIELD_REQUIRED".into(),
            message: message.into(),
        };
        assert_eq!(ready.call(&engine, &lanes, call).await.reply, Ok(Reply::Verdict(vec![refusal])));
    }
}

#[test]
fn a_version_that_is_not_served_is_told_with_those_that_are() {
    let inspection = check::Inspection {
        imports: Vec::new(),
        exports: vec!["tessera:plugin/manifest@0.9.0".into()],
        size: 1,
        instances: 1,
    };
    let error = check::names(&inspection).map(drop).unwrap_err();
    assert_eq!(error.reason(), "CONTRACT_UNSUPPORTED");
    assert!(error.message().contains("0.9.0") && error.message().contains("0.1.0"), "{}", error.message());
}
