//! Keys for ticket codes. What is sealed stays sealed here.

use sqlx::{QueryBuilder, Row as _};
use tessera_core::admission::SigningKey;
use tessera_core::id::TenantId;
use tessera_core::{Error, Result};

use super::super::{Conn, Db, Row, Ts};
use crate::codec::{signed, tiny, unsigned};
use crate::error::fault;

/// One that is there already was made by somebody else meanwhile.
pub(in super::super) async fn insert(conn: &mut Conn, tenant: TenantId, key: &SigningKey) -> Result<()> {
    let query = sqlx::query(
        "INSERT INTO signing_keys (tenant_id, number, public, sealed, created_at, revoked_at, version)
         VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (tenant_id, number) DO NOTHING",
    );
    let done = query
        .bind(tenant.0)
        .bind(i64::from(key.id))
        .bind(&key.public)
        .bind(&key.sealed)
        .bind(Ts(key.created_at))
        .bind(key.revoked_at.map(Ts))
        .bind(signed(key.version))
        .execute(conn)
        .await
        .map_err(fault)?;
    if done.rows_affected() == 1 { Ok(()) } else { Err(Error::stale()) }
}

/// Nothing of a key changes but that it is revoked.
pub(in super::super) async fn update(
    conn: &mut Conn,
    tenant: TenantId,
    (key, stored): (&SigningKey, u64),
) -> Result<()> {
    let query = sqlx::query(
        "UPDATE signing_keys SET revoked_at = $3, version = $4
         WHERE tenant_id = $1 AND number = $2 AND version = $5",
    );
    let done = query
        .bind(tenant.0)
        .bind(i64::from(key.id))
        .bind(key.revoked_at.map(Ts))
        .bind(signed(key.version))
        .bind(signed(stored))
        .execute(conn)
        .await
        .map_err(fault)?;
    if done.rows_affected() == 1 { Ok(()) } else { Err(Error::stale()) }
}

/// All of a tenant, by number.
pub(in super::super) async fn list(conn: &mut Conn, tenant: TenantId) -> Result<Vec<SigningKey>> {
    let mut query = QueryBuilder::<Db>::new(
        "SELECT number, public, sealed, created_at, revoked_at, version FROM signing_keys WHERE tenant_id = ",
    );
    query.push_bind(tenant.0).push(" ORDER BY number");
    let rows = query.build().fetch_all(conn).await.map_err(fault)?;
    rows.iter().map(read).collect()
}

fn read(row: &Row) -> Result<SigningKey> {
    let Ts(created_at) = row.try_get("created_at").map_err(fault)?;
    let revoked_at: Option<Ts> = row.try_get("revoked_at").map_err(fault)?;
    Ok(SigningKey {
        id: tiny(row.try_get("number").map_err(fault)?)?,
        public: row.try_get("public").map_err(fault)?,
        sealed: row.try_get("sealed").map_err(fault)?,
        created_at,
        revoked_at: revoked_at.map(|Ts(at)| at),
        version: unsigned(row.try_get("version").map_err(fault)?)?,
    })
}
