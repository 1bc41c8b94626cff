//! `/openapi.json` and `/docs`, from the binary alone.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use tessera_core::access::Operation;

use crate::tracker::memory;

const METHODS: [&str; 7] = ["get", "put", "post", "delete", "patch", "head", "options"];

/// The operations of a document: method, path and description.
fn operations(document: &Value) -> Vec<(&str, &str, &Value)> {
    let paths = document["paths"].as_object().unwrap();
    let all = paths.iter().flat_map(|(path, item)| {
        let members = item.as_object().unwrap().iter();
        members
            .filter(|(method, _)| METHODS.contains(&method.as_str()))
            .map(move |(method, operation)| (method.as_str(), path.as_str(), operation))
    });
    all.collect()
}

/// Every `$ref` in a document.
fn references<'a>(value: &'a Value, found: &mut BTreeSet<&'a str>) {
    match value {
        Value::Object(object) => {
            found.extend(object.get("$ref").and_then(Value::as_str));
            object.values().for_each(|value| references(value, found));
        }
        Value::Array(list) => list.iter().for_each(|value| references(value, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn description_lists_every_operation_and_resolves_references() {
    let (_home, _host, rest) = memory().await;
    let answer = rest.with_key(None).get("/openapi.json").await;
    let document = answer.expect(200);
    assert_eq!(answer.headers["content-type"], "application/json");
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1."), "{}", document["openapi"]);
    assert!(document["info"]["title"].is_string() && document["info"]["version"].is_string());

    let operations = operations(document);
    let mut ids = BTreeMap::new();
    for (method, path, operation) in &operations {
        let id = operation["operationId"].as_str().unwrap_or_else(|| panic!("{method} {path} has no id"));
        assert!(ids.insert(id, path).is_none(), "{id} twice");
    }
    for operation in Operation::ALL {
        assert!(ids.contains_key(operation.name()), "{} is not described", operation.name());
    }
    assert!(ids.values().all(|path| !path.starts_with("/api/")), "aliases are not described");

    let mut found = BTreeSet::new();
    references(document, &mut found);
    assert!(!found.is_empty());
    for reference in found {
        let pointer = reference.strip_prefix('#').unwrap_or_else(|| panic!("{reference} leads elsewhere"));
        assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_operation_describes_parameters_and_responses() {
    let (_home, _host, rest) = memory().await;
    let answer = rest.with_key(None).get("/openapi.json").await;
    let document = answer.expect(200);
    let open = ["/livez", "/readyz", "/health"];
    for (method, path, operation) in operations(document) {
        let at = format!("{method} {path}");
        assert!(operation["summary"].as_str().is_some_and(|text| !text.is_empty()), "{at}: no summary");
        let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
        let named: BTreeSet<_> = parameters
            .iter()
            .filter(|parameter| parameter["in"] == "path")
            .map(|parameter| parameter["name"].as_str().unwrap())
            .collect();
        let holes: BTreeSet<_> =
            path.split('{').skip(1).map(|part| part.split('}').next().unwrap()).collect();
        assert_eq!(named, holes, "{at}");
        assert!(
            parameters.iter().all(|parameter| parameter["description"].is_string()),
            "{at}: {parameters:#?}"
        );
        let responses = operation["responses"].as_object().unwrap();
        assert!(responses.keys().any(|status| status.starts_with('2')), "{at} never succeeds");
        if open.contains(&path) {
            continue;
        }
        assert!(!operation["security"].as_array().unwrap().is_empty(), "{at} needs no key");
        for status in ["401", "403", "404", "500"] {
            let body = &responses.get(status).unwrap_or_else(|| panic!("{at}: no {status}"))["content"];
            assert!(body["application/problem+json"].is_object(), "{at}: {status}");
        }
        if ["put", "patch"].contains(&method) {
            assert!(operation["requestBody"].is_object(), "{at} takes no body");
            assert!(parameters.iter().any(|parameter| parameter["name"] == "If-Match"), "{at}");
        }
        if method == "post" {
            assert!(parameters.iter().any(|parameter| parameter["name"] == "Idempotency-Key"), "{at}");
        }
    }
}

/// Returns the URLs that a page loads: each `src`, and the `href` of style sheets and icons.
fn loaded_urls(html: &str) -> Vec<String> {
    let mut found = Vec::new();
    for tag in
        html.split('<').filter(|tag| ["script", "link", "img", "iframe"].iter().any(|t| tag.starts_with(t)))
    {
        for name in ["src=\"", "href=\""] {
            let value =
                tag.split_once(name).and_then(|(_, rest)| rest.split_once('"')).map(|(value, _)| value);
            found.extend(value.map(str::to_owned));
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn documentation_pages_load_only_from_the_binary() {
    let (_home, host, rest) = memory().await;
    let nobody = rest.with_key(None);
    let page = nobody.request(reqwest::Method::GET, "/docs").send().await.unwrap();
    assert_eq!(page.status().as_u16(), 200);
    let headers = page.headers().clone();
    let base = page.url().clone();
    let html = page.text().await.unwrap();
    assert!(headers["content-type"].to_str().unwrap().starts_with("text/html"));
    assert_eq!(headers["x-content-type-options"], "nosniff");
    let policy = headers["content-security-policy"].to_str().unwrap();
    assert!(policy.contains("default-src 'self'"), "{policy}");
    assert!(!policy.contains("http:") && !policy.contains("https:") && !policy.contains('*'), "{policy}");

    let parts = loaded_urls(&html);
    assert!(parts.iter().any(|part| part.contains("swagger-ui")), "{html}");
    let mut scripts = 0;
    for part in parts {
        assert!(!part.contains("://") && !part.starts_with("//"), "{part} is loaded from elsewhere");
        if part.starts_with("data:") {
            continue;
        }
        let address = base.join(&part).unwrap();
        assert!(address.as_str().starts_with(&host.http));
        let response = nobody.client.get(address.clone()).send().await.unwrap();
        assert_eq!(response.status().as_u16(), 200, "{address}");
        let kind = response.headers()["content-type"].to_str().unwrap().to_owned();
        let text = response.bytes().await.unwrap();
        scripts += usize::from(kind.contains("javascript"));
        if part.contains("initializer") {
            let text = String::from_utf8_lossy(&text);
            assert!(text.contains("/openapi.json"), "{text}");
            assert!(!text.contains("http://") && !text.contains("https://"), "{text}");
        }
    }
    assert!(scripts >= 2, "the page has no scripts");
    // The policy forbids inline scripts, so the page must have none.
    for script in html.split("<script").skip(1) {
        let (tag, rest) = script.split_once('>').unwrap();
        let body = rest.split("</script>").next().unwrap().trim();
        assert!(tag.contains("src=") || body.is_empty() || policy.contains("script-src"), "{body}");
    }
}
