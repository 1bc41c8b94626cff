//! Events. Their capacities are those of pools with their ids.

use std::collections::BTreeMap;

use sqlx::types::Json;
use sqlx::{AssertSqlSafe, QueryBuilder, Row as _};
use tessera_core::access::ObjectKind;
use tessera_core::catalog::{Event, EventStatus, WriteEvent};
use tessera_core::filter::Term;
use tessera_core::id::{EventId, SeriesId, TenantId, VenueId};
use tessera_core::page::{Page, PageRequest};
use tessera_core::plugin::Scope;
use tessera_core::{Result, Timestamp};
use uuid::Uuid;

use super::super::execute::{change_one, read_one};
use super::super::page::{Sort, SortType, at, text};
use super::super::plugin::installation;
use super::super::pricing::{promotion, rule};
use super::super::table::{Query, Table};
use super::super::{Conn, Db, Row, Ts, dialect, filter};
use crate::codec::{moment, signed, unsigned};
use crate::error::db_error;

static EVENTS: Table = Table::new(
    "events",
    &["tenant_id", "id"],
    &[
        "venue_id",
        "series_id",
        "title",
        "description",
        "category",
        "starts_at",
        "ends_at",
        "time_zone",
        "status",
        "featured",
        "image_url",
        "hold_usual",
        "hold_least",
        "hold_most",
        "buyer_limit",
        "reentry",
        "reentry_switches",
        "updated_at",
        "version",
    ],
    &["created_by", "created_at"],
)
.with(", capacity, used")
.joined(
    " LEFT JOIN (SELECT tenant_id AS pool_tenant, event_id AS pool_event, id AS pool_id, capacity, \
     held + sold + locked AS used FROM pools) AS own_pool \
     ON pool_tenant = tenant_id AND pool_event = id AND pool_id = id",
);

fn of_tenant(tenant: TenantId) -> QueryBuilder<Db> {
    let mut query = EVENTS.of(tenant);
    query.push(" AND deleted_at IS NULL");
    query
}

pub(in super::super) async fn insert(conn: &mut Conn, tenant: TenantId, event: &Event) -> Result<()> {
    let query = bind(sqlx::query(EVENTS.insert()), tenant, event);
    let query = query.bind(&event.created_by).bind(Ts(event.created_at));
    query.execute(conn).await.map(drop).map_err(db_error)
}

/// Updates an event. One that becomes cancelled is marked for the sweep.
pub(in super::super) async fn update(
    conn: &mut Conn,
    tenant: TenantId,
    (event, stored): (&Event, u64),
) -> Result<()> {
    let status = EVENTS.parameter("status");
    let unswept = format!("unswept = unswept OR (status <> {status} AND {status} = 'cancelled'),");
    let sql = format!("{} AND deleted_at IS NULL", EVENTS.update_with(&unswept));
    let query = bind(sqlx::query(AssertSqlSafe(sql)), tenant, event).bind(signed(stored));
    change_one(conn, query).await
}

fn bind<'q>(query: Query<'q>, tenant: TenantId, event: &'q Event) -> Query<'q> {
    let text = &event.attributes;
    query
        .bind(tenant.0)
        .bind(event.id.0)
        .bind(text.venue.map(|venue| venue.0))
        .bind(text.series.map(|series| series.0))
        .bind(&text.title)
        .bind(&text.description)
        .bind(&text.category)
        .bind(Ts(text.starts_at))
        .bind(Ts(text.ends_at))
        .bind(text.time_zone.as_deref().unwrap_or("UTC"))
        .bind(text.status.name())
        .bind(text.featured)
        .bind(&text.image_url)
        .bind(text.hold_seconds.map(i64::from))
        .bind(text.hold_min_seconds.map(i64::from))
        .bind(text.hold_max_seconds.map(i64::from))
        .bind(text.buyer_limit.map(i64::from))
        .bind(text.reentry)
        .bind(Json(event.reentry_switches.iter().map(|at| at.micros()).collect::<Vec<_>>()))
        .bind(Ts(event.updated_at))
        .bind(signed(event.version))
}

/// Marks an event and its promotions as deleted, and deletes its installations and pricing rules; the other rows are purged
/// in slices.
pub(in super::super) async fn mark(
    conn: &mut Conn,
    tenant: TenantId,
    event: &Event,
    now: Timestamp,
) -> Result<()> {
    let query = sqlx::query(
        "UPDATE events SET version = version + 1, deleted_at = $4, venue_id = NULL, series_id = NULL
         WHERE tenant_id = $1 AND id = $2 AND version = $3 AND deleted_at IS NULL",
    );
    let query = query.bind(tenant.0).bind(event.id.0).bind(signed(event.version)).bind(Ts(now));
    change_one(conn, query).await?;
    installation::delete_all(conn, tenant, Scope::Event(event.id)).await?;
    rule::delete_all(conn, tenant, event.id).await?;
    promotion::mark_all(conn, tenant, event.id, now).await
}

