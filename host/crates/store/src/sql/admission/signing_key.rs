//! Signing keys of ticket codes. Private keys are stored encrypted.

use sqlx::{AssertSqlSafe, Row as _};
use tessera_core::Result;
use tessera_core::admission::SigningKey;
use tessera_core::id::TenantId;

use super::super::execute::{change_one, read_all};
use super::super::table::Table;
use super::super::{Conn, Row, Ts};
use crate::codec::{signed, tiny, unsigned};
use crate::error::db_error;

static SIGNING_KEYS: Table = Table::new(
    "signing_keys",
    &["tenant_id", "number"],
    &["revoked_at", "version"],
    &["public", "sealed", "created_at"],
);

/// Inserts a key. An existing number is stale: another host created the key in between.
pub(in super::super) async fn insert(conn: &mut Conn, tenant: TenantId, key: &SigningKey) -> Result<()> {
    let sql = format!("{} ON CONFLICT (tenant_id, number) DO NOTHING", SIGNING_KEYS.insert());
    let query = sqlx::query(AssertSqlSafe(sql))
        .bind(tenant.0)
        .bind(i64::from(key.id))
        .bind(key.revoked_at.map(Ts))
        .bind(signed(key.version))
        .bind(&key.public)
        .bind(&key.sealed)
        .bind(Ts(key.created_at));
    change_one(conn, query).await
}

/// Revokes a key, which is all that can change.
pub(in super::super) async fn update(
    conn: &mut Conn,
    tenant: TenantId,
    (key, stored): (&SigningKey, u64),
) -> Result<()> {
    let query = sqlx::query(SIGNING_KEYS.update())
        .bind(tenant.0)
        .bind(i64::from(key.id))
        .bind(key.revoked_at.map(Ts))
        .bind(signed(key.version))
        .bind(signed(stored));
    change_one(conn, query).await
}

/// Returns all keys of a tenant by number.
pub(in super::super) async fn list(conn: &mut Conn, tenant: TenantId) -> Result<Vec<SigningKey>> {
    let mut query = SIGNING_KEYS.of(tenant);
    query.push(" ORDER BY number");
    read_all(conn, query, read).await
}

fn read(row: &Row) -> Result<SigningKey> {
    let Ts(created_at) = row.try_get("created_at").map_err(db_error)?;
    let revoked_at: Option<Ts> = row.try_get("revoked_at").map_err(db_error)?;
    Ok(SigningKey {
        id: tiny(row.try_get("number").map_err(db_error)?)?,
        public: row.try_get("public").map_err(db_error)?,
        sealed: row.try_get("sealed").map_err(db_error)?,
        created_at,
        revoked_at: revoked_at.map(|Ts(at)| at),
        version: unsigned(row.try_get("version").map_err(db_error)?)?,
    })
}
