//! Rows marked as deleted are hidden, and found by the purger.

use tessera_core::changeset::Write;
use tessera_core::id::{ProjectId, UserId};
use tessera_core::ports::DueWork;
use tessera_core::tracker::{Link, Purge, Relation, issue, project, user};

use crate::world::{World, page};

on_every_store! {
    deleted_project_hides_its_issues,
    deleted_project_is_purged,
    tenants_with_work_are_paged,
    deleted_user_is_hidden_and_erased,
    purger_deletes_everything,
}

async fn deleted_project_hides_its_issues(world: World) {
    let tenant = world.tenant("acme").await;
    let (project, other) = (world.project(tenant, "Gone").await, world.project(tenant, "Kept").await);
    let inside = world.issue(tenant, &project, "inside").await;
    let outside = world.issue(tenant, &other, "outside").await;
    let link = Link {
        issue: outside.id,
        relation: Relation::Blocks,
        other: inside.id,
        created_at: world.store.now(),
    };
    let touched = world.next(&outside, |_| ());
    world.store(world.update(tenant, &touched).expect(&inside).write(Write::AddLink(link))).await;
    let fact = world.fact(tenant, "project.deleted", &project);
    world.store(world.change(tenant).delete(project.clone()).fact(fact)).await;
    assert_eq!(world.store.project(tenant, project.id).await.unwrap(), None);
    assert_eq!(world.store.issue(tenant, inside.id).await.unwrap(), None);
    assert!(world.store.links(tenant, outside.id).await.unwrap().is_empty());
    let projects = world.store.projects(tenant, &page(&project::SPEC, 9, "")).await.unwrap().items;
    assert_eq!(projects.iter().map(|project| project.id).collect::<Vec<_>>(), [other.id]);
    let issues = world.store.issues(tenant, &page(&issue::SPEC, 9, "")).await.unwrap().items;
    assert_eq!(issues.iter().map(|issue| issue.id).collect::<Vec<_>>(), [outside.id]);
}

async fn deleted_project_is_purged(world: World) {
    let tenant = world.tenant("acme").await;
    let project = world.project(tenant, "Gone").await;
    for number in 0..5 {
        world.issue(tenant, &project, &format!("{number}")).await;
    }
    let fact = world.fact(tenant, "project.deleted", &project);
    let cause = Some(fact.id);
    world.store(world.change(tenant).delete(project.clone()).fact(fact)).await;
    let purge = Purge::Project { tenant, id: project.id, cause };
    assert_eq!(world.tenants_with(DueWork::Purges).await, [tenant]);
    assert_eq!(world.store.purges(tenant, 9).await.unwrap(), std::slice::from_ref(&purge));
    let forget = || world.change(tenant).write(Write::ForgetProject(project.id));
    assert!(world.commit(forget()).await.unwrap_err().is_stale(), "it still has issues");
    for left in [3, 2] {
        let slice = world.store.purgeable(&purge, 3).await.unwrap();
        assert_eq!(slice.len(), left);
        world
            .store(slice.into_iter().fold(world.change(tenant), |changes, issue| changes.delete(issue)))
            .await;
    }
    assert!(world.store.purgeable(&purge, 3).await.unwrap().is_empty());
    world.store(forget()).await;
    assert!(world.store.purges(tenant, 9).await.unwrap().is_empty());
    assert!(world.commit(forget()).await.unwrap_err().is_stale());
    let living = world.project(tenant, "Living").await;
    let wrong = world.change(tenant).write(Write::ForgetProject(living.id));
    assert!(world.commit(wrong).await.unwrap_err().is_stale(), "it is not deleted");
    let absent = world.change(tenant).write(Write::ForgetProject(ProjectId::generate()));
    assert!(world.commit(absent).await.unwrap_err().is_stale());
}

