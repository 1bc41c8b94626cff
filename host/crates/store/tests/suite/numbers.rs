//! Numbers of facts that were committed together.

use std::sync::Arc;

use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};
use tessera_core::Timestamp;
use tessera_core::access::ObjectKind;
use tessera_core::id::{FactId, TenantId};
use tessera_core::outbox::{Fact, fact};
use tessera_core::page::PageRequest;

use crate::box_office::{BoxOffice, done};
use crate::world::{Kind, World, all, page, run};

on_every_store! {
    facts_of_a_commit_have_consecutive_numbers,
    facts_of_a_batch_are_in_command_order,
    reads_may_begin_and_end_within_a_commit,
    audit_pages_may_end_within_a_commit,
    deleted_slices_may_end_within_a_commit,
}

/// Stores facts in one commit and returns their ids.
async fn commit(world: &World, tenant: TenantId, facts: usize) -> Vec<FactId> {
    let user = world.new_user("A User", &format!("{}@example.com", FactId::generate()));
    let mut changeset = world.change(tenant).insert(user.clone());
    for number in 0..facts {
        let what = if number % 2 == 0 { "user.created" } else { "user.updated" };
        changeset = changeset.fact(world.fact(tenant, what, &user));
    }
    let ids = changeset.facts.iter().map(|fact| fact.id).collect();
    world.store(changeset).await;
    ids
}

/// Creates two tenants with successive commits of different sizes; returns all facts in order.
async fn filled(world: &World) -> ([TenantId; 2], Vec<Fact>) {
    let tenants = [world.tenant("acme").await, world.tenant("other").await];
    let mut count = 2;
    for (number, size) in [5, 1, 3, 4, 1, 1, 7, 2].into_iter().enumerate() {
        commit(world, tenants[number % 3 / 2], size).await;
        count += size;
        // One commit at a time, so that the order is known.
        world.numbered(count).await;
    }
    (tenants, world.numbered(count).await)
}

async fn facts_of_a_commit_have_consecutive_numbers(world: World) {
    let tenants = [world.tenant("acme").await, world.tenant("other").await];
    let writers: Vec<_> = (0..6_usize)
        .map(|writer| {
            let (world, tenant) = (world.clone(), tenants[writer % 2]);
            tokio::spawn(async move {
                let mut commits = Vec::new();
                for size in [1, 2, 16, 3, 401] {
                    commits.push(commit(&world, tenant, size).await);
                }
                commits
            })
        })
        .collect();
    let mut commits = Vec::new();
    for writer in writers {
        commits.extend(writer.await.unwrap());
    }
    let facts = world.numbered(2 + 6 * 423).await;
    let numbers: Vec<_> = facts.iter().map(|fact| fact.seq.unwrap()).collect();
    assert_eq!(numbers, (1..=2 + 6 * 423).collect::<Vec<_>>());
    let ids: Vec<_> = facts.iter().map(|fact| fact.body.id).collect();
    for commit in commits {
        let first = ids.iter().position(|id| *id == commit[0]).unwrap();
        assert_eq!(ids[first..first + commit.len()], commit);
    }
}

async fn facts_of_a_batch_are_in_command_order(world: World) {
    let office = BoxOffice::open(world, Some(100), |_| ()).await;
    let standing = office.ticket_type(None, &[]).await;
    let before = office.world.numbered(3).await.len();
    let jobs: Vec<_> =
        ["ann", "ben", "cem", "dan"].iter().map(|buyer| office.reserve(buyer, &[(standing, 1)])).collect();
    let verdicts = office.batch(&jobs).await;
    let facts = office.world.numbered(before + 4).await;
    for (verdict, fact) in verdicts.into_iter().zip(&facts[before..]) {
        let reservation = done(verdict).unwrap();
        assert_eq!(
            (fact.body.object.kind, &fact.body.object.id),
            (ObjectKind::Reservation, &reservation.id.to_string())
        );
    }
}

async fn reads_may_begin_and_end_within_a_commit(world: World) {
    let (tenants, facts) = filled(&world).await;
    let rest = |after: u64, limit: u32, tenant: Option<TenantId>| -> Vec<_> {
        let is_expected =
            |fact: &&Fact| fact.seq.unwrap() > after && tenant.is_none_or(|own| own == fact.tenant);
        facts.iter().filter(is_expected).take(limit as usize).cloned().collect()
    };
    for after in 0..=facts.len() as u64 {
        for limit in [1, 2, 3, 6, 100] {
            let read = world.store.facts_after(after, limit, usize::MAX).await.unwrap();
            assert_eq!(read, rest(after, limit, None), "{limit} after {after}");
            for tenant in tenants {
                let read = world.store.tenant_facts_after(tenant, after, limit, usize::MAX).await.unwrap();
                assert_eq!(read, rest(after, limit, Some(tenant)), "{limit} of one tenant after {after}");
            }
        }
    }
}

async fn audit(world: &World, tenant: TenantId, request: PageRequest) -> Vec<Fact> {
    all(request, |request| {
        let store = Arc::clone(&world.store);
        async move { store.audit(tenant, &request).await }
    })
    .await
}

async fn audit_pages_may_end_within_a_commit(world: World) {
    let (tenants, mut facts) = filled(&world).await;
    facts.reverse();
    for tenant in tenants {
        for size in [1, 2, 3, 5, 100] {
            let mut request = page(&fact::SPEC, size, "");
            let own: Vec<_> = facts.iter().filter(|fact| fact.tenant == tenant).cloned().collect();
            assert_eq!(audit(&world, tenant, request.clone()).await, own, "pages of {size}");
            request.filter = world.filter(tenant, &fact::SPEC, "type:user.updated");
            let own: Vec<_> = own.into_iter().filter(|fact| fact.body.fact_type == "user.updated").collect();
            assert_eq!(audit(&world, tenant, request).await, own, "pages of {size}, filtered");
        }
    }
}

