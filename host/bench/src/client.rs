//! A REST client of a host.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use crate::process::{Host, KEY};

/// A REST client with a key.
#[derive(Clone)]
pub(crate) struct RestClient {
    client: reqwest::Client,
    /// `http://127.0.0.1:…`
    base: String,
    key: String,
}

impl RestClient {
    /// Builds a client with the operator's key of a host.
    pub(crate) fn operator(host: &Host) -> Self {
        Self { client: reqwest::Client::new(), base: host.http.clone(), key: KEY.to_owned() }
    }

    /// Returns the same client with another key.
    pub(crate) fn with_key(&self, key: &str) -> Self {
        Self { key: key.to_owned(), ..self.clone() }
    }

    /// Returns the key.
    pub(crate) fn key(&self) -> &str {
        &self.key
    }

    /// Creates a tenant, and returns a client with the key of its administrator. Needs an operator's key.
    pub(crate) async fn create_tenant(&self, slug: &str) -> Result<Self> {
        self.post("/v1/tenants", &json!({"slug": slug, "name": slug})).await?;
        let request = json!({"name": "bench", "roles": ["admin"], "tenant": slug});
        let key = text_at(&self.post("/v1/keys", &request).await?, "/secret")?;
        Ok(self.with_key(&key))
    }

    /// Creates a project and returns its id.
    pub(crate) async fn create_project(&self) -> Result<String> {
        text_at(&self.post("/v1/projects", &json!({"name": "Bench"})).await?, "/project/project_id")
    }

    /// Uploads a component and installs it with these settings.
    pub(crate) async fn install(&self, component: &[u8], settings: &str) -> Result<()> {
        let request = self.client.post(self.url("/v1/releases"));
        let request = request.header("content-type", "application/wasm").body(component.to_vec());
        let release = self.send(request).await?;
        let settings: Value = serde_json::from_str(settings)?;
        let body = json!({"release": {"digest": release["release"]["digest"]}, "settings": settings});
        self.post("/v1/installations", &body).await?;
        Ok(())
    }

    /// Builds a GET request of a path.
    pub(crate) fn get(&self, path: &str) -> reqwest::RequestBuilder {
        self.client.get(self.url(path)).bearer_auth(&self.key)
    }

    /// Builds a GET request of a whole URL.
    pub(crate) fn get_url(&self, url: &str) -> reqwest::RequestBuilder {
        self.client.get(url).bearer_auth(&self.key)
    }

    /// Builds a POST request of a path.
    pub(crate) fn post_request(&self, path: &str, body: &Value) -> reqwest::RequestBuilder {
        self.client.post(self.url(path)).bearer_auth(&self.key).json(body)
    }

    /// Posts a body and returns the JSON of the response.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> Result<Value> {
        self.send(self.client.post(self.url(path)).json(body)).await
    }

    /// Returns the URL of a path.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Result<Value> {
        let response = request.bearer_auth(&self.key).send().await?;
        let (status, url) = (response.status(), response.url().clone());
        let body = response.text().await?;
        ensure!(status.is_success(), "{url}: {status}: {body}");
        Ok(serde_json::from_str(&body)?)
    }
}

/// Returns the text at a JSON pointer.
pub(crate) fn text_at(value: &Value, pointer: &str) -> Result<String> {
    let text = value.pointer(pointer).and_then(Value::as_str);
    Ok(text.with_context(|| format!("no {pointer} in {value}"))?.to_owned())
}

/// Adds a key to a gRPC request.
pub(crate) fn grpc_request<T>(message: T, key: &str) -> Result<tonic::Request<T>> {
    let mut request = tonic::Request::new(message);
    request.metadata_mut().insert("authorization", format!("Bearer {key}").parse()?);
    Ok(request)
}
