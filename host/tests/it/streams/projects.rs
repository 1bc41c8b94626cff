//! Projects' counts as they change: `StreamProjectUpdates`, and the same for browsers.

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

/// Both ends of `StreamProjectUpdates`.
pub struct Updates {
    pub ask: mpsc::Sender<StreamProjectUpdatesRequest>,
    pub told: tonic::Streaming<StreamProjectUpdatesResponse>,
}

impl Updates {
    pub async fn open(host: &Host) -> Self {
        let grpc = host.grpc().await;
        let mut client = ProjectServiceClient::with_interceptor(grpc.channel.clone(), grpc);
        let (ask, asked) = mpsc::channel(16);
        let told = client.stream_project_updates(ReceiverStream::new(asked)).await.unwrap().into_inner();
        Self { ask, told }
    }

    pub async fn send(&self, action: &str, project: &str) {
        let request =
            StreamProjectUpdatesRequest { project_id: project.to_owned(), action: action.to_owned() };
        self.ask.send(request).await.unwrap();
    }

    pub async fn next(&mut self) -> StreamProjectUpdatesResponse {
        let told = tokio::time::timeout(Duration::from_secs(10), self.told.message()).await;
        told.expect("nothing is told").unwrap().expect("the stream ended")
    }

    /// Waits until a project is told to have so many issues.
    pub async fn until(&mut self, project: &str, count: i32) {
        loop {
            let told = self.next().await;
            assert_eq!(told.project_id, project);
            if told.issue_count == count {
                return;
            }
        }
    }
}

async fn said(socket: &mut Socket) -> Value {
    let next = async {
        loop {
            if let Message::Text(text) = socket.next().await.expect("it ended").unwrap() {
                return serde_json::from_str(text.as_str()).unwrap();
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(10), next).await.expect("nothing is told")
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
    tokio::time::timeout(Duration::from_secs(10), next).await.expect("nothing is told")
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
    assert_eq!(said(&mut frames).await["issue_count"], 1);

    // Another project is none of their business.
    rest.issue(&other, "elsewhere").await;
    let made = (0..20).map(|n| {
        let (rest, project) = (&rest, &project);
        async move { rest.issue(project, &format!("{n}")).await }
    });
    let made = futures_util::future::join_all(made).await;
    grpc.until(&project, 21).await;
    while event(&mut events).await["issue_count"] != 21 {}
    while said(&mut frames).await["issue_count"] != 21 {}

    done(&rest.delete(&format!("/v1/issues/{}", made[0])).await);
    grpc.until(&project, 20).await;
    done(&rest.post(&format!("/v1/projects/{other}/issues"), json!({"issue_id": made[1]})).await);
    grpc.until(&project, 19).await;
    while event(&mut events).await["issue_count"] != 19 {}
    while said(&mut frames).await["issue_count"] != 19 {}
    done(&rest.delete(&format!("/v1/projects/{project}?delete_issues=true")).await);
    grpc.until(&project, 0).await;
    while event(&mut events).await["issue_count"] != 0 {}
    while said(&mut frames).await["issue_count"] != 0 {}
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
    said(&mut frames).await;
    for _ in 0..5 {
        let ask = json!({"action": "update", "project_id": project}).to_string();
        frames.send(Message::text(ask)).await.unwrap();
        assert_eq!(said(&mut frames).await["issue_count"], 1);
    }
    assert_eq!(count(&rest, &project).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_action_or_project_is_reported() {
    let (_home, host, rest) = memory().await;
    let project = rest.project("P").await;
    for (action, asked, code) in [
        ("explode", project.as_str(), tonic::Code::InvalidArgument),
        ("", project.as_str(), tonic::Code::InvalidArgument),
        ("subscribe", "not-an-id", tonic::Code::InvalidArgument),
        ("subscribe", "0198c0de-0000-7000-8000-000000000000", tonic::Code::NotFound),
    ] {
        let mut grpc = Updates::open(&host).await;
        grpc.send(action, asked).await;
        let refused = tokio::time::timeout(Duration::from_secs(5), grpc.told.message()).await.unwrap();
        assert_eq!(refused.unwrap_err().code(), code, "{action} {asked}");
    }
    let mut frames = socket(&rest, &format!("/v1/projects/{project}/stream")).await.unwrap();
    said(&mut frames).await;
    for bad in [
        json!({"action": "explode", "project_id": project}).to_string(),
        json!({"action": "subscribe", "project_id": "not-an-id"}).to_string(),
        json!({"action": "subscribe"}).to_string(),
        "rubbish".to_owned(),
    ] {
        frames.send(Message::text(bad.clone())).await.unwrap();
        assert!(said(&mut frames).await["error"]["code"].is_string(), "{bad}");
    }
    // The socket has survived all of it, but not a message that is too long.
    frames.send(Message::text(json!({"action": "update", "project_id": project}).to_string())).await.unwrap();
    assert_eq!(said(&mut frames).await["issue_count"], 0);
    let absent = "/v1/projects/0198c0de-0000-7000-8000-000000000000/stream";
    assert_eq!(socket(&rest, absent).await.err().unwrap(), "PROJECT_NOT_FOUND");
    assert_eq!(EventReader::open(&rest, absent, None).await.err().unwrap(), "PROJECT_NOT_FOUND");
    let _ = frames.send(Message::text("x".repeat(8_192))).await;
    let end = async { while let Some(Ok(_)) = frames.next().await {} };
    tokio::time::timeout(Duration::from_secs(5), end).await.expect("a message without bound is taken");
}

/// The program that Tessera replaces crashed when a subscriber left.
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
    let Updates { ask, mut told } = Updates::open(&host).await;
    let request = StreamProjectUpdatesRequest { project_id: project.clone(), action: "subscribe".into() };
    ask.send(request).await.unwrap();
    told.message().await.unwrap().unwrap();
    drop(ask);
    rest.issue(&project, "s").await;
    let next = tokio::time::timeout(Duration::from_secs(5), told.message()).await.expect("nothing is told");
    assert_eq!(next.unwrap().unwrap().issue_count, 1);
    // Who subscribed to nothing has nothing to wait for.
    let Updates { ask, mut told } = Updates::open(&host).await;
    drop(ask);
    let end = tokio::time::timeout(Duration::from_secs(5), told.message()).await.expect("it goes on");
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
    said(&mut frames).await;
    grpc.send("subscribe", &projects[0]).await;
    grpc.next().await;
    grpc.send("subscribe", &projects[1]).await;
    grpc.next().await;
    let more = json!({"action": "subscribe", "project_id": projects[1]}).to_string();
    frames.send(Message::text(more)).await.unwrap();
    assert_eq!(said(&mut frames).await["project_id"], projects[1]);
    rest.issue(&projects[2], "unseen").await;
    rest.issue(&projects[1], "seen").await;
    let told = grpc.next().await;
    assert_eq!((told.project_id.as_str(), told.issue_count), (projects[1].as_str(), 1));
    assert_eq!(said(&mut frames).await["project_id"], projects[1]);
    rest.issue(&projects[0], "seen").await;
    assert_eq!(grpc.next().await.project_id, projects[0]);
}

/// Another tenant's project is not there.
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
    let asked = tokio_stream::once(request);
    let mut told = client.stream_project_updates(asked).await.unwrap().into_inner();
    assert_eq!(told.message().await.unwrap_err().code(), tonic::Code::NotFound);
}
