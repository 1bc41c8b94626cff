//! Refusals of uploads by reason, and robustness against random and mutated bytes.

use std::sync::Arc;
use std::time::Duration;

use tessera_core::ErrorKind;
use tessera_core::id::TenantId;
use tessera_core::plugin::CallLimits;
use tessera_core::ports::Plugins as _;
use tessera_sandbox::{Sandbox, SandboxConfig, inspect};
use wasmparser::{Parser, Payload};

use crate::guests::{component, config, encode, failure, hostile_call, later, module, validate};

/// Uploads a component; returns the reason and message of its refusal.
async fn refusal(config: SandboxConfig, bytes: Vec<u8>) -> (String, String) {
    let sandbox = Sandbox::new(config).unwrap();
    let error = sandbox.admit(TenantId::generate(), bytes.into(), later()).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Invalid | ErrorKind::TooLarge), "{error:?}");
    (error.reason().to_owned(), error.message().to_owned())
}

pub fn replaced(bytes: &[u8], old: &[u8], new: &[u8]) -> Vec<u8> {
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
        (replaced(&good, b"@1.0.0", b"@0.1.0"), "CONTRACT_UNSUPPORTED", "serves 1.0.0"),
        (
            replaced(&good, b"plugin/validation@", b"plugin/valibation@"),
            "COMPONENT_EXPORTS",
            "plugin/validation@1.0.0",
        ),
        (
            replaced(&good, b"plugin/manifest@", b"plugin/manixest@"),
            "COMPONENT_EXPORTS",
            "manifest@1.0.0 is missing",
        ),
        (
            replaced(&good, b"tessera:plugin/host@", b"example:plugin/host@"),
            "COMPONENT_IMPORTS",
            "example:plugin/host@1.0.0, which no plugin gets",
        ),
        (
            replaced(&good, b"tessera:plugin/host@1.0.0", b"wasi:random/random@0.2.10"),
            "COMPONENT_IMPORTS",
            "wasi:random/random@0.2.10, which no plugin gets: build without it",
        ),
        (
            replaced(&good, b"\x08validate", b"\x08validata"),
            "COMPONENT_EXPORTS",
            "does not have export `validate`",
        ),
        (replaced(&good, b"\x04code", b"\x04cope"), "COMPONENT_EXPORTS", "found validate: func("),
        // `limit: u32` of the look-up `find` as `limit: s32`.
        (
            replaced(&component("hostile"), b"\x05limit\x79", b"\x05limit\x7a"),
            "COMPONENT_EXPORTS",
            "does not fit the contract",
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

/// Appends a number as LEB128.
fn push(bytes: &mut Vec<u8>, mut number: usize) {
    while number >= 0x80 {
        bytes.push(u8::try_from(number & 0x7f).unwrap() | 0x80);
        number >>= 7;
    }
    bytes.push(u8::try_from(number).unwrap());
}

fn push_section(bytes: &mut Vec<u8>, id: u8, content: &[u8]) {
    bytes.push(id);
    push(bytes, content.len());
    bytes.extend_from_slice(content);
}

/// Returns a core module of these sections.
fn core_module(sections: &[(u8, &[u8])]) -> Vec<u8> {
    let mut module = b"\0asm\x01\0\0\0".to_vec();
    for (id, content) in sections {
        push_section(&mut module, *id, content);
    }
    module
}

/// Returns a core module that runs these instructions when it is started.
fn starting(instructions: &[u8]) -> Vec<u8> {
    let body = [&[0][..], instructions, &[0x0b]].concat();
    let code = [&[1, u8::try_from(body.len()).unwrap()][..], &body].concat();
    // One type without parameters and results, one function, which is the start.
    core_module(&[(1, &[1, 0x60, 0, 0]), (3, &[1, 0]), (8, &[0]), (10, &code)])
}

/// Returns the component with a core module that each instance has this many times beside its own parts.
fn with_module(component: &[u8], module: &[u8], times: usize) -> Vec<u8> {
    let payloads = Parser::new(0).parse_all(component);
    let index = payloads.filter(|payload| matches!(payload, Ok(Payload::ModuleSection { .. }))).count();
    let mut instances = Vec::new();
    push(&mut instances, times);
    for _ in 0..times {
        instances.push(0);
        push(&mut instances, index);
        instances.push(0);
    }
    let mut changed = component.to_vec();
    push_section(&mut changed, 1, module);
    push_section(&mut changed, 2, &instances);
    changed
}

#[tokio::test]
async fn parts_that_cannot_be_compiled_or_started_are_refused() {
    let good = component("required-fields");
    let (mut memory, mut table) = (vec![1, 0], vec![1, 0x70, 0]);
    push(&mut memory, 300);
    push(&mut table, 20_001);
    let limits = CallLimits { time: Duration::from_secs(20), ..CallLimits::standard() };
    for (module, times, reason, text) in [
        // `i32.add` without operands.
        (starting(&[0x6a]), 1, "COMPONENT_INVALID", "cannot be compiled"),
        // `unreachable`
        (starting(&[0]), 1, "PLUGIN_TRAPPED", "the component cannot be started"),
        // `loop; br 0; end`
        (starting(&[3, 0x40, 0x0c, 0, 0x0b]), 1, "PLUGIN_OUT_OF_FUEL", "the component cannot be started"),
        (core_module(&[]), 201, "COMPONENT_TOO_LARGE", "core instances; at most 200 are allowed"),
        (core_module(&[(5, &memory)]), 1, "COMPONENT_TOO_LARGE", "bytes of memory and tables"),
        (core_module(&[(4, &table)]), 1, "COMPONENT_TOO_LARGE", "20001 elements; at most 20000"),
    ] {
        let config = SandboxConfig { limits, ..config() };
        let (found, message) = refusal(config, with_module(&good, &module, times)).await;
        assert!(found == reason && message.contains(text), "{reason} {text}: {found} {message}");
    }
}

/// Returns a component that imports this number of functions.
fn importing(count: usize) -> Vec<u8> {
    let mut component = b"\0asm\x0d\0\x01\0".to_vec();
    // One type: a function without parameters and results.
    push_section(&mut component, 7, &[1, 0x40, 0, 1, 0]);
    let mut imports = Vec::new();
    push(&mut imports, count);
    for n in 0..count {
        let name = format!("wasi-{}-{n}", "x".repeat(100));
        imports.push(0);
        push(&mut imports, name.len());
        imports.extend_from_slice(name.as_bytes());
        imports.extend_from_slice(&[1, 0]);
    }
    push_section(&mut component, 10, &imports);
    component
}

#[tokio::test]
async fn a_refusal_repeats_a_bounded_part_of_the_component() {
    let good = component("required-fields");
    // Appended to a component, the imports come beside its own.
    let foreign = [&good, &importing(10_000)[8..]].concat();
    for bytes in [importing(10_000), foreign] {
        let (reason, message) = refusal(config(), bytes).await;
        assert!(message.len() < 4_096, "{reason}: {} bytes", message.len());
    }
}

/// Returns a module in which every function has this name.
fn named(module: &[u8], name: &str) -> Vec<u8> {
    let functions = 1_000;
    let mut names = Vec::new();
    push(&mut names, functions);
    for n in 0..functions {
        push(&mut names, n);
        push(&mut names, name.len());
        names.extend_from_slice(name.as_bytes());
    }
    let mut content = b"\x04name".to_vec();
    push_section(&mut content, 1, &names);
    let mut module = module.to_vec();
    push_section(&mut module, 0, &content);
    module
}

#[tokio::test]
async fn a_backtrace_has_bounded_names() {
    let module = named(&module("hostile"), &"n".repeat(3_000));
    let sandbox = Sandbox::new(config()).unwrap();
    let tenant = TenantId::generate();
    let digest = sandbox.admit(tenant, encode(&module).into(), later()).await.unwrap().digest;
    let outcome = sandbox.call(hostile_call(tenant, digest, "trap", 1, validate())).await;
    let backtrace = &failure(&outcome).backtrace;
    assert!(!backtrace.is_empty());
    for name in backtrace {
        assert!(name.starts_with("nnn") && name.len() <= 200, "{} bytes", name.len());
    }
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
        if let Err(error) = sandbox.admit(TenantId::generate(), random.mutate(&good).into(), later()).await {
            assert!(matches!(error.kind(), ErrorKind::Invalid | ErrorKind::TooLarge), "{error:?}");
        }
    }
    assert!(sandbox.admit(TenantId::generate(), good, later()).await.is_ok());
}
