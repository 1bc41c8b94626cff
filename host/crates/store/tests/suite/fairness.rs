//! Fairness between tenants.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use sqlx::{Connection, Executor};
use tessera_core::Result;
use tessera_core::id::TenantId;
use tessera_core::plugin::Digest;
use tokio::task::JoinHandle;

use crate::world::{Kind, World, run};

on_every_store! {
    backlog_of_one_tenant_does_not_delay_another,
    flood_of_one_tenant_refuses_neither_another_nor_the_host,
    reads_of_a_tenant_do_not_take_the_places_of_the_host,
}

async fn backlog_of_one_tenant_does_not_delay_another(world: World) {
    let (busy, calm) = (world.tenant("busy").await, world.tenant("calm").await);
    let stored = Arc::new(AtomicUsize::new(0));
    let backlog: Vec<_> = (0..1_000)
        .map(|number| {
            // Projects are not created together, as issues are.
            let changeset = world.change(busy).insert(world.new_project(&format!("p{number}")));
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
    // Some batches are earlier, and more of them where this task waits for a processor. Without turns all are.
    assert!(before <= 900, "{before} of 1,000 were before the other tenant's one");
}

/// Starts commits of a tenant, all at once.
fn flood(world: &World, tenant: TenantId, commits: usize) -> Vec<JoinHandle<Result<()>>> {
    let commit = |number| {
        let changeset = world.change(tenant).insert(world.new_project(&format!("p{number}")));
        let world = world.clone();
        tokio::spawn(async move { world.commit(changeset).await.map(|_| ()) })
    };
    (0..commits).map(commit).collect()
}

async fn flood_of_one_tenant_refuses_neither_another_nor_the_host(world: World) {
    let (busy, calm) = (world.tenant("busy").await, world.tenant("calm").await);
    let commits = flood(&world, busy, 6_000);
    // Some commits of the other tenant, and of the host, while the queue is full.
    for number in 0..20 {
        world.project(calm, &format!("calm {number}")).await;
        assert!(world.store.lease("holds", "host-1", Duration::from_secs(5)).await.unwrap());
        world.store.ping().await.unwrap();
    }
    let mut stored = 0;
    for commit in commits {
        match commit.await.unwrap() {
            Ok(()) => stored += 1,
            Err(error) => {
                assert_eq!(error.reason(), "UNAVAILABLE", "{error:?}");
                assert!(error.retry_after().is_some());
            }
        }
    }
    assert!(stored >= 1_000, "{stored} were stored");
    world.project(busy, "after").await;
}

/// Starts more reads of a tenant at once than the host has places.
async fn flood_with_reads<T, F: Future<Output = Result<T>>>(world: &World, read: impl Fn() -> F) {
    let reads = join_all((0..1_200).map(|_| read()));
    let of_host = async {
        for _ in 0..5 {
            world.store.head().await.unwrap();
        }
    };
    let (reads, ()) = tokio::join!(reads, of_host);
    for read in reads {
        read.unwrap();
    }
}

async fn reads_of_a_tenant_do_not_take_the_places_of_the_host(world: World) {
    let (tenant, digest, store) = (world.tenant("acme").await, Digest([1; 32]), &world.store);
    flood_with_reads(&world, || store.seq_before(tenant, store.now())).await;
    flood_with_reads(&world, || store.hosts(tenant, Duration::from_secs(30))).await;
    flood_with_reads(&world, || store.component(tenant.into(), digest)).await;
    flood_with_reads(&world, || store.has_component(tenant.into(), digest)).await;
}

/// A changeset that waits for a lock of one project's row does not hold up new issues of other projects.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn locked_project_does_not_hold_up_issues_of_another_project() {
    async fn test(world: World) {
        let tenant = world.tenant("acme").await;
        let (locked, free) = (world.project(tenant, "Locked").await, world.project(tenant, "Free").await);
        let mut raw = world.raw().await;
        let mut holder = raw.begin().await.unwrap();
        let lock = "SELECT 1 FROM projects WHERE name = 'Locked' FOR UPDATE";
        holder.execute(lock).await.unwrap();
        let waiting: Vec<_> = (0..3)
            .map(|number| {
                let issue = world.new_issue(locked.id, &format!("{number}"));
                let (world, changeset) = (world.clone(), world.creation(tenant, &locked, &issue));
                tokio::spawn(async move { world.store(changeset).await })
            })
            .collect();
        for number in 0..10 {
            let summary = number.to_string();
            let created = world.issue(tenant, &free, &summary);
            tokio::time::timeout(Duration::from_secs(5), created).await.unwrap();
        }
        assert!(waiting.iter().all(|waiting| !waiting.is_finished()));
        holder.rollback().await.unwrap();
        for one in waiting {
            one.await.unwrap();
        }
    }
    run(Kind::Postgres, test).await;
}
