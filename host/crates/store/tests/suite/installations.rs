//! Installations: complete, unique for each plugin and scope, deleted with their projects.

use std::sync::Arc;

use tessera_core::ErrorKind;
use tessera_core::changeset::Write;
use tessera_core::id::ProjectId;
use tessera_core::page::PageRequest;
use tessera_core::plugin::{
    ActiveInstallations, Digest, Hook, Installation, LimitOverrides, OnFailure, PluginCommand,
    PreviousConfig, ReleaseRef, Scope, installation,
};
use tessera_core::tenancy::Tenant;
use tessera_core::tracker::{AssignMove, Machine};

use crate::builders::reference;
use crate::world::{World, all, page};

on_every_store! {
    installation_round_trips,
    installations_are_read_as_one_snapshot,
    plugin_is_installed_once_per_scope,
    stale_installation_is_not_updated,
    installations_are_deleted_with_their_project,
    installation_in_a_deleted_project_is_stale,
    installations_are_paged,
    enabled_installations_determine_digests_in_use,
    fact_records_its_plugin_release,
}

/// Sets every field of an installation.
pub(crate) fn full(mut installation: Installation) -> Installation {
    installation.earlier = vec![
        ReleaseRef { digest: Digest([3; 32]), version: "0.9.0".into(), previous_config: None },
        ReleaseRef {
            digest: Digest([2; 32]),
            version: "0.8.0".into(),
            previous_config: Some(PreviousConfig {
                settings: "{}".into(),
                grants: ["issue:link".to_owned()].into(),
            }),
        },
    ];
    installation.settings = "{ \"b\" : 1.50, \"a\":[ ] }".into();
    installation.order = -5;
    installation.on_failure = OnFailure::Open;
    installation.grants = ["issue:update".to_owned(), "fact:emit".to_owned()].into();
    installation.limits =
        LimitOverrides { fuel: Some(1 << 40), time_ms: None, memory: Some(1), output: None };
    installation.enabled = false;
    installation.hooks = vec![Hook::Workflow, Hook::Validation];
    installation.kinds = vec!["issue".into()];
    let mut machine = Machine::built_in();
    machine.on_assign = Some(AssignMove { from: "NEW".into(), to: "IN_PROGRESS".into() });
    installation.machines = [("issue".to_owned(), Arc::new(machine))].into();
    let command = PluginCommand {
        name: "escalate".into(),
        title: "Escalate \u{1F680}".into(),
        states: vec!["NEW".into()],
        input_schema: "{}".into(),
    };
    installation.commands = [("issue".to_owned(), vec![command])].into();
    installation.state_map = [("OLD".to_owned(), "NEW".to_owned())].into();
    installation
}

async fn installation_round_trips(world: World) {
    let tenant = world.tenant("acme").await;
    let project = world.project(tenant, "Rocket").await;
    let release = world.release(tenant, "sla", "1.0.0", 1).await;
    let next = world.release(tenant, "sla", "1.1.0", 2).await;
    let installation = full(world.new_installation(&release, Scope::Project(project.id)));
    world.store(world.change(tenant).insert(installation.clone())).await;
    assert_eq!(world.store.installation(tenant, installation.id).await.unwrap(), Some(installation.clone()));
    let plain = world.new_installation(&next, installation.scope);
    let changed = Installation {
        id: installation.id,
        earlier: vec![reference(&release)],
        created_at: installation.created_at,
        version: 2,
        ..plain
    };
    world.store(world.change(tenant).update(changed.clone())).await;
    assert_eq!(world.store.installation(tenant, installation.id).await.unwrap(), Some(changed.clone()));
    world.store(world.change(tenant).delete(changed)).await;
    assert_eq!(world.store.installation(tenant, installation.id).await.unwrap(), None);
}

