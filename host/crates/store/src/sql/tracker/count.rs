//! Issue counts of projects: several rows for each, so that concurrent creations rarely lock the same row.

use std::collections::BTreeMap;

use tessera_core::id::{IssueId, ProjectId, TenantId};
use tessera_core::{Error, Result};

use super::super::Conn;
use super::super::dialect::SLOTS;
use crate::error::db_error;

/// Changes of counts by one changeset, in the order in which the rows are locked.
#[derive(Default)]
pub(in super::super) struct Changes(BTreeMap<(ProjectId, u8), i64>);

impl Changes {
    /// Adds an issue to a project's count (1) or removes it (-1).
    pub(in super::super) fn add(&mut self, project: ProjectId, issue: IssueId, by: i64) {
        *self.0.entry((project, slot(issue))).or_default() += by;
    }

    /// Writes the changes.
    pub(in super::super) async fn write(&self, conn: &mut Conn, tenant: TenantId) -> Result<()> {
        for (&(project, slot), &by) in &self.0 {
            let query = match by {
                0 => continue,
                1.. => sqlx::query(
                    "INSERT INTO project_counts (tenant_id, project_id, slot, issues)
                     VALUES ($1, $2, $3, $4) ON CONFLICT (tenant_id, project_id, slot)
                     DO UPDATE SET issues = project_counts.issues + excluded.issues",
                ),
                _ => sqlx::query(
                    "UPDATE project_counts SET issues = issues + $4
                     WHERE tenant_id = $1 AND project_id = $2 AND slot = $3",
                ),
            };
            let query = query.bind(tenant.0).bind(project.0).bind(i32::from(slot)).bind(by);
            query.execute(&mut *conn).await.map_err(db_error)?;
        }
        Ok(())
    }
}

/// Returns the row that counts an issue: the last byte of its id is random and never changes.
pub(in super::super::super) fn slot(issue: IssueId) -> u8 {
    issue.0.as_bytes()[15] % SLOTS
}

/// Fails as stale if a project, whose row is locked, has issues.
pub(in super::super) async fn is_zero(conn: &mut Conn, tenant: TenantId, project: ProjectId) -> Result<()> {
    let query = sqlx::query_scalar(
        "SELECT CAST(COALESCE(SUM(issues), 0) AS BIGINT) FROM project_counts
         WHERE tenant_id = $1 AND project_id = $2",
    );
    let issues: i64 = query.bind(tenant.0).bind(project.0).fetch_one(conn).await.map_err(db_error)?;
    if issues == 0 { Ok(()) } else { Err(Error::stale()) }
}
