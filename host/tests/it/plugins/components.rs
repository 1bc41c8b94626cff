//! The example plugins and the sample plugin as components, built once for all tests.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, OnceLock};

use serde_json::{Value, json};
use wasmparser::{Parser, Payload};

use crate::harness::Rest;

type ComponentCell = Arc<OnceLock<Vec<u8>>>;

/// The plugin for tests only, beside this file.
pub const SAMPLE: &str = "sample";

/// Returns the component of an example plugin or of the sample plugin.
pub fn component(name: &str) -> Vec<u8> {
    static BUILT: Mutex<Option<HashMap<String, ComponentCell>>> = Mutex::new(None);
    let cell = {
        let mut built = BUILT.lock().unwrap();
        Arc::clone(built.get_or_insert_default().entry(name.to_owned()).or_default())
    };
    cell.get_or_init(|| build(name)).clone()
}

fn build(name: &str) -> Vec<u8> {
    let plugins = if name == SAMPLE { "tests/it/plugins" } else { "../plugins" };
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(plugins).join(name);
    let out = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}.wasm", std::process::id()));
    let built = Command::new(env!("CARGO_BIN_EXE_tessera"))
        .args(["plugin", "build"])
        .arg(&folder)
        .arg("--out")
        .arg(&out)
        .output()
        .unwrap();
    assert!(built.status.success(), "{name}: {}", String::from_utf8_lossy(&built.stderr));
    let component = std::fs::read(&out).unwrap();
    std::fs::remove_file(&out).unwrap();
    component
}

/// Returns the component with a custom section, so that its digest differs.
pub fn varied(component: &[u8], mark: &str) -> Vec<u8> {
    // A custom section: id 0, its size, the length of its name, its name, its bytes.
    let payload = [&[4][..], b"mark", mark.as_bytes()].concat();
    let size = u8::try_from(payload.len()).unwrap();
    assert!(size < 128);
    [component, &[0, size], &payload].concat()
}

/// Returns the component with a core module that is compiled and never used: this many functions of 3 kB.
pub fn heavy(component: &[u8], functions: usize) -> Vec<u8> {
    // `local.get 0; i32.const 3; i32.mul; local.set 0`, many times.
    let step = [0x20, 0, 0x41, 3, 0x6c, 0x21, 0];
    let body = [&[0][..], &step.repeat(430), &[0x20, 0, 0x0b]].concat();
    let mut code = leb128(functions);
    for _ in 0..functions {
        code.extend(leb128(body.len()));
        code.extend_from_slice(&body);
    }
    let mut module = b"\0asm\x01\0\0\0".to_vec();
    // All have the type (i32) -> i32.
    module.extend(section(1, &[1, 0x60, 1, 0x7f, 1, 0x7f]));
    module.extend(section(3, &[leb128(functions), vec![0; functions]].concat()));
    module.extend(section(10, &code));
    [component, &section(1, &module)].concat()
}

/// Returns the component with this number of instances of an empty core module.
pub fn with_instances(component: &[u8], count: usize) -> Vec<u8> {
    let payloads = Parser::new(0).parse_all(component);
    let index = payloads.filter(|payload| matches!(payload, Ok(Payload::ModuleSection { .. }))).count();
    let instance = [&[0][..], &leb128(index), &[0]].concat();
    let instances = [leb128(count), instance.repeat(count)].concat();
    [component, &section(1, b"\0asm\x01\0\0\0"), &section(2, &instances)].concat()
}

/// Returns a component that imports this number of functions.
pub fn importing(count: usize) -> Vec<u8> {
    let mut imports = leb128(count);
    for n in 0..count {
        let name = format!("import-{}-{n}", "x".repeat(100));
        imports.push(0);
        imports.extend(leb128(name.len()));
        imports.extend_from_slice(name.as_bytes());
        imports.extend_from_slice(&[1, 0]);
    }
    // One type: a function without parameters and results.
    [b"\0asm\x0d\0\x01\0", &section(7, &[1, 0x40, 0, 1, 0])[..], &section(10, &imports)].concat()
}

/// Returns a section of a module or component.
pub fn section(id: u8, content: &[u8]) -> Vec<u8> {
    [&[id], &leb128(content.len())[..], content].concat()
}

/// Returns a number as LEB128.
pub fn leb128(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number >= 0x80 {
        bytes.push(u8::try_from(number & 0x7f).unwrap() | 0x80);
        number >>= 7;
    }
    bytes.push(u8::try_from(number).unwrap());
    bytes
}

/// Returns the component as version 1.0.1.
pub fn newer(component: &[u8]) -> Vec<u8> {
    versioned(component, "1.0.1")
}

/// Returns the component with its version text replaced by one of the same length.
pub fn versioned(component: &[u8], version: &str) -> Vec<u8> {
    let mut next = component.to_vec();
    // The version of the contract, in the names of interfaces, is the same text after an `@`.
    let is_version = |at: &usize| next[*at..].starts_with(b"1.0.0") && next[*at - 1] != b'@';
    let at = (1..next.len()).find(is_version).expect("the version is in the component");
    next[at..at + 5].copy_from_slice(version.as_bytes());
    next
}

/// Uploads a component; returns its release.
pub async fn upload(rest: &Rest, component: Vec<u8>) -> Value {
    let request = rest.request(reqwest::Method::POST, "/v1/releases");
    let request = request.header("content-type", "application/wasm").body(component);
    rest.send(request).await.expect(201)["release"].clone()
}

/// Uploads and installs an example plugin; returns its installation. `how` is merged into the request.
pub async fn install(rest: &Rest, name: &str, how: Value) -> Value {
    install_component(rest, component(name), how).await
}

/// Does the same with version 1.0.1 of `hostile`, without its hook pricing: projects have no prices.
pub async fn install_hostile(rest: &Rest, how: Value) -> Value {
    install_component(rest, newer(&without_pricing(&component("hostile"))), how).await
}

/// Returns the component with its hook pricing renamed to an export that the host does not know.
pub fn without_pricing(component: &[u8]) -> Vec<u8> {
    let (own, other) = (b"tessera:plugin/pricing@", b"nothing:plugin/pricing@");
    let mut renamed = component.to_vec();
    let places: Vec<_> = (0..renamed.len()).filter(|at| renamed[*at..].starts_with(own)).collect();
    for at in places {
        renamed[at..at + own.len()].copy_from_slice(other);
    }
    renamed
}

async fn install_component(rest: &Rest, component: Vec<u8>, how: Value) -> Value {
    let release = upload(rest, component).await;
    let mut body = json!({"release": {"digest": release["digest"]}});
    body.as_object_mut().unwrap().extend(how.as_object().unwrap().clone());
    rest.post("/v1/installations", body).await.expect(201)["installation"].clone()
}
