//! Issue counts are exact, and guards are checked under the row locks.

use tessera_core::changeset::Guard;
use tessera_core::tracker::{Issue, Project, Scheme};

use crate::world::World;

on_every_store! {
    issue_counts_are_exact_under_concurrency,
    concurrent_creations_get_their_own_results,
    move_changes_both_counts,
    project_with_issues_is_not_empty,
    deletion_of_a_project_and_creation_of_an_issue_exclude_each_other,
    scheme_must_contain_all_names_in_use,
    issue_with_children_cannot_be_deleted,
}

async fn count(world: &World, tenant: tessera_core::id::TenantId, project: &Project) -> u64 {
    world.store.project(tenant, project.id).await.unwrap().unwrap().issue_count
}

async fn issue_counts_are_exact_under_concurrency(world: World) {
    let tenant = world.tenant("acme").await;
    let project = world.project(tenant, "Rocket").await;
    let creations: Vec<_> = (0..200)
        .map(|number| {
            let issue = world.new_issue(project.id, &format!("issue {number}"));
            let changeset = world.creation(tenant, &project, &issue);
            let world = world.clone();
            tokio::spawn(async move {
                world.store(changeset).await;
                // Every second issue is deleted while others are created.
                if number % 2 == 0 {
                    world.store(world.change(tenant).delete(issue)).await;
                }
            })
        })
        .collect();
    for one in creations {
        one.await.unwrap();
    }
    assert_eq!(count(&world, tenant, &project).await, 100);
}

async fn concurrent_creations_get_their_own_results(world: World) {
    let tenant = world.tenant("acme").await;
    let project = world.project(tenant, "Rocket").await;
    let other = Project { version: 2, ..project.clone() };
    let creations: Vec<_> = (0..140)
        .map(|number| {
            let (world, seen) = (world.clone(), if number % 7 == 0 { &other } else { &project });
            let issue = world.new_issue(project.id, &format!("issue {number}"));
            let changeset = world.creation(tenant, seen, &issue);
            tokio::spawn(async move {
                let verdict = world.commit(changeset).await;
                let stored = world.store.issue(tenant, issue.id).await.unwrap();
                match verdict {
                    Ok(_) => assert_eq!(stored, Some(issue)),
                    Err(error) => assert!(error.is_stale() && stored.is_none(), "{error:?}"),
                }
                stored.is_some()
            })
        })
        .collect();
    for (number, one) in creations.into_iter().enumerate() {
        assert_eq!(one.await.unwrap(), number % 7 != 0, "issue {number}");
    }
    assert_eq!(count(&world, tenant, &project).await, 120);
}

async fn move_changes_both_counts(world: World) {
    let tenant = world.tenant("acme").await;
    let (from, to) = (world.project(tenant, "From").await, world.project(tenant, "To").await);
    let issue = world.issue(tenant, &from, "moved").await;
    world.issue(tenant, &from, "stays").await;
    let moved = world.next(&issue, |next| next.project = to.id);
    world.store(world.update(tenant, &moved).expect(&to)).await;
    assert_eq!((count(&world, tenant, &from).await, count(&world, tenant, &to).await), (1, 1));
    world.store(world.change(tenant).delete(moved)).await;
    assert_eq!((count(&world, tenant, &from).await, count(&world, tenant, &to).await), (1, 0));
}

async fn project_with_issues_is_not_empty(world: World) {
    let tenant = world.tenant("acme").await;
    let project = world.project(tenant, "Rocket").await;
    let issue = world.issue(tenant, &project, "in the way").await;
    let deletion = || world.change(tenant).guard(Guard::ProjectIsEmpty(project.id)).delete(project.clone());
    assert!(world.commit(deletion()).await.unwrap_err().is_stale());
    world.store(world.change(tenant).delete(issue)).await;
    world.store(deletion()).await;
    assert_eq!(world.store.project(tenant, project.id).await.unwrap(), None);
}

async fn deletion_of_a_project_and_creation_of_an_issue_exclude_each_other(world: World) {
    let tenant = world.tenant("acme").await;
    for _ in 0..20 {
        let project = world.project(tenant, "Rocket").await;
        let issue = world.new_issue(project.id, "just in time");
        let deletion = world.change(tenant).guard(Guard::ProjectIsEmpty(project.id)).delete(project.clone());
        let creation = world.creation(tenant, &project, &issue);
        let (deleted, created) = tokio::join!(world.commit(deletion), world.commit(creation));
        assert!(deleted.is_ok() != created.is_ok(), "{deleted:?} {created:?}");
    }
}

async fn scheme_must_contain_all_names_in_use(world: World) {
    let tenant = world.tenant("acme").await;
    let project = world.project(tenant, "Rocket").await;
    let closed = |issue: &mut Issue| {
        issue.status = "CLOSED".into();
        issue.resolution = Some("FIXED".into());
    };
    world.issue_with(tenant, &project, "closed", closed).await;
    world.issue(tenant, &project, "new").await;
    let usage = world.store.usage(tenant, project.id).await.unwrap();
    assert_eq!(usage.states, [("CLOSED".to_owned(), 1), ("NEW".to_owned(), 1)].into());
    assert_eq!(usage.types, [("BUG".to_owned(), 2)].into());
    assert_eq!(usage.priorities, [("MINOR".to_owned(), 2)].into());
    assert_eq!(usage.resolutions, [("FIXED".to_owned(), 1)].into());
    let fit = |change: fn(&mut Scheme)| {
        let mut scheme = Scheme::built_in();
        change(&mut scheme);
        let after = Project { scheme: Some(scheme.clone().into()), version: 2, ..project.clone() };
        world.commit(world.change(tenant).guard(Guard::SchemeFits(project.id, scheme.into())).update(after))
    };
    for lacking in [
        |scheme: &mut Scheme| scheme.machine.states.retain(|state| state.name != "CLOSED"),
        |scheme: &mut Scheme| scheme.types.retain(|name| name != "BUG"),
        |scheme: &mut Scheme| scheme.priorities.retain(|name| name != "MINOR"),
        |scheme: &mut Scheme| scheme.resolutions.retain(|name| name != "FIXED"),
    ] {
        assert!(fit(lacking).await.unwrap_err().is_stale());
    }
    fit(|scheme| scheme.types.push("EPIC".into())).await.unwrap();
    let stored = world.store.project(tenant, project.id).await.unwrap().unwrap();
    assert!(stored.scheme().types.contains(&"EPIC".to_owned()));
}

async fn issue_with_children_cannot_be_deleted(world: World) {
    let tenant = world.tenant("acme").await;
    let project = world.project(tenant, "Rocket").await;
    let parent = world.issue(tenant, &project, "parent").await;
    let child = world.issue_with(tenant, &project, "child", |child| child.parent = Some(parent.id)).await;
    let removal = || world.change(tenant).delete(parent.clone());
    assert!(world.commit(removal().guard(Guard::HasNoChildren(parent.id))).await.unwrap_err().is_stale());
    assert!(world.commit(removal()).await.unwrap_err().is_stale());
    let children = world.store.children(tenant, &[parent.id], 10).await.unwrap();
    assert_eq!(children, std::slice::from_ref(&child));
    // Both at once, whatever their order.
    world.store(removal().delete(child)).await;
    assert!(world.store.children(tenant, &[parent.id], 10).await.unwrap().is_empty());
    assert!(world.store.children(tenant, &[], 10).await.unwrap().is_empty());
}
