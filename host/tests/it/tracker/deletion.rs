//! Deletion and its effects on dependent objects.

use futures_util::{StreamExt as _, stream};
use serde_json::json;

use super::{all_pages, bring, done, issue, on, on_every_store, until};
use crate::harness::{Kind, Rest};

on_every_store! {
    project_is_deleted_with_all_issues_on_request
    the_issues_of_a_deleted_user_become_unassigned
    an_empty_project_is_deleted_while_others_write_to_it
}

const MANY: usize = 2_500;

async fn fill(rest: &Rest, project: &str, count: usize) -> Vec<String> {
    let creations = stream::iter(0..count).map(|n| {
        let (rest, project) = (rest.clone(), project.to_owned());
        async move { rest.issue(&project, &format!("{n}")).await }
    });
    creations.buffer_unordered(32).collect().await
}

async fn project_is_deleted_with_all_issues_on_request(kind: Kind) {
    let (_home, _host, rest) = on(kind).await;
    let (project, other) = (rest.project("Many").await, rest.project("Other").await);
    let ids = fill(&rest, &project, MANY).await;
    // A child in another project outlives its parent.
    let body = json!({"project_id": other, "summary": "child", "parent_id": ids[0]});
    let child = rest.post("/v1/issues", body).await;
    let child = child.expect(201)["issue"]["issue_id"].as_str().unwrap().to_owned();

    let path = format!("/v1/projects/{project}");
    let refused = rest.delete(&path).await;
    assert_eq!(refused.code(409), "PROJECT_NOT_EMPTY");
    assert!(refused.body["detail"].as_str().unwrap().contains("2500"), "{:#}", refused.body);
    assert_eq!(super::count(&rest, &project).await, MANY as u64);

    done(&rest.delete(&format!("{path}?delete_issues=true")).await);
    // The project and its issues are not found at once.
    assert_eq!(rest.get(&path).await.code(404), "PROJECT_NOT_FOUND");
    for id in [&ids[0], &ids[MANY / 2], &ids[MANY - 1]] {
        assert_eq!(rest.get(&format!("/v1/issues/{id}")).await.code(404), "ISSUE_NOT_FOUND");
        let patch = rest.patch(&format!("/v1/issues/{id}"), json!({"summary": "x"})).await;
        assert_eq!(patch.code(404), "ISSUE_NOT_FOUND");
    }
    let listed = all_pages(&rest, "/v1/issues", "issues", 1_000).await;
    assert_eq!(listed.len(), 1, "only the child is left");
    let make = rest.post("/v1/issues", json!({"project_id": project, "summary": "late"})).await;
    assert_eq!(super::faults(&make), ["project_id"]);

    // The issues are purged later, each with a fact.
    let filter = super::encode(&format!("type:issue.deleted project:{project}"));
    let audit = format!("/v1/audit?filter={filter}");
    let last = ids.iter().max().unwrap();
    until(&rest, &format!("/v1/issues/{last}/history"), |history| {
        history.body["facts"][0]["type"] == "issue.deleted"
    })
    .await;
    let mut purged = Vec::new();
    for _ in 0..500 {
        purged = all_pages(&rest, &audit, "facts", 200).await;
        if purged.len() >= MANY {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert_eq!(purged.len(), MANY);
    let deleted = rest.get("/v1/audit?filter=type:project.deleted").await;
    let cause = deleted.expect(200)["facts"][0]["id"].clone();
    assert!(purged.iter().all(|fact| fact["cause_id"] == cause && fact["transport"] == "internal"));
    assert_eq!(issue(&rest, &child).await["parent_id"], serde_json::Value::Null);
}

async fn the_issues_of_a_deleted_user_become_unassigned(kind: Kind) {
    let (_home, _host, rest) = on(kind).await;
    let project = rest.project("P").await;
    let ada = rest.user("ada@example.com").await;
    let key = rest.with_key(Some(&rest.new_key(&["agent"], Some(&ada)).await));
    let mut ids = Vec::new();
    for n in 0..5 {
        let id = rest.issue(&project, &format!("{n}")).await;
        done(&rest.post(&format!("/v1/issues/{id}:assign"), json!({"assignee_id": ada})).await);
        done(&key.post(&format!("/v1/issues/{id}/watchers"), json!({})).await);
        ids.push(id);
    }
    let refused = rest.with_key(Some(&rest.new_key(&["admin"], Some(&ada)).await));
    assert_eq!(refused.delete(&format!("/v1/users/{ada}")).await.code(409), "USER_IN_USE");
    done(&rest.delete(&format!("/v1/users/{ada}")).await);
    assert_eq!(rest.get(&format!("/v1/users/{ada}")).await.code(404), "USER_NOT_FOUND");
    assert_eq!(key.get("/v1/me").await.code(401), "UNAUTHENTICATED");
    for id in &ids {
        let path = format!("/v1/issues/{id}");
        let after = until(&rest, &path, |issue| issue.body["issue"]["assignee_id"].is_null()).await;
        // The assignee is removed, the status is kept.
        assert_eq!(after.body["issue"]["status"], "ASSIGNED");
        let history = rest.get(&format!("{path}/history")).await;
        let newest = &history.expect(200)["facts"][0];
        assert_eq!((&newest["actor"]["kind"], &newest["transport"]), (&json!("system"), &json!("internal")));
        until(&rest, &format!("{path}/watchers"), |watchers| watchers.body["user_ids"] == json!([])).await;
    }
    // The email address is free again.
    rest.user("ada@example.com").await;
}

/// An issue is created while its empty project is deleted: exactly one of both succeeds.
async fn an_empty_project_is_deleted_while_others_write_to_it(kind: Kind) {
    let (_home, _host, rest) = on(kind).await;
    for round in 0..10 {
        let project = rest.project("P").await;
        let body = json!({"project_id": project, "summary": "s"});
        let path = format!("/v1/projects/{project}");
        let (created, deleted) = tokio::join!(rest.post("/v1/issues", body), rest.delete(&path));
        let created = created.status.is_success();
        assert_ne!(created, deleted.status.is_success(), "round {round}: {:#}", deleted.body);
        let answer = rest.get(&path).await;
        assert_eq!(answer.status.is_success(), created);
        if created {
            assert_eq!(deleted.code(409), "PROJECT_NOT_EMPTY");
            assert_eq!(answer.body["project"]["issue_count"], 1);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_issue_is_gone_with_its_comments() {
    let (_home, _host, rest) = super::memory().await;
    let project = rest.project("P").await;
    let id = rest.issue(&project, "s").await;
    bring(&rest, &id, "CLOSED").await;
    done(&rest.post(&format!("/v1/issues/{id}/comments"), json!({"body": "b"})).await);
    let deleted = rest.delete(&format!("/v1/issues/{id}")).await;
    assert_eq!(done(&deleted)["issue"]["status"], "CLOSED");
    for path in ["", "/comments", "/links", "/watchers", "/transitions"] {
        assert_eq!(rest.get(&format!("/v1/issues/{id}{path}")).await.code(404), "ISSUE_NOT_FOUND");
    }
    assert_eq!(rest.delete(&format!("/v1/issues/{id}")).await.code(404), "ISSUE_NOT_FOUND");
    assert_eq!(super::count(&rest, &project).await, 0);
}
