//! Access control of every RPC, and of every route with its aliases: no key, an invalid key, another tenant's key, an
//! insufficient role.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};
use tessera_api::rest::served_routes;
use tessera_core::Role;
use tessera_core::access::Operation;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tonic::{Code, Status};

use crate::harness::{Answer, Grpc, Home, Host, Kind, Rest};
use crate::operations::fixture::{Fixture, MARK};
use crate::operations::{Row, rows, rpc};
use crate::parity::{request, send};
use crate::tracker::{on_every_store, until};

on_every_store! {
    only_public_operations_work_without_a_valid_key
    insufficient_role_is_refused_without_revealing_hidden_objects
    every_role_reads_public_operations
    another_tenants_objects_do_not_exist
}

async fn start(kind: Kind) -> (Home, Host) {
    let home = Home::without_fsync(kind).await;
    let host = Host::start_patient(&home).await;
    (home, host)
}

fn operation(row: &Row) -> Operation {
    let found = Operation::ALL.iter().find(|op| op.name() == row.operation());
    *found.unwrap_or_else(|| panic!("{} is no operation", row.operation()))
}

async fn call(grpc: &Grpc, row: &Row, fixture: &Fixture) -> Result<Value, Status> {
    let message = fixture.fill_json(&row.ask);
    let response = rpc::call(grpc, row.rpc, &message);
    tokio::time::timeout(Duration::from_secs(10), response).await.expect("the RPC does not answer")
}

/// Returns the status without reading the body, which may be an endless stream.
async fn status(request: reqwest::RequestBuilder) -> u16 {
    request.send().await.expect("the host does not answer").status().as_u16()
}

/// Keys that are refused, with the reason.
async fn refused_keys(rest: &Rest) -> Vec<(&'static str, Option<String>)> {
    let revoked =
        rest.post("/v1/keys", json!({"name": "revoked", "roles": ["admin"]})).await.expect(201).clone();
    let id = revoked["key"]["id"].as_str().unwrap();
    rest.post(&format!("/v1/keys/{id}:revoke"), Value::Null).await.expect(200);
    // Expiry follows the host's clock.
    let now = OffsetDateTime::parse(revoked["key"]["created_at"].as_str().unwrap(), &Rfc3339).unwrap();
    let soon = (now + Duration::from_secs(2)).format(&Rfc3339).unwrap();
    let body = json!({"name": "expired", "roles": ["admin"], "expires_at": soon});
    let expired = rest.post("/v1/keys", body).await.expect(201)["secret"].as_str().unwrap().to_owned();
    until(&rest.with_key(Some(&expired)), "/v1/me", |answer| answer.status.as_u16() == 401).await;
    vec![
        ("no key", None),
        ("a malformed key", Some("tsk_nonsense".to_owned())),
        ("an unknown key", Some(format!("tsk_absent_{}", "0".repeat(32)))),
        ("a wrong secret", Some(format!("tsk_root_{}", "f".repeat(32)))),
        ("a revoked key", revoked["secret"].as_str().map(str::to_owned)),
        ("an expired key", Some(expired)),
    ]
}

#[test]
fn every_path_has_a_row() {
    let known: BTreeSet<_> = rows().iter().map(|row| (row.id, row.method.to_string())).collect();
    for (id, method, path) in served_routes() {
        let is_health = ["livez", "readyz", "health"].contains(&id);
        assert!(is_health || known.contains(&(id, method.to_string())), "no row for {method} {path}");
    }
}

#[test]
fn aliases_and_undocumented_paths_are_called() {
    let row = rows().into_iter().find(|row| row.id == "issue.transition").unwrap();
    let paths: Vec<_> = row.at_every_path().iter().map(|row| row.path).collect();
    let expected = ["/v1/issues", "/api/v1/issues"].map(|root| format!("{root}/{{issue_id}}:transition"));
    assert_eq!(paths[..2], expected);
    assert_eq!(paths[2..], ["/v1/issues/{issue_id}/transitions", "/api/v1/issues/{issue_id}/transitions"]);
}

