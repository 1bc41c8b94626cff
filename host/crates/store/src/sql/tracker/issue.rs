//! Issues with their labels and fields.

use std::collections::BTreeSet;

use sqlx::types::Json;
use sqlx::{AssertSqlSafe, QueryBuilder, Row as _};
use tessera_core::filter::Term;
use tessera_core::id::{IssueId, ProjectId, TenantId, UserId};
use tessera_core::page::{Page, PageRequest};
use tessera_core::plugin::{Scope, StatesInUse};
use tessera_core::tracker::{Issue, Purge};
use tessera_core::{Error, Result};

use super::super::execute::{change_one, read_all, read_one};
use super::super::lock::IssueRow;
use super::super::page::{Sort, SortType, at, text};
use super::super::table::{Query, Table};
use super::super::{Conn, Db, Row, Ts, dialect, filter};
use crate::codec::{StoredFields, fields, signed, stored_fields, unsigned};
use crate::error::{db_error, exists_or_db_error};

static ISSUES: Table = Table::new(
    "issues",
    &["tenant_id", "id"],
    &[
        "project_id",
        "kind",
        "summary",
        "description",
        "status",
        "resolution",
        "issue_type",
        "priority",
        "assignee_id",
        "reporter_id",
        "parent_id",
        "labels",
        "fields",
        "modified_at",
        "version",
    ],
    &["parent_at", "created_at"],
)
.without(&["parent_at"]);

/// Selects all issues of a tenant, including those of deleted projects.
fn of_tenant(tenant: TenantId) -> QueryBuilder<Db> {
    let mut query =
        QueryBuilder::new(format!("SELECT {} FROM issues i WHERE i.tenant_id = ", ISSUES.list("i.")));
    query.push_bind(tenant.0);
    query
}

/// Excludes the issues of deleted projects.
fn push_visible(query: &mut QueryBuilder<Db>, tenant: TenantId) {
    query.push(
        " AND i.project_id NOT IN (SELECT p.id FROM projects p WHERE p.deleted_at IS NOT NULL AND p.tenant_id = ",
    );
    query.push_bind(tenant.0).push(")");
}

fn bind<'q>(query: Query<'q>, tenant: TenantId, issue: &'q Issue) -> Query<'q> {
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
        .bind(Json(&issue.labels))
        .bind(Json(stored_fields(&issue.fields)))
        .bind(Ts(issue.modified_at))
        .bind(signed(issue.version))
}

pub(in super::super) async fn insert(conn: &mut Conn, tenant: TenantId, issue: &Issue) -> Result<()> {
    bind(sqlx::query(ISSUES.insert()), tenant, issue)
        .bind(issue.parent.map(|_| Ts(issue.modified_at)))
        .bind(Ts(issue.created_at))
        .execute(&mut *conn)
        .await
        .map_err(|error| exists_or_db_error(error, "issue", "summary", "id is another issue's already"))?;
    add_labels(conn, tenant, issue.id, issue.labels.iter()).await
}

pub(in super::super) async fn update(
    conn: &mut Conn,
    tenant: TenantId,
    (issue, stored): (&Issue, u64),
    before: &IssueRow,
) -> Result<()> {
    let (parent, modified) = (ISSUES.parameter("parent_id"), ISSUES.parameter("modified_at"));
    let parent_at = format!(
        "parent_at = CASE WHEN parent_id IS NOT DISTINCT FROM {parent} THEN parent_at ELSE {modified} END,"
    );
    let query = bind(sqlx::query(AssertSqlSafe(ISSUES.update_with(&parent_at))), tenant, issue);
    let result = query.bind(signed(stored)).execute(&mut *conn).await.map_err(db_error)?;
    if result.rows_affected() != 1 {
        return Err(Error::stale());
    }
    for label in before.labels.difference(&issue.labels) {
        let query =
            sqlx::query("DELETE FROM issue_labels WHERE tenant_id = $1 AND issue_id = $2 AND label = $3");
        query.bind(tenant.0).bind(issue.id.0).bind(label).execute(&mut *conn).await.map_err(db_error)?;
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
        query.bind(tenant.0).bind(issue.0).bind(label).execute(&mut *conn).await.map_err(db_error)?;
    }
    Ok(())
}

/// Deletes an issue and, by cascade, its labels, comments, links, watchers and timers.
pub(in super::super) async fn delete(conn: &mut Conn, tenant: TenantId, issue: &Issue) -> Result<()> {
    let query = sqlx::query("DELETE FROM issues WHERE tenant_id = $1 AND id = $2 AND version = $3");
    let query = query.bind(tenant.0).bind(issue.id.0).bind(signed(issue.version));
    change_one(conn, query).await
}

/// Fails as stale if one of these issues has children.
pub(in super::super) async fn no_children(
    conn: &mut Conn,
    tenant: TenantId,
    parents: &[IssueId],
) -> Result<()> {
    let mut query = QueryBuilder::<Db>::new("SELECT 1 FROM issues WHERE tenant_id = ");
    query.push_bind(tenant.0).push(" AND (");
    filter::one_of(&mut query, "parent_id", parents.iter().map(|parent| parent.0).collect(), false);
    query.push(") LIMIT 1");
    let child = query.build().fetch_optional(conn).await.map_err(db_error)?;
    if child.is_none() { Ok(()) } else { Err(Error::stale()) }
}

