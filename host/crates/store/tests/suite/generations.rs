//! Generations: changes of installations, and decisions that depend on a state machine, are stale if they were created by an
//! older generation.

use std::collections::BTreeSet;

use tessera_core::access::ObjectKind;
use tessera_core::changeset::{Changeset, Expect, Guard, Write};
use tessera_core::id::{EventId, ProjectId, TenantId};
use tessera_core::plugin::Scope;
use tessera_core::tracker::{Issue, Project, Scheme};

use crate::world::World;

on_every_store! {
    one_of_two_concurrent_installations_is_stale,
    machine_generation_changes_with_installations_in_scope,
    new_project_has_the_present_generation,
    project_creation_and_generation_change_are_serialized,
    changeset_decided_by_an_older_machine_is_stale,
    states_in_use_are_counted_by_project,
    changed_states_in_use_are_stale,
    issue_state_change_and_state_count_are_serialized,
    projects_with_own_schemes_are_listed,
    issue_version_may_increase_by_several,
}

fn next(world: &World, tenant: TenantId, generation: u64, scope: Option<Scope>) -> Changeset {
    world.change(tenant).write(Write::NextGeneration(generation, scope))
}

async fn machines(world: &World, tenant: TenantId, project: ProjectId) -> u64 {
    world.store.project(tenant, project).await.unwrap().unwrap().machines
}

fn by_machine(project: &Project) -> Expect {
    Expect {
        kind: ObjectKind::Project,
        id: project.id.to_string(),
        version: project.version,
        machines: Some(project.machines),
    }
}

async fn one_of_two_concurrent_installations_is_stale(world: World) {
    let (tenant, other) = (world.tenant("acme").await, world.tenant("other").await);
    for generation in 0..10 {
        let commits =
            [next(&world, tenant, generation, None), next(&world, tenant, generation, Some(Scope::Tenant))];
        let [one, two] = commits;
        let (first, second) = tokio::join!(world.commit(one), world.commit(two));
        assert!(first.is_ok() != second.is_ok(), "{first:?} {second:?}");
        assert!(first.err().or(second.err()).unwrap().is_stale());
        assert_eq!(world.store.active_installations(tenant).await.unwrap().generation, generation + 1);
    }
    for stale in [0, 9, 11] {
        assert!(world.commit(next(&world, tenant, stale, None)).await.unwrap_err().is_stale());
    }
    assert_eq!(world.store.active_installations(other).await.unwrap().generation, 0);
    // A refused changeset does not advance the generation.
    let duplicate = world.new_tenant("other");
    let changeset = next(&world, tenant, 10, None).insert(duplicate);
    assert!(world.commit(changeset).await.is_err());
    assert_eq!(world.store.active_installations(tenant).await.unwrap().generation, 10);
}

async fn machine_generation_changes_with_installations_in_scope(world: World) {
    let (tenant, other) = (world.tenant("acme").await, world.tenant("other").await);
    let (one, two) = (world.project(tenant, "One").await, world.project(tenant, "Two").await);
    let theirs = world.project(other, "Theirs").await;
    let generations =
        || async { (machines(&world, tenant, one.id).await, machines(&world, tenant, two.id).await) };
    world.store(next(&world, tenant, 0, None)).await;
    assert_eq!(generations().await, (0, 0));
    world.store(next(&world, tenant, 1, Some(Scope::Project(one.id)))).await;
    assert_eq!(generations().await, (2, 0));
    world.store(next(&world, tenant, 2, Some(Scope::Tenant))).await;
    assert_eq!(generations().await, (3, 3));
    world.store(next(&world, tenant, 3, Some(Scope::Event(EventId::generate())))).await;
    assert_eq!(generations().await, (3, 3), "an event has no state machines");
    assert_eq!(machines(&world, other, theirs.id).await, 0);
    // An update of the project does not change its machine generation.
    let renamed = Project { name: "New".into(), version: 2, ..one.clone() };
    world.store(world.change(tenant).update(renamed)).await;
    assert_eq!(generations().await, (3, 3));
}

async fn new_project_has_the_present_generation(world: World) {
    let tenant = world.tenant("acme").await;
    world.store(next(&world, tenant, 0, None)).await;
    world.store(next(&world, tenant, 1, Some(Scope::Tenant))).await;
    let project = world.project(tenant, "Rocket").await;
    assert_eq!(machines(&world, tenant, project.id).await, 2);
    let founded = world.new_tenant("founded");
    let first = world.new_project("First");
    world.store(world.change(founded.id).insert(founded.clone()).insert(first.clone())).await;
    assert_eq!(machines(&world, founded.id, first.id).await, 0);
}

