//! Clients that do not finish their requests, or do not read the responses.

use std::io::Write as _;
use std::net::TcpStream;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream;
use prost::Message as _;
use reqwest::Method;
use serde_json::json;
use tessera_proto::plugin::v1::UploadReleaseRequest;
use tokio::task::JoinSet;

use super::{Attack, Outcome, size};
use crate::operations::rpc;
use crate::streams::{long_fields, project_with_long_fields};
use crate::tracker::{done, encode, until};

/// How many objects are created at once.
const CONCURRENT: usize = 8;

/// Waits with open connections.
async fn wait() {
    tokio::time::sleep(Duration::from_secs(size(1, 10) as u64)).await;
}

/// Leaves uploads unfinished, without a key and then with one.
pub async fn unfinished_uploads(attack: &Attack<'_>) -> Outcome {
    let count = size(8, 128);
    let message = UploadReleaseRequest { component: vec![0; 3 << 20] }.encode_to_vec();
    let mut answered = Vec::new();
    for key in [None, attack.key()] {
        let mut running = JoinSet::new();
        for _ in 0..2 {
            let grpc = attack.host.grpc().await.with_key(key);
            for _ in 0..count / 2 {
                let (grpc, message) = (grpc.clone(), message.clone());
                running.spawn(async move {
                    rpc::send_unfinished(&grpc, "plugin.v1.PluginService/UploadRelease", message).await
                });
            }
        }
        wait().await;
        let mut ended = 0;
        while running.try_join_next().is_some() {
            ended += 1;
        }
        answered.push(ended);
    }
    Ok(format!("answered of {count}: {} without a key, {} with one", answered[0], answered[1]))
}

/// Sends a request and reads nothing.
fn send_only(attack: &Attack<'_>, path: &str, key: Option<&str>) -> TcpStream {
    let address = attack.rest.base.trim_start_matches("http://");
    let mut connection = TcpStream::connect(address).unwrap();
    let authorization = key.map(|key| format!("Authorization: Bearer {key}\r\n")).unwrap_or_default();
    let head = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nX-Tenant: hostile\r\n{authorization}\r\n");
    connection.write_all(head.as_bytes()).unwrap();
    connection
}

/// Creates issues and events that fill pages.
pub async fn large_objects(attack: &Attack<'_>) -> Outcome {
    let (issues, events) = (size(10, 200), size(10, 200));
    let project = project_with_long_fields(&attack.rest).await;
    let issue = |n| {
        let body = json!({"project_id": project, "summary": "s", "fields": long_fields(n)});
        async move {
            done(&attack.rest.post("/v1/issues", body).await);
        }
    };
    stream::iter(0..issues).for_each_concurrent(CONCURRENT, issue).await;
    let event = json!({
        "title": "A night", "category": "music", "status": "active", "description": "d".repeat(10_000),
        "start_date": "2126-03-01T19:00:00Z", "end_date": "2126-03-01T22:00:00Z",
    });
    let event = |_| async {
        done(&attack.rest.post("/v1/events", event.clone()).await);
    };
    stream::iter(0..events).for_each_concurrent(CONCURRENT, event).await;
    Ok(format!("{issues} issues of 320 kB and {events} events, {CONCURRENT} at once"))
}

/// Requests pages of them with and without a key, and reads none.
pub async fn pages(attack: &Attack<'_>) -> Outcome {
    let readers = size(4, 20);
    let open = |path: &str, key| (0..readers).map(|_| send_only(attack, path, key)).collect::<Vec<_>>();
    let _connections =
        [open("/v1/issues?page_size=1000", attack.key()), open("/v1/events?page_size=200", None)];
    wait().await;
    Ok(format!("{readers} readers of issues, and without a key of events"))
}

/// Resumes streams before many large facts, and reads none.
pub async fn streams(attack: &Attack<'_>) -> Outcome {
    let (changes, readers) = (size(10, 700), 5);
    let project = project_with_long_fields(&attack.rest).await;
    let issue = attack.rest.issue(&project, "s").await;
    let last = "/v1/audit?page_size=1";
    let numbered = until(&attack.rest, last, |answer| answer.body["facts"][0]["cursor"].is_string()).await;
    let cursor = numbered.body["facts"][0]["cursor"].as_str().unwrap();
    for n in 0..changes {
        let body = json!({"fields": long_fields(n)});
        done(&attack.rest.patch(&format!("/v1/issues/{issue}"), body).await);
    }
    let path = format!("/v1/streams/facts?after={}", encode(cursor));
    let opened = attack.rest.request(Method::GET, &path).send().await.unwrap();
    assert_eq!(opened.status(), 200);
    let _connections: Vec<_> = (0..readers).map(|_| send_only(attack, &path, attack.key())).collect();
    wait().await;
    Ok(format!("{readers} streams resumed before {changes} facts of 320 kB"))
}
