//! Deleted projects and users that are still to be purged.

use sqlx::Row as _;
use tessera_core::Result;
use tessera_core::id::{FactId, ProjectId, TenantId, UserId};
use tessera_core::tracker::Purge;

use super::super::{Conn, Row};
use crate::error::db_error;

pub(in super::super) async fn list(conn: &mut Conn, tenant: TenantId, limit: u32) -> Result<Vec<Purge>> {
    let projects = sqlx::query(
        "SELECT tenant_id, id, deleted_by FROM projects WHERE tenant_id = $1 AND deleted_at IS NOT NULL
         ORDER BY deleted_at LIMIT $2",
    );
    let limit_rows = i64::from(limit);
    let rows = projects.bind(tenant.0).bind(limit_rows).fetch_all(&mut *conn).await.map_err(db_error)?;
    let mut purges = rows.iter().map(project).collect::<Result<Vec<_>>>()?;
    let users = sqlx::query(
        "SELECT tenant_id, id, deleted_by FROM users WHERE tenant_id = $1 AND deleted_at IS NOT NULL
         ORDER BY deleted_at LIMIT $2",
    );
    let rows = users.bind(tenant.0).bind(limit_rows).fetch_all(conn).await.map_err(db_error)?;
    for row in &rows {
        purges.push(user(row)?);
    }
    purges.truncate(limit as usize);
    Ok(purges)
}

fn project(row: &Row) -> Result<Purge> {
    let (tenant, cause) = of(row)?;
    Ok(Purge::Project { tenant, id: ProjectId(row.try_get("id").map_err(db_error)?), cause })
}

fn user(row: &Row) -> Result<Purge> {
    let (tenant, cause) = of(row)?;
    Ok(Purge::User { tenant, id: UserId(row.try_get("id").map_err(db_error)?), cause })
}

fn of(row: &Row) -> Result<(TenantId, Option<FactId>)> {
    let tenant = TenantId(row.try_get("tenant_id").map_err(db_error)?);
    Ok((tenant, row.try_get::<Option<_>, _>("deleted_by").map_err(db_error)?.map(FactId)))
}
