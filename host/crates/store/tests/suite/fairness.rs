//! Fairness between tenants.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::world::World;

on_every_store! {
    backlog_of_one_tenant_does_not_delay_another,
    full_queue_refuses_and_recovers,
}

async fn backlog_of_one_tenant_does_not_delay_another(world: World) {
    let (busy, calm) = (world.tenant("busy").await, world.tenant("calm").await);
    let project = world.project(busy, "Rocket").await;
    let stored = Arc::new(AtomicUsize::new(0));
    let backlog: Vec<_> = (0..500)
        .map(|number| {
            let issue = world.new_issue(project.id, &format!("{number}"));
            let changeset = world.creation(busy, &project, &issue);
            let (world, stored) = (world.clone(), Arc::clone(&stored));
            tokio::spawn(async move {
                world.store(changeset).await;
                stored.fetch_add(1, Ordering::Relaxed);
            })
        })
        .collect();
    tokio::task::yield_now().await;
    world.project(calm, "Calm").await;
    let before = stored.load(Ordering::Relaxed);
    for one in backlog {
        one.await.unwrap();
    }
    // Two batches of the writer, or the changesets in flight on all connections, may be earlier.
    assert!(before <= 300, "{before} of 500 were before the other tenant's one");
}

async fn full_queue_refuses_and_recovers(world: World) {
    let tenant = world.tenant("busy").await;
    let flood: Vec<_> = (0..6_000)
        .map(|number| {
            let changeset = world.change(tenant).insert(world.new_project(&format!("p{number}")));
            let world = world.clone();
            tokio::spawn(async move { world.commit(changeset).await.map(|_| ()) })
        })
        .collect();
    let mut stored = 0;
    for one in flood {
        match one.await.unwrap() {
            Ok(()) => stored += 1,
            Err(error) => assert_eq!(error.reason(), "UNAVAILABLE", "{error:?}"),
        }
    }
    assert!(stored >= 1_000, "{stored} were stored");
    world.project(tenant, "after").await;
}
