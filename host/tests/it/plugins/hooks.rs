//! Hooks in the tracker: validations, workflow effects, and their limits.

use serde_json::{Value, json};
use tessera_proto::issues::v1::CreateIssueRequest;
use tessera_proto::issues::v1::issues_service_client::IssuesServiceClient;
use tonic_types::StatusExt as _;

use super::{component, install, install_hostile, upload};
use crate::harness::{Kind, Rest};
use crate::tracker::{all_pages, count, done, faults, found, issue, memory, on, on_every_store};

on_every_store! {
    refusals_of_all_plugins_are_returned_and_nothing_is_stored
    effects_are_history_entries_of_one_transaction
    invalid_effect_refuses_the_whole_command
}

fn rules(field: &str) -> Value {
    json!({"rules": [{"fields": [field]}]})
}

async fn hostile(rest: &Rest, settings: Value, more: Value) -> Value {
    let mut how = json!({"settings": settings});
    how.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    install_hostile(rest, how).await
}

async fn refusals_of_all_plugins_are_returned_and_nothing_is_stored(kind: Kind) {
    let (_home, host, rest) = on(kind).await;
    let project = rest.project("P").await;
    install(&rest, "required-fields", json!({"settings": rules("description")})).await;
    install(&rest, "text-policy", json!({"settings": {"min_summary": 5}, "project_id": project})).await;
    let body = json!({"project_id": project, "summary": "Oil"});
    let refused = rest.post("/v1/issues", body.clone()).await;
    assert_eq!(refused.code(422), "FIELD_REQUIRED", "the first one's code");
    let violations: Vec<_> = refused.body["violations"].as_array().unwrap().iter().collect();
    let plugins: Vec<_> = violations.iter().map(|violation| violation["plugin"].as_str().unwrap()).collect();
    assert_eq!(plugins, ["required-fields", "text-policy"]);
    assert_eq!(
        (&violations[1]["field"], &violations[1]["code"]),
        (&json!("summary"), &json!("SUMMARY_TOO_SHORT"))
    );

    let grpc = host.grpc().await;
    let mut client = IssuesServiceClient::with_interceptor(grpc.channel.clone(), grpc);
    let message = CreateIssueRequest {
        project_id: project.clone(),
        summary: "Oil".into(),
        ..CreateIssueRequest::default()
    };
    let status = client.create_issue(message).await.unwrap_err();
    assert_eq!(status.code(), tonic::Code::FailedPrecondition);
    let bad = status.get_details_bad_request().unwrap().field_violations;
    assert!(
        bad.len() == 2 && bad[1].field == "summary" && bad[1].description.contains("text-policy"),
        "{bad:?}"
    );

    assert_eq!(count(&rest, &project).await, 0);
    let facts = all_pages(&rest, "/v1/audit?filter=type:issue.*", "facts", 50).await;
    assert!(facts.is_empty(), "{facts:?}");
    // In another project only the rule of the whole tenant applies.
    let other = rest.project("Q").await;
    let body = json!({"project_id": other, "summary": "Oil", "description": "d"});
    let answer = rest.post("/v1/issues", body).await;
    let id = answer.expect(201)["issue"]["issue_id"].as_str().unwrap().to_owned();
    let path = format!("/v1/issues/{id}");
    assert_eq!(rest.patch(&path, json!({"description": null})).await.code(422), "FIELD_REQUIRED");
    done(&rest.delete(&path).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn projects_users_and_comments_are_validated() {
    let (_home, _host, rest) = memory().await;
    let project = rest.project("P").await;
    let id = rest.issue(&project, "Fine").await;
    install(&rest, "text-policy", json!({"settings": {"banned": ["asap"]}})).await;
    let refused = rest.post(&format!("/v1/issues/{id}/comments"), json!({"body": "Do it ASAP"})).await;
    assert_eq!((refused.code(422), &refused.body["violations"][0]["field"]), ("WORD_BANNED", &json!("body")));
    // This plugin validates all kinds and refuses.
    hostile(&rest, json!({"act": "residue"}), json!({})).await;
    assert_eq!(rest.post("/v1/projects", json!({"name": "Q"})).await.code(422), "RUNS");
    let ada = json!({"first_name": "Ada", "last_name": "L", "email_address": "ada@example.com"});
    assert_eq!(rest.post("/v1/users", ada).await.code(422), "RUNS");
    assert_eq!(rest.delete(&format!("/v1/issues/{id}")).await.code(422), "RUNS");
    // Each call has its own instance, so no state is left from the call before.
    for _ in 0..3 {
        let refused = rest.patch(&format!("/v1/projects/{project}"), json!({"name": "R"})).await;
        assert_eq!(refused.body["violations"][0]["message"], "1");
    }
}

async fn effects_are_history_entries_of_one_transaction(kind: Kind) {
    let (_home, _host, rest) = on(kind).await;
    let project = rest.project("P").await;
    let installed = install(&rest, "issue-lifecycle", json!({"project_id": project})).await;
    let user = rest.user("ada@example.com").await;
    let id = rest.issue(&project, "s").await;
    let answer = rest.post(&format!("/v1/issues/{id}:assign"), json!({"assignee_id": user})).await;
    let issue = &answer.expect(200)["issue"];
    assert_eq!((&issue["status"], &issue["etag"]), (&json!("ASSIGNED"), &json!("3")));
    let history = rest.get(&format!("/v1/issues/{id}/history")).await;
    let facts = history.expect(200)["facts"].as_array().unwrap().clone();
    assert_eq!(facts.len(), 3, "{facts:#?}");
    let (effect, cause) = (&facts[0], &facts[1]);
    assert_eq!(effect["release"], "issue-lifecycle@1.0.0");
    assert_eq!(effect["cause_id"], cause["id"]);
    assert_eq!(effect["actor"]["kind"], "plugin");
    assert_eq!(effect["actor"]["id"], installed["installation_id"]);
    assert_eq!(effect["changes"][0]["field"], "status");
    assert_eq!(cause["changes"][0]["field"], "assignee_id");
    assert!(cause["release"].is_null() && cause["actor"]["kind"] == "key", "{cause:#}");
}

async fn invalid_effect_refuses_the_whole_command(kind: Kind) {
    let (_home, _host, rest) = on(kind).await;
    let project = rest.project("P").await;
    let id = rest.issue(&project, "s").await;
    let installed = hostile(&rest, json!({}), json!({"project_id": project})).await;
    let path = format!("/v1/installations/{}", installed["installation_id"].as_str().unwrap());
    for (act, reason, detail) in [
        ("not-granted", "PLUGIN_BAD_EFFECT", "notice:create"),
        ("unknown-field", "PLUGIN_BAD_EFFECT", "version"),
        ("unknown-effect", "PLUGIN_BAD_EFFECT", "fly"),
        ("no-such-issue", "PLUGIN_BAD_EFFECT", "not an issue"),
        ("no-such-project", "PLUGIN_BAD_EFFECT", "not within its scope"),
        ("loop", "PLUGIN_LOOP", "hostile@1.0.1"),
        ("trap-after-effects", "PLUGIN_TRAPPED", "unreachable"),
        ("too-many-effects", "PLUGIN_TOO_MANY_EFFECTS", "65"),
        ("spin", "PLUGIN_OUT_OF_FUEL", "10000000"),
    ] {
        done(&rest.patch(&path, json!({"settings": {"act": act, "amount": 65}})).await);
        let refused = rest.patch(&format!("/v1/issues/{id}"), json!({"summary": act})).await;
        assert_eq!(refused.code(424), reason, "{act}: {:#}", refused.body);
        assert!(refused.body["detail"].as_str().unwrap().contains(detail), "{act}: {:#}", refused.body);
    }
    let issue = issue(&rest, &id).await;
    assert_eq!((&issue["summary"], &issue["etag"]), (&json!("s"), &json!("1")));
    let comments = rest.get(&format!("/v1/issues/{id}/comments")).await;
    assert!(comments.expect(200)["comments"].as_array().unwrap().is_empty());
    // A disabled plugin is not called.
    done(&rest.patch(&path, json!({"enabled": false})).await);
    done(&rest.patch(&format!("/v1/issues/{id}"), json!({"summary": "t"})).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_and_effects_share_the_limit_of_ancestors() {
    let (_home, _host, rest) = memory().await;
    let project = rest.project("P").await;
    let mut chain = vec![rest.issue(&project, "root").await];
    for _ in 0..32 {
        let body = json!({"project_id": project, "summary": "child", "parent_id": chain.last()});
        let created = rest.post("/v1/issues", body).await;
        chain.push(created.expect(201)["issue"]["issue_id"].as_str().unwrap().to_owned());
    }
    hostile(&rest, json!({"act": "create-child"}), json!({"project_id": project})).await;
    let with_31_ancestors = rest.patch(&format!("/v1/issues/{}", chain[31]), json!({"summary": "s"})).await;
    done(&with_31_ancestors);
    let children = found(&rest, &format!("parent:{}", chain[31])).await;
    assert_eq!(children.len(), 2, "one by the client, one by the effect");
    let with_32_ancestors = rest.patch(&format!("/v1/issues/{}", chain[32]), json!({"summary": "s"})).await;
    assert_eq!(with_32_ancestors.code(424), "PLUGIN_BAD_EFFECT");
    let detail = with_32_ancestors.body["detail"].as_str().unwrap();
    assert!(detail.contains("more than 32 ancestors"), "{detail}");
    let body = json!({"project_id": project, "summary": "child", "parent_id": chain[32]});
    assert_eq!(faults(&rest.post("/v1/issues", body).await), ["parent_id"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_refuse_or_pass_by_policy() {
    let (_home, _host, rest) = memory().await;
    let project = rest.project("P").await;
    let installed = hostile(&rest, json!({"act": "trap"}), json!({"on_failure": "open"})).await;
    let path = format!("/v1/installations/{}", installed["installation_id"].as_str().unwrap());
    rest.issue(&project, "goes on").await;
    let calls = rest.get(&format!("{path}/calls")).await;
    let counters = &calls.expect(200)["counters"];
    assert!(counters["passed_over"].as_u64().unwrap() >= 2, "validation and workflow: {counters}");
    let failed = calls.body["calls"].as_array().unwrap().last().unwrap();
    assert_eq!(failed["verdict"]["failure"]["reason"], "PLUGIN_TRAPPED");
    let frames = failed["verdict"]["failure"]["backtrace"].to_string();
    assert!(frames.contains("hostile::misbehave") && !frames.contains("panicking"), "{frames}");
    assert!(failed["log"][0]["message"].as_str().unwrap().contains("requested trap"), "{failed:#}");
    done(&rest.patch(&path, json!({"on_failure": "closed"})).await);
    let refused = rest.post("/v1/issues", json!({"project_id": project, "summary": "s"})).await;
    assert_eq!(refused.code(424), "PLUGIN_TRAPPED");
    assert_eq!(count(&rest, &project).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn look_ups_are_bounded_logged_and_confined_to_the_tenant() {
    let (_home, _host, rest) = memory().await;
    done(&rest.post("/v1/tenants", json!({"slug": "acme", "name": "Acme"})).await);
    let key = rest.post("/v1/keys", json!({"name": "theirs", "roles": ["admin"], "tenant": "acme"})).await;
    let theirs = rest.with_key(key.expect(201)["secret"].as_str());
    let other = theirs.project("T").await;
    for n in 0..3 {
        theirs.issue(&other, &format!("{n}")).await;
    }
    let project = rest.project("P").await;
    let own = rest.issue(&project, "the only one").await;
    let settings = json!({"act": "flood-lookups", "amount": 30});
    let installed = hostile(&rest, settings, json!({"project_id": project})).await;
    done(&rest.patch(&format!("/v1/issues/{own}"), json!({"summary": "changed"})).await);
    let path = format!("/v1/installations/{}/calls", installed["installation_id"].as_str().unwrap());
    let calls = rest.get(&path).await;
    let calls = calls.expect(200)["calls"].as_array().unwrap().clone();
    let looked_up: Vec<_> = calls.iter().filter_map(|call| call["lookups"].as_array()).collect();
    let nonempty: Vec<_> = looked_up.into_iter().filter(|lookups| !lookups.is_empty()).collect();
    assert!(!nonempty.is_empty(), "{calls:#?}");
    for lookups in nonempty {
        assert_eq!(lookups.len(), 16);
        assert!(
            lookups.iter().all(|lookup| lookup["found"] == 1 && lookup["kind"] == "issue"),
            "{lookups:#?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_smallest_limit_wins() {
    let (_home, _host, rest) = memory().await;
    let project = rest.project("P").await;
    let settings = json!({"act": "work", "amount": 20_000});
    let installed = hostile(&rest, settings, json!({"limits": {"fuel": 10_000_000}})).await;
    let path = format!("/v1/installations/{}", installed["installation_id"].as_str().unwrap());
    let body = json!({"project_id": project, "summary": "s"});
    done(&rest.post("/v1/issues", body.clone()).await);
    done(&rest.patch("/v1/tenants/default", json!({"plugin_limits": {"fuel": 50_000}})).await);
    assert_eq!(rest.post("/v1/issues", body.clone()).await.code(424), "PLUGIN_OUT_OF_FUEL");
    done(&rest.patch("/v1/tenants/default", json!({"plugin_limits": null})).await);
    done(&rest.post("/v1/issues", body.clone()).await);
    done(&rest.patch(&path, json!({"limits": {"fuel": 50_000}})).await);
    let refused = rest.post("/v1/issues", body).await;
    assert_eq!(refused.code(424), "PLUGIN_OUT_OF_FUEL");
    assert!(refused.body["detail"].as_str().unwrap().contains("50000"), "{:#}", refused.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn dry_run_stores_nothing_and_reports_everything() {
    let (_home, _host, rest) = memory().await;
    let release = upload(&rest, component("required-fields")).await;
    let path = format!("/v1/releases/{}:test", release["digest"].as_str().unwrap());
    let body = json!({"function": "validate", "settings": rules("description"),
        "input": {"operation": "create", "subject": {"kind": "issue", "id": "1", "fields": {"summary": "s"}}}});
    let tried = rest.post(&path, body).await;
    assert_eq!(tried.expect(200)["reply"]["refusals"][0]["code"], "FIELD_REQUIRED");
    assert!(tried.body["record"]["usage"]["fuel"].as_u64().unwrap() > 1_000);
    let wrong =
        rest.post(&path, json!({"function": "validate", "settings": {"rules": 7}, "input": {}})).await;
    assert!(wrong.status.is_client_error(), "{:#}", wrong.body);
}
