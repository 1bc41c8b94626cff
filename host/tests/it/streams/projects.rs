//! Streams of projects' issue counts: `StreamProjectUpdates`, WebSocket and Server-Sent Events.

use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tessera_proto::project::v1::project_service_client::ProjectServiceClient;
use tessera_proto::project::v1::{StreamProjectUpdatesRequest, StreamProjectUpdatesResponse};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_tungstenite::tungstenite::Message;

use super::client::{EventReader, Socket, socket};
use crate::harness::{Host, Kind, Rest};
use crate::tracker::{count, done, memory, on, on_every_store};

on_every_store! { subscribers_see_the_exact_count_over_every_transport }

/// An open `StreamProjectUpdates` call.
pub struct Updates {
    pub requests: mpsc::Sender<StreamProjectUpdatesRequest>,
    pub responses: tonic::Streaming<StreamProjectUpdatesResponse>,
}

impl Updates {
    pub async fn open(host: &Host) -> Self {
        let grpc = host.grpc().await;
        let mut client = ProjectServiceClient::with_interceptor(grpc.channel.clone(), grpc);
        let (requests, receiver) = mpsc::channel(16);
        let responses =
            client.stream_project_updates(ReceiverStream::new(receiver)).await.unwrap().into_inner();
        Self { requests, responses }
    }

    pub async fn send(&self, action: &str, project: &str) {
        let request =
            StreamProjectUpdatesRequest { project_id: project.to_owned(), action: action.to_owned() };
        self.requests.send(request).await.unwrap();
    }

    pub async fn next(&mut self) -> StreamProjectUpdatesResponse {
        let response = tokio::time::timeout(Duration::from_secs(10), self.responses.message()).await;
        response.expect("no update arrives").unwrap().expect("the stream ended")
    }

    /// Waits for an update with this count of a project.
    pub async fn until(&mut self, project: &str, count: i32) {
        loop {
            let update = self.next().await;
            assert_eq!(update.project_id, project);
            if update.issue_count == count {
                return;
            }
        }
    }
}

