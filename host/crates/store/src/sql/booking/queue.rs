//! Queue settings and counts.

use sqlx::{AssertSqlSafe, Row as _};
use tessera_core::booking::Queue;
use tessera_core::booking::queue::DEFAULT_ACTIVE;
use tessera_core::id::{EventId, TenantId};
use tessera_core::{Result, Timestamp};
use uuid::Uuid;

use super::super::execute::change_one;
use super::super::table::{Query, Table};
use super::super::{Conn, Ts};
use crate::codec::{signed, small, unsigned};
use crate::error::db_error;

static QUEUES: Table = Table::new(
    "queues",
    &["tenant_id", "event_id"],
    &["served", "seconds", "required", "updated_at", "version"],
    &[],
);

fn bind<'q>(query: Query<'q>, tenant: TenantId, queue: &'q Queue) -> Query<'q> {
    query
        .bind(tenant.0)
        .bind(queue.id.0)
        .bind(i64::from(queue.max_active))
        .bind(i64::from(queue.active_seconds))
        .bind(queue.required)
        .bind(Ts(queue.updated_at))
        .bind(signed(queue.version))
}

/// Inserts a queue's settings. Existing settings are stale: another caller set them in between.
pub(in super::super) async fn insert(conn: &mut Conn, tenant: TenantId, queue: &Queue) -> Result<()> {
    let sql = format!("{} ON CONFLICT (tenant_id, event_id) DO NOTHING", QUEUES.insert());
    change_one(conn, bind(sqlx::query(AssertSqlSafe(sql)), tenant, queue)).await
}

pub(in super::super) async fn update(
    conn: &mut Conn,
    tenant: TenantId,
    (queue, stored): (&Queue, u64),
) -> Result<()> {
    let query = bind(sqlx::query(QUEUES.update()), tenant, queue).bind(signed(stored));
    change_one(conn, query).await
}

pub(in super::super) async fn get(
    conn: &mut Conn,
    tenant: TenantId,
    event: EventId,
) -> Result<Option<Queue>> {
    let mut query = QUEUES.of(tenant);
    query.push(" AND event_id = ").push_bind(event.0);
    let Some(row) = query.build().fetch_optional(conn).await.map_err(db_error)? else { return Ok(None) };
    let Ts(updated_at) = row.try_get("updated_at").map_err(db_error)?;
    Ok(Some(Queue {
        id: event,
        max_active: small(row.try_get("served").map_err(db_error)?)?,
        active_seconds: small(row.try_get("seconds").map_err(db_error)?)?,
        required: row.try_get("required").map_err(db_error)?,
        updated_at,
        version: unsigned(row.try_get("version").map_err(db_error)?)?,
    }))
}

/// Counts the waiting and the active bookings.
pub(in super::super) async fn counts(
    conn: &mut Conn,
    tenant: TenantId,
    event: EventId,
) -> Result<(u64, u64)> {
    let query = sqlx::query(
        "SELECT (SELECT COUNT(*) FROM bookings WHERE tenant_id = $1 AND event_id = $2 AND state = 'waiting') AS waiting,
         (SELECT COUNT(*) FROM bookings WHERE tenant_id = $1 AND event_id = $2 AND state = 'active') AS active",
    );
    let row = query.bind(tenant.0).bind(event.0).fetch_one(conn).await.map_err(db_error)?;
    let count = |column: &str| -> Result<u64> { unsigned(row.try_get(column).map_err(db_error)?) };
    Ok((count("waiting")?, count("active")?))
}

/// Lists events of a tenant whose queues have due work. Queues with full, idle active bookings are left out, so that they
/// cannot fill the list.
pub(in super::super) async fn due(
    conn: &mut Conn,
    tenant: TenantId,
    now: Timestamp,
    limit: u32,
) -> Result<Vec<EventId>> {
    let query = sqlx::query_scalar(
        "SELECT w.event_id FROM
          (SELECT DISTINCT event_id FROM bookings WHERE tenant_id = $1 AND state = 'waiting') w
          LEFT JOIN queues q ON q.tenant_id = $1 AND q.event_id = w.event_id
          WHERE (SELECT COUNT(*) FROM bookings a WHERE a.tenant_id = $1 AND a.event_id = w.event_id
           AND a.state = 'active') < COALESCE(q.served, $4)
         UNION SELECT b.event_id FROM bookings b WHERE b.tenant_id = $1 AND b.state = 'active' AND
          (b.wants AND (b.retry_at IS NULL OR b.retry_at <= $2) OR b.active_until <= $2
           OR EXISTS (SELECT 1 FROM reservations r WHERE r.tenant_id = $1 AND r.event_id = b.event_id
            AND r.buyer = b.buyer AND r.state IN ('held', 'confirmed') AND r.created_at >= b.active_at))
         UNION SELECT o.event_id FROM
          (SELECT DISTINCT event_id FROM bookings WHERE tenant_id = $1 AND state IN ('waiting', 'active')) o
          JOIN events e ON e.tenant_id = $1 AND e.id = o.event_id
          WHERE e.status <> 'active' OR e.deleted_at IS NOT NULL
         LIMIT $3",
    );
    let query = query.bind(tenant.0).bind(Ts(now)).bind(i64::from(limit)).bind(i64::from(DEFAULT_ACTIVE));
    let events: Vec<Uuid> = query.fetch_all(conn).await.map_err(db_error)?;
    Ok(events.into_iter().map(EventId).collect())
}
