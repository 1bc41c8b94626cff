//! Tickets: issued on confirmation, returned to their pools, checked in once. Signing keys.

use sqlx::{AssertSqlSafe, Connection as _, Executor as _};
use tessera_core::admission::GateCounts;
use tessera_core::admission::check_in::{self, Undone};
use tessera_core::admission::{CheckIn, Direction, SigningKey, Ticket, TicketState, Verdict, revoked_codes};
use tessera_core::catalog::{Event, EventStatus};
use tessera_core::changeset::{Changeset, Committed, Write};
use tessera_core::id::{CheckInId, TicketId};
use tessera_core::inventory::{Counts, Reservation};
use tessera_core::ports::DueWork;
use tessera_core::{Error, Result};

use crate::box_office::{BoxOffice, reserve, seats};
use crate::world::{Kind, World, page, run};

/// Creates a confirmed reservation of three seats.
async fn sold(world: World) -> (BoxOffice, Reservation) {
    let office = BoxOffice::open(world, Some(10), |_| ()).await;
    let seated = office.ticket_type_with(Some(4), &[], true).await;
    let row = seats(office.event.id, seated, "A", 4);
    office.world.store(office.world.change(office.tenant).write(Write::PutSeats(row))).await;
    let reservation = office.run(office.job(reserve("ann", &[(seated, 3)], None))).await.unwrap();
    let reservation = office.confirm(reservation.id).await.unwrap();
    (office, reservation)
}

async fn commit(office: &BoxOffice, changeset: Changeset) -> Result<Committed> {
    office.world.store.commit(changeset).await
}

fn check_in(of: &Ticket, gate: &str, nonce: Option<&str>) -> CheckIn {
    CheckIn {
        id: CheckInId::generate(),
        event: of.event,
        ticket: of.id,
        direction: Direction::In,
        verdict: Verdict::Accepted,
        at: of.created_at,
        gate: gate.into(),
        device: "d".into(),
        staff: String::new(),
        nonce: nonce.map(str::to_owned),
        serial: Some(of.serial),
        reentry: true,
        created_by: "system".into(),
        recorded_at: of.created_at,
        undone: None,
    }
}

fn next(of: &Ticket) -> Ticket {
    Ticket { version: of.version + 1, ..of.clone() }
}

async fn confirmation_issues_one_ticket_per_unit(world: World) {
    let (office, reservation) = sold(world).await;
    office.check().await;
    for unit in &reservation.units {
        let ticket = office.world.store.ticket(office.tenant, unit.id).await.unwrap().unwrap();
        let expected = Ticket::issued(&reservation, unit, reservation.updated_at).unwrap();
        assert_eq!(ticket, expected);
        assert!(ticket.seat.is_some());
    }
    let other = office.world.tenant("other").await;
    assert_eq!(office.world.store.ticket(other, reservation.units[0].id).await.unwrap(), None);
    assert_eq!(office.world.store.ticket(office.tenant, TicketId::generate()).await.unwrap(), None);
}

async fn cancelled_ticket_returns_its_unit_and_seat(world: World) {
    let (office, reservation) = sold(world).await;
    let (store, tenant) = (office.world.store.clone(), office.tenant);
    let ticket = store.ticket(tenant, reservation.units[1].id).await.unwrap().unwrap();
    let cancelled = ticket.cancelled(store.now()).unwrap();
    let mut rest = Reservation { version: reservation.version + 1, ..reservation.clone() };
    rest.units.remove(1);
    let line = &reservation.lines[0];
    let back = Write::ReturnUnit {
        event: reservation.event,
        unit: ticket.id,
        pools: line.pools.clone(),
        seat: Some((line.ticket_type, ticket.seat.clone().unwrap().id)),
    };
    let change = || {
        let changeset = office.world.change(tenant).update(cancelled.clone()).update(rest.clone());
        changeset.write(back.clone())
    };
    office.world.store(change()).await;
    office.check().await;
    assert_eq!(office.counts(line.ticket_type).await, Counts { held: 0, sold: 2, locked: 0 });
    assert_eq!(store.ticket(tenant, ticket.id).await.unwrap().unwrap().state, TicketState::Cancelled);
    assert_eq!(store.reservation(tenant, reservation.id).await.unwrap().unwrap().units, rest.units);
    // The seat can be sold again.
    let again = office.run(office.job(reserve("ben", &[(line.ticket_type, 2)], None))).await.unwrap();
    assert!(again.units.iter().any(|unit| unit.seat == ticket.seat));
    // A second return is stale.
    assert!(commit(&office, change()).await.unwrap_err().is_stale());
    let request = page(&revoked_codes::SPEC, 10, "");
    let revoked = store.revoked(tenant, reservation.event, &request).await.unwrap().items;
    assert_eq!(
        revoked.iter().map(|one| (one.ticket, one.valid_serial)).collect::<Vec<_>>(),
        [(ticket.id, None)]
    );
}

