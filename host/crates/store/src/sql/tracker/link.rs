//! Links between issues. Parents are a column of the child.

use sqlx::Row as _;
use tessera_core::Result;
use tessera_core::id::{IssueId, TenantId};
use tessera_core::tracker::{Link, Relation};

use super::super::execute::change_one;
use super::super::{Conn, Row, Ts};
use crate::codec::corrupt;
use crate::error::db_error;

pub(in super::super) async fn add(conn: &mut Conn, tenant: TenantId, link: &Link) -> Result<()> {
    let query = sqlx::query(
        "INSERT INTO issue_links (tenant_id, issue_id, relation, other_id, created_at)
         VALUES ($1, $2, $3, $4, $5) ON CONFLICT (tenant_id, issue_id, relation, other_id) DO NOTHING",
    );
    let query = query.bind(tenant.0).bind(link.issue.0).bind(link.relation.name()).bind(link.other.0);
    change_one(conn, query.bind(Ts(link.created_at))).await
}

pub(in super::super) async fn drop(conn: &mut Conn, tenant: TenantId, link: &Link) -> Result<()> {
    let query = sqlx::query(
        "DELETE FROM issue_links WHERE tenant_id = $1 AND issue_id = $2 AND relation = $3 AND other_id = $4",
    );
    let query = query.bind(tenant.0).bind(link.issue.0).bind(link.relation.name()).bind(link.other.0);
    change_one(conn, query).await
}

/// Lists an issue's links to visible issues: its own, those of others to it, its parent and its children.
pub(in super::super) async fn list(conn: &mut Conn, tenant: TenantId, issue: IssueId) -> Result<Vec<Link>> {
    let query = sqlx::query(
        "SELECT l.issue_id, l.relation, l.other_id, l.created_at FROM
         (SELECT issue_id, relation, other_id, created_at FROM issue_links
          WHERE tenant_id = $1 AND issue_id = $2
          UNION ALL
          SELECT issue_id, relation, other_id, created_at FROM issue_links
          WHERE tenant_id = $1 AND other_id = $2
          UNION ALL
          SELECT id, 'parent', parent_id, COALESCE(parent_at, modified_at) FROM issues
          WHERE tenant_id = $1 AND id = $2 AND parent_id IS NOT NULL
          UNION ALL
          SELECT id, 'parent', parent_id, COALESCE(parent_at, modified_at) FROM issues
          WHERE tenant_id = $1 AND parent_id = $2) l
         JOIN issues o ON o.tenant_id = $1
          AND o.id = CASE WHEN l.issue_id = $2 THEN l.other_id ELSE l.issue_id END
         WHERE o.project_id NOT IN
          (SELECT p.id FROM projects p WHERE p.tenant_id = $1 AND p.deleted_at IS NOT NULL)
         ORDER BY l.created_at, l.relation, o.id",
    );
    let rows = query.bind(tenant.0).bind(issue.0).fetch_all(conn).await.map_err(db_error)?;
    let links = rows.iter().map(read).collect::<Result<Vec<_>>>()?;
    Ok(links.into_iter().map(|link| if link.issue == issue { link } else { link.inverse() }).collect())
}

fn read(row: &Row) -> Result<Link> {
    let name: String = row.try_get("relation").map_err(db_error)?;
    let relation = Relation::named(&name).ok_or_else(|| corrupt("a relation", &name))?;
    let Ts(created_at) = row.try_get("created_at").map_err(db_error)?;
    Ok(Link {
        issue: IssueId(row.try_get("issue_id").map_err(db_error)?),
        relation,
        other: IssueId(row.try_get("other_id").map_err(db_error)?),
        created_at,
    })
}
