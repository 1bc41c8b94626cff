//! All of a changeset is stored, or nothing; and only if what it was decided by still holds.

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
    all_of_a_changeset_is_stored,
    nothing_of_a_changeset_is_stored_when_one_row_is_stale,
    a_stale_version_is_refused,
    a_stale_dependency_is_refused,
    what_is_absent_or_marked_cannot_be_depended_on,
    of_two_crossed_decisions_one_is_refused,
    many_crossed_writers_end_without_deadlock,
    addresses_slugs_and_keys_are_unique,
    an_address_is_free_again_when_its_user_is_deleted,
    a_caller_that_left_is_not_executed,
    a_passed_deadline_is_not_executed,
    a_caller_that_leaves_while_it_runs_does_no_harm,
    tenants_and_keys_are_never_deleted,
    one_that_fails_takes_no_other_with_it,
}

async fn all_of_a_changeset_is_stored(world: World) {
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
    assert_eq!(world.history(tenant, issue.id).await[0].what, fact);
}

async fn nothing_of_a_changeset_is_stored_when_one_row_is_stale(world: World) {
    let tenant = world.tenant("acme").await;
    let project = world.project(tenant, "Rocket").await;
    let user = world.user(tenant, "Ada Lovelace", "ada@example.com").await;
    let issue = world.new_issue(project.id, "never");
    let stale = User { version: 7, ..user.clone() };
    let changeset = world.creation(tenant, &project, &issue).update(stale);
    assert!(world.commit(changeset).await.unwrap_err().is_stale());
    // A fault that only shows when rows are written takes back what was written before it.
    let twin = world.new_user("Ada Twin", "ADA@example.com");
    let changeset = world.creation(tenant, &project, &issue).insert(twin);
    assert_eq!(world.commit(changeset).await.unwrap_err().kind(), ErrorKind::Exists);
    assert_eq!(world.store.issue(tenant, issue.id).await.unwrap(), None);
    assert_eq!(world.store.project(tenant, project.id).await.unwrap().unwrap().issue_count, 0);
    assert!(world.history(tenant, issue.id).await.is_empty());
    assert_eq!(world.numbered(3).await.len(), 3);
}

async fn a_stale_version_is_refused(world: World) {
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

async fn a_stale_dependency_is_refused(world: World) {
    let tenant = world.tenant("acme").await;
    let project = world.project(tenant, "Rocket").await;
    let renamed = Project { name: "Shuttle".into(), version: 2, ..project.clone() };
    world.store(world.change(tenant).update(renamed.clone())).await;
    let issue = world.new_issue(project.id, "decided by the old project");
    assert!(world.commit(world.creation(tenant, &project, &issue)).await.unwrap_err().is_stale());
    world.store(world.creation(tenant, &renamed, &issue)).await;
}

async fn what_is_absent_or_marked_cannot_be_depended_on(world: World) {
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
async fn of_two_crossed_decisions_one_is_refused(world: World) {
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

async fn many_crossed_writers_end_without_deadlock(world: World) {
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

async fn addresses_slugs_and_keys_are_unique(world: World) {
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

async fn an_address_is_free_again_when_its_user_is_deleted(world: World) {
    let tenant = world.tenant("acme").await;
    for _ in 0..2 {
        let user = world.user(tenant, "Ada Lovelace", "ada@example.com").await;
        world.store(world.change(tenant).delete(user)).await;
    }
}

async fn a_caller_that_left_is_not_executed(world: World) {
    let tenant = world.tenant("acme").await;
    let project = world.project(tenant, "Rocket").await;
    let creation = |issue: &tessera_core::tracker::Issue| {
        let changeset = world.creation(tenant, &project, issue);
        let world = world.clone();
        Box::pin(async move { world.commit(changeset).await })
    };
    // Others keep the writers busy, so that what comes behind them waits.
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
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(world.store.issue(tenant, left.id).await.unwrap(), None);
    assert_eq!(world.store.project(tenant, project.id).await.unwrap().unwrap().issue_count, 300);
}

/// Looks at a future once.
async fn is_waiting<F: Future + Unpin>(future: &mut F) -> bool {
    std::future::poll_fn(|cx| Poll::Ready(Pin::new(&mut *future).poll(cx).is_pending())).await
}

async fn a_passed_deadline_is_not_executed(world: World) {
    let tenant = world.tenant("acme").await;
    let project = world.new_project("Late");
    let mut changeset = world.change(tenant).insert(project.clone());
    changeset.deadline = Instant::now();
    assert_eq!(world.commit(changeset).await.unwrap_err().kind(), ErrorKind::DeadlineExceeded);
    assert_eq!(world.store.project(tenant, project.id).await.unwrap(), None);
}

async fn a_caller_that_leaves_while_it_runs_does_no_harm(world: World) {
    let tenant = world.tenant("acme").await;
    let project = world.project(tenant, "Rocket").await;
    for round in 0..200_u64 {
        let issue = world.new_issue(project.id, "left");
        let commit = world.store.commit(world.creation(tenant, &project, &issue));
        let _ = tokio::time::timeout(Duration::from_micros(round * 20), commit).await;
    }
    // Whatever became of each: the count and the facts agree with the rows, and the store goes on.
    world.issue(tenant, &project, "last").await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    let asked = crate::world::page(&tessera_core::tracker::issue::SPEC, 1_000, "");
    let stored = world.store.issues(tenant, &asked).await.unwrap().items;
    let count = world.store.project(tenant, project.id).await.unwrap().unwrap().issue_count;
    assert_eq!(count, stored.len() as u64);
    world.numbered(stored.len() + 2).await;
}

async fn tenants_and_keys_are_never_deleted(world: World) {
    let tenant = world.tenant("acme").await;
    let stored = world.store.tenant(tenant).await.unwrap().unwrap();
    let key = world.new_key(tenant, "kept");
    world.store(world.change(tenant).insert(key.clone())).await;
    for changeset in [world.change(tenant).delete(stored), world.change(tenant).delete(key.clone())] {
        assert_eq!(world.commit(changeset).await.unwrap_err().kind(), ErrorKind::Internal);
    }
    let gone = world.change(tenant).write(Write::ForgetUser(UserId::generate()));
    assert!(world.commit(gone).await.unwrap_err().is_stale());
    assert_eq!(world.store.key(&key.key.id).await.unwrap(), Some(key));
}

/// Those that share a transaction with one that cannot be carried out at all are stored once.
async fn one_that_fails_takes_no_other_with_it(world: World) {
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
