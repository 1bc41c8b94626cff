//! Keyset pages: complete and without duplicates under concurrent writes.

use std::collections::BTreeSet;
use std::sync::Arc;

use tessera_core::filter::Spec;
use tessera_core::page::{Keyset, MAX_BYTES, SortKey};
use tessera_core::tenancy::{key, tenant};
use tessera_core::tracker::{issue, project, user};

use crate::box_office::BoxOffice;
use crate::world::{World, all, page};

on_every_store! {
    pages_are_complete_under_concurrent_changes,
    issue_orders_are_stable,
    other_list_orders_are_stable,
    rows_with_equal_keys_are_paged_once,
    text_is_sorted_bytewise,
    page_token_of_another_list_is_refused,
    pages_end_at_their_bytes,
    hidden_ticket_types_are_left_out_of_public_pages,
}

/// Long rows end a page early, and its token leads to the others. One row that exceeds the limit alone is a page.
async fn pages_end_at_their_bytes(world: World) {
    let tenant = world.tenant("acme").await;
    let project = world.project(tenant, "Rocket").await;
    let mut ids = Vec::new();
    for bytes in [MAX_BYTES / 4, MAX_BYTES / 4, MAX_BYTES / 4, MAX_BYTES / 4, MAX_BYTES * 2, 10] {
        let text = "x".repeat(bytes);
        ids.push(world.issue_with(tenant, &project, "s", |issue| issue.description = Some(text)).await.id);
    }
    let mut request = page(&issue::SPEC, 100, "created");
    let (mut seen, mut sizes) = (Vec::new(), Vec::new());
    loop {
        let read = world.store.issues(tenant, &request).await.unwrap();
        sizes.push(read.items.len());
        seen.extend(read.items.iter().map(|issue| issue.id));
        let Some(next) = read.next else { break };
        request.after = Some(next);
    }
    assert_eq!((seen, sizes), (ids, vec![3, 1, 1, 1]));
}

async fn pages_are_complete_under_concurrent_changes(world: World) {
    let tenant = world.tenant("acme").await;
    let project = world.project(tenant, "Rocket").await;
    let mut there = BTreeSet::new();
    for number in 0..40 {
        there.insert(world.issue(tenant, &project, &format!("issue {number:03}")).await.id);
    }
    for order in ["created", "created desc", "summary", "summary desc"] {
        let mut request = page(&issue::SPEC, 7, order);
        let mut seen = Vec::new();
        loop {
            let read = world.store.issues(tenant, &request).await.unwrap();
            seen.extend(read.items.iter().map(|issue| issue.id));
            // Rows are inserted before and after the position.
            world.issue(tenant, &project, "aaa").await;
            world.issue(tenant, &project, "zzz").await;
            let Some(next) = read.next else { break };
            request.after = Some(next);
            if seen.len() > 200 {
                break;
            }
        }
        let distinct: BTreeSet<_> = seen.iter().copied().collect();
        assert_eq!(distinct.len(), seen.len(), "{order}: a row is seen twice");
        assert!(there.is_subset(&distinct), "{order}: a row is missing");
    }
}

async fn issue_orders_are_stable(world: World) {
    let tenant = world.tenant("acme").await;
    let project = world.project(tenant, "Rocket").await;
    let mut issues = Vec::new();
    for summary in ["b", "c", "a", "e", "d"] {
        issues.push(world.issue(tenant, &project, summary).await);
    }
    let second = world.next(&issues[1], |_| ());
    world.store(world.update(tenant, &second)).await;
    let summaries = |order: &'static str| {
        let world = world.clone();
        async move {
            let read = all(page(&issue::SPEC, 2, order), |request| {
                let store = Arc::clone(&world.store);
                async move { store.issues(tenant, &request).await }
            });
            read.await.into_iter().map(|issue| issue.summary).collect::<String>()
        }
    };
    assert_eq!(summaries("").await, "deacb");
    assert_eq!(summaries("created asc").await, "bcaed");
    assert_eq!(summaries("modified").await, "baedc");
    assert_eq!(summaries("modified desc").await, "cdeab");
    assert_eq!(summaries("summary").await, "abcde");
    assert_eq!(summaries("summary desc").await, "edcba");
}