async fn check_in_compares_versions_and_nonce_is_unique(world: World) {
    let (office, reservation) = sold(world).await;
    let (store, tenant) = (office.world.store.clone(), office.tenant);
    let ticket = store.ticket(tenant, reservation.units[0].id).await.unwrap().unwrap();
    let first = check_in(&ticket, "north", Some("n-1"));
    let change = |scan: &CheckIn, of: &Ticket| {
        office.world.change(tenant).update(next(of)).write(Write::PutCheckIns(vec![scan.clone()]))
    };
    office.world.store(change(&first, &ticket)).await;
    // A second decision by the same version is stale.
    let second = check_in(&ticket, "south", None);
    assert!(commit(&office, change(&second, &ticket)).await.unwrap_err().is_stale());
    // The same scan from another request is stale, and found on the retry.
    let ticket = next(&ticket);
    let twin = check_in(&ticket, "north", Some("n-1"));
    assert!(commit(&office, change(&twin, &ticket)).await.unwrap_err().is_stale());
    let named = store.check_in_named(tenant, (reservation.event, "d", "n-1")).await.unwrap();
    assert_eq!(named.as_ref(), Some(&first));
    let second = CheckIn { verdict: Verdict::Duplicate, ..second };
    office.world.store(change(&second, &ticket)).await;
    assert_eq!(store.check_ins_of(tenant, ticket.id).await.unwrap().len(), 2);
    let passed = |entries, refused| GateCounts { entries, exits: 0, refused };
    let between = (first.at.minus(DAY), first.at.plus(DAY));
    let stats = store.door_stats(tenant, reservation.event, between).await.unwrap();
    assert_eq!((stats.valid, stats.cancelled), (3, 0));
    let gates = [("north".to_owned(), passed(1, 0)), ("south".to_owned(), passed(0, 1))];
    assert_eq!(stats.gates, gates);
    let minutes: Vec<_> =
        stats.minutes.iter().map(|(_, gate, passed)| (gate.clone(), passed.clone())).collect();
    assert_eq!(minutes, gates);
    assert!(stats.minutes.iter().all(|(at, ..)| at.micros() % 60_000_000 == 0 && *at <= first.at));
    // An undone check-in is kept but not counted.
    let undone = CheckIn { undone: Some(Undone { by: "system".into(), at: first.at }), ..first.clone() };
    office.world.store(change(&undone, &next(&ticket))).await;
    assert_eq!(store.check_in(tenant, first.id).await.unwrap(), Some(undone));
    let stats = store.door_stats(tenant, reservation.event, between).await.unwrap();
    assert_eq!(stats.gates, [("south".to_owned(), passed(0, 1))]);
    let list = |filter: &'static str| {
        let (store, mut request) = (store.clone(), page(&check_in::SPEC, 10, ""));
        request.filter = office.world.filter(tenant, &check_in::SPEC, filter);
        async move { store.check_ins(tenant, reservation.event, &request).await.unwrap().items.len() }
    };
    assert_eq!(
        (list("").await, list("undone:true").await, list("gate:south verdict:duplicate").await),
        (2, 1, 1)
    );
}

const DAY: std::time::Duration = std::time::Duration::from_secs(86_400);

