//! Timers: consumed once, delayed after failures, deleted with issue and installation. Heartbeats of hosts.

use std::sync::Arc;
use std::time::Duration;

use tessera_core::ErrorKind;
use tessera_core::changeset::{Changeset, Guard, Write};
use tessera_core::id::{InstallationId, IssueId, TenantId};
use tessera_core::page::{Keyset, PageRequest, SortKey};
use tessera_core::plugin::timer::{MAX_FAILURES, SPEC};
use tessera_core::plugin::{Installation, Scope, Timer};
use tessera_core::ports::DueWork;
use tessera_core::tracker::Issue;

use crate::world::{World, all, page};

on_every_store! {
    timer_is_set_replaced_and_deleted,
    timer_is_consumed_once,
    due_timers_of_each_tenant_are_listed,
    failed_timer_is_delayed_unless_set_again,
    timers_per_issue_are_limited,
    issue_is_created_with_timers,
    timers_of_an_installation_are_paged,
    timers_are_filtered_within_the_tenant,
    parked_timer_is_due_after_being_set_again,
    timers_are_deleted_with_issue_or_installation,
    timer_requires_issue_and_installation,
    timers_and_deletion_of_their_owner_do_not_deadlock,
    live_hosts_are_listed_with_their_fact,
}

async fn scene(world: &World, slug: &str) -> (TenantId, Installation, Issue) {
    let tenant = world.tenant(slug).await;
    let project = world.project(tenant, "Rocket").await;
    let release = world.release(tenant, "sla", "1.0.0", 1).await;
    let installation = world.installation(tenant, &release, Scope::Tenant).await;
    let issue = world.issue(tenant, &project, "late").await;
    (tenant, installation, issue)
}

async fn put(world: &World, tenant: TenantId, timer: &Timer) {
    world.store(world.change(tenant).write(Write::PutTimer(timer.clone()))).await;
}

async fn timer_is_set_replaced_and_deleted(world: World) {
    let (tenant, by, issue) = scene(&world, "acme").await;
    let mut later = world.new_timer(issue.id, by.id, "b");
    later.generation = u64::MAX >> 2;
    later.failures = 3;
    later.last_failure = Some("PLUGIN_TRAPPED: it trapped".into());
    let timer = world.new_timer(issue.id, by.id, "a");
    put(&world, tenant, &later).await;
    put(&world, tenant, &timer).await;
    assert_eq!(world.store.timers(tenant, issue.id).await.unwrap(), [timer.clone(), later.clone()]);
    let again = Timer { generation: 7, at: later.at.plus(Duration::from_secs(1)), ..later };
    let fresh = Timer { failures: 0, last_failure: None, ..again };
    put(&world, tenant, &fresh).await;
    assert_eq!(world.store.timers(tenant, issue.id).await.unwrap(), [timer, fresh.clone()]);
    for _ in 0..2 {
        let drop = Write::DropTimer(issue.id, by.id, "a".into());
        world.store(world.change(tenant).write(drop)).await;
        assert_eq!(world.store.timers(tenant, issue.id).await.unwrap(), std::slice::from_ref(&fresh));
    }
    let other = world.tenant("other").await;
    assert!(world.store.timers(other, issue.id).await.unwrap().is_empty());
    let foreign = world.change(other).write(Write::TakeTimer(fresh.clone()));
    assert!(world.commit(foreign).await.unwrap_err().is_stale());
    world.store(world.change(other).write(Write::DropTimer(issue.id, by.id, "b".into()))).await;
    assert_eq!(world.store.timers(tenant, issue.id).await.unwrap(), [fresh]);
}

async fn timer_is_consumed_once(world: World) {
    let (tenant, by, issue) = scene(&world, "acme").await;
    for generation in 0..10 {
        let timer = Timer { generation, ..world.new_timer(issue.id, by.id, "soon") };
        put(&world, tenant, &timer).await;
        let take = |timer: &Timer| world.commit(world.change(tenant).write(Write::TakeTimer(timer.clone())));
        let older = Timer { generation: generation + 1, ..timer.clone() };
        assert!(take(&older).await.unwrap_err().is_stale(), "another generation");
        let (first, second) = tokio::join!(take(&timer), take(&timer));
        assert!(first.is_ok() != second.is_ok(), "{first:?} {second:?}");
        assert!(first.err().or(second.err()).unwrap().is_stale());
        assert!(world.store.timers(tenant, issue.id).await.unwrap().is_empty());
    }
}

