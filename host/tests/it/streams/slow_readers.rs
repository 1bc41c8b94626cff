//! Heartbeats of idle streams, and slow readers.

use std::time::Duration;

use serde_json::{Value, json};

use super::client::{Facts, StreamItem, StreamedFact, Subscription, Way};
use crate::harness::{Host, Rest};
use crate::tracker::{done, memory};

/// Changes of about 300 kB each: together more than all buffers on the way can hold.
const CHANGES: usize = 80;

/// An idle stream sends a heartbeat every 15 seconds; one that is not read for 30 seconds is cut off. One test
/// covers both, so that it waits once.
#[tokio::test(flavor = "multi_thread")]
async fn idle_streams_send_heartbeats_and_slow_readers_are_disconnected() {
    let (_home, host, rest) = memory().await;
    let project = project_with_long_fields(&rest).await;
    let issue = rest.issue(&project, "s").await;
    let subscription = Subscription { types: vec!["issue.updated"], ..Subscription::default() };
    let quiet = Subscription { types: vec!["tenant.created"], ..Subscription::default() };
    let (mut slow, mut silent) = (Vec::new(), Vec::new());
    for way in Way::ALL {
        slow.push((way, Facts::open(&host, way, &subscription).await.unwrap()));
        silent.push((way, Facts::open(&host, way, &quiet).await.unwrap()));
    }
    for n in 0..CHANGES {
        change(&rest, &issue, n).await;
    }
    let mut beats = Vec::new();
    for (way, stream) in &mut silent {
        beats.push((*way, beat(stream).await));
    }
    // The cursor of a heartbeat is past facts that the stream filters out.
    for (way, cursor) in beats {
        let after = Subscription { after: cursor, ..subscription.clone() };
        let mut stream = Facts::open(&host, way, &after).await.unwrap();
        change(&rest, &issue, CHANGES).await;
        let fact = stream.fact().await;
        assert_eq!(fact.object, issue);
        let version: u64 =
            crate::tracker::issue(&rest, &issue).await["etag"].as_str().unwrap().parse().unwrap();
        assert_eq!(fact.version, version, "{way:?} repeated a fact");
    }
    tokio::time::sleep(Duration::from_secs(25)).await;
    for (way, stream) in &mut slow {
        cut_off(&host, *way, stream, &subscription).await;
    }
}

async fn beat(stream: &mut Facts) -> String {
    let item = tokio::time::timeout(Duration::from_secs(20), stream.next()).await;
    let cursor = match item.expect("no heartbeat") {
        StreamItem::Beat(cursor) => cursor,
        StreamItem::Fact(fact) => panic!("{fact:?} does not match the filter"),
        StreamItem::End(why) => panic!("it ended: {why}"),
    };
    assert!(!cursor.is_empty());
    cursor
}

/// Facts before the cut are complete and in order, and a resumed stream misses none.
async fn cut_off(host: &Host, way: Way, stream: &mut Facts, subscription: &Subscription) {
    let (before, why) = stream.end().await;
    assert!(before.len() < CHANGES, "{way:?} was buffered without end");
    let last = before.last().unwrap_or_else(|| panic!("{way:?} got nothing at all")).clone();
    match way {
        Way::Grpc => assert!(why.starts_with("ResourceExhausted"), "{why}"),
        Way::Socket => {
            if let Some(cursor) = why.strip_prefix("1013 ") {
                assert_eq!(cursor, last.cursor, "the close says where to go on");
            }
        }
        Way::Sse => {}
    }
    let after = Subscription { after: last.cursor.clone(), ..subscription.clone() };
    let mut again = Facts::open(host, way, &after).await.unwrap();
    let missed = again.take(CHANGES - before.len()).await;
    let all: Vec<StreamedFact> = before.into_iter().chain(missed).collect();
    let versions: Vec<_> = all.iter().map(|fact| fact.version).collect();
    assert_eq!(versions, (2..2 + CHANGES as u64).collect::<Vec<_>>(), "{way:?}");
}

/// Creates a project whose issues have five fields for texts.
pub async fn project_with_long_fields(rest: &Rest) -> String {
    let project = rest.project("Long fields").await;
    let path = format!("/v1/projects/{project}/scheme");
    let mut scheme = rest.get(&path).await.expect(200)["scheme"].clone();
    let fields: Vec<_> = (0..5).map(|n| json!({"name": format!("f{n}"), "type": "text"})).collect();
    scheme["fields"] = json!(fields);
    done(&rest.put(&path, scheme).await);
    project
}

/// Returns values of these fields, 160 kB in all.
pub fn long_fields(n: usize) -> Value {
    let text = format!("{n:04}").repeat(8_000);
    (0..5).map(|f| (format!("f{f}"), json!(text))).collect()
}

async fn change(rest: &Rest, issue: &str, n: usize) {
    done(&rest.patch(&format!("/v1/issues/{issue}"), json!({"fields": long_fields(n)})).await);
}
