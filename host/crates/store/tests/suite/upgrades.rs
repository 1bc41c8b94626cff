//! What was stored before a migration is worth afterwards what it was.

use std::fmt::Write as _;

use tessera_core::admission::check_in::settle;
use tessera_core::id::{TenantId, TicketId};
use uuid::Uuid;

use crate::world::{Kind, World, run_upgraded};

/// Literals of a database.
#[derive(Clone, Copy)]
struct Literals(Kind);

impl Literals {
    fn id(self, number: usize) -> String {
        let id = uuid(number);
        if self.0 == Kind::Sqlite { format!("x'{}'", id.simple()) } else { format!("'{id}'") }
    }

    fn at(self, second: usize) -> String {
        let seconds = 1_800_000_000 + second;
        if self.0 == Kind::Sqlite { format!("{seconds}000000") } else { format!("to_timestamp({seconds})") }
    }
}

fn uuid(number: usize) -> Uuid {
    Uuid::from_u128(0x0198_c0de << 96 | 0x7000 << 64 | 0x8 << 60 | number as u128)
}

const TENANT: usize = 1;

/// A scan from before: which way, its verdict, whether it was taken back; and by which rule it is judged from now on.
type Scan = (&'static str, &'static str, bool, bool);

/// Scans of one ticket each, a second apart, and whether its event lets anybody in again by now.
const SCANS: [(bool, &[Scan]); 5] = [
    // It did, and does not any more.
    (
        false,
        &[
            ("in", "accepted", false, false),
            ("in", "duplicate", false, false),
            ("out", "accepted", false, true),
            ("out", "stray", false, false),
            ("in", "accepted", false, true),
            ("out", "stray", false, false),
            ("in", "duplicate", false, false),
        ],
    ),
    // It did not, and does now.
    (
        true,
        &[
            ("out", "stray", false, false),
            ("in", "accepted", false, true),
            ("out", "stray", false, false),
            ("in", "duplicate", false, false),
            ("out", "accepted", false, true),
            ("in", "accepted", false, true),
        ],
    ),
    // Who was let in after all that went before was taken back came in for the first time.
    (
        false,
        &[
            ("in", "accepted", true, false),
            ("in", "accepted", false, false),
            ("in", "duplicate", false, false),
        ],
    ),
    // The code is void from the second second on, and the new one is good.
    (true, &[("in", "accepted", false, true), ("in", "void", false, true), ("in", "void", false, true)]),
    (false, &[("in", "accepted", false, false)]),
];

/// The ticket of which the code has changed.
const MOVED: usize = 3;

fn rows(of: Literals) -> String {
    let (mut sql, tenant) = (String::new(), of.id(TENANT));
    for (number, (reentry, scans)) in SCANS.iter().enumerate() {
        let (event, ticket) = (of.id(100 + number), of.id(200 + number));
        let (begun, reentry) = (of.at(0), u8::from(*reentry));
        let (serial, since) = if number == MOVED { (2, of.at(1)) } else { (1, of.at(0)) };
        let event_row = format!(
            "INSERT INTO events (tenant_id, id, title, description, category, starts_at, ends_at, time_zone, status,
             featured, reentry, created_by, created_at, updated_at, version) VALUES ({tenant}, {event}, 't', '', 'c',
             {begun}, {begun}, 'UTC', 'active', '0', '{reentry}', 'system', {begun}, {begun}, 1);"
        );
        let ticket_row = format!(
            "INSERT INTO tickets (tenant_id, id, event_id, reservation_id, ticket_type_id, amount, currency, holder,
             serial, code_since, created_at, updated_at) VALUES ({tenant}, {ticket}, {event}, {event}, {event}, 100,
             'EUR', 'ann', {serial}, {since}, {begun}, {begun});"
        );
        sql += &event_row;
        sql += &ticket_row;
        for (second, (way, verdict, undone, _)) in scans.iter().enumerate() {
            let (id, at) = (of.id(1000 + 100 * number + second), of.at(second));
            let (by, when) = if *undone { ("'system'", &*at) } else { ("NULL", "NULL") };
            let values = format!(
                "{tenant}, {id}, {event}, {ticket}, '{way}', '{verdict}', {at}, 'north', 'd', '', 'n-{second}', 1,
                 'system', {at}, {by}, {when}"
            );
            writeln!(
                sql,
                "INSERT INTO check_ins (tenant_id, id, event_id, ticket_id, direction, verdict, at, gate, device, staff,
                 nonce, serial, created_by, recorded_at, undone_by, undone_at) VALUES ({values});"
            )
            .unwrap();
        }
    }
    sql
}

/// Whatever the event's rule is by now, all scans of a ticket together come to the verdicts that they had.
async fn scans_from_before_they_had_rules_keep_their_verdicts(world: World) {
    let tenant = TenantId(uuid(TENANT));
    for (number, (_, scans)) in SCANS.iter().enumerate() {
        let ticket = TicketId(uuid(200 + number));
        let ticket = world.store.ticket(tenant, ticket).await.unwrap().unwrap();
        let mut kept = world.store.check_ins_of(tenant, ticket.id).await.unwrap();
        settle(&ticket, &mut kept);
        let kept = kept
            .iter()
            .map(|scan| (scan.direction.name(), scan.verdict.name(), scan.undone.is_some(), scan.reentry));
        assert_eq!(kept.collect::<Vec<_>>(), *scans, "ticket {number}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn scans_keep_their_verdicts_on_sqlite() {
    let rows = rows(Literals(Kind::Sqlite));
    run_upgraded(Kind::Sqlite, (10, rows), scans_from_before_they_had_rules_keep_their_verdicts).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn scans_keep_their_verdicts_on_postgres() {
    let rows = rows(Literals(Kind::Postgres));
    run_upgraded(Kind::Postgres, (10, rows), scans_from_before_they_had_rules_keep_their_verdicts).await;
}