async fn only_public_operations_work_without_a_valid_key(kind: Kind) {
    let (_home, host) = start(kind).await;
    let (rest, grpc) = (host.rest(), host.grpc().await);
    let fixture = Fixture::complete(&rest).await;
    for (why, key) in refused_keys(&rest).await {
        for row in rows() {
            if key.is_none() && operation(&row).is_public() {
                for row in row.at_every_path() {
                    let request = request(&rest.with_key(None), &row, &fixture, None);
                    assert_eq!(status(request.header("x-tenant", "default")).await, 200, "{}", row.path);
                }
                call(&grpc.with_key(None), &row, &fixture).await.unwrap();
                continue;
            }
            for row in row.at_every_path() {
                let answer = send(&rest.with_key(key.as_deref()), &row, &fixture, None).await;
                assert_eq!(answer.code(401), "UNAUTHENTICATED", "{} with {why}", row.path);
                assert!(answer.headers.contains_key("www-authenticate"), "{} with {why}", row.path);
            }
            let status = call(&grpc.with_key(key.as_deref()), &row, &fixture).await.unwrap_err();
            assert_eq!(status.code(), Code::Unauthenticated, "{} with {why}: {status:?}", row.rpc);
        }
    }
}

async fn insufficient_role_is_refused_without_revealing_hidden_objects(kind: Kind) {
    let (_home, host) = start(kind).await;
    let (rest, grpc) = (host.rest(), host.grpc().await);
    let fixture = Fixture::complete(&rest).await;
    for role in Role::ALL {
        let key = rest.new_key(&[role.name()], None).await;
        for row in rows().iter().filter(|row| !operation(row).is_open_to(&[role])) {
            let hidden = operation(row).hidden_from(&[role]).is_some();
            let (status, code) = if hidden { (404, Code::NotFound) } else { (403, Code::PermissionDenied) };
            for row in row.at_every_path() {
                let answer = send(&rest.with_key(Some(&key)), &row, &fixture, None).await;
                let reason = answer.code(status);
                assert!(
                    if hidden { reason.ends_with("_NOT_FOUND") } else { reason == "PERMISSION_DENIED" },
                    "{}",
                    row.path
                );
            }
            let refused = call(&grpc.with_key(Some(&key)), row, &fixture).await.unwrap_err();
            assert_eq!(refused.code(), code, "{} as {}: {refused:?}", row.rpc, role.name());
        }
    }
}

async fn every_role_reads_public_operations(kind: Kind) {
    let (_home, host) = start(kind).await;
    let (rest, grpc) = (host.rest(), host.grpc().await);
    let fixture = Fixture::complete(&rest).await;
    for role in Role::ALL {
        let key = rest.new_key(&[role.name()], None).await;
        for row in rows().iter().filter(|row| operation(row).is_public()) {
            for row in row.at_every_path() {
                let request = request(&rest.with_key(Some(&key)), &row, &fixture, None);
                assert_eq!(status(request).await, 200, "{} as {}", row.path, role.name());
            }
            call(&grpc.with_key(Some(&key)), row, &fixture).await.unwrap();
        }
    }
}