/// Returns a time after all facts but those of the last commit, and the latter.
fn cut_before_the_last_commit(facts: &[Fact]) -> (Timestamp, &[Fact]) {
    (facts[facts.len() - 2].body.at, &facts[facts.len() - 2..])
}

async fn deleted_slices_may_end_within_a_commit(world: World) {
    let (tenants, facts) = filled(&world).await;
    let (cut, last_commit) = cut_before_the_last_commit(&facts);
    assert_eq!(Some(world.store.seq_before(tenants[0], cut).await.unwrap() + 1), last_commit[0].seq);
    let mut remaining = facts.as_slice();
    while remaining.len() > last_commit.len() {
        let size = remaining.len().min(last_commit.len() + 5) - last_commit.len();
        assert_eq!(world.store.forget_facts(cut, 5).await.unwrap(), size as u64);
        remaining = &remaining[size..];
        assert_eq!(world.store.facts_after(0, 100, usize::MAX).await.unwrap(), remaining);
        let mut own: Vec<_> = remaining.iter().filter(|fact| fact.tenant == tenants[0]).cloned().collect();
        own.reverse();
        assert_eq!(audit(&world, tenants[0], page(&fact::SPEC, 2, "")).await, own);
    }
    assert_eq!(world.store.forget_facts(cut, 5).await.unwrap(), 0);
}

async fn count(raw: &mut PgConnection, of: &str) -> i64 {
    let query = sqlx::query_scalar(AssertSqlSafe(format!("SELECT count(*) FROM {of}")));
    query.fetch_one(raw).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn commit_row_is_deleted_with_its_last_fact() {
    async fn test(world: World) {
        let (_, facts) = filled(&world).await;
        let (cut, _) = cut_before_the_last_commit(&facts);
        let mut raw = world.raw().await;
        loop {
            let deleted = world.store.forget_facts(cut, 2).await.unwrap();
            let without_facts = "commits c WHERE NOT EXISTS (SELECT FROM facts f
                WHERE f.tenant_id = c.tenant_id AND f.drawn = c.drawn AND f.place = c.facts)";
            let without_commit = "facts f WHERE NOT EXISTS (SELECT FROM commits c
                WHERE f.tenant_id = c.tenant_id AND f.drawn = c.drawn)";
            assert_eq!(count(&mut raw, without_facts).await, 0);
            assert_eq!(count(&mut raw, without_commit).await, 0);
            if deleted == 0 {
                break;
            }
        }
        assert_eq!(count(&mut raw, "facts").await, 2);
        assert_eq!(count(&mut raw, "commits").await, 1);
        assert_eq!(count(&mut raw, "unnumbered").await, 0);
        raw.close().await.unwrap();
    }
    run(Kind::Postgres, test).await;
}

/// A fact without a number is in its object's history, but not in the feed and the audit log.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn unnumbered_fact_is_in_the_history() {
    async fn test(world: World) {
        let tenant = world.tenant("acme").await;
        let project = world.project(tenant, "Rocket").await;
        let before = world.numbered(2).await;
        let mut raw = world.raw().await;
        let mut lock = raw.begin().await.unwrap();
        lock.execute("SELECT seq FROM facts_head FOR UPDATE").await.unwrap();
        let issue = world.issue(tenant, &project, "new").await;
        let history = world.history(tenant, issue.id).await;
        assert_eq!(history.iter().map(|fact| fact.seq).collect::<Vec<_>>(), [None]);
        assert_eq!(world.store.facts_after(0, 10, usize::MAX).await.unwrap(), before);
        assert_eq!(audit(&world, tenant, page(&fact::SPEC, 10, "")).await.len(), 2);
        lock.rollback().await.unwrap();
        let after = world.numbered(3).await;
        assert_eq!(world.history(tenant, issue.id).await, &after[2..]);
        raw.close().await.unwrap();
    }
    run(Kind::Postgres, test).await;
}

/// Two sequencers without the lease run beside the one with it.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn concurrent_sequencers_leave_no_gaps_or_duplicates() {
    async fn test(world: World) {
        let tenant = world.tenant("acme").await;
        let others: Vec<_> = (0..2)
            .map(|_| {
                let world = world.clone();
                tokio::spawn(async move {
                    let mut raw = world.raw().await;
                    let mut numbered = 0;
                    while world.store.head().await.unwrap() < 1 + 8 * 30 * 3 {
                        let query = sqlx::query_scalar("SELECT taken FROM number_facts(2)");
                        let count: i32 = query.fetch_one(&mut raw).await.unwrap();
                        assert!(count <= 2);
                        numbered += count;
                    }
                    numbered
                })
            })
            .collect();
        let writers: Vec<_> = (0..8)
            .map(|_| {
                let world = world.clone();
                tokio::spawn(async move {
                    for _ in 0..30 {
                        commit(&world, tenant, 3).await;
                    }
                })
            })
            .collect();
        for writer in writers {
            writer.await.unwrap();
        }
        let facts = world.numbered(1 + 8 * 30 * 3).await;
        assert!(facts.iter().map(|fact| fact.seq.unwrap()).eq(1..=1 + 8 * 30 * 3));
        let mut by_others = 0;
        for other in others {
            by_others += other.await.unwrap();
        }
        assert!(by_others > 0, "the other sequencers numbered facts");
    }
    run(Kind::Postgres, test).await;
}
