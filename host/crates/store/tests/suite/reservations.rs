//! Batches of reservations: each command has its own result, pools are never oversold, counts are consistent.

use std::sync::Arc;

use sqlx::{AssertSqlSafe, Connection as _, Executor as _};
use tessera_core::access::Operation;
use tessera_core::changeset::Write;
use tessera_core::id::LockId;
use tessera_core::idempotency::{Fingerprint, IdempotencyKey, RequestKey, Scope};
use tessera_core::inventory::HoldRules;
use tessera_core::inventory::{Command, Counts, Job, JobOutcome, Lock, Reservation, ReservationState};
use tessera_core::ports::DueWork;
use tessera_core::{IfVersion, Result};

use crate::box_office::{BoxOffice, done, hold, reserve, seats};
use crate::world::{Kind, World, run};

fn reason(verdict: Result<Reservation>) -> String {
    verdict.unwrap_err().reason().to_owned()
}

async fn reservation_goes_from_hold_to_confirmation(world: World) {
    let office = BoxOffice::open(world, Some(10), |_| ()).await;
    let standing = office.ticket_type(Some(5), &[]).await;
    let reservation = office.run(office.reserve("ann", &[(standing, 3)])).await.unwrap();
    assert_eq!(reservation.state, ReservationState::Held);
    assert_eq!(reservation.units.len(), 3);
    assert_eq!(reservation.total().unwrap().amount, 3_750);
    assert_eq!(office.counts(standing).await, Counts { held: 3, sold: 0, locked: 0 });
    assert_eq!(office.counts(office.event.id).await, Counts { held: 3, sold: 0, locked: 0 });
    let stored = office.world.store.reservation(office.tenant, reservation.id).await.unwrap().unwrap();
    assert_eq!(stored, reservation);
    let longer = office.extend(reservation.id, Some(1_200)).await.unwrap();
    assert!(longer.expires_at > reservation.expires_at && longer.version == 2);
    let less = office.release(reservation.id, &[reservation.units[1].id]).await.unwrap();
    assert_eq!((less.units.len(), less.state), (2, ReservationState::Held));
    let sold = office.confirm(reservation.id).await.unwrap();
    assert_eq!((sold.state, sold.version), (ReservationState::Confirmed, 4));
    assert_eq!(sold.payment_reference.as_deref(), Some("paid"));
    assert_eq!(office.counts(standing).await, Counts { held: 0, sold: 2, locked: 0 });
    for refused in [office.confirm(reservation.id).await, office.release(reservation.id, &[]).await] {
        assert_eq!(reason(refused), "TRANSITION_NOT_ALLOWED");
    }
    let hold = office.run(office.reserve("ben", &[(standing, 1)])).await.unwrap();
    let released = office.release(hold.id, &[]).await.unwrap();
    assert_eq!((released.state, released.units.len()), (ReservationState::Released, 0));
    office.check().await;
    let facts = office.world.numbered(11).await;
    let of: Vec<_> = facts.iter().filter(|fact| fact.body.object.id == reservation.id.to_string()).collect();
    let types: Vec<_> = of.iter().map(|fact| &*fact.body.fact_type).collect();
    let expected =
        ["reservation.held", "reservation.extended", "reservation.released", "reservation.confirmed"];
    assert_eq!(types, expected);
    assert!(of.iter().all(|fact| fact.body.event == Some(office.event.id)));
}

async fn sweep_ends_holds_in_slices_of_units(world: World) {
    let holds = HoldRules { default: Some(2), min: Some(1), max: Some(2) };
    let office = BoxOffice::open(world, None, |text| hold(text, holds)).await;
    let standing = office.ticket_type(None, &[]).await;
    let jobs: Vec<_> =
        (0..25).map(|number| office.reserve(&format!("buyer {number}"), &[(standing, 50)])).collect();
    let held: Vec<_> = office.batch(&jobs).await.into_iter().map(|verdict| done(verdict).unwrap()).collect();
    office.wait_for_end(&held[24]).await;
    // 20 holds have 1,000 units.
    for expected in [20, 5, 0] {
        let swept = office.batch(&[office.job(Command::Sweep)]).await.pop().unwrap();
        assert!(matches!(swept, Ok(JobOutcome::Swept(ended)) if ended == expected), "{swept:?}");
    }
    assert_eq!(office.counts(standing).await, Counts::default());
    office.check().await;
}