async fn other_list_orders_are_stable(world: World) {
    let tenant = world.tenant("b-tenant").await;
    world.tenant("a-tenant").await;
    for slug in ["slug", "slug desc", "created"] {
        let slugs: Vec<_> = all(page(&tenant::SPEC, 1, slug), |request| {
            let store = Arc::clone(&world.store);
            async move { store.tenants(&request).await }
        })
        .await
        .into_iter()
        .map(|tenant| tenant.slug)
        .collect();
        let expected = if slug == "slug" { ["a-tenant", "b-tenant"] } else { ["b-tenant", "a-tenant"] };
        assert_eq!(slugs, expected, "{slug}");
    }
    for id in ["k2", "k1", "k3"] {
        world.store(world.change(tenant).insert(world.new_key(tenant, id))).await;
    }
    let keys = all(page(&key::SPEC, 2, "created"), |request| {
        let store = Arc::clone(&world.store);
        async move { store.keys(tenant, &request).await }
    });
    let ids: Vec<_> = keys.await.into_iter().map(|key| key.id.to_string()).collect();
    assert_eq!(ids, ["k2", "k1", "k3"]);

    world.user(tenant, "Zoe adams", "b@example.com").await;
    world.user(tenant, "Yan Brown", "A@example.com").await;
    world.user(tenant, "Xia Clark", "c@example.com").await;
    for (order, expected) in [
        ("created", ["Zoe", "Yan", "Xia"]),
        ("modified desc", ["Xia", "Yan", "Zoe"]),
        ("email", ["Yan", "Zoe", "Xia"]),
        ("last_name", ["Zoe", "Yan", "Xia"]),
    ] {
        let users = all(page(&user::SPEC, 1, order), |request| {
            let store = Arc::clone(&world.store);
            async move { store.users(tenant, None, &request).await }
        });
        let names: Vec<_> = users.await.into_iter().map(|user| user.first_name).collect();
        assert_eq!(names, expected, "{order}");
    }
    for name in ["Two", "One"] {
        world.project(tenant, name).await;
    }
    for (order, expected) in
        [("created", ["Two", "One"]), ("modified desc", ["One", "Two"]), ("name", ["One", "Two"])]
    {
        let projects = all(page(&project::SPEC, 1, order), |request| {
            let store = Arc::clone(&world.store);
            async move { store.projects(tenant, &request).await }
        });
        let names: Vec<_> = projects.await.into_iter().map(|project| project.name).collect();
        assert_eq!(names, expected, "{order}");
    }
}

async fn rows_with_equal_keys_are_paged_once(world: World) {
    let tenant = world.tenant("acme").await;
    let project = world.project(tenant, "Rocket").await;
    let now = world.store.now();
    for _ in 0..10 {
        world.issue_with(tenant, &project, "same", |issue| issue.created_at = now).await;
    }
    for order in ["created", "created desc", "summary"] {
        let issues = all(page(&issue::SPEC, 3, order), |request| {
            let store = Arc::clone(&world.store);
            async move { store.issues(tenant, &request).await }
        });
        let ids: BTreeSet<_> = issues.await.into_iter().map(|issue| issue.id).collect();
        assert_eq!(ids.len(), 10, "{order}");
    }
}

async fn text_is_sorted_bytewise(world: World) {
    let tenant = world.tenant("acme").await;
    let project = world.project(tenant, "Rocket").await;
    for summary in ["é", "b", "B", "a", "_", "A", "z"] {
        world.issue(tenant, &project, summary).await;
    }
    let issues = all(page(&issue::SPEC, 2, "summary"), |request| {
        let store = Arc::clone(&world.store);
        async move { store.issues(tenant, &request).await }
    });
    let summaries: String = issues.await.into_iter().map(|issue| issue.summary).collect();
    assert_eq!(summaries, "AB_abzé");
}

async fn page_token_of_another_list_is_refused(world: World) {
    let tenant = world.tenant("acme").await;
    let mut request = page(&issue::SPEC, 3, "summary");
    for (key, id) in [
        (SortKey::Integer(3), tenant.to_string()),
        (SortKey::Time(world.store.now()), tenant.to_string()),
        (SortKey::Text("a".into()), "no id".to_owned()),
    ] {
        request.after = Some(Keyset { key, id });
        let error = world.store.issues(tenant, &request).await.unwrap_err();
        assert_eq!(error.faults()[0].field, "page_token");
    }
}

async fn hidden_ticket_types_are_left_out_of_public_pages(world: World) {
    let office = BoxOffice::open(world, None, |_| ()).await;
    let (store, tenant) = (&office.world.store, office.tenant);
    let mut types = Vec::new();
    for is_hidden in [false, true, true, false] {
        let id = office.ticket_type(None, &[]).await;
        let mut ticket_type = store.ticket_type(tenant, id).await.unwrap().unwrap();
        assert!(!ticket_type.attributes.hidden);
        ticket_type.attributes.hidden = is_hidden;
        ticket_type.version += 1;
        office.world.store(office.world.change(tenant).update(ticket_type.clone())).await;
        assert_eq!(store.ticket_type(tenant, id).await.unwrap(), Some(ticket_type));
        types.push(id);
    }
    let [open, hidden, shown, last] = types[..] else { panic!("{types:?}") };
    let list = async |public: Option<BTreeSet<_>>, size| {
        let request = page(&Spec { fields: &[], orders: &["created"] }, size, "created");
        let event = Some(office.event.id);
        let page = store.ticket_type_page(tenant, event, public.as_ref(), &request).await.unwrap();
        let found: Vec<_> = page.items.iter().map(|ticket_type| ticket_type.id).collect();
        (found, page.next.is_some())
    };
    assert_eq!(list(None, 9).await, (types.clone(), false));
    assert_eq!(list(Some(BTreeSet::new()), 9).await, (vec![open, last], false));
    assert_eq!(list(Some(BTreeSet::new()), 2).await, (vec![open, last], false));
    assert_eq!(list(Some(BTreeSet::from([shown])), 2).await, (vec![open, shown], true));
    assert_eq!(list(Some(BTreeSet::from([shown, hidden])), 9).await, (types, false));
}
