//! Lists: filters, orders, and pages that stay complete while rows are inserted.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tessera_proto::issues::v1::ListIssuesRequest;
use tessera_proto::issues::v1::issues_service_client::IssuesServiceClient;

use super::{all_pages, bring, done, encode, faults, found, memory, on, on_every_store};
use crate::harness::{Kind, Rest};

on_every_store! { filters_select_matching_issues pages_are_complete_while_rows_are_inserted orders_are_kept_across_pages }

async fn create(rest: &Rest, body: Value) -> String {
    rest.post("/v1/issues", body).await.expect(201)["issue"]["issue_id"].as_str().unwrap().to_owned()
}

async fn filters_select_matching_issues(kind: Kind) {
    let (_home, host, rest) = on(kind).await;
    let (p, q) = (rest.project("P").await, rest.project("Q").await);
    let ada = rest.user("ada@example.com").await;
    let key = rest.with_key(Some(&rest.new_key(&["agent"], Some(&ada)).await));
    let bug =
        create(&rest, json!({"project_id": p, "summary": "bug", "type": "BUG", "labels": ["ui", "x"]})).await;
    let wish =
        create(&key, json!({"project_id": p, "summary": "wish", "type": "FEATURE", "priority": "MAJOR"}))
            .await;
    let mine =
        create(&rest, json!({"project_id": q, "summary": "mine", "type": "PERFORMANCE", "assignee_id": ada}))
            .await;
    let solved = create(&rest, json!({"project_id": q, "summary": "solved", "labels": ["ui"]})).await;
    bring(&rest, &solved, "RESOLVED").await;
    let later = rest.get(&format!("/v1/issues/{solved}")).await.expect(200)["issue"]["create_date"].clone();
    let later = later.as_str().unwrap();

    let cases = [
        ("", vec![&bug, &wish, &mine, &solved]),
        ("status:RESOLVED", vec![&solved]),
        ("-status:RESOLVED,CLOSED", vec![&bug, &wish, &mine]),
        ("-type:BUG created>2026-01-01", vec![&wish, &mine]),
        ("-type:BUG created<2026-01-01", vec![]),
        ("type:BUG,FEATURE", vec![&bug, &wish, &solved]),
        ("label:ui", vec![&bug, &solved]),
        ("label:x label:ui", vec![&bug]),
        ("-label:ui", vec![&wish, &mine]),
        ("label:none", vec![&wish, &mine]),
        ("-label:none", vec![&bug, &solved]),
        ("assignee:me", vec![&mine]),
        ("assignee:none", vec![&bug, &wish, &solved]),
        ("-assignee:me", vec![&bug, &wish, &solved]),
        ("reporter:me", vec![&wish]),
        ("-reporter:me", vec![&bug, &mine, &solved]),
        ("resolution:FIXED", vec![&solved]),
        ("resolution:none", vec![&bug, &wish, &mine]),
        ("-resolution:WONTFIX", vec![&bug, &wish, &mine, &solved]),
        ("priority:MAJOR", vec![&wish]),
        ("kind:issue", vec![&bug, &wish, &mine, &solved]),
        ("kind:ticket", vec![]),
        ("status:\"NO SUCH STATE\"", vec![]),
    ];
    let ids = |list: &[&String]| list.iter().map(|id| (*id).clone()).collect::<BTreeSet<_>>();
    for (filter, expected) in &cases {
        let actual: BTreeSet<_> = found(&key, filter).await.into_iter().collect();
        assert_eq!(actual, ids(expected), "{filter}");
    }
    let of_p: BTreeSet<_> = found(&rest, &format!("project:{p}")).await.into_iter().collect();
    assert_eq!(of_p, ids(&[&bug, &wish]));
    let at: BTreeSet<_> = found(&rest, &format!("created>={later}")).await.into_iter().collect();
    assert!(at.contains(&solved) && !at.contains(&bug), "{at:?}");
    assert!(found(&rest, &format!("modified>{later}")).await.contains(&solved));

    // Query parameters are combined with the filter.
    let joined =
        rest.get(&format!("/v1/issues?project_id={q}&status=ASSIGNED&filter=type:PERFORMANCE")).await;
    let joined = joined.expect(200)["issues"].as_array().unwrap().clone();
    assert_eq!((joined.len(), joined[0]["issue_id"].clone()), (1, json!(mine)));

    // The same grammar over gRPC.
    let client = host.grpc().await.with_key(key.key.as_deref());
    let mut grpc = IssuesServiceClient::with_interceptor(client.channel.clone(), client);
    let request = |filter: &str| ListIssuesRequest { filter: filter.into(), ..ListIssuesRequest::default() };
    for (filter, expected) in &cases {
        let page = grpc.list_issues(request(filter)).await.unwrap().into_inner();
        let actual: BTreeSet<_> = page.issues.into_iter().map(|issue| issue.issue_id).collect();
        assert_eq!(actual, ids(expected), "{filter} over gRPC");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn malformed_filter_is_refused_with_its_column() {
    let (_home, _host, rest) = memory().await;
    for (filter, column) in [
        ("colour:red", 1),
        ("status:NEW colour:red", 12),
        ("status>NEW", 7),
        ("created>soon", 9),
        ("label:\"open", 7),
        ("assignee:me", 10),
        ("crash", 1),
    ] {
        let refused = rest.get(&format!("/v1/issues?filter={}", encode(filter))).await;
        assert_eq!(faults(&refused), ["filter"], "{filter}");
        let message = refused.body["violations"][0]["message"].as_str().unwrap();
        assert!(message.contains(&format!("column {column}:")), "{filter}: {message}");
    }
    assert_eq!(faults(&rest.get("/v1/issues?order_by=secret").await), ["order_by"]);
}

async fn pages_are_complete_while_rows_are_inserted(kind: Kind) {
    let (_home, _host, rest) = on(kind).await;
    let project = rest.project("P").await;
    let mut before = BTreeSet::new();
    for n in 0..60 {
        before.insert(rest.issue(&project, &format!("{:02}", (n * 37) % 60)).await);
    }
    let writer = tokio::spawn({
        let (rest, project) = (rest.clone(), project.clone());
        async move {
            for n in 0..60 {
                rest.issue(&project, &format!("{n:02}b")).await;
            }
        }
    });
    for order in ["created", "created desc", "modified", "modified desc", "summary", "summary desc"] {
        let path = format!("/v1/issues?order_by={}&filter=project:{project}", encode(order));
        let rows = all_pages(&rest, &path, "issues", 7).await;
        let ids: Vec<_> = rows.iter().map(|issue| issue["issue_id"].as_str().unwrap().to_owned()).collect();
        let distinct: BTreeSet<_> = ids.iter().cloned().collect();
        assert_eq!(distinct.len(), ids.len(), "{order}: a row came twice");
        assert!(before.is_subset(&distinct), "{order}: a row is missing");
    }
    writer.await.unwrap();
    assert_eq!(all_pages(&rest, "/v1/issues", "issues", 1_000).await.len(), 120);
}

async fn orders_are_kept_across_pages(kind: Kind) {
    let (_home, _host, rest) = on(kind).await;
    let project = rest.project("P").await;
    for n in 0..25 {
        rest.issue(&project, ["b", "a", "Z", "\u{e9}", "aa"][n % 5]).await;
    }
    let of = async |order: &str, name: &str| -> Vec<String> {
        let rows = all_pages(&rest, &format!("/v1/issues?order_by={}", encode(order)), "issues", 4).await;
        assert_eq!(rows.len(), 25);
        rows.iter().map(|row| row[name].as_str().unwrap().to_owned()).collect()
    };
    let summaries = of("summary", "summary").await;
    // Every store orders by bytes.
    let mut sorted = summaries.clone();
    sorted.sort();
    assert_eq!(summaries, sorted);
    sorted.reverse();
    assert_eq!(of("summary desc", "summary").await, sorted);
    let newest = of("", "issue_id").await;
    let mut oldest = of("created asc", "issue_id").await;
    oldest.reverse();
    assert_eq!(newest, oldest, "without an order the newest comes first");
}

#[tokio::test(flavor = "multi_thread")]
async fn page_size_is_limited() {
    let (_home, _host, rest) = memory().await;
    let project = rest.project("P").await;
    for n in 0..55 {
        rest.issue(&project, &format!("{n}")).await;
    }
    for (size, expected) in [("0", 50), ("1", 1), ("55", 55), ("56", 55), ("100000", 55)] {
        let page = rest.get(&format!("/v1/issues?page_size={size}")).await;
        assert_eq!(page.expect(200)["issues"].as_array().unwrap().len(), expected, "{size}");
        let last = page.body["next_page_token"] == "";
        assert_eq!(last, expected == 55, "{size}");
    }
    assert_eq!(faults(&rest.get("/v1/issues?page_size=-1").await), ["page_size"]);
    done(&rest.get("/v1/users?page_size=100000").await);
}
