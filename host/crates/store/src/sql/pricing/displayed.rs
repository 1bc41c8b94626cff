//! Displayed prices: a cache that all hosts share, one row for each event.

use sqlx::types::Json;
use sqlx::{AssertSqlSafe, Row as _};
use tessera_core::id::{EventId, TenantId};
use tessera_core::pricing::DisplayedPrices;
use tessera_core::{Result, Timestamp};
use uuid::Uuid;

use super::super::execute::{change_one, read_one};
use super::super::table::{Query, Table};
use super::super::{Conn, Row, Ts};
use crate::codec::{StoredDisplayedPrice, displayed_price, signed, stored_displayed_price, unsigned};
use crate::error::db_error;

static DISPLAYED_PRICES: Table =
    Table::new("displayed_prices", &["tenant_id", "event_id"], &["content", "computed_at", "version"], &[]);

fn bind<'q>(query: Query<'q>, tenant: TenantId, prices: &DisplayedPrices) -> Query<'q> {
    let content: Vec<_> = prices.prices.iter().map(stored_displayed_price).collect();
    query
        .bind(tenant.0)
        .bind(prices.event.0)
        .bind(Json(content))
        .bind(Ts(prices.computed_at))
        .bind(signed(prices.version))
}

/// Inserts prices of version 1, or updates those of the version before. Fails as stale if another caller did it first.
pub(in super::super) async fn put(conn: &mut Conn, tenant: TenantId, prices: &DisplayedPrices) -> Result<()> {
    if prices.version <= 1 {
        let sql = format!("{} ON CONFLICT (tenant_id, event_id) DO NOTHING", DISPLAYED_PRICES.insert());
        return change_one(conn, bind(sqlx::query(AssertSqlSafe(sql)), tenant, prices)).await;
    }
    let query = bind(sqlx::query(DISPLAYED_PRICES.update()), tenant, prices);
    change_one(conn, query.bind(signed(prices.version - 1))).await
}

pub(in super::super) async fn get(
    conn: &mut Conn,
    tenant: TenantId,
    event: EventId,
) -> Result<Option<DisplayedPrices>> {
    let mut query = DISPLAYED_PRICES.of(tenant);
    query.push(" AND event_id = ").push_bind(event.0);
    read_one(conn, query, read).await
}

/// Lists events, at most `limit`, whose prices were computed at a time or earlier, oldest first.
pub(in super::super) async fn stale(
    conn: &mut Conn,
    tenant: TenantId,
    (at, limit): (Timestamp, u32),
) -> Result<Vec<EventId>> {
    let query = sqlx::query_scalar(
        "SELECT event_id FROM displayed_prices WHERE tenant_id = $1 AND computed_at <= $2
         ORDER BY computed_at LIMIT $3",
    );
    let query = query.bind(tenant.0).bind(Ts(at)).bind(i64::from(limit));
    let events: Vec<Uuid> = query.fetch_all(conn).await.map_err(db_error)?;
    Ok(events.into_iter().map(EventId).collect())
}

/// Puts the prices of an event behind those of others that are stale; returns the number of changed rows.
pub(in super::super) async fn postpone(
    conn: &mut Conn,
    tenant: TenantId,
    (event, at): (EventId, Timestamp),
) -> Result<u64> {
    let query = sqlx::query(
        "UPDATE displayed_prices SET computed_at = $3
         WHERE tenant_id = $1 AND event_id = $2 AND computed_at < $3",
    );
    let query = query.bind(tenant.0).bind(event.0).bind(Ts(at));
    Ok(query.execute(conn).await.map_err(db_error)?.rows_affected())
}

/// Deletes the prices of an event; returns the number of deleted rows.
pub(in super::super) async fn delete(conn: &mut Conn, tenant: TenantId, event: EventId) -> Result<u64> {
    let query = sqlx::query("DELETE FROM displayed_prices WHERE tenant_id = $1 AND event_id = $2");
    let result = query.bind(tenant.0).bind(event.0).execute(conn).await.map_err(db_error)?;
    Ok(result.rows_affected())
}

fn read(row: &Row) -> Result<DisplayedPrices> {
    let Json(prices) = row.try_get::<Json<Vec<StoredDisplayedPrice>>, _>("content").map_err(db_error)?;
    let Ts(computed_at) = row.try_get("computed_at").map_err(db_error)?;
    Ok(DisplayedPrices {
        event: EventId(row.try_get("event_id").map_err(db_error)?),
        prices: prices.into_iter().map(displayed_price).collect::<Result<_>>()?,
        computed_at,
        version: unsigned(row.try_get("version").map_err(db_error)?)?,
    })
}