async fn due_timers_of_each_tenant_are_listed(world: World) {
    let now = world.store.now();
    let mut tenants = Vec::new();
    for slug in ["acme", "other"] {
        let (tenant, by, issue) = scene(&world, slug).await;
        let mut due = Vec::new();
        for (name, millis) in [("a", 100), ("b", 200)] {
            let at = now.minus(Duration::from_millis(millis));
            let timer = Timer { at, ..world.new_timer(issue.id, by.id, name) };
            put(&world, tenant, &timer).await;
            due.insert(0, timer);
        }
        for (name, at, failures) in [
            ("parked", now.minus(Duration::from_secs(9)), MAX_FAILURES),
            ("later", now.plus(Duration::from_secs(600)), 0),
        ] {
            put(&world, tenant, &Timer { at, failures, ..world.new_timer(issue.id, by.id, name) }).await;
        }
        assert_eq!(world.store.due_timers(tenant, now, 9).await.unwrap(), due);
        assert_eq!(world.store.due_timers(tenant, now, 1).await.unwrap(), due[..1]);
        // Due exactly at its time.
        assert_eq!(world.store.due_timers(tenant, due[0].at, 9).await.unwrap(), due[..1]);
        tenants.push(tenant);
    }
    let (idle, by, issue) = scene(&world, "idle").await;
    for (name, failures) in [("parked", MAX_FAILURES), ("later", 0)] {
        let at = now.plus(Duration::from_secs(600));
        put(&world, idle, &Timer { at, failures, ..world.new_timer(issue.id, by.id, name) }).await;
    }
    assert_eq!(world.tenants_with(DueWork::Timers).await, tenants);
}

async fn failed_timer_is_delayed_unless_set_again(world: World) {
    let (tenant, by, issue) = scene(&world, "acme").await;
    let timer = world.new_timer(issue.id, by.id, "soon");
    put(&world, tenant, &timer).await;
    let back = Timer {
        at: timer.at.plus(Duration::from_secs(5)),
        failures: 1,
        last_failure: Some("it trapped".into()),
        ..timer.clone()
    };
    world.store.delay_timer(tenant, &Timer { generation: 2, ..back.clone() }).await.unwrap();
    world.store.delay_timer(tenant, &Timer { name: "absent".into(), ..back.clone() }).await.unwrap();
    assert_eq!(world.store.timers(tenant, issue.id).await.unwrap(), [timer]);
    world.store.delay_timer(tenant, &back).await.unwrap();
    assert_eq!(world.store.timers(tenant, issue.id).await.unwrap(), std::slice::from_ref(&back));
    // It keeps its generation and can be consumed.
    world.store(world.change(tenant).write(Write::TakeTimer(back))).await;
}

async fn timers_per_issue_are_limited(world: World) {
    let (tenant, by, issue) = scene(&world, "acme").await;
    for name in ["a", "b", "c"] {
        put(&world, tenant, &world.new_timer(issue.id, by.id, name)).await;
    }
    let setting = |names: &[&str]| {
        let set = names.iter().map(|name| Write::PutTimer(world.new_timer(issue.id, by.id, name)));
        set.fold(world.change(tenant), Changeset::write).guard(Guard::TimersOf(issue.id, 4))
    };
    let error = world.commit(setting(&["d", "e"])).await.unwrap_err();
    assert_eq!((error.kind(), error.reason()), (ErrorKind::Precondition, "PLUGIN_TOO_MANY_TIMERS"));
    assert!(error.message().contains("5 timers") && error.message().contains('4'), "{error}");
    assert_eq!(world.store.timers(tenant, issue.id).await.unwrap().len(), 3, "nothing of it is stored");
    world.store(setting(&["a", "d"])).await;
    // Deletions of the same changeset count.
    world.store(setting(&["e"]).write(Write::DropTimer(issue.id, by.id, "a".into()))).await;
    assert_eq!(world.store.timers(tenant, issue.id).await.unwrap().len(), 4);
}

async fn issue_is_created_with_timers(world: World) {
    let (tenant, by, other) = scene(&world, "acme").await;
    let project = world.store.project(tenant, other.project).await.unwrap().unwrap();
    let creation = |by: InstallationId, names: &[&str]| {
        let issue = world.new_issue(project.id, "timed");
        let set = names.iter().map(|name| Write::PutTimer(world.new_timer(issue.id, by, name)));
        let creation = set.fold(world.creation(tenant, &project, &issue), Changeset::write);
        (creation.guard(Guard::TimersOf(issue.id, 2)), issue.id)
    };
    let (changeset, issue) = creation(by.id, &["a", "b"]);
    let set: Vec<_> = changeset.writes.clone();
    world.store(changeset).await;
    for timer in world.store.timers(tenant, issue).await.unwrap() {
        assert!(set.contains(&Write::PutTimer(timer)));
    }
    assert_eq!(names(world.store.timers(tenant, issue).await.unwrap()), "ab");
    let (too_many, issue) = creation(by.id, &["a", "b", "c"]);
    assert_eq!(world.commit(too_many).await.unwrap_err().reason(), "PLUGIN_TOO_MANY_TIMERS");
    assert_eq!(world.store.issue(tenant, issue).await.unwrap(), None);
    let (of_nobody, issue) = creation(InstallationId::generate(), &["a"]);
    assert!(world.commit(of_nobody).await.unwrap_err().is_stale());
    assert_eq!(world.store.issue(tenant, issue).await.unwrap(), None);
}

