//! Uploads that are slow, many, refused or cancelled, and a start with releases that are not compiled.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};
use tessera_proto::plugin::v1::UploadReleaseRequest;
use tessera_proto::plugin::v1::plugin_service_client::PluginServiceClient;
use tonic_types::StatusExt as _;

use super::{component, heavy, importing, install, newer, upload, varied, versioned};
use crate::harness::{Answer, Home, Host, Kind, Rest};
use crate::tracker::done;

fn request(rest: &Rest, bytes: Vec<u8>) -> reqwest::RequestBuilder {
    rest.request(Method::POST, "/v1/releases").header("content-type", "application/wasm").body(bytes)
}

async fn send(rest: &Rest, bytes: Vec<u8>) -> Answer {
    rest.send(request(rest, bytes)).await
}

/// Returns the names of the files of machine code.
fn files(home: &Home) -> Vec<String> {
    let entries = std::fs::read_dir(home.folder.join("plugins")).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

/// Waits until a condition holds.
async fn until(what: &str, condition: impl AsyncFn() -> bool) {
    let end = Instant::now() + Duration::from_secs(120);
    while !condition().await {
        assert!(Instant::now() < end, "{what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_compilation_is_refused_by_name() {
    let home = Home::new(Kind::Memory).await;
    // The time of a request is what is left for receiving and checking 4 MB.
    let times = [("TESSERA_REQUEST_TIMEOUT_MS", "10000"), ("TESSERA_PLUGIN_COMPILE_MS", "1000")];
    let host = Host::start_with(&home, &times).await;
    let slow = heavy(&component("required-fields"), 1_200);
    assert_eq!(send(&host.rest(), slow.clone()).await.code(422), "COMPONENT_TOO_SLOW");
    let grpc = host.grpc().await;
    let mut client = PluginServiceClient::with_interceptor(grpc.channel.clone(), grpc);
    let refused = client.upload_release(UploadReleaseRequest { component: slow }).await.unwrap_err();
    assert_eq!(refused.code(), tonic::Code::InvalidArgument, "{refused:?}");
    assert_eq!(refused.get_details_error_info().unwrap().reason, "COMPONENT_TOO_SLOW");
}

#[tokio::test(flavor = "multi_thread")]
async fn upload_may_take_longer_than_other_requests() {
    const REQUEST_TIME: Duration = Duration::from_millis(100);
    let home = Home::new(Kind::Memory).await;
    let time = REQUEST_TIME.as_millis().to_string();
    let host = Host::start_with(&home, &[("TESSERA_REQUEST_TIMEOUT_MS", &time)]).await;
    let good = component("required-fields");
    let start = Instant::now();
    send(&host.rest(), heavy(&good, 100)).await.expect(201);
    assert!(start.elapsed() > REQUEST_TIME, "the upload does not take long: {:?}", start.elapsed());
    let grpc = host.grpc().await;
    let mut client = PluginServiceClient::with_interceptor(grpc.channel.clone(), grpc);
    let start = Instant::now();
    client.upload_release(UploadReleaseRequest { component: heavy(&newer(&good), 100) }).await.unwrap();
    assert!(start.elapsed() > REQUEST_TIME, "the upload does not take long: {:?}", start.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn refusal_with_many_imports_is_readable_over_rest_and_grpc() {
    let home = Home::new(Kind::Memory).await;
    let host = Host::start(&home).await;
    let component = [component("required-fields"), importing(10_000)[8..].to_vec()].concat();
    let refused = send(&host.rest(), component.clone()).await;
    assert_eq!(refused.code(422), "COMPONENT_IMPORTS");
    assert!(refused.body.to_string().len() < 5_000, "{:#}", refused.body);
    let grpc = host.grpc().await;
    let mut client = PluginServiceClient::with_interceptor(grpc.channel.clone(), grpc);
    let status = client.upload_release(UploadReleaseRequest { component }).await.unwrap_err();
    assert_eq!(status.code(), tonic::Code::InvalidArgument, "{status:?}");
    assert_eq!(status.get_details_error_info().unwrap().reason, "COMPONENT_IMPORTS");
}

/// Returns the number of child processes of a host.
#[cfg(target_os = "linux")]
pub fn children(host: &Host) -> usize {
    let tasks = std::fs::read_dir(format!("/proc/{}/task", host.pid())).unwrap();
    let children = |task: std::fs::DirEntry| std::fs::read_to_string(task.path().join("children"));
    let lists = tasks.filter_map(|task| children(task.ok()?).ok());
    lists.map(|list| list.split_whitespace().count()).sum()
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn concurrent_uploads_of_a_tenant_compile_one_at_a_time_and_leave_another_its_turn() {
    let home = Home::new(Kind::Memory).await;
    let host = Host::start(&home).await;
    let rest = host.rest();
    done(&rest.post("/v1/tenants", json!({"slug": "acme", "name": "Acme"})).await);
    let key = rest.post("/v1/keys", json!({"name": "theirs", "roles": ["admin"], "tenant": "acme"})).await;
    let theirs = rest.with_key(key.expect(201)["secret"].as_str());
    let (good, others) = (component("required-fields"), component("text-policy"));
    let uploads: Vec<_> = (0..24)
        .map(|n| {
            let component = heavy(&versioned(&good, &format!("2.{}.{}", n / 9, n % 9)), 20);
            let rest = rest.clone();
            tokio::spawn(async move { send(&rest, component).await })
        })
        .collect();
    until("nothing is compiled", async || children(&host) > 0).await;
    let other = tokio::spawn(async move { (send(&theirs, others).await, Instant::now()) });
    let mut most = 0;
    while !uploads.iter().all(tokio::task::JoinHandle::is_finished) {
        most = most.max(children(&host));
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let end = Instant::now();
    assert!((1..=2).contains(&most), "{most} compilers at once");
    let (other, other_end) = other.await.unwrap();
    other.expect(201);
    assert!(other_end < end, "the other tenant waited for all of the first");
    let mut refused = 0;
    for upload in uploads {
        let answer = upload.await.unwrap();
        if answer.status.as_u16() == 503 {
            assert_eq!(answer.headers["retry-after"], "5", "{:#}", answer.body);
            refused += 1;
        } else {
            answer.expect(201);
        }
    }
    // 8 may be in progress, and on a busy machine some of them get no turn in time.
    assert!((1..24).contains(&refused), "{refused} of 24 were refused");
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_and_cancelled_uploads_leave_no_files() {
    let home = Home::new(Kind::Sqlite).await;
    let host = Host::start(&home).await;
    let rest = host.rest();
    let good = component("required-fields");
    upload(&rest, good.clone()).await;
    assert_eq!(files(&home).len(), 2, "code and MAC");
    let mut unlike = good.clone();
    while let Some(at) = unlike.windows(9).position(|window| window == b"\x08validate") {
        unlike[at..at + 9].copy_from_slice(b"\x08validata");
    }
    let refused = send(&rest, unlike).await;
    assert_eq!(refused.code(422), "COMPONENT_EXPORTS");
    assert!(
        refused.body["detail"].as_str().unwrap().contains("does not have export `validate`"),
        "{:#}",
        refused.body
    );
    assert_eq!(send(&rest, varied(&good, "x")).await.code(409), "RELEASE_EXISTS");
    assert_eq!(files(&home).len(), 2);
    for (n, millis) in [50, 200, 400, 800].into_iter().enumerate() {
        let component = heavy(&versioned(&good, &format!("3.0.{n}")), 20);
        let _ = request(&rest, component).timeout(Duration::from_millis(millis)).send().await;
    }
    // An upload may have been stored before it was cancelled.
    let stored = async || {
        let releases = rest.get("/v1/releases").await;
        releases.expect(200)["releases"].as_array().unwrap().len()
    };
    until("a cancelled upload left files", async || files(&home).len() == 2 * stored().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_removes_machine_code_that_no_release_has() {
    let home = Home::new(Kind::Sqlite).await;
    let host = Host::start(&home).await;
    upload(&host.rest(), component("required-fields")).await;
    drop(host);
    let known = files(&home);
    for name in &known {
        let (_, rest) = name.split_once('-').unwrap();
        let folder = home.folder.join("plugins");
        std::fs::copy(folder.join(name), folder.join(format!("{}-{rest}", "a".repeat(64)))).unwrap();
    }
    assert_eq!(files(&home).len(), 4);
    let _host = Host::start(&home).await;
    until("the files stay", async || files(&home).len() == 2).await;
    assert!(files(&home).iter().all(|name| known.contains(name)));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_components_of_a_tenant_have_a_quota_of_bytes() {
    let home = Home::new(Kind::Memory).await;
    let good = component("required-fields");
    let quota = (good.len() * 3 / 2).to_string();
    let host = Host::start_with(&home, &[("TESSERA_PLUGIN_TENANT_BYTES", &quota)]).await;
    let rest = host.rest();
    let first = upload(&rest, good.clone()).await;
    let refused = send(&rest, newer(&good)).await;
    assert_eq!(refused.code(413), "TOO_LARGE");
    assert!(refused.body["detail"].as_str().unwrap().contains(&quota), "{:#}", refused.body);
    done(&rest.delete(&format!("/v1/releases/{}", first["digest"].as_str().unwrap())).await);
    upload(&rest, newer(&good)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn first_call_does_not_wait_for_the_compilations_of_a_start_and_of_another_tenant() {
    let home = Home::new(Kind::Sqlite).await;
    let host = Host::start(&home).await;
    let rest = host.rest();
    done(&rest.post("/v1/tenants", json!({"slug": "other", "name": "Other"})).await);
    let key = rest.post("/v1/keys", json!({"name": "theirs", "roles": ["admin"], "tenant": "other"})).await;
    let key = key.expect(201)["secret"].as_str().unwrap().to_owned();
    let other = rest.with_key(Some(&key));
    let project = other.project("P").await;
    let rules = json!({"project_id": project, "settings": {"rules": [{"fields": ["description"]}]}});
    install(&other, "required-fields", rules).await;
    for (n, name) in ["text-policy", "support-sla", "issue-lifecycle"].into_iter().enumerate() {
        let project = rest.project(&format!("P{n}")).await;
        let release = upload(&rest, heavy(&component(name), 200)).await;
        let body = json!({"release": {"digest": release["digest"]}, "project_id": project});
        rest.post("/v1/installations", body).await.expect(201);
    }
    drop(host);
    std::fs::remove_dir_all(home.folder.join("plugins")).unwrap();
    let times = [
        ("TESSERA_PLUGIN_PRELOAD_MS", "1"),
        ("TESSERA_REQUEST_TIMEOUT_MS", "180000"),
        ("TESSERA_PLUGIN_TIME_MS", "10000"),
    ];
    let host = Host::start_with(&home, &times).await;
    let rest = host.rest();
    let plugins = async || {
        let health = rest.get("/health").await;
        let checks: Vec<Value> = health.expect(200)["checks"].as_array().unwrap().clone();
        checks.into_iter().find(|check| check["name"] == "plugins").unwrap()["status"].clone()
    };
    assert_eq!(plugins().await, "preparing");
    let body = json!({"project_id": project, "summary": "s"});
    let answer = rest.with_key(Some(&key)).post("/v1/issues", body).await;
    assert_eq!(answer.code(422), "FIELD_REQUIRED");
    assert_eq!(plugins().await, "preparing", "the call waited for the releases of the other tenant");
    until("the plugins are not prepared", async || plugins().await == "ok").await;
    assert_eq!(files(&home).len(), 8, "code and MAC of four");
}
