//! Parts of issues: comments, links and watchers.

use std::sync::Arc;

use tessera_core::changeset::Write;
use tessera_core::id::{CommentId, IssueId, TenantId};
use tessera_core::outbox::Actor;
use tessera_core::tracker::{Comment, Issue, Link, Relation, issue};

use crate::world::{World, all, page};

on_every_store! {
    comments_are_created_edited_and_deleted,
    comments_are_listed_oldest_first,
    links_are_visible_from_both_issues,
    watchers_are_added_and_removed,
    parts_are_deleted_with_their_issue,
}

fn note(world: &World, issue: IssueId, body: &str) -> Comment {
    Comment {
        id: CommentId::generate(),
        issue,
        author: Actor { kind: "key".into(), id: "k".into(), user: None },
        body: body.into(),
        created_at: world.store.now(),
        edited_at: None,
        version: 1,
    }
}

/// Stores a part of an issue with the issue's next version.
async fn with(world: &World, tenant: TenantId, issue: &mut Issue, write: impl FnOnce(IssueId) -> Write) {
    let write = write(issue.id);
    *issue = world.next(issue, |_| ());
    world.store(world.update(tenant, issue).write(write)).await;
}

async fn comments_are_created_edited_and_deleted(world: World) {
    let tenant = world.tenant("acme").await;
    let project = world.project(tenant, "Rocket").await;
    let mut issue = world.issue(tenant, &project, "discussed").await;
    let first = note(&world, issue.id, "first");
    with(&world, tenant, &mut issue, |_| Write::PutComment(first.clone())).await;
    assert_eq!(world.store.comment(tenant, issue.id, first.id).await.unwrap(), Some(first.clone()));
    let edited = Comment { body: "edited".into(), edited_at: Some(world.store.now()), version: 2, ..first };
    with(&world, tenant, &mut issue, |_| Write::PutComment(edited.clone())).await;
    assert_eq!(world.store.comment(tenant, issue.id, edited.id).await.unwrap(), Some(edited.clone()));
    let next = world.next(&issue, |_| ());
    let again = world.update(tenant, &next).write(Write::PutComment(edited.clone()));
    assert!(world.commit(again).await.unwrap_err().is_stale());
    with(&world, tenant, &mut issue, |id| Write::DropComment(id, edited.id)).await;
    assert_eq!(world.store.comment(tenant, issue.id, edited.id).await.unwrap(), None);
}

async fn comments_are_listed_oldest_first(world: World) {
    let tenant = world.tenant("acme").await;
    let project = world.project(tenant, "Rocket").await;
    let mut issue = world.issue(tenant, &project, "discussed").await;
    let mut written = Vec::new();
    for number in 0..7 {
        let comment = note(&world, issue.id, &format!("number {number}"));
        with(&world, tenant, &mut issue, |_| Write::PutComment(comment.clone())).await;
        written.push(comment);
    }
    let id = issue.id;
    let read = all(page(&issue::SPEC, 3, ""), |request| {
        let store = Arc::clone(&world.store);
        async move { store.comments(tenant, id, &request).await }
    });
    assert_eq!(read.await, written);
}

async fn links_are_visible_from_both_issues(world: World) {
    let tenant = world.tenant("acme").await;
    let project = world.project(tenant, "Rocket").await;
    let mut a = world.issue(tenant, &project, "a").await;
    let b = world.issue(tenant, &project, "b").await;
    let c = world.issue_with(tenant, &project, "c", |c| c.parent = Some(a.id)).await;
    let link = |relation, other: &Issue| Link {
        issue: a.id,
        relation,
        other: other.id,
        created_at: world.store.now(),
    };
    let (blocked, relates) = (link(Relation::BlockedBy, &b), link(Relation::Relates, &b));
    for link in [&blocked, &relates] {
        with(&world, tenant, &mut a, |_| Write::AddLink(link.stored())).await;
    }
    let seen = |issue: IssueId| {
        let world = world.clone();
        async move {
            let links = world.store.links(tenant, issue).await.unwrap();
            assert!(links.iter().all(|link| link.issue == issue));
            links.into_iter().map(|link| (link.relation, link.other)).collect::<Vec<_>>()
        }
    };
    let from_a = [(Relation::Child, c.id), (Relation::BlockedBy, b.id), (Relation::Relates, b.id)];
    assert_eq!(seen(a.id).await, from_a);
    assert_eq!(seen(b.id).await, [(Relation::Blocks, a.id), (Relation::Relates, a.id)]);
    assert_eq!(seen(c.id).await, [(Relation::Parent, a.id)]);
    let next = world.next(&a, |_| ());
    let double = world.update(tenant, &next).write(Write::AddLink(blocked.stored()));
    assert!(world.commit(double).await.unwrap_err().is_stale());
    with(&world, tenant, &mut a, |_| Write::DropLink(blocked.stored())).await;
    assert_eq!(seen(b.id).await, [(Relation::Relates, a.id)]);
    let next = world.next(&a, |_| ());
    let deletion = world.update(tenant, &next).write(Write::DropLink(blocked.stored()));
    assert!(world.commit(deletion).await.unwrap_err().is_stale());
}

async fn watchers_are_added_and_removed(world: World) {
    let tenant = world.tenant("acme").await;
    let project = world.project(tenant, "Rocket").await;
    let mut issue = world.issue(tenant, &project, "watched").await;
    let ada = world.user(tenant, "Ada Lovelace", "ada@example.com").await;
    let grace = world.user(tenant, "Grace Hopper", "grace@example.com").await;
    for user in [&grace, &ada] {
        with(&world, tenant, &mut issue, |id| Write::AddWatcher(id, user.id)).await;
    }
    assert_eq!(world.store.watchers(tenant, issue.id).await.unwrap(), [ada.id, grace.id]);
    with(&world, tenant, &mut issue, |id| Write::DropWatcher(id, ada.id)).await;
    assert_eq!(world.store.watchers(tenant, issue.id).await.unwrap(), [grace.id]);
    world.store(world.change(tenant).delete(grace)).await;
    assert!(world.store.watchers(tenant, issue.id).await.unwrap().is_empty());
}

async fn parts_are_deleted_with_their_issue(world: World) {
    let tenant = world.tenant("acme").await;
    let project = world.project(tenant, "Rocket").await;
    let ada = world.user(tenant, "Ada Lovelace", "ada@example.com").await;
    let other = world.issue(tenant, &project, "other").await;
    let mut issue = world
        .issue_with(tenant, &project, "goes", |issue| {
            issue.labels = ["ui".to_owned()].into();
        })
        .await;
    let comment = note(&world, issue.id, "goes too");
    let link =
        Link { issue: issue.id, relation: Relation::Blocks, other: other.id, created_at: world.store.now() };
    with(&world, tenant, &mut issue, |_| Write::PutComment(comment.clone())).await;
    with(&world, tenant, &mut issue, |_| Write::AddLink(link)).await;
    with(&world, tenant, &mut issue, |id| Write::AddWatcher(id, ada.id)).await;
    world.store(world.change(tenant).delete(issue.clone())).await;
    assert_eq!(world.store.issue(tenant, issue.id).await.unwrap(), None);
    assert_eq!(world.store.comment(tenant, issue.id, comment.id).await.unwrap(), None);
    assert!(world.store.links(tenant, other.id).await.unwrap().is_empty());
    assert!(world.store.watchers(tenant, issue.id).await.unwrap().is_empty());
}
