//! Entity tags, conditions, merge patches and replacements.

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use tessera_proto::issues::v1::UpdateIssueRequest;
use tessera_proto::issues::v1::issues_service_client::IssuesServiceClient;
use tonic_types::StatusExt as _;

use super::{done, faults, issue, memory, on, on_every_store};
use crate::harness::{Answer, Kind, Rest};

on_every_store! { one_of_many_concurrent_changes_of_a_version_wins }

async fn conditional(
    rest: &Rest,
    method: Method,
    path: &str,
    header: (&str, &str),
    body: Option<Value>,
) -> Answer {
    let request = rest.request(method, path).header(header.0, header.1);
    rest.send(if let Some(body) = body { request.json(&body) } else { request }).await
}

fn tag(answer: &Answer) -> String {
    answer
        .headers
        .get("etag")
        .unwrap_or_else(|| panic!("no entity tag: {answer:?}"))
        .to_str()
        .unwrap()
        .to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn versioned_objects_have_etags_and_answer_not_modified() {
    let (_home, _host, rest) = memory().await;
    let project = rest.project("P").await;
    let (id, user) = (rest.issue(&project, "s").await, rest.user("ada@example.com").await);
    let key = rest.get("/v1/me").await.expect(200)["key_id"].as_str().unwrap().to_owned();
    for path in [
        format!("/v1/issues/{id}"),
        format!("/v1/projects/{project}"),
        format!("/v1/projects/{project}/scheme"),
        format!("/v1/users/{user}"),
        format!("/v2/users/{user}"),
        "/v1/tenants/default".to_owned(),
        format!("/v1/keys/{key}"),
    ] {
        let etag = tag(&rest.get(&path).await);
        assert!(etag.starts_with('"') && etag.ends_with('"'), "{path}: {etag}");
        let again = conditional(&rest, Method::GET, &path, ("if-none-match", &etag), None).await;
        assert_eq!((again.status.as_u16(), &again.body), (304, &json!("")), "{path}");
        assert_eq!(tag(&again), etag);
        let several = format!("\"x\", W/{etag}");
        let again = conditional(&rest, Method::GET, &path, ("if-none-match", &several), None).await;
        assert_eq!(again.status.as_u16(), 304, "{path}");
        conditional(&rest, Method::GET, &path, ("if-none-match", "\"other\""), None).await.expect(200);
    }
    // The entity tag of a project changes with its issue count.
    let before = tag(&rest.get(&format!("/v1/projects/{project}")).await);
    rest.issue(&project, "t").await;
    assert_ne!(tag(&rest.get(&format!("/v1/projects/{project}")).await), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn stale_change_is_refused_without_effect() {
    let (_home, host, rest) = memory().await;
    let project = rest.project("P").await;
    let id = rest.issue(&project, "s").await;
    let other = rest.issue(&project, "o").await;
    let path = format!("/v1/issues/{id}");
    let old = tag(&rest.get(&path).await);
    let changed =
        conditional(&rest, Method::PATCH, &path, ("if-match", &old), Some(json!({"summary": "t"}))).await;
    assert_ne!(tag(&changed), old);
    done(&changed);
    let lost = json!({"summary": "u"});
    for tag in [old.as_str(), "\"99\"", "garbage", "\"\"", "W/\"2\""] {
        for (method, path, body) in [
            (Method::PATCH, path.clone(), Some(lost.clone())),
            (Method::DELETE, path.clone(), None),
            (Method::POST, format!("{path}:transition"), Some(json!({"status": "ASSIGNED"}))),
            (Method::POST, format!("{path}:assign"), Some(json!({"assignee_id": null}))),
            (Method::POST, format!("{path}/comments"), Some(json!({"body": "b"}))),
            (Method::POST, format!("{path}/watchers"), Some(json!({"user_id": id}))),
            (Method::POST, format!("{path}/links"), Some(json!({"kind": "relates", "other_id": other}))),
        ] {
            let refused = conditional(&rest, method.clone(), &path, ("if-match", tag), body).await;
            assert_eq!(refused.code(412), "VERSION_MISMATCH", "{method} {path} with {tag}");
        }
    }
    assert_eq!(issue(&rest, &id).await["summary"], "t");
    let list = "\"1\", garbage, \"2\"";
    done(&conditional(&rest, Method::PATCH, &path, ("if-match", list), Some(json!({"summary": "w"}))).await);
    assert_eq!(
        conditional(&rest, Method::PATCH, &path, ("if-match", list), Some(json!({"summary": "x"})))
            .await
            .code(412),
        "VERSION_MISMATCH"
    );
    done(&conditional(&rest, Method::PATCH, &path, ("if-match", "*"), Some(lost)).await);

    let client = host.grpc().await;
    let mut grpc = IssuesServiceClient::with_interceptor(client.channel.clone(), client);
    let with = |etag: &str| UpdateIssueRequest {
        issue_id: id.clone(),
        summary: "v".into(),
        etag: etag.into(),
        ..UpdateIssueRequest::default()
    };
    let refused = grpc.update_issue(with("1")).await.unwrap_err();
    assert_eq!(refused.code(), tonic::Code::Aborted);
    assert_eq!(refused.get_details_error_info().unwrap().reason, "VERSION_MISMATCH");
    grpc.update_issue(with("4")).await.unwrap();

    for path in [format!("/v1/projects/{project}"), format!("/v1/projects/{project}/scheme")] {
        let stale = conditional(&rest, Method::DELETE, &path, ("if-match", "\"7.1\""), None).await;
        assert_eq!(stale.code(412), "VERSION_MISMATCH");
    }
}

async fn one_of_many_concurrent_changes_of_a_version_wins(kind: Kind) {
    let (_home, _host, rest) = on(kind).await;
    let id = rest.issue(&rest.project("P").await, "s").await;
    let path = format!("/v1/issues/{id}");
    for round in 1..=5_u64 {
        let etag = format!("\"{round}\"");
        let tries = (0..16).map(|n| {
            let body = json!({"summary": format!("r{round}n{n}")});
            conditional(&rest, Method::PATCH, &path, ("if-match", &etag), Some(body))
        });
        let answers = join_all(tries).await;
        let winners: Vec<_> = answers.iter().filter(|answer| answer.status.is_success()).collect();
        assert_eq!(winners.len(), 1, "round {round}");
        for lost in answers.iter().filter(|answer| !answer.status.is_success()) {
            assert_eq!(lost.code(412), "VERSION_MISMATCH");
        }
        assert_eq!(issue(&rest, &id).await["summary"], winners[0].body["issue"]["summary"]);
    }
    // Changes without a version succeed one after the other.
    let tries = (0..16).map(|n| rest.patch(&path, json!({"description": format!("{n}")})));
    let answers = join_all(tries).await;
    let refused: Vec<_> = answers.iter().filter(|answer| !answer.status.is_success()).collect();
    for answer in &refused {
        assert_eq!(answer.code(409), "VERSION_MISMATCH", "only contention may refuse");
    }
    let version: u64 = issue(&rest, &id).await["etag"].as_str().unwrap().parse().unwrap();
    assert_eq!(version, 6 + 16 - refused.len() as u64);
}

#[tokio::test(flavor = "multi_thread")]
async fn merge_patch_changes_named_fields_and_clears_nulls() {
    let (_home, _host, rest) = memory().await;
    let project = rest.project("P").await;
    let user = rest.user("ada@example.com").await;
    let body = json!({
        "project_id": project, "summary": "s", "description": "d", "assignee_id": user, "labels": ["a"],
    });
    let issue = rest.post("/v1/issues", body).await.expect(201)["issue"].clone();
    let path = format!("/v1/issues/{}", issue["issue_id"].as_str().unwrap());
    let patched = done(&rest.patch(&path, json!({"priority": "MAJOR"})).await)["issue"].clone();
    for (name, value) in issue.as_object().unwrap() {
        let changes = ["priority", "etag", "modify_date"].contains(&name.as_str());
        assert!(changes || patched[name] == *value, "{name} changed");
    }
    let merge = rest
        .request(Method::PATCH, &path)
        .header("content-type", "application/merge-patch+json")
        .body(r#"{"description": null, "assignee_id": null}"#);
    let emptied = done(&rest.send(merge).await)["issue"].clone();
    assert_eq!((&emptied["description"], &emptied["assignee_id"]), (&Value::Null, &Value::Null));
    for (name, at) in
        [("summary", "summary"), ("status", "status"), ("type", "type"), ("priority", "priority")]
    {
        assert_eq!(faults(&rest.patch(&path, json!({name: null})).await), [at]);
    }
    assert_eq!(rest.patch(&path, json!({"sumary": "x"})).await.code(400), "INVALID_ARGUMENT");
    let empty = rest.patch(&path, json!({})).await;
    assert_eq!(done(&empty)["issue"]["etag"], emptied["etag"], "an empty patch changes nothing");

    let path = format!("/v1/projects/{project}");
    done(&rest.patch(&path, json!({"description": "d"})).await);
    let emptied = rest.patch(&path, json!({"description": null})).await;
    assert_eq!(
        (&done(&emptied)["project"]["description"], &emptied.body["project"]["name"]),
        (&json!(""), &json!("P"))
    );
    assert_eq!(faults(&rest.patch(&path, json!({"name": null})).await), ["name"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_put_replaces_the_whole() {
    let (_home, _host, rest) = memory().await;
    let project = rest.project("P").await;
    let path = format!("/v1/projects/{project}");
    done(&rest.patch(&path, json!({"description": "d"})).await);
    let replaced = rest.put(&path, json!({"name": "Q"})).await;
    let replaced = &done(&replaced)["project"];
    assert_eq!((&replaced["name"], &replaced["description"]), (&json!("Q"), &json!("")));
    assert_eq!(faults(&rest.put(&path, json!({"description": "d"})).await), ["name"]);

    let user = rest.user("ada@example.com").await;
    let path = format!("/v1/users/{user}");
    assert_eq!(faults(&rest.put(&path, json!({"first_name": "Ada"})).await), ["last_name", "email_address"]);
    let whole = json!({"first_name": "A", "last_name": "L", "email_address": "a@example.com"});
    assert_eq!(done(&rest.put(&path, whole).await)["user"]["email_address"], "a@example.com");

    let body = json!({"project_id": project, "summary": "s", "description": "d", "assignee_id": user, "labels": ["a"]});
    let answer = rest.post("/v1/issues", body).await;
    let path = format!("/v1/issues/{}", answer.expect(201)["issue"]["issue_id"].as_str().unwrap());
    let whole = json!({"summary": "t", "status": "ASSIGNED", "type": "FEATURE", "priority": "MAJOR"});
    let replaced = done(&rest.put(&path, whole).await)["issue"].clone();
    assert_eq!((&replaced["description"], &replaced["assignee_id"]), (&Value::Null, &Value::Null));
    assert_eq!(replaced["labels"], json!(["a"]), "labels have paths of their own");
    let bare = rest.put(&path, json!({"description": "only"})).await;
    let missing = faults(&bare);
    for field in ["status", "type", "priority"] {
        assert!(missing.contains(&field.to_owned()), "{missing:?}");
    }
    let nameless = json!({"status": "NEW", "type": "FEATURE", "priority": "MAJOR"});
    assert_eq!(faults(&rest.put(&path, nameless).await), ["summary"]);
}
