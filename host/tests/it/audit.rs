//! The audit log: every kind of change, refused logins, access by admins only.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tessera_proto::facts::v1::ListAuditRequest;
use tessera_proto::facts::v1::facts_service_client::FactsServiceClient;

use crate::harness::{Host, Kind, Rest};
use crate::tracker::{all_pages, bring, done, encode, memory, on, on_every_store, until};

on_every_store! { every_kind_of_change_is_in_the_audit_log refused_logins_are_audited_within_bounds }

/// Creates a tenant; returns a client with a key of its admin.
async fn acme(rest: &Rest) -> Rest {
    done(&rest.post("/v1/tenants", json!({"slug": "acme", "name": "Acme"})).await);
    let body = json!({"name": "k", "roles": ["admin"], "tenant": "acme"});
    let key = done(&rest.post("/v1/keys", body).await)["secret"].as_str().unwrap().to_owned();
    rest.with_key(Some(&key))
}

async fn audit(rest: &Rest, filter: &str) -> Vec<Value> {
    all_pages(rest, &format!("/v1/audit?filter={}", encode(filter)), "facts", 7).await
}

/// Waits until the audit log has a fact of a type.
async fn wait_for_fact(rest: &Rest, fact_type: &str) {
    let path = format!("/v1/audit?filter=type:{fact_type}");
    until(rest, &path, |page| page.body["facts"].as_array().is_some_and(|facts| !facts.is_empty())).await;
}

