//! The end of streams: on revocation, and with the host.

use std::time::{Duration, Instant};

use serde_json::json;
use tessera_proto::ticket::v1::ticket_service_client::TicketServiceClient;
use tessera_proto::ticket::v1::{StreamAvailabilityRequest, StreamAvailabilityResponse};
use tonic::Code;

use super::client::{EventReader, Facts, StreamItem, Subscription, Way, socket};
use crate::harness::{Home, Host, Kind, Rest};
use crate::reservations::show;
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
    let subscription = Subscription { key: Some(greedy.clone()), ..Subscription::default() };
    let mut open = Vec::new();
    for _ in 0..100 {
        open.push(Facts::open(&host, Way::Sse, &subscription).await.unwrap());
    }
    for way in Way::ALL {
        assert_eq!(Facts::open(&host, way, &subscription).await.err().unwrap(), "TOO_MANY_STREAMS");
    }
    // Nothing is read for a stream without a slot, or else these objects would not be found.
    let absent = uuid::Uuid::now_v7();
    for objects in ["events/{}/availability", "bookings/{}", "projects/{}"] {
        let path = format!("/v1/{}/stream", objects.replace("{}", &absent.to_string()));
        let refused = rest.with_key(Some(&greedy)).get(&path).await;
        assert_eq!(refused.code(429), "TOO_MANY_STREAMS", "{path}");
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

/// Opens the streams of an event's availability over both transports, and reads their first update.
async fn availability_streams(
    host: &Host,
    rest: &Rest,
    event: &str,
) -> (EventReader, tonic::Streaming<StreamAvailabilityResponse>) {
    let path = format!("/v1/events/{event}/availability/stream");
    let mut events = EventReader::open(rest, &path, None).await.unwrap();
    assert_eq!(events.event().await.unwrap().name, "availability");
    let grpc = host.grpc().await.with_key(rest.key.as_deref());
    let mut client = TicketServiceClient::with_interceptor(grpc.channel.clone(), grpc);
    let mut request =
        tonic::Request::new(StreamAvailabilityRequest { event_id: event.to_owned(), ..<_>::default() });
    if rest.key.is_none() {
        request.metadata_mut().insert("x-tenant", "acme".parse().unwrap());
    }
    let mut messages = client.stream_availability(request).await.unwrap().into_inner();
    assert!(messages.message().await.unwrap().is_some());
    (events, messages)
}

/// Waits for the end of both streams.
async fn wait_for_both_ends(
    (events, messages): &mut (EventReader, tonic::Streaming<StreamAvailabilityResponse>),
    why: &str,
) {
    let end = async { while events.event().await.is_some() {} };
    tokio::time::timeout(SOON, end).await.unwrap_or_else(|_| panic!("the events go on after {why}"));
    let end = async {
        loop {
            match messages.message().await {
                Ok(Some(_)) => {}
                Ok(None) => panic!("no status after {why}"),
                Err(status) => return status.code(),
            }
        }
    };
    let code = tokio::time::timeout(SOON, end).await;
    assert_eq!(code.unwrap_or_else(|_| panic!("the messages go on after {why}")), Code::Unauthenticated);
}

#[tokio::test(flavor = "multi_thread")]
async fn availability_stream_ends_with_the_access_of_its_caller() {
    let (_home, host, rest) = memory().await;
    done(&rest.post("/v1/tenants", json!({"slug": "acme", "name": "Acme"})).await);
    let body = json!({"name": "k", "roles": ["admin"], "tenant": "acme"});
    let admin = done(&rest.post("/v1/keys", body).await)["secret"].as_str().unwrap().to_owned();
    let acme = rest.with_key(Some(&admin));
    let (event, _) = show(&acme, 5, json!({})).await;
    let key = acme.new_key(&["viewer"], None).await;
    // A client that sends the tenant with each request, and no key.
    let headers = [("x-tenant".parse().unwrap(), "acme".parse().unwrap())];
    let client = reqwest::Client::builder().default_headers(headers.into_iter().collect()).build().unwrap();
    let public = Rest { client, ..rest.with_key(None) };

    let mut revoked = availability_streams(&host, &acme.with_key(Some(&key)), &event).await;
    let mut staying = availability_streams(&host, &acme, &event).await;
    let mut anonymous = availability_streams(&host, &public, &event).await;
    done(&acme.post(&format!("/v1/keys/{}:revoke", id_of(&key)), json!({})).await);
    wait_for_both_ends(&mut revoked, "the revocation").await;
    // A change of the tenant that ends nothing.
    done(&rest.patch("/v1/tenants/acme", json!({"name": "Acme Ltd"})).await);
    done(&acme.patch(&format!("/v1/events/{event}"), json!({"status": "cancelled"})).await);
    for stream in [&mut staying, &mut anonymous] {
        let update = tokio::time::timeout(SOON, stream.0.event()).await.expect("no update arrives");
        assert!(update.unwrap().data.contains("cancelled"));
        assert_eq!(stream.1.message().await.unwrap().unwrap().status, "cancelled");
    }
    done(&rest.post("/v1/tenants/acme:suspend", json!({})).await);
    wait_for_both_ends(&mut staying, "the suspension").await;
    wait_for_both_ends(&mut anonymous, "the suspension").await;
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
