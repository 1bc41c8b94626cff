//! Reservations outside of batches: reads, lists, due holds.

use sqlx::types::Json;
use sqlx::{QueryBuilder, Row as _};
use tessera_core::filter::Term;
use tessera_core::id::{EventId, QuoteId, ReservationId, TenantId};
use tessera_core::inventory::Reservation;
use tessera_core::page::{Page, PageRequest};
use tessera_core::{Result, Timestamp};
use uuid::Uuid;

use super::super::execute::{change_one, read_one};
use super::super::page::{Sort, SortType, at};
use super::super::table::Table;
use super::super::{Conn, Db, Row, Ts, filter};
use crate::codec::{
    StoredCodeUse, StoredLine, StoredUnit, code_use, line, reservation_state, signed, stored_unit, unit,
    unsigned,
};
use crate::error::db_error;

static RESERVATIONS: Table = Table::new(
    "reservations",
    &["tenant_id", "id"],
    &["state", "quantity", "units", "codes", "payment_reference", "updated_at", "expires_at", "version"],
    &["event_id", "buyer", "lines", "quote_id", "created_by", "created_at"],
)
.without(&["quantity"]);

pub(in super::super) async fn get(
    conn: &mut Conn,
    tenant: TenantId,
    id: ReservationId,
) -> Result<Option<Reservation>> {
    let mut query = RESERVATIONS.of(tenant);
    query.push(" AND id = ").push_bind(id.0);
    read_one(conn, query, read).await
}

pub(in super::super) async fn list(
    conn: &mut Conn,
    tenant: TenantId,
    page: &PageRequest,
) -> Result<Page<Reservation>> {
    let mut query = RESERVATIONS.of(tenant);
    filter::push(&mut query, &page.filter, condition)?;
    let place = |reservation: &Reservation| at(reservation.created_at, &reservation.id);
    let sort = Sort::by("created_at", SortType::Moments, place);
    sort.descending(page.order.descending).page((conn, tenant), query, page, read).await
}

/// Updates a confirmed reservation after one of its tickets was cancelled.
pub(in super::super) async fn reduce(
    conn: &mut Conn,
    tenant: TenantId,
    (reservation, stored): (&Reservation, u64),
) -> Result<()> {
    let query = sqlx::query(
        "UPDATE reservations SET units = $3, quantity = $4, updated_at = $5, version = $6
         WHERE tenant_id = $1 AND id = $2 AND version = $7 AND state = 'confirmed'",
    );
    let units: Vec<_> = reservation.units.iter().map(stored_unit).collect();
    let query = query
        .bind(tenant.0)
        .bind(reservation.id.0)
        .bind(Json(units))
        .bind(signed(reservation.units.len() as u64))
        .bind(Ts(reservation.updated_at))
        .bind(signed(reservation.version))
        .bind(signed(stored));
    change_one(conn, query).await
}

/// Lists events of a tenant with due holds, and its cancelled events that are not swept yet.
pub(in super::super) async fn due(
    conn: &mut Conn,
    tenant: TenantId,
    now: Timestamp,
    limit: u32,
) -> Result<Vec<EventId>> {
    let query = sqlx::query_scalar(
        "SELECT DISTINCT event_id FROM
         (SELECT event_id FROM reservations WHERE tenant_id = $1 AND state = 'held' AND expires_at <= $2
          ORDER BY expires_at LIMIT $3) r
         UNION SELECT id FROM (SELECT id FROM events WHERE tenant_id = $1 AND unswept ORDER BY id LIMIT $3) e",
    );
    let query = query.bind(tenant.0).bind(Ts(now)).bind(i64::from(limit));
    let events: Vec<Uuid> = query.fetch_all(conn).await.map_err(db_error)?;
    Ok(events.into_iter().map(EventId).collect())
}

/// Marks a cancelled event as swept, if it has no holds and no valid tickets, and no code keeps units of it.
pub(in super::super) async fn mark_swept(conn: &mut Conn, tenant: TenantId, event: EventId) -> Result<u64> {
    let query = sqlx::query(
        "UPDATE events SET unswept = FALSE WHERE tenant_id = $1 AND id = $2 AND unswept AND NOT EXISTS
         (SELECT 1 FROM pools p WHERE p.tenant_id = $1 AND p.event_id = $2 AND p.held > 0)
         AND NOT EXISTS
         (SELECT 1 FROM tickets t WHERE t.tenant_id = $1 AND t.event_id = $2 AND t.state = 'valid')
         AND NOT EXISTS
         (SELECT 1 FROM promotion_codes c WHERE c.tenant_id = $1 AND c.kept_event_id = $2 AND c.kept > 0)",
    );
    let query = query.bind(tenant.0).bind(event.0);
    Ok(query.execute(conn).await.map_err(db_error)?.rows_affected())
}

fn condition(query: &mut QueryBuilder<Db>, term: &Term) -> Result<()> {
    match term.field {
        "event" => filter::id(query, "event_id", term),
        "buyer" => filter::text(query, "buyer", term),
        "state" => filter::text(query, "state", term),
        "created" => filter::time(query, "created_at", term),
        "expires" => filter::time(query, "expires_at", term),
        _ => return Err(filter::unknown(term)),
    }
    Ok(())
}

fn read(row: &Row) -> Result<Reservation> {
    let state: String = row.try_get("state").map_err(db_error)?;
    let Json(lines) = row.try_get::<Json<Vec<StoredLine>>, _>("lines").map_err(db_error)?;
    let Json(units) = row.try_get::<Json<Vec<StoredUnit>>, _>("units").map_err(db_error)?;
    let Json(codes) = row.try_get::<Json<Vec<StoredCodeUse>>, _>("codes").map_err(db_error)?;
    let time = |column: &str| -> Result<Timestamp> {
        let Ts(at) = row.try_get(column).map_err(db_error)?;
        Ok(at)
    };
    Ok(Reservation {
        id: ReservationId(row.try_get("id").map_err(db_error)?),
        event: EventId(row.try_get("event_id").map_err(db_error)?),
        buyer: row.try_get("buyer").map_err(db_error)?,
        state: reservation_state(&state)?,
        lines: lines.into_iter().map(line).collect(),
        units: units.into_iter().map(unit).collect(),
        quote: row.try_get::<Option<_>, _>("quote_id").map_err(db_error)?.map(QuoteId),
        codes: codes.into_iter().map(code_use).collect::<Result<_>>()?,
        payment_reference: row.try_get("payment_reference").map_err(db_error)?,
        created_by: row.try_get("created_by").map_err(db_error)?,
        created_at: time("created_at")?,
        updated_at: time("updated_at")?,
        expires_at: time("expires_at")?,
        version: unsigned(row.try_get("version").map_err(db_error)?)?,
    })
}