async fn another_tenants_objects_do_not_exist(kind: Kind) {
    let (_home, host) = start(kind).await;
    let (rest, grpc) = (host.rest(), host.grpc().await);
    let fixture = Fixture::complete(&rest).await;
    rest.post("/v1/tenants", json!({"slug": "acme", "name": "Acme"})).await.expect(201);
    let key = json!({"name": "theirs", "roles": ["admin"], "tenant": "acme"});
    let key = rest.post("/v1/keys", key).await.expect(201)["secret"].as_str().unwrap().to_owned();
    let (theirs, their_grpc) = (rest.with_key(Some(&key)), grpc.with_key(Some(&key)));
    for row in rows() {
        let names_an_object = row.route.contains('{');
        if row.stream && !names_an_object {
            continue;
        }
        for row in row.at_every_path() {
            let answer = send(&theirs, &row, &fixture, None).await;
            let is_hidden =
                if names_an_object { answer.status == 404 } else { !betrays(&answer.body, &fixture) };
            assert!(is_hidden, "{}: {:#}", row.path, answer.body);
        }
        let response = call(&their_grpc, &row, &fixture).await;
        if names_an_object {
            let status = response.unwrap_err();
            assert_eq!(status.code(), Code::NotFound, "{}: {status:?}", row.rpc);
            continue;
        }
        let body = response.unwrap_or_else(|status| json!(status.message()));
        assert!(!betrays(&body, &fixture), "{}: {body:#}", row.rpc);
    }
    untouched(&rest, &fixture).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn idempotency_keys_are_separate_for_each_tenant() {
    let (_home, host) = start(Kind::Memory).await;
    let rest = host.rest();
    rest.post("/v1/tenants", json!({"slug": "acme", "name": "Acme"})).await.expect(201);
    let key = json!({"name": "theirs", "roles": ["admin"], "tenant": "acme"});
    let key = rest.post("/v1/keys", key).await.expect(201)["secret"].as_str().unwrap().to_owned();
    let theirs = rest.with_key(Some(&key));
    let changing = |row: &Row| row.method != reqwest::Method::GET && !row.stream;
    for row in rows().iter().filter(|row| changing(row)) {
        let mut fixture = Fixture::new();
        fixture.prepare(&rest, &row.text()).await;
        let with_key = async |rest: &Rest| {
            let request = request(rest, row, &fixture, None).header("idempotency-key", row.id);
            rest.send(request).await
        };
        let ours = with_key(&rest).await;
        assert!(ours.status.is_success(), "{}: {:#}", row.id, ours.body);
        let answer = with_key(&theirs).await;
        assert!(!answer.headers.contains_key("idempotency-replayed"), "{}", row.id);
        assert!(!betrays(&answer.body, &fixture), "{}: {:#}", row.id, answer.body);
    }
}

/// Returns whether a body contains data of the fixture's tenant.
fn betrays(body: &Value, fixture: &Fixture) -> bool {
    let text = body.to_string();
    let name = fixture.fill("\"{name}\"");
    let email = fixture.fill("\"{held_email}\"");
    text.contains(MARK) || text.contains(&name) || text.contains(&email)
}

async fn untouched(rest: &Rest, fixture: &Fixture) {
    let issue = rest.get(&fixture.fill("/v1/issues/{issue_id}")).await;
    let issue = &issue.expect(200)["issue"];
    assert_eq!((&issue["summary"], &issue["status"]), (&json!("Held"), &json!("NEW")));
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_of_another_tenant_or_query_are_refused() {
    let (_home, host) = start(Kind::Memory).await;
    let rest = host.rest();
    for email in ["a@example.com", "b@example.com", "c@example.com"] {
        rest.user(email).await;
    }
    rest.post("/v1/tenants", json!({"slug": "acme", "name": "Acme"})).await.expect(201);
    let key = json!({"name": "theirs", "roles": ["admin"], "tenant": "acme"});
    let key = rest.post("/v1/keys", key).await.expect(201)["secret"].as_str().unwrap().to_owned();
    let theirs = rest.with_key(Some(&key));
    let page = rest.get("/v1/users?page_size=1").await;
    let token = page.expect(200)["next_page_token"].as_str().unwrap().to_owned();
    let with = |more: &str| format!("/v1/users?page_size=1&page_token={token}{more}");
    rest.get(&with("")).await.expect(200);
    let fault = |answer: &Answer| answer.body["violations"][0]["field"].as_str().map(str::to_owned);
    let mut forged = token.clone();
    let last = if forged.pop() == Some('A') { 'B' } else { 'A' };
    forged.push(last);
    for (why, answer) in [
        ("another tenant", theirs.get(&with("")).await),
        ("another order", rest.get(&with("&order_by=email")).await),
        ("another filter", rest.get(&with("&filter=active:true")).await),
        ("another list", rest.get(&format!("/v1/projects?page_token={token}")).await),
        ("forged", rest.get(&format!("/v1/users?page_size=1&page_token={forged}")).await),
        ("rubbish", rest.get("/v1/users?page_token=%00%ff").await),
    ] {
        assert!(answer.status.is_client_error(), "{why}: {:#}", answer.body);
        assert_eq!(fault(&answer).as_deref(), Some("page_token"), "{why}: {:#}", answer.body);
    }
}
