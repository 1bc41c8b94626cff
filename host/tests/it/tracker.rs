//! Users, projects and issues over both transports and on all stores.

mod comments;
mod deletion;
mod history;
mod links;
mod lists;
mod moves;
mod schemes;
mod versions;

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::harness::{Answer, Home, Host, Kind, Rest};

/// Defines tests that run on every store.
macro_rules! on_every_store {
    ($($name:ident)*) => {
        mod sqlite { $(#[tokio::test(flavor = "multi_thread")] async fn $name() { super::$name(crate::harness::Kind::Sqlite).await; })* }
        mod memory { $(#[tokio::test(flavor = "multi_thread")] async fn $name() { super::$name(crate::harness::Kind::Memory).await; })* }
        mod postgres { $(#[tokio::test(flavor = "multi_thread")] async fn $name() { super::$name(crate::harness::Kind::Postgres).await; })* }
    };
}
pub(crate) use on_every_store;

/// Starts a host in memory.
pub async fn memory() -> (Home, Host, Rest) {
    on(Kind::Memory).await
}

/// Starts a host on a store. PostgreSQL does not call fsync; a test that kills or restarts something there has its own
/// home.
pub async fn on(kind: Kind) -> (Home, Host, Rest) {
    let home = Home::without_fsync(kind).await;
    let host = Host::start(&home).await;
    let rest = host.rest();
    (home, host, rest)
}

/// Percent-encodes a text for a query.
pub fn encode(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    text.bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

/// Returns the body of an answer, which must be a success.
#[track_caller]
pub fn done(answer: &Answer) -> &Value {
    assert!(answer.status.is_success(), "{}: {:#}", answer.status, answer.body);
    &answer.body
}

/// Returns the fields that a refusal names, in order.
#[track_caller]
pub fn faults(answer: &Answer) -> Vec<String> {
    assert_eq!(answer.status.as_u16(), 422, "{:#}", answer.body);
    let faults = answer.body["violations"].as_array().unwrap_or_else(|| panic!("{:#}", answer.body));
    faults.iter().map(|fault| fault["field"].as_str().unwrap().to_owned()).collect()
}

/// Repeats a GET until the answer meets a condition; returns it.
pub async fn until(rest: &Rest, path: &str, condition: impl Fn(&Answer) -> bool) -> Answer {
    let end = Instant::now() + Duration::from_secs(20);
    loop {
        let answer = rest.get(path).await;
        if condition(&answer) {
            return answer;
        }
        assert!(Instant::now() < end, "{path} stays {}: {:#}", answer.status, answer.body);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Reads all pages of a list; `items` is the name of its member.
pub async fn all_pages(rest: &Rest, path: &str, items: &str, size: u32) -> Vec<Value> {
    let (mut found, mut token) = (Vec::new(), String::new());
    let joint = if path.contains('?') { '&' } else { '?' };
    loop {
        let page = rest.get(&format!("{path}{joint}page_size={size}&page_token={token}")).await;
        let body = page.expect(200);
        found.extend(body[items].as_array().unwrap().iter().cloned());
        token = body["next_page_token"].as_str().unwrap().to_owned();
        if token.is_empty() {
            return found;
        }
        assert!(found.len() < 10_000, "{path} has no end");
    }
}

/// Returns the ids of all issues that match a filter.
pub async fn found(rest: &Rest, filter: &str) -> Vec<String> {
    let issues = all_pages(rest, &format!("/v1/issues?filter={}", encode(filter)), "issues", 200).await;
    issues.iter().map(|issue| issue["issue_id"].as_str().unwrap().to_owned()).collect()
}

/// Moves an issue from NEW to a state.
pub async fn bring(rest: &Rest, issue: &str, to: &str) {
    let path: &[&str] = match to {
        "ASSIGNED" => &["ASSIGNED"],
        "IN_PROGRESS" => &["ASSIGNED", "IN_PROGRESS"],
        "RESOLVED" => &["ASSIGNED", "RESOLVED"],
        "CLOSED" => &["ASSIGNED", "RESOLVED", "CLOSED"],
        other => panic!("{other}"),
    };
    for status in path {
        let mut body = json!({"status": status});
        if *status == "RESOLVED" {
            body["resolution"] = json!("FIXED");
        }
        done(&rest.post(&format!("/v1/issues/{issue}:transition"), body).await);
    }
}

/// Reads an issue.
pub async fn issue(rest: &Rest, id: &str) -> Value {
    rest.get(&format!("/v1/issues/{id}")).await.expect(200)["issue"].clone()
}

/// Reads a project's issue count.
pub async fn count(rest: &Rest, project: &str) -> u64 {
    rest.get(&format!("/v1/projects/{project}")).await.expect(200)["project"]["issue_count"].as_u64().unwrap()
}