async fn lines_on_one_pool_are_summed_and_atomic(world: World) {
    let office = BoxOffice::open(world, None, |_| ()).await;
    let shared = office.shared(5).await;
    let (adult, child) =
        (office.ticket_type(None, &[shared]).await, office.ticket_type(Some(4), &[shared]).await);
    let job = office.reserve("ann", &[(adult, 3), (child, 3)]);
    assert_eq!(reason(office.run(job).await), "INVENTORY_EXHAUSTED");
    assert_eq!(office.counts(shared).await, Counts::default());
    let reservation = office.run(office.reserve("ann", &[(adult, 3), (child, 2)])).await.unwrap();
    assert_eq!(reservation.quantities(), [3, 2]);
    assert_eq!(office.counts(shared).await.held, 5);
    assert_eq!(reason(office.run(office.reserve("ben", &[(adult, 1)])).await), "INVENTORY_EXHAUSTED");
    office.check().await;
}

async fn each_command_of_a_batch_has_its_own_result(world: World) {
    let office = BoxOffice::open(world, Some(7), |_| ()).await;
    let standing = office.ticket_type(None, &[]).await;
    let first = office.run(office.reserve("ann", &[(standing, 2)])).await.unwrap();
    let jobs = [
        office.reserve("ben", &[(standing, 3)]),
        office.reserve("cem", &[(standing, 3)]),
        office.job(Command::Release { id: first.id, units: Vec::new(), if_version: IfVersion::default() }),
        office.reserve("dia", &[(standing, 3)]),
        office.job(Command::Confirm {
            id: first.id,
            payment_reference: "p".into(),
            if_version: IfVersion::default(),
        }),
        office.reserve("eli", &[(standing, 200)]),
    ];
    let verdicts = office.batch(&jobs).await;
    let reasons: Vec<_> = verdicts
        .iter()
        .map(|verdict| verdict.as_ref().map_or_else(|error| error.reason(), |_| "ok"))
        .collect();
    let expected = ["ok", "INVENTORY_EXHAUSTED", "ok", "ok", "TRANSITION_NOT_ALLOWED", "INVALID_ARGUMENT"];
    assert_eq!(reasons, expected);
    assert_eq!(office.counts(office.event.id).await.held, 6);
    office.check().await;
}

async fn expired_hold_cannot_be_confirmed_and_returns_its_supply(world: World) {
    let holds = HoldRules { default: Some(2), min: Some(1), max: Some(2) };
    let office = BoxOffice::open(world, Some(2), |text| hold(text, holds)).await;
    let standing = office.ticket_type(None, &[]).await;
    let reservation = office.run(office.reserve("ann", &[(standing, 2)])).await.unwrap();
    assert_eq!(reason(office.run(office.reserve("ben", &[(standing, 1)])).await), "INVENTORY_EXHAUSTED");
    assert!(office.world.store.due_events(office.tenant, 9).await.unwrap().is_empty());
    let tenants = async || office.world.tenants_with(DueWork::Holds).await;
    assert_eq!(tenants().await, []);
    office.wait_for_end(&reservation).await;
    assert_eq!(office.world.store.due_events(office.tenant, 9).await.unwrap(), [office.event.id]);
    assert_eq!(tenants().await, [office.tenant]);
    // A batch expires due holds before it refuses for lack of supply.
    let next = office.run(office.reserve("ben", &[(standing, 1)])).await.unwrap();
    assert_eq!(reason(office.confirm(reservation.id).await), "RESERVATION_EXPIRED");
    let ended = office.world.store.reservation(office.tenant, reservation.id).await.unwrap().unwrap();
    assert_eq!((ended.state, ended.units.len()), (ReservationState::Expired, 0));
    // A late confirmation expires the hold.
    office.wait_for_end(&next).await;
    assert_eq!(reason(office.confirm(next.id).await), "RESERVATION_EXPIRED");
    assert_eq!(office.counts(office.event.id).await, Counts::default());
    let verdict = office.batch(&[office.job(Command::Sweep)]).await.pop().unwrap();
    assert!(matches!(verdict, Ok(JobOutcome::Swept(0))));
    office.check().await;
}

