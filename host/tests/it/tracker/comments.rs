//! Comments, labels, watchers and the assignee of an issue.

use serde_json::{Value, json};

use super::{all_pages, done, faults, issue, memory};
use crate::harness::Rest;

async fn version(rest: &Rest, id: &str) -> u64 {
    issue(rest, id).await["etag"].as_str().unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_comment_is_changed_by_its_author_and_admins_only() {
    let (_home, _host, admin) = memory().await;
    let issue = admin.issue(&admin.project("P").await, "s").await;
    let (ada, bob) = (admin.user("ada@example.com").await, admin.user("bob@example.com").await);
    let ada_key = admin.with_key(Some(&admin.new_key(&["agent"], Some(&ada)).await));
    let ada_other_key = admin.with_key(Some(&admin.new_key(&["agent"], Some(&ada)).await));
    let bob_key = admin.with_key(Some(&admin.new_key(&["agent"], Some(&bob)).await));
    let viewer = admin.with_key(Some(&admin.new_key(&["viewer"], None).await));

    let comments = format!("/v1/issues/{issue}/comments");
    let comment = done(&ada_key.post(&comments, json!({"body": "first"})).await)["comment"].clone();
    assert_eq!(comment["author"]["user_id"], ada);
    assert_eq!(comment["edited_at"], Value::Null);
    let one = format!("{comments}/{}", comment["comment_id"].as_str().unwrap());

    assert_eq!(bob_key.patch(&one, json!({"body": "mine now"})).await.code(403), "PERMISSION_DENIED");
    assert_eq!(bob_key.delete(&one).await.code(403), "PERMISSION_DENIED");
    assert_eq!(viewer.patch(&one, json!({"body": "x"})).await.code(403), "PERMISSION_DENIED");
    assert_eq!(viewer.post(&comments, json!({"body": "x"})).await.code(403), "PERMISSION_DENIED");
    let edited = done(&ada_other_key.patch(&one, json!({"body": "second"})).await)["comment"].clone();
    assert_eq!(edited["body"], "second");
    assert!(edited["edited_at"].is_string());
    done(&admin.patch(&one, json!({"body": "third"})).await);
    let listed = viewer.get(&comments).await.expect(200)["comments"].clone();
    assert_eq!((listed.as_array().unwrap().len(), listed[0]["body"].clone()), (1, json!("third")));
    done(&ada_key.delete(&one).await);
    assert_eq!(admin.delete(&one).await.code(404), "COMMENT_NOT_FOUND");
    assert_eq!(admin.get(&comments).await.expect(200)["comments"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn comments_are_listed_oldest_first_in_pages_and_are_bounded() {
    let (_home, _host, rest) = memory().await;
    let issue = rest.issue(&rest.project("P").await, "s").await;
    let comments = format!("/v1/issues/{issue}/comments");
    for n in 0..7 {
        done(&rest.post(&comments, json!({"body": format!("c{n}")})).await);
    }
    let bodies: Vec<_> = all_pages(&rest, &comments, "comments", 3).await;
    let bodies: Vec<_> = bodies.iter().map(|comment| comment["body"].as_str().unwrap()).collect();
    assert_eq!(bodies, ["c0", "c1", "c2", "c3", "c4", "c5", "c6"]);
    assert_eq!(faults(&rest.post(&comments, json!({"body": ""})).await), ["body"]);
    assert_eq!(faults(&rest.post(&comments, json!({"body": "x".repeat(10_001)})).await), ["body"]);
    done(&rest.post(&comments, json!({"body": "x".repeat(10_000)})).await);
    let other = rest.issue(&rest.project("Q").await, "s").await;
    let first =
        rest.get(&comments).await.expect(200)["comments"][0]["comment_id"].as_str().unwrap().to_owned();
    let elsewhere = format!("/v1/issues/{other}/comments/{first}");
    assert_eq!(rest.patch(&elsewhere, json!({"body": "x"})).await.code(404), "COMMENT_NOT_FOUND");
}

#[tokio::test(flavor = "multi_thread")]
async fn labels_are_added_and_removed_once() {
    let (_home, _host, rest) = memory().await;
    let id = rest.issue(&rest.project("P").await, "s").await;
    let labels = format!("/v1/issues/{id}/labels");
    done(&rest.post(&labels, json!({"label": "ui"})).await);
    let both = done(&rest.post(&labels, json!({"label": "a/b"})).await)["issue"].clone();
    assert_eq!(both["labels"], json!(["a/b", "ui"]));
    let before = version(&rest, &id).await;
    done(&rest.post(&labels, json!({"label": "ui"})).await);
    assert_eq!(version(&rest, &id).await, before, "a label that is there already changes nothing");
    for bad in ["", "two words", "a,b", "a\"b", &"x".repeat(51)] {
        assert_eq!(faults(&rest.post(&labels, json!({"label": bad})).await), ["labels"], "{bad:?}");
    }
    let after = done(&rest.delete(&format!("{labels}/a%2Fb")).await)["issue"].clone();
    assert_eq!(after["labels"], json!(["ui"]));
    let before = version(&rest, &id).await;
    done(&rest.delete(&format!("{labels}/absent")).await);
    assert_eq!(version(&rest, &id).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn watchers_are_added_and_removed_and_me_is_the_keys_user() {
    let (_home, _host, admin) = memory().await;
    let id = admin.issue(&admin.project("P").await, "s").await;
    let (ada, bob) = (admin.user("ada@example.com").await, admin.user("bob@example.com").await);
    let ada_key = admin.with_key(Some(&admin.new_key(&["agent"], Some(&ada)).await));
    let watchers = format!("/v1/issues/{id}/watchers");
    let list = async || {
        let mut ids: Vec<String> =
            serde_json::from_value(admin.get(&watchers).await.expect(200)["user_ids"].clone()).unwrap();
        ids.sort();
        ids
    };
    done(&ada_key.post(&watchers, json!({})).await);
    done(&ada_key.post(&watchers, json!({"user_id": "me"})).await);
    assert_eq!(list().await, [ada.as_str()]);
    done(&ada_key.post(&watchers, json!({"user_id": bob})).await);
    let mut both = vec![ada.clone(), bob.clone()];
    both.sort();
    assert_eq!(list().await, both);
    assert_eq!(super::found(&ada_key, "watcher:me").await, [id.as_str()]);
    assert_eq!(super::found(&admin, &format!("watcher:{bob}")).await, [id.as_str()]);
    assert_eq!(super::found(&admin, "watcher:none").await, Vec::<String>::new());
    done(&ada_key.delete(&format!("{watchers}/me")).await);
    assert_eq!(list().await, [bob.as_str()]);
    // A key without a user has no `me`.
    let refused = admin.post(&watchers, json!({})).await;
    assert!(refused.status.is_client_error(), "{:#}", refused.body);
    assert_eq!(faults(&admin.post(&watchers, json!({"user_id": id})).await), ["user_id"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_who_is_not_active_cannot_be_assigned_and_its_key_is_refused() {
    let (_home, _host, admin) = memory().await;
    let project = admin.project("P").await;
    let id = admin.issue(&project, "s").await;
    let ada = admin.user("ada@example.com").await;
    let key = admin.with_key(Some(&admin.new_key(&["agent"], Some(&ada)).await));
    done(&key.get("/v1/me").await);
    done(&admin.post(&format!("/v2/users/{ada}:deactivate"), json!({})).await);
    assert_eq!(key.get("/v1/me").await.code(401), "UNAUTHENTICATED");
    let assign = admin.post(&format!("/v1/issues/{id}:assign"), json!({"assignee_id": ada})).await;
    assert_eq!(faults(&assign), ["assignee_id"]);
    let body = json!({"project_id": project, "summary": "s", "assignee_id": ada});
    assert_eq!(faults(&admin.post("/v1/issues", body).await), ["assignee_id"]);
    assert_eq!(
        faults(&admin.patch(&format!("/v1/issues/{id}"), json!({"assignee_id": ada})).await),
        ["assignee_id"]
    );
    done(&admin.post(&format!("/v2/users/{ada}:activate"), json!({})).await);
    done(&key.get("/v1/me").await);
    let assigned = key.post(&format!("/v1/issues/{id}:assign"), json!({"assignee_id": "me"})).await;
    assert_eq!(done(&assigned)["issue"]["assignee_id"], ada);
    assert_eq!(assigned.body["issue"]["status"], "ASSIGNED");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bulk_update_gives_each_issue_its_own_verdict() {
    let (_home, _host, rest) = memory().await;
    let project = rest.project("P").await;
    let (new, assigned) = (rest.issue(&project, "a").await, rest.issue(&project, "b").await);
    super::bring(&rest, &assigned, "ASSIGNED").await;
    let absent = uuid::Uuid::now_v7().to_string();
    let body = json!({
        "issue_ids": [new, assigned, absent],
        "change": {"status": "IN_PROGRESS", "priority": "CRITICAL", "add_labels": ["bulk"]},
    });
    let answer = rest.post("/v1/issues:bulkUpdate", body).await;
    let verdicts = done(&answer)["verdicts"].as_array().unwrap().clone();
    let ids: Vec<_> = verdicts.iter().map(|verdict| verdict["issue_id"].as_str().unwrap()).collect();
    assert_eq!(ids, [&new, &assigned, &absent]);
    assert_eq!(verdicts[0]["error"]["code"], "TRANSITION_NOT_ALLOWED");
    assert_eq!(verdicts[1]["issue"]["status"], "IN_PROGRESS");
    assert_eq!(verdicts[1]["issue"]["labels"], json!(["bulk"]));
    assert_eq!(verdicts[2]["error"]["code"], "ISSUE_NOT_FOUND");
    // The refused issue is unchanged.
    assert_eq!(
        (issue(&rest, &new).await["priority"].clone(), version(&rest, &new).await),
        (json!("MINOR"), 1)
    );
    for count in [0, 101] {
        let ids: Vec<_> = (0..count).map(|_| new.clone()).collect();
        let body = json!({"issue_ids": ids, "change": {"priority": "MAJOR"}});
        assert_eq!(faults(&rest.post("/v1/issues:bulkUpdate", body).await), ["issue_ids"]);
    }
}