/// Deletes up to `limit` rows of the oldest deleted event, or the event itself if none is left; returns their number.
pub(in super::super) async fn purge(conn: &mut Conn, limit: u32) -> Result<u64> {
    let query = sqlx::query(
        "SELECT tenant_id, id FROM events WHERE deleted_at IS NOT NULL ORDER BY deleted_at LIMIT 1",
    );
    let Some(row) = query.fetch_optional(&mut *conn).await.map_err(db_error)? else { return Ok(0) };
    let tenant: Uuid = row.try_get("tenant_id").map_err(db_error)?;
    let event: Uuid = row.try_get("id").map_err(db_error)?;
    // Tables that may have very many rows of one event.
    for table in ["check_ins", "tickets", "bookings", "reservations", "quotes"] {
        let sql = format!("SELECT id FROM {table} WHERE tenant_id = $1 AND event_id = $2 LIMIT $3");
        let query = sqlx::query_scalar(AssertSqlSafe(sql));
        let query = query.bind(tenant).bind(event).bind(i64::from(limit));
        let ids: Vec<Uuid> = query.fetch_all(&mut *conn).await.map_err(db_error)?;
        let ids: Vec<_> = ids.iter().map(|id| [id.to_string()]).collect();
        let count = delete_rows(conn, tenant, table, &ids).await?;
        if count > 0 {
            return Ok(count);
        }
    }
    let rest = [
        "DELETE FROM queues WHERE tenant_id = $1 AND event_id = $2",
        "DELETE FROM pool_locks WHERE tenant_id = $1 AND event_id = $2",
        "DELETE FROM pools WHERE tenant_id = $1 AND event_id = $2",
        // Deletion cascades to seats.
        "DELETE FROM ticket_types WHERE tenant_id = $1 AND event_id = $2",
        "DELETE FROM events WHERE tenant_id = $1 AND id = $2",
    ];
    for sql in rest {
        sqlx::query(sql).bind(tenant).bind(event).execute(&mut *conn).await.map_err(db_error)?;
    }
    Ok(1)
}

/// Deletes the rows of a table with these ids; returns their number.
async fn delete_rows(conn: &mut Conn, tenant: Uuid, table: &str, ids: &[[String; 1]]) -> Result<u64> {
    if ids.is_empty() {
        return Ok(0);
    }
    let ids_match = dialect::among("id", &dialect::uuid("v.value->>0"), "$2");
    let sql = format!("DELETE FROM {table} WHERE tenant_id = $1 AND {ids_match}");
    let query = sqlx::query(AssertSqlSafe(sql)).bind(tenant).bind(Json(ids));
    Ok(query.execute(conn).await.map_err(db_error)?.rows_affected())
}

pub(in super::super) async fn get(conn: &mut Conn, tenant: TenantId, id: EventId) -> Result<Option<Event>> {
    let mut query = of_tenant(tenant);
    query.push(" AND id = ").push_bind(id.0);
    read_one(conn, query, read).await
}

/// Lists all events, or only published ones.
pub(in super::super) async fn list(
    conn: &mut Conn,
    tenant: TenantId,
    public: bool,
    page: &PageRequest,
) -> Result<Page<Event>> {
    let mut query = of_tenant(tenant);
    if public {
        query.push(" AND status <> 'draft'");
    }
    filter::push(&mut query, &page.filter, condition)?;
    let sort = match page.order.field {
        "created" => {
            Sort::by("created_at", SortType::Moments, |event: &Event| at(event.created_at, &event.id))
        }
        "modified" => {
            Sort::by("updated_at", SortType::Moments, |event: &Event| at(event.updated_at, &event.id))
        }
        "title" => {
            Sort::by("title", SortType::Texts, |event: &Event| text(&event.attributes.title, &event.id))
        }
        _ => Sort::by("starts_at", SortType::Moments, |event: &Event| {
            at(event.attributes.starts_at, &event.id)
        }),
    };
    sort.descending(page.order.descending).page((conn, tenant), query, page, read).await
}

/// Lists active events of a tenant whose end has passed.
pub(in super::super) async fn over(
    conn: &mut Conn,
    tenant: TenantId,
    now: Timestamp,
    limit: u32,
) -> Result<Vec<EventId>> {
    let query = sqlx::query_scalar(
        "SELECT id FROM events WHERE tenant_id = $1 AND status = 'active' AND deleted_at IS NULL AND ends_at <= $2
         ORDER BY ends_at LIMIT $3",
    );
    let query = query.bind(tenant.0).bind(Ts(now)).bind(i64::from(limit));
    let events: Vec<Uuid> = query.fetch_all(conn).await.map_err(db_error)?;
    Ok(events.into_iter().map(EventId).collect())
}

