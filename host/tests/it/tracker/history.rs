//! An issue's history: actor, time, old and new values, transport, in order of versions.

use serde_json::{Value, json};
use tessera_proto::issues::v1::issues_service_client::IssuesServiceClient;
use tessera_proto::issues::v1::{ListHistoryRequest, UpdateIssueRequest};

use super::{all_pages, done, on, on_every_store};
use crate::harness::Kind;

on_every_store! { history_shows_actor_time_values_and_transport }

fn change<'a>(fact: &'a Value, field: &str) -> &'a Value {
    let changes = fact["changes"].as_array().unwrap();
    changes.iter().find(|change| change["field"] == field).unwrap_or_else(|| panic!("no {field} in {fact:#}"))
}

async fn history_shows_actor_time_values_and_transport(kind: Kind) {
    let (_home, host, admin) = on(kind).await;
    let ada = admin.user("ada@example.com").await;
    let rest = admin.with_key(Some(&admin.new_key(&["agent"], Some(&ada)).await));
    let me = rest.get("/v1/me").await.expect(200).clone();
    let project = admin.project("P").await;
    let body = json!({"project_id": project, "summary": "one", "labels": ["a"]});
    let request =
        rest.request(reqwest::Method::POST, "/v1/issues").json(&body).header("x-request-id", "made-by-ada");
    let issue = rest.send(request).await.expect(201)["issue"].clone();
    let id = issue["issue_id"].as_str().unwrap().to_owned();

    let client = host.grpc().await;
    let mut grpc = IssuesServiceClient::with_interceptor(client.channel.clone(), client);
    let update =
        UpdateIssueRequest { issue_id: id.clone(), summary: "two".into(), ..UpdateIssueRequest::default() };
    grpc.update_issue(update).await.unwrap();
    done(&rest.post(&format!("/v1/issues/{id}:assign"), json!({"assignee_id": "me"})).await);
    done(&rest.post(&format!("/v1/issues/{id}/comments"), json!({"body": "hello"})).await);
    done(&rest.post(&format!("/v1/issues/{id}/watchers"), json!({})).await);
    let other = rest.issue(&project, "other").await;
    done(&rest.post(&format!("/v1/issues/{id}/links"), json!({"kind": "blocks", "other_id": other})).await);
    // A change without effect makes no entry.
    done(&rest.patch(&format!("/v1/issues/{id}"), json!({"summary": "two"})).await);

    let path = format!("/v1/issues/{id}/history");
    let facts = all_pages(&rest, &path, "facts", 2).await;
    let versions: Vec<_> = facts.iter().map(|fact| fact["object_version"].as_u64().unwrap()).collect();
    assert_eq!(versions, [6, 5, 4, 3, 2, 1], "newest first, every version once");
    let types: Vec<_> = facts.iter().map(|fact| fact["type"].as_str().unwrap()).collect();
    assert_eq!(
        types,
        [
            "issue.linked",
            "issue.watched",
            "issue.commented",
            "issue.updated",
            "issue.updated",
            "issue.created"
        ]
    );
    let [.., assigned, renamed, created] = &facts[..] else { panic!() };
    assert_eq!(created["request_id"], "made-by-ada");
    assert_eq!(created["transport"], "rest");
    assert_eq!(created["actor"]["kind"], "key");
    assert_eq!((&created["actor"]["id"], &created["actor"]["user_id"]), (&me["key_id"], &json!(ada)));
    assert_eq!((&created["object_kind"], &created["object_id"]), (&json!("issue"), &json!(id)));
    assert_eq!(created["project_id"], project);
    assert_eq!(created["at"], issue["create_date"]);
    assert_eq!(change(created, "status"), &json!({"field": "status", "before": null, "after": "NEW"}));
    assert_eq!(change(created, "labels")["after"], json!(["a"]));
    assert_eq!((&renamed["transport"], &renamed["actor"]["id"]), (&json!("grpc"), &json!("root")));
    assert_eq!(renamed["changes"], json!([{"field": "summary", "before": "one", "after": "two"}]));
    assert_eq!(
        change(assigned, "assignee_id"),
        &json!({"field": "assignee_id", "before": null, "after": ada})
    );
    assert_eq!(change(assigned, "status"), &json!({"field": "status", "before": "NEW", "after": "ASSIGNED"}));
    let times: Vec<_> = facts.iter().map(|fact| fact["at"].as_str().unwrap().to_owned()).collect();
    assert!(times.iter().all(|at| at.ends_with('Z') || at.contains('+')), "{times:?}");

    // The same over gRPC.
    let request = ListHistoryRequest { issue_id: id.clone(), page_size: 200, page_token: String::new() };
    let grpc_facts = grpc.list_history(request).await.unwrap().into_inner().facts;
    let ids = |fact: &Value| fact["id"].as_str().unwrap().to_owned();
    assert_eq!(
        grpc_facts.iter().map(|fact| fact.id.clone()).collect::<Vec<_>>(),
        facts.iter().map(ids).collect::<Vec<_>>()
    );
    assert_eq!(grpc_facts[4].transport, "grpc");

    // The history of a deleted issue is readable by admins only.
    done(&rest.delete(&format!("/v1/issues/{id}")).await);
    assert_eq!(rest.get(&path).await.code(404), "ISSUE_NOT_FOUND");
    let gone = all_pages(&admin, &path, "facts", 200).await;
    assert_eq!(
        (gone[0]["type"].clone(), gone[0]["object_version"].clone()),
        (json!("issue.deleted"), json!(7))
    );
    assert_eq!(gone.len(), 7);
}
