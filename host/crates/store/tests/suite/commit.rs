//! Changesets are atomic, and stored only if the versions that they were decided by are still the same.

use std::pin::Pin;
use std::task::Poll;
use std::time::{Duration, Instant};

use tessera_core::ErrorKind;
use tessera_core::access::ObjectKind;
use tessera_core::changeset::{Committed, Expect, Write};
use tessera_core::id::UserId;
use tessera_core::tracker::{Project, User};

use crate::world::World;

on_every_store! {
    changeset_is_stored_whole,
    stale_row_rolls_the_changeset_back,
    stale_version_is_refused,
    stale_dependency_is_refused,
    dependency_on_absent_or_deleted_row_is_stale,
    one_of_two_crossed_changesets_is_stale,
    crossed_writers_do_not_deadlock,
    emails_slugs_and_key_ids_are_unique,
    email_is_free_after_its_user_is_deleted,
    changeset_of_a_cancelled_caller_is_not_executed,
    changeset_past_its_deadline_is_not_executed,
    cancellation_during_a_commit_leaves_a_consistent_state,
    tenants_and_keys_cannot_be_deleted,
    failed_changeset_does_not_affect_others_of_its_batch,
}

async fn changeset_is_stored_whole(world: World) {
    let tenant = world.tenant("acme").await;
    let project = world.new_project("Rocket");
    let user = world.new_user("Ada Lovelace", "ada@example.com");
    let mut issue = world.new_issue(project.id, "it explodes");
    issue.assignee = Some(user.id);
    let fact = world.fact(tenant, "issue.created", &issue);
    let changeset = world.change(tenant).insert(project.clone()).insert(user.clone()).insert(issue.clone());
    world.store(changeset.fact(fact.clone())).await;
    let stored = world.store.project(tenant, project.id).await.unwrap();
    assert_eq!(stored, Some(Project { issue_count: 1, ..project }));
    assert_eq!(world.store.user(tenant, user.id).await.unwrap(), Some(user));
    assert_eq!(world.store.issue(tenant, issue.id).await.unwrap(), Some(issue.clone()));
    assert_eq!(world.history(tenant, issue.id).await[0].body, fact);
}

async fn stale_row_rolls_the_changeset_back(world: World) {
    let tenant = world.tenant("acme").await;
    let project = world.project(tenant, "Rocket").await;
    let user = world.user(tenant, "Ada Lovelace", "ada@example.com").await;
    let issue = world.new_issue(project.id, "never");
    let stale = User { version: 7, ..user.clone() };
    let changeset = world.creation(tenant, &project, &issue).update(stale);
    assert!(world.commit(changeset).await.unwrap_err().is_stale());
    // A fault during the writes rolls the earlier ones back.
    let twin = world.new_user("Ada Twin", "ADA@example.com");
    let changeset = world.creation(tenant, &project, &issue).insert(twin);
    assert_eq!(world.commit(changeset).await.unwrap_err().kind(), ErrorKind::Exists);
    assert_eq!(world.store.issue(tenant, issue.id).await.unwrap(), None);
    assert_eq!(world.store.project(tenant, project.id).await.unwrap().unwrap().issue_count, 0);
    assert!(world.history(tenant, issue.id).await.is_empty());
    assert_eq!(world.numbered(3).await.len(), 3);
}

async fn stale_version_is_refused(world: World) {
    let tenant = world.tenant("acme").await;
    let project = world.project(tenant, "Rocket").await;
    let issue = world.issue(tenant, &project, "first").await;
    let next = world.next(&issue, |next| next.summary = "second".into());
    world.store(world.update(tenant, &next)).await;
    assert!(world.commit(world.update(tenant, &next)).await.unwrap_err().is_stale());
    assert!(world.commit(world.change(tenant).delete(issue.clone())).await.unwrap_err().is_stale());
    let skipped = world.next(&next, |next| next.version += 1);
    assert!(world.commit(world.update(tenant, &skipped)).await.unwrap_err().is_stale());
    assert_eq!(world.store.issue(tenant, issue.id).await.unwrap(), Some(next.clone()));
    world.store(world.change(tenant).delete(next.clone())).await;
    assert!(world.commit(world.change(tenant).delete(next)).await.unwrap_err().is_stale());
}

async fn stale_dependency_is_refused(world: World) {
    let tenant = world.tenant("acme").await;
    let project = world.project(tenant, "Rocket").await;
    let renamed = Project { name: "Shuttle".into(), version: 2, ..project.clone() };
    world.store(world.change(tenant).update(renamed.clone())).await;
    let issue = world.new_issue(project.id, "decided by the old project");
    assert!(world.commit(world.creation(tenant, &project, &issue)).await.unwrap_err().is_stale());
    world.store(world.creation(tenant, &renamed, &issue)).await;
}

