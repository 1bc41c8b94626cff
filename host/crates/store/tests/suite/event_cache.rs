//! The event cache: saves reads, and is validated on write.

use std::sync::Arc;
use std::time::Duration;

use sqlx::{Connection as _, Executor as _};
use tessera_core::access::Operation;
use tessera_core::booking::Queue;
use tessera_core::catalog::{Event, EventStatus, TicketType, TypeStatus};
use tessera_core::id::TicketTypeId;
use tessera_core::idempotency::{Fingerprint, IdempotencyKey, RequestKey, Scope};
use tessera_core::inventory::HoldRules;
use tessera_core::inventory::{Counts, Job, JobOutcome, Reservation, TenantHoldRules};

use crate::box_office::{BoxOffice, hold, reserve};
use crate::world::{Kind, World, run};

/// Creates an event that the host has cached.
async fn warm(world: World, capacity: Option<u64>) -> (BoxOffice, TicketTypeId) {
    let office = BoxOffice::open(world, capacity, |_| ()).await;
    let standing = office.ticket_type(None, &[]).await;
    for buyer in ["ann", "ben"] {
        office.run(office.reserve(buyer, &[(standing, 1)])).await.unwrap();
    }
    (office, standing)
}

async fn change_event(office: &mut BoxOffice, change: impl FnOnce(&mut Event)) {
    let mut next = office.event.clone();
    next.version += 1;
    change(&mut next);
    let fact = office.world.fact(office.tenant, "event.updated", &next);
    office.world.store(office.world.change(office.tenant).update(next.clone()).fact(fact)).await;
    office.event = next;
}

async fn change_type(office: &BoxOffice, id: TicketTypeId, change: impl FnOnce(&mut TicketType)) {
    let mut next = office.world.store.ticket_type(office.tenant, id).await.unwrap().unwrap();
    next.version += 1;
    change(&mut next);
    let fact = office.world.fact(office.tenant, "ticket_type.updated", &next);
    office.world.store(office.world.change(office.tenant).update(next).fact(fact)).await;
}

async fn refusal(office: &BoxOffice, standing: TicketTypeId) -> String {
    let refused = office.run(office.reserve("cem", &[(standing, 1)])).await.unwrap_err();
    refused.reason().to_owned()
}

fn hold_seconds(reservation: &Reservation) -> i64 {
    (reservation.expires_at.micros() - reservation.created_at.micros()) / 1_000_000
}

async fn changed_terms_apply_at_once(world: World) {
    let (mut office, standing) = warm(world, None).await;
    change_type(&office, standing, |ticket_type| ticket_type.attributes.price.amount = 900).await;
    let reservation = office.run(office.reserve("cem", &[(standing, 2)])).await.unwrap();
    assert_eq!(reservation.total().unwrap().amount, 1_800);

    change_event(&mut office, |event| {
        hold(&mut event.attributes, HoldRules { default: Some(90), min: Some(60), max: None });
    })
    .await;
    let reservation = office.run(office.reserve("cem", &[(standing, 1)])).await.unwrap();
    assert_eq!(hold_seconds(&reservation), 90);

    change_event(&mut office, |event| hold(&mut event.attributes, HoldRules::default())).await;
    office.run(office.reserve("cem", &[(standing, 1)])).await.unwrap();
    let now = office.world.store.now();
    let rules = HoldRules { default: Some(120), min: None, max: None };
    let holds = TenantHoldRules { id: office.tenant, rules, updated_at: now, version: 1 };
    let fact = office.world.fact(office.tenant, "hold_rules.updated", &holds);
    office.world.store(office.world.change(office.tenant).insert(holds).fact(fact)).await;
    let reservation = office.run(office.reserve("cem", &[(standing, 1)])).await.unwrap();
    assert_eq!(hold_seconds(&reservation), 120);

    let queue = Queue { required: true, version: 1, ..Queue::default_of(office.event.id, now) };
    let fact = office.world.fact(office.tenant, "queue.updated", &queue);
    office.world.store(office.world.change(office.tenant).insert(queue.clone()).fact(fact)).await;
    assert_eq!(refusal(&office, standing).await, "QUEUE_REQUIRED");
    let open = Queue { required: false, version: 2, ..queue };
    let fact = office.world.fact(office.tenant, "queue.updated", &open);
    office.world.store(office.world.change(office.tenant).update(open).fact(fact)).await;
    office.run(office.reserve("cem", &[(standing, 1)])).await.unwrap();

    change_event(&mut office, |event| event.attributes.buyer_limit = Some(1)).await;
    assert_eq!(refusal(&office, standing).await, "BUYER_LIMIT_REACHED");
    change_event(&mut office, |event| event.attributes.buyer_limit = None).await;
    office.run(office.reserve("cem", &[(standing, 1)])).await.unwrap();
    change_event(&mut office, |event| event.attributes.status = EventStatus::Draft).await;
    assert_eq!(refusal(&office, standing).await, "EVENT_NOT_ON_SALE");
    office.check().await;
}