async fn every_kind_of_change_is_in_the_audit_log(kind: Kind) {
    let (_home, host, operator) = on(kind).await;
    let rest = acme(&operator).await;
    done(&operator.patch("/v1/tenants/acme", json!({"name": "Acme Ltd"})).await);
    done(&operator.post("/v1/tenants/acme:suspend", json!({})).await);
    done(&operator.post("/v1/tenants/acme:resume", json!({})).await);

    let ada = rest.user("ada@example.com").await;
    done(&rest.patch(&format!("/v1/users/{ada}"), json!({"first_name": "A"})).await);
    done(&rest.post(&format!("/v2/users/{ada}:deactivate"), json!({})).await);
    done(&rest.post(&format!("/v2/users/{ada}:activate"), json!({})).await);
    let bulk = json!({"users": [{"first_name": "B", "last_name": "B", "email_address": "b@example.com"}]});
    done(&rest.post("/v2/users:bulkCreate", bulk).await);
    let key = rest.new_key(&["viewer"], Some(&ada)).await;
    done(&rest.post(&format!("/v1/keys/{}:revoke", key.split('_').nth(1).unwrap()), json!({})).await);
    rest.with_key(Some(&key)).get("/v1/me").await.expect(401);
    wait_for_fact(&rest, "login.refused").await;

    let (project, other) = (rest.project("P").await, rest.project("Q").await);
    done(&rest.patch(&format!("/v1/projects/{project}"), json!({"description": "d"})).await);
    let path = format!("/v1/projects/{project}/scheme");
    let mut scheme = rest.get(&path).await.expect(200)["scheme"].clone();
    scheme["types"].as_array_mut().unwrap().push(json!("EPIC"));
    done(&rest.put(&path, scheme).await);
    let (id, blocked) = (rest.issue(&project, "s").await, rest.issue(&project, "t").await);
    let issue = format!("/v1/issues/{id}");
    bring(&rest, &id, "IN_PROGRESS").await;
    let comment =
        done(&rest.post(&format!("{issue}/comments"), json!({"body": "b"})).await)["comment"].clone();
    let comment = format!("{issue}/comments/{}", comment["comment_id"].as_str().unwrap());
    done(&rest.patch(&comment, json!({"body": "c"})).await);
    done(&rest.delete(&comment).await);
    done(&rest.post(&format!("{issue}/labels"), json!({"label": "l"})).await);
    done(&rest.post(&format!("{issue}/links"), json!({"kind": "blocks", "other_id": blocked})).await);
    done(&rest.delete(&format!("{issue}/links/blocks/{blocked}")).await);
    done(&rest.post(&format!("{issue}/watchers"), json!({"user_id": ada})).await);
    done(&rest.delete(&format!("{issue}/watchers/{ada}")).await);
    done(&rest.post(&format!("/v1/projects/{other}/issues"), json!({"issue_id": blocked})).await);
    done(&rest.delete(&issue).await);
    done(&rest.delete(&format!("/v1/users/{ada}")).await);
    done(&rest.delete(&format!("/v1/projects/{project}")).await);

    wait_for_fact(&rest, "project.deleted").await;
    let all = audit(&rest, "").await;
    let types: BTreeSet<_> = all.iter().map(|fact| fact["type"].as_str().unwrap()).collect();
    for expected in [
        "tenant.created",
        "tenant.updated",
        "tenant.suspended",
        "tenant.resumed",
        "key.created",
        "key.revoked",
        "login.refused",
        "user.created",
        "user.updated",
        "user.deactivated",
        "user.activated",
        "user.deleted",
        "project.created",
        "project.updated",
        "project.scheme_changed",
        "project.deleted",
        "issue.created",
        "issue.updated",
        "issue.commented",
        "issue.comment_edited",
        "issue.comment_deleted",
        "issue.linked",
        "issue.unlinked",
        "issue.watched",
        "issue.unwatched",
        "issue.moved",
        "issue.deleted",
    ] {
        assert!(types.contains(expected), "{expected} is not in {types:?}");
    }
    // Newest first across all pages; each fact names its actor and request.
    assert_eq!(all.first().unwrap()["type"], "project.deleted");
    assert_eq!(all.last().unwrap()["type"], "tenant.created");
    let ids: BTreeSet<_> = all.iter().map(|fact| fact["id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), all.len());
    for fact in &all {
        assert!(!fact["request_id"].as_str().unwrap().is_empty(), "{fact:#}");
        assert!(!fact["at"].as_str().unwrap().is_empty());
        let anonymous = fact["type"] == "login.refused";
        assert_eq!(fact["actor"]["kind"], if anonymous { "anonymous" } else { "key" }, "{fact:#}");
    }
    // The log contains no secrets of keys.
    let text = serde_json::to_string(&all).unwrap();
    assert!(!text.contains(key.rsplit('_').next().unwrap()));
    // The operator's tenant sees only its own facts.
    let own = audit(&operator, "").await;
    assert!(own.iter().all(|fact| !fact["type"].as_str().unwrap().starts_with("issue.")));

    // The same over gRPC.
    let grpc = host.grpc().await.with_key(rest.key.as_deref());
    let mut client = FactsServiceClient::with_interceptor(grpc.channel.clone(), grpc);
    let request = ListAuditRequest { page_size: 200, ..ListAuditRequest::default() };
    let facts = client.list_audit(request).await.unwrap().into_inner().facts;
    assert_eq!(
        facts.iter().map(|fact| fact.id.as_str()).collect::<Vec<_>>(),
        all.iter().map(|fact| fact["id"].as_str().unwrap()).collect::<Vec<_>>()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn audit_log_filters_match_fact_fields() {
    let (_home, _host, rest) = memory().await;
    let ada = rest.user("ada@example.com").await;
    let key = rest.new_key(&["admin"], Some(&ada)).await;
    let bound = rest.with_key(Some(&key));
    let id = key.split('_').nth(1).unwrap();
    let project = bound.project("P").await;
    let issue = rest.issue(&project, "s").await;
    wait_for_fact(&rest, "issue.created").await;
    for (filter, types) in [
        (format!("object:{issue}"), vec!["issue.created"]),
        (format!("project:{project}"), vec!["issue.created", "project.created"]),
        (format!("actor:{id}"), vec!["project.created"]),
        ("user:me".to_owned(), vec!["project.created"]),
        ("kind:user,project".to_owned(), vec!["project.created", "user.created"]),
        ("type:issue.*".to_owned(), vec!["issue.created"]),
        ("kind:issue transport:grpc".to_owned(), vec![]),
        ("kind:issue -transport:grpc created>2026-01-01".to_owned(), vec!["issue.created"]),
        ("kind:issue created<2026-01-01".to_owned(), vec![]),
    ] {
        let fact_types: Vec<_> =
            audit(&bound, &filter).await.iter().map(|fact| fact["type"].clone()).collect();
        assert_eq!(fact_types, types, "{filter}");
    }
    let bad = rest.get("/v1/audit?filter=colour:red").await;
    assert_eq!(crate::tracker::faults(&bad), ["filter"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_admins_read_the_audit_log() {
    let (_home, _host, rest) = memory().await;
    for role in ["operator", "agent", "gate", "viewer"] {
        let key = rest.new_key(&[role], None).await;
        let refused = rest.with_key(Some(&key)).get("/v1/audit").await;
        assert_eq!(refused.code(403), "PERMISSION_DENIED", "{role}");
    }
    let key = rest.new_key(&["admin"], None).await;
    done(&rest.with_key(Some(&key)).get("/v1/audit").await);
    assert_eq!(rest.with_key(None).get("/v1/audit").await.code(401), "UNAUTHENTICATED");
    // Admins do not read other tenants' logs.
    let acme = acme(&rest).await;
    let theirs: Vec<_> = audit(&acme, "").await;
    assert!(theirs.iter().all(|fact| fact["type"] == "tenant.created" || fact["type"] == "key.created"));
}

async fn refused_logins_are_audited_within_bounds(kind: Kind) {
    let (_home, _host, rest) = on(kind).await;
    let key = rest.new_key(&["agent"], None).await;
    let id = key.split('_').nth(1).unwrap();
    let wrong = rest.with_key(Some(&format!("tsk_{id}_{}", "0".repeat(64))));
    for _ in 0..50 {
        assert_eq!(wrong.get("/v1/me").await.code(401), "UNAUTHENTICATED");
    }
    // Unknown keys belong to no tenant: the operators' log has them, all together.
    for n in 0..50 {
        let unknown = rest.with_key(Some(&format!("tsk_nobody{n}_{}", "0".repeat(64))));
        assert_eq!(unknown.get("/v1/me").await.code(401), "UNAUTHENTICATED");
    }
    wait_for_attempts(&rest, id).await;
    let refused = audit(&rest, "type:login.refused").await;
    // One record at first, and one with those that were counted since when the host stops or a minute has passed.
    assert_eq!(refused.len(), 2, "one line for each, not a hundred: {refused:#?}");
    for fact in &refused {
        assert_eq!((&fact["object_kind"], &fact["actor"]["kind"]), (&json!("key"), &json!("anonymous")));
        let (object, reason) =
            if fact["object_id"] == id { (id, "wrong secret") } else { ("*", "unknown key") };
        assert_eq!(fact["object_id"], object);
        assert!(fact["changes"].to_string().contains(reason), "{fact:#}");
        assert!(!fact.to_string().contains("nobody"), "{fact:#}");
    }
    // The right secret still works.
    done(&rest.with_key(Some(&key)).get("/v1/me").await);
}

/// Waits until the audit log has refused logins with a key and with unknown keys.
async fn wait_for_attempts(rest: &Rest, id: &str) {
    for object in [id, "*"] {
        let filter = encode(&format!("type:login.refused object:{object}"));
        until(rest, &format!("/v1/audit?filter={filter}"), |page| page.body["facts"][0].is_object()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_logins_are_recorded_before_the_host_stops() {
    let (home, mut host, rest) = on(Kind::Sqlite).await;
    let key = rest.new_key(&["agent"], None).await;
    let id = key.split('_').nth(1).unwrap();
    let wrong = |id: &str| rest.with_key(Some(&format!("tsk_{id}_{}", "0".repeat(64))));
    for id in [id, "nobody"] {
        wrong(id).get("/v1/me").await.expect(401);
    }
    wait_for_attempts(&rest, id).await;
    for id in [id, "nobody", id, "nobody"] {
        wrong(id).get("/v1/me").await.expect(401);
    }
    host.terminate();
    // A shutdown waits 10 s for connections, and as long for background tasks.
    tokio::task::block_in_place(|| host.wait(std::time::Duration::from_secs(40)));
    let host = Host::start(&home).await;
    let refused = audit(&host.rest(), "type:login.refused").await;
    let attempts = |object: &str| -> Vec<_> {
        let of_object = refused.iter().filter(|fact| fact["object_id"] == object);
        of_object.map(|fact| fact["changes"][1]["after"].to_string().trim_matches('"').to_owned()).collect()
    };
    assert_eq!(
        (attempts(id), attempts("*")),
        (vec!["2".to_owned(), "1".to_owned()], vec!["2".into(), "1".into()])
    );
}

/// A refusal that waited for a write would show by its time that the key exists.
#[tokio::test(flavor = "multi_thread")]
async fn refused_login_waits_for_no_write() {
    use sqlx::{ConnectOptions as _, Connection as _};
    let (home, _host, rest) = on(Kind::Sqlite).await;
    let key = rest.new_key(&["agent"], None).await;
    let id = key.split('_').nth(1).unwrap().to_owned();
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(home.folder.join("tessera.db"));
    let mut writer = options.connect().await.unwrap();
    let writing = writer.begin_with("BEGIN IMMEDIATE").await.unwrap();
    for id in [id.as_str(), "nobody"] {
        let start = std::time::Instant::now();
        let wrong = rest.with_key(Some(&format!("tsk_{id}_{}", "0".repeat(64))));
        wrong.get("/v1/me").await.expect(401);
        assert!(start.elapsed() < std::time::Duration::from_secs(2), "{id}: {:?}", start.elapsed());
    }
    writing.rollback().await.unwrap();
    wait_for_attempts(&rest, &id).await;
}
