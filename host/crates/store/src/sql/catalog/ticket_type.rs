//! Ticket types. Their quantities are those of pools with their ids.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::Row as _;
use sqlx::types::Json;
use tessera_core::Result;
use tessera_core::catalog::{TicketType, TypeStatus, WriteTicketType};
use tessera_core::id::{EventId, PoolId, TenantId, TicketTypeId};
use tessera_core::page::{Page, PageRequest};
use tessera_core::value::Money;
use uuid::Uuid;

use super::super::execute::{change_one, read_all, read_one};
use super::super::page::{Sort, SortType, text};
use super::super::table::{Query, Table};
use super::super::{Conn, Row, Ts};
use crate::codec::{signed, unsigned};
use crate::error::db_error;

static TICKET_TYPES: Table = Table::new(
    "ticket_types",
    &["tenant_id", "id"],
    &[
        "name",
        "description",
        "amount",
        "currency",
        "category_prices",
        "least",
        "most",
        "valid_from",
        "valid_until",
        "status",
        "metadata",
        "pools",
        "hidden",
        "seated",
        "updated_at",
        "version",
    ],
    &["event_id", "created_at"],
)
.with(
    ", (SELECT capacity FROM pools p WHERE p.tenant_id = ticket_types.tenant_id \
     AND p.event_id = ticket_types.event_id AND p.id = ticket_types.id) AS quantity",
);

pub(in super::super) async fn insert(
    conn: &mut Conn,
    tenant: TenantId,
    ticket_type: &TicketType,
) -> Result<()> {
    let query = bind(sqlx::query(TICKET_TYPES.insert()), tenant, ticket_type);
    let query = query.bind(ticket_type.event.0).bind(Ts(ticket_type.created_at));
    query.execute(conn).await.map(drop).map_err(db_error)
}

pub(in super::super) async fn update(
    conn: &mut Conn,
    tenant: TenantId,
    (ticket_type, stored): (&TicketType, u64),
) -> Result<()> {
    let query = bind(sqlx::query(TICKET_TYPES.update()), tenant, ticket_type).bind(signed(stored));
    change_one(conn, query).await
}

fn bind<'q>(query: Query<'q>, tenant: TenantId, ticket_type: &'q TicketType) -> Query<'q> {
    let attributes = &ticket_type.attributes;
    query
        .bind(tenant.0)
        .bind(ticket_type.id.0)
        .bind(&attributes.name)
        .bind(&attributes.description)
        .bind(attributes.price.amount)
        .bind(&attributes.price.currency)
        .bind(Json(&attributes.category_prices))
        .bind(i64::from(attributes.min_per_purchase))
        .bind(i64::from(attributes.max_per_purchase))
        .bind(attributes.valid_from.map(Ts))
        .bind(attributes.valid_until.map(Ts))
        .bind(attributes.status.name())
        .bind(Json(&attributes.metadata))
        .bind(Json(attributes.pools.iter().map(|pool| pool.0).collect::<Vec<_>>()))
        .bind(attributes.hidden)
        .bind(ticket_type.seated)
        .bind(Ts(ticket_type.updated_at))
        .bind(signed(ticket_type.version))
}

pub(in super::super) async fn delete(
    conn: &mut Conn,
    tenant: TenantId,
    ticket_type: &TicketType,
) -> Result<()> {
    let query = sqlx::query("DELETE FROM ticket_types WHERE tenant_id = $1 AND id = $2");
    change_one(conn, query.bind(tenant.0).bind(ticket_type.id.0)).await
}

pub(in super::super) async fn get(
    conn: &mut Conn,
    tenant: TenantId,
    id: TicketTypeId,
) -> Result<Option<TicketType>> {
    let mut query = TICKET_TYPES.of(tenant);
    query.push(" AND id = ").push_bind(id.0);
    read_one(conn, query, read).await
}

/// An event's, oldest first.
pub(in super::super) async fn list(
    conn: &mut Conn,
    tenant: TenantId,
    event: EventId,
) -> Result<Vec<TicketType>> {
    let mut query = TICKET_TYPES.of(tenant);
    query.push(" AND event_id = ").push_bind(event.0).push(" ORDER BY id");
    read_all(conn, query, read).await
}

/// Lists those of an event, or of all events that are not deleted. For the public, those of drafts are left out, and hidden
/// ones except for these.
pub(in super::super) async fn page(
    conn: &mut Conn,
    tenant: TenantId,
    (event, public): (Option<EventId>, Option<&BTreeSet<TicketTypeId>>),
    page: &PageRequest,
) -> Result<Page<TicketType>> {
    let mut query = TICKET_TYPES.of(tenant);
    if let Some(event) = event {
        query.push(" AND event_id = ").push_bind(event.0);
    }
    query.push(
        " AND EXISTS (SELECT 1 FROM events e WHERE e.tenant_id = ticket_types.tenant_id \
         AND e.id = ticket_types.event_id AND e.deleted_at IS NULL",
    );
    query.push(if public.is_some() { " AND e.status <> 'draft')" } else { ")" });
    if let Some(shown) = public {
        query.push(" AND (hidden = ").push_bind(false);
        if !shown.is_empty() {
            query.push(" OR id IN (");
            let mut ids = query.separated(", ");
            for id in shown {
                ids.push_bind(id.0);
            }
            query.push(")");
        }
        query.push(")");
    }
    let keyset = |ticket_type: &TicketType| text(ticket_type.event.to_string(), &ticket_type.id);
    Sort::by("event_id", SortType::Uuids, keyset).page((conn, tenant), query, page, read).await
}

fn read(row: &Row) -> Result<TicketType> {
    let quantity: Option<i64> = row.try_get("quantity").map_err(db_error)?;
    let status: String = row.try_get("status").map_err(db_error)?;
    let Json(category_prices) =
        row.try_get::<Json<BTreeMap<String, i64>>, _>("category_prices").map_err(db_error)?;
    let Json(metadata) = row.try_get::<Json<BTreeMap<String, String>>, _>("metadata").map_err(db_error)?;
    let Json(pools) = row.try_get::<Json<Vec<Uuid>>, _>("pools").map_err(db_error)?;
    let Ts(created_at) = row.try_get("created_at").map_err(db_error)?;
    let Ts(updated_at) = row.try_get("updated_at").map_err(db_error)?;
    let time = |column: &str| -> Result<_> {
        let at: Option<Ts> = row.try_get(column).map_err(db_error)?;
        Ok(at.map(|Ts(at)| at))
    };
    Ok(TicketType {
        id: TicketTypeId(row.try_get("id").map_err(db_error)?),
        event: EventId(row.try_get("event_id").map_err(db_error)?),
        attributes: WriteTicketType {
            name: row.try_get("name").map_err(db_error)?,
            description: row.try_get("description").map_err(db_error)?,
            price: Money {
                amount: row.try_get("amount").map_err(db_error)?,
                currency: row.try_get("currency").map_err(db_error)?,
            },
            category_prices,
            min_per_purchase: crate::codec::small(row.try_get("least").map_err(db_error)?)?,
            max_per_purchase: crate::codec::small(row.try_get("most").map_err(db_error)?)?,
            valid_from: time("valid_from")?,
            valid_until: time("valid_until")?,
            status: TypeStatus::parse("status", &status)?,
            metadata,
            quantity: quantity.map(unsigned).transpose()?,
            pools: pools.into_iter().map(PoolId).collect(),
            hidden: row.try_get("hidden").map_err(db_error)?,
        },
        seated: row.try_get("seated").map_err(db_error)?,
        created_at,
        updated_at,
        version: unsigned(row.try_get("version").map_err(db_error)?)?,
    })
}