async fn uncached_ticket_type_is_read(world: World) {
    let (office, standing) = warm(world, Some(9)).await;
    let seated = office.ticket_type(Some(2), &[]).await;
    let reservation = office.run(office.reserve("cem", &[(standing, 1), (seated, 2)])).await.unwrap();
    assert_eq!(reservation.quantities(), [1, 2]);
    let reservation = office.run(office.reserve("dia", &[(standing, 1)])).await.unwrap();
    assert_eq!(reservation.quantities(), [1]);
    assert_eq!(refusal(&office, seated).await, "INVENTORY_EXHAUSTED");
    assert_eq!(refusal(&office, TicketTypeId::generate()).await, "TICKET_TYPE_NOT_FOUND");
    office.check().await;
}

/// A repeat is replayed, even if its command would be refused now.
async fn repeated_key_in_a_cached_batch_is_replayed(world: World) {
    let (office, standing) = warm(world, None).await;
    let other = office.ticket_type(None, &[]).await;
    office.run(office.reserve("cem", &[(other, 1)])).await.unwrap();
    let scope = Scope {
        tenant: office.tenant,
        principal: "system".into(),
        operation: Operation::ReservationCreate,
        key: IdempotencyKey::parse("twice").unwrap(),
    };
    let key = RequestKey { scope, fingerprint: Fingerprint::of(&"the same") };
    let job = || {
        let command = reserve("cem", &[(standing, 1)], None);
        Arc::new(Job::new(&office.world.ctx(office.tenant), command, Some(key.clone())))
    };
    let first = office.run(job()).await.unwrap();
    change_type(&office, standing, |ticket_type| ticket_type.attributes.status = TypeStatus::Inactive).await;
    let jobs = [job(), office.reserve("dia", &[(other, 1)])];
    let verdicts = office.batch(&jobs).await;
    let Ok(JobOutcome::Replayed(recorded)) = &verdicts[0] else { panic!("{verdicts:?}") };
    assert_eq!(Reservation::try_from(recorded.answer.clone()).unwrap(), first);
    assert!(verdicts[1].is_ok(), "{verdicts:?}");
    office.check().await;
}

on_every_store! {
    changed_terms_apply_at_once,
    repeated_key_in_a_cached_batch_is_replayed,
    uncached_ticket_type_is_read,
}

/// Another host has sold supply that the cached event shows as free.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn supply_taken_by_another_host_is_not_sold_again() {
    async fn test(world: World) {
        let (office, standing) = warm(world, Some(10)).await;
        let other = BoxOffice { world: office.world.other_host("host-2").await, ..office.clone() };
        let reservation = other.run(other.reserve("cem", &[(standing, 7)])).await.unwrap();
        let jobs = [office.reserve("dia", &[(standing, 1)]), office.reserve("eli", &[(standing, 1)])];
        let verdicts = office.batch(&jobs).await;
        let reasons: Vec<_> =
            verdicts.iter().map(|verdict| verdict.as_ref().map_err(|error| error.reason())).collect();
        assert!(matches!(reasons[..], [Ok(_), Err("INVENTORY_EXHAUSTED")]), "{reasons:?}");
        other.release(reservation.id, &[reservation.units[0].id]).await.unwrap();
        office.run(office.reserve("eli", &[(standing, 1)])).await.unwrap();
        assert_eq!(office.counts(office.event.id).await, Counts { held: 10, sold: 0, locked: 0 });
        office.check().await;
        other.world.store.close().await;
    }
    run(Kind::Postgres, test).await;
}

/// Waits until a statement waits for a lock of rows.
async fn waits_for_a_lock(world: &World) {
    let mut raw = world.raw().await;
    let patience = std::time::Instant::now() + Duration::from_secs(20);
    let waiting = "SELECT count(*) FROM pg_locks JOIN pg_stat_activity USING (pid)
         WHERE NOT granted AND datname = current_database()";
    while sqlx::query_scalar::<_, i64>(waiting).fetch_one(&mut raw).await.unwrap() == 0 {
        assert!(std::time::Instant::now() < patience, "no statement waits for the pools");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    raw.close().await.unwrap();
}

/// Commits during a batch's wait for the pools apply to it, and its time is that after the wait.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn batch_that_waited_for_locks_uses_present_terms() {
    async fn test(world: World) {
        let (office, standing) = warm(world, Some(10)).await;
        for patience in [80, 400] {
            let mut raw = office.world.raw().await;
            let mut holder = raw.begin().await.unwrap();
            holder.execute("SELECT 1 FROM pools ORDER BY id FOR NO KEY UPDATE").await.unwrap();
            let waiting = office.clone();
            let reserved =
                tokio::spawn(async move { waiting.run(waiting.reserve("cem", &[(standing, 1)])).await });
            waits_for_a_lock(&office.world).await;
            change_type(&office, standing, |ticket_type| ticket_type.attributes.price.amount = patience)
                .await;
            let longer = office.world.store.now().plus(Duration::from_millis(patience.unsigned_abs()));
            office.world.wait_until(longer).await;
            let before = office.world.store.now();
            holder.commit().await.unwrap();
            let reservation = reserved.await.unwrap().unwrap();
            assert_eq!(reservation.total().unwrap().amount, patience);
            assert!(reservation.created_at.plus(Duration::from_millis(50)) >= before, "{reservation:?}");
            raw.close().await.unwrap();
        }
        office.check().await;
    }
    run(Kind::Postgres, test).await;
}
