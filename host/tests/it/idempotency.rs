//! A repeated command returns the first answer, over each transport and under concurrency.

use reqwest::Method;
use serde_json::{Value, json};
use tonic::Code;

use crate::harness::{Answer, Home, Host, Kind, ROOT_KEY, Rest};
use crate::tracker::count;

async fn post(rest: &Rest, path: &str, key: &str, body: &Value) -> Answer {
    rest.send(rest.request(Method::POST, path).header("idempotency-key", key).json(body)).await
}

fn is_replay(answer: &Answer) -> bool {
    answer.headers.get("idempotency-replayed").is_some_and(|value| value == "true")
}

async fn host(kind: Kind) -> (Home, Host, Rest) {
    let home = Home::new(kind).await;
    let host = Host::start(&home).await;
    let rest = host.rest();
    (home, host, rest)
}

#[tokio::test(flavor = "multi_thread")]
async fn repeated_key_returns_the_first_answer_and_refuses_another_body() {
    let (_home, _host, rest) = host(Kind::Memory).await;
    let project = rest.project("P").await;
    let body = json!({"project_id": project, "summary": "Once"});
    let first = post(&rest, "/v1/issues", "k", &body).await;
    let id = first.expect(201)["issue"]["issue_id"].as_str().unwrap().to_owned();
    assert!(!is_replay(&first));
    rest.patch(&format!("/v1/issues/{id}"), json!({"summary": "Changed since"})).await.expect(200);
    let again = post(&rest, "/v1/issues", "k", &body).await;
    assert_eq!(again.expect(201), &first.body, "the first answer, not the present state");
    assert!(is_replay(&again));
    let other = post(&rest, "/v1/issues", "k", &json!({"project_id": project, "summary": "Twice"})).await;
    assert_eq!(other.code(422), "IDEMPOTENCY_KEY_REUSED");
    assert_eq!(count(&rest, &project).await, 1);
    // Idempotency keys are separate for each principal.
    let admin = rest.with_key(Some(&rest.new_key(&["admin"], None).await));
    assert!(!is_replay(&post(&admin, "/v1/issues", "k", &body).await));
}

#[tokio::test(flavor = "multi_thread")]
async fn key_is_shared_by_rest_and_grpc() {
    let (_home, host, rest) = host(Kind::Memory).await;
    let first = post(&rest, "/v1/projects", "p", &json!({"name": "P", "description": "d"})).await;
    let grpc = host.grpc().await;
    let mut client =
        tessera_proto::project::v1::project_service_client::ProjectServiceClient::new(grpc.channel.clone());
    let request = |name: &str| {
        let message =
            tessera_proto::project::v1::CreateProjectRequest { name: name.into(), description: "d".into() };
        let mut request = tonic::Request::new(message);
        let metadata = request.metadata_mut();
        metadata.insert("authorization", format!("Bearer {ROOT_KEY}").parse().unwrap());
        metadata.insert("idempotency-key", "p".parse().unwrap());
        request
    };
    let again = client.create_project(request("P")).await.unwrap();
    assert_eq!(again.metadata().get("idempotency-replayed").unwrap(), "true");
    let id = again.into_inner().project.unwrap().project_id;
    assert_eq!(first.expect(201)["project"]["project_id"], json!(id));
    assert_eq!(client.create_project(request("Q")).await.unwrap_err().code(), Code::InvalidArgument);
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_are_not_replayed_and_secrets_are_shown_once() {
    let (_home, _host, rest) = host(Kind::Memory).await;
    let absent = json!({"project_id": uuid::Uuid::now_v7().to_string(), "summary": "x"});
    for _ in 0..2 {
        let refused = post(&rest, "/v1/issues", "r", &absent).await;
        assert_eq!(refused.code(422), "INVALID_ARGUMENT");
        assert!(!is_replay(&refused));
    }
    let body = json!({"name": "k", "roles": ["viewer"]});
    let first = post(&rest, "/v1/keys", "s", &body).await;
    assert!(first.expect(201)["secret"].as_str().unwrap().starts_with("tsk_"));
    let again = post(&rest, "/v1/keys", "s", &body).await;
    assert!(is_replay(&again));
    assert_eq!(again.body["key"], first.body["key"]);
    assert!(again.body["secret"].as_str().unwrap_or_default().is_empty(), "{:#}", again.body);
}

/// Sends fifty concurrent requests with one key: one effect, and one answer for all.
async fn fifty_at_once(clients: &[Rest]) {
    let project = clients[0].project("P").await;
    let body = json!({"project_id": project, "summary": "Once"});
    let tasks = (0..50).map(|n| {
        let (rest, body) = (clients[n % clients.len()].clone(), body.clone());
        tokio::spawn(async move { post(&rest, "/v1/issues", "fifty", &body).await })
    });
    let mut answers = Vec::new();
    for one in tasks.collect::<Vec<_>>() {
        answers.push(one.await.unwrap());
    }
    let created: Vec<_> = answers.iter().filter(|answer| answer.status == 201).collect();
    assert!(!created.is_empty());
    assert!(created.iter().all(|answer| answer.body == created[0].body));
    for answer in answers.iter().filter(|answer| answer.status != 201) {
        assert_eq!(answer.code(409), "IDEMPOTENCY_KEY_IN_FLIGHT");
    }
    assert_eq!(count(&clients[0], &project).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_concurrent_repeats_have_one_effect_on_sqlite() {
    let (_home, _host, rest) = host(Kind::Sqlite).await;
    fifty_at_once(&[rest]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_concurrent_repeats_have_one_effect_on_two_hosts() {
    let (home, _host, rest) = host(Kind::Postgres).await;
    let other = Host::start(&home).await;
    fifty_at_once(&[rest, other.rest()]).await;
}
