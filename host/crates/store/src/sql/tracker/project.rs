//! Projects. Their counts are in `count`.

use std::collections::BTreeMap;
use std::sync::Arc;

use sqlx::types::Json;
use sqlx::{AssertSqlSafe, QueryBuilder, Row as _};
use tessera_core::filter::Term;
use tessera_core::id::{FactId, ProjectId, TenantId};
use tessera_core::page::{Page, PageRequest};
use tessera_core::plugin::Scope;
use tessera_core::tracker::{Project, Scheme, Usage};
use tessera_core::{Error, Result, Timestamp};

use super::super::execute::{change_one, read_all, read_one};
use super::super::page::{Sort, SortType, at, text};
use super::super::plugin::installation;
use super::super::table::{Query, Table};
use super::super::{Conn, Db, Row, Ts, filter};
use crate::codec::{StoredScheme, scheme, signed, stored_scheme, unsigned};
use crate::error::{db_error, exists_or_db_error};

static PROJECTS: Table = Table::new(
    "projects",
    &["tenant_id", "id"],
    &["name", "description", "scheme", "updated_at", "version"],
    &["machines", "created_at"],
)
.with(
    ", (SELECT CAST(COALESCE(SUM(c.issues), 0) AS BIGINT) FROM project_counts c \
     WHERE c.tenant_id = projects.tenant_id AND c.project_id = projects.id) AS issue_count",
);

fn of_tenant(tenant: TenantId) -> QueryBuilder<Db> {
    let mut query = PROJECTS.of(tenant);
    query.push(" AND deleted_at IS NULL");
    query
}

fn bind<'q>(query: Query<'q>, tenant: TenantId, project: &'q Project) -> Query<'q> {
    query
        .bind(tenant.0)
        .bind(project.id.0)
        .bind(&project.name)
        .bind(&project.description)
        .bind(project.scheme.as_deref().map(|scheme| Json(stored_scheme(scheme))))
        .bind(Ts(project.updated_at))
        .bind(signed(project.version))
}

/// Inserts a project. `machines` is the generation of the tenant's installations, whose row is locked.
pub(in super::super) async fn insert(
    conn: &mut Conn,
    tenant: TenantId,
    project: &Project,
    machines: u64,
) -> Result<()> {
    let query = bind(sqlx::query(PROJECTS.insert()), tenant, project);
    let result = query.bind(signed(machines)).bind(Ts(project.created_at)).execute(conn).await;
    result
        .map(drop)
        .map_err(|error| exists_or_db_error(error, "project", "name", "name is another project's already"))
}

pub(in super::super) async fn update(
    conn: &mut Conn,
    tenant: TenantId,
    (project, stored): (&Project, u64),
) -> Result<()> {
    let sql = format!("{} AND deleted_at IS NULL", PROJECTS.update());
    let query = bind(sqlx::query(AssertSqlSafe(sql)), tenant, project).bind(signed(stored));
    change_one(conn, query).await
}

/// Marks a project as deleted, which hides its issues, and deletes its installations.
pub(in super::super) async fn mark(
    conn: &mut Conn,
    tenant: TenantId,
    project: &Project,
    (now, cause): (Timestamp, Option<FactId>),
) -> Result<()> {
    let query = sqlx::query(
        "UPDATE projects SET version = version + 1, deleted_at = $4, deleted_by = $5
         WHERE tenant_id = $1 AND id = $2 AND version = $3 AND deleted_at IS NULL",
    );
    let result = query
        .bind(tenant.0)
        .bind(project.id.0)
        .bind(signed(project.version))
        .bind(Ts(now))
        .bind(cause.map(|cause| cause.0))
        .execute(&mut *conn)
        .await
        .map_err(db_error)?;
    if result.rows_affected() != 1 {
        return Err(Error::stale());
    }
    installation::delete_all(conn, tenant, Scope::Project(project.id)).await
}

/// Deletes a marked project; fails while it has issues.
pub(in super::super) async fn delete(conn: &mut Conn, tenant: TenantId, id: ProjectId) -> Result<()> {
    let query =
        sqlx::query("DELETE FROM projects WHERE tenant_id = $1 AND id = $2 AND deleted_at IS NOT NULL");
    change_one(conn, query.bind(tenant.0).bind(id.0)).await
}

pub(in super::super) async fn get(
    conn: &mut Conn,
    tenant: TenantId,
    id: ProjectId,
) -> Result<Option<Project>> {
    let mut query = of_tenant(tenant);
    query.push(" AND id = ").push_bind(id.0);
    read_one(conn, query, read).await
}

