//! The example plugins as components, built once for all tests, as their authors would build them.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, OnceLock};

use serde_json::{Value, json};

use crate::harness::Rest;

type Held = Arc<OnceLock<Vec<u8>>>;

/// The component of an example plugin.
pub fn component(name: &str) -> Vec<u8> {
    static BUILT: Mutex<Option<HashMap<String, Held>>> = Mutex::new(None);
    let held = {
        let mut built = BUILT.lock().unwrap();
        Arc::clone(built.get_or_insert_default().entry(name.to_owned()).or_default())
    };
    held.get_or_init(|| build(name)).clone()
}

fn build(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins").join(name);
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

/// The same component with other bytes that mean nothing: another digest.
pub fn varied(component: &[u8], mark: &str) -> Vec<u8> {
    // A custom section: id 0, its size, the length of its name, its name, its bytes.
    let payload = [&[4][..], b"mark", mark.as_bytes()].concat();
    let size = u8::try_from(payload.len()).unwrap();
    assert!(size < 128);
    [component, &[0, size], &payload].concat()
}

/// The same component as another version of its plugin.
pub fn newer(component: &[u8]) -> Vec<u8> {
    versioned(component, "1.0.1")
}

/// The same component as that version of its plugin, of the same length, in the component's own text.
pub fn versioned(component: &[u8], version: &str) -> Vec<u8> {
    let mut next = component.to_vec();
    let at = next.windows(5).position(|held| held == b"1.0.0").expect("the version is in the component");
    next[at..at + 5].copy_from_slice(version.as_bytes());
    next
}

/// Uploads a component; its release.
pub async fn upload(rest: &Rest, component: Vec<u8>) -> Value {
    let request = rest.request(reqwest::Method::POST, "/v1/releases");
    let request = request.header("content-type", "application/wasm").body(component);
    rest.send(request).await.expect(201)["release"].clone()
}

/// Uploads an example plugin and installs it; its installation. `how` is merged into the request.
pub async fn install(rest: &Rest, name: &str, how: Value) -> Value {
    let release = upload(rest, component(name)).await;
    let mut body = json!({"release": {"digest": release["digest"]}});
    body.as_object_mut().unwrap().extend(how.as_object().unwrap().clone());
    rest.post("/v1/installations", body).await.expect(201)["installation"].clone()
}