async fn dependency_on_absent_or_deleted_row_is_stale(world: World) {
    let tenant = world.tenant("acme").await;
    let project = world.project(tenant, "Rocket").await;
    let user = world.user(tenant, "Ada Lovelace", "ada@example.com").await;
    world.store(world.change(tenant).delete(user.clone())).await;
    world.store(world.change(tenant).delete(project.clone())).await;
    let absent = UserId::generate().to_string();
    for (kind, id, version) in [
        (ObjectKind::User, user.id.to_string(), 1),
        (ObjectKind::User, user.id.to_string(), 2),
        (ObjectKind::User, absent, 1),
        (ObjectKind::Project, project.id.to_string(), 2),
        (ObjectKind::Key, "nobody".to_owned(), 1),
        (ObjectKind::User, "no id at all".to_owned(), 1),
    ] {
        let mut changeset = world.change(tenant).insert(world.new_project("Other"));
        changeset.expects.push(Expect { kind, id: id.clone(), version, machines: None });
        assert!(world.commit(changeset).await.unwrap_err().is_stale(), "{kind:?} {id} {version}");
    }
    let changed = User { version: 3, ..user };
    assert!(world.commit(world.change(tenant).update(changed)).await.unwrap_err().is_stale());
    let orphan = world.new_issue(world.new_project("unknown").id, "without a project");
    assert!(world.commit(world.change(tenant).insert(orphan)).await.unwrap_err().is_stale());
}

/// Each of two writers depends on what the other writes.
async fn one_of_two_crossed_changesets_is_stale(world: World) {
    let tenant = world.tenant("acme").await;
    let project = world.project(tenant, "Rocket").await;
    for _ in 0..20 {
        let a = world.issue(tenant, &project, "a").await;
        let b = world.issue(tenant, &project, "b").await;
        let a_by_b = world.update(tenant, &world.next(&a, |a| a.status = "CLOSED".into())).expect(&b);
        let b_by_a = world.update(tenant, &world.next(&b, |b| b.status = "CLOSED".into())).expect(&a);
        let (first, second) = tokio::join!(world.commit(a_by_b), world.commit(b_by_a));
        let stale = [&first, &second].iter().filter(|verdict| verdict.is_err()).count();
        assert_eq!(stale, 1, "{first:?} {second:?}");
    }
}

