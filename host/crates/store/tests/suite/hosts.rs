//! Several hosts on one database, restarts, and migrations.

use std::time::Duration;

use tessera_core::id::TenantId;
use tessera_core::tracker::issue;
use tessera_store::{migrate, open};

use crate::world::{Kind, World, page, run};

/// Each of two hosts is notified of the other's facts, in the same order.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn hosts_see_each_others_facts() {
    async fn test(first: World) {
        let second = first.other_host("host-2").await;
        let tenant = first.tenant("acme").await;
        first.numbered(1).await;
        for round in 0..6_usize {
            let (writer, reader) = if round % 2 == 0 { (&first, &second) } else { (&second, &first) };
            let head = reader.store.head().await.unwrap();
            writer.user(tenant, "A User", &format!("u{round}@example.com")).await;
            while reader.store.facts_after(head, 9, usize::MAX).await.unwrap().is_empty() {
                let woken = tokio::time::timeout(Duration::from_secs(20), reader.store.facts_changed()).await;
                assert!(woken.is_ok(), "round {round}");
            }
        }
        assert_eq!(first.numbered(7).await, second.numbered(7).await);
        let mut raw = first.raw().await;
        for host in [&first, &second] {
            let mut server = async || -> i64 {
                let micros = "SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS bigint)";
                sqlx::query_scalar(micros).fetch_one(&mut raw).await.unwrap()
            };
            // The error of a host's clock is at most half a round trip at its last measurement.
            let (before, now, after) = (server().await, host.store.now().micros(), server().await);
            let error = 1_000_000;
            assert!((before - error..=after + error).contains(&now), "{before} {now} {after}");
        }
        second.store.close().await;
    }
    run(Kind::Postgres, test).await;
}

/// The sequencer's host closes; the other host numbers facts.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn numbering_moves_to_another_host() {
    async fn test(first: World) {
        let second = first.other_host("host-2").await;
        let tenant = first.tenant("acme").await;
        first.numbered(1).await;
        // A host that closes releases its lease; that of a vanished host expires.
        first.store.close().await;
        let mut raw = second.raw().await;
        let leases = "SELECT count(*) FROM leases WHERE holder = 'host-1' AND until > clock_timestamp()";
        let left: i64 = sqlx::query_scalar(leases).fetch_one(&mut raw).await.unwrap();
        assert_eq!(left, 0, "a host that closes releases its leases");
        second.user(tenant, "A User", "a@example.com").await;
        second.numbered(2).await;
        second.store.close().await;
    }
    run(Kind::Postgres, test).await;
}

/// A host that closes removes its heartbeat; that of a vanished host expires.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn closed_host_is_not_listed() {
    async fn test(first: World) {
        let second = first.other_host("host-2").await;
        first.store.beat("host-1", 1).await.unwrap();
        second.store.beat("host-2", 2).await.unwrap();
        second.store.close().await;
        let alive = first.store.hosts(TenantId::generate(), Duration::from_secs(30)).await.unwrap();
        assert_eq!(alive, [("host-1".to_owned(), 1)]);
    }
    run(Kind::Sqlite, test).await;
    run(Kind::Postgres, test).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn file_is_complete_after_a_drop_without_close() {
    async fn test(world: World) {
        let second = world.other_host("host-2").await;
        let tenant = second.tenant("acme").await;
        let project = second.project(tenant, "Rocket").await;
        let mut stored = Vec::new();
        for number in 0..50 {
            stored.push(second.issue(tenant, &project, &format!("{number}")).await.id);
        }
        // Without a close, as if the process had ended here.
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
async fn in_memory_stores_are_separate() {
    async fn test(world: World) {
        let other = world.other_host("host-2").await;
        let tenant = world.tenant("acme").await;
        assert_eq!(other.store.tenant(tenant).await.unwrap(), None);
        other.store.close().await;
    }
    run(Kind::Memory, test).await;
}

/// Hosts that start at once migrate one after the other.
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
        let request = page(&tessera_core::tenancy::tenant::SPEC, 10, "slug");
        assert_eq!(world.store.tenants(&request).await.unwrap().items.len(), 6);
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
async fn concurrent_starts_migrate_once_on_sqlite() {
    start_together(Kind::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn concurrent_starts_migrate_once_on_postgres() {
    start_together(Kind::Postgres).await;
}
