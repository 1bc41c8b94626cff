//! The example plugins as components, and how a tenant gets one.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

/// Settings of required-fields that every issue of the benches meets.
pub(crate) const RULES_FOR_ALL: &str = r#"{"rules": [{"fields": ["description"]}]}"#;

/// Builds an example plugin.
pub(crate) fn component(binary: &Path, name: &str) -> Result<Vec<u8>> {
    let out = std::env::temp_dir().join(format!("tessera-bench-{name}-{}.wasm", std::process::id()));
    let folder = Path::new("plugins").join(name);
    let built =
        Command::new(binary).args(["plugin", "build"]).arg(&folder).arg("--out").arg(&out).status()?;
    ensure!(built.success(), "{} cannot be built", folder.display());
    let bytes = std::fs::read(&out)?;
    std::fs::remove_file(&out)?;
    Ok(bytes)
}

/// The same component with other bytes that mean nothing: another digest.
pub(crate) fn varied(component: &[u8], mark: u32) -> Vec<u8> {
    // A custom section: id 0, its size, the length of its name, its name, its bytes.
    let mark = mark.to_le_bytes();
    [component, &[0, 9, 4], b"mark", &mark].concat()
}

/// Who calls a host over REST.
#[derive(Clone)]
pub(crate) struct Caller {
    /// What it calls with.
    pub(crate) client: reqwest::Client,
    /// `http://127.0.0.1:…`
    pub(crate) http: String,
    /// Its key.
    pub(crate) key: String,
}

impl Caller {
    /// A caller with the key of an administrator of a new tenant; this one is an operator's.
    pub(crate) async fn tenant(&self, slug: &str) -> Result<Self> {
        self.post("/v1/tenants", &json!({"slug": slug, "name": slug})).await?;
        let key = json!({"name": "bench", "roles": ["admin"], "tenant": slug});
        let key = text(&self.post("/v1/keys", &key).await?, "/secret")?;
        Ok(Self { key, ..self.clone() })
    }

    /// Makes a project; its id.
    pub(crate) async fn project(&self) -> Result<String> {
        text(&self.post("/v1/projects", &json!({"name": "Bench"})).await?, "/project/project_id")
    }

    /// Posts a JSON text.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> Result<Value> {
        self.send(self.client.post(format!("{}{path}", self.http)).json(body)).await
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Result<Value> {
        let answer = request.bearer_auth(&self.key).send().await?;
        let (status, url) = (answer.status(), answer.url().clone());
        let body = answer.text().await?;
        ensure!(status.is_success(), "{url}: {status}: {body}");
        Ok(serde_json::from_str(&body)?)
    }
}

/// Uploads a component and installs it.
pub(crate) async fn install(caller: &Caller, component: &[u8], settings: &str) -> Result<()> {
    let request = caller.client.post(format!("{}/v1/releases", caller.http));
    let request = request.header("content-type", "application/wasm").body(component.to_vec());
    let release = caller.send(request).await?;
    let settings: Value = serde_json::from_str(settings)?;
    let body = json!({"release": {"digest": release["release"]["digest"]}, "settings": settings});
    caller.post("/v1/installations", &body).await?;
    Ok(())
}

fn text(answer: &Value, at: &str) -> Result<String> {
    Ok(answer.pointer(at).and_then(Value::as_str).with_context(|| format!("no {at} in {answer}"))?.to_owned())
}