/// Counts active events by category.
pub(in super::super) async fn categories(conn: &mut Conn, tenant: TenantId) -> Result<BTreeMap<String, u64>> {
    let query = sqlx::query(
        "SELECT category, COUNT(*) AS events FROM events
         WHERE tenant_id = $1 AND deleted_at IS NULL AND status = 'active' GROUP BY category",
    );
    let rows = query.bind(tenant.0).fetch_all(conn).await.map_err(db_error)?;
    rows.iter()
        .map(|row| {
            let events = unsigned(row.try_get("events").map_err(db_error)?)?;
            Ok((row.try_get("category").map_err(db_error)?, events))
        })
        .collect()
}

/// Returns whether an event refers to the venue or series.
pub(in super::super) async fn any_of(
    conn: &mut Conn,
    tenant: TenantId,
    kind: ObjectKind,
    id: Uuid,
) -> Result<bool> {
    let column = if kind == ObjectKind::Series { "series_id" } else { "venue_id" };
    let mut query =
        QueryBuilder::<Db>::new("SELECT id FROM events WHERE deleted_at IS NULL AND tenant_id = ");
    query.push_bind(tenant.0).push(format_args!(" AND {column} = ")).push_bind(id).push(" LIMIT 1");
    Ok(query.build().fetch_optional(conn).await.map_err(db_error)?.is_some())
}

fn condition(query: &mut QueryBuilder<Db>, term: &Term) -> Result<()> {
    match term.field {
        "title" => filter::text(query, "title", term),
        "category" => filter::text(query, "category", term),
        "status" => filter::text(query, "status", term),
        "venue" => filter::id(query, "venue_id", term),
        "series" => filter::id(query, "series_id", term),
        "featured" => filter::truth(query, "featured", term),
        "starts" => filter::time(query, "starts_at", term),
        "ends" => filter::time(query, "ends_at", term),
        "created" => filter::time(query, "created_at", term),
        "modified" => filter::time(query, "updated_at", term),
        _ => return Err(filter::unknown(term)),
    }
    Ok(())
}

fn read(row: &Row) -> Result<Event> {
    let Ts(starts_at) = row.try_get("starts_at").map_err(db_error)?;
    let Ts(ends_at) = row.try_get("ends_at").map_err(db_error)?;
    let Ts(created_at) = row.try_get("created_at").map_err(db_error)?;
    let Ts(updated_at) = row.try_get("updated_at").map_err(db_error)?;
    let capacity: Option<i64> = row.try_get("capacity").map_err(db_error)?;
    let used: Option<i64> = row.try_get("used").map_err(db_error)?;
    let status: String = row.try_get("status").map_err(db_error)?;
    let Json(switches): Json<Vec<i64>> = row.try_get("reentry_switches").map_err(db_error)?;
    let seconds = |column: &str| -> Result<Option<u32>> {
        let seconds: Option<i64> = row.try_get(column).map_err(db_error)?;
        seconds.map(crate::codec::small).transpose()
    };
    Ok(Event {
        id: EventId(row.try_get("id").map_err(db_error)?),
        attributes: WriteEvent {
            title: row.try_get("title").map_err(db_error)?,
            description: row.try_get("description").map_err(db_error)?,
            category: row.try_get("category").map_err(db_error)?,
            venue: row.try_get::<Option<_>, _>("venue_id").map_err(db_error)?.map(VenueId),
            series: row.try_get::<Option<_>, _>("series_id").map_err(db_error)?.map(SeriesId),
            starts_at,
            ends_at,
            time_zone: row.try_get("time_zone").map_err(db_error)?,
            status: EventStatus::parse("status", &status)?,
            featured: row.try_get("featured").map_err(db_error)?,
            image_url: row.try_get("image_url").map_err(db_error)?,
            capacity: capacity.map(unsigned).transpose()?,
            hold_seconds: seconds("hold_usual")?,
            hold_min_seconds: seconds("hold_least")?,
            hold_max_seconds: seconds("hold_most")?,
            buyer_limit: seconds("buyer_limit")?,
            reentry: row.try_get("reentry").map_err(db_error)?,
        },
        reentry_switches: switches.into_iter().map(moment).collect::<Result<_>>()?,
        used: used.map(unsigned).transpose()?.unwrap_or_default(),
        created_by: row.try_get("created_by").map_err(db_error)?,
        created_at,
        updated_at,
        version: unsigned(row.try_get("version").map_err(db_error)?)?,
    })
}
