//! Releases and installations: refused uploads, changes and rollback, state machines, several hosts and tenants.

use std::process::Command;
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};
use tessera_proto::common::v1::{Value as FieldValue, value};
use tessera_proto::issues::v1::ListTransitionsRequest;
use tessera_proto::issues::v1::issues_service_client::IssuesServiceClient;
use tessera_proto::plugin::v1::GetInstallationRequest;
use tessera_proto::plugin::v1::plugin_service_client::PluginServiceClient;

use super::{component, install, install_hostile, newer, upload, varied, versioned};
use crate::harness::{Answer, Home, Host, Kind, Rest};
use crate::tracker::{bring, done, issue, memory, on, on_every_store};

on_every_store! {
    the_plugin_and_the_built_in_machine_agree_on_every_pair_of_states
    machine_without_used_states_needs_a_state_map
}

async fn send(rest: &Rest, bytes: Vec<u8>, kind: &str) -> Answer {
    let request = rest.request(Method::POST, "/v1/releases").header("content-type", kind);
    rest.send(request.body(bytes)).await
}

pub(super) fn path(installation: &Value) -> String {
    format!("/v1/installations/{}", installation["installation_id"].as_str().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_upload_names_the_reason() {
    let home = Home::new(Kind::Memory).await;
    let host = Host::start_with(&home, &[("TESSERA_PLUGIN_MAX_BYTES", "300000")]).await;
    let rest = host.rest();
    let wasm = "application/wasm";
    assert_eq!(send(&rest, b"#!/bin/sh".to_vec(), wasm).await.code(422), "COMPONENT_NOT_WASM");
    let module = send(&rest, b"\0asm\x01\0\0\0".to_vec(), wasm).await;
    assert_eq!(module.code(422), "COMPONENT_IS_CORE_MODULE");
    assert!(module.body["detail"].as_str().unwrap().contains("tessera plugin build"), "{:#}", module.body);
    assert_eq!(send(&rest, vec![0; 300_001], wasm).await.code(413), "TOO_LARGE");
    // A body without a length, one byte too long.
    let parts = [vec![0_u8; 150_000], vec![0; 150_000], vec![0]].map(Ok::<_, std::io::Error>);
    let body = reqwest::Body::wrap_stream(futures_util::stream::iter(parts));
    let request = rest.request(Method::POST, "/v1/releases").header("content-type", wasm).body(body);
    let refused = rest.send(request).await;
    assert_eq!(refused.code(413), "TOO_LARGE");
    assert!(
        refused.body["detail"].as_str().unwrap().contains("more than 300000 bytes"),
        "{:#}",
        refused.body
    );
    assert_eq!(send(&rest, vec![0; 10], "text/plain").await.status.as_u16(), 415);
    let component = component("required-fields");
    let mut cut = component.clone();
    cut.truncate(component.len() / 2);
    assert_eq!(send(&rest, cut, wasm).await.code(422), "COMPONENT_INVALID");
    let first = send(&rest, component.clone(), wasm).await;
    let again = send(&rest, component.clone(), wasm).await;
    assert_eq!(done(&first)["release"], done(&again)["release"], "the same bytes are the same release");
    let other = send(&rest, varied(&component, "x"), wasm).await;
    assert_eq!(other.code(409), "RELEASE_EXISTS");
    assert!(other.body["detail"].as_str().unwrap().contains("change the version"), "{:#}", other.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn release_in_use_is_kept_and_settings_match_the_schema() {
    let (_home, _host, rest) = memory().await;
    let release = upload(&rest, component("required-fields")).await;
    let digest = release["digest"].as_str().unwrap();
    let wrong = json!({"release": {"digest": digest}, "settings": {"rules": [{"fields": []}]}});
    let refused = rest.post("/v1/installations", wrong).await;
    assert_eq!(refused.code(422), "INVALID_ARGUMENT");
    assert_eq!(refused.body["violations"][0]["field"], "settings.rules.0.fields");
    let installed = install(&rest, "required-fields", json!({"settings": {"rules": []}})).await;
    let release = format!("/v1/releases/{digest}");
    assert_eq!(rest.delete(&release).await.code(409), "RELEASE_IN_USE");
    let path = path(&installed);
    let stale = rest.request(Method::PATCH, &path).header("if-match", "\"7\"").json(&json!({"order": 3}));
    assert_eq!(rest.send(stale).await.code(412), "VERSION_MISMATCH");
    let granted = rest.patch(&path, json!({"grants": ["issue:update"]})).await;
    assert_eq!(granted.body["violations"][0]["field"], "grants", "{:#}", granted.body);
    done(&rest.delete(&path).await);
    done(&rest.delete(&release).await);
    assert_eq!(rest.get(&release).await.code(404), "RELEASE_NOT_FOUND");
}

const STATES: [&str; 6] = ["NEW", "ASSIGNED", "IN_PROGRESS", "RESOLVED", "CLOSED", "REOPENED"];

async fn the_plugin_and_the_built_in_machine_agree_on_every_pair_of_states(kind: Kind) {
    let (_home, _host, rest) = on(kind).await;
    let (built_in, plugin) = (rest.project("B").await, rest.project("P").await);
    install(&rest, "issue-lifecycle", json!({"project_id": plugin})).await;
    for from in STATES {
        for to in STATES {
            let mut outcomes = Vec::new();
            for project in [&built_in, &plugin] {
                let id = rest.issue(project, "s").await;
                match from {
                    "NEW" => {}
                    "REOPENED" => {
                        bring(&rest, &id, "RESOLVED").await;
                        done(
                            &rest.post(&format!("/v1/issues/{id}:transition"), json!({"status": from})).await,
                        );
                    }
                    state => bring(&rest, &id, state).await,
                }
                let mut body = json!({"status": to});
                if ["RESOLVED", "CLOSED"].contains(&to) {
                    body["resolution"] = json!("FIXED");
                }
                let answer = rest.post(&format!("/v1/issues/{id}:transition"), body).await;
                let open = rest.get(&format!("/v1/issues/{id}/transitions")).await;
                let issue = issue(&rest, &id).await;
                outcomes.push((
                    answer.status,
                    answer.body["code"].clone(),
                    issue["status"].clone(),
                    issue["resolution"].clone(),
                    open.body["transitions"].clone(),
                ));
            }
            assert_eq!(outcomes[0], outcomes[1], "{from} to {to}");
        }
    }
}

async fn machine_without_used_states_needs_a_state_map(kind: Kind) {
    let (_home, _host, rest) = on(kind).await;
    let project = rest.project("P").await;
    let scheme = rest.get(&format!("/v1/projects/{project}/scheme")).await;
    let mut scheme = scheme.expect(200)["scheme"].clone();
    let machine = &mut scheme["machine"];
    machine["states"].as_array_mut().unwrap().push(json!({"name": "PARKED", "category": "active"}));
    let park = json!({"name": "park", "from": ["NEW"], "to": "PARKED", "requires": []});
    machine["transitions"].as_array_mut().unwrap().push(park);
    done(&rest.put(&format!("/v1/projects/{project}/scheme"), scheme).await);
    let mut parked = Vec::new();
    for n in 0..3 {
        let id = rest.issue(&project, &format!("{n}")).await;
        done(&rest.post(&format!("/v1/issues/{id}:transition"), json!({"status": "PARKED"})).await);
        parked.push(id);
    }
    let release = upload(&rest, component("issue-lifecycle")).await;
    let mut body = json!({"release": {"digest": release["digest"]}, "project_id": project});
    let refused = rest.post("/v1/installations", body.clone()).await;
    assert_eq!(refused.code(422), "MACHINE_LACKS_STATES");
    assert!(refused.body["detail"].as_str().unwrap().contains("3 issues are in it"), "{:#}", refused.body);
    body["state_map"] = json!({"PARKED": "IN_PROGRESS"});
    let installed = rest.post("/v1/installations", body).await;
    let installed = &installed.expect(201)["installation"];
    for id in &parked {
        let issue = issue(&rest, id).await;
        assert_eq!(issue["status"], "IN_PROGRESS", "{issue:#}");
    }
    // A plugin without a machine has no use for a map.
    let rules = upload(&rest, component("required-fields")).await;
    let mapped = json!({
        "release": {"digest": rules["digest"]}, "settings": {"rules": []}, "state_map": {"PARKED": "IN_PROGRESS"},
    });
    let refused = rest.post("/v1/installations", mapped).await;
    assert_eq!(refused.body["violations"][0]["field"], "state_map", "{:#}", refused.body);
    // A second owner of the machine is refused, and so is `on_failure: open` for an owner.
    let second = varied(&component("issue-lifecycle"), "y");
    assert_eq!(send(&rest, second, "application/wasm").await.code(409), "RELEASE_EXISTS");
    let open = rest.patch(&path(installed), json!({"on_failure": "open"})).await;
    assert_eq!(open.body["violations"][0]["field"], "on_failure", "{:#}", open.body);
    done(&rest.delete(&path(installed)).await);
    done(
        &rest
            .post(
                &format!("/v1/issues/{}:transition", parked[0]),
                json!({"status": "CLOSED", "resolution": "FIXED"}),
            )
            .await,
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn rollback_under_load_fails_no_call() {
    let (_home, host, rest) = memory().await;
    let project = rest.project("P").await;
    let installed = install(&rest, "text-policy", json!({"settings": {"min_summary": 1}})).await;
    let release = upload(&rest, newer(&component("text-policy"))).await;
    assert_eq!(release["version"], "1.0.1");
    let path = path(&installed);
    let load = {
        let (rest, project) = (host.rest(), project.clone());
        tokio::spawn(async move {
            let end = Instant::now() + Duration::from_secs(4);
            let mut created = 0;
            while Instant::now() < end {
                rest.issue(&project, "never refused").await;
                created += 1;
            }
            created
        })
    };
    let mut changes = 0;
    while !load.is_finished() {
        done(&rest.patch(&path, json!({"release": {"digest": release["digest"]}})).await);
        let back = rest.post(&format!("{path}:rollback"), json!({})).await;
        assert_eq!(done(&back)["installation"]["release"]["version"], "1.0.0");
        assert_eq!(back.body["lagging_hosts"], json!([]));
        changes += 2;
    }
    assert!(load.await.unwrap() > 20 && changes > 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn rollback_restores_the_earlier_settings() {
    let (_home, _host, rest) = memory().await;
    let had = json!({"settings": {"priorities": ["HIGH"]}, "grants": ["issue:update"]});
    let installed = install(&rest, "support-sla", had.clone()).await;
    let path = path(&installed);
    let next = upload(&rest, newer(&component("support-sla"))).await;
    let has = json!({
        "release": {"digest": next["digest"]}, "settings": {"notify": []},
        "grants": ["comment:create", "notice:create"],
    });
    let updated = done(&rest.patch(&path, has).await)["installation"].clone();
    assert_eq!(updated["grants"], json!(["comment:create", "notice:create"]));
    let elsewhere = json!({"release": {"digest": next["digest"]}});
    let refused = rest.post(&format!("{path}:rollback"), elsewhere).await;
    assert_eq!(refused.code(422), "INVALID_ARGUMENT", "it is the one at work");
    let back = rest.post(&format!("{path}:rollback"), json!({})).await;
    let back = &done(&back)["installation"];
    assert_eq!(back["release"]["version"], "1.0.0");
    assert_eq!((&back["settings"], &back["grants"]), (&had["settings"], &had["grants"]));
}

/// Returns the digests of the releases whose machine code a host has open.
#[cfg(target_os = "linux")]
fn ready(host: &Host) -> std::collections::BTreeSet<String> {
    let open = std::fs::read_dir(format!("/proc/{}/fd", host.pid())).unwrap();
    let files = open.filter_map(|entry| std::fs::read_link(entry.unwrap().path()).ok());
    let names = files.filter_map(|file| Some(file.file_name()?.to_str()?.to_owned()));
    names.filter_map(|name| Some(name.strip_suffix(".code")?.split('-').next()?.to_owned())).collect()
}

#[tokio::test(flavor = "multi_thread")]
#[cfg(target_os = "linux")]
async fn unused_release_is_unloaded_and_rollback_loads_it_again() {
    let home = Home::new(Kind::Sqlite).await;
    let host = Host::start(&home).await;
    let rest = host.rest();
    let first = component("required-fields");
    let rules = json!({"settings": {"rules": [{"fields": ["description"]}]}});
    let installed = install(&rest, "required-fields", rules).await;
    let (path, digest) = (path(&installed), installed["release"]["digest"].as_str().unwrap());
    let next = upload(&rest, newer(&first)).await;
    done(&rest.patch(&path, json!({"release": {"digest": next["digest"]}})).await);
    assert!(ready(&host).contains(digest), "its code is unloaded too early");
    // A refused upload leaves no files.
    let refused = send(&rest, varied(&first, "x"), "application/wasm").await;
    assert_eq!(refused.code(409), "RELEASE_EXISTS");
    assert_eq!(ready(&host).len(), 2);
    assert_eq!(std::fs::read_dir(home.folder.join("plugins")).unwrap().count(), 4, "code and MAC of two");
    for n in 0..17 {
        upload(&rest, versioned(&first, &format!("2.{}.{}", n / 9, n % 9))).await;
    }
    let end = Instant::now() + Duration::from_secs(20);
    // Besides the installed release, the 16 that were used last stay.
    while ready(&host).contains(digest) || ready(&host).len() > 17 {
        assert!(Instant::now() < end, "releases stay ready: {}", ready(&host).len());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let digests = ready(&host);
    assert!(
        digests.contains(next["digest"].as_str().unwrap()),
        "the code of an installed release is unloaded"
    );
    assert_eq!(digests.len(), 17, "16 besides the installed release");
    done(&rest.post(&format!("{path}:rollback"), json!({})).await);
    let body = json!({"project_id": rest.project("P").await, "summary": "s"});
    assert_eq!(rest.post("/v1/issues", body).await.code(422), "FIELD_REQUIRED");
    assert!(ready(&host).contains(digest));
}

#[tokio::test(flavor = "multi_thread")]
async fn machine_attributes_are_equal_over_rest_and_grpc() {
    let (_home, host, rest) = memory().await;
    let project = rest.project("P").await;
    let how = json!({"project_id": project, "settings": {"act": "attributes", "amount": 1}});
    let installed = install_hostile(&rest, how.clone()).await;
    let answer = rest.get(&path(&installed)).await;
    let machine = &answer.expect(200)["installation"]["machines"]["issue"];
    assert_eq!(machine["states"][0]["attributes"], json!({"colour": "grey"}));
    assert_eq!(machine["states"][1]["attributes"], json!({"a0": "x"}));
    assert_eq!(machine["transitions"][0]["attributes"], json!({"button": "Finish it"}));
    let id = rest.issue(&project, "s").await;
    let open = rest.get(&format!("/v1/issues/{id}/transitions")).await;
    assert_eq!(open.expect(200)["transitions"][0]["attributes"], json!({"button": "Finish it"}));

    let text = |text: &str| FieldValue { kind: Some(value::Kind::Text(text.to_owned())) };
    let grpc = host.grpc().await;
    let mut plugins = PluginServiceClient::with_interceptor(grpc.channel.clone(), grpc.clone());
    let installation_id = installed["installation_id"].as_str().unwrap().to_owned();
    let response =
        plugins.get_installation(GetInstallationRequest { installation_id }).await.unwrap().into_inner();
    let machine = &response.installation.unwrap().machines["issue"];
    assert_eq!(machine.states[0].attributes, [("colour".to_owned(), text("grey"))].into());
    assert_eq!(machine.transitions[0].attributes, [("button".to_owned(), text("Finish it"))].into());
    let mut issues = IssuesServiceClient::with_interceptor(grpc.channel.clone(), grpc.clone());
    let open = issues.list_transitions(ListTransitionsRequest { issue_id: id }).await.unwrap().into_inner();
    assert_eq!(open.transitions[0].attributes, [("button".to_owned(), text("Finish it"))].into());

    let more = json!({"settings": {"act": "attributes", "amount": 21}});
    let refused = rest.patch(&path(&installed), more).await;
    assert_eq!(refused.code(424), "PLUGIN_BAD_ANSWER");
    assert!(
        refused.body["detail"].as_str().unwrap().contains("21 entries; at most 20"),
        "{:#}",
        refused.body
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn installation_is_in_force_on_other_hosts_once_none_lags() {
    let home = Home::new(Kind::Postgres).await;
    let (one, other) = (Host::start(&home).await, Host::start(&home).await);
    let project = one.rest().project("P").await;
    let rules = json!({"settings": {"rules": [{"fields": ["description"]}]}});
    let body = json!({"project_id": project, "summary": "s"});
    done(&other.rest().post("/v1/issues", body.clone()).await);
    let release = upload(&one.rest(), component("required-fields")).await;
    let mut how = rules;
    how["release"] = json!({"digest": release["digest"]});
    let answer = one.rest().post("/v1/installations", how).await;
    let installed = answer.expect(201)["installation"].clone();
    // No host lags, so the installation applies on both.
    assert_eq!(answer.body["lagging_hosts"], json!([]));
    assert_eq!(other.rest().post("/v1/issues", body.clone()).await.code(422), "FIELD_REQUIRED");
    let off = other.rest().patch(&path(&installed), json!({"enabled": false})).await;
    assert_eq!(done(&off)["lagging_hosts"], json!([]));
    done(&one.rest().post("/v1/issues", body.clone()).await);
    done(&other.rest().patch(&path(&installed), json!({"enabled": true})).await);
    // After a restart it applies at once.
    drop(one);
    let again = Host::start(&home).await;
    assert_eq!(again.rest().post("/v1/issues", body).await.code(422), "FIELD_REQUIRED");
}

#[tokio::test(flavor = "multi_thread")]
async fn stopped_host_lags() {
    let home = Home::new(Kind::Postgres).await;
    let (one, other) = (Host::start(&home).await, Host::start(&home).await);
    let rest = one.rest();
    let release = upload(&rest, component("text-policy")).await;
    let next = upload(&rest, newer(&component("text-policy"))).await;
    let stop = Command::new("kill").args(["-STOP", &other.pid().to_string()]).status().unwrap();
    assert!(stop.success());
    let lagging = |answer: &Answer| {
        let hosts = done(answer)["lagging_hosts"].as_array().unwrap().clone();
        assert!(hosts.len() == 1 && hosts[0].as_str().is_some_and(|host| !host.is_empty()), "{hosts:?}");
    };
    let created = rest.post("/v1/installations", json!({"release": {"digest": release["digest"]}})).await;
    lagging(&created);
    let path = path(&created.body["installation"]);
    lagging(&rest.patch(&path, json!({"release": {"digest": next["digest"]}})).await);
    lagging(&rest.post(&format!("{path}:rollback"), json!({})).await);
    lagging(&rest.delete(&path).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn plugin_command_is_offered_and_called() {
    let (_home, _host, rest) = memory().await;
    let project = rest.project("P").await;
    install(&rest, "support-sla", json!({"project_id": project})).await;
    let id = rest.issue(&project, "s").await;
    let offered = rest.get(&format!("/v1/issues/{id}/commands")).await;
    let names: Vec<_> = offered.expect(200)["commands"]
        .as_array()
        .unwrap()
        .iter()
        .map(|command| command["name"].clone())
        .collect();
    assert_eq!(names, ["pause-sla", "resume-sla"]);
    let call = async |body: Value| {
        let rest = &rest;
        rest.post(&format!("/v1/issues/{id}:command"), body).await
    };
    let paused = call(json!({"name": "pause-sla"})).await;
    assert_eq!(paused.expect(200)["issue"]["labels"], json!(["sla-paused"]));
    let wrong = call(json!({"name": "resume-sla", "input": {"minutes": 0}})).await;
    assert_eq!(wrong.body["violations"][0]["field"], "input.minutes", "{:#}", wrong.body);
    assert_eq!(call(json!({"name": "fly"})).await.code(409), "COMMAND_NOT_OFFERED");
    let resumed = call(json!({"name": "resume-sla", "input": {"minutes": 5}})).await;
    assert_eq!(resumed.expect(200)["issue"]["labels"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn another_tenants_plugins_are_not_found_and_not_called() {
    let (_home, _host, rest) = memory().await;
    done(&rest.post("/v1/tenants", json!({"slug": "acme", "name": "Acme"})).await);
    let key = rest.post("/v1/keys", json!({"name": "theirs", "roles": ["admin"], "tenant": "acme"})).await;
    let theirs = rest.with_key(key.expect(201)["secret"].as_str());
    let rules = json!({"settings": {"rules": [{"fields": ["description"]}]}});
    let ours = install(&rest, "required-fields", rules.clone()).await;
    let release = format!("/v1/releases/{}", ours["release"]["digest"].as_str().unwrap());
    assert_eq!(theirs.get(&release).await.code(404), "RELEASE_NOT_FOUND");
    let trial =
        json!({"function": "validate", "input": {"operation": "create", "subject": {"kind": "issue"}}});
    assert_eq!(theirs.post(&format!("{release}:test"), trial).await.code(404), "RELEASE_NOT_FOUND");
    let steal = json!({"release": {"digest": ours["release"]["digest"]}});
    assert_eq!(theirs.post("/v1/installations", steal).await.body["violations"][0]["field"], "release");
    for path in ["", "/calls", "/timers"].map(|tail| format!("{}{tail}", path(&ours))) {
        assert_eq!(theirs.get(&path).await.code(404), "INSTALLATION_NOT_FOUND");
    }
    let project = theirs.project("T").await;
    theirs.issue(&project, "nobody judges").await;
    // Two tenants may upload the same bytes, and deletion by one does not affect the other.
    let own = install(&theirs, "required-fields", rules).await;
    done(&theirs.delete(&path(&own)).await);
    done(&theirs.delete(&release).await);
    let project = rest.project("P").await;
    let body = json!({"project_id": project, "summary": "s"});
    assert_eq!(rest.post("/v1/issues", body).await.code(422), "FIELD_REQUIRED");
}
