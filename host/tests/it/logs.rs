//! The log of a run: one line for each request, and no secrets.

use std::collections::BTreeMap;
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use sqlx::{ConnectOptions as _, Connection as _};
use tessera_proto::facts::v1::StreamFactsRequest;
use tessera_proto::facts::v1::facts_service_client::FactsServiceClient;
use tessera_proto::tenancy::v1::WhoAmIRequest;
use tessera_proto::tenancy::v1::key_service_client::KeyServiceClient;
use tonic_types::StatusExt as _;

use crate::harness::{Grpc, Home, Host, Kind, ROOT_KEY, Rest};
use crate::tracker::{done, memory, on_every_store};

on_every_store! { each_request_is_logged_once_without_secrets }

const SECRET: &str = "the secret of this run, which nobody may read";

/// Parses the log: each line is JSON.
fn lines(log: &str) -> Vec<Value> {
    let read = |line: &str| serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}"));
    log.lines().map(read).collect()
}

/// Texts that must not be logged, with their descriptions.
#[derive(Default)]
struct Secrets(BTreeMap<String, &'static str>);

impl Secrets {
    fn key(&mut self, key: &str) -> String {
        self.0.insert(key.rsplit('_').next().unwrap().to_owned(), "the secret of a key");
        key.to_owned()
    }

    fn add(&mut self, text: &str, what: &'static str) -> String {
        self.0.insert(text.to_owned(), what);
        text.to_owned()
    }

    fn check(&self, text: &str) {
        for line in text.lines() {
            for (secret, what) in &self.0 {
                assert!(!line.contains(secret), "{what}: {line}");
            }
            let lower = line.to_lowercase();
            assert!(!lower.contains("@example.com"), "an address: {line}");
            assert!(!lower.contains("bearer tsk"), "a header: {line}");
            assert!(!lower.contains("authorization\":"), "a header: {line}");
        }
    }
}

async fn each_request_is_logged_once_without_secrets(kind: Kind) {
    let home = Home::new(kind).await;
    let mut secrets = Secrets::default();
    secrets.key(ROOT_KEY);
    secrets.add(SECRET, "the host's secret");
    if let Some(url) = home.database_url() {
        secrets.add(&url, "the database's address");
    }
    let mut host = Host::start_with(&home, &[("TESSERA_SECRET_KEY", SECRET), ("LOG_FORMAT", "json")]).await;
    secrets.check(&host.greeting);
    let ids = script(&host, &mut secrets).await;
    host.terminate();
    let status = tokio::task::block_in_place(|| host.wait(Duration::from_secs(12)));
    assert_eq!(status.code(), Some(0));
    let log = host.log();
    secrets.check(&log);

    let lines = lines(&log);
    for line in &lines {
        for name in ["timestamp", "level", "target", "message"] {
            assert!(line[name].is_string(), "no {name}: {line}");
        }
    }
    for id in &ids {
        let entries: Vec<_> =
            lines.iter().filter(|line| line["message"] == "request" && line["request_id"] == **id).collect();
        assert_eq!(entries.len(), 1, "{id}: {entries:?}");
        assert!(entries[0]["ms"].is_u64(), "{}", entries[0]);
    }
    assert!(lines.iter().all(|line| line["level"] != "ERROR"), "{log}");
}

/// A client that gives each request its own id.
struct Caller<'a> {
    rest: &'a Rest,
    ids: Vec<String>,
}

impl Caller<'_> {
    async fn call(&mut self, key: Option<&str>, method: Method, path: &str, body: Option<Value>) -> Value {
        let id = format!("run-{}", self.ids.len());
        let request = self.rest.with_key(key).request(method, path).header("x-request-id", &id);
        let request = if let Some(body) = body { request.json(&body) } else { request };
        let answer = self.rest.send(request).await;
        assert_eq!(answer.headers["x-request-id"], *id);
        assert!(!answer.status.is_server_error(), "{path}: {:#}", answer.body);
        self.ids.push(id);
        answer.body
    }
}