async fn repeated_key_is_replayed_and_another_body_is_refused(world: World) {
    let office = BoxOffice::open(world, Some(9), |_| ()).await;
    let standing = office.ticket_type(None, &[]).await;
    let keyed = |fingerprint: u8, units| {
        let key = IdempotencyKey::parse("key").unwrap();
        let operation = Operation::ReservationCreate;
        let scope = Scope { tenant: office.tenant, principal: "system".into(), operation, key };
        let key = Some(RequestKey { scope, fingerprint: Fingerprint([fingerprint; 32]) });
        let command = reserve("ann", &[(standing, units)], None);
        Arc::new(Job::new(&office.world.ctx(office.tenant), command, key))
    };
    let first = office.run(keyed(1, 2)).await.unwrap();
    // In the same batch, in the next one, and with another body.
    let verdicts = office.batch(&[keyed(1, 2), keyed(1, 2), keyed(2, 3)]).await;
    for verdict in &verdicts[..2] {
        let Ok(JobOutcome::Replayed(recorded)) = verdict else { panic!("{verdict:?}") };
        assert_eq!(Reservation::try_from(recorded.answer.clone()).unwrap(), first);
    }
    assert_eq!(verdicts[2].as_ref().unwrap_err().reason(), "IDEMPOTENCY_KEY_REUSED");
    assert_eq!(office.counts(standing).await.held, 2);
}

async fn buyer_limit_is_enforced(world: World) {
    let office = BoxOffice::open(world, None, |text| text.buyer_limit = Some(4)).await;
    let standing = office.ticket_type(None, &[]).await;
    let reservation = office.run(office.reserve("ann", &[(standing, 3)])).await.unwrap();
    assert_eq!(reason(office.run(office.reserve("ann", &[(standing, 2)])).await), "BUYER_LIMIT_REACHED");
    // Also within one batch, and for each buyer separately.
    let jobs = [("ann", 1), ("ann", 1), ("ben", 4)]
        .map(|(buyer, units)| office.reserve(buyer, &[(standing, units)]));
    let verdicts = office.batch(&jobs).await;
    assert_eq!(verdicts.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false, true]);
    office.confirm(reservation.id).await.unwrap();
    assert_eq!(reason(office.run(office.reserve("ann", &[(standing, 1)])).await), "BUYER_LIMIT_REACHED");
}

async fn seat_belongs_to_one_unit_and_seats_are_adjacent(world: World) {
    let office = BoxOffice::open(world, None, |_| ()).await;
    let stalls = office.ticket_type_with(Some(8), &[], true).await;
    let rows = [seats(office.event.id, stalls, "A", 3), seats(office.event.id, stalls, "B", 5)].concat();
    office.world.store(office.world.change(office.tenant).write(Write::PutSeats(rows.clone()))).await;
    let labels = |reservation: &Reservation| -> Vec<String> {
        reservation.units.iter().map(|unit| unit.seat.as_ref().unwrap().label.clone()).collect()
    };
    let named = |buyer: &str, labels: &[&str]| {
        let Command::Reserve(mut command) = reserve(buyer, &[(stalls, labels.len())], None) else {
            unreachable!()
        };
        command.lines[0].seats = labels.iter().map(|&label| label.to_owned()).collect();
        office.job(Command::Reserve(command))
    };
    let ann = office.run(named("ann", &["A2", "B5"])).await.unwrap();
    assert_eq!(labels(&ann), ["A2", "B5"]);
    assert_eq!(reason(office.run(named("ben", &["A1", "A2"])).await), "SEAT_TAKEN");
    assert_eq!(reason(office.run(named("ben", &["Z1"])).await), "INVALID_ARGUMENT");
    // Two commands of a batch request the same seat.
    let verdicts = office.batch(&[named("ben", &["A1"]), named("cem", &["A1"])]).await;
    assert_eq!(verdicts.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false]);
    let four = office.run(office.reserve("dia", &[(stalls, 4)])).await.unwrap();
    assert_eq!(labels(&four), ["B1", "B2", "B3", "B4"]);
    assert_eq!(reason(office.run(office.reserve("eli", &[(stalls, 2)])).await), "INVENTORY_EXHAUSTED");
    // A released seat is free at once, also within the releasing batch.
    let back = office.job(Command::Release {
        id: ann.id,
        units: vec![ann.units[0].id],
        if_version: IfVersion::default(),
    });
    let verdicts = office.batch(&[back, named("eli", &["A2"])]).await;
    assert!(verdicts.iter().all(Result::is_ok), "{verdicts:?}");
    let by = |reservation: &Reservation, label: &str| {
        reservation.units.iter().find(|unit| unit.seat.as_ref().unwrap().label == label).map(|unit| unit.id)
    };
    let seats =
        office.world.store.seats_named(office.tenant, stalls, &["A2".into(), "B5".into()]).await.unwrap();
    let eli = done(verdicts.into_iter().nth(1).unwrap()).unwrap();
    for seat in seats {
        let of = if seat.label == "A2" { &eli } else { &ann };
        assert_eq!(seat.unit, by(of, &seat.label));
    }
    let ids = vec![rows[1].id];
    let deletion = office.world.change(office.tenant).write(Write::DropSeats(stalls, ids));
    assert!(office.world.commit(deletion).await.unwrap_err().is_stale());
    office.check().await;
}

