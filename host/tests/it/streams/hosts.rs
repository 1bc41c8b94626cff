//! Two hosts on one database: writes on one soon show on the other.

use std::time::{Duration, Instant};

use serde_json::json;

use super::client::{EventReader, Facts, Subscription, Way};
use super::projects::Updates;
use super::termination::id_of;
use crate::harness::{Home, Host, Kind, Rest};
use crate::tracker::done;

/// Longest time until a write on one host shows on the other.
const SOON: Duration = Duration::from_secs(2);

async fn two() -> (Home, Host, Host) {
    let home = Home::new(Kind::Postgres).await;
    let (one, other) = (Host::start(&home).await, Host::start(&home).await);
    (home, one, other)
}

async fn refused_soon(rest: &Rest) {
    let start = Instant::now();
    while rest.get("/v1/me").await.status.as_u16() != 401 {
        assert!(start.elapsed() < SOON, "the key is still accepted");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn stream_token_opens_one_stream_on_any_host() {
    let (_home, one, other) = two().await;
    let issued = one.rest().post("/v1/streams/token", json!({})).await;
    let path = format!("/v1/streams/facts?token={}", done(&issued)["token"].as_str().unwrap());
    let on = |host: &Host| host.rest().with_key(None);
    assert!(EventReader::open(&on(&other), &path, None).await.is_ok());
    for host in [&one, &other] {
        assert_eq!(EventReader::open(&on(host), &path, None).await.err().unwrap(), "UNAUTHENTICATED");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn stream_shows_writes_of_the_other_host() {
    let (_home, one, other) = two().await;
    let project = one.rest().project("P").await;
    let subscription = Subscription { types: vec!["issue.*"], ..Subscription::default() };
    let mut streams = Vec::new();
    for way in Way::ALL {
        streams.push(Facts::open(&other, way, &subscription).await.unwrap());
    }
    for n in 0..10 {
        let writer = if n % 2 == 0 { &one } else { &other };
        let id = writer.rest().issue(&project, "s").await;
        for stream in &mut streams {
            let fact = tokio::time::timeout(SOON, stream.fact()).await.expect("the update does not arrive");
            assert_eq!(fact.object, id);
        }
    }
    // A cursor of one host is valid on the other.
    let after = streams[0].until(&one.rest().issue(&project, "s").await).await.pop().unwrap().cursor;
    let id = one.rest().issue(&project, "s").await;
    let mut moved = Facts::open(&one, Way::Sse, &Subscription { after, ..subscription }).await.unwrap();
    assert_eq!(moved.fact().await.object, id);
}

#[tokio::test(flavor = "multi_thread")]
async fn counts_of_projects_are_followed_across_hosts() {
    let (_home, one, other) = two().await;
    let project = one.rest().project("P").await;
    let mut updates = Updates::open(&other).await;
    updates.send("subscribe", &project).await;
    updates.next().await;
    for n in 1..=5 {
        one.rest().issue(&project, "s").await;
        tokio::time::timeout(SOON, updates.until(&project, n)).await.expect("the update does not arrive");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn revocation_on_one_host_applies_on_the_other() {
    let (_home, one, other) = two().await;
    let rest = one.rest();
    let at_other = |key: &str| other.rest().with_key(Some(key));

    let key = rest.new_key(&["viewer"], None).await;
    done(&at_other(&key).get("/v1/me").await);
    let subscription = Subscription { key: Some(key.clone()), ..Subscription::default() };
    let mut stream = Facts::open(&other, Way::Grpc, &subscription).await.unwrap();
    done(&rest.post(&format!("/v1/keys/{}:revoke", id_of(&key)), json!({})).await);
    refused_soon(&at_other(&key)).await;
    let (_, why) = tokio::time::timeout(SOON, stream.end()).await.expect("the stream goes on");
    assert!(why.starts_with("Unauthenticated"), "{why}");

    let user = rest.user("ada@example.com").await;
    let bound = rest.new_key(&["viewer"], Some(&user)).await;
    done(&at_other(&bound).get("/v1/me").await);
    done(&rest.post(&format!("/v2/users/{user}:deactivate"), json!({})).await);
    refused_soon(&at_other(&bound)).await;

    done(&rest.post("/v1/tenants", json!({"slug": "acme", "name": "Acme"})).await);
    let body = json!({"name": "k", "roles": ["admin"], "tenant": "acme"});
    let acme = done(&rest.post("/v1/keys", body).await)["secret"].as_str().unwrap().to_owned();
    done(&at_other(&acme).get("/v1/me").await);
    done(&rest.post("/v1/tenants/acme:suspend", json!({})).await);
    refused_soon(&at_other(&acme)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn facts_survive_a_killed_host() {
    let (_home, mut one, other) = two().await;
    let project = other.rest().project("P").await;
    let subscription = Subscription { types: vec!["issue.*"], ..Subscription::default() };
    let mut stream = Facts::open(&other, Way::Socket, &subscription).await.unwrap();
    let (first, second) = (one.rest().issue(&project, "1").await, one.rest().issue(&project, "2").await);
    // Whichever host numbered the facts before, the other takes over.
    one.kill();
    let third = other.rest().issue(&project, "3").await;
    let objects: Vec<_> = stream.until(&third).await.into_iter().map(|fact| fact.object).collect();
    assert_eq!(objects.len(), 3);
    assert!(objects.contains(&first) && objects.contains(&second));
}