async fn signing_key_number_is_unique(world: World) {
    let tenant = world.tenant("acme").await;
    let key = SigningKey {
        id: 1,
        public: vec![1; 32],
        sealed: vec![2; 60],
        created_at: world.store.now(),
        revoked_at: None,
        version: 1,
    };
    world.store(world.change(tenant).insert(key.clone())).await;
    let twin = SigningKey { public: vec![3; 32], ..key.clone() };
    let refused: Error = world.store.commit(world.change(tenant).insert(twin)).await.unwrap_err();
    assert!(refused.is_stale());
    let revoked = SigningKey { revoked_at: Some(key.created_at), version: 2, ..key.clone() };
    let second = SigningKey { id: 2, ..key };
    world.store(world.change(tenant).update(revoked.clone()).insert(second.clone())).await;
    assert_eq!(world.store.signing_keys(tenant).await.unwrap(), [revoked, second]);
    let other = world.tenant("other").await;
    assert_eq!(world.store.signing_keys(other).await.unwrap(), []);
}

async fn valid_tickets_of_a_cancelled_event_are_listed(world: World) {
    let (office, reservation) = sold(world).await;
    let (store, tenant) = (office.world.store.clone(), office.tenant);
    assert_eq!(store.tickets_to_cancel(tenant, reservation.event, 9).await.unwrap(), []);
    let mut event = Event { version: 2, ..office.event.clone() };
    event.attributes.status = EventStatus::Cancelled;
    office.world.store(office.world.change(tenant).update(event)).await;
    let due = store.tickets_to_cancel(tenant, reservation.event, 2).await.unwrap();
    assert_eq!(due.len(), 2);
    store.note_swept(tenant, reservation.event).await.unwrap();
    assert_eq!(store.due_events(tenant, 9).await.unwrap(), [reservation.event]);
    assert_eq!(office.world.tenants_with(DueWork::Holds).await, [tenant]);
    let mut changeset = office.world.change(tenant);
    for ticket in store.tickets_to_cancel(tenant, reservation.event, 9).await.unwrap() {
        changeset = changeset.update(ticket.cancelled(store.now()).unwrap());
    }
    office.world.store(changeset).await;
    assert_eq!(store.tickets_to_cancel(tenant, reservation.event, 9).await.unwrap(), []);
    store.note_swept(tenant, reservation.event).await.unwrap();
    assert_eq!(store.due_events(tenant, 9).await.unwrap(), []);
}

on_every_store! {
    confirmation_issues_one_ticket_per_unit,
    cancelled_ticket_returns_its_unit_and_seat,
    check_in_compares_versions_and_nonce_is_unique,
    signing_key_number_is_unique,
    valid_tickets_of_a_cancelled_event_are_listed,
}

/// Unique indexes refuse duplicates independently of the code.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn database_refuses_duplicate_tickets_and_scans() {
    async fn test(world: World) {
        let (office, reservation) = sold(world).await;
        let ticket =
            office.world.store.ticket(office.tenant, reservation.units[0].id).await.unwrap().unwrap();
        let scan = Write::PutCheckIns(vec![check_in(&ticket, "north", Some("n-1"))]);
        office.world.store(office.world.change(office.tenant).write(scan)).await;
        let mut raw = office.world.raw().await;
        let wrong = [
            ("INSERT INTO tickets SELECT * FROM tickets", "23505"),
            ("UPDATE tickets SET state = 'used'", "23514"),
            ("UPDATE tickets SET state = 'cancelled'", "23514"),
            ("UPDATE tickets SET serial = 0", "23514"),
            ("DELETE FROM tickets", "23503"),
            (
                "INSERT INTO check_ins (tenant_id, id, event_id, ticket_id, direction, verdict, at, gate, device, staff,
                 nonce, serial, created_by, recorded_at)
                 SELECT tenant_id, gen_random_uuid(), event_id, ticket_id, direction, verdict, at, gate, device, staff,
                 nonce, serial, created_by, recorded_at FROM check_ins",
                "23505",
            ),
        ];
        for (sql, expected) in wrong {
            let refused = raw.execute(AssertSqlSafe(sql)).await.unwrap_err();
            let code = refused.as_database_error().unwrap().code().unwrap().into_owned();
            assert_eq!(code, expected, "{sql}");
        }
        raw.close().await.unwrap();
    }
    run(Kind::Postgres, test).await;
}