/// Independent of the number of seats of other ticket types and of other commands.
async fn seats_of_each_ticket_type_are_considered(world: World) {
    let office = BoxOffice::open(world, None, |_| ()).await;
    let (stalls, boxes) = (
        office.ticket_type_with(Some(2_100), &[], true).await,
        office.ticket_type_with(Some(3), &[], true).await,
    );
    let mut seats_of_all = seats(office.event.id, boxes, "Z", 3);
    for row in 0..21 {
        seats_of_all.extend(seats(office.event.id, stalls, &format!("A{row:02}-"), 100));
    }
    let fact = office.world.fact(office.tenant, "seats.made", &office.event);
    office
        .world
        .store(office.world.change(office.tenant).write(Write::PutSeats(seats_of_all)).fact(fact))
        .await;
    let jobs: Vec<_> = (0..210)
        .map(|buyer| office.reserve(&format!("buyer-{buyer}"), &[(stalls, 10)]))
        .chain([office.reserve("ann", &[(boxes, 3)]), office.reserve("ben", &[(boxes, 1)])])
        .collect();
    let verdicts = office.batch(&jobs).await;
    let refused: Vec<_> = verdicts.iter().filter_map(|verdict| verdict.as_ref().err()).collect();
    assert!(matches!(refused[..], [error] if error.reason() == "INVENTORY_EXHAUSTED"), "{refused:?}");
    assert_eq!(office.counts(stalls).await.held, 2_100);
    office.check().await;
}

async fn locked_units_are_not_sold_until_unlocked(world: World) {
    let office = BoxOffice::open(world, Some(5), |_| ()).await;
    let standing = office.ticket_type(None, &[]).await;
    let now = office.world.store.now();
    let lock = Lock {
        id: LockId::generate(),
        event: office.event.id,
        pool: office.event.id.into(),
        quantity: 3,
        reason: "press".into(),
        until: Some(now),
        created_at: now,
        version: 1,
    };
    let fact = office.world.fact(office.tenant, "inventory.locked", &lock);
    office.world.store(office.world.change(office.tenant).insert(lock.clone()).fact(fact)).await;
    assert_eq!(office.counts(office.event.id).await.locked, 3);
    assert_eq!(reason(office.run(office.reserve("ann", &[(standing, 3)])).await), "INVENTORY_EXHAUSTED");
    office.run(office.reserve("ann", &[(standing, 2)])).await.unwrap();
    let more = Lock { id: LockId::generate(), quantity: 1, ..lock.clone() };
    let fact = office.world.fact(office.tenant, "inventory.locked", &more);
    let refused = office.world.commit(office.world.change(office.tenant).insert(more).fact(fact)).await;
    assert!(refused.unwrap_err().is_stale());
    let due = office.world.store.due_locks(office.tenant, 9).await.unwrap();
    assert_eq!(due, std::slice::from_ref(&lock));
    assert_eq!(office.world.tenants_with(DueWork::Locks).await, [office.tenant]);
    office.world.store(office.world.change(office.tenant).delete(lock)).await;
    assert_eq!(office.counts(office.event.id).await, Counts { held: 2, sold: 0, locked: 0 });
    office.check().await;
}

