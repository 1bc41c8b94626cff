//! Watchers of issues.

use tessera_core::Result;
use tessera_core::id::{IssueId, TenantId, UserId};

use super::super::Conn;
use super::super::execute::change_one;
use crate::error::db_error;

pub(in super::super) async fn add(
    conn: &mut Conn,
    tenant: TenantId,
    issue: IssueId,
    user: UserId,
) -> Result<()> {
    let query = sqlx::query(
        "INSERT INTO watchers (tenant_id, issue_id, user_id) VALUES ($1, $2, $3)
         ON CONFLICT (tenant_id, issue_id, user_id) DO NOTHING",
    );
    change_one(conn, query.bind(tenant.0).bind(issue.0).bind(user.0)).await
}

pub(in super::super) async fn drop(
    conn: &mut Conn,
    tenant: TenantId,
    issue: IssueId,
    user: UserId,
) -> Result<()> {
    let query = sqlx::query("DELETE FROM watchers WHERE tenant_id = $1 AND issue_id = $2 AND user_id = $3");
    change_one(conn, query.bind(tenant.0).bind(issue.0).bind(user.0)).await
}

pub(in super::super) async fn list(conn: &mut Conn, tenant: TenantId, issue: IssueId) -> Result<Vec<UserId>> {
    let query = sqlx::query_scalar(
        "SELECT w.user_id FROM watchers w
         JOIN users u ON u.tenant_id = w.tenant_id AND u.id = w.user_id AND u.deleted_at IS NULL
         WHERE w.tenant_id = $1 AND w.issue_id = $2 ORDER BY w.user_id",
    );
    let ids = query.bind(tenant.0).bind(issue.0).fetch_all(conn).await.map_err(db_error)?;
    Ok(ids.into_iter().map(UserId).collect())
}
