//! Check-ins and their statistics.

use sqlx::error::DatabaseError;
use sqlx::{AssertSqlSafe, QueryBuilder, Row as _};
use tessera_core::admission::check_in::{MAX_OF_TICKET, Undone};
use tessera_core::admission::{CheckIn, Direction};
use tessera_core::admission::{DoorStats, GateCounts};
use tessera_core::filter::Term;
use tessera_core::id::{CheckInId, EventId, TenantId, TicketId};
use tessera_core::page::{Page, PageRequest};
use tessera_core::{Error, Result, Timestamp};

use super::super::execute::{read_all, read_one};
use super::super::page::{Sort, SortType, at};
use super::super::table::Table;
use super::super::{Conn, Db, Row, Ts, dialect, filter};
use crate::codec::{corrupt, moment, tiny, unsigned, verdict};
use crate::error::db_error;

static CHECK_INS: Table = Table::new(
    "check_ins",
    &["tenant_id", "id"],
    &["verdict", "undone_by", "undone_at"],
    &[
        "event_id",
        "ticket_id",
        "direction",
        "at",
        "gate",
        "device",
        "staff",
        "nonce",
        "serial",
        "reentry",
        "created_by",
        "recorded_at",
    ],
);

/// Maximum number of counts by minute and gate.
const MINUTES: u32 = 20_000;

/// Writes check-ins that are new, changed their verdict or were undone. The ticket's row is locked.
pub(in super::super) async fn put(conn: &mut Conn, tenant: TenantId, check_ins: &[CheckIn]) -> Result<()> {
    let sql = format!(
        "{} ON CONFLICT (tenant_id, id) DO UPDATE SET verdict = excluded.verdict, undone_by = excluded.undone_by,
         undone_at = excluded.undone_at",
        CHECK_INS.insert(),
    );
    for check_in in check_ins {
        sqlx::query(AssertSqlSafe(sql.clone()))
            .bind(tenant.0)
            .bind(check_in.id.0)
            .bind(check_in.verdict.name())
            .bind(check_in.undone.as_ref().map(|undone| undone.by.as_str()))
            .bind(check_in.undone.as_ref().map(|undone| Ts(undone.at)))
            .bind(check_in.event.0)
            .bind(check_in.ticket.0)
            .bind(check_in.direction.name())
            .bind(Ts(check_in.at))
            .bind(&check_in.gate)
            .bind(&check_in.device)
            .bind(&check_in.staff)
            .bind(&check_in.nonce)
            .bind(check_in.serial.map(i64::from))
            .bind(check_in.reentry)
            .bind(&check_in.created_by)
            .bind(Ts(check_in.recorded_at))
            .execute(&mut *conn)
            .await
            .map_err(|error| {
                // A concurrent report of the same scan was stored first; the retry finds it.
                let unique = error.as_database_error().is_some_and(DatabaseError::is_unique_violation);
                if unique { Error::stale() } else { db_error(error) }
            })?;
    }
    Ok(())
}

pub(in super::super) async fn get(
    conn: &mut Conn,
    tenant: TenantId,
    id: CheckInId,
) -> Result<Option<CheckIn>> {
    let mut query = CHECK_INS.of(tenant);
    query.push(" AND id = ").push_bind(id.0);
    read_one(conn, query, read).await
}

/// Returns the check-in of a device's nonce.
pub(in super::super) async fn named(
    conn: &mut Conn,
    tenant: TenantId,
    (event, device, nonce): (EventId, &str, &str),
) -> Result<Option<CheckIn>> {
    let mut query = CHECK_INS.of(tenant);
    query.push(" AND event_id = ").push_bind(event.0);
    query.push(" AND device = ").push_bind(device).push(" AND nonce = ").push_bind(nonce);
    read_one(conn, query, read).await
}

pub(in super::super) async fn of(
    conn: &mut Conn,
    tenant: TenantId,
    ticket: TicketId,
) -> Result<Vec<CheckIn>> {
    let mut query = CHECK_INS.of(tenant);
    query.push(" AND ticket_id = ").push_bind(ticket.0);
    query.push(format_args!(" LIMIT {MAX_OF_TICKET}"));
    read_all(conn, query, read).await
}

pub(in super::super) async fn list(
    conn: &mut Conn,
    tenant: TenantId,
    event: EventId,
    page: &PageRequest,
) -> Result<Page<CheckIn>> {
    let mut query = CHECK_INS.of(tenant);
    query.push(" AND event_id = ").push_bind(event.0);
    filter::push(&mut query, &page.filter, condition)?;
    let sort = Sort::by("at", SortType::Moments, |check_in: &CheckIn| at(check_in.at, &check_in.id));
    sort.descending(page.order.descending).page((conn, tenant), query, page, read).await
}

/// Sums of a group of check-ins.
const SUMS: &str = "COALESCE(SUM(CASE WHEN verdict = 'accepted' AND direction = 'in' THEN 1 ELSE 0 END), 0) \
    AS entries, COALESCE(SUM(CASE WHEN verdict = 'accepted' AND direction = 'out' THEN 1 ELSE 0 END), 0) AS exits, \
    COALESCE(SUM(CASE WHEN verdict = 'accepted' THEN 0 ELSE 1 END), 0) AS refused";

