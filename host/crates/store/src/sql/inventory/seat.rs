//! Seats. Batches of reservations and cancelled tickets assign and free them.

use serde_json::json;
use sqlx::error::DatabaseError;
use sqlx::types::Json;
use sqlx::{AssertSqlSafe, Row as _};
use tessera_core::id::{EventId, SeatId, TenantId, TicketId, TicketTypeId};
use tessera_core::inventory::Seat;
use tessera_core::page::{Page, PageRequest};
use tessera_core::{Error, Result};

use super::super::execute::change_one;
use super::super::page::{Sort, SortType, text};
use super::super::table::Table;
use super::super::{Conn, Row, dialect, filter};
use crate::codec::small;
use crate::error::db_error;

static SEATS: Table = Table::new(
    "seats",
    &["tenant_id", "ticket_type_id", "id"],
    &["unit_id", "reservation_id"],
    &["event_id", "seat_row", "number", "label", "place"],
)
.without(&["reservation_id"]);

/// Sort key of a seat within its ticket type.
fn place(seat: &Seat) -> String {
    format!("{}\u{1}{:010}", seat.row, seat.number)
}

pub(in super::super) async fn put(conn: &mut Conn, tenant: TenantId, seats: &[Seat]) -> Result<()> {
    let rows: Vec<_> = seats
        .iter()
        .map(|seat| {
            json!({
                "id": seat.id.to_string(),
                "type": seat.ticket_type.to_string(),
                "event": seat.event.to_string(),
                "row": seat.row,
                "number": seat.number,
                "label": seat.label,
                "place": place(seat),
            })
        })
        .collect();
    let sql = format!(
        "INSERT INTO seats (tenant_id, ticket_type_id, id, event_id, seat_row, number, label, place)
         SELECT $1, {}, {}, {}, v.value->>'row', CAST(v.value->>'number' AS BIGINT), v.value->>'label',
         v.value->>'place' FROM {}",
        dialect::uuid("v.value->>'type'"),
        dialect::uuid("v.value->>'id'"),
        dialect::uuid("v.value->>'event'"),
        dialect::each("$2"),
    );
    let query = sqlx::query(AssertSqlSafe(sql)).bind(tenant.0).bind(Json(rows));
    let message = "a seat of that label, or of that row and number, is there already";
    query.execute(conn).await.map(drop).map_err(|error| {
        let unique = error.as_database_error().is_some_and(DatabaseError::is_unique_violation);
        if unique { Error::exists("seat", message) } else { db_error(error) }
    })
}

/// Frees the seat of a unit.
pub(in super::super) async fn free(
    conn: &mut Conn,
    tenant: TenantId,
    (of, seat): (TicketTypeId, SeatId),
    unit: TicketId,
) -> Result<()> {
    let query = sqlx::query(
        "UPDATE seats SET unit_id = NULL, reservation_id = NULL
         WHERE tenant_id = $1 AND ticket_type_id = $2 AND id = $3 AND unit_id = $4",
    );
    let query = query.bind(tenant.0).bind(of.0).bind(seat.0).bind(unit.0);
    change_one(conn, query).await
}

/// Deletes seats, all of which must be free.
pub(in super::super) async fn drop_free(
    conn: &mut Conn,
    tenant: TenantId,
    ticket_type: TicketTypeId,
    seats: &[SeatId],
) -> Result<()> {
    let ids: Vec<_> = seats.iter().map(|seat| [seat.to_string()]).collect();
    let sql = format!(
        "DELETE FROM seats WHERE tenant_id = $1 AND ticket_type_id = $2 AND unit_id IS NULL AND id IN
         (SELECT {} FROM {})",
        dialect::uuid("v.value->>0"),
        dialect::each("$3"),
    );
    let query = sqlx::query(AssertSqlSafe(sql)).bind(tenant.0).bind(ticket_type.0).bind(Json(ids));
    let count = query.execute(conn).await.map_err(db_error)?.rows_affected();
    if count == seats.len() as u64 { Ok(()) } else { Err(Error::stale()) }
}

pub(in super::super) async fn named(
    conn: &mut Conn,
    tenant: TenantId,
    ticket_type: TicketTypeId,
    labels: &[String],
) -> Result<Vec<Seat>> {
    let labels: Vec<_> = labels.iter().map(|label| [label]).collect();
    let sql = format!(
        "{}tenant_id = $1 AND ticket_type_id = $2 AND label IN (SELECT v.value->>0 FROM {})",
        SEATS.select(),
        dialect::each("$3"),
    );
    let query = sqlx::query(AssertSqlSafe(sql)).bind(tenant.0).bind(ticket_type.0).bind(Json(labels));
    let rows = query.fetch_all(conn).await.map_err(db_error)?;
    rows.iter().map(read).collect()
}

/// Lists free seats by row and number.
pub(super) async fn vacant(
    conn: &mut Conn,
    tenant: TenantId,
    ticket_type: TicketTypeId,
    most: u32,
) -> Result<Vec<Seat>> {
    let sql = format!(
        "{}tenant_id = $1 AND ticket_type_id = $2 AND unit_id IS NULL ORDER BY place LIMIT $3",
        SEATS.select(),
    );
    let query = sqlx::query(AssertSqlSafe(sql)).bind(tenant.0).bind(ticket_type.0).bind(i64::from(most));
    query.fetch_all(conn).await.map_err(db_error)?.iter().map(read).collect()
}

/// Lists seats by row and number.
pub(in super::super) async fn list(
    conn: &mut Conn,
    tenant: TenantId,
    ticket_type: TicketTypeId,
    page: &PageRequest,
) -> Result<Page<Seat>> {
    let mut query = SEATS.of(tenant);
    query.push(" AND ticket_type_id = ").push_bind(ticket_type.0);
    filter::push(&mut query, &page.filter, |query, term| {
        match term.field {
            "free" => filter::truth(query, "(unit_id IS NULL)", term),
            _ => return Err(filter::unknown(term)),
        }
        Ok(())
    })?;
    Sort::by("place", SortType::Texts, |seat: &Seat| text(place(seat), &seat.id))
        .page((conn, tenant), query, page, read)
        .await
}

fn read(row: &Row) -> Result<Seat> {
    Ok(Seat {
        id: SeatId(row.try_get("id").map_err(db_error)?),
        event: EventId(row.try_get("event_id").map_err(db_error)?),
        ticket_type: TicketTypeId(row.try_get("ticket_type_id").map_err(db_error)?),
        row: row.try_get("seat_row").map_err(db_error)?,
        number: small(row.try_get("number").map_err(db_error)?)?,
        label: row.try_get("label").map_err(db_error)?,
        unit: row.try_get::<Option<_>, _>("unit_id").map_err(db_error)?.map(TicketId),
    })
}
