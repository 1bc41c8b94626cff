//! Issues with their labels and fields.

use std::collections::BTreeSet;

use sqlx::types::Json;
use sqlx::{QueryBuilder, Row as _};
use tessera_core::filter::Term;
use tessera_core::id::{IssueId, ProjectId, TenantId, UserId};
use tessera_core::page::{Page, PageRequest};
use tessera_core::plugin::{Scope, StatesInUse};
use tessera_core::tracker::{Issue, Purge};
use tessera_core::{Error, Result};

use super::super::lock::IssueBefore;
use super::super::page::{Holds, Sort, at, text};
use super::super::{Conn, Db, Row, Ts, dialect, filter};
use crate::codec::{FieldsForm, fields, fields_form, signed, unsigned};
use crate::error::{exists_or, fault};

/// All issues of a tenant, those of deleted projects included.
const SELECT: &str = "SELECT i.id, i.project_id, i.kind, i.summary, i.description, i.status, i.resolution, \
    i.issue_type, i.priority, i.assignee_id, i.reporter_id, i.parent_id, i.labels, i.fields, i.created_at, \
    i.modified_at, i.version FROM issues i WHERE i.tenant_id = ";

/// Leaves out the issues of deleted projects, of which there are few.
fn push_visible(query: &mut QueryBuilder<Db>, tenant: TenantId) {
    query.push(
        " AND i.project_id NOT IN (SELECT p.id FROM projects p WHERE p.deleted_at IS NOT NULL AND p.tenant_id = ",
    );
    query.push_bind(tenant.0).push(")");
}

pub(in super::super) async fn insert(conn: &mut Conn, tenant: TenantId, issue: &Issue) -> Result<()> {
    let query = sqlx::query(
        "INSERT INTO issues (tenant_id, id, project_id, kind, summary, description, status, resolution,
         issue_type, priority, assignee_id, reporter_id, parent_id, parent_at, labels, fields, created_at,
         modified_at, version)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)",
    );
    query
        .bind(tenant.0)
        .bind(issue.id.0)
        .bind(issue.project.0)
        .bind(&issue.kind)
        .bind(&issue.summary)
        .bind(issue.description.as_deref())
        .bind(&issue.status)
        .bind(issue.resolution.as_deref())
        .bind(&issue.issue_type)
        .bind(&issue.priority)
        .bind(issue.assignee.map(|user| user.0))
        .bind(issue.reporter.map(|user| user.0))
        .bind(issue.parent.map(|parent| parent.0))
        .bind(issue.parent.map(|_| Ts(issue.modified_at)))
        .bind(Json(&issue.labels))
        .bind(Json(fields_form(&issue.fields)))
        .bind(Ts(issue.created_at))
        .bind(Ts(issue.modified_at))
        .bind(signed(issue.version))
        .execute(&mut *conn)
        .await
        .map_err(|error| exists_or(error, "issue", "summary", "id is another issue's already"))?;
    add_labels(conn, tenant, issue.id, issue.labels.iter()).await
}

pub(in super::super) async fn update(
    conn: &mut Conn,
    tenant: TenantId,
    (issue, stored): (&Issue, u64),
    before: &IssueBefore,
) -> Result<()> {
    let query = sqlx::query(
        "UPDATE issues SET project_id = $3, kind = $4, summary = $5, description = $6, status = $7,
         resolution = $8, issue_type = $9, priority = $10, assignee_id = $11, reporter_id = $12,
         parent_at = CASE WHEN parent_id IS NOT DISTINCT FROM $13 THEN parent_at ELSE $16 END,
         parent_id = $13, labels = $14, fields = $15, modified_at = $16, version = $17
         WHERE tenant_id = $1 AND id = $2 AND version = $18",
    );
    let done = query
        .bind(tenant.0)
        .bind(issue.id.0)
        .bind(issue.project.0)
        .bind(&issue.kind)
        .bind(&issue.summary)
        .bind(issue.description.as_deref())
        .bind(&issue.status)
        .bind(issue.resolution.as_deref())
        .bind(&issue.issue_type)
        .bind(&issue.priority)
        .bind(issue.assignee.map(|user| user.0))
        .bind(issue.reporter.map(|user| user.0))
        .bind(issue.parent.map(|parent| parent.0))
        .bind(Json(&issue.labels))
        .bind(Json(fields_form(&issue.fields)))
        .bind(Ts(issue.modified_at))
        .bind(signed(issue.version))
        .bind(signed(stored))
        .execute(&mut *conn)
        .await
        .map_err(fault)?;
    if done.rows_affected() != 1 {
        return Err(Error::stale());
    }
    for label in before.labels.difference(&issue.labels) {
        let query =
            sqlx::query("DELETE FROM issue_labels WHERE tenant_id = $1 AND issue_id = $2 AND label = $3");
        query.bind(tenant.0).bind(issue.id.0).bind(label).execute(&mut *conn).await.map_err(fault)?;
    }
    add_labels(conn, tenant, issue.id, issue.labels.difference(&before.labels)).await
}

