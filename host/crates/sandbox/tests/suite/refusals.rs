//! Refusals of uploads by reason, and robustness against random and mutated bytes.

use std::sync::Arc;
use std::time::Duration;

use tessera_core::ErrorKind;
use tessera_core::id::TenantId;
use tessera_core::ports::Plugins as _;
use tessera_sandbox::{Sandbox, SandboxConfig, inspect};

use crate::guests::{component, config};

/// Uploads a component; returns the reason and message of its refusal.
async fn refusal(config: SandboxConfig, bytes: Vec<u8>) -> (String, String) {
    let sandbox = Sandbox::new(config).unwrap();
    let error = sandbox.admit(TenantId::generate(), bytes.into()).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Invalid | ErrorKind::TooLarge), "{error:?}");
    (error.reason().to_owned(), error.message().to_owned())
}

fn replaced(bytes: &[u8], old: &[u8], new: &[u8]) -> Vec<u8> {
    assert_eq!(old.len(), new.len());
    let mut changed = bytes.to_vec();
    let places: Vec<_> = (0..bytes.len() - old.len()).filter(|at| bytes[*at..].starts_with(old)).collect();
    assert!(!places.is_empty());
    for at in places {
        changed[at..at + new.len()].copy_from_slice(new);
    }
    changed
}

#[tokio::test]
async fn each_refusal_has_its_reason_and_a_message() {
    let good = component("required-fields");
    for (bytes, reason, text) in [
        (b"#!/bin/sh".to_vec(), "COMPONENT_NOT_WASM", "tessera plugin build"),
        (b"\0asm\x01\0\0\0".to_vec(), "COMPONENT_IS_CORE_MODULE", "tessera plugin build"),
        (b"\0asm\x0d\0\x01\0".to_vec(), "COMPONENT_EXPORTS", "nothing of tessera:plugin"),
        (good[..good.len() / 2].to_vec(), "COMPONENT_INVALID", "cannot be read"),
        (replaced(&good, b"@0.1.0", b"@0.7.0"), "CONTRACT_UNSUPPORTED", "serves 0.1.0"),
        (
            replaced(&good, b"plugin/validation@", b"plugin/valibation@"),
            "COMPONENT_EXPORTS",
            "plugin/validation@0.1.0",
        ),
        (
            replaced(&good, b"plugin/manifest@", b"plugin/manixest@"),
            "COMPONENT_EXPORTS",
            "manifest@0.1.0 is missing",
        ),
        (
            replaced(&good, b"tessera:plugin/host@", b"wasixxx:clocks/host@"),
            "COMPONENT_IMPORTS",
            "which no plugin gets",
        ),
        (replaced(&good, b"required-fields", b"Required-fields"), "MANIFEST_INVALID", "manifest.name"),
    ] {
        let (found, message) = refusal(config(), bytes).await;
        assert!(found == reason && message.contains(text), "{reason} {text}: {found} {message}");
    }
}

#[tokio::test]
async fn limits_of_an_upload_are_enforced() {
    let good = component("required-fields");
    let small = SandboxConfig { max_component: 1_000, ..config() };
    assert_eq!(refusal(small, good.to_vec()).await.0, "TOO_LARGE");
    let hasty = SandboxConfig { compile_time: Duration::from_millis(1), ..config() };
    assert_eq!(refusal(hasty, good.to_vec()).await.0, "COMPONENT_TOO_SLOW");
    let poor = SandboxConfig { compile_memory: 16 << 20, ..config() };
    let (reason, message) = refusal(poor, good.to_vec()).await;
    assert!(reason == "COMPONENT_TOO_COMPLEX" && message.contains("16 MiB"), "{reason}: {message}");
    let narrow = SandboxConfig { tenant_share: 1, ..config() };
    let (reason, message) = refusal(narrow, good.to_vec()).await;
    assert!(reason == "COMPONENT_TOO_LARGE" && message.contains("share"), "{reason}: {message}");
}

/// A pseudo-random generator with a fixed seed.
struct Random(u64);

impl Random {
    fn next(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 1).unwrap() % below.max(1)
    }

    fn mutate(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut changed = bytes.to_vec();
        for _ in 0..=self.next(8) {
            let (at, length) = (self.next(changed.len()), self.next(16));
            match self.next(4) {
                0 => changed[at] ^= 1 << self.next(8),
                1 => changed[at] = u8::try_from(self.next(256)).unwrap(),
                2 => drop(changed.drain(at..(at + length).min(changed.len()))),
                _ => changed.truncate(at),
            }
            if changed.is_empty() {
                return changed;
            }
        }
        changed
    }
}

#[test]
fn mutated_and_random_bytes_are_inspected_without_a_panic() {
    let good = component("issue-lifecycle");
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    for _ in 0..10_000 {
        let _ = inspect(&random.mutate(&good));
        let mut bytes: Vec<u8> =
            (0..random.next(200)).map(|_| u8::try_from(random.next(256)).unwrap()).collect();
        let _ = inspect(&bytes);
        bytes.splice(0..0, *b"\0asm\x0d\0\x01\0");
        let _ = inspect(&bytes);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn mutated_components_are_admitted_or_refused_and_the_sandbox_keeps_working() {
    let sandbox =
        Arc::new(Sandbox::new(SandboxConfig { compile_time: Duration::from_secs(20), ..config() }).unwrap());
    let good = component("issue-lifecycle");
    let mut random = Random(42);
    for _ in 0..60 {
        if let Err(error) = sandbox.admit(TenantId::generate(), random.mutate(&good).into()).await {
            assert!(matches!(error.kind(), ErrorKind::Invalid | ErrorKind::TooLarge), "{error:?}");
        }
    }
    assert!(sandbox.admit(TenantId::generate(), good).await.is_ok());
}
