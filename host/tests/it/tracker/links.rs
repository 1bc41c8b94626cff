//! Links and their inverses; parents without cycles.

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::{done, faults, issue, memory, on, on_every_store};
use crate::harness::{Answer, Kind, Rest};

on_every_store! { concurrent_links_never_close_a_circle_of_parents }

async fn link(rest: &Rest, from: &str, kind: &str, to: &str) -> Answer {
    rest.post(&format!("/v1/issues/{from}/links"), json!({"kind": kind, "other_id": to})).await
}

async fn links(rest: &Rest, id: &str) -> Vec<(String, String)> {
    let answer = rest.get(&format!("/v1/issues/{id}/links")).await;
    let text = |link: &Value, name: &str| link[name].as_str().unwrap().to_owned();
    let list = answer.expect(200)["links"].as_array().unwrap();
    assert!(list.iter().all(|link| link["issue_id"] == id));
    let mut list: Vec<_> = list.iter().map(|link| (text(link, "kind"), text(link, "other_id"))).collect();
    list.sort();
    list
}

#[tokio::test(flavor = "multi_thread")]
async fn every_link_is_seen_from_both_sides_and_removed_from_either() {
    let (_home, _host, rest) = memory().await;
    let project = rest.project("P").await;
    for (kind, inverse) in [
        ("blocks", "blocked_by"),
        ("blocked_by", "blocks"),
        ("duplicates", "duplicated_by"),
        ("duplicated_by", "duplicates"),
        ("relates", "relates"),
        ("parent", "child"),
        ("child", "parent"),
    ] {
        let (a, b) = (rest.issue(&project, "a").await, rest.issue(&project, "b").await);
        done(&link(&rest, &a, kind, &b).await);
        let again = link(&rest, &a, kind, &b).await;
        assert_eq!(done(&again)["link"]["kind"], kind, "a repeated link is the same link");
        assert_eq!(links(&rest, &a).await, [(kind.to_owned(), b.clone())]);
        assert_eq!(links(&rest, &b).await, [(inverse.to_owned(), a.clone())]);
        done(&link(&rest, &b, inverse, &a).await);
        assert_eq!(links(&rest, &a).await.len(), 1, "{kind} seen from the other side is the same link");
        done(&rest.delete(&format!("/v1/issues/{b}/links/{inverse}/{a}")).await);
        assert_eq!(links(&rest, &a).await, []);
        let gone = rest.delete(&format!("/v1/issues/{a}/links/{kind}/{b}")).await;
        assert_eq!(gone.code(404), "LINK_NOT_FOUND");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_needs_another_issue_and_a_known_kind() {
    let (_home, _host, rest) = memory().await;
    let id = rest.issue(&rest.project("P").await, "a").await;
    assert_eq!(faults(&link(&rest, &id, "relates", &id).await), ["other_id"]);
    assert_eq!(faults(&link(&rest, &id, "relates", &uuid::Uuid::now_v7().to_string()).await), ["other_id"]);
    assert_eq!(faults(&link(&rest, &id, "admires", &id).await), ["kind"]);
    let absent = link(&rest, &uuid::Uuid::now_v7().to_string(), "relates", &id).await;
    assert_eq!(absent.code(404), "ISSUE_NOT_FOUND");
}

#[tokio::test(flavor = "multi_thread")]
async fn issue_cannot_be_its_own_ancestor() {
    let (_home, _host, rest) = memory().await;
    let project = rest.project("P").await;
    let mut chain = Vec::new();
    for n in 0..4 {
        chain.push(rest.issue(&project, &format!("i{n}")).await);
    }
    for pair in chain.windows(2) {
        done(&link(&rest, &pair[1], "parent", &pair[0]).await);
    }
    assert_eq!(issue(&rest, &chain[1]).await["parent_id"], chain[0]);
    for descendant in &chain[1..] {
        assert_eq!(link(&rest, &chain[0], "parent", descendant).await.code(409), "LINK_CYCLE");
        assert_eq!(link(&rest, descendant, "child", &chain[0]).await.code(409), "LINK_CYCLE");
    }
    // A new parent replaces the first.
    done(&link(&rest, &chain[3], "parent", &chain[0]).await);
    assert_eq!(issue(&rest, &chain[3]).await["parent_id"], chain[0]);
    assert_eq!(super::found(&rest, &format!("parent:{}", chain[0])).await.len(), 2);
    assert_eq!(super::found(&rest, "parent:none").await, [chain[0].clone()]);
}

#[tokio::test(flavor = "multi_thread")]
async fn parents_nest_at_most_thirty_two_deep() {
    let (_home, _host, rest) = memory().await;
    let project = rest.project("P").await;
    let mut parent = rest.issue(&project, "root").await;
    for depth in 1..=32 {
        let body = json!({"project_id": project, "summary": "child", "parent_id": parent});
        let answer = rest.post("/v1/issues", body).await;
        parent = answer.expect(201)["issue"]["issue_id"].as_str().unwrap().to_owned();
        assert_eq!(links(&rest, &parent).await.len(), 1, "at depth {depth}");
    }
    let body = json!({"project_id": project, "summary": "child", "parent_id": parent});
    assert_eq!(faults(&rest.post("/v1/issues", body).await), ["parent_id"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_parent_is_not_deleted_before_its_children() {
    let (_home, _host, rest) = memory().await;
    let project = rest.project("P").await;
    let (parent, child) = (rest.issue(&project, "p").await, rest.issue(&project, "c").await);
    done(&link(&rest, &parent, "child", &child).await);
    assert_eq!(rest.delete(&format!("/v1/issues/{parent}")).await.code(409), "ISSUE_HAS_CHILDREN");
    done(&rest.delete(&format!("/v1/issues/{child}")).await);
    done(&rest.delete(&format!("/v1/issues/{parent}")).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn links_are_deleted_with_their_issue() {
    let (_home, _host, rest) = memory().await;
    let project = rest.project("P").await;
    let (a, b) = (rest.issue(&project, "a").await, rest.issue(&project, "b").await);
    done(&link(&rest, &a, "blocks", &b).await);
    done(&rest.delete(&format!("/v1/issues/{b}")).await);
    assert_eq!(links(&rest, &a).await, []);
}

/// Issues in a ring concurrently set the next one as parent: at least one is refused, and no cycle is stored.
async fn concurrent_links_never_close_a_circle_of_parents(kind: Kind) {
    let (_home, _host, rest) = on(kind).await;
    let project = rest.project("P").await;
    for round in 0..5 {
        let size = 2 + round % 3;
        let mut ring = Vec::new();
        for n in 0..size {
            ring.push(rest.issue(&project, &format!("r{round}i{n}")).await);
        }
        let requests = (0..size).map(|n| link(&rest, &ring[n], "parent", &ring[(n + 1) % size]));
        let answers = join_all(requests).await;
        let refused = answers.iter().filter(|answer| !answer.status.is_success()).count();
        assert!(refused >= 1, "a ring of {size} was closed");
        for answer in answers.iter().filter(|answer| !answer.status.is_success()) {
            assert!(["LINK_CYCLE", "VERSION_MISMATCH"].contains(&answer.code(409)), "{:#}", answer.body);
        }
        for start in &ring {
            let (mut at, mut steps) = (start.clone(), 0);
            while let Some(parent) = issue(&rest, &at).await["parent_id"].as_str() {
                at = parent.to_owned();
                steps += 1;
                assert!(steps <= size, "the parents of {start} run in a circle");
            }
        }
    }
}