async fn next_message(socket: &mut Socket) -> Value {
    let next = async {
        loop {
            if let Message::Text(text) = socket.next().await.expect("it ended").unwrap() {
                return serde_json::from_str(text.as_str()).unwrap();
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(10), next).await.expect("no update arrives")
}

async fn event(events: &mut EventReader) -> Value {
    let next = async {
        loop {
            let event = events.event().await.expect("it ended");
            if !event.data.is_empty() {
                assert_eq!(event.name, "project");
                return serde_json::from_str(&event.data).unwrap();
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(10), next).await.expect("no update arrives")
}

async fn subscribers_see_the_exact_count_over_every_transport(kind: Kind) {
    let (_home, host, rest) = on(kind).await;
    let (project, other) = (rest.project("P").await, rest.project("Q").await);
    rest.issue(&project, "first").await;
    let path = format!("/v1/projects/{project}/stream");

    let mut grpc = Updates::open(&host).await;
    grpc.send("subscribe", &project).await;
    let first = grpc.next().await;
    assert_eq!((first.project_id.as_str(), first.issue_count), (project.as_str(), 1));
    assert!(!first.message.is_empty());
    let mut events = EventReader::open(&rest, &path, None).await.unwrap();
    assert_eq!(event(&mut events).await["issue_count"], 1);
    let mut frames = socket(&rest, &path).await.unwrap();
    assert_eq!(next_message(&mut frames).await["issue_count"], 1);

    // Subscribers get no updates of another project.
    rest.issue(&other, "elsewhere").await;
    let creations = (0..20).map(|n| {
        let (rest, project) = (&rest, &project);
        async move { rest.issue(project, &format!("{n}")).await }
    });
    let ids = futures_util::future::join_all(creations).await;
    grpc.until(&project, 21).await;
    while event(&mut events).await["issue_count"] != 21 {}
    while next_message(&mut frames).await["issue_count"] != 21 {}

    done(&rest.delete(&format!("/v1/issues/{}", ids[0])).await);
    grpc.until(&project, 20).await;
    done(&rest.post(&format!("/v1/projects/{other}/issues"), json!({"issue_id": ids[1]})).await);
    grpc.until(&project, 19).await;
    while event(&mut events).await["issue_count"] != 19 {}
    while next_message(&mut frames).await["issue_count"] != 19 {}
    done(&rest.delete(&format!("/v1/projects/{project}?delete_issues=true")).await);
    grpc.until(&project, 0).await;
    while event(&mut events).await["issue_count"] != 0 {}
    while next_message(&mut frames).await["issue_count"] != 0 {}
}

#[tokio::test(flavor = "multi_thread")]
async fn update_request_returns_the_count_unchanged() {
    let (_home, host, rest) = memory().await;
    let project = rest.project("P").await;
    rest.issue(&project, "s").await;
    let mut grpc = Updates::open(&host).await;
    for _ in 0..5 {
        grpc.send("update", &project).await;
        assert_eq!(grpc.next().await.issue_count, 1);
    }
    assert_eq!(count(&rest, &project).await, 1);
    let mut frames = socket(&rest, &format!("/v1/projects/{project}/stream")).await.unwrap();
    next_message(&mut frames).await;
    for _ in 0..5 {
        let request = json!({"action": "update", "project_id": project}).to_string();
        frames.send(Message::text(request)).await.unwrap();
        assert_eq!(next_message(&mut frames).await["issue_count"], 1);
    }
    assert_eq!(count(&rest, &project).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_action_or_project_is_reported() {
    let (_home, host, rest) = memory().await;
    let project = rest.project("P").await;
    for (action, id, code) in [
        ("explode", project.as_str(), tonic::Code::InvalidArgument),
        ("", project.as_str(), tonic::Code::InvalidArgument),
        ("subscribe", "not-an-id", tonic::Code::InvalidArgument),
        ("subscribe", "0198c0de-0000-7000-8000-000000000000", tonic::Code::NotFound),
    ] {
        let mut grpc = Updates::open(&host).await;
        grpc.send(action, id).await;
        let refused = tokio::time::timeout(Duration::from_secs(5), grpc.responses.message()).await.unwrap();
        assert_eq!(refused.unwrap_err().code(), code, "{action} {id}");
    }
    let mut frames = socket(&rest, &format!("/v1/projects/{project}/stream")).await.unwrap();
    next_message(&mut frames).await;
    for bad in [
        json!({"action": "explode", "project_id": project}).to_string(),
        json!({"action": "subscribe", "project_id": "not-an-id"}).to_string(),
        json!({"action": "subscribe"}).to_string(),
        "rubbish".to_owned(),
    ] {
        frames.send(Message::text(bad.clone())).await.unwrap();
        assert!(next_message(&mut frames).await["error"]["code"].is_string(), "{bad}");
    }
    // The socket stays open after errors, but is closed by a message that is too long.
    frames.send(Message::text(json!({"action": "update", "project_id": project}).to_string())).await.unwrap();
    assert_eq!(next_message(&mut frames).await["issue_count"], 0);
    let absent = "/v1/projects/0198c0de-0000-7000-8000-000000000000/stream";
    assert_eq!(socket(&rest, absent).await.err().unwrap(), "PROJECT_NOT_FOUND");
    assert_eq!(EventReader::open(&rest, absent, None).await.err().unwrap(), "PROJECT_NOT_FOUND");
    let _ = frames.send(Message::text("x".repeat(8_192))).await;
    let end = async { while let Some(Ok(_)) = frames.next().await {} };
    tokio::time::timeout(Duration::from_secs(5), end).await.expect("a message without bound is accepted");
}

/// The predecessor crashed when a subscriber left.
#[tokio::test(flavor = "multi_thread")]
async fn leaving_subscribers_affect_no_other() {
    let (_home, host, rest) = memory().await;
    let project = rest.project("P").await;
    let mut stays = Updates::open(&host).await;
    stays.send("subscribe", &project).await;
    stays.next().await;
    for round in 1..=10 {
        let mut grpc = Updates::open(&host).await;
        grpc.send("subscribe", &project).await;
        grpc.next().await;
        let path = format!("/v1/projects/{project}/stream");
        let events = EventReader::open(&rest, &path, None).await.unwrap();
        let frames = socket(&rest, &path).await.unwrap();
        drop((grpc, events, frames));
        rest.issue(&project, "s").await;
        stays.until(&project, round).await;
    }
    done(&rest.get("/readyz").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn subscriptions_last_after_a_client_half_closes() {
    let (_home, host, rest) = memory().await;
    let project = rest.project("P").await;
    let Updates { requests, mut responses } = Updates::open(&host).await;
    let request = StreamProjectUpdatesRequest { project_id: project.clone(), action: "subscribe".into() };
    requests.send(request).await.unwrap();
    responses.message().await.unwrap().unwrap();
    drop(requests);
    rest.issue(&project, "s").await;
    let next =
        tokio::time::timeout(Duration::from_secs(5), responses.message()).await.expect("no update arrives");
    assert_eq!(next.unwrap().unwrap().issue_count, 1);
    // A stream without subscriptions ends when the client half-closes.
    let Updates { requests, mut responses } = Updates::open(&host).await;
    drop(requests);
    let end = tokio::time::timeout(Duration::from_secs(5), responses.message()).await.expect("it goes on");
    assert_eq!(end.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_stream_follows_several_projects_and_no_others() {
    let (_home, host, rest) = memory().await;
    let mut projects = Vec::new();
    for name in ["A", "B", "C"] {
        projects.push(rest.project(name).await);
    }
    let mut grpc = Updates::open(&host).await;
    let mut frames = socket(&rest, &format!("/v1/projects/{}/stream", projects[0])).await.unwrap();
    next_message(&mut frames).await;
    grpc.send("subscribe", &projects[0]).await;
    grpc.next().await;
    grpc.send("subscribe", &projects[1]).await;
    grpc.next().await;
    let more = json!({"action": "subscribe", "project_id": projects[1]}).to_string();
    frames.send(Message::text(more)).await.unwrap();
    assert_eq!(next_message(&mut frames).await["project_id"], projects[1]);
    rest.issue(&projects[2], "unseen").await;
    rest.issue(&projects[1], "seen").await;
    let update = grpc.next().await;
    assert_eq!((update.project_id.as_str(), update.issue_count), (projects[1].as_str(), 1));
    assert_eq!(next_message(&mut frames).await["project_id"], projects[1]);
    rest.issue(&projects[0], "seen").await;
    assert_eq!(grpc.next().await.project_id, projects[0]);
}

/// Another tenant's project is not found.
#[tokio::test(flavor = "multi_thread")]
async fn a_project_of_another_tenant_cannot_be_followed() {
    let (_home, host, rest) = memory().await;
    let project = rest.project("P").await;
    done(&rest.post("/v1/tenants", json!({"slug": "acme", "name": "Acme"})).await);
    let body = json!({"name": "k", "roles": ["admin"], "tenant": "acme"});
    let key = done(&rest.post("/v1/keys", body).await)["secret"].as_str().unwrap().to_owned();
    let acme: Rest = rest.with_key(Some(&key));
    let path = format!("/v1/projects/{project}/stream");
    assert_eq!(socket(&acme, &path).await.err().unwrap(), "PROJECT_NOT_FOUND");
    assert_eq!(EventReader::open(&acme, &path, None).await.err().unwrap(), "PROJECT_NOT_FOUND");
    let grpc = host.grpc().await.with_key(Some(&key));
    let mut client = ProjectServiceClient::with_interceptor(grpc.channel.clone(), grpc);
    let request = StreamProjectUpdatesRequest { project_id: project, action: "subscribe".into() };
    let requests = tokio_stream::once(request);
    let mut responses = client.stream_project_updates(requests).await.unwrap().into_inner();
    assert_eq!(responses.message().await.unwrap_err().code(), tonic::Code::NotFound);
}
