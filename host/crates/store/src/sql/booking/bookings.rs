//! Bookings: places in an event's queue.

use sqlx::error::DatabaseError;
use sqlx::types::Json;
use sqlx::{QueryBuilder, Row as _};
use tessera_core::booking::Booking;
use tessera_core::id::{BookingId, EventId, ReservationId, TenantId};
use tessera_core::{Error, Result, Timestamp};

use super::super::execute::{change_one, read_all, read_one};
use super::super::table::{Query, Table};
use super::super::{Conn, Db, Row, Ts};
use crate::codec::{
    StoredRequestedLine, booking_state, requested_line, signed, small, stored_requested_line, unsigned,
};
use crate::error::db_error;

static BOOKINGS: Table = Table::new(
    "bookings",
    &["tenant_id", "id"],
    &["state", "active_at", "active_until", "reservation_id", "failure", "updated_at", "version"],
    &["event_id", "buyer", "lines", "wants", "hold_seconds", "entered_at", "created_by"],
)
.without(&["wants"]);

fn bind<'q>(query: Query<'q>, tenant: TenantId, booking: &'q Booking) -> Query<'q> {
    query
        .bind(tenant.0)
        .bind(booking.id.0)
        .bind(booking.state.name())
        .bind(booking.active_at.map(Ts))
        .bind(booking.active_until.map(Ts))
        .bind(booking.reservation.map(|id| id.0))
        .bind(booking.failure.as_ref().map(Json))
        .bind(Ts(booking.updated_at))
        .bind(signed(booking.version))
}

/// Inserts a booking. A second open booking of a buyer is stale.
pub(in super::super) async fn insert(conn: &mut Conn, tenant: TenantId, booking: &Booking) -> Result<()> {
    let lines: Vec<_> = booking.lines.iter().map(stored_requested_line).collect();
    bind(sqlx::query(BOOKINGS.insert()), tenant, booking)
        .bind(booking.event.0)
        .bind(&booking.buyer)
        .bind(Json(lines))
        .bind(!booking.lines.is_empty())
        .bind(booking.hold_seconds.map(i64::from))
        .bind(Ts(booking.entered_at))
        .bind(&booking.created_by)
        .execute(conn)
        .await
        .map(drop)
        .map_err(|error| {
            let unique = error.as_database_error().is_some_and(DatabaseError::is_unique_violation);
            if unique { Error::stale() } else { db_error(error) }
        })
}

/// Updates a booking's state; what was requested never changes.
pub(in super::super) async fn update(
    conn: &mut Conn,
    tenant: TenantId,
    (booking, stored): (&Booking, u64),
) -> Result<()> {
    let query = bind(sqlx::query(BOOKINGS.update()), tenant, booking).bind(signed(stored));
    change_one(conn, query).await
}

fn select() -> QueryBuilder<Db> {
    QueryBuilder::new(format!("SELECT {} FROM bookings b WHERE b.tenant_id = ", BOOKINGS.list("b.")))
}

pub(in super::super) async fn get(
    conn: &mut Conn,
    tenant: TenantId,
    id: BookingId,
) -> Result<Option<Booking>> {
    let mut query = select();
    query.push_bind(tenant.0).push(" AND b.id = ").push_bind(id.0);
    read_one(conn, query, read).await
}

/// Returns a buyer's open booking.
pub(in super::super) async fn open(
    conn: &mut Conn,
    tenant: TenantId,
    event: EventId,
    buyer: &str,
) -> Result<Option<Booking>> {
    let mut query = select();
    query.push_bind(tenant.0).push(" AND b.event_id = ").push_bind(event.0);
    query.push(" AND b.state IN ('waiting', 'active') AND b.buyer = ").push_bind(buyer);
    read_one(conn, query, read).await
}

/// Counts the waiting bookings before this one.
pub(in super::super) async fn before(conn: &mut Conn, tenant: TenantId, booking: &Booking) -> Result<u64> {
    let query = sqlx::query_scalar(
        "SELECT COUNT(*) FROM bookings WHERE tenant_id = $1 AND event_id = $2 AND state = 'waiting'
         AND (entered_at, id) < ($3, $4)",
    );
    let query = query.bind(tenant.0).bind(booking.event.0).bind(Ts(booking.entered_at)).bind(booking.id.0);
    unsigned(query.fetch_one(conn).await.map_err(db_error)?)
}

/// Lists all waiting bookings in order.
pub(in super::super) async fn waiting(
    conn: &mut Conn,
    tenant: TenantId,
    event: EventId,
) -> Result<Vec<BookingId>> {
    let query = sqlx::query(
        "SELECT id FROM bookings WHERE tenant_id = $1 AND event_id = $2 AND state = 'waiting'
         ORDER BY entered_at, id",
    );
    let rows = query.bind(tenant.0).bind(event.0).fetch_all(conn).await.map_err(db_error)?;
    rows.iter().map(|row| Ok(BookingId(row.try_get("id").map_err(db_error)?))).collect()
}