async fn add_labels(
    conn: &mut Conn,
    tenant: TenantId,
    issue: IssueId,
    labels: impl Iterator<Item = &String>,
) -> Result<()> {
    for label in labels {
        let query = sqlx::query(
            "INSERT INTO issue_labels (tenant_id, issue_id, label) VALUES ($1, $2, $3)
             ON CONFLICT (tenant_id, issue_id, label) DO NOTHING",
        );
        query.bind(tenant.0).bind(issue.0).bind(label).execute(&mut *conn).await.map_err(fault)?;
    }
    Ok(())
}

/// Removes an issue with its labels, comments, links, watchers and timers.
pub(in super::super) async fn delete(conn: &mut Conn, tenant: TenantId, issue: &Issue) -> Result<()> {
    let query = sqlx::query("DELETE FROM issues WHERE tenant_id = $1 AND id = $2 AND version = $3");
    let query = query.bind(tenant.0).bind(issue.id.0).bind(signed(issue.version));
    let done = query.execute(conn).await.map_err(fault)?;
    if done.rows_affected() == 1 { Ok(()) } else { Err(Error::stale()) }
}

/// Refuses when an issue has one of these as its parent.
pub(in super::super) async fn no_children(
    conn: &mut Conn,
    tenant: TenantId,
    parents: &[IssueId],
) -> Result<()> {
    let mut query = QueryBuilder::<Db>::new("SELECT 1 FROM issues WHERE tenant_id = ");
    query.push_bind(tenant.0).push(" AND (");
    filter::one_of(&mut query, "parent_id", parents.iter().map(|parent| parent.0).collect(), false);
    query.push(") LIMIT 1");
    let child = query.build().fetch_optional(conn).await.map_err(fault)?;
    if child.is_none() { Ok(()) } else { Err(Error::stale()) }
}

pub(in super::super) async fn get(conn: &mut Conn, tenant: TenantId, id: IssueId) -> Result<Option<Issue>> {
    let mut query = QueryBuilder::<Db>::new(SELECT);
    query.push_bind(tenant.0).push(" AND i.id = ").push_bind(id.0);
    push_visible(&mut query, tenant);
    let row = query.build().fetch_optional(conn).await.map_err(fault)?;
    row.as_ref().map(read).transpose()
}

pub(in super::super) async fn list(
    conn: &mut Conn,
    tenant: TenantId,
    page: &PageRequest,
) -> Result<Page<Issue>> {
    let mut query = QueryBuilder::<Db>::new(SELECT);
    query.push_bind(tenant.0);
    push_visible(&mut query, tenant);
    filter::push(&mut query, &page.filter, condition)?;
    let sort = match page.order.field {
        "modified" => {
            Sort::by("i.modified_at", Holds::Moments, |issue: &Issue| at(issue.modified_at, &issue.id))
        }
        "summary" => Sort::by("i.summary", Holds::Texts, |issue: &Issue| text(&issue.summary, &issue.id)),
        _ => Sort::by("i.created_at", Holds::Moments, |issue: &Issue| at(issue.created_at, &issue.id)),
    };
    sort.then("i.id").descending(page.order.descending).page(conn, query, page, read).await
}

pub(in super::super) async fn children(
    conn: &mut Conn,
    tenant: TenantId,
    parents: &[IssueId],
    limit: u32,
) -> Result<Vec<Issue>> {
    let mut query = QueryBuilder::<Db>::new(SELECT);
    query.push_bind(tenant.0).push(" AND (");
    filter::one_of(&mut query, "i.parent_id", parents.iter().map(|parent| parent.0).collect(), false);
    // By the index on parents: any other order would be had by reading all issues of the tenant.
    query.push(") ORDER BY i.parent_id, i.id LIMIT ").push_bind(i64::from(limit));
    let rows = query.build().fetch_all(conn).await.map_err(fault)?;
    rows.iter().map(read).collect()
}

pub(in super::super) async fn purgeable(conn: &mut Conn, purge: &Purge, limit: u32) -> Result<Vec<Issue>> {
    let mut query = QueryBuilder::<Db>::new(SELECT);
    match purge {
        Purge::Project { tenant, id, .. } => {
            query.push_bind(tenant.0).push(" AND i.project_id = ").push_bind(id.0);
        }
        Purge::User { tenant, id, .. } => {
            query.push_bind(tenant.0).push(" AND i.assignee_id = ").push_bind(id.0);
        }
    }
    query.push(" ORDER BY i.created_at, i.id LIMIT ").push_bind(i64::from(limit));
    let rows = query.build().fetch_all(conn).await.map_err(fault)?;
    rows.iter().map(read).collect()
}

