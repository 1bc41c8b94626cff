//! Releases and component bytes, separate for each tenant.

use tessera_core::ErrorKind;
use tessera_core::changeset::{Guard, Write};
use tessera_core::page::PageRequest;
use tessera_core::plugin::{Digest, Hook, Installation, Release, Scope, release};
use tessera_core::value::{Decimal, Field};
use tessera_core::{Timestamp, Value};

use crate::builders::reference;
use crate::world::{World, all, page};

on_every_store! {
    release_round_trips,
    release_version_is_unique_per_plugin,
    component_bytes_are_shared_and_deleted_with_releases,
    release_in_use_cannot_be_deleted,
    deletion_and_installation_of_a_release_exclude_each_other,
    release_cannot_be_updated,
    releases_are_paged,
    other_tenants_releases_are_not_visible,
}

async fn release_round_trips(world: World) {
    let tenant = world.tenant("acme").await;
    let ada = world.user(tenant, "Ada Lovelace", "ada@example.com").await;
    let mut release = world.new_release("support-sla", "1.2.0-rc.1+b", 7);
    release.admitted.hooks = Hook::ALL.to_vec();
    release.admitted.footprint.tables = 50;
    let manifest = &mut release.admitted.manifest;
    manifest.settings_schema = "{ \"type\" : \"object\", \"minimum\": 1.50 }".into();
    manifest.kinds = vec!["issue".into(), "Zebra".into()];
    manifest.needs = vec!["issue:update".into()];
    manifest.attributes = vec![
        Field { name: "z".into(), value: Value::Decimal(Decimal::parse("d", "1.50").unwrap()) },
        Field { name: "a".into(), value: Value::Texts(vec!["x".into()]) },
        Field { name: "a".into(), value: Value::None },
    ];
    release.size = 1 << 40;
    release.uploaded_by = Some(ada.id);
    world.store(world.change(tenant).insert(release.clone())).await;
    let digest = release.digest();
    assert_eq!(world.store.release(tenant, digest).await.unwrap(), Some(release.clone()));
    let named = world.store.release_named(tenant, "support-sla", "1.2.0-rc.1+b").await.unwrap();
    assert_eq!(named, Some(release.clone()));
    assert_eq!(world.store.release_named(tenant, "support-sla", "1.2.0").await.unwrap(), None);
    assert_eq!(world.store.release(tenant, Digest([8; 32])).await.unwrap(), None);
    world.store(world.change(tenant).delete(release)).await;
    assert_eq!(world.store.release(tenant, digest).await.unwrap(), None);
}

async fn release_version_is_unique_per_plugin(world: World) {
    let (tenant, other) = (world.tenant("acme").await, world.tenant("other").await);
    world.release(tenant, "sla", "1.0.0", 1).await;
    for twin in [
        world.new_release("sla", "1.0.0", 2),
        world.new_release("sla", "1.0.0", 1),
        world.new_release("other", "3.0.0", 1),
    ] {
        let error = world.commit(world.change(tenant).insert(twin)).await.unwrap_err();
        assert_eq!((error.kind(), error.reason()), (ErrorKind::Exists, "RELEASE_EXISTS"));
    }
    world.release(tenant, "sla", "1.0.1", 2).await;
    world.release(tenant, "slb", "1.0.0", 3).await;
    world.release(other, "sla", "1.0.0", 1).await;
}

async fn component_bytes_are_shared_and_deleted_with_releases(world: World) {
    let (tenant, other) = (world.tenant("acme").await, world.tenant("other").await);
    let digest = Digest([1; 32]);
    assert_eq!(world.store.component(tenant.into(), digest).await.unwrap(), None);
    assert!(!world.store.has_component(tenant.into(), digest).await.unwrap());
    let mine = world.release(tenant, "sla", "1.0.0", 1).await;
    let theirs = world.release(other, "sla", "1.0.0", 1).await;
    for (tenant, release) in [(tenant, mine), (other, theirs)] {
        let component = world.store.component(tenant.into(), digest).await.unwrap();
        assert_eq!(component.as_deref(), Some([1; 3].as_slice()));
        assert!(world.store.has_component(tenant.into(), digest).await.unwrap());
        world.store(world.change(tenant).delete(release)).await;
    }
    assert_eq!(world.store.component(tenant.into(), digest).await.unwrap(), None);
    assert!(!world.store.has_component(tenant.into(), digest).await.unwrap());
    let orphan = world.change(tenant).write(Write::PutComponent(digest, [1; 3].as_slice().into()));
    assert!(world.commit(orphan).await.unwrap_err().is_stale(), "bytes without a release");
}

