//! The end of streams: on revocation, and with the host.

use std::time::{Duration, Instant};

use serde_json::json;

use super::client::{EventReader, Facts, StreamItem, Subscription, Way, socket};
use crate::harness::{Home, Host, Kind, Rest};
use crate::tracker::{done, memory, on_every_store};

on_every_store! { streams_resume_on_the_next_host }

/// Longest time until a stream must have ended.
const SOON: Duration = Duration::from_secs(2);

/// Returns the id of a key.
pub fn id_of(key: &str) -> &str {
    key.split('_').nth(1).unwrap()
}

async fn wait_for_end(stream: &mut Facts, way: Way) -> String {
    let end = tokio::time::timeout(SOON, stream.end()).await;
    let (_, why) = end.unwrap_or_else(|_| panic!("{way:?} goes on"));
    match way {
        Way::Grpc => assert!(why.starts_with("Unauthenticated"), "{why}"),
        Way::Socket => assert!(why.starts_with("1008"), "{why}"),
        Way::Sse => {}
    }
    why
}

async fn open_all(host: &Host, key: &str) -> Vec<(Way, Facts)> {
    let subscription =
        Subscription { key: Some(key.to_owned()), types: vec!["issue.*"], ..Subscription::default() };
    let mut streams = Vec::new();
    for way in Way::ALL {
        streams.push((way, Facts::open(host, way, &subscription).await.unwrap()));
    }
    streams
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_are_limited_for_each_principal() {
    let (_home, host, rest) = memory().await;
    let greedy = rest.new_key(&["viewer"], None).await;
    let subscription = Subscription { key: Some(greedy), ..Subscription::default() };
    let mut open = Vec::new();
    for _ in 0..100 {
        open.push(Facts::open(&host, Way::Sse, &subscription).await.unwrap());
    }
    for way in Way::ALL {
        assert_eq!(Facts::open(&host, way, &subscription).await.err().unwrap(), "TOO_MANY_STREAMS");
    }
    assert!(Facts::open(&host, Way::Sse, &Subscription::default()).await.is_ok());
    open.pop();
    let start = Instant::now();
    while Facts::open(&host, Way::Sse, &subscription).await.is_err() {
        assert!(start.elapsed() < SOON, "a stream that was closed still counts");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_ends_when_its_key_is_revoked_and_others_go_on() {
    let (_home, host, rest) = memory().await;
    let project = rest.project("P").await;
    let (revoked, valid) = (rest.new_key(&["viewer"], None).await, rest.new_key(&["viewer"], None).await);
    let (mut ending, mut staying) = (open_all(&host, &revoked).await, open_all(&host, &valid).await);
    done(&rest.post(&format!("/v1/keys/{}:revoke", id_of(&revoked)), json!({})).await);
    for (way, stream) in &mut ending {
        wait_for_end(stream, *way).await;
    }
    let id = rest.issue(&project, "s").await;
    for (_, stream) in &mut staying {
        assert_eq!(stream.fact().await.object, id);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn stream_ends_when_its_user_is_deactivated_or_its_tenant_suspended() {
    let (_home, host, rest) = memory().await;
    done(&rest.post("/v1/tenants", json!({"slug": "acme", "name": "Acme"})).await);
    let body = json!({"name": "k", "roles": ["admin"], "tenant": "acme"});
    let admin = done(&rest.post("/v1/keys", body).await)["secret"].as_str().unwrap().to_owned();
    let acme = rest.with_key(Some(&admin));
    let user = acme.user("ada@example.com").await;
    let bound = acme.new_key(&["viewer"], Some(&user)).await;

    let mut streams = open_all(&host, &bound).await;
    done(&acme.post(&format!("/v2/users/{user}:deactivate"), json!({})).await);
    for (way, stream) in &mut streams {
        wait_for_end(stream, *way).await;
    }
    let mut streams = open_all(&host, &admin).await;
    done(&rest.post("/v1/tenants/acme:suspend", json!({})).await);
    for (way, stream) in &mut streams {
        wait_for_end(stream, *way).await;
    }
    assert_eq!(acme.get("/v1/me").await.code(401), "UNAUTHENTICATED");
    done(&rest.post("/v1/tenants/acme:resume", json!({})).await);
    done(&acme.get("/v1/me").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_stream_of_a_project_ends_when_its_key_is_revoked() {
    let (_home, _host, rest) = memory().await;
    let project = rest.project("P").await;
    let path = format!("/v1/projects/{project}/stream");
    let key = rest.new_key(&["viewer"], None).await;
    let listener = rest.with_key(Some(&key));
    let mut events = EventReader::open(&listener, &path, None).await.unwrap();
    let mut frames = Facts::Socket(Box::new(socket(&listener, &path).await.unwrap()));
    done(&rest.post(&format!("/v1/keys/{}:revoke", id_of(&key)), json!({})).await);
    let end = async { while events.event().await.is_some() {} };
    tokio::time::timeout(SOON, end).await.expect("the events go on");
    let Facts::Socket(socket) = &mut frames else { unreachable!() };
    let end = async {
        use futures_util::StreamExt as _;
        while let Some(Ok(message)) = socket.next().await {
            if message.is_close() {
                return;
            }
        }
    };
    tokio::time::timeout(SOON, end).await.expect("the WebSocket goes on");
}

/// A host stops while clients stream and write: streams get a reason and lose nothing, and do not delay the
/// shutdown.
async fn streams_resume_on_the_next_host(kind: Kind) {
    let home = Home::new(kind).await;
    let mut host = Host::start(&home).await;
    let rest = host.rest();
    let project = rest.project("P").await;
    let subscription = Subscription { types: vec!["issue.*"], ..Subscription::default() };
    let mut streams = Vec::new();
    for way in Way::ALL {
        streams.push((way, Facts::open(&host, way, &subscription).await.unwrap()));
    }
    let id = rest.issue(&project, "s").await;
    let mut cursors = Vec::new();
    for (_, stream) in &mut streams {
        cursors.push(stream.until(&id).await.last().unwrap().cursor.clone());
    }
    let start = Instant::now();
    host.terminate();
    for (way, stream) in &mut streams {
        let (_, why) = tokio::time::timeout(Duration::from_secs(5), stream.end()).await.expect("it goes on");
        match way {
            Way::Grpc => assert!(why.starts_with("Unavailable"), "{why}"),
            Way::Socket => {
                let cursor = why.strip_prefix("1012 ").unwrap_or_else(|| panic!("{why}"));
                assert_eq!(cursor, cursors[0], "the close says where to go on");
            }
            Way::Sse => {}
        }
    }
    let status = tokio::task::block_in_place(|| host.wait(Duration::from_secs(10)));
    assert_eq!(status.code(), Some(0), "{}", host.log());
    assert!(start.elapsed() < Duration::from_secs(8), "it waited for its streams");

    if kind == Kind::Memory {
        return;
    }
    let host = Host::start(&home).await;
    let rest: Rest = host.rest();
    let next = rest.issue(&project, "t").await;
    for (way, cursor) in Way::ALL.into_iter().zip(&cursors) {
        let subscription = Subscription { after: cursor.clone(), ..subscription.clone() };
        let mut stream = Facts::open(&host, way, &subscription).await.unwrap();
        match stream.next().await {
            StreamItem::Fact(fact) => assert_eq!(fact.object, next, "{way:?}"),
            StreamItem::Beat(_) => assert_eq!(stream.fact().await.object, next, "{way:?}"),
            StreamItem::End(why) => panic!("{way:?}: {why}"),
        }
    }
}
