//! Several hosts on one database, and one host that comes back.

use std::time::{Duration, Instant};

use tessera_core::tracker::issue;
use tessera_store::{migrate, open};

use crate::world::{Kind, World, page, run};

/// Each of two hosts sees what the other has written, within a second, in the same order.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_hosts_follow_each_other() {
    async fn test(first: World) {
        let second = first.other_host("host-2").await;
        let tenant = first.tenant("acme").await;
        first.numbered(1).await;
        for round in 0..6_usize {
            let (writer, reader) = if round % 2 == 0 { (&first, &second) } else { (&second, &first) };
            let head = reader.store.head().await.unwrap();
            let begun = Instant::now();
            writer.user(tenant, "A User", &format!("u{round}@example.com")).await;
            while reader.store.facts_after(head, 9).await.unwrap().is_empty() {
                assert!(begun.elapsed() < Duration::from_secs(1), "round {round}");
                let _ = tokio::time::timeout(Duration::from_millis(500), reader.store.facts_changed()).await;
            }
        }
        assert_eq!(first.numbered(7).await, second.numbered(7).await);
        let apart = first.store.now().micros() - second.store.now().micros();
        assert!(apart.abs() < 50_000, "the clocks are {apart} µs apart");
        second.store.close().await;
    }
    run(Kind::Postgres, test).await;
}

/// The sequencer's host goes; the other goes on numbering.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn another_host_takes_the_numbering_over() {
    async fn test(first: World) {
        let second = first.other_host("host-2").await;
        let tenant = first.tenant("acme").await;
        first.numbered(1).await;
        // The lease is given back by who closes, and runs out for who is gone.
        first.store.close().await;
        let begun = Instant::now();
        second.user(tenant, "A User", "a@example.com").await;
        second.numbered(2).await;
        assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
        second.store.close().await;
    }
    run(Kind::Postgres, test).await;
}

/// A host that ends in order is not missed; one that vanishes is, until it was silent for long.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_host_that_closes_is_listed_no_more() {
    async fn test(first: World) {
        let second = first.other_host("host-2").await;
        first.store.beat("host-1", 1).await.unwrap();
        second.store.beat("host-2", 2).await.unwrap();
        second.store.close().await;
        let alive = first.store.hosts(Duration::from_secs(30)).await.unwrap();
        assert_eq!(alive, [("host-1".to_owned(), 1)]);
    }
    run(Kind::Sqlite, test).await;
    run(Kind::Postgres, test).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_file_keeps_all_when_its_store_is_dropped() {
    async fn test(world: World) {
        let second = world.other_host("host-2").await;
        let tenant = second.tenant("acme").await;
        let project = second.project(tenant, "Rocket").await;
        let mut stored = Vec::new();
        for number in 0..50 {
            stored.push(second.issue(tenant, &project, &format!("{number}")).await.id);
        }
        // No close: as if the process had ended here.
        drop(second);
        let third = world.other_host("host-3").await;
        let read = third.store.issues(tenant, &page(&issue::SPEC, 100, "created")).await.unwrap();
        assert_eq!(read.items.iter().map(|issue| issue.id).collect::<Vec<_>>(), stored);
        assert_eq!(third.store.head().await.unwrap(), 52);
        third.numbered(52).await;
        third.store.close().await;
    }
    run(Kind::Sqlite, test).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_memories_are_two_stores() {
    async fn test(world: World) {
        let other = world.other_host("host-2").await;
        let tenant = world.tenant("acme").await;
        assert_eq!(other.store.tenant(tenant).await.unwrap(), None);
        other.store.close().await;
    }
    run(Kind::Memory, test).await;
}

/// Hosts that start at once all find the tables as they must be.
async fn start_together(kind: Kind) {
    async fn test(world: World) {
        let starts: Vec<_> = (0..6)
            .map(|host| {
                let world = world.clone();
                tokio::spawn(async move {
                    migrate(world.config()).await.unwrap();
                    let store = world.other_host(&format!("h{host}")).await;
                    store.tenant(&format!("t{host}")).await;
                    store.store.close().await;
                })
            })
            .collect();
        for start in starts {
            start.await.unwrap();
        }
        let asked = page(&tessera_core::tenancy::tenant::SPEC, 10, "slug");
        assert_eq!(world.store.tenants(&asked).await.unwrap().items.len(), 6);
    }
    run(kind, test).await;
}

/// A database that a newer host has migrated is refused, with the number of the unknown step.
async fn newer_schema_is_refused(kind: Kind) {
    async fn test(world: World) {
        let newer = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
             VALUES (999999, 'newer', TRUE, '', 0)";
        world.execute(newer).await;
        let refused = migrate(world.config()).await.unwrap_err();
        let cause = refused.cause().unwrap().to_string();
        assert!(cause.contains("999999"), "{cause}");
        assert!(open(world.config(), "host-2").await.is_err());
    }
    run(kind, test).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn newer_schema_is_refused_on_sqlite() {
    newer_schema_is_refused(Kind::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn newer_schema_is_refused_on_postgres() {
    newer_schema_is_refused(Kind::Postgres).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn hosts_may_start_at_once_on_sqlite() {
    start_together(Kind::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn hosts_may_start_at_once_on_postgres() {
    start_together(Kind::Postgres).await;
}