async fn crossed_writers_do_not_deadlock(world: World) {
    let tenant = world.tenant("acme").await;
    let project = world.project(tenant, "Rocket").await;
    let mut issues = Vec::new();
    for _ in 0..8 {
        issues.push(world.issue(tenant, &project, "shared").await);
    }
    let writers = (0..16_usize).map(|writer| {
        let (world, issues) = (world.clone(), issues.clone());
        tokio::spawn(async move {
            for round in 0..10_usize {
                let first = &issues[(writer + round) % 8];
                let second = &issues[(writer * 3 + round * 5 + 1) % 8];
                if first.id == second.id {
                    continue;
                }
                let one = world.store.issue(tenant, first.id).await.unwrap().unwrap();
                let two = world.store.issue(tenant, second.id).await.unwrap().unwrap();
                let (one, two) = (world.next(&one, |_| ()), world.next(&two, |_| ()));
                match world.commit(world.update(tenant, &one).update(two)).await {
                    Ok(_) => {}
                    Err(error) => assert!(error.is_stale() && error.cause().is_none(), "{error:?}"),
                }
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
}

async fn emails_slugs_and_key_ids_are_unique(world: World) {
    let (tenant, other) = (world.tenant("acme").await, world.tenant("other").await);
    world.user(tenant, "Ada Lovelace", "Jörg@Example.com").await;
    let twin = world.new_user("Ada Twin", "JÖRG@example.COM");
    let error = world.commit(world.change(tenant).insert(twin.clone())).await.unwrap_err();
    assert_eq!((error.kind(), error.reason()), (ErrorKind::Exists, "USER_EXISTS"));
    assert!(error.message().contains("email_address"), "{error}");
    world.store(world.change(other).insert(twin)).await;
    let grace = world.user(tenant, "Grace Hopper", "grace@example.com").await;
    let renamed = User { email: "jörg@example.com".into(), version: 2, ..grace };
    let error = world.commit(world.change(tenant).update(renamed)).await.unwrap_err();
    assert_eq!(error.reason(), "USER_EXISTS");

    let double = world.new_tenant("acme");
    let error = world.commit(world.change(double.id).insert(double)).await.unwrap_err();
    assert_eq!((error.kind(), error.reason()), (ErrorKind::Exists, "TENANT_EXISTS"));

    world.store(world.change(tenant).insert(world.new_key(tenant, "same"))).await;
    for owner in [tenant, other] {
        let error = world.commit(world.change(owner).insert(world.new_key(owner, "same"))).await.unwrap_err();
        assert_eq!((error.kind(), error.reason()), (ErrorKind::Exists, "KEY_EXISTS"));
    }
}

async fn email_is_free_after_its_user_is_deleted(world: World) {
    let tenant = world.tenant("acme").await;
    for _ in 0..2 {
        let user = world.user(tenant, "Ada Lovelace", "ada@example.com").await;
        world.store(world.change(tenant).delete(user)).await;
    }
}

async fn changeset_of_a_cancelled_caller_is_not_executed(world: World) {
    let tenant = world.tenant("acme").await;
    let project = world.project(tenant, "Rocket").await;
    let creation = |issue: &tessera_core::tracker::Issue| {
        let changeset = world.creation(tenant, &project, issue);
        let world = world.clone();
        Box::pin(async move { world.commit(changeset).await })
    };
    // Other changesets keep the writers busy, so that later ones wait.
    let mut busy: Vec<_> = (0..300).map(|_| creation(&world.new_issue(project.id, "busy"))).collect();
    for one in &mut busy {
        assert!(is_waiting(one).await, "a commit was answered at once");
    }
    let left = world.new_issue(project.id, "left");
    let mut commit = creation(&left);
    assert!(is_waiting(&mut commit).await, "the queue was too short for this test");
    drop(commit);
    for one in busy {
        one.await.unwrap();
    }
    // Later in the tenant's queue: when this one is stored, the earlier one has been handled.
    world.issue(tenant, &project, "behind").await;
    assert_eq!(world.store.issue(tenant, left.id).await.unwrap(), None);
    assert_eq!(world.store.project(tenant, project.id).await.unwrap().unwrap().issue_count, 301);
}

/// Polls a future once.
async fn is_waiting<F: Future + Unpin>(future: &mut F) -> bool {
    std::future::poll_fn(|cx| Poll::Ready(Pin::new(&mut *future).poll(cx).is_pending())).await
}

async fn changeset_past_its_deadline_is_not_executed(world: World) {
    let tenant = world.tenant("acme").await;
    let project = world.new_project("Late");
    let mut changeset = world.change(tenant).insert(project.clone());
    changeset.deadline = Instant::now();
    assert_eq!(world.commit(changeset).await.unwrap_err().kind(), ErrorKind::DeadlineExceeded);
    assert_eq!(world.store.project(tenant, project.id).await.unwrap(), None);
}

async fn cancellation_during_a_commit_leaves_a_consistent_state(world: World) {
    let tenant = world.tenant("acme").await;
    let project = world.project(tenant, "Rocket").await;
    for round in 0..200_u64 {
        let issue = world.new_issue(project.id, "left");
        let commit = world.store.commit(world.creation(tenant, &project, &issue));
        let _ = tokio::time::timeout(Duration::from_micros(round * 20), commit).await;
    }
    // Last in the tenant's queue: when this one is stored, all others have been handled. Whatever their outcome, the count
    // and the facts agree with the rows.
    world.issue(tenant, &project, "last").await;
    let request = crate::world::page(&tessera_core::tracker::issue::SPEC, 1_000, "");
    let stored = world.store.issues(tenant, &request).await.unwrap().items;
    let count = world.store.project(tenant, project.id).await.unwrap().unwrap().issue_count;
    assert_eq!(count, stored.len() as u64);
    world.numbered(stored.len() + 2).await;
}

async fn tenants_and_keys_cannot_be_deleted(world: World) {
    let tenant = world.tenant("acme").await;
    let stored = world.store.tenant(tenant).await.unwrap().unwrap();
    let key = world.new_key(tenant, "kept");
    world.store(world.change(tenant).insert(key.clone())).await;
    for changeset in [world.change(tenant).delete(stored), world.change(tenant).delete(key.clone())] {
        assert_eq!(world.commit(changeset).await.unwrap_err().kind(), ErrorKind::Internal);
    }
    let deletion = world.change(tenant).write(Write::ForgetUser(UserId::generate()));
    assert!(world.commit(deletion).await.unwrap_err().is_stale());
    assert_eq!(world.store.key(&key.key.id).await.unwrap(), Some(key));
}

/// Changesets that share a transaction with a failing one are stored once.
async fn failed_changeset_does_not_affect_others_of_its_batch(world: World) {
    let tenant = world.tenant("acme").await;
    let project = world.project(tenant, "Rocket").await;
    let stored = world.store.tenant(tenant).await.unwrap().unwrap();
    let commits: Vec<_> = (0..100)
        .map(|number| {
            let issue = world.new_issue(project.id, &format!("issue {number}"));
            let changeset = if number % 10 == 5 {
                world.creation(tenant, &project, &issue).delete(stored.clone())
            } else {
                world.creation(tenant, &project, &issue)
            };
            let world = world.clone();
            tokio::spawn(async move { (number % 10 == 5, world.commit(changeset).await) })
        })
        .collect();
    for commit in commits {
        match commit.await.unwrap() {
            (true, verdict) => assert_eq!(verdict.unwrap_err().kind(), ErrorKind::Internal),
            (false, verdict) => assert_eq!(verdict.unwrap(), Committed::Stored),
        }
    }
    assert_eq!(world.store.project(tenant, project.id).await.unwrap().unwrap().issue_count, 90);
    world.numbered(92).await;
}
