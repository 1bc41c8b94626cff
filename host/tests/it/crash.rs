//! `kill -9` under load: acknowledged requests are stored whole, and repeated ones take effect once.

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

/// Longest time until a host is ready again.
const READY: Duration = Duration::from_secs(5);

/// A request to create an issue.
struct Creation {
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
        let creations = load(&mut host, &project, round).await;
        let start = Instant::now();
        host = Host::start(&home).await;
        assert!(start.elapsed() < READY, "ready after {:?}", start.elapsed());
        let rest = host.rest();
        let stored = stored_issues(&rest, &project).await;
        acknowledged_is_there(&creations, &stored);
        repeated_is_done_once(&rest, &project, &creations, &stored).await;
    }
}

/// Creates issues from several clients until the host is killed under load.
async fn load(host: &mut Host, project: &str, round: usize) -> Vec<Creation> {
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
    // The kill comes later in each round: early ones meet the first flushes, late ones a longer log.
    while acknowledged.load(Ordering::Relaxed) < 20 + 60 * round {
        assert!(Instant::now() < end, "the load does not get on");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    host.kill();
    let mut creations = Vec::new();
    for client in clients {
        creations.extend(client.await.unwrap());
    }
    assert!(creations.iter().any(|one| one.issue.is_none()), "nobody was in the midst of a request");
    creations
}

async fn create_until_the_end(
    rest: &Rest,
    project: &str,
    (round, client): (usize, usize),
    acknowledged: &AtomicUsize,
) -> Vec<Creation> {
    let mut creations = Vec::new();
    loop {
        let summary = format!("r{round} c{client} n{}", creations.len());
        let key = uuid::Uuid::now_v7().to_string();
        let issue = create(rest, project, &key, &summary).await;
        let over = issue.is_none();
        creations.push(Creation { key, summary, issue });
        if over {
            return creations;
        }
        acknowledged.fetch_add(1, Ordering::Relaxed);
    }
}

/// Creates an issue; returns its id, or `None` if the answer did not arrive whole.
async fn create(rest: &Rest, project: &str, key: &str, summary: &str) -> Option<String> {
    let body = json!({"project_id": project, "summary": summary});
    let request = rest.request(Method::POST, "/v1/issues").header("idempotency-key", key).json(&body);
    let response = request.send().await.ok()?;
    assert_eq!(response.status().as_u16(), 201);
    let body: Value = response.json().await.ok()?;
    Some(body["issue"]["issue_id"].as_str().unwrap().to_owned())
}

/// Reads all issues by summary, and checks that each is counted and has one fact.
async fn stored_issues(rest: &Rest, project: &str) -> BTreeMap<String, String> {
    let listed = all_pages(rest, "/v1/issues", "issues", 1_000).await;
    let text = |row: &Value, name: &str| row[name].as_str().unwrap().to_owned();
    let stored: BTreeMap<_, _> =
        listed.iter().map(|issue| (text(issue, "summary"), text(issue, "issue_id"))).collect();
    assert_eq!(stored.len(), listed.len(), "a request was carried out twice");
    assert_eq!(count(rest, project).await, listed.len() as u64);

    // Facts without a number are numbered once the lease of the killed host is over.
    let path = format!("/v1/audit?filter={}", encode("type:issue.created"));
    let end = Instant::now() + Duration::from_secs(15);
    let mut facts = all_pages(rest, &path, "facts", 200).await;
    while facts.len() < listed.len() && Instant::now() < end {
        tokio::time::sleep(Duration::from_millis(100)).await;
        facts = all_pages(rest, &path, "facts", 200).await;
    }
    let objects: BTreeSet<_> = facts.iter().map(|fact| text(fact, "object_id")).collect();
    assert_eq!(objects.len(), facts.len(), "a fact was recorded twice");
    assert_eq!(objects, stored.values().cloned().collect::<BTreeSet<_>>());
    stored
}

fn acknowledged_is_there(creations: &[Creation], stored: &BTreeMap<String, String>) {
    for one in creations {
        if let Some(issue) = &one.issue {
            assert_eq!(stored.get(&one.summary), Some(issue), "{} was acknowledged", one.summary);
        }
    }
}

async fn repeated_is_done_once(
    rest: &Rest,
    project: &str,
    creations: &[Creation],
    stored: &BTreeMap<String, String>,
) {
    let before = count(rest, project).await;
    let mut new = 0;
    for one in creations.iter().filter(|one| one.issue.is_none()) {
        let first = create(rest, project, &one.key, &one.summary).await.unwrap();
        let second = create(rest, project, &one.key, &one.summary).await.unwrap();
        assert_eq!(first, second);
        match stored.get(&one.summary) {
            Some(issue) => assert_eq!(*issue, first, "it had been carried out before the end"),
            None => new += 1,
        }
    }
    assert_eq!(count(rest, project).await, before + new);
    // A repeated acknowledged request gets its first answer.
    for one in creations.iter().filter(|one| one.issue.is_some()).take(10) {
        assert_eq!(create(rest, project, &one.key, &one.summary).await, one.issue);
    }
    assert_eq!(count(rest, project).await, before + new);
}
