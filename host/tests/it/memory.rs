//! Clients that make the host keep bytes: unfinished uploads, responses that are not read, resumed streams.

use std::time::{Duration, Instant};

use axum::body::Bytes;
use axum::http::Request;
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use h2::SendStream;
use h2::client::{ResponseFuture, SendRequest};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::harness::{Home, Host, Kind, ROOT_KEY, Rest};
use crate::streams::{long_fields, project_with_long_fields};
use crate::tracker::{done, until};

const MIB: u64 = 1 << 20;

/// Limits of bytes in flight, in MiB: twice the limit of a connection with default settings. Memory may grow by several
/// times as much: buffers double, and the allocator, SQLite and decoded messages are not counted. Each bound is at
/// least twice the limit, and less than the attack takes without it.
const KEY_LIMIT: u64 = 32;
const ADDRESS_LIMIT: u64 = 32;

/// Returns a field of `/proc/<pid>/status` in bytes.
fn status(host: &Host, name: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", host.pid())).unwrap();
    let line = status.lines().find(|line| line.starts_with(name)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}

/// The growth of a host's peak of resident memory since the meter was created.
struct Peak<'a> {
    host: &'a Host,
    before: u64,
}

impl<'a> Peak<'a> {
    fn new(host: &'a Host) -> Self {
        // Sets the peak to the present value.
        std::fs::write(format!("/proc/{}/clear_refs", host.pid()), "5").unwrap();
        Self { host, before: status(host, "VmRSS") }
    }

    #[track_caller]
    fn assert_below(&self, mib: u64, attack: &str) {
        let growth = status(self.host, "VmHWM").saturating_sub(self.before);
        eprintln!("{attack}: peak memory grew by {} MiB", growth / MIB);
        assert!(growth < mib * MIB, "{attack}: {} MiB", growth / MIB);
    }
}

async fn sqlite() -> (Home, Host, Rest) {
    let home = Home::new(Kind::Sqlite).await;
    let host = Host::start(&home).await;
    let rest = host.rest();
    (home, host, rest)
}

/// Opens an HTTP/2 connection whose streams have a receive window of `window` bytes.
async fn connect(address: &str, window: u32) -> SendRequest<Bytes> {
    let tcp = TcpStream::connect(address.trim_start_matches("http://")).await.unwrap();
    let mut builder = h2::client::Builder::new();
    builder.initial_window_size(window).max_send_buffer_size(4 << 20);
    let (client, connection) = builder.handshake(tcp).await.unwrap();
    tokio::spawn(connection);
    client.ready().await.unwrap()
}

/// Calls an RPC with the head of a message of `length` bytes, and with `sent` bytes of it.
async fn start_upload(
    client: &mut SendRequest<Bytes>,
    path: &str,
    key: Option<&str>,
    (length, sent): (u32, usize),
) -> (ResponseFuture, SendStream<Bytes>) {
    let mut request = Request::post(format!("http://host{path}")).header("content-type", "application/grpc");
    if let Some(key) = key {
        request = request.header("authorization", format!("Bearer {key}"));
    }
    *client = client.clone().ready().await.unwrap();
    let (response, mut body) = client.send_request(request.body(()).unwrap(), false).unwrap();
    let mut message = vec![0];
    message.extend(length.to_be_bytes());
    message.resize(5 + sent, 0xff);
    // It fails where the host has refused the call already.
    let _ = body.send_data(message.into(), false);
    (response, body)
}

/// Sends GET requests over HTTP/2 without reading the responses.
async fn get_all(
    client: &mut SendRequest<Bytes>,
    path: &str,
    key: Option<&str>,
    count: usize,
) -> Vec<ResponseFuture> {
    let mut responses = Vec::new();
    for _ in 0..count {
        let mut request = Request::get(format!("http://host{path}"));
        if let Some(key) = key {
            request = request.header("authorization", format!("Bearer {key}"));
        }
        *client = client.clone().ready().await.unwrap();
        responses.push(client.send_request(request.body(()).unwrap(), true).unwrap().0);
    }
    responses
}

