//! Hold rules of a tenant.

use sqlx::{AssertSqlSafe, Row as _};
use tessera_core::Result;
use tessera_core::id::TenantId;
use tessera_core::inventory::HoldRules;
use tessera_core::inventory::TenantHoldRules;

use super::super::execute::change_one;
use super::super::table::{Query, Table};
use super::super::{Conn, Ts};
use crate::codec::{signed, small, unsigned};
use crate::error::db_error;

static HOLD_RULES: Table =
    Table::new("hold_rules", &["tenant_id"], &["usual", "least", "most", "updated_at", "version"], &[]);

fn bind<'q>(query: Query<'q>, holds: &'q TenantHoldRules) -> Query<'q> {
    query
        .bind(holds.id.0)
        .bind(holds.rules.default.map(i64::from))
        .bind(holds.rules.min.map(i64::from))
        .bind(holds.rules.max.map(i64::from))
        .bind(Ts(holds.updated_at))
        .bind(signed(holds.version))
}

/// Inserts a tenant's rules. Existing rules are stale: another caller set them in between.
pub(in super::super) async fn insert(conn: &mut Conn, holds: &TenantHoldRules) -> Result<()> {
    let sql = format!("{} ON CONFLICT (tenant_id) DO NOTHING", HOLD_RULES.insert());
    change_one(conn, bind(sqlx::query(AssertSqlSafe(sql)), holds)).await
}

pub(in super::super) async fn update(
    conn: &mut Conn,
    (holds, stored): (&TenantHoldRules, u64),
) -> Result<()> {
    let query = bind(sqlx::query(HOLD_RULES.update()), holds).bind(signed(stored));
    change_one(conn, query).await
}

pub(in super::super) async fn get(conn: &mut Conn, tenant: TenantId) -> Result<Option<TenantHoldRules>> {
    let mut query = HOLD_RULES.of(tenant);
    let Some(row) = query.build().fetch_optional(conn).await.map_err(db_error)? else { return Ok(None) };
    let seconds = |column: &str| -> Result<Option<u32>> {
        let seconds: Option<i64> = row.try_get(column).map_err(db_error)?;
        seconds.map(small).transpose()
    };
    let Ts(updated_at) = row.try_get("updated_at").map_err(db_error)?;
    Ok(Some(TenantHoldRules {
        id: tenant,
        rules: HoldRules { default: seconds("usual")?, min: seconds("least")?, max: seconds("most")? },
        updated_at,
        version: unsigned(row.try_get("version").map_err(db_error)?)?,
    }))
}