fn names(timers: Vec<Timer>) -> String {
    timers.into_iter().map(|timer| timer.name).collect()
}

async fn listed(world: &World, tenant: TenantId, by: InstallationId, request: PageRequest) -> String {
    let timers = all(request, |request| {
        let store = Arc::clone(&world.store);
        async move { store.timers_of(tenant, by, &request).await }
    });
    names(timers.await)
}

async fn timers_of_an_installation_are_paged(world: World) {
    let (tenant, by, issue) = scene(&world, "acme").await;
    let project = world.store.project(tenant, issue.project).await.unwrap().unwrap();
    let other = world.issue(tenant, &project, "another").await;
    let release = world.release(tenant, "other", "1.0.0", 2).await;
    let elsewhere = world.installation(tenant, &release, Scope::Tenant).await;
    put(&world, tenant, &world.new_timer(issue.id, elsewhere.id, "x")).await;
    let now = world.store.now();
    // Some have the same time, and two of them the same name.
    for (name, seconds, issue) in
        [("a", 3, &issue), ("b", 1, &issue), ("c", 1, &other), ("b", 1, &other), ("d", 2, &other)]
    {
        let at = now.plus(Duration::from_secs(seconds));
        put(&world, tenant, &Timer { at, ..world.new_timer(issue.id, by.id, name) }).await;
    }
    for size in [1, 2, 3, 9] {
        assert_eq!(listed(&world, tenant, by.id, page(&SPEC, size, "due")).await, "bbcda", "{size}");
        assert_eq!(listed(&world, tenant, by.id, page(&SPEC, size, "")).await, "adcbb", "{size}");
    }
    for key in ["nonsense", "x/y", &issue.id.to_string()] {
        let after = Some(Keyset { key: SortKey::Time(now), id: key.to_owned() });
        let request = PageRequest { after, ..page(&SPEC, 9, "due") };
        let error = world.store.timers_of(tenant, by.id, &request).await.unwrap_err();
        assert_eq!(error.faults()[0].field, "page_token", "{key}");
    }
}

async fn timers_are_filtered_within_the_tenant(world: World) {
    let (tenant, by, issue) = scene(&world, "acme").await;
    let project = world.store.project(tenant, issue.project).await.unwrap().unwrap();
    let other = world.issue(tenant, &project, "another").await;
    let now = world.store.now();
    for (name, issue, failures) in [
        ("a", &issue, 0),
        ("b", &issue, MAX_FAILURES - 1),
        ("c", &issue, MAX_FAILURES),
        ("d", &other, MAX_FAILURES),
    ] {
        let timer = Timer { at: now, failures, ..world.new_timer(issue.id, by.id, name) };
        put(&world, tenant, &timer).await;
    }
    let (theirs, _, _) = scene(&world, "other").await;
    let soon = now.plus(Duration::from_secs(1));
    for (filter, expected) in [
        (String::new(), "abcd"),
        ("parked:true".to_owned(), "cd"),
        ("-parked:true".to_owned(), "ab"),
        ("parked:false".to_owned(), "ab"),
        ("parked:true,false".to_owned(), "abcd"),
        (format!("issue:{}", other.id), "d"),
        (format!("issue:{} parked:true", issue.id), "c"),
        ("name:a,d".to_owned(), "ad"),
        (format!("due<{soon}"), "abcd"),
        (format!("due>={soon}"), ""),
    ] {
        let request = PageRequest { filter: world.filter(tenant, &SPEC, &filter), ..page(&SPEC, 9, "due") };
        let mut found = world.store.timers_of(tenant, by.id, &request).await.unwrap().items;
        found.sort_by(|one, other| one.name.cmp(&other.name));
        assert_eq!(names(found), expected, "{filter}");
        assert!(world.store.timers_of(theirs, by.id, &request).await.unwrap().items.is_empty(), "{filter}");
    }
}