pub(in super::super) async fn get(conn: &mut Conn, tenant: TenantId, id: IssueId) -> Result<Option<Issue>> {
    let mut query = of_tenant(tenant);
    query.push(" AND i.id = ").push_bind(id.0);
    push_visible(&mut query, tenant);
    read_one(conn, query, read).await
}

pub(in super::super) async fn list(
    conn: &mut Conn,
    tenant: TenantId,
    page: &PageRequest,
) -> Result<Page<Issue>> {
    let mut query = of_tenant(tenant);
    push_visible(&mut query, tenant);
    filter::push(&mut query, &page.filter, condition)?;
    let sort = match page.order.field {
        "modified" => {
            Sort::by("i.modified_at", SortType::Moments, |issue: &Issue| at(issue.modified_at, &issue.id))
        }
        "summary" => Sort::by("i.summary", SortType::Texts, |issue: &Issue| text(&issue.summary, &issue.id)),
        _ => Sort::by("i.created_at", SortType::Moments, |issue: &Issue| at(issue.created_at, &issue.id)),
    };
    sort.then("i.id").descending(page.order.descending).page((conn, tenant), query, page, read).await
}

pub(in super::super) async fn children(
    conn: &mut Conn,
    tenant: TenantId,
    parents: &[IssueId],
    limit: u32,
) -> Result<Vec<Issue>> {
    let mut query = of_tenant(tenant);
    query.push(" AND (");
    filter::one_of(&mut query, "i.parent_id", parents.iter().map(|parent| parent.0).collect(), false);
    // In the order of the index on parents; another order would scan all issues of the tenant.
    query.push(") ORDER BY i.parent_id, i.id LIMIT ").push_bind(i64::from(limit));
    read_all(conn, query, read).await
}

pub(in super::super) async fn purgeable(conn: &mut Conn, purge: &Purge, limit: u32) -> Result<Vec<Issue>> {
    let (tenant, column, id) = match purge {
        Purge::Project { tenant, id, .. } => (tenant, "i.project_id", id.0),
        Purge::User { tenant, id, .. } => (tenant, "i.assignee_id", id.0),
    };
    let mut query = of_tenant(*tenant);
    query.push(format_args!(" AND {column} = ")).push_bind(id);
    query.push(" ORDER BY i.created_at, i.id LIMIT ").push_bind(i64::from(limit));
    read_all(conn, query, read).await
}

/// Counts the issues of a scope by project and state. An event has none.
pub(in super::super) async fn states_in_use(
    conn: &mut Conn,
    tenant: TenantId,
    scope: Scope,
) -> Result<StatesInUse> {
    if scope.event().is_some() {
        return Ok(StatesInUse::new());
    }
    let mut query = QueryBuilder::<Db>::new(
        "SELECT i.project_id, i.status, COUNT(*) AS issues FROM issues i WHERE i.tenant_id = ",
    );
    query.push_bind(tenant.0);
    if let Some(project) = scope.project() {
        query.push(" AND i.project_id = ").push_bind(project.0);
    }
    push_visible(&mut query, tenant);
    query.push(" GROUP BY i.project_id, i.status");
    let rows = query.build().fetch_all(conn).await.map_err(db_error)?;
    let state = |row: &Row| {
        let project = ProjectId(row.try_get("project_id").map_err(db_error)?);
        let issues = unsigned(row.try_get("issues").map_err(db_error)?)?;
        Ok(((project, row.try_get("status").map_err(db_error)?), issues))
    };
    rows.iter().map(state).collect()
}

/// Fails as stale if issues of a scope, whose projects are locked, are in other states than these.
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
    let Json(labels) = row.try_get::<Json<BTreeSet<String>>, _>("labels").map_err(db_error)?;
    let Json(stored) = row.try_get::<Json<StoredFields>, _>("fields").map_err(db_error)?;
    let Ts(created_at) = row.try_get("created_at").map_err(db_error)?;
    let Ts(modified_at) = row.try_get("modified_at").map_err(db_error)?;
    Ok(Issue {
        id: IssueId(row.try_get("id").map_err(db_error)?),
        project: ProjectId(row.try_get("project_id").map_err(db_error)?),
        kind: row.try_get("kind").map_err(db_error)?,
        summary: row.try_get("summary").map_err(db_error)?,
        description: row.try_get("description").map_err(db_error)?,
        status: row.try_get("status").map_err(db_error)?,
        resolution: row.try_get("resolution").map_err(db_error)?,
        issue_type: row.try_get("issue_type").map_err(db_error)?,
        priority: row.try_get("priority").map_err(db_error)?,
        assignee: row.try_get::<Option<_>, _>("assignee_id").map_err(db_error)?.map(UserId),
        reporter: row.try_get::<Option<_>, _>("reporter_id").map_err(db_error)?.map(UserId),
        parent: row.try_get::<Option<_>, _>("parent_id").map_err(db_error)?.map(IssueId),
        labels,
        fields: fields(stored)?,
        created_at,
        modified_at,
        version: unsigned(row.try_get("version").map_err(db_error)?)?,
    })
}