async fn tenants_with_work_are_paged(world: World) {
    let mut tenants = Vec::new();
    for n in 0..7 {
        let tenant = world.tenant(&format!("tenant-{n}")).await;
        // Deleted users and projects are found apart; the third and the sixth tenant have neither.
        if n % 3 == 0 {
            let project = world.project(tenant, "Gone").await;
            let fact = world.fact(tenant, "project.deleted", &project);
            world.store(world.change(tenant).delete(project).fact(fact)).await;
        } else if n % 3 == 1 {
            let user = world.user(tenant, "Ada Lovelace", "ada@example.com").await;
            let fact = world.fact(tenant, "user.deleted", &user);
            world.store(world.change(tenant).delete(user).fact(fact)).await;
        } else {
            continue;
        }
        tenants.push(tenant);
    }
    tenants.sort_unstable();
    for limit in 1..9 {
        let (mut listed, mut after) = (Vec::new(), None);
        loop {
            let page = world.store.tenants_with(DueWork::Purges, after, limit).await.unwrap();
            assert!(page.tenants.len() <= 2 * limit as usize, "{page:?}");
            assert!(page.tenants.iter().all(|tenant| Some(*tenant) > after), "{page:?} after {after:?}");
            listed.extend(page.tenants);
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(listed, tenants, "pages of {limit}");
    }
    let rest = world.store.tenants_with(DueWork::Purges, tenants.last().copied(), 9).await.unwrap();
    assert_eq!((rest.tenants, rest.next), (vec![], None));
}

async fn deleted_user_is_hidden_and_erased(world: World) {
    let tenant = world.tenant("acme").await;
    let project = world.project(tenant, "Rocket").await;
    let ada = world.user(tenant, "Ada Lovelace", "ada@example.com").await;
    let assign = |issue: &mut tessera_core::tracker::Issue| issue.assignee = Some(ada.id);
    let issue = world.issue_with(tenant, &project, "hers", assign).await;
    let fact = world.fact(tenant, "user.deleted", &ada);
    let cause = Some(fact.id);
    world.store(world.change(tenant).delete(ada.clone()).fact(fact)).await;
    assert_eq!(world.store.user(tenant, ada.id).await.unwrap(), None);
    assert!(world.store.users(tenant, None, &page(&user::SPEC, 9, "")).await.unwrap().items.is_empty());
    assert!(
        world.store.users(tenant, Some("ada"), &page(&user::SPEC, 9, "")).await.unwrap().items.is_empty()
    );
    let purge = Purge::User { tenant, id: ada.id, cause };
    assert_eq!(world.store.purges(tenant, 9).await.unwrap(), std::slice::from_ref(&purge));
    assert_eq!(world.store.purgeable(&purge, 9).await.unwrap(), std::slice::from_ref(&issue));
    let forget = || world.change(tenant).write(Write::ForgetUser(ada.id));
    assert!(world.commit(forget()).await.unwrap_err().is_stale(), "an issue is still assigned");
    world.store(world.update(tenant, &world.next(&issue, |next| next.assignee = None))).await;
    world.store(forget()).await;
    assert!(world.store.purges(tenant, 9).await.unwrap().is_empty());
    let absent = world.change(tenant).write(Write::ForgetUser(UserId::generate()));
    assert!(world.commit(absent).await.unwrap_err().is_stale());
}

async fn purger_deletes_everything(world: World) {
    let tenant = world.tenant("acme").await;
    let (project, other) = (world.project(tenant, "Gone").await, world.project(tenant, "Kept").await);
    let parent = world.issue(tenant, &project, "parent").await;
    let below = |issue: &mut tessera_core::tracker::Issue| issue.parent = Some(parent.id);
    world.issue_with(tenant, &project, "child inside", below).await;
    let child = world.issue_with(tenant, &other, "child outside", below).await;
    for number in 0..250 {
        world.issue(tenant, &project, &format!("{number}")).await;
    }
    let fact = world.fact(tenant, "project.deleted", &project);
    let cause = Some(fact.id);
    world.store(world.change(tenant).delete(project.clone()).fact(fact)).await;
    world.purge(tenant).await;
    assert!(world.store.purges(tenant, 9).await.unwrap().is_empty());
    assert_eq!(world.store.issue(tenant, child.id).await.unwrap().unwrap().parent, None);
    let history = world.history(tenant, parent.id).await;
    assert_eq!((&*history[0].body.fact_type, history[0].body.cause), ("issue.deleted", cause));
}
