//! Pools and locked supply. Batches of reservations and cancelled tickets change their counts.

use sqlx::{AssertSqlSafe, Row as _};
use tessera_core::id::{EventId, LockId, PoolId, TenantId};
use tessera_core::inventory::{Counts, Lock, Pool};
use tessera_core::{Error, Result, Timestamp};

use super::super::execute::{change_one, read_all, read_one};
use super::super::table::{Query, Table};
use super::super::{Conn, Row, Ts, dialect};
use super::signed_or_none;
use crate::codec::{pool_sort, signed, unsigned};
use crate::error::db_error;

static POOLS: Table = Table::new(
    "pools",
    &["tenant_id", "event_id", "id"],
    &["name", "capacity", "updated_at", "version"],
    &["sort", "created_at"],
)
.with(", held, sold, locked");

static POOL_LOCKS: Table = Table::new(
    "pool_locks",
    &["tenant_id", "id"],
    &[],
    &["event_id", "pool_id", "quantity", "reason", "until", "created_at", "version"],
);

fn bind<'q>(query: Query<'q>, tenant: TenantId, pool: &'q Pool) -> Query<'q> {
    query
        .bind(tenant.0)
        .bind(pool.event.0)
        .bind(pool.id.0)
        .bind(&pool.name)
        .bind(signed_or_none(pool.capacity))
        .bind(Ts(pool.updated_at))
        .bind(signed(pool.version))
}

pub(in super::super) async fn insert(conn: &mut Conn, tenant: TenantId, pool: &Pool) -> Result<()> {
    let query =
        bind(sqlx::query(POOLS.insert()), tenant, pool).bind(pool.sort.name()).bind(Ts(pool.created_at));
    query.execute(conn).await.map(drop).map_err(db_error)
}

/// Updates a pool without its counts. A capacity below the counts is stale.
pub(in super::super) async fn update(
    conn: &mut Conn,
    tenant: TenantId,
    (pool, stored): (&Pool, u64),
) -> Result<()> {
    let capacity = POOLS.parameter("capacity");
    let fits = format!("({capacity} IS NULL OR held + sold + locked <= {capacity})");
    let sql = format!("{} AND {fits}", POOLS.update());
    let query = bind(sqlx::query(AssertSqlSafe(sql)), tenant, pool).bind(signed(stored));
    change_one(conn, query).await
}

/// Deletes an unused pool.
pub(in super::super) async fn delete(conn: &mut Conn, tenant: TenantId, pool: &Pool) -> Result<()> {
    let query = sqlx::query(
        "DELETE FROM pools WHERE tenant_id = $1 AND event_id = $2 AND id = $3 AND held + sold + locked = 0",
    );
    let query = query.bind(tenant.0).bind(pool.event.0).bind(pool.id.0);
    change_one(conn, query).await
}

/// Locks units: takes them out of sale.
pub(in super::super) async fn lock(conn: &mut Conn, tenant: TenantId, lock: &Lock) -> Result<()> {
    count_locked(conn, tenant, (lock.event, lock.pool), signed(lock.quantity)).await?;
    let query = sqlx::query(POOL_LOCKS.insert());
    query
        .bind(tenant.0)
        .bind(lock.id.0)
        .bind(lock.event.0)
        .bind(lock.pool.0)
        .bind(signed(lock.quantity))
        .bind(&lock.reason)
        .bind(lock.until.map(Ts))
        .bind(Ts(lock.created_at))
        .bind(signed(lock.version))
        .execute(conn)
        .await
        .map(drop)
        .map_err(db_error)
}

/// Unlocks units: puts them back on sale.
pub(in super::super) async fn unlock(conn: &mut Conn, tenant: TenantId, lock: &Lock) -> Result<()> {
    let query = sqlx::query("DELETE FROM pool_locks WHERE tenant_id = $1 AND id = $2");
    let result = query.bind(tenant.0).bind(lock.id.0).execute(&mut *conn).await.map_err(db_error)?;
    if result.rows_affected() != 1 {
        return Err(Error::stale());
    }
    count_locked(conn, tenant, (lock.event, lock.pool), -signed(lock.quantity)).await
}

/// Adds to the locked units of a pool. More than its capacity is stale.
pub(in super::super) async fn count_locked(
    conn: &mut Conn,
    tenant: TenantId,
    (event, pool): (EventId, PoolId),
    units: i64,
) -> Result<()> {
    let query = sqlx::query(
        "UPDATE pools SET locked = locked + $4 WHERE tenant_id = $1 AND event_id = $2 AND id = $3
         AND (capacity IS NULL OR held + sold + locked + $4 <= capacity)",
    );
    let query = query.bind(tenant.0).bind(event.0).bind(pool.0).bind(units);
    change_one(conn, query).await
}

