//! Ticket types. Their quantities are those of pools with their ids.

use std::collections::BTreeMap;

use sqlx::types::Json;
use sqlx::{QueryBuilder, Row as _};
use tessera_core::catalog::{TicketType, TypeStatus, WriteTicketType};
use tessera_core::id::{EventId, PoolId, TenantId, TicketTypeId};
use tessera_core::value::Money;
use tessera_core::{Error, Result};
use uuid::Uuid;

use super::super::{Conn, Db, Row, Ts};
use crate::codec::{signed, unsigned};
use crate::error::fault;

const SELECT: &str = "SELECT id, event_id, name, description, amount, currency, least, most, valid_from, \
    valid_until, status, metadata, pools, seated, created_at, updated_at, version, \
    (SELECT capacity FROM pools p WHERE p.tenant_id = ticket_types.tenant_id \
     AND p.event_id = ticket_types.event_id AND p.id = ticket_types.id) AS quantity \
    FROM ticket_types WHERE tenant_id = ";

pub(in super::super) async fn insert(conn: &mut Conn, tenant: TenantId, held: &TicketType) -> Result<()> {
    let query = sqlx::query(
        "INSERT INTO ticket_types (tenant_id, id, name, description, amount, currency, least, most, valid_from,
         valid_until, status, metadata, pools, seated, updated_at, version, event_id, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)",
    );
    let query = bound(query, tenant, held).bind(held.event.0).bind(Ts(held.created_at));
    query.execute(conn).await.map(drop).map_err(fault)
}

pub(in super::super) async fn update(
    conn: &mut Conn,
    tenant: TenantId,
    (held, stored): (&TicketType, u64),
) -> Result<()> {
    let query = sqlx::query(
        "UPDATE ticket_types SET name = $3, description = $4, amount = $5, currency = $6, least = $7,
         most = $8, valid_from = $9, valid_until = $10, status = $11, metadata = $12, pools = $13,
         seated = $14, updated_at = $15, version = $16
         WHERE tenant_id = $1 AND id = $2 AND version = $17",
    );
    let done = bound(query, tenant, held).bind(signed(stored)).execute(conn).await.map_err(fault)?;
    if done.rows_affected() == 1 { Ok(()) } else { Err(Error::stale()) }
}

type Query<'q> = sqlx::query::Query<'q, Db, <Db as sqlx::Database>::Arguments>;

fn bound<'q>(query: Query<'q>, tenant: TenantId, held: &'q TicketType) -> Query<'q> {
    let text = &held.text;
    query
        .bind(tenant.0)
        .bind(held.id.0)
        .bind(&text.name)
        .bind(&text.description)
        .bind(text.price.amount)
        .bind(&text.price.currency)
        .bind(i64::from(text.min_per_purchase))
        .bind(i64::from(text.max_per_purchase))
        .bind(text.valid_from.map(Ts))
        .bind(text.valid_until.map(Ts))
        .bind(text.status.name())
        .bind(Json(&text.metadata))
        .bind(Json(text.pools.iter().map(|pool| pool.0).collect::<Vec<_>>()))
        .bind(held.seated)
        .bind(Ts(held.updated_at))
        .bind(signed(held.version))
}

pub(in super::super) async fn delete(conn: &mut Conn, tenant: TenantId, held: &TicketType) -> Result<()> {
    let query = sqlx::query("DELETE FROM ticket_types WHERE tenant_id = $1 AND id = $2");
    let done = query.bind(tenant.0).bind(held.id.0).execute(conn).await.map_err(fault)?;
    if done.rows_affected() == 1 { Ok(()) } else { Err(Error::stale()) }
}

pub(in super::super) async fn get(
    conn: &mut Conn,
    tenant: TenantId,
    id: TicketTypeId,
) -> Result<Option<TicketType>> {
    let mut query = QueryBuilder::<Db>::new(SELECT);
    query.push_bind(tenant.0).push(" AND id = ").push_bind(id.0);
    let row = query.build().fetch_optional(conn).await.map_err(fault)?;
    row.as_ref().map(read).transpose()
}

/// An event's, oldest first.
pub(in super::super) async fn list(
    conn: &mut Conn,
    tenant: TenantId,
    event: EventId,
) -> Result<Vec<TicketType>> {
    let mut query = QueryBuilder::<Db>::new(SELECT);
    query.push_bind(tenant.0).push(" AND event_id = ").push_bind(event.0).push(" ORDER BY id");
    let rows = query.build().fetch_all(conn).await.map_err(fault)?;
    rows.iter().map(read).collect()
}

fn read(row: &Row) -> Result<TicketType> {
    let quantity: Option<i64> = row.try_get("quantity").map_err(fault)?;
    let status: String = row.try_get("status").map_err(fault)?;
    let Json(metadata) = row.try_get::<Json<BTreeMap<String, String>>, _>("metadata").map_err(fault)?;
    let Json(pools) = row.try_get::<Json<Vec<Uuid>>, _>("pools").map_err(fault)?;
    let Ts(created_at) = row.try_get("created_at").map_err(fault)?;
    let Ts(updated_at) = row.try_get("updated_at").map_err(fault)?;
    let time = |column: &str| -> Result<_> {
        let at: Option<Ts> = row.try_get(column).map_err(fault)?;
        Ok(at.map(|Ts(at)| at))
    };
    Ok(TicketType {
        id: TicketTypeId(row.try_get("id").map_err(fault)?),
        event: EventId(row.try_get("event_id").map_err(fault)?),
        text: WriteTicketType {
            name: row.try_get("name").map_err(fault)?,
            description: row.try_get("description").map_err(fault)?,
            price: Money {
                amount: row.try_get("amount").map_err(fault)?,
                currency: row.try_get("currency").map_err(fault)?,
            },
            min_per_purchase: crate::codec::small(row.try_get("least").map_err(fault)?)?,
            max_per_purchase: crate::codec::small(row.try_get("most").map_err(fault)?)?,
            valid_from: time("valid_from")?,
            valid_until: time("valid_until")?,
            status: TypeStatus::parse("status", &status)?,
            metadata,
            quantity: quantity.map(unsigned).transpose()?,
            pools: pools.into_iter().map(PoolId).collect(),
        },
        seated: row.try_get("seated").map_err(fault)?,
        created_at,
        updated_at,
        version: unsigned(row.try_get("version").map_err(fault)?)?,
    })
}
