//! Reservations as they are read one by one, listed and looked for when they are due.

use sqlx::types::Json;
use sqlx::{QueryBuilder, Row as _};
use tessera_core::filter::Term;
use tessera_core::id::{EventId, ReservationId, TenantId};
use tessera_core::inventory::Reservation;
use tessera_core::page::{Page, PageRequest};
use tessera_core::{Error, Result, Timestamp};

use super::super::page::{Holds, Sort, at};
use super::super::{Conn, Db, Row, Ts, filter};
use crate::codec::{LineForm, UnitForm, line, reservation_state, signed, unit, unit_form, unsigned};
use crate::error::fault;

const SELECT: &str = "SELECT id, event_id, buyer, state, lines, units, payment_reference, created_by, created_at, \
    updated_at, expires_at, version FROM reservations WHERE tenant_id = ";

pub(in super::super) async fn get(
    conn: &mut Conn,
    tenant: TenantId,
    id: ReservationId,
) -> Result<Option<Reservation>> {
    let mut query = QueryBuilder::<Db>::new(SELECT);
    query.push_bind(tenant.0).push(" AND id = ").push_bind(id.0);
    let row = query.build().fetch_optional(conn).await.map_err(fault)?;
    row.as_ref().map(read).transpose()
}

pub(in super::super) async fn list(
    conn: &mut Conn,
    tenant: TenantId,
    page: &PageRequest,
) -> Result<Page<Reservation>> {
    let mut query = QueryBuilder::<Db>::new(SELECT);
    query.push_bind(tenant.0);
    filter::push(&mut query, &page.filter, condition)?;
    let place = |held: &Reservation| at(held.created_at, &held.id);
    let sort = Sort::by("created_at", Holds::Moments, place);
    sort.descending(page.order.descending).page(conn, query, page, read).await
}

/// Writes a reservation that was confirmed and of which a ticket was cancelled.
pub(in super::super) async fn reduce(
    conn: &mut Conn,
    tenant: TenantId,
    (held, stored): (&Reservation, u64),
) -> Result<()> {
    let query = sqlx::query(
        "UPDATE reservations SET units = $3, quantity = $4, updated_at = $5, version = $6
         WHERE tenant_id = $1 AND id = $2 AND version = $7 AND state = 'confirmed'",
    );
    let units: Vec<_> = held.units.iter().map(unit_form).collect();
    let done = query
        .bind(tenant.0)
        .bind(held.id.0)
        .bind(Json(units))
        .bind(signed(held.units.len() as u64))
        .bind(Ts(held.updated_at))
        .bind(signed(held.version))
        .bind(signed(stored))
        .execute(conn)
        .await
        .map_err(fault)?;
    if done.rows_affected() == 1 { Ok(()) } else { Err(Error::stale()) }
}

/// Events of any tenant with holds that are due, or that were cancelled and are not swept yet.
pub(in super::super) async fn due(
    conn: &mut Conn,
    now: Timestamp,
    limit: u32,
) -> Result<Vec<(TenantId, EventId)>> {
    let query = sqlx::query(
        "SELECT DISTINCT tenant_id, event_id FROM
         (SELECT tenant_id, event_id FROM reservations WHERE state = 'held' AND expires_at <= $1
          ORDER BY expires_at LIMIT $2) r
         UNION SELECT tenant_id, id FROM events WHERE unswept",
    );
    let rows = query.bind(Ts(now)).bind(i64::from(limit)).fetch_all(conn).await.map_err(fault)?;
    rows.iter()
        .map(|row| {
            let tenant = TenantId(row.try_get("tenant_id").map_err(fault)?);
            Ok((tenant, EventId(row.try_get("event_id").map_err(fault)?)))
        })
        .collect()
}

/// Notes that nothing of a cancelled event is held, and none of its tickets valid any more.
pub(in super::super) async fn swept(conn: &mut Conn, tenant: TenantId, event: EventId) -> Result<u64> {
    let query = sqlx::query(
        "UPDATE events SET unswept = FALSE WHERE tenant_id = $1 AND id = $2 AND unswept AND NOT EXISTS
         (SELECT 1 FROM pools p WHERE p.tenant_id = $1 AND p.event_id = $2 AND p.held > 0)
         AND NOT EXISTS
         (SELECT 1 FROM tickets t WHERE t.tenant_id = $1 AND t.event_id = $2 AND t.state = 'valid')",
    );
    let query = query.bind(tenant.0).bind(event.0);
    Ok(query.execute(conn).await.map_err(fault)?.rows_affected())
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
    let state: String = row.try_get("state").map_err(fault)?;
    let Json(lines) = row.try_get::<Json<Vec<LineForm>>, _>("lines").map_err(fault)?;
    let Json(units) = row.try_get::<Json<Vec<UnitForm>>, _>("units").map_err(fault)?;
    let time = |column: &str| -> Result<Timestamp> {
        let Ts(at) = row.try_get(column).map_err(fault)?;
        Ok(at)
    };
    Ok(Reservation {
        id: ReservationId(row.try_get("id").map_err(fault)?),
        event: EventId(row.try_get("event_id").map_err(fault)?),
        buyer: row.try_get("buyer").map_err(fault)?,
        state: reservation_state(&state)?,
        lines: lines.into_iter().map(line).collect(),
        units: units.into_iter().map(unit).collect(),
        payment_reference: row.try_get("payment_reference").map_err(fault)?,
        created_by: row.try_get("created_by").map_err(fault)?,
        created_at: time("created_at")?,
        updated_at: time("updated_at")?,
        expires_at: time("expires_at")?,
        version: unsigned(row.try_get("version").map_err(fault)?)?,
    })
}
