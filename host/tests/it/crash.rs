//! `kill -9` under load: what was acknowledged is there, wholly, and what was not is done once when repeated.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Home, Host, Kind, Rest};
use crate::tracker::{all_pages, count, encode};

const ROUNDS: usize = 5;
const CLIENTS: usize = 8;

/// Within this a host is ready again.
const READY: Duration = Duration::from_secs(5);

/// A creation that was asked for.
struct Asked {
    key: String,
    summary: String,
    /// The issue, if the host acknowledged it.
    issue: Option<String>,
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_acknowledged_is_lost_on_sqlite() {
    survives(Kind::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_acknowledged_is_lost_on_postgres() {
    survives(Kind::Postgres).await;
}

async fn survives(kind: Kind) {
    let home = Home::new(kind).await;
    let mut host = Host::start(&home).await;
    let project = host.rest().project("P").await;
    for round in 0..ROUNDS {
        let asked = load(&mut host, &project, round).await;
        let begun = Instant::now();
        host = Host::start(&home).await;
        assert!(begun.elapsed() < READY, "ready after {:?}", begun.elapsed());
        let rest = host.rest();
        let stored = stored(&rest, &project).await;
        acknowledged_is_there(&asked, &stored);
        repeated_is_done_once(&rest, &project, &asked, &stored).await;
    }
}

/// Clients create issues until the host is killed in the midst of it.
async fn load(host: &mut Host, project: &str, round: usize) -> Vec<Asked> {
    let acknowledged = Arc::new(AtomicUsize::new(0));
    let clients: Vec<_> = (0..CLIENTS)
        .map(|client| {
            let (rest, project, acknowledged) = (host.rest(), project.to_owned(), Arc::clone(&acknowledged));
            tokio::spawn(async move {
                create_until_the_end(&rest, &project, (round, client), &acknowledged).await
            })
        })
        .collect();
    let end = Instant::now() + Duration::from_secs(30);
    // Another moment in each round: early ones meet the first flushes, late ones a log that has grown.
    while acknowledged.load(Ordering::Relaxed) < 20 + 60 * round {
        assert!(Instant::now() < end, "the load does not get on");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    host.kill();
    let mut asked = Vec::new();
    for client in clients {
        asked.extend(client.await.unwrap());
    }
    assert!(asked.iter().any(|one| one.issue.is_none()), "nobody was in the midst of a request");
    asked
}

async fn create_until_the_end(
    rest: &Rest,
    project: &str,
    (round, client): (usize, usize),
    acknowledged: &AtomicUsize,
) -> Vec<Asked> {
    let mut asked = Vec::new();
    loop {
        let summary = format!("r{round} c{client} n{}", asked.len());
        let key = uuid::Uuid::now_v7().to_string();
        let issue = create(rest, project, &key, &summary).await;
        let over = issue.is_none();
        asked.push(Asked { key, summary, issue });
        if over {
            return asked;
        }
        acknowledged.fetch_add(1, Ordering::Relaxed);
    }
}

/// The id of the issue, if the whole answer arrived.
async fn create(rest: &Rest, project: &str, key: &str, summary: &str) -> Option<String> {
    let body = json!({"project_id": project, "summary": summary});
    let request = rest.request(Method::POST, "/v1/issues").header("idempotency-key", key).json(&body);
    let response = request.send().await.ok()?;
    assert_eq!(response.status().as_u16(), 201);
    let body: Value = response.json().await.ok()?;
    Some(body["issue"]["issue_id"].as_str().unwrap().to_owned())
}

/// What the store holds, by summary; every issue is counted, and has one fact.
async fn stored(rest: &Rest, project: &str) -> BTreeMap<String, String> {
    let listed = all_pages(rest, "/v1/issues", "issues", 1_000).await;
    let text = |row: &Value, name: &str| row[name].as_str().unwrap().to_owned();
    let stored: BTreeMap<_, _> =
        listed.iter().map(|issue| (text(issue, "summary"), text(issue, "issue_id"))).collect();
    assert_eq!(stored.len(), listed.len(), "a request was carried out twice");
    assert_eq!(count(rest, project).await, listed.len() as u64);

    // Facts that were not numbered when the host died are numbered when its lease is over.
    let path = format!("/v1/audit?filter={}", encode("type:issue.created"));
    let end = Instant::now() + Duration::from_secs(15);
    let mut facts = all_pages(rest, &path, "facts", 200).await;
    while facts.len() < listed.len() && Instant::now() < end {
        tokio::time::sleep(Duration::from_millis(100)).await;
        facts = all_pages(rest, &path, "facts", 200).await;
    }
    let told: BTreeSet<_> = facts.iter().map(|fact| text(fact, "object_id")).collect();
    assert_eq!(told.len(), facts.len(), "a fact was recorded twice");
    assert_eq!(told, stored.values().cloned().collect::<BTreeSet<_>>());
    stored
}

fn acknowledged_is_there(asked: &[Asked], stored: &BTreeMap<String, String>) {
    for one in asked {
        if let Some(issue) = &one.issue {
            assert_eq!(stored.get(&one.summary), Some(issue), "{} was acknowledged", one.summary);
        }
    }
}

async fn repeated_is_done_once(
    rest: &Rest,
    project: &str,
    asked: &[Asked],
    stored: &BTreeMap<String, String>,
) {
    let before = count(rest, project).await;
    let mut new = 0;
    for one in asked.iter().filter(|one| one.issue.is_none()) {
        let first = create(rest, project, &one.key, &one.summary).await.unwrap();
        let second = create(rest, project, &one.key, &one.summary).await.unwrap();
        assert_eq!(first, second);
        match stored.get(&one.summary) {
            Some(held) => assert_eq!(*held, first, "it had been carried out before the end"),
            None => new += 1,
        }
    }
    assert_eq!(count(rest, project).await, before + new);
    // And what was acknowledged is answered again as it was.
    for one in asked.iter().filter(|one| one.issue.is_some()).take(10) {
        assert_eq!(create(rest, project, &one.key, &one.summary).await, one.issue);
    }
    assert_eq!(count(rest, project).await, before + new);
}