async fn release_in_use_cannot_be_deleted(world: World) {
    let tenant = world.tenant("acme").await;
    let first = world.release(tenant, "sla", "1.0.0", 1).await;
    let second = world.release(tenant, "sla", "2.0.0", 2).await;
    let unused = world.release(tenant, "sla", "3.0.0", 3).await;
    let installation = world.installation(tenant, &first, Scope::Tenant).await;
    let removal = |release: &Release| {
        let guard = Guard::ReleaseIsUnused(release.digest());
        world.commit(world.change(tenant).guard(guard).delete(release.clone()))
    };
    assert!(removal(&first).await.unwrap_err().is_stale());
    let unguarded = world.change(tenant).delete(first.clone());
    assert!(world.commit(unguarded).await.unwrap_err().is_stale(), "a foreign key refers to it");
    let upgraded = Installation {
        release: reference(&second),
        earlier: vec![reference(&first)],
        version: 2,
        ..installation.clone()
    };
    world.store(world.change(tenant).update(upgraded.clone())).await;
    assert!(removal(&first).await.unwrap_err().is_stale(), "it is an earlier release");
    assert!(removal(&second).await.unwrap_err().is_stale());
    removal(&unused).await.unwrap();
    world.store(world.change(tenant).delete(upgraded)).await;
    removal(&first).await.unwrap();
    removal(&second).await.unwrap();
}

async fn deletion_and_installation_of_a_release_exclude_each_other(world: World) {
    let tenant = world.tenant("acme").await;
    for round in 0..20 {
        let release = world.release(tenant, &format!("p{round}"), "1.0.0", round).await;
        let installation = world.new_installation(&release, Scope::Tenant);
        let guard = Guard::ReleaseIsUnused(release.digest());
        let removal = world.change(tenant).guard(guard).delete(release);
        let install = world.change(tenant).insert(installation);
        let (removed, installed) = tokio::join!(world.commit(removal), world.commit(install));
        assert!(removed.is_ok() != installed.is_ok(), "{removed:?} {installed:?}");
        let refused = removed.err().or(installed.err()).unwrap();
        assert!(refused.is_stale(), "{refused:?}");
    }
}

async fn release_cannot_be_updated(world: World) {
    let tenant = world.tenant("acme").await;
    let release = world.release(tenant, "sla", "1.0.0", 1).await;
    let changed = world.change(tenant).write(Write::Update(release.clone().into(), 1));
    assert_eq!(world.commit(changed).await.unwrap_err().kind(), ErrorKind::Internal);
    let absent = world.new_release("sla", "9.0.0", 9);
    assert!(world.commit(world.change(tenant).expect(&absent)).await.unwrap_err().is_stale());
    assert!(world.commit(world.change(tenant).delete(absent)).await.unwrap_err().is_stale());
    world.store(world.change(tenant).expect(&release).insert(world.new_project("Rocket"))).await;
}

async fn releases_are_paged(world: World) {
    let tenant = world.tenant("acme").await;
    let at = Timestamp::parse("t", "2026-01-31T12:00:00Z").unwrap();
    let mut uploaded = Vec::new();
    for number in 0..7 {
        let plugin = if number % 2 == 0 { "even" } else { "odd" };
        let mut release = world.new_release(plugin, &format!("{number}.0.0"), number);
        // At equal times the digests order them.
        release.uploaded_at = at;
        world.store(world.change(tenant).insert(release.clone())).await;
        uploaded.push(release);
    }
    let list = |request: PageRequest| {
        let world = world.clone();
        async move { world.store.releases(tenant, &request).await }
    };
    assert_eq!(all(page(&release::SPEC, 3, "created asc"), list).await, uploaded);
    uploaded.reverse();
    assert_eq!(all(page(&release::SPEC, 3, ""), list).await, uploaded);
    let filter = world.filter(tenant, &release::SPEC, "plugin:odd");
    let odd = all(PageRequest { filter, ..page(&release::SPEC, 2, "") }, list).await;
    assert_eq!(odd.iter().map(|release| release.digest().0[0]).collect::<Vec<_>>(), [5, 3, 1]);
}

async fn other_tenants_releases_are_not_visible(world: World) {
    let (mine, other) = (world.tenant("mine").await, world.tenant("other").await);
    let release = world.release(mine, "sla", "1.0.0", 1).await;
    let installation = world.installation(mine, &release, Scope::Tenant).await;
    let store = &world.store;
    assert_eq!(store.release(other, release.digest()).await.unwrap(), None);
    assert_eq!(store.release_named(other, "sla", "1.0.0").await.unwrap(), None);
    assert!(store.releases(other, &page(&release::SPEC, 9, "")).await.unwrap().items.is_empty());
    assert_eq!(store.installation(other, installation.id).await.unwrap(), None);
    assert!(store.active_installations(other).await.unwrap().installations.is_empty());
    let foreign = world.new_installation(&release, Scope::Tenant);
    for changeset in [
        world.change(other).delete(release.clone()),
        world.change(other).expect(&release),
        world.change(other).delete(installation.clone()),
        world.change(other).insert(foreign),
        world.change(other).write(Write::PutComponent(release.digest(), [0; 1].as_slice().into())),
    ] {
        let writes = format!("{:?}", changeset.writes);
        assert!(world.commit(changeset).await.unwrap_err().is_stale(), "{writes}");
    }
    assert_eq!(store.installation(mine, installation.id).await.unwrap(), Some(installation));
}
