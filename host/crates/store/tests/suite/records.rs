//! Round trips of tenants, keys, users and issues with all fields.

use std::sync::Arc;

use tessera_core::fair::Owner;
use tessera_core::id::{KeyId, TenantId};
use tessera_core::tenancy::{StoredKey, Tenant, TenantState};
use tessera_core::tracker::{Project, Scheme, User};
use tessera_core::value::Decimal;
use tessera_core::{Timestamp, Value};

use crate::world::World;

on_every_store! {
    tenant_is_read_by_id_and_slug_and_updated,
    key_is_read_without_its_tenant_and_revoked,
    issue_round_trips,
    project_scheme_is_set_and_removed,
    text_is_stored_unchanged,
}

async fn tenant_is_read_by_id_and_slug_and_updated(world: World) {
    let id = world.tenant("acme").await;
    let tenant = world.store.tenant(id).await.unwrap().unwrap();
    for name in ["acme".to_owned(), id.to_string(), id.to_string().to_uppercase()] {
        let found = world.store.named_tenant(Owner::Unidentified, &name).await.unwrap();
        assert_eq!(found.as_ref(), Some(&tenant), "{name}");
    }
    for name in ["ACME".to_owned(), String::new(), TenantId::generate().to_string()] {
        let found = world.store.named_tenant(Owner::Unidentified, &name).await.unwrap();
        assert_eq!(found, None, "{name:?}");
    }
    let state = TenantState::Suspended;
    let suspended = Tenant { state, name: "New".into(), version: 2, updated_at: world.store.now(), ..tenant };
    world.store(world.change(id).update(suspended.clone())).await;
    assert_eq!(world.store.tenant(id).await.unwrap(), Some(suspended));
}

async fn key_is_read_without_its_tenant_and_revoked(world: World) {
    let tenant = world.tenant("acme").await;
    let ada = world.user(tenant, "Ada Lovelace", "ada@example.com").await;
    let mut key = world.new_key(tenant, "bound-1");
    key.key.user = Some(ada.id);
    key.key.expires_at = Some(world.store.now());
    world.store(world.change(tenant).expect(&ada).insert(key.clone())).await;
    assert_eq!(world.store.key(&key.key.id).await.unwrap(), Some(key.clone()));
    assert_eq!(world.store.key(&KeyId::parse("id", "BOUND-1").unwrap()).await.unwrap(), None);
    let mut ended: StoredKey = key;
    ended.key.revoked_at = Some(world.store.now());
    ended.key.version = 2;
    world.store(world.change(tenant).update(ended.clone())).await;
    assert_eq!(world.store.key(&ended.key.id).await.unwrap(), Some(ended));
}

async fn issue_round_trips(world: World) {
    let tenant = world.tenant("acme").await;
    let project = world.project(tenant, "Rocket").await;
    let ada = world.user(tenant, "Ada Lovelace", "ada@example.com").await;
    let parent = world.issue(tenant, &project, "parent").await;
    let issue = world
        .issue_with(tenant, &project, "'; DROP TABLE issues; -- \u{1F680}", |issue| {
            issue.description = Some("two\nlines".into());
            issue.status = "RESOLVED".into();
            issue.resolution = Some("FIXED".into());
            issue.assignee = Some(ada.id);
            issue.reporter = Some(ada.id);
            issue.parent = Some(parent.id);
            issue.labels = ["b".to_owned(), "a".to_owned()].into();
            issue.fields = [
                ("points".to_owned(), Value::Decimal(Decimal::parse("d", "3.50").unwrap())),
                ("due".to_owned(), Value::Time(Timestamp::parse("t", "2026-01-31").unwrap())),
                ("tags".to_owned(), Value::Texts(vec!["x".into()])),
            ]
            .into();
            issue.created_at = Timestamp::parse("t", "0001-01-01T00:00:00.000001Z").unwrap();
            issue.modified_at = Timestamp::parse("t", "9999-12-31T23:59:59.999999Z").unwrap();
        })
        .await;
    assert_eq!(world.store.issue(tenant, issue.id).await.unwrap(), Some(issue.clone()));
    let next = world.next(&issue, |next| {
        next.description = None;
        next.assignee = None;
        next.parent = None;
        next.labels = ["c".to_owned(), "a".to_owned()].into();
        next.fields.remove("due");
    });
    world.store(world.update(tenant, &next)).await;
    assert_eq!(world.store.issue(tenant, issue.id).await.unwrap(), Some(next));
    for (label, found) in [("a", 1), ("b", 0), ("c", 1)] {
        let filter = world.filter(tenant, &tessera_core::tracker::issue::SPEC, &format!("label:{label}"));
        let request = tessera_core::PageRequest {
            filter,
            ..crate::world::page(&tessera_core::tracker::issue::SPEC, 9, "")
        };
        assert_eq!(world.store.issues(tenant, &request).await.unwrap().items.len(), found, "{label}");
    }
}

async fn project_scheme_is_set_and_removed(world: World) {
    let tenant = world.tenant("acme").await;
    let project = world.project(tenant, "Rocket").await;
    let mut scheme = Scheme::built_in();
    scheme.resolutions.clear();
    let own = Project { scheme: Some(Arc::new(scheme)), version: 2, ..project.clone() };
    world.store(world.change(tenant).update(own.clone())).await;
    assert_eq!(world.store.project(tenant, project.id).await.unwrap(), Some(own));
    let back = Project { version: 3, ..project };
    world.store(world.change(tenant).update(back.clone())).await;
    assert_eq!(world.store.project(tenant, back.id).await.unwrap(), Some(back));
}

async fn text_is_stored_unchanged(world: World) {
    let tenant = world.tenant("acme").await;
    let user = world.user(tenant, "ÅSA Öberg", "Åsa@Example.COM").await;
    assert_eq!(world.store.user(tenant, user.id).await.unwrap(), Some(user.clone()));
    let renamed = User { last_name: "O'Neil".into(), version: 2, ..user };
    world.store(world.change(tenant).update(renamed.clone())).await;
    assert_eq!(world.store.user(tenant, renamed.id).await.unwrap(), Some(renamed));
}