/// Calls operations with secrets and personal data; returns the ids of all requests.
async fn script(host: &Host, secrets: &mut Secrets) -> Vec<String> {
    let rest = host.rest();
    let root = Some(ROOT_KEY);
    let mut run = Caller { rest: &rest, ids: Vec::new() };
    let post = Method::POST;
    let ada =
        json!({"first_name": "Augusta-Ada", "last_name": "King-Noel", "email_address": "ada@example.com"});
    secrets.add("Augusta-Ada", "a name");
    let user = run.call(root, post.clone(), "/v1/users", Some(ada.clone())).await["user"]["user_id"].clone();
    run.call(root, post.clone(), "/v1/users", Some(ada)).await;
    let twisted = json!({"first_name": "x", "last_name": "", "email_address": "not an address@example.com"});
    run.call(root, post.clone(), "/v1/users", Some(twisted)).await;
    let search = "/v2/users:search?query=ada%40example.com";
    run.call(root, Method::GET, search, None).await;
    run.call(root, Method::GET, "/v1/users?filter=email%3Aada%40example.com", None).await;
    let body = json!({"name": "k", "roles": ["agent"], "user_id": user});
    let key =
        run.call(root, post.clone(), "/v1/keys", Some(body)).await["secret"].as_str().unwrap().to_owned();
    let key = secrets.key(&key);
    let wrong = secrets.key(&format!("tsk_{}_{}", key.split('_').nth(1).unwrap(), "ab".repeat(32)));
    run.call(Some(&wrong), Method::GET, "/v1/me", None).await;
    let rubbish = secrets.add("not-even-a-key-4711", "what was sent as a key");
    run.call(Some(&rubbish), Method::GET, "/v1/me", None).await;
    run.call(None, Method::GET, "/v1/me", None).await;
    let in_path = secrets.add("tsk_path_00ff00ff00ff00ff00ff00ff00ff00ff", "a key in a path");
    run.call(root, Method::GET, &format!("/v1/keys/{in_path}"), None).await;
    run.call(root, Method::GET, &format!("/nowhere/{in_path}?key={in_path}"), None).await;

    let project = run.call(root, post.clone(), "/v1/projects", Some(json!({"name": "P"}))).await;
    let project = project["project"]["project_id"].as_str().unwrap().to_owned();
    secrets.add("a confidential summary", "what an issue says");
    let body = json!({"project_id": project, "summary": "a confidential summary", "assignee_id": user});
    let issue = run.call(Some(&key), post.clone(), "/v1/issues", Some(body)).await;
    let issue = format!("/v1/issues/{}", issue["issue"]["issue_id"].as_str().unwrap());
    secrets.add("between you and me", "what a comment says");
    let body = json!({"body": "between you and me, write to ada@example.com"});
    run.call(Some(&key), post.clone(), &format!("{issue}/comments"), Some(body)).await;
    run.call(Some(&key), post.clone(), &format!("{issue}:transition"), Some(json!({"status": "CLOSED"})))
        .await;
    run.call(Some(&key), Method::DELETE, &format!("/v1/users/{}", user.as_str().unwrap()), None).await;
    run.call(root, Method::PATCH, &issue, Some(json!("between you and me"))).await;

    let token = run.call(Some(&key), post.clone(), "/v1/streams/token", None).await;
    let token = secrets.add(token["token"].as_str().unwrap(), "a stream token");
    let request = rest.with_key(None).request(Method::GET, &format!("/v1/streams/facts?token={token}"));
    let stream = request.header("x-request-id", "run-stream").send().await.unwrap();
    assert_eq!(stream.status().as_u16(), 200);
    run.ids.push("run-stream".into());

    over_grpc(host.grpc().await.with_key(Some(&key)), &mut run.ids).await;
    over_grpc(host.grpc().await.with_key(Some(&wrong)), &mut run.ids).await;
    over_grpc(host.grpc().await.with_key(None), &mut run.ids).await;
    run.call(root, post, &format!("/v1/keys/{}:revoke", key.split('_').nth(1).unwrap()), None).await;
    run.call(Some(&key), Method::GET, "/v1/me", None).await;
    drop(stream);
    run.ids
}

async fn over_grpc(grpc: Grpc, ids: &mut Vec<String>) {
    let named = |id: &str| {
        let mut request = tonic::Request::new(WhoAmIRequest {});
        request.metadata_mut().insert("x-request-id", id.parse().unwrap());
        request
    };
    let id = format!("grpc-{}", ids.len());
    let mut keys = KeyServiceClient::with_interceptor(grpc.channel.clone(), grpc.clone());
    match keys.who_am_i(named(&id)).await {
        Ok(answer) => assert_eq!(answer.metadata().get("x-request-id").unwrap(), id.as_str()),
        Err(status) => assert_eq!(status.code(), tonic::Code::Unauthenticated),
    }
    ids.push(id);
    let id = format!("grpc-{}", ids.len());
    let mut facts = FactsServiceClient::with_interceptor(grpc.channel.clone(), grpc);
    let stream = facts.stream_facts(named(&id).map(|_| StreamFactsRequest::default())).await;
    drop(stream);
    ids.push(id);
}

