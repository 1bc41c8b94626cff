//! How long reservations of a tenant are held.

use sqlx::{QueryBuilder, Row as _};
use tessera_core::catalog::event::HoldRules;
use tessera_core::id::TenantId;
use tessera_core::inventory::TenantHolds;
use tessera_core::{Error, Result};

use super::super::{Conn, Db, Ts};
use crate::codec::{signed, small, unsigned};
use crate::error::fault;

/// One that is there already was set by somebody else meanwhile.
pub(in super::super) async fn insert(conn: &mut Conn, holds: &TenantHolds) -> Result<()> {
    let query = sqlx::query(
        "INSERT INTO hold_rules (tenant_id, usual, least, most, updated_at, version)
         VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (tenant_id) DO NOTHING",
    );
    let done = query
        .bind(holds.id.0)
        .bind(holds.rules.usual.map(i64::from))
        .bind(holds.rules.least.map(i64::from))
        .bind(holds.rules.most.map(i64::from))
        .bind(Ts(holds.updated_at))
        .bind(signed(holds.version))
        .execute(conn)
        .await
        .map_err(fault)?;
    if done.rows_affected() == 1 { Ok(()) } else { Err(Error::stale()) }
}

pub(in super::super) async fn update(conn: &mut Conn, (holds, stored): (&TenantHolds, u64)) -> Result<()> {
    let query = sqlx::query(
        "UPDATE hold_rules SET usual = $2, least = $3, most = $4, updated_at = $5, version = $6
         WHERE tenant_id = $1 AND version = $7",
    );
    let done = query
        .bind(holds.id.0)
        .bind(holds.rules.usual.map(i64::from))
        .bind(holds.rules.least.map(i64::from))
        .bind(holds.rules.most.map(i64::from))
        .bind(Ts(holds.updated_at))
        .bind(signed(holds.version))
        .bind(signed(stored))
        .execute(conn)
        .await
        .map_err(fault)?;
    if done.rows_affected() == 1 { Ok(()) } else { Err(Error::stale()) }
}

pub(in super::super) async fn get(conn: &mut Conn, tenant: TenantId) -> Result<Option<TenantHolds>> {
    let mut query = QueryBuilder::<Db>::new(
        "SELECT usual, least, most, updated_at, version FROM hold_rules WHERE tenant_id = ",
    );
    query.push_bind(tenant.0);
    let Some(row) = query.build().fetch_optional(conn).await.map_err(fault)? else { return Ok(None) };
    let seconds = |column: &str| -> Result<Option<u32>> {
        let held: Option<i64> = row.try_get(column).map_err(fault)?;
        held.map(small).transpose()
    };
    let Ts(updated_at) = row.try_get("updated_at").map_err(fault)?;
    Ok(Some(TenantHolds {
        id: tenant,
        rules: HoldRules { usual: seconds("usual")?, least: seconds("least")?, most: seconds("most")? },
        updated_at,
        version: unsigned(row.try_get("version").map_err(fault)?)?,
    }))
}