async fn installations_are_read_as_one_snapshot(world: World) {
    let tenant = world.tenant("acme").await;
    assert_eq!(world.store.active_installations(tenant).await.unwrap(), ActiveInstallations::default());
    let stored = world.store.tenant(tenant).await.unwrap().unwrap();
    let limits = LimitOverrides { fuel: Some(7), output: Some(9), ..LimitOverrides::default() };
    let bounded = Tenant { plugin_limits: limits, version: 2, ..stored };
    world.store(world.change(tenant).update(bounded.clone())).await;
    assert_eq!(world.store.tenant(tenant).await.unwrap(), Some(bounded));
    let release = world.release(tenant, "sla", "1.0.0", 1).await;
    let project = world.project(tenant, "Rocket").await;
    let first = world.installation(tenant, &release, Scope::Tenant).await;
    let second = full(world.new_installation(&release, Scope::Project(project.id)));
    let changeset = world.change(tenant).write(Write::NextGeneration(1, None)).insert(second.clone());
    world.store(changeset).await;
    let installations = vec![Arc::new(second), Arc::new(first)];
    assert_eq!(
        world.store.active_installations(tenant).await.unwrap(),
        ActiveInstallations { generation: 2, limits, installations }
    );
    assert_eq!(
        world.store.active_installations(world.tenant("other").await).await.unwrap(),
        ActiveInstallations::default()
    );
}

async fn plugin_is_installed_once_per_scope(world: World) {
    let (tenant, other) = (world.tenant("acme").await, world.tenant("other").await);
    let (one, two) = (world.project(tenant, "One").await, world.project(tenant, "Two").await);
    let release = world.release(tenant, "sla", "1.0.0", 1).await;
    let newer = world.release(tenant, "sla", "1.1.0", 2).await;
    let another = world.release(tenant, "slb", "1.0.0", 3).await;
    for scope in [Scope::Tenant, Scope::Project(one.id), Scope::Project(two.id)] {
        world.installation(tenant, &release, scope).await;
        let twin = world.change(tenant).insert(world.new_installation(&newer, scope));
        let error = world.commit(twin).await.unwrap_err();
        assert_eq!((error.kind(), error.reason()), (ErrorKind::Exists, "INSTALLATION_EXISTS"));
        world.installation(tenant, &another, scope).await;
    }
    let theirs = world.release(other, "sla", "1.0.0", 1).await;
    world.installation(other, &theirs, Scope::Tenant).await;
}

async fn stale_installation_is_not_updated(world: World) {
    let tenant = world.tenant("acme").await;
    let release = world.release(tenant, "sla", "1.0.0", 1).await;
    let installation = world.installation(tenant, &release, Scope::Tenant).await;
    let next = Installation { order: 5, version: 2, ..installation.clone() };
    world.store(world.change(tenant).update(next.clone())).await;
    for changeset in [
        world.change(tenant).update(next.clone()),
        world.change(tenant).delete(installation.clone()),
        world.change(tenant).expect(&installation),
        world.change(tenant).update(Installation {
            release: ReleaseRef { digest: Digest([9; 32]), version: "9".into(), previous_config: None },
            version: 3,
            ..next.clone()
        }),
    ] {
        assert!(world.commit(changeset).await.unwrap_err().is_stale());
    }
    assert_eq!(world.store.installation(tenant, installation.id).await.unwrap(), Some(next));
}

async fn installations_are_deleted_with_their_project(world: World) {
    let tenant = world.tenant("acme").await;
    let (project, other) = (world.project(tenant, "Gone").await, world.project(tenant, "Kept").await);
    let release = world.release(tenant, "sla", "1.0.0", 1).await;
    let inside = world.installation(tenant, &release, Scope::Project(project.id)).await;
    let outside = world.installation(tenant, &release, Scope::Project(other.id)).await;
    let issue = world.issue(tenant, &project, "inside").await;
    let timer = Write::PutTimer(world.new_timer(issue.id, inside.id, "soon"));
    world.store(world.change(tenant).write(timer)).await;
    world.store(world.change(tenant).delete(project.clone())).await;
    let active = world.store.active_installations(tenant).await.unwrap().installations;
    assert_eq!(active, [Arc::new(outside)]);
    assert_eq!(world.store.installation(tenant, inside.id).await.unwrap(), None);
    assert!(world.store.due_timers(tenant, world.store.now(), 9).await.unwrap().is_empty());
    world.purge(tenant).await;
    assert!(world.store.purges(tenant, 9).await.unwrap().is_empty());
}