async fn project_creation_and_generation_change_are_serialized(world: World) {
    let tenant = world.tenant("acme").await;
    for generation in 0..20 {
        let project = world.new_project("Rocket");
        let creation = world.change(tenant).insert(project.clone());
        let (created, changed) = tokio::join!(
            world.commit(creation),
            world.commit(next(&world, tenant, generation, Some(Scope::Tenant)))
        );
        created.unwrap();
        changed.unwrap();
        // In either order the project has the present generation.
        assert_eq!(machines(&world, tenant, project.id).await, generation + 1);
    }
}

async fn changeset_decided_by_an_older_machine_is_stale(world: World) {
    let tenant = world.tenant("acme").await;
    let project = world.project(tenant, "Rocket").await;
    let issue = world.new_issue(project.id, "by the old machine");
    let creation = |by: &Project| {
        let mut changeset = world.change(tenant).insert(issue.clone());
        changeset.expects.push(by_machine(by));
        world.commit(changeset)
    };
    world.store(next(&world, tenant, 0, Some(Scope::Project(project.id)))).await;
    assert!(creation(&project).await.unwrap_err().is_stale());
    let present = world.store.project(tenant, project.id).await.unwrap().unwrap();
    assert!(creation(&Project { version: 2, ..present.clone() }).await.unwrap_err().is_stale());
    creation(&present).await.unwrap();
    // A changeset that does not depend on the machine is not stale.
    world.issue(tenant, &project, "whatever the machine").await;
    world.store(next(&world, tenant, 1, None)).await;
    let other = world.change(tenant).expect_machine(&present).insert(world.new_issue(project.id, "goes on"));
    world.store(other).await;
}

async fn states_in_use_are_counted_by_project(world: World) {
    let (tenant, other) = (world.tenant("acme").await, world.tenant("other").await);
    let (one, two) = (world.project(tenant, "One").await, world.project(tenant, "Two").await);
    let gone = world.project(tenant, "Gone").await;
    let closed = |issue: &mut Issue| issue.status = "CLOSED".into();
    world.issue(tenant, &one, "a").await;
    world.issue(tenant, &one, "b").await;
    world.issue_with(tenant, &one, "c", closed).await;
    world.issue(tenant, &two, "d").await;
    world.issue(tenant, &gone, "e").await;
    world.store(world.change(tenant).delete(gone.clone())).await;
    let of = |scope| world.store.states_in_use(tenant, scope);
    let key = |project: &Project, state: &str| (project.id, state.to_owned());
    let first = [(key(&one, "CLOSED"), 1), (key(&one, "NEW"), 2)];
    assert_eq!(of(Scope::Project(one.id)).await.unwrap(), first.clone().into());
    let both: Vec<_> = first.into_iter().chain([(key(&two, "NEW"), 1)]).collect();
    assert_eq!(of(Scope::Tenant).await.unwrap(), both.into_iter().collect());
    assert!(of(Scope::Project(gone.id)).await.unwrap().is_empty());
    assert!(world.store.states_in_use(other, Scope::Tenant).await.unwrap().is_empty());
}

async fn changed_states_in_use_are_stale(world: World) {
    let tenant = world.tenant("acme").await;
    let (one, two) = (world.project(tenant, "One").await, world.project(tenant, "Two").await);
    let issue = world.issue(tenant, &one, "a").await;
    world.issue(tenant, &two, "b").await;
    let new = |project: &Project| (project.id, "NEW".to_owned());
    let attempt = |scope: Scope, states: BTreeSet<(ProjectId, String)>| {
        let (world, states) = (world.clone(), states);
        async move {
            let generation = world.store.active_installations(tenant).await.unwrap().generation;
            let guard = Guard::StatesInUse(scope, states);
            world.commit(next(&world, tenant, generation, Some(scope)).guard(guard)).await
        }
    };
    attempt(Scope::Tenant, [new(&one), new(&two)].into()).await.unwrap();
    attempt(Scope::Project(one.id), [new(&one)].into()).await.unwrap();
    for (scope, states) in [
        (Scope::Tenant, [].into()),
        (Scope::Tenant, [new(&one)].into()),
        (Scope::Tenant, [new(&one), new(&two), (one.id, "CLOSED".to_owned())].into()),
        (Scope::Project(one.id), [new(&one), new(&two)].into()),
        (Scope::Project(two.id), [(two.id, "CLOSED".to_owned())].into()),
    ] {
        assert!(attempt(scope, states).await.unwrap_err().is_stale());
    }
    world.store(world.change(tenant).delete(issue)).await;
    assert!(attempt(Scope::Project(one.id), [new(&one)].into()).await.unwrap_err().is_stale());
    attempt(Scope::Project(one.id), [].into()).await.unwrap();
}