#[tokio::test(flavor = "multi_thread")]
async fn request_id_is_kept_or_generated() {
    let (_home, host, rest) = memory().await;
    let echo = async |headers: &[(&str, &str)]| {
        let request = rest.request(Method::GET, "/v1/nowhere");
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        let answer = rest.send(request).await;
        let id = answer.headers["x-request-id"].to_str().unwrap().to_owned();
        assert_eq!(answer.body["request_id"], id, "the problem names it too");
        id
    };
    assert_eq!(echo(&[("x-request-id", "my-own/id:7")]).await, "my-own/id:7");
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    assert_eq!(echo(&[("traceparent", trace)]).await, "4bf92f3577b34da6a3ce929d0e0e4736");
    assert_eq!(echo(&[("traceparent", trace), ("x-request-id", "mine")]).await, "mine");
    let (one, other) = (echo(&[]).await, echo(&[]).await);
    assert!(uuid::Uuid::try_parse(&one).is_ok() && one != other);
    for bad in ["two words", &"x".repeat(129), ""] {
        assert!(uuid::Uuid::try_parse(&echo(&[("x-request-id", bad)]).await).is_ok(), "{bad}");
    }
    let grpc = host.grpc().await.with_key(None);
    let mut keys = KeyServiceClient::with_interceptor(grpc.channel.clone(), grpc);
    let mut request = tonic::Request::new(WhoAmIRequest {});
    request.metadata_mut().insert("x-request-id", "over-grpc".parse().unwrap());
    let refused = keys.who_am_i(request).await.unwrap_err();
    assert_eq!(refused.metadata().get("x-request-id").unwrap(), "over-grpc");
    assert_eq!(refused.get_details_error_info().unwrap().metadata["request_id"], "over-grpc");
}

/// A database error is logged with its cause; the client gets only the request id.
#[tokio::test(flavor = "multi_thread")]
async fn internal_error_is_logged_and_hidden_from_the_client() {
    let home = Home::new(Kind::Postgres).await;
    let host = Host::start_with(&home, &[("LOG_FORMAT", "json")]).await;
    let rest = host.rest();
    let issue = rest.issue(&rest.project("P").await, "s").await;
    let options: sqlx::postgres::PgConnectOptions = home.database_url().unwrap().parse().unwrap();
    let mut connection = options.connect().await.unwrap();
    sqlx::raw_sql("DROP TABLE comments CASCADE").execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();

    let path = format!("/v1/issues/{issue}/comments");
    let request = rest.request(Method::GET, &path).header("x-request-id", "broken");
    let answer = rest.send(request).await;
    assert_eq!(answer.code(500), "INTERNAL");
    assert_eq!(answer.body["request_id"], "broken");
    let text = answer.body.to_string();
    for inside in ["relation", "sqlx", "SELECT", "does not exist", ".rs", "panicked"] {
        assert!(!text.contains(inside), "{text}");
    }
    let lines = lines(&host.log());
    let error = lines.iter().find(|line| line["level"] == "ERROR" && line["request_id"] == "broken");
    let error = error.expect("the error is not logged");
    let places = error["backtrace"].as_str().expect("no backtrace");
    assert!(places.contains("tessera_core::error") && places.contains("comments"), "{places}");
    let error = error.to_string();
    assert!(error.contains("relation") && error.contains("does not exist"), "{error}");
    // The host still works.
    done(&rest.get(&format!("/v1/issues/{issue}")).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn log_level_filters_lines() {
    let home = Home::new(Kind::Memory).await;
    let host = Host::start_with(&home, &[("LOG_LEVEL", "warn")]).await;
    host.rest().get("/v1/me").await.expect(200);
    assert!(!host.log().contains("\"request\""), "{}", host.log());
    let host = Host::start_with(&home, &[("LOG_LEVEL", "info"), ("LOG_FORMAT", "pretty")]).await;
    host.rest().get("/v1/me").await.expect(200);
    assert!(
        host.log().lines().any(|line| line.contains("request") && line.contains("/v1/me")),
        "{}",
        host.log()
    );
    assert!(serde_json::from_str::<Value>(host.log().lines().next().unwrap()).is_err());
}
