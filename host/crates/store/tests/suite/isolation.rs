//! No method reads or changes rows of another tenant.

use tessera_core::access::ObjectKind;
use tessera_core::changeset::Write;
use tessera_core::id::CommentId;
use tessera_core::outbox::{Actor, fact};
use tessera_core::tenancy::key;
use tessera_core::tracker::{Comment, Link, Project, Relation, comment, issue, project, user};

use crate::world::{World, page};

on_every_store! {
    other_tenants_rows_are_not_visible,
    other_tenants_rows_cannot_be_changed,
}

async fn other_tenants_rows_are_not_visible(world: World) {
    let (mine, other) = (world.tenant("mine").await, world.tenant("other").await);
    let ada = world.user(mine, "Ada Lovelace", "ada@example.com").await;
    let project = world.project(mine, "Rocket").await;
    let parent = world.issue(mine, &project, "parent").await;
    let child = world.issue_with(mine, &project, "child", |child| child.parent = Some(parent.id)).await;
    let key = world.new_key(mine, "mine");
    world.store(world.change(mine).insert(key)).await;
    let note = Comment {
        id: CommentId::generate(),
        issue: child.id,
        author: Actor { kind: "system".into(), id: String::new(), user: None },
        body: "secret".into(),
        created_at: world.store.now(),
        edited_at: None,
        version: 1,
    };
    let link = Link {
        issue: child.id,
        relation: Relation::Relates,
        other: parent.id,
        created_at: world.store.now(),
    };
    let next = world.next(&child, |_| ());
    let changeset = world.update(mine, &next).write(Write::PutComment(note.clone()));
    let changeset = changeset.write(Write::AddLink(link.stored())).write(Write::AddWatcher(child.id, ada.id));
    world.store(changeset).await;
    world.numbered(7).await;

    let store = &world.store;
    assert_eq!(store.user(other, ada.id).await.unwrap(), None);
    assert!(store.users(other, None, &page(&user::SPEC, 9, "")).await.unwrap().items.is_empty());
    assert!(store.users(other, Some("ada"), &page(&user::SPEC, 9, "")).await.unwrap().items.is_empty());
    assert_eq!(store.project(other, project.id).await.unwrap(), None);
    assert!(store.projects(other, &page(&project::SPEC, 9, "")).await.unwrap().items.is_empty());
    assert!(store.usage(other, project.id).await.unwrap().states.is_empty());
    assert_eq!(store.issue(other, child.id).await.unwrap(), None);
    assert!(store.issues(other, &page(&issue::SPEC, 9, "")).await.unwrap().items.is_empty());
    assert!(store.children(other, &[parent.id], 9).await.unwrap().is_empty());
    assert_eq!(store.comment(other, child.id, note.id).await.unwrap(), None);
    let comments = page(&issue::SPEC, comment::MAX_PAGE, "");
    assert!(store.comments(other, child.id, &comments).await.unwrap().items.is_empty());
    assert!(store.links(other, child.id).await.unwrap().is_empty());
    assert!(store.watchers(other, child.id).await.unwrap().is_empty());
    assert!(store.keys(other, &page(&key::SPEC, 9, "")).await.unwrap().items.is_empty());
    let facts = page(&fact::SPEC, 9, "");
    let object = (ObjectKind::Issue, &*child.id.to_string());
    assert!(store.history(other, object, &facts).await.unwrap().items.is_empty());
    assert_eq!(store.audit(other, &facts).await.unwrap().items.len(), 1);
    let own = store.tenant_facts_after(other, 0, 100, usize::MAX).await.unwrap();
    assert!(own.len() == 1 && own.iter().all(|fact| fact.tenant == other));

    assert_eq!(store.comment(mine, child.id, note.id).await.unwrap(), Some(note));
    assert_eq!(store.watchers(mine, child.id).await.unwrap(), [ada.id]);
    assert_eq!(store.links(mine, child.id).await.unwrap().len(), 2);
}

async fn other_tenants_rows_cannot_be_changed(world: World) {
    let (mine, other) = (world.tenant("mine").await, world.tenant("other").await);
    let ada = world.user(mine, "Ada Lovelace", "ada@example.com").await;
    let project = world.project(mine, "Rocket").await;
    let issue = world.issue(mine, &project, "mine").await;
    let foreign = world.new_issue(project.id, "in a foreign project");
    let renamed = Project { name: "Stolen".into(), version: 2, ..project.clone() };
    for changeset in [
        world.change(other).update(renamed),
        world.change(other).delete(project.clone()),
        world.change(other).delete(ada.clone()),
        world.change(other).delete(issue.clone()),
        world.update(other, &world.next(&issue, |_| ())),
        world.change(other).expect(&project),
        world.change(other).insert(foreign),
        world.change(other).write(Write::AddWatcher(issue.id, ada.id)),
        world.change(other).write(Write::DropComment(issue.id, CommentId::generate())),
    ] {
        let writes = format!("{:?}", changeset.writes);
        assert!(world.commit(changeset).await.unwrap_err().is_stale(), "{writes}");
    }
    assert_eq!(world.store.issue(mine, issue.id).await.unwrap(), Some(issue));
    assert_eq!(world.store.user(mine, ada.id).await.unwrap(), Some(ada));
    assert_eq!(world.store.project(mine, project.id).await.unwrap().unwrap().issue_count, 1);
}