/// Lists the projects of a scope that have their own scheme; an event has no projects.
pub(in super::super) async fn own_schemes(
    conn: &mut Conn,
    tenant: TenantId,
    scope: Scope,
) -> Result<Vec<Project>> {
    if scope.event().is_some() {
        return Ok(Vec::new());
    }
    let mut query = of_tenant(tenant);
    query.push(" AND scheme IS NOT NULL");
    if let Some(id) = scope.project() {
        query.push(" AND id = ").push_bind(id.0);
    }
    query.push(" ORDER BY id");
    read_all(conn, query, read).await
}

/// Sets the generation of state machines in the projects of a scope, whose rows are locked; an event has none.
pub(in super::super) async fn set_machines(
    conn: &mut Conn,
    tenant: TenantId,
    scope: Scope,
    generation: u64,
) -> Result<()> {
    if scope.event().is_some() {
        return Ok(());
    }
    let mut query = QueryBuilder::<Db>::new("UPDATE projects SET machines = ");
    query
        .push_bind(signed(generation))
        .push(" WHERE deleted_at IS NULL AND tenant_id = ")
        .push_bind(tenant.0);
    if let Some(id) = scope.project() {
        query.push(" AND id = ").push_bind(id.0);
    }
    query.build().execute(conn).await.map(|_| ()).map_err(db_error)
}

pub(in super::super) async fn list(
    conn: &mut Conn,
    tenant: TenantId,
    page: &PageRequest,
) -> Result<Page<Project>> {
    let mut query = of_tenant(tenant);
    filter::push(&mut query, &page.filter, condition)?;
    let sort = match page.order.field {
        "modified" => {
            Sort::by("updated_at", SortType::Moments, |project: &Project| at(project.updated_at, &project.id))
        }
        "name" => Sort::by("name", SortType::Texts, |project: &Project| text(&project.name, &project.id)),
        _ => {
            Sort::by("created_at", SortType::Moments, |project: &Project| at(project.created_at, &project.id))
        }
    };
    sort.descending(page.order.descending).page((conn, tenant), query, page, read).await
}

/// Counts a project's issues by the names of its scheme.
pub(in super::super) async fn usage(conn: &mut Conn, tenant: TenantId, id: ProjectId) -> Result<Usage> {
    let query = sqlx::query(
        "SELECT status, issue_type, priority, resolution, COUNT(*) AS issues FROM issues
         WHERE tenant_id = $1 AND project_id = $2 GROUP BY status, issue_type, priority, resolution",
    );
    let rows = query.bind(tenant.0).bind(id.0).fetch_all(conn).await.map_err(db_error)?;
    let mut usage = Usage::default();
    for row in rows {
        let issues = unsigned(row.try_get("issues").map_err(db_error)?)?;
        let add = |to: &mut BTreeMap<String, u64>, column: &str| -> Result<()> {
            if let Some(name) = row.try_get::<Option<String>, _>(column).map_err(db_error)? {
                *to.entry(name).or_default() += issues;
            }
            Ok(())
        };
        add(&mut usage.states, "status")?;
        add(&mut usage.types, "issue_type")?;
        add(&mut usage.priorities, "priority")?;
        add(&mut usage.resolutions, "resolution")?;
    }
    Ok(usage)
}

/// Fails as stale if issues of a project, whose row is locked, use names that a scheme lacks.
pub(in super::super) async fn fits(
    conn: &mut Conn,
    tenant: TenantId,
    id: ProjectId,
    scheme: &Scheme,
) -> Result<()> {
    let usage = usage(conn, tenant, id).await?;
    scheme.check_usage(&usage).map_err(|_| Error::stale())
}

fn condition(query: &mut QueryBuilder<Db>, term: &Term) -> Result<()> {
    match term.field {
        "name" => filter::text(query, "name", term),
        "created" => filter::time(query, "created_at", term),
        "modified" => filter::time(query, "updated_at", term),
        _ => return Err(filter::unknown(term)),
    }
    Ok(())
}

fn read(row: &Row) -> Result<Project> {
    let stored: Option<Json<StoredScheme>> = row.try_get("scheme").map_err(db_error)?;
    let Ts(created_at) = row.try_get("created_at").map_err(db_error)?;
    let Ts(updated_at) = row.try_get("updated_at").map_err(db_error)?;
    Ok(Project {
        id: ProjectId(row.try_get("id").map_err(db_error)?),
        name: row.try_get("name").map_err(db_error)?,
        description: row.try_get("description").map_err(db_error)?,
        scheme: stored.map(|Json(stored)| scheme(stored)).transpose()?.map(Arc::new),
        machines: unsigned(row.try_get("machines").map_err(db_error)?)?,
        issue_count: unsigned(row.try_get("issue_count").map_err(db_error)?)?,
        created_at,
        updated_at,
        version: unsigned(row.try_get("version").map_err(db_error)?)?,
    })
}