/// The states that issues within a scope are in, by project, with their counts.
pub(in super::super) async fn states_in_use(
    conn: &mut Conn,
    tenant: TenantId,
    scope: Scope,
) -> Result<StatesInUse> {
    let mut query = QueryBuilder::<Db>::new(
        "SELECT i.project_id, i.status, COUNT(*) AS issues FROM issues i WHERE i.tenant_id = ",
    );
    query.push_bind(tenant.0);
    if let Some(project) = scope.project() {
        query.push(" AND i.project_id = ").push_bind(project.0);
    }
    push_visible(&mut query, tenant);
    query.push(" GROUP BY i.project_id, i.status");
    let rows = query.build().fetch_all(conn).await.map_err(fault)?;
    let state = |row: &Row| {
        let project = ProjectId(row.try_get("project_id").map_err(fault)?);
        let issues = unsigned(row.try_get("issues").map_err(fault)?)?;
        Ok(((project, row.try_get("status").map_err(fault)?), issues))
    };
    rows.iter().map(state).collect()
}

/// Refuses when issues within a scope are in other states than these. Its projects are locked.
pub(in super::super) async fn states_are(
    conn: &mut Conn,
    tenant: TenantId,
    scope: Scope,
    states: &BTreeSet<(ProjectId, String)>,
) -> Result<()> {
    let present = states_in_use(conn, tenant, scope).await?;
    if present.keys().eq(states) { Ok(()) } else { Err(Error::stale()) }
}

fn condition(query: &mut QueryBuilder<Db>, term: &Term) -> Result<()> {
    let labels = "SELECT 1 FROM issue_labels l WHERE l.tenant_id = i.tenant_id AND l.issue_id = i.id";
    let watchers = "SELECT 1 FROM watchers w WHERE w.tenant_id = i.tenant_id AND w.issue_id = i.id";
    match term.field {
        "status" => filter::text(query, "i.status", term),
        "type" => filter::text(query, "i.issue_type", term),
        "priority" => filter::text(query, "i.priority", term),
        "resolution" => filter::text(query, "i.resolution", term),
        "kind" => filter::text(query, "i.kind", term),
        "project" => filter::id(query, "i.project_id", term),
        "assignee" => filter::id(query, "i.assignee_id", term),
        "reporter" => filter::id(query, "i.reporter_id", term),
        "parent" => filter::id(query, "i.parent_id", term),
        "label" => {
            filter::related(query, labels, "l.label", (filter::texts(term), filter::has_none(term)));
        }
        "watcher" => {
            filter::related(query, watchers, "w.user_id", (filter::ids(term), filter::has_none(term)));
        }
        "created" => filter::time(query, "i.created_at", term),
        "modified" => filter::time(query, "i.modified_at", term),
        "field" => {
            let name = term.name.as_deref().unwrap_or_default();
            dialect::push_field(query, "i.fields", name, &filter::texts(term));
        }
        _ => return Err(filter::unknown(term)),
    }
    Ok(())
}

fn read(row: &Row) -> Result<Issue> {
    let Json(labels) = row.try_get::<Json<BTreeSet<String>>, _>("labels").map_err(fault)?;
    let Json(form) = row.try_get::<Json<FieldsForm>, _>("fields").map_err(fault)?;
    let Ts(created_at) = row.try_get("created_at").map_err(fault)?;
    let Ts(modified_at) = row.try_get("modified_at").map_err(fault)?;
    Ok(Issue {
        id: IssueId(row.try_get("id").map_err(fault)?),
        project: ProjectId(row.try_get("project_id").map_err(fault)?),
        kind: row.try_get("kind").map_err(fault)?,
        summary: row.try_get("summary").map_err(fault)?,
        description: row.try_get("description").map_err(fault)?,
        status: row.try_get("status").map_err(fault)?,
        resolution: row.try_get("resolution").map_err(fault)?,
        issue_type: row.try_get("issue_type").map_err(fault)?,
        priority: row.try_get("priority").map_err(fault)?,
        assignee: row.try_get::<Option<_>, _>("assignee_id").map_err(fault)?.map(UserId),
        reporter: row.try_get::<Option<_>, _>("reporter_id").map_err(fault)?.map(UserId),
        parent: row.try_get::<Option<_>, _>("parent_id").map_err(fault)?.map(IssueId),
        labels,
        fields: fields(form)?,
        created_at,
        modified_at,
        version: unsigned(row.try_get("version").map_err(fault)?)?,
    })
}
