//! Shutdown on SIGTERM: new requests are refused, started ones finish within a time limit, the exit code is 0.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use crate::harness::{Home, Host, Kind, ROOT_KEY, Rest};
use crate::tracker::{count, on_every_store};

on_every_store! { started_requests_finish_and_new_ones_are_refused }

/// A request that is sent only in part.
struct PartialRequest {
    stream: TcpStream,
    rest: Vec<u8>,
}

impl PartialRequest {
    fn creation(host: &Host, project: &str) -> Self {
        let address = host.http.strip_prefix("http://").unwrap();
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let body = json!({"project_id": project, "summary": "in flight"}).to_string();
        let head = format!(
            "POST /v1/issues HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {ROOT_KEY}\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        let (first, rest) = body.split_at(10);
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(first.as_bytes()).unwrap();
        Self { stream, rest: rest.as_bytes().to_vec() }
    }

    fn finish(mut self) -> String {
        self.stream.write_all(&self.rest).unwrap();
        let mut answer = String::new();
        self.stream.read_to_string(&mut answer).unwrap();
        answer
    }
}

/// Waits until the host is not ready, or refuses connections.
async fn until_not_ready(rest: &Rest) {
    let end = Instant::now() + Duration::from_secs(2);
    loop {
        let fresh = Rest { client: reqwest::Client::new(), ..rest.clone() };
        let ready = fresh.request(reqwest::Method::GET, "/readyz").send().await;
        if ready.map_or(true, |answer| answer.status().as_u16() == 503) {
            return;
        }
        assert!(Instant::now() < end, "the host is still ready");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn started_requests_finish_and_new_ones_are_refused(kind: Kind) {
    let home = Home::empty(kind).await;
    let mut host = Host::start(&home).await;
    let rest = host.rest();
    let project = rest.project("P").await;
    let partial = PartialRequest::creation(&host, &project);
    // Once a later request on another connection is answered, the head of this one has been read.
    rest.get("/livez").await.expect(200);
    tokio::time::sleep(Duration::from_millis(100)).await;
    host.terminate();
    until_not_ready(&rest).await;
    let answer = tokio::task::block_in_place(|| partial.finish());
    assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    let body: Value = serde_json::from_str(body).unwrap();
    let status = tokio::task::block_in_place(|| host.wait(Duration::from_secs(10)));
    assert_eq!(status.code(), Some(0), "{}", host.log());
    if kind == Kind::Memory {
        return;
    }
    let host = Host::start(&home).await;
    let id = body["issue"]["issue_id"].as_str().unwrap();
    host.rest().get(&format!("/v1/issues/{id}")).await.expect(200);
    assert_eq!(count(&host.rest(), &project).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn unfinished_request_does_not_delay_shutdown() {
    let home = Home::empty(Kind::Memory).await;
    let mut host = Host::start_with(&home, &[("TESSERA_SHUTDOWN_TIMEOUT_MS", "500")]).await;
    let project = host.rest().project("P").await;
    let partial = PartialRequest::creation(&host, &project);
    host.rest().get("/livez").await.expect(200);
    let start = Instant::now();
    host.terminate();
    let status = tokio::task::block_in_place(|| host.wait(Duration::from_secs(5)));
    assert_eq!(status.code(), Some(0), "{}", host.log());
    assert!(start.elapsed() < Duration::from_secs(4));
    drop(partial);
}

async fn ends_at_once(host: &mut Host) {
    let start = Instant::now();
    host.terminate();
    let status = tokio::task::block_in_place(|| host.wait(Duration::from_secs(12)));
    assert_eq!(status.code(), Some(0), "{}", host.log());
    assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_connections_do_not_delay_shutdown() {
    let home = Home::empty(Kind::Memory).await;
    let mut host = Host::start(&home).await;
    let rest = host.rest();
    rest.get("/v1/me").await.expect(200);
    let _grpc = host.grpc().await;
    ends_at_once(&mut host).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn silent_connections_do_not_delay_shutdown() {
    let home = Home::empty(Kind::Memory).await;
    let mut host = Host::start(&home).await;
    let _silent = TcpStream::connect(host.http.strip_prefix("http://").unwrap()).unwrap();
    let _other = TcpStream::connect(&host.grpc).unwrap();
    host.rest().get("/livez").await.expect(200);
    ends_at_once(&mut host).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn health_watchers_see_the_host_stop() {
    let home = Home::empty(Kind::Memory).await;
    let mut host = Host::start(&home).await;
    let mut client = HealthClient::new(host.grpc().await.channel);
    let request = HealthCheckRequest { service: "issues.v1.IssuesService".into() };
    let mut watch = client.watch(request).await.unwrap().into_inner();
    let first = watch.message().await.unwrap().unwrap();
    assert_eq!(first.status(), ServingStatus::Serving);
    let start = Instant::now();
    host.terminate();
    let next =
        tokio::time::timeout(Duration::from_secs(5), watch.message()).await.expect("no status arrives");
    if let Ok(Some(answer)) = next {
        assert_eq!(answer.status(), ServingStatus::NotServing);
    }
    let status = tokio::task::block_in_place(|| host.wait(Duration::from_secs(12)));
    assert_eq!(status.code(), Some(0), "{}", host.log());
    assert!(start.elapsed() < Duration::from_secs(3), "the watcher held it for {:?}", start.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn sigint_stops_the_host_like_sigterm() {
    let home = Home::empty(Kind::Memory).await;
    let mut host = Host::start(&home).await;
    let pid = host.pid().to_string();
    assert!(std::process::Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    let status = tokio::task::block_in_place(|| host.wait(Duration::from_secs(5)));
    assert_eq!(status.code(), Some(0), "{}", host.log());
}
