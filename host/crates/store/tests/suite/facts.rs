//! Facts: numbered once, in a stable order, and deleted when they are old.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tessera_core::access::ObjectKind;
use tessera_core::id::FactId;
use tessera_core::outbox::fact;
use tessera_core::value::{Change, Decimal, Money};
use tessera_core::{Timestamp, Value};

use crate::world::{World, all, page};

on_every_store! {
    facts_never_appear_below_a_read_number,
    facts_of_an_object_are_ordered_by_version,
    facts_of_one_changeset_keep_their_order,
    fact_round_trips,
    followers_are_woken,
    history_and_audit_are_newest_first,
    old_facts_are_deleted_and_numbers_are_not_reused,
    reads_end_at_their_bytes,
}

async fn reads_end_at_their_bytes(world: World) {
    let tenant = world.tenant("acme").await;
    for _ in 0..5 {
        let user = world.new_user("A", &format!("{}@example.com", FactId::generate()));
        let mut fact = world.fact(tenant, "user.created", &user);
        fact.changes =
            vec![Change { field: "f".into(), before: Value::None, after: Value::Text("x".repeat(9_000)) }];
        world.store(world.change(tenant).insert(user).fact(fact)).await;
    }
    let facts = world.numbered(6).await;
    let (first, store) = (facts[0].seq.unwrap(), &world.store);
    for (bytes, count) in [(1, 1), (9_001, 1), (20_000, 3), (1 << 20, 5)] {
        let read = store.facts_after(first, 100, bytes).await.unwrap();
        assert_eq!(read, facts[1..=count], "{bytes} bytes");
        assert_eq!(store.tenant_facts_after(tenant, first, 100, bytes).await.unwrap(), read);
    }
    // The connection is used again, though not all rows of its query were read.
    assert_eq!(store.facts_after(0, 100, usize::MAX).await.unwrap(), facts);
}