async fn installation_in_a_deleted_project_is_stale(world: World) {
    let tenant = world.tenant("acme").await;
    let release = world.release(tenant, "sla", "1.0.0", 1).await;
    for _ in 0..20 {
        let project = world.project(tenant, "Rocket").await;
        let installation = world.new_installation(&release, Scope::Project(project.id));
        let deletion = world.change(tenant).delete(project.clone());
        let install = world.change(tenant).insert(installation.clone());
        let (deleted, installed) = tokio::join!(world.commit(deletion), world.commit(install));
        deleted.unwrap();
        assert!(installed.err().is_none_or(|error| error.is_stale()));
        assert_eq!(world.store.installation(tenant, installation.id).await.unwrap(), None);
        let late = world.change(tenant).insert(world.new_installation(&release, installation.scope));
        assert!(world.commit(late).await.unwrap_err().is_stale());
    }
    let nowhere = world.new_installation(&release, Scope::Project(ProjectId::generate()));
    assert!(world.commit(world.change(tenant).insert(nowhere)).await.unwrap_err().is_stale());
    assert!(world.store.active_installations(tenant).await.unwrap().installations.is_empty());
}

async fn installations_are_paged(world: World) {
    let tenant = world.tenant("acme").await;
    let project = world.project(tenant, "Rocket").await;
    let mut installations = Vec::new();
    for number in 0..5_u8 {
        let release = world.release(tenant, &format!("p{number}"), "1.0.0", number).await;
        let scope = if number == 3 { Scope::Project(project.id) } else { Scope::Tenant };
        let mut one = world.new_installation(&release, scope);
        one.enabled = number != 1;
        world.store(world.change(tenant).insert(one.clone())).await;
        installations.push(one);
    }
    let list = |request: PageRequest| {
        let world = world.clone();
        async move { world.store.installations(tenant, &request).await }
    };
    assert_eq!(all(page(&installation::SPEC, 2, "created asc"), list).await, installations);
    installations.reverse();
    assert_eq!(all(page(&installation::SPEC, 2, ""), list).await, installations);
    for (text, found) in [
        ("plugin:p2".to_owned(), vec!["p2"]),
        ("enabled:false".to_owned(), vec!["p1"]),
        (format!("project:{}", project.id), vec!["p3"]),
        ("project:none -plugin:p2".to_owned(), vec!["p4", "p1", "p0"]),
    ] {
        let filter = world.filter(tenant, &installation::SPEC, &text);
        let listed = all(PageRequest { filter, ..page(&installation::SPEC, 9, "") }, list).await;
        assert_eq!(
            listed.iter().map(|installation| &*installation.plugin).collect::<Vec<_>>(),
            found,
            "{text}"
        );
    }
}

async fn enabled_installations_determine_digests_in_use(world: World) {
    let (tenant, other) = (world.tenant("acme").await, world.tenant("other").await);
    for owner in [tenant, other] {
        let release = world.release(owner, "shared", "1.0.0", 5).await;
        world.installation(owner, &release, Scope::Tenant).await;
    }
    world.release(tenant, "unused", "1.0.0", 6).await;
    let disabled = world.release(tenant, "disabled", "1.0.0", 7).await;
    let installation = Installation { enabled: false, ..world.new_installation(&disabled, Scope::Tenant) };
    world.store(world.change(tenant).insert(installation)).await;
    let mut expected = [tenant, other].map(|tenant| (Digest([5; 32]), tenant));
    expected.sort_unstable();
    assert_eq!(world.store.digests_in_use().await.unwrap(), expected);
}

async fn fact_records_its_plugin_release(world: World) {
    let tenant = world.tenant("acme").await;
    let project = world.project(tenant, "Rocket").await;
    let issue = world.issue(tenant, &project, "first").await;
    let next = world.next(&issue, |_| ());
    let mut fact = world.fact(tenant, "issue.updated", &next);
    fact.release = Some("support-sla@1.2.0".into());
    world.store(world.change(tenant).update(next).fact(fact.clone())).await;
    let history = world.history(tenant, issue.id).await;
    assert_eq!(history[0].body, fact);
    assert_eq!(history[1].body.release, None);
    let facts = world.numbered(4).await;
    assert_eq!(facts[3].body.release.as_deref(), Some("support-sla@1.2.0"));
}