async fn parked_timer_is_due_after_being_set_again(world: World) {
    let (tenant, by, issue) = scene(&world, "acme").await;
    let now = world.store.now();
    let last_failure = Some("PLUGIN_TRAPPED: it trapped".to_owned());
    let parked = world.new_timer(issue.id, by.id, "soon");
    let parked = Timer { failures: MAX_FAILURES, last_failure, ..parked };
    put(&world, tenant, &parked).await;
    let reset = parked.reset(now);
    let retry = world.change(tenant).write(Write::TakeTimer(parked.clone()));
    world.store(retry.write(Write::PutTimer(reset.clone()))).await;
    let due = world.store.due_timers(tenant, now, 9).await.unwrap();
    assert_eq!(due, std::slice::from_ref(&reset));
    assert!(reset.failures == 0 && reset.last_failure.is_none() && reset.generation != parked.generation);
    // A late failure of the old call does not park the new timer.
    world.store.delay_timer(tenant, &parked).await.unwrap();
    assert_eq!(world.store.timers(tenant, issue.id).await.unwrap(), [reset]);
    let again = world.change(tenant).write(Write::TakeTimer(parked));
    assert!(world.commit(again).await.unwrap_err().is_stale());
}

async fn timers_are_deleted_with_issue_or_installation(world: World) {
    let (tenant, by, issue) = scene(&world, "acme").await;
    let project = world.store.project(tenant, issue.project).await.unwrap().unwrap();
    let other = world.issue(tenant, &project, "another").await;
    for issue in [issue.id, other.id] {
        put(&world, tenant, &world.new_timer(issue, by.id, "soon")).await;
    }
    world.store(world.change(tenant).delete(issue.clone())).await;
    assert!(world.store.timers(tenant, issue.id).await.unwrap().is_empty());
    assert_eq!(world.store.timers(tenant, other.id).await.unwrap().len(), 1);
    world.store(world.change(tenant).delete(by)).await;
    assert!(world.store.timers(tenant, other.id).await.unwrap().is_empty());
    assert!(world.store.due_timers(tenant, world.store.now(), 9).await.unwrap().is_empty());
}

async fn timer_requires_issue_and_installation(world: World) {
    let (tenant, by, issue) = scene(&world, "acme").await;
    for timer in [
        world.new_timer(IssueId::generate(), by.id, "no issue"),
        world.new_timer(issue.id, InstallationId::generate(), "no installation"),
    ] {
        let set = world.change(tenant).write(Write::PutTimer(timer));
        assert!(world.commit(set).await.unwrap_err().is_stale());
    }
}

/// In either order there is no deadlock, and no timer is left.
async fn timers_and_deletion_of_their_owner_do_not_deadlock(world: World) {
    let (tenant, mut by, issue) = scene(&world, "acme").await;
    let project = world.store.project(tenant, issue.project).await.unwrap().unwrap();
    let release = world.store.release(tenant, by.release.digest).await.unwrap().unwrap();
    for round in 0..20 {
        let issue = world.issue(tenant, &project, "late").await;
        for name in ["a", "b", "c"] {
            put(&world, tenant, &world.new_timer(issue.id, by.id, name)).await;
        }
        let set = ["d", "c", "b", "a"].map(|name| Write::PutTimer(world.new_timer(issue.id, by.id, name)));
        let set = set.into_iter().fold(world.change(tenant), Changeset::write);
        let set = set.write(Write::DropTimer(issue.id, by.id, "c".into()));
        let removal = world.change(tenant);
        let removal = if round % 2 == 0 { removal.delete(by.clone()) } else { removal.delete(issue.clone()) };
        let (set, removed) = tokio::join!(world.commit(set), world.commit(removal));
        removed.unwrap();
        if let Err(error) = set {
            assert!(error.is_stale(), "{error:?}");
            let deadlock = error.cause().is_some_and(|cause| cause.to_string().contains("deadlock"));
            assert!(!deadlock, "{error:?}");
        }
        assert!(world.store.timers(tenant, issue.id).await.unwrap().is_empty());
        if round % 2 == 0 {
            by = world.installation(tenant, &release, Scope::Tenant).await;
        }
    }
}

async fn live_hosts_are_listed_with_their_fact(world: World) {
    let (tenant, alive) = (world.tenant("acme").await, Duration::from_secs(30));
    assert!(world.store.hosts(tenant, alive).await.unwrap().is_empty());
    world.store.beat("host-2", 7).await.unwrap();
    world.store.beat("host-1", 3).await.unwrap();
    world.store.beat("host-1", 5).await.unwrap();
    let listed = [("host-1".to_owned(), 5), ("host-2".to_owned(), 7)];
    assert_eq!(world.store.hosts(tenant, alive).await.unwrap(), listed);
    let only_second = async || {
        world.store.beat("host-2", 8).await.unwrap();
        world.store.hosts(tenant, Duration::from_millis(200)).await.unwrap() == [("host-2".to_owned(), 8)]
    };
    world.wait_for("the end of the first host's heartbeat", only_second).await;
}