/// An issue enters a state while a machine without that state is installed: one of the two is stale.
async fn issue_state_change_and_state_count_are_serialized(world: World) {
    let tenant = world.tenant("acme").await;
    for round in 0..20_u64 {
        let project = world.project(tenant, "Rocket").await;
        let present = world.store.project(tenant, project.id).await.unwrap().unwrap();
        let issue = world.new_issue(project.id, "just in time");
        let creation = world.change(tenant).expect_machine(&present).insert(issue);
        let scope = Scope::Project(project.id);
        let guard = Guard::StatesInUse(scope, [].into());
        let generation = world.store.active_installations(tenant).await.unwrap().generation;
        let change = next(&world, tenant, generation, Some(scope)).guard(guard);
        let (created, changed) = if round % 2 == 0 {
            tokio::join!(world.commit(creation), world.commit(change))
        } else {
            let (changed, created) = tokio::join!(world.commit(change), world.commit(creation));
            (created, changed)
        };
        assert!(created.is_ok() != changed.is_ok(), "{created:?} {changed:?}");
        assert!(created.err().or(changed.err()).unwrap().is_stale());
    }
}

async fn projects_with_own_schemes_are_listed(world: World) {
    let (tenant, other) = (world.tenant("acme").await, world.tenant("other").await);
    let (plain, own) = (world.project(tenant, "Plain").await, world.project(tenant, "Own").await);
    let gone = world.project(tenant, "Gone").await;
    let mut with = Vec::new();
    for project in [own, gone] {
        let scheme = Some(Scheme::built_in().into());
        let with_scheme = Project { scheme, version: 2, ..project };
        world.store(world.change(tenant).update(with_scheme.clone())).await;
        with.push(with_scheme);
    }
    world.store(world.change(tenant).delete(with[1].clone())).await;
    let of = |tenant, scope| world.store.own_schemes(tenant, scope);
    assert_eq!(of(tenant, Scope::Tenant).await.unwrap(), [with[0].clone()]);
    assert_eq!(of(tenant, Scope::Project(with[0].id)).await.unwrap(), [with[0].clone()]);
    assert!(of(tenant, Scope::Project(with[1].id)).await.unwrap().is_empty());
    assert!(of(tenant, Scope::Project(plain.id)).await.unwrap().is_empty());
    assert!(of(other, Scope::Tenant).await.unwrap().is_empty());
}

/// One fact for each version: the request and the effects of plugins.
async fn issue_version_may_increase_by_several(world: World) {
    let tenant = world.tenant("acme").await;
    let project = world.project(tenant, "Rocket").await;
    let mut issue = world.new_issue(project.id, "first");
    let created = world.fact(tenant, "issue.created", &issue);
    issue.version = 2;
    issue.labels = ["by a plugin".to_owned()].into();
    let touched = world.fact(tenant, "issue.updated", &issue);
    world.store(world.change(tenant).insert(issue.clone()).fact(created).fact(touched)).await;
    assert_eq!(world.store.issue(tenant, issue.id).await.unwrap(), Some(issue.clone()));
    let mut after = issue.clone();
    let mut changeset = world.change(tenant);
    for version in 3..=5 {
        after.version = version;
        after.summary = format!("version {version}");
        changeset = changeset.fact(world.fact(tenant, "issue.updated", &after));
    }
    let stored = |version| changeset.clone().write(Write::Update(after.clone().into(), version));
    for wrong in [1, 3, 4, 5] {
        assert!(world.commit(stored(wrong)).await.unwrap_err().is_stale(), "{wrong}");
    }
    world.store(stored(2)).await;
    assert_eq!(world.store.issue(tenant, issue.id).await.unwrap(), Some(after));
    let versions: Vec<_> =
        world.history(tenant, issue.id).await.iter().map(|fact| fact.body.object.version).collect();
    assert_eq!(versions, [5, 4, 3, 2, 1]);
}
