//! The numbers of facts that were committed together.

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
    facts_of_one_commit_have_numbers_in_a_row,
    facts_of_one_batch_stand_in_the_order_of_its_commands,
    reading_begins_and_ends_within_a_commit,
    pages_of_the_audit_log_end_within_a_commit,
    slices_of_what_is_forgotten_end_within_a_commit,
}

/// Stores as many facts in one commit; their ids.
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

/// Two tenants with commits of different sizes, one after the other; all their facts in order.
async fn filled(world: &World) -> ([TenantId; 2], Vec<Fact>) {
    let tenants = [world.tenant("acme").await, world.tenant("other").await];
    let mut count = 2;
    for (number, size) in [5, 1, 3, 4, 1, 1, 7, 2].into_iter().enumerate() {
        commit(world, tenants[number % 3 / 2], size).await;
        count += size;
        // One at a time, so that the order is known.
        world.numbered(count).await;
    }
    (tenants, world.numbered(count).await)
}

async fn facts_of_one_commit_have_numbers_in_a_row(world: World) {
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
    let ids: Vec<_> = facts.iter().map(|fact| fact.what.id).collect();
    for commit in commits {
        let first = ids.iter().position(|id| *id == commit[0]).unwrap();
        assert_eq!(ids[first..first + commit.len()], commit);
    }
}

async fn facts_of_one_batch_stand_in_the_order_of_its_commands(world: World) {
    let office = BoxOffice::open(world, Some(100), |_| ()).await;
    let standing = office.ticket_type(None, &[]).await;
    let before = office.world.numbered(3).await.len();
    let jobs: Vec<_> =
        ["ann", "ben", "cem", "dan"].iter().map(|buyer| office.reserve(buyer, &[(standing, 1)])).collect();
    let verdicts = office.batch(&jobs).await;
    let facts = office.world.numbered(before + 4).await;
    for (verdict, fact) in verdicts.into_iter().zip(&facts[before..]) {
        let held = done(verdict).unwrap();
        assert_eq!(
            (fact.what.object.kind, &fact.what.object.id),
            (ObjectKind::Reservation, &held.id.to_string())
        );
    }
}

async fn reading_begins_and_ends_within_a_commit(world: World) {
    let (tenants, facts) = filled(&world).await;
    let rest = |after: u64, limit: u32, tenant: Option<TenantId>| -> Vec<_> {
        let wanted = |fact: &&Fact| fact.seq.unwrap() > after && tenant.is_none_or(|own| own == fact.tenant);
        facts.iter().filter(wanted).take(limit as usize).cloned().collect()
    };
    for after in 0..=facts.len() as u64 {
        for limit in [1, 2, 3, 6, 100] {
            let read = world.store.facts_after(after, limit).await.unwrap();
            assert_eq!(read, rest(after, limit, None), "{limit} after {after}");
            for tenant in tenants {
                let read = world.store.tenant_facts_after(tenant, after, limit).await.unwrap();
                assert_eq!(read, rest(after, limit, Some(tenant)), "{limit} of one tenant after {after}");
            }
        }
    }
}

async fn audit(world: &World, tenant: TenantId, asked: PageRequest) -> Vec<Fact> {
    all(asked, |asked| {
        let store = Arc::clone(&world.store);
        async move { store.audit(tenant, &asked).await }
    })
    .await
}

async fn pages_of_the_audit_log_end_within_a_commit(world: World) {
    let (tenants, mut facts) = filled(&world).await;
    facts.reverse();
    for tenant in tenants {
        for size in [1, 2, 3, 5, 100] {
            let mut asked = page(&fact::SPEC, size, "");
            let own: Vec<_> = facts.iter().filter(|fact| fact.tenant == tenant).cloned().collect();
            assert_eq!(audit(&world, tenant, asked.clone()).await, own, "pages of {size}");
            asked.filter = world.filter(tenant, &fact::SPEC, "type:user.updated");
            let own: Vec<_> = own.into_iter().filter(|fact| fact.what.fact_type == "user.updated").collect();
            assert_eq!(audit(&world, tenant, asked).await, own, "pages of {size}, filtered");
        }
    }
}

/// A moment before which all facts lie but those of the last commit, and those.
fn cut_before_the_last_commit(facts: &[Fact]) -> (Timestamp, &[Fact]) {
    (facts[facts.len() - 2].what.at, &facts[facts.len() - 2..])
}

async fn slices_of_what_is_forgotten_end_within_a_commit(world: World) {
    let (tenants, facts) = filled(&world).await;
    let (cut, kept) = cut_before_the_last_commit(&facts);
    assert_eq!(Some(world.store.seq_before(cut).await.unwrap() + 1), kept[0].seq);
    let mut left = facts.as_slice();
    while left.len() > kept.len() {
        let size = left.len().min(kept.len() + 5) - kept.len();
        assert_eq!(world.store.forget_facts(cut, 5).await.unwrap(), size as u64);
        left = &left[size..];
        assert_eq!(world.store.facts_after(0, 100).await.unwrap(), left);
        let mut own: Vec<_> = left.iter().filter(|fact| fact.tenant == tenants[0]).cloned().collect();
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
async fn a_commit_is_kept_as_long_as_its_last_fact() {
    async fn test(world: World) {
        let (_, facts) = filled(&world).await;
        let (cut, _) = cut_before_the_last_commit(&facts);
        let mut raw = world.raw().await;
        loop {
            let forgotten = world.store.forget_facts(cut, 2).await.unwrap();
            let without_facts = "commits c WHERE NOT EXISTS (SELECT FROM facts f
                WHERE f.tenant_id = c.tenant_id AND f.drawn = c.drawn AND f.place = c.facts)";
            let without_commit = "facts f WHERE NOT EXISTS (SELECT FROM commits c
                WHERE f.tenant_id = c.tenant_id AND f.drawn = c.drawn)";
            assert_eq!(count(&mut raw, without_facts).await, 0);
            assert_eq!(count(&mut raw, without_commit).await, 0);
            if forgotten == 0 {
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

/// Until a fact has a number it is in its object's history, and nowhere else.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_fact_without_a_number_is_history_all_the_same() {
    async fn test(world: World) {
        let tenant = world.tenant("acme").await;
        let project = world.project(tenant, "Rocket").await;
        let before = world.numbered(2).await;
        let mut raw = world.raw().await;
        let mut held = raw.begin().await.unwrap();
        held.execute("SELECT seq FROM facts_head FOR UPDATE").await.unwrap();
        let issue = world.issue(tenant, &project, "new").await;
        let history = world.history(tenant, issue.id).await;
        assert_eq!(history.iter().map(|fact| fact.seq).collect::<Vec<_>>(), [None]);
        assert_eq!(world.store.facts_after(0, 10).await.unwrap(), before);
        assert_eq!(audit(&world, tenant, page(&fact::SPEC, 10, "")).await.len(), 2);
        held.rollback().await.unwrap();
        let after = world.numbered(3).await;
        assert_eq!(world.history(tenant, issue.id).await, &after[2..]);
        raw.close().await.unwrap();
    }
    run(Kind::Postgres, test).await;
}

/// Two that believe to be the sequencer beside the one that is.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn three_sequencers_leave_no_gap_and_give_no_number_twice() {
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
        assert!(by_others > 0, "they have had their share");
    }
    run(Kind::Postgres, test).await;
}
