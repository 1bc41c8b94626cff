//! Moving issues between projects.

use futures_util::future::join_all;
use serde_json::json;

use super::{count, done, faults, issue, memory, on, on_every_store};
use crate::harness::Kind;

on_every_store! { moved_issue_is_counted_in_its_project }

async fn moved_issue_is_counted_in_its_project(kind: Kind) {
    let (_home, _host, rest) = on(kind).await;
    let (p, q) = (rest.project("P").await, rest.project("Q").await);
    let mut ids = Vec::new();
    for n in 0..12 {
        ids.push(rest.issue(&p, &format!("{n}")).await);
    }
    let path = format!("/v1/projects/{q}/issues");
    let moved = rest.post(&path, json!({"issue_id": ids[0]})).await;
    assert_eq!((done(&moved)["project_id"].clone(), moved.body["issue_count"].clone()), (json!(q), json!(1)));
    assert_eq!(issue(&rest, &ids[0]).await["project_id"], q);
    // A move to the same project changes nothing.
    let again = rest.post(&path, json!({"issue_id": ids[0]})).await;
    assert_eq!(done(&again)["issue_count"], 1);
    assert_eq!(issue(&rest, &ids[0]).await["etag"], "2");

    // Concurrent moves in both directions.
    let (back, there) = (format!("/v1/projects/{p}/issues"), path);
    let moves = ids.iter().enumerate().map(|(n, id)| {
        let path = if n % 3 == 0 { &back } else { &there };
        rest.post(path, json!({"issue_id": id}))
    });
    for answer in join_all(moves).await {
        done(&answer);
    }
    assert_eq!((count(&rest, &p).await, count(&rest, &q).await), (4, 8));
    for (project, expected) in [(&p, 4), (&q, 8)] {
        assert_eq!(super::found(&rest, &format!("project:{project}")).await.len(), expected);
    }
    let absent = format!("/v1/projects/{}/issues", uuid::Uuid::now_v7());
    assert_eq!(rest.post(&absent, json!({"issue_id": ids[0]})).await.code(404), "PROJECT_NOT_FOUND");
    let no_issue = rest.post(&there, json!({"issue_id": uuid::Uuid::now_v7().to_string()})).await;
    assert_eq!(no_issue.code(404), "ISSUE_NOT_FOUND");
}

#[tokio::test(flavor = "multi_thread")]
async fn issue_moves_only_to_projects_whose_scheme_fits() {
    let (_home, _host, rest) = memory().await;
    let (p, q) = (rest.project("P").await, rest.project("Q").await);
    let mut scheme = rest.get(&format!("/v1/projects/{q}/scheme")).await.expect(200)["scheme"].clone();
    scheme["types"] = json!(["WISH"]);
    scheme["default_type"] = json!("WISH");
    done(&rest.put(&format!("/v1/projects/{q}/scheme"), scheme).await);
    let id = rest.issue(&p, "s").await;
    let refused = rest.post(&format!("/v1/projects/{q}/issues"), json!({"issue_id": id})).await;
    assert_eq!(faults(&refused), ["type"]);
    assert_eq!((count(&rest, &p).await, count(&rest, &q).await), (1, 0));
}