/// Lists the waiting bookings that are next.
pub(in super::super) async fn next(
    conn: &mut Conn,
    tenant: TenantId,
    event: EventId,
    limit: u32,
) -> Result<Vec<Booking>> {
    let mut query = select();
    query.push_bind(tenant.0).push(" AND b.state = 'waiting' AND b.event_id = ").push_bind(event.0);
    query.push(" ORDER BY b.entered_at, b.id LIMIT ").push_bind(i64::from(limit));
    read_all(conn, query, read).await
}

/// Lists active bookings, each with the reservation that its buyer made since: all, or those that end.
pub(in super::super) async fn active(
    conn: &mut Conn,
    tenant: TenantId,
    event: EventId,
    (due, limit): (Option<Timestamp>, u32),
) -> Result<Vec<(Booking, Option<ReservationId>)>> {
    let mut query = QueryBuilder::<Db>::new(format!(
        "SELECT * FROM (SELECT {}, (SELECT r.id FROM reservations r
         WHERE r.tenant_id = b.tenant_id AND r.event_id = b.event_id AND r.buyer = b.buyer
         AND r.state IN ('held', 'confirmed') AND r.created_at >= b.active_at
         ORDER BY r.created_at LIMIT 1) AS reserved FROM bookings b WHERE b.tenant_id = ",
        BOOKINGS.list("b."),
    ));
    query.push_bind(tenant.0).push(" AND b.state = 'active' AND b.event_id = ").push_bind(event.0);
    query.push(") s");
    if let Some(now) = due {
        query.push(" WHERE reserved IS NOT NULL OR active_until <= ").push_bind(Ts(now));
    }
    query.push(" ORDER BY entered_at, id LIMIT ").push_bind(i64::from(limit));
    let rows = query.build().fetch_all(conn).await.map_err(db_error)?;
    rows.iter()
        .map(|row| {
            let reserved: Option<_> = row.try_get("reserved").map_err(db_error)?;
            Ok((read(row)?, reserved.map(ReservationId)))
        })
        .collect()
}

/// Lists active bookings with lines to reserve now, each with its failed attempts. An attempt that fails makes a booking
/// due later, so those that fail do not keep others back.
pub(in super::super) async fn reservable(
    conn: &mut Conn,
    tenant: TenantId,
    event: EventId,
    (now, limit): (Timestamp, u32),
) -> Result<Vec<(Booking, u32)>> {
    let mut query = QueryBuilder::<Db>::new(format!(
        "SELECT {}, b.attempts FROM bookings b WHERE b.tenant_id = ",
        BOOKINGS.list("b."),
    ));
    query.push_bind(tenant.0).push(" AND b.state = 'active' AND b.event_id = ").push_bind(event.0);
    query.push(" AND b.wants AND (b.retry_at IS NULL OR b.retry_at <= ").push_bind(Ts(now));
    query.push(") ORDER BY COALESCE(b.retry_at, b.active_at), b.entered_at, b.id LIMIT ");
    query.push_bind(i64::from(limit));
    read_all(conn, query, |row| Ok((read(row)?, small(row.try_get("attempts").map_err(db_error)?)?))).await
}

/// Delays the next attempt to reserve an active booking; returns the number of changed rows.
pub(in super::super) async fn delay(
    conn: &mut Conn,
    tenant: TenantId,
    id: BookingId,
    (attempts, retry_at): (u32, Timestamp),
) -> Result<u64> {
    let query = sqlx::query(
        "UPDATE bookings SET attempts = $3, retry_at = $4
         WHERE tenant_id = $1 AND id = $2 AND state = 'active'",
    );
    let query = query.bind(tenant.0).bind(id.0).bind(i64::from(attempts)).bind(Ts(retry_at));
    Ok(query.execute(conn).await.map_err(db_error)?.rows_affected())
}

fn read(row: &Row) -> Result<Booking> {
    let state: String = row.try_get("state").map_err(db_error)?;
    let Json(lines) = row.try_get::<Json<Vec<StoredRequestedLine>>, _>("lines").map_err(db_error)?;
    let failure: Option<Json<(String, String)>> = row.try_get("failure").map_err(db_error)?;
    let hold: Option<i64> = row.try_get("hold_seconds").map_err(db_error)?;
    let reservation: Option<_> = row.try_get("reservation_id").map_err(db_error)?;
    let maybe = |column: &str| -> Result<Option<Timestamp>> {
        let at: Option<Ts> = row.try_get(column).map_err(db_error)?;
        Ok(at.map(|Ts(at)| at))
    };
    let Ts(entered_at) = row.try_get("entered_at").map_err(db_error)?;
    let Ts(updated_at) = row.try_get("updated_at").map_err(db_error)?;
    Ok(Booking {
        id: BookingId(row.try_get("id").map_err(db_error)?),
        event: EventId(row.try_get("event_id").map_err(db_error)?),
        buyer: row.try_get("buyer").map_err(db_error)?,
        lines: lines.into_iter().map(requested_line).collect(),
        hold_seconds: hold.map(small).transpose()?,
        state: booking_state(&state)?,
        entered_at,
        active_at: maybe("active_at")?,
        active_until: maybe("active_until")?,
        reservation: reservation.map(ReservationId),
        failure: failure.map(|Json(failure)| failure),
        created_by: row.try_get("created_by").map_err(db_error)?,
        updated_at,
        version: unsigned(row.try_get("version").map_err(db_error)?)?,
    })
}
