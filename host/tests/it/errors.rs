//! Malformed requests get a clear error and never a 5xx.

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Answer, Home, Host, Kind, Rest};

async fn memory() -> (Home, Host, Rest) {
    let home = Home::new(Kind::Memory).await;
    let host = Host::start(&home).await;
    let rest = host.rest();
    (home, host, rest)
}

async fn raw(rest: &Rest, kind: &str, body: Vec<u8>) -> Answer {
    rest.send(rest.request(Method::POST, "/v1/users").header("content-type", kind).body(body)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_before_the_handler_are_problems() {
    let (_home, _host, rest) = memory().await;
    let unknown = rest.get("/v1/nothing").await;
    assert_eq!(unknown.code(404), "ROUTE_NOT_FOUND");
    let kind = unknown.headers["content-type"].to_str().unwrap();
    assert_eq!(kind, "application/problem+json");
    let wrong = rest.delete("/v1/users").await;
    wrong.expect(405);
    assert!(wrong.headers["allow"].to_str().unwrap().contains("POST"));
    for (body, status) in [
        (&b""[..], 400),
        (b"{", 400),
        (b"[]", 400),
        (b"{\"first_name\": 1}", 400),
        (b"{\"nonsense\": true}", 400),
        (b"\xff\xfe", 400),
    ] {
        let answer = raw(&rest, "application/json", body.to_vec()).await;
        assert!(
            [400, 422].contains(&answer.status.as_u16()),
            "{status}: {} {:#}",
            answer.status,
            answer.body
        );
        assert!(
            answer.body["request_id"].is_string() && answer.body["code"].is_string(),
            "{:#}",
            answer.body
        );
    }
    raw(&rest, "text/plain", b"{}".to_vec()).await.expect(415);
}

/// Fills the parameters of a path with an id.
fn fill_path(path: &str) -> String {
    let parts = path.split('/').map(|part| match part.split_once('}') {
        Some((_, rest)) if part.starts_with('{') => format!("0192f3a4-5b6c-7d8e-9f00-112233445566{rest}"),
        _ => part.to_owned(),
    });
    parts.collect::<Vec<_>>().join("/")
}

/// Returns the members of an operation's body, by the OpenAPI description.
fn members(reference: &Value, operation: &Value) -> Vec<String> {
    let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
    let of = |place: &str| reference.pointer(place.trim_start_matches('#')).cloned().unwrap_or_default();
    let schema = schema["$ref"].as_str().map_or_else(|| schema.clone(), of);
    schema["properties"]
        .as_object()
        .map(|properties| properties.keys().cloned().collect())
        .unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_do_not_mention_internal_names() {
    let (_home, _host, rest) = memory().await;
    let reference = rest.get("/openapi.json").await.expect(200).clone();
    let mut checked = 0;
    for (path, operations) in reference["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            let method = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
            for member in members(&reference, operation) {
                for wrong in [json!([[[]]]), json!({"a": {"b": 1.5}}), json!(1e300), json!(true), json!("x")]
                {
                    let request =
                        rest.request(method.clone(), &fill_path(path)).json(&json!({&*member: wrong}));
                    let answer = rest.send(request).await;
                    assert!(answer.status.as_u16() < 500, "{method} {path} {member}: {:#}", answer.body);
                    if answer.status.as_u16() != 400 {
                        continue;
                    }
                    let detail = answer.body["detail"].as_str().unwrap();
                    let at = answer.body["violations"][0]["field"].as_str().unwrap();
                    if !at.starts_with(&*member) {
                        // The value was accepted; another field is missing.
                        continue;
                    }
                    for word in [
                        "struct ",
                        "enum ",
                        "i32",
                        "i64",
                        "u32",
                        "u64",
                        "sequence",
                        "a map",
                        "expected ",
                        " line ",
                    ] {
                        assert!(!detail.contains(word), "{method} {path} {member}: {detail}");
                    }
                    assert!(
                        detail.contains("expected") || detail.contains("must be"),
                        "{path} {member}: {detail}"
                    );
                    checked += 1;
                }
            }
        }
    }
    assert!(checked > 300, "{checked}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_is_bounded_in_size_and_depth() {
    let (_home, host, rest) = memory().await;
    let limit = 1024 * 1024;
    for (size, status) in [(limit, 422), (limit + 1, 413)] {
        let frame = r#"{"first_name":"","last_name":"L","email_address":"a@b.cd"}"#;
        let filled = frame.replacen("\"\"", &format!("\"{}\"", "x".repeat(size - frame.len())), 1);
        assert_eq!(filled.len(), size);
        raw(&rest, "application/json", filled.into_bytes()).await.expect(status);
    }
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    assert!(raw(&rest, "application/json", deep.into_bytes()).await.status.is_client_error());
    assert!(!host.log().contains("\"level\":\"ERROR\""), "{}", host.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn text_is_stored_verbatim_or_refused_by_field() {
    let (_home, _host, rest) = memory().await;
    let project = rest.project("P").await;
    for text in
        ["'; DROP TABLE issues; --", "<script>alert(1)</script>", "日本語 🎟️", "a\tb\nc", "%_\\", "\u{202e}x"]
    {
        let body = json!({"project_id": project, "summary": text});
        let answer = rest.post("/v1/issues", body).await;
        let id = answer.expect(201)["issue"]["issue_id"].as_str().unwrap().to_owned();
        assert_eq!(rest.get(&format!("/v1/issues/{id}")).await.expect(200)["issue"]["summary"], json!(text));
    }
    for text in ["a\0b", "\u{1b}[31m", "\u{7f}"] {
        let refused = rest.post("/v1/issues", json!({"project_id": project, "summary": text})).await;
        assert!(refused.status.is_client_error(), "{text:?}");
        assert_eq!(refused.body["violations"][0]["field"], "summary", "{:#}", refused.body);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn malformed_paths_and_queries_name_the_parameter() {
    let (_home, host, rest) = memory().await;
    for (path, field) in [
        ("/v1/issues/nonsense", "issue_id"),
        ("/v1/users/%00", "user_id"),
        ("/v1/issues?page_size=-1", "page_size"),
        ("/v1/issues?page_size=many", "page_size"),
        ("/v1/issues?filter=status", "filter"),
        ("/v1/issues?order_by=secret", "order_by"),
        ("/v1/issues?page_token=x", "page_token"),
        ("/v1/issues?filter=%00", "filter"),
        ("/v1/streams/facts?after=x", "after"),
    ] {
        let answer = rest.get(path).await;
        assert!([400, 422].contains(&answer.status.as_u16()), "{path}: {} {:#}", answer.status, answer.body);
        let text = answer.body.to_string();
        assert!(text.contains(field), "{path}: {text}");
    }
    let unknown = rest.get("/v1/issues?colour=red").await;
    assert!(
        unknown.status.is_client_error() && unknown.body.to_string().contains("colour"),
        "{:#}",
        unknown.body
    );
    assert!(!host.log().contains("panicked"), "{}", host.log());
    assert_eq!(rest.get("/livez").await.status, 200);
    let _: Value = rest.get("/v1/me").await.expect(200).clone();
}

#[tokio::test(flavor = "multi_thread")]
async fn refusal_without_reading_the_body_ends_the_connection_and_says_so() {
    let (_home, _host, rest) = memory().await;
    let upload = |rest: &Rest| {
        let request = rest.request(Method::POST, "/v1/releases").header("content-type", "application/wasm");
        request.body(vec![0; 100_000])
    };
    for _ in 0..20 {
        let refused = rest.send(upload(&rest.with_key(None))).await;
        refused.expect(401);
        assert_eq!(refused.headers["connection"], "close");
        // It does not go into the connection that ends.
        rest.send(upload(&rest)).await.expect(422);
    }
    let invalid = raw(&rest, "application/json", b"{".to_vec()).await;
    invalid.expect(400);
    assert!(!invalid.headers.contains_key("connection"), "the body was read: {:?}", invalid.headers);
}
