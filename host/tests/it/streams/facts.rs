//! Streams of facts: completeness, order, resumption, filters and access.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::json;

use super::client::{EventReader, Facts, StreamItem, StreamedFact, Subscription, Way, socket};
use crate::harness::Kind;
use crate::tracker::{all_pages, done, memory, on, on_every_store, until};

on_every_store! {
    facts_arrive_once_in_one_order_over_every_transport
    resumed_stream_delivers_exactly_the_missed_facts
}

fn issues() -> Subscription {
    Subscription { types: vec!["issue.*"], ..Subscription::default() }
}

fn in_order(facts: &[StreamedFact]) {
    let mut versions = BTreeMap::new();
    let mut ids = BTreeSet::new();
    for fact in facts {
        assert!(ids.insert(&fact.id), "{fact:?} came twice");
        let before = versions.insert(&fact.object, fact.version).unwrap_or(0);
        assert_eq!(fact.version, before + 1, "{fact:?} is out of order");
    }
}

async fn facts_arrive_once_in_one_order_over_every_transport(kind: Kind) {
    let (_home, host, rest) = on(kind).await;
    let project = rest.project("P").await;
    let mut streams = Vec::new();
    for way in Way::ALL {
        streams.push(Facts::open(&host, way, &issues()).await.unwrap());
    }
    let work = (0..8).map(|n| {
        let (rest, project) = (&rest, &project);
        async move {
            for m in 0..4 {
                let id = rest.issue(project, &format!("{n}.{m}")).await;
                let path = format!("/v1/issues/{id}");
                done(&rest.patch(&path, json!({"priority": "MAJOR"})).await);
                done(&rest.post(&format!("{path}/comments"), json!({"body": "b"})).await);
            }
        }
    });
    join_all(work).await;
    let mut all: Vec<Vec<StreamedFact>> = Vec::new();
    for stream in &mut streams {
        all.push(stream.take(8 * 4 * 3).await);
    }
    in_order(&all[0]);
    assert_eq!(all[0], all[1]);
    assert_eq!(all[0], all[2]);
    // The audit log has the same facts in the same order.
    let filter = crate::tracker::encode("type:issue.*");
    let mut audit = all_pages(&rest, &format!("/v1/audit?filter={filter}"), "facts", 50).await;
    audit.reverse();
    let ids = |fact: &serde_json::Value| fact["id"].as_str().unwrap().to_owned();
    assert_eq!(
        audit.iter().map(ids).collect::<Vec<_>>(),
        all[0].iter().map(|fact| fact.id.clone()).collect::<Vec<_>>()
    );
}

async fn resumed_stream_delivers_exactly_the_missed_facts(kind: Kind) {
    const MISSED: usize = 500;
    let (_home, host, rest) = on(kind).await;
    let project = rest.project("P").await;
    let mut cursors = Vec::new();
    let id = {
        let mut streams = Vec::new();
        for way in Way::ALL {
            streams.push(Facts::open(&host, way, &issues()).await.unwrap());
        }
        let id = rest.issue(&project, "before").await;
        for stream in &mut streams {
            cursors.push(stream.until(&id).await.last().unwrap().cursor.clone());
        }
        id
    };
    assert!(cursors.iter().all(|cursor| *cursor == cursors[0]), "cursors are the same over every transport");
    let work = (0..10).map(|_| async {
        for n in 0..MISSED / 10 {
            rest.issue(&project, &format!("missed {n}")).await;
        }
    });
    join_all(work).await;
    let mut first: Option<Vec<StreamedFact>> = None;
    for way in Way::ALL {
        let subscription = Subscription { after: cursors[0].clone(), ..issues() };
        let mut stream = Facts::open(&host, way, &subscription).await.unwrap();
        let missed = stream.take(MISSED).await;
        in_order(&missed);
        assert!(missed.iter().all(|fact| fact.object != id), "{way:?} repeated a fact");
        assert_eq!(first.get_or_insert_with(|| missed.clone()), &missed);
        // The stream continues with new facts.
        let now = rest.issue(&project, "now").await;
        stream.until(&now).await;
        done(&rest.delete(&format!("/v1/issues/{now}")).await);
        assert_eq!(stream.fact().await.fact_type, "issue.deleted");
    }
    // A browser reconnects with the id of the last event.
    let (head, tail) = first.as_ref().unwrap().split_at(MISSED / 2);
    let last = &head.last().unwrap().cursor;
    let path = issues().path();
    let mut events = EventReader::open(&host.rest(), &path, Some(last)).await.unwrap();
    while events.event().await.unwrap().data.is_empty() {}
    assert_eq!(events.last_id, tail[0].cursor);
    drop(events);
    let events = EventReader::open(&host.rest(), &path, Some(last)).await.unwrap();
    assert_eq!(Facts::Sse(events).take(tail.len()).await, tail);
}