async fn concurrent_sales_do_not_oversell(world: World) {
    let office = BoxOffice::open(world, Some(100), |_| ()).await;
    let standing = office.ticket_type(None, &[]).await;
    let attempts = (0..40).map(|attempt| {
        let office = office.clone();
        tokio::spawn(async move {
            let mut won = 0;
            for round in 0..4 {
                let jobs: Vec<_> = (0..4)
                    .map(|n| office.reserve(&format!("b{attempt}-{round}-{n}"), &[(standing, 1)]))
                    .collect();
                for verdict in office.batch(&jobs).await {
                    match done(verdict) {
                        Ok(reservation) => {
                            office.confirm(reservation.id).await.unwrap();
                            won += 1;
                        }
                        Err(error) => assert_eq!(error.reason(), "INVENTORY_EXHAUSTED"),
                    }
                }
            }
            won
        })
    });
    let mut sold = 0;
    for attempt in attempts.collect::<Vec<_>>() {
        sold += attempt.await.unwrap();
    }
    assert_eq!(sold, 100);
    assert_eq!(office.counts(office.event.id).await, Counts { held: 0, sold: 100, locked: 0 });
    office.check().await;
}

on_every_store! {
    reservation_goes_from_hold_to_confirmation,
    sweep_ends_holds_in_slices_of_units,
    lines_on_one_pool_are_summed_and_atomic,
    each_command_of_a_batch_has_its_own_result,
    expired_hold_cannot_be_confirmed_and_returns_its_supply,
    repeated_key_is_replayed_and_another_body_is_refused,
    buyer_limit_is_enforced,
    seat_belongs_to_one_unit_and_seats_are_adjacent,
    seats_of_each_ticket_type_are_considered,
    locked_units_are_not_sold_until_unlocked,
    concurrent_sales_do_not_oversell,
}

/// Two hosts that share only the rows sell exactly the capacity.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_hosts_do_not_oversell() {
    async fn test(world: World) {
        let office = BoxOffice::open(world, Some(150), |_| ()).await;
        let standing = office.ticket_type(None, &[]).await;
        let other = BoxOffice { world: office.world.other_host("host-2").await, ..office.clone() };
        let sell = |office: BoxOffice, host: &'static str| async move {
            let mut sold = 0;
            for round in 0..30 {
                let jobs: Vec<_> =
                    (0..5).map(|n| office.reserve(&format!("{host}{round}{n}"), &[(standing, 1)])).collect();
                sold += office.batch(&jobs).await.into_iter().filter(Result::is_ok).count();
            }
            sold
        };
        let (one, two) =
            tokio::join!(tokio::spawn(sell(office.clone(), "a")), tokio::spawn(sell(other.clone(), "b")));
        assert_eq!(one.unwrap() + two.unwrap(), 150);
        office.check().await;
        other.world.store.close().await;
    }
    run(Kind::Postgres, test).await;
}

/// Check constraints refuse overselling independently of the rules.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn database_constraints_refuse_overselling() {
    async fn test(world: World) {
        let office = BoxOffice::open(world, Some(3), |_| ()).await;
        let standing = office.ticket_type(None, &[]).await;
        let reservation = office.run(office.reserve("ann", &[(standing, 2)])).await.unwrap();
        let mut raw = office.world.raw().await;
        let wrong = [
            "UPDATE pools SET sold = sold + 2 WHERE sort = 'event'",
            "UPDATE pools SET held = held - 3 WHERE sort = 'event'",
            "UPDATE pools SET capacity = 1 WHERE sort = 'event'",
            "UPDATE reservations SET state = 'lost'",
            "UPDATE reservations SET quantity = -1",
        ];
        for sql in wrong {
            let refused = raw.execute(AssertSqlSafe(sql)).await.unwrap_err();
            let code = refused.as_database_error().unwrap().code().unwrap().into_owned();
            assert_eq!(code, "23514", "{sql}");
        }
        // A reservation that was changed outside of the store is read again.
        raw.execute(AssertSqlSafe("UPDATE reservations SET version = 7")).await.unwrap();
        let now = office.confirm(reservation.id).await.unwrap();
        assert_eq!(now.version, 8);
        raw.close().await.unwrap();
    }
    run(Kind::Postgres, test).await;
}