/// Returns a sold unit to its pools, whose rows are locked.
pub(in super::super) async fn give_back(
    conn: &mut Conn,
    tenant: TenantId,
    event: EventId,
    pools: &[PoolId],
) -> Result<()> {
    for pool in pools {
        let query = sqlx::query(
            "UPDATE pools SET sold = sold - 1 WHERE tenant_id = $1 AND event_id = $2 AND id = $3 AND sold > 0",
        );
        let query = query.bind(tenant.0).bind(event.0).bind(pool.0);
        if query.execute(&mut *conn).await.map_err(db_error)?.rows_affected() != 1 {
            return Err(Error::stale());
        }
    }
    Ok(())
}

pub(in super::super) async fn get(
    conn: &mut Conn,
    tenant: TenantId,
    event: EventId,
    id: PoolId,
) -> Result<Option<Pool>> {
    let mut query = POOLS.of(tenant);
    query.push(" AND event_id = ").push_bind(event.0).push(" AND id = ").push_bind(id.0);
    read_one(conn, query, read).await
}

pub(in super::super) async fn list(
    conn: &mut Conn,
    tenant: TenantId,
    events: &[EventId],
) -> Result<Vec<Pool>> {
    if events.is_empty() {
        return Ok(Vec::new());
    }
    let mut query = POOLS.of(tenant);
    query.push(" AND event_id IN (");
    let mut ids = query.separated(", ");
    for event in events {
        ids.push_bind(event.0);
    }
    query.push(") ORDER BY id");
    read_all(conn, query, read).await
}

/// Locks all pools of an event: waits for running batches, and blocks others until the transaction ends.
pub(in super::super) async fn pause(conn: &mut Conn, tenant: TenantId, event: EventId) -> Result<Vec<Pool>> {
    let mut query = POOLS.of(tenant);
    query.push(" AND event_id = ").push_bind(event.0).push(" ORDER BY id");
    query.push(dialect::LOCK_TO_CHANGE);
    read_all(conn, query, read).await
}

pub(in super::super) async fn get_lock(
    conn: &mut Conn,
    tenant: TenantId,
    id: LockId,
) -> Result<Option<Lock>> {
    let mut query = POOL_LOCKS.of(tenant);
    query.push(" AND id = ").push_bind(id.0);
    read_one(conn, query, read_lock).await
}

pub(in super::super) async fn locks(conn: &mut Conn, tenant: TenantId, event: EventId) -> Result<Vec<Lock>> {
    let mut query = POOL_LOCKS.of(tenant);
    query.push(" AND event_id = ").push_bind(event.0);
    query.push(" ORDER BY id");
    read_all(conn, query, read_lock).await
}

/// Lists expired locks of a tenant.
pub(in super::super) async fn due_locks(
    conn: &mut Conn,
    tenant: TenantId,
    now: Timestamp,
    limit: u32,
) -> Result<Vec<Lock>> {
    let mut query = POOL_LOCKS.of(tenant);
    query
        .push(" AND until <= ")
        .push_bind(Ts(now))
        .push(" ORDER BY until LIMIT ")
        .push_bind(i64::from(limit));
    read_all(conn, query, read_lock).await
}

fn read_lock(row: &Row) -> Result<Lock> {
    let until: Option<Ts> = row.try_get("until").map_err(db_error)?;
    let Ts(created_at) = row.try_get("created_at").map_err(db_error)?;
    Ok(Lock {
        id: LockId(row.try_get("id").map_err(db_error)?),
        event: EventId(row.try_get("event_id").map_err(db_error)?),
        pool: PoolId(row.try_get("pool_id").map_err(db_error)?),
        quantity: unsigned(row.try_get("quantity").map_err(db_error)?)?,
        reason: row.try_get("reason").map_err(db_error)?,
        until: until.map(|Ts(at)| at),
        created_at,
        version: unsigned(row.try_get("version").map_err(db_error)?)?,
    })
}

fn read(row: &Row) -> Result<Pool> {
    let sort: String = row.try_get("sort").map_err(db_error)?;
    let capacity: Option<i64> = row.try_get("capacity").map_err(db_error)?;
    let Ts(created_at) = row.try_get("created_at").map_err(db_error)?;
    let Ts(updated_at) = row.try_get("updated_at").map_err(db_error)?;
    let count = |column: &str| -> Result<u64> { unsigned(row.try_get(column).map_err(db_error)?) };
    Ok(Pool {
        id: PoolId(row.try_get("id").map_err(db_error)?),
        event: EventId(row.try_get("event_id").map_err(db_error)?),
        sort: pool_sort(&sort)?,
        name: row.try_get("name").map_err(db_error)?,
        capacity: capacity.map(unsigned).transpose()?,
        counts: Counts { held: count("held")?, sold: count("sold")?, locked: count("locked")? },
        created_at,
        updated_at,
        version: count("version")?,
    })
}