/// Opens an HTTP/1 connection and sends a GET request, whose response is not read.
async fn get(address: &str, path: &str) -> TcpStream {
    let mut tcp = TcpStream::connect(address.trim_start_matches("http://")).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: host\r\nauthorization: Bearer {ROOT_KEY}\r\n\r\n");
    tcp.write_all(request.as_bytes()).await.unwrap();
    tcp
}

/// Waits until a request with the first key succeeds: the host counts the bytes of a client that has left for a moment.
async fn until_served(rest: &Rest) {
    until(rest, "/v1/me", |answer| answer.status.is_success()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn uploads_without_a_key_are_refused_before_they_are_read() {
    let (_home, host, _rest) = sqlite().await;
    let peak = Peak::new(&host);
    let mut uploads = Vec::new();
    for _ in 0..2 {
        let mut client = connect(&host.grpc, 65_535).await;
        for _ in 0..128 {
            let path = "/issues.v1.IssuesService/CreateIssue";
            uploads.push(start_upload(&mut client, path, None, (1 << 20, 1_000_000)).await);
        }
    }
    tokio::time::sleep(Duration::from_secs(3)).await;
    for (response, _body) in &mut uploads {
        let response =
            tokio::time::timeout(Duration::from_secs(20), response).await.expect("no refusal").unwrap();
        assert_eq!(response.headers()["grpc-status"], "16");
    }
    // Only windows of 128 KiB for each connection are received; the rest is for 256 streams.
    peak.assert_below(120, "256 unfinished uploads without a key");
}

#[tokio::test(flavor = "multi_thread")]
async fn unfinished_uploads_with_a_key_are_bounded_for_each_connection() {
    let (_home, host, rest) = sqlite().await;
    let peak = Peak::new(&host);
    let (mut clients, mut uploads) = (Vec::new(), Vec::new());
    for _ in 0..4 {
        let mut client = connect(&host.grpc, 65_535).await;
        for _ in 0..64 {
            let path = "/issues.v1.IssuesService/CreateIssue";
            uploads.push(start_upload(&mut client, path, Some(ROOT_KEY), (1 << 20, 1_000_000)).await);
        }
        clients.push(client);
    }
    tokio::time::sleep(Duration::from_secs(3)).await;
    // Those within the limit stay unfinished until the time of requests, 30 s, is over.
    let mut responses: FuturesUnordered<_> = uploads.iter_mut().map(|(response, _body)| response).collect();
    let refusals = async {
        for _ in 0..100 {
            let response = responses.next().await.unwrap().unwrap();
            assert_eq!(response.headers()["grpc-status"], "8");
        }
    };
    let refusals = tokio::time::timeout(Duration::from_secs(25), refusals).await;
    assert!(refusals.is_ok(), "less than 100 of 256 uploads were refused");
    drop(responses);
    peak.assert_below(5 * KEY_LIMIT, "256 unfinished uploads with one key");
    drop((clients, uploads));
    until_served(&rest).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn large_message_to_a_public_rpc_needs_a_key() {
    let (_home, host, _rest) = sqlite().await;
    let path = "/ticket.v1.CatalogService/ListVenues";
    for (key, expected) in [(None, "8"), (Some(ROOT_KEY), "3")] {
        let mut client = connect(&host.grpc, 65_535).await;
        let (response, mut body) = start_upload(&mut client, path, key, (200_000, 200_000)).await;
        // The host may have reset the stream already.
        let _ = body.send_data(Bytes::new(), true);
        assert_eq!(response.await.unwrap().headers()["grpc-status"], expected, "{key:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_end_at_their_budget_and_readers_that_do_not_read_are_disconnected() {
    let home = Home::new(Kind::Sqlite).await;
    let host = Host::start_with(&home, &[("TESSERA_RESPONSE_READ_TIMEOUT_MS", "12000")]).await;
    let rest = host.rest();
    let project = project_with_long_fields(&rest).await;
    let mut ids = Vec::new();
    for n in 0..60 {
        let body = json!({"project_id": project, "summary": format!("{n}"), "fields": long_fields(n)});
        ids.push(rest.post("/v1/issues", body).await.expect(201)["issue"]["issue_id"].clone());
    }
    // A page ends before the requested number of rows, and its token leads to the others.
    let (mut listed, mut token) = (Vec::new(), String::new());
    loop {
        let page =
            rest.get(&format!("/v1/issues?page_size=1000&order_by=created+asc&page_token={token}")).await;
        let issues = page.expect(200)["issues"].as_array().unwrap().clone();
        assert!(!issues.is_empty() && issues.len() <= 13, "{} issues of 160 kB", issues.len());
        listed.extend(issues.into_iter().map(|issue| issue["issue_id"].clone()));
        token = page.body["next_page_token"].as_str().unwrap_or_default().to_owned();
        if token.is_empty() {
            break;
        }
    }
    assert_eq!(listed, ids);

    let peak = Peak::new(&host);
    let start = Instant::now();
    let mut sockets = Vec::new();
    for _ in 0..40 {
        sockets.push(get(&host.http, "/v1/issues?page_size=1000").await);
    }
    let mut streams = Vec::new();
    for _ in 0..4 {
        let mut client = connect(&host.http, 0).await;
        let responses = get_all(&mut client, "/v1/issues?page_size=1000", Some(ROOT_KEY), 50).await;
        streams.push((client, responses));
    }
    tokio::time::sleep(Duration::from_secs(10)).await;
    // Beside what is counted, the rows and the text of as many pages as the store reads at once. Without the limit,
    // 240 pages of 2 MiB.
    peak.assert_below(12 * KEY_LIMIT, "240 readers that do not read");
    // Anonymous callers have a budget of their own.
    rest.with_key(None).get("/v1/venues").await.expect(200);
    // The connections end, though their streams have no window and no write is pending.
    for (client, _) in &mut streams {
        while client.clone().ready().await.is_ok() {
            assert!(start.elapsed() < Duration::from_secs(60), "a connection is still open");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
    for mut socket in sockets {
        let read = tokio::time::timeout(Duration::from_secs(60), socket.read_to_end(&mut Vec::new())).await;
        assert!(read.is_ok(), "a connection is still open");
    }
    until_served(&rest).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn unread_responses_without_a_key_are_bounded() {
    let (_home, host, rest) = sqlite().await;
    let peak = Peak::new(&host);
    let mut streams = Vec::new();
    for _ in 0..4 {
        let mut client = connect(&host.http, 0).await;
        let responses = get_all(&mut client, "/openapi.json", None, 200).await;
        streams.push((client, responses));
    }
    tokio::time::sleep(Duration::from_secs(5)).await;
    peak.assert_below(7 * ADDRESS_LIMIT, "800 unread documents without a key");
    // Others are served.
    let answer = tokio::time::timeout(Duration::from_secs(20), rest.get("/v1/me")).await;
    answer.expect("no response").expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn facts_in_memory_and_resumed_streams_are_bounded_in_bytes() {
    let (_home, host, rest) = sqlite().await;
    let project = project_with_long_fields(&rest).await;
    let issue = rest.issue(&project, "s").await;
    let mut live = get(&host.http, "/v1/streams/facts").await;
    let mut buffer = [0; 4_096];
    let mut head = String::new();
    while !head.contains("retry: 1000") {
        let read = live.read(&mut buffer).await.unwrap();
        head.push_str(std::str::from_utf8(&buffer[..read]).unwrap());
    }
    let cursor = head.rsplit("\nid: ").next().unwrap().split_whitespace().next().unwrap().to_owned();
    let peak = Peak::new(&host);
    for n in 0..400 {
        done(&rest.patch(&format!("/v1/issues/{issue}"), json!({"fields": long_fields(n)})).await);
    }
    // The ring has 16 MiB, and one request at a time is in flight.
    peak.assert_below(120, "400 facts of 320 kB");
    let peak = Peak::new(&host);
    let mut resumed = Vec::new();
    for _ in 0..10 {
        resumed.push(get(&host.http, &format!("/v1/streams/facts?after={cursor}")).await);
    }
    tokio::time::sleep(Duration::from_secs(8)).await;
    // Each has a batch of one fact. Without the limit, each had 150 MiB.
    peak.assert_below(250, "10 resumed streams");
    drop((live, resumed));
}