#[tokio::test(flavor = "multi_thread")]
async fn stream_filters_select_facts() {
    let (_home, host, rest) = memory().await;
    let (p, q) = (rest.project("P").await, rest.project("Q").await);
    let watched = rest.issue(&p, "watched").await;
    let cases = [
        (Subscription { types: vec!["issue.created"], ..Subscription::default() }, vec!["issue.created"; 2]),
        (
            Subscription { types: vec!["user.*", "issue.deleted"], ..Subscription::default() },
            vec!["user.created", "issue.deleted"],
        ),
        (
            Subscription { object: watched.clone(), ..Subscription::default() },
            vec!["issue.updated", "issue.commented", "issue.deleted"],
        ),
        (
            Subscription { object: watched.clone(), types: vec!["issue.u*"], ..Subscription::default() },
            vec!["issue.updated"],
        ),
        (Subscription { filter: format!("project:{q}"), ..Subscription::default() }, vec!["issue.created"]),
        (Subscription { filter: "kind:user".into(), ..Subscription::default() }, vec!["user.created"]),
        (
            Subscription {
                filter: "kind:issue -type:issue.created,issue.deleted".into(),
                ..Subscription::default()
            },
            vec!["issue.updated", "issue.commented"],
        ),
    ];
    let mut streams = Vec::new();
    for way in Way::ALL {
        for (subscription, expected) in &cases {
            let mut subscription = subscription.clone();
            // The stream starts after the newest fact of the object, to leave out the facts of its creation.
            subscription.after = cursor_of(&rest, &watched).await;
            streams.push((
                way,
                subscription.clone(),
                expected,
                Facts::open(&host, way, &subscription).await.unwrap(),
            ));
        }
    }
    let path = format!("/v1/issues/{watched}");
    done(&rest.patch(&path, json!({"priority": "MAJOR"})).await);
    done(&rest.post(&format!("{path}/comments"), json!({"body": "b"})).await);
    rest.issue(&p, "p").await;
    rest.issue(&q, "q").await;
    rest.user("ada@example.com").await;
    done(&rest.delete(&path).await);
    for (way, subscription, expected, stream) in &mut streams {
        let facts = stream.take(expected.len()).await;
        let types: Vec<_> = facts.iter().map(|fact| fact.fact_type.as_str()).collect();
        assert_eq!(types, **expected, "{way:?}: {subscription:?}");
    }
}