async fn facts_never_appear_below_a_read_number(world: World) {
    let tenant = world.tenant("acme").await;
    let project = world.project(tenant, "Rocket").await;
    let done = Arc::new(AtomicBool::new(false));
    let reader = tokio::spawn({
        let (world, done) = (world.clone(), Arc::clone(&done));
        async move {
            // Reads everything each time: a late fact would appear below the head.
            let (mut seen, mut reads) = (Vec::new(), 0_u32);
            while !done.load(Ordering::Relaxed) || reads == 0 {
                let facts = world.store.facts_after(0, 100_000, usize::MAX).await.unwrap();
                let now: Vec<_> = facts.iter().map(|fact| (fact.seq.unwrap(), fact.body.id)).collect();
                assert!(now.is_sorted_by(|a, b| a.0 < b.0));
                assert!(now.starts_with(&seen), "a fact appeared below one that was read");
                seen = now;
                reads += 1;
            }
        }
    });
    let writers: Vec<_> = (0..8)
        .map(|writer| {
            let (world, project) = (world.clone(), project.clone());
            tokio::spawn(async move {
                for number in 0..25 {
                    world.issue(tenant, &project, &format!("{writer}-{number}")).await;
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    world.numbered(202).await;
    done.store(true, Ordering::Relaxed);
    reader.await.unwrap();
    assert!(world.store.head().await.unwrap() >= 202);
}

async fn facts_of_an_object_are_ordered_by_version(world: World) {
    let tenant = world.tenant("acme").await;
    let project = world.project(tenant, "Rocket").await;
    let issue = world.issue(tenant, &project, "busy").await;
    let writers: Vec<_> = (0..8)
        .map(|_| {
            let (world, id) = (world.clone(), issue.id);
            tokio::spawn(async move {
                let mut commits = 0_usize;
                while commits < 5 {
                    let stored = world.store.issue(tenant, id).await.unwrap().unwrap();
                    let next = world.next(&stored, |_| ());
                    match world.commit(world.update(tenant, &next)).await {
                        Ok(_) => commits += 1,
                        Err(error) => assert!(error.is_stale(), "{error:?}"),
                    }
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    let mut versions: HashMap<String, u64> = HashMap::new();
    for fact in world.numbered(43).await {
        let before = versions.insert(fact.body.object.id, fact.body.object.version);
        assert_eq!(before.unwrap_or_default() + 1, fact.body.object.version);
    }
    assert_eq!(versions[&issue.id.to_string()], 41);
}

async fn facts_of_one_changeset_keep_their_order(world: World) {
    let tenant = world.tenant("acme").await;
    let mut changeset = world.change(tenant);
    let users: Vec<_> =
        (0..300).map(|number| world.new_user("A User", &format!("u{number}@example.com"))).collect();
    for user in &users {
        changeset = changeset.insert(user.clone()).fact(world.fact(tenant, "user.created", user));
    }
    let ids: Vec<_> = changeset.facts.iter().map(|fact| fact.id).collect();
    world.store(changeset).await;
    let facts = world.numbered(301).await;
    assert_eq!(facts[1..].iter().map(|fact| fact.body.id).collect::<Vec<_>>(), ids);
}

async fn fact_round_trips(world: World) {
    let tenant = world.tenant("acme").await;
    let user = world.user(tenant, "Ada Lovelace", "ada@example.com").await;
    let project = world.project(tenant, "Rocket").await;
    let mut fact = world.fact(tenant, "user.updated", &user).in_project(project.id);
    fact.cause = Some(FactId::generate());
    fact.actor.kind = "key".into();
    fact.actor.id = "k-1".into();
    fact.actor.user = Some(user.id);
    fact.transport = "grpc".into();
    let at = Timestamp::parse("t", "1999-12-31T23:59:59.999999Z").unwrap();
    let values = [
        Value::Text("it's \"quoted\" and é".into()),
        Value::Integer(-7),
        Value::Decimal(Decimal::parse("d", "0012.500").unwrap()),
        Value::Boolean(true),
        Value::Time(at),
        Value::Money(Money { amount: 1_999, currency: "EUR".into() }),
        Value::Texts(vec!["b".into(), "a".into()]),
        Value::Json("{\"b\": 1, \"a\": [1.50]}".into()),
        Value::None,
    ];
    fact.changes = values
        .iter()
        .enumerate()
        .map(|(number, value)| Change {
            field: format!("f{number}"),
            before: Value::None,
            after: value.clone(),
        })
        .collect();
    world.store(world.change(tenant).fact(fact.clone())).await;
    let facts = world.numbered(4).await;
    assert_eq!((facts[3].tenant, &facts[3].body), (tenant, &fact));
    let own = world.store.tenant_facts_after(tenant, facts[2].seq.unwrap(), 10, usize::MAX).await.unwrap();
    assert_eq!(own, &facts[3..]);
}

async fn followers_are_woken(world: World) {
    let tenant = world.tenant("acme").await;
    world.numbered(1).await;
    for round in 0..5_usize {
        let head = world.store.head().await.unwrap();
        let follower = tokio::spawn({
            let world = world.clone();
            async move {
                while world.store.facts_after(head, 10, usize::MAX).await.unwrap().is_empty() {
                    let woken = world.store.facts_changed();
                    tokio::time::timeout(Duration::from_secs(5), woken).await.expect("the follower is woken");
                }
            }
        });
        world.user(tenant, "A User", &format!("u{round}@example.com")).await;
        follower.await.unwrap();
    }
}

async fn history_and_audit_are_newest_first(world: World) {
    let tenant = world.tenant("acme").await;
    let project = world.project(tenant, "Rocket").await;
    let mut issue = world.issue(tenant, &project, "busy").await;
    for _ in 0..9 {
        issue = world.next(&issue, |_| ());
        world.store(world.update(tenant, &issue)).await;
    }
    let id = issue.id.to_string();
    let history = all(page(&fact::SPEC, 4, ""), |request| {
        let (store, id) = (Arc::clone(&world.store), id.clone());
        async move { store.history(tenant, (ObjectKind::Issue, &id), &request).await }
    })
    .await;
    let versions: Vec<_> = history.iter().map(|fact| fact.body.object.version).collect();
    assert_eq!(versions, (1..=10).rev().collect::<Vec<_>>());

    let mut facts = world.numbered(12).await;
    facts.reverse();
    let audit = all(page(&fact::SPEC, 5, ""), |request| {
        let store = Arc::clone(&world.store);
        async move { store.audit(tenant, &request).await }
    })
    .await;
    assert_eq!(audit, facts);
}

async fn old_facts_are_deleted_and_numbers_are_not_reused(world: World) {
    let tenant = world.tenant("acme").await;
    for number in 0..4 {
        world.user(tenant, "A User", &format!("u{number}@example.com")).await;
    }
    let before = world.numbered(5).await;
    let cut = before[4].body.at.plus(Duration::from_micros(1));
    world.wait_until(cut).await;
    world.user(tenant, "Last User", "last@example.com").await;
    let last = world.numbered(6).await.pop().unwrap();
    assert_eq!(world.store.seq_before(tenant, cut).await.unwrap(), before[4].seq.unwrap());
    let mut deleted = Vec::new();
    for _ in 0..3 {
        deleted.push(world.store.forget_facts(cut, 3).await.unwrap());
    }
    assert_eq!(deleted, [3, 2, 0]);
    assert_eq!(world.numbered(1).await, std::slice::from_ref(&last));
    assert_eq!(world.store.seq_before(tenant, cut).await.unwrap(), 0);
    assert_eq!(world.store.forget_facts(world.store.now(), 10).await.unwrap(), 1);
    world.user(tenant, "Newest User", "newest@example.com").await;
    assert!(world.numbered(1).await[0].seq > last.seq);
}