/// Counts of an event's tickets and of check-ins by gate and by minute.
pub(in super::super) async fn stats(
    conn: &mut Conn,
    tenant: TenantId,
    event: EventId,
    (from, until): (Timestamp, Timestamp),
) -> Result<DoorStats> {
    let query = sqlx::query(
        "SELECT COALESCE(SUM(CASE WHEN state = 'valid' THEN 1 ELSE 0 END), 0) AS valid,
         COALESCE(SUM(CASE WHEN state = 'cancelled' THEN 1 ELSE 0 END), 0) AS cancelled,
         COALESCE(SUM(CASE WHEN entries > 0 THEN 1 ELSE 0 END), 0) AS admitted,
         COALESCE(SUM(CASE WHEN inside THEN 1 ELSE 0 END), 0) AS inside
         FROM tickets WHERE tenant_id = $1 AND event_id = $2",
    );
    let row = query.bind(tenant.0).bind(event.0).fetch_one(&mut *conn).await.map_err(db_error)?;
    let count = |column: &str| -> Result<u64> { unsigned(row.try_get(column).map_err(db_error)?) };
    let mut stats = DoorStats {
        valid: count("valid")?,
        cancelled: count("cancelled")?,
        admitted: count("admitted")?,
        inside: count("inside")?,
        ..DoorStats::default()
    };
    let by_gate = format!(
        "SELECT gate, {SUMS} FROM check_ins
         WHERE tenant_id = $1 AND event_id = $2 AND undone_at IS NULL GROUP BY gate ORDER BY gate"
    );
    let query = sqlx::query(AssertSqlSafe(by_gate)).bind(tenant.0).bind(event.0);
    for row in query.fetch_all(&mut *conn).await.map_err(db_error)? {
        stats.gates.push((row.try_get("gate").map_err(db_error)?, passed(&row)?));
    }
    let micros = dialect::micros("at");
    let by_minute = format!(
        "SELECT {micros} - {micros} % 60000000 AS minute, gate, {SUMS} FROM check_ins
         WHERE tenant_id = $1 AND event_id = $2 AND undone_at IS NULL AND at >= $3 AND at < $4
         GROUP BY 1, gate ORDER BY 1, gate LIMIT {MINUTES}"
    );
    let query = sqlx::query(AssertSqlSafe(by_minute)).bind(tenant.0).bind(event.0);
    for row in query.bind(Ts(from)).bind(Ts(until)).fetch_all(conn).await.map_err(db_error)? {
        let minute = moment(row.try_get("minute").map_err(db_error)?)?;
        stats.minutes.push((minute, row.try_get("gate").map_err(db_error)?, passed(&row)?));
    }
    Ok(stats)
}

fn passed(row: &Row) -> Result<GateCounts> {
    let count = |column: &str| -> Result<u64> { unsigned(row.try_get(column).map_err(db_error)?) };
    Ok(GateCounts { entries: count("entries")?, exits: count("exits")?, refused: count("refused")? })
}

fn condition(query: &mut QueryBuilder<Db>, term: &Term) -> Result<()> {
    match term.field {
        "ticket" => filter::id(query, "ticket_id", term),
        "gate" => filter::text(query, "gate", term),
        "device" => filter::text(query, "device", term),
        "staff" => filter::text(query, "staff", term),
        "direction" => filter::text(query, "direction", term),
        "verdict" => filter::text(query, "verdict", term),
        "undone" => filter::truth(query, "(undone_at IS NOT NULL)", term),
        "at" => filter::time(query, "at", term),
        _ => return Err(filter::unknown(term)),
    }
    Ok(())
}

fn read(row: &Row) -> Result<CheckIn> {
    let direction: String = row.try_get("direction").map_err(db_error)?;
    let verdict_name: String = row.try_get("verdict").map_err(db_error)?;
    let Ts(at) = row.try_get("at").map_err(db_error)?;
    let Ts(recorded_at) = row.try_get("recorded_at").map_err(db_error)?;
    let serial: Option<i64> = row.try_get("serial").map_err(db_error)?;
    let undone_by: Option<String> = row.try_get("undone_by").map_err(db_error)?;
    let undone_at: Option<Ts> = row.try_get("undone_at").map_err(db_error)?;
    Ok(CheckIn {
        id: CheckInId(row.try_get("id").map_err(db_error)?),
        event: EventId(row.try_get("event_id").map_err(db_error)?),
        ticket: TicketId(row.try_get("ticket_id").map_err(db_error)?),
        direction: Direction::parse("direction", &direction)
            .map_err(|_| corrupt("a direction", direction))?,
        verdict: verdict(&verdict_name)?,
        at,
        gate: row.try_get("gate").map_err(db_error)?,
        device: row.try_get("device").map_err(db_error)?,
        staff: row.try_get("staff").map_err(db_error)?,
        nonce: row.try_get("nonce").map_err(db_error)?,
        serial: serial.map(tiny).transpose()?,
        reentry: row.try_get("reentry").map_err(db_error)?,
        created_by: row.try_get("created_by").map_err(db_error)?,
        recorded_at,
        undone: undone_by.zip(undone_at).map(|(by, Ts(at))| Undone { by, at }),
    })
}