/// Returns the cursor after the newest fact of an object.
async fn cursor_of(rest: &crate::harness::Rest, object: &str) -> String {
    let end = Instant::now() + Duration::from_secs(10);
    loop {
        let audit = rest.get(&format!("/v1/audit?filter=object:{object}")).await;
        if let Some(cursor) = audit.expect(200)["facts"][0]["cursor"].as_str() {
            return cursor.to_owned();
        }
        assert!(Instant::now() < end, "the fact is never numbered");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_tenants_facts_are_never_streamed() {
    let (_home, host, rest) = memory().await;
    done(&rest.post("/v1/tenants", json!({"slug": "acme", "name": "Acme"})).await);
    let body = json!({"name": "k", "roles": ["admin"], "tenant": "acme"});
    let key = done(&rest.post("/v1/keys", body).await)["secret"].as_str().unwrap().to_owned();
    let acme = rest.with_key(Some(&key));
    let (ours, theirs) = (rest.project("Ours").await, acme.project("Theirs").await);
    let subscription =
        Subscription { key: Some(key.clone()), types: vec!["issue.*"], ..Subscription::default() };
    let mut streams = Vec::new();
    for way in Way::ALL {
        streams.push(Facts::open(&host, way, &subscription).await.unwrap());
    }
    for _ in 0..20 {
        rest.issue(&ours, "ours").await;
    }
    let last = acme.issue(&theirs, "theirs").await;
    for stream in &mut streams {
        let facts = stream.until(&last).await;
        assert_eq!(facts.len(), 1, "{facts:?}");
    }
    // Cursors, object ids and filters of another tenant give no access either.
    let cursor = cursor_of(&rest, &rest.issue(&ours, "cursor").await).await;
    for way in Way::ALL {
        let stolen = Subscription { after: cursor.clone(), ..subscription.clone() };
        assert_eq!(Facts::open(&host, way, &stolen).await.err().unwrap(), "INVALID_ARGUMENT", "{way:?}");
        let filter = format!("project:{ours}");
        let mut stream =
            Facts::open(&host, way, &Subscription { filter, ..subscription.clone() }).await.unwrap();
        rest.issue(&ours, "ours").await;
        let quiet = tokio::time::timeout(Duration::from_millis(300), stream.next()).await;
        assert!(quiet.is_err(), "{way:?}: {quiet:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn invalid_stream_is_refused_when_opened() {
    let (_home, host, rest) = memory().await;
    let gate = rest.new_key(&["gate"], None).await;
    let viewer = rest.new_key(&["viewer"], None).await;
    for way in Way::ALL {
        let open = async |subscription: Subscription| Facts::open(&host, way, &subscription).await.err();
        let of = |code: &str| Some(code.to_owned());
        assert_eq!(
            open(Subscription { key: None, ..Subscription::default() }).await,
            of("UNAUTHENTICATED"),
            "{way:?}"
        );
        let gate = Subscription { key: Some(gate.clone()), ..Subscription::default() };
        assert_eq!(open(gate).await, of("PERMISSION_DENIED"), "{way:?}");
        let viewer = Subscription { key: Some(viewer.clone()), ..Subscription::default() };
        assert_eq!(open(viewer).await, None, "{way:?}");
        for after in ["1", "not a cursor", &"A".repeat(5_000)] {
            let subscription = Subscription { after: after.to_owned(), ..Subscription::default() };
            assert_eq!(open(subscription).await, of("INVALID_ARGUMENT"), "{way:?}");
        }
        let subscription = Subscription { filter: "colour:red".to_owned(), ..Subscription::default() };
        assert_eq!(open(subscription).await, of("INVALID_ARGUMENT"), "{way:?}");
        let subscription = Subscription { types: vec!["a"; 51], ..Subscription::default() };
        assert_eq!(open(subscription).await, of("INVALID_ARGUMENT"), "{way:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_token_opens_one_stream_without_a_header() {
    let (_home, host, rest) = memory().await;
    let project = rest.project("P").await;
    let nobody = rest.with_key(None);
    let token = async || {
        let answer = rest.post("/v1/streams/token", json!({})).await;
        assert!(done(&answer)["expires_in"].as_u64().unwrap() <= 60);
        answer.body["token"].as_str().unwrap().to_owned()
    };
    let path = |token: &str| format!("/v1/streams/facts?types=issue.*&token={token}");
    let unauthenticated = "UNAUTHENTICATED".to_owned();

    let one = token().await;
    let mut events = EventReader::open(&nobody, &path(&one), None).await.unwrap();
    assert_eq!(EventReader::open(&nobody, &path(&one), None).await.err().unwrap(), unauthenticated);
    assert_eq!(socket(&nobody, &path(&one)).await.err().unwrap(), unauthenticated);
    let two = token().await;
    let mut facts = Facts::Socket(Box::new(socket(&nobody, &path(&two)).await.unwrap()));
    let three = token().await;
    let counts = format!("/v1/projects/{project}/stream?token={three}");
    assert!(EventReader::open(&nobody, &counts, None).await.is_ok());
    assert_eq!(EventReader::open(&nobody, &counts, None).await.err().unwrap(), unauthenticated);

    let id = rest.issue(&project, "s").await;
    assert_eq!(facts.fact().await.object, id);
    while events.event().await.unwrap().data.is_empty() {}
    // A token opens only streams.
    let four = token().await;
    assert_eq!(nobody.with_key(Some(&four)).get("/v1/me").await.code(401), "UNAUTHENTICATED");
    assert_eq!(nobody.get(&format!("/v1/me?token={four}")).await.code(401), "UNAUTHENTICATED");
    for wrong in ["tst_", "x", "tst_00112233445566778899aabbccddeeff"] {
        assert_eq!(EventReader::open(&nobody, &path(wrong), None).await.err().unwrap(), unauthenticated);
    }
    // A token of a revoked key opens nothing.
    let key = rest.new_key(&["viewer"], None).await;
    let issued = rest.with_key(Some(&key)).post("/v1/streams/token", json!({})).await;
    let issued = done(&issued)["token"].as_str().unwrap().to_owned();
    let id = key.split('_').nth(1).unwrap();
    done(&rest.post(&format!("/v1/keys/{id}:revoke"), json!({})).await);
    assert_eq!(EventReader::open(&nobody, &path(&issued), None).await.err().unwrap(), unauthenticated);
    drop(host);
    assert!(matches!(facts.next().await, StreamItem::End(_)));
}

#[tokio::test(flavor = "multi_thread")]
async fn stream_hides_facts_about_objects_that_its_reader_may_not_see() {
    let (_home, host, rest) = memory().await;
    let project = rest.project("P").await;
    let start = cursor_of(&rest, &project).await;
    let (viewer, admin) = (rest.new_key(&["viewer"], None).await, rest.new_key(&["admin"], None).await);
    let id = viewer.split('_').nth(1).unwrap();
    let wrong = rest.with_key(Some(&format!("tsk_{id}_{}", "0".repeat(64))));
    assert_eq!(wrong.get("/v1/me").await.code(401), "UNAUTHENTICATED");
    until(&rest, "/v1/audit?filter=type:login.refused", |page| page.body["facts"][0].is_object()).await;
    let visible = rest.issue(&project, "visible").await;
    let hidden = rest.new_key(&["gate"], None).await;
    let hidden = cursor_of(&rest, hidden.split('_').nth(1).unwrap()).await;
    let subscription = |key: &str| Subscription {
        key: Some(key.to_owned()),
        after: start.clone(),
        ..Subscription::default()
    };
    let mut streams = Vec::new();
    for way in Way::ALL {
        let mut stream = Facts::open(&host, way, &subscription(&viewer)).await.unwrap();
        assert_eq!(stream.fact().await.object, visible, "{way:?}");
        streams.push((way, stream));
        // Who reads the audit log reads the same facts here.
        let mut all = Facts::open(&host, way, &subscription(&admin)).await.unwrap();
        let types: Vec<_> = all.take(5).await.into_iter().map(|fact| fact.fact_type).collect();
        let expected = ["key.created", "key.created", "login.refused", "issue.created", "key.created"];
        assert_eq!(types, expected, "{way:?}");
        // Neither a filter nor a type gives access.
        for narrow in [
            Subscription { types: vec!["key.*", "login.*"], ..subscription(&viewer) },
            Subscription { filter: "kind:key".into(), ..subscription(&viewer) },
            Subscription { object: id.to_owned(), ..subscription(&viewer) },
        ] {
            let mut stream = Facts::open(&host, way, &narrow).await.unwrap();
            let quiet = tokio::time::timeout(Duration::from_millis(300), stream.next()).await;
            assert!(quiet.is_err(), "{way:?}: {quiet:?}");
        }
    }
    // The cursor moves past hidden facts.
    for (way, stream) in &mut streams {
        match stream.next().await {
            StreamItem::Beat(cursor) => assert_eq!(cursor, hidden, "{way:?}"),
            other => panic!("{way:?}: {other:?}"),
        }
    }
}
