//! The terms of queues, and how many are in them.

use sqlx::{QueryBuilder, Row as _};
use tessera_core::booking::Queue;
use tessera_core::booking::model::USUALLY_SERVED;
use tessera_core::id::{EventId, TenantId};
use tessera_core::{Error, Result, Timestamp};

use super::super::{Conn, Db, Ts};
use crate::codec::{signed, small, unsigned};
use crate::error::fault;

/// One that is there already was set by somebody else meanwhile.
pub(in super::super) async fn insert(conn: &mut Conn, tenant: TenantId, queue: &Queue) -> Result<()> {
    let query = sqlx::query(
        "INSERT INTO queues (tenant_id, event_id, served, seconds, required, updated_at, version)
         VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (tenant_id, event_id) DO NOTHING",
    );
    let done = query
        .bind(tenant.0)
        .bind(queue.id.0)
        .bind(i64::from(queue.served))
        .bind(i64::from(queue.seconds))
        .bind(queue.required)
        .bind(Ts(queue.updated_at))
        .bind(signed(queue.version))
        .execute(conn)
        .await
        .map_err(fault)?;
    if done.rows_affected() == 1 { Ok(()) } else { Err(Error::stale()) }
}

pub(in super::super) async fn update(
    conn: &mut Conn,
    tenant: TenantId,
    (queue, stored): (&Queue, u64),
) -> Result<()> {
    let query = sqlx::query(
        "UPDATE queues SET served = $3, seconds = $4, required = $5, updated_at = $6, version = $7
         WHERE tenant_id = $1 AND event_id = $2 AND version = $8",
    );
    let done = query
        .bind(tenant.0)
        .bind(queue.id.0)
        .bind(i64::from(queue.served))
        .bind(i64::from(queue.seconds))
        .bind(queue.required)
        .bind(Ts(queue.updated_at))
        .bind(signed(queue.version))
        .bind(signed(stored))
        .execute(conn)
        .await
        .map_err(fault)?;
    if done.rows_affected() == 1 { Ok(()) } else { Err(Error::stale()) }
}

pub(in super::super) async fn get(
    conn: &mut Conn,
    tenant: TenantId,
    event: EventId,
) -> Result<Option<Queue>> {
    let mut query = QueryBuilder::<Db>::new(
        "SELECT served, seconds, required, updated_at, version FROM queues WHERE tenant_id = ",
    );
    query.push_bind(tenant.0).push(" AND event_id = ").push_bind(event.0);
    let Some(row) = query.build().fetch_optional(conn).await.map_err(fault)? else { return Ok(None) };
    let Ts(updated_at) = row.try_get("updated_at").map_err(fault)?;
    Ok(Some(Queue {
        id: event,
        served: small(row.try_get("served").map_err(fault)?)?,
        seconds: small(row.try_get("seconds").map_err(fault)?)?,
        required: row.try_get("required").map_err(fault)?,
        updated_at,
        version: unsigned(row.try_get("version").map_err(fault)?)?,
    }))
}

/// How many wait and how many are served.
pub(in super::super) async fn counts(
    conn: &mut Conn,
    tenant: TenantId,
    event: EventId,
) -> Result<(u64, u64)> {
    let query = sqlx::query(
        "SELECT (SELECT COUNT(*) FROM bookings WHERE tenant_id = $1 AND event_id = $2 AND state = 'waiting') AS waiting,
         (SELECT COUNT(*) FROM bookings WHERE tenant_id = $1 AND event_id = $2 AND state = 'active') AS active",
    );
    let row = query.bind(tenant.0).bind(event.0).fetch_one(conn).await.map_err(fault)?;
    let count = |column: &str| -> Result<u64> { unsigned(row.try_get(column).map_err(fault)?) };
    Ok((count("waiting")?, count("active")?))
}

/// Events of any tenant in whose queues something is to be done. Those of which all who are served are left in peace
/// are not among them: however many there are, they keep nobody waiting.
pub(in super::super) async fn due(
    conn: &mut Conn,
    now: Timestamp,
    limit: u32,
) -> Result<Vec<(TenantId, EventId)>> {
    let query = sqlx::query(
        "SELECT w.tenant_id, w.event_id FROM
          (SELECT DISTINCT tenant_id, event_id FROM bookings WHERE state = 'waiting') w
          LEFT JOIN queues q ON q.tenant_id = w.tenant_id AND q.event_id = w.event_id
          WHERE (SELECT COUNT(*) FROM bookings a WHERE a.tenant_id = w.tenant_id AND a.event_id = w.event_id
           AND a.state = 'active') < COALESCE(q.served, $3)
         UNION SELECT b.tenant_id, b.event_id FROM bookings b WHERE b.state = 'active' AND
          (b.wants OR b.active_until <= $1 OR EXISTS (SELECT 1 FROM reservations r WHERE r.tenant_id = b.tenant_id
            AND r.event_id = b.event_id AND r.buyer = b.buyer AND r.state IN ('held', 'confirmed')
            AND r.created_at >= b.active_at))
         UNION SELECT o.tenant_id, o.event_id FROM
          (SELECT DISTINCT tenant_id, event_id FROM bookings WHERE state IN ('waiting', 'active')) o
          JOIN events e ON e.tenant_id = o.tenant_id AND e.id = o.event_id
          WHERE e.status <> 'active' OR e.deleted_at IS NOT NULL
         LIMIT $2",
    );
    let query = query.bind(Ts(now)).bind(i64::from(limit)).bind(i64::from(USUALLY_SERVED));
    let rows = query.fetch_all(conn).await.map_err(fault)?;
    rows.iter()
        .map(|row| {
            let tenant = TenantId(row.try_get("tenant_id").map_err(fault)?);
            Ok((tenant, EventId(row.try_get("event_id").map_err(fault)?)))
        })
        .collect()
}
