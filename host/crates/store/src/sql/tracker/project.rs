//! Projects. Their counts are in `count`.

use std::collections::BTreeMap;
use std::sync::Arc;

use sqlx::types::Json;
use sqlx::{QueryBuilder, Row as _};
use tessera_core::filter::Term;
use tessera_core::id::{FactId, ProjectId, TenantId};
use tessera_core::page::{Page, PageRequest};
use tessera_core::plugin::Scope;
use tessera_core::tracker::{Project, Scheme, Usage};
use tessera_core::{Error, Result, Timestamp};

use super::super::page::{Holds, Sort, at, text};
use super::super::plugin::installation;
use super::super::{Conn, Db, Row, Ts, filter};
use crate::codec::{SchemeForm, scheme, scheme_form, signed, unsigned};
use crate::error::{exists_or, fault};

const SELECT: &str = "SELECT id, name, description, scheme, machines, created_at, updated_at, version, \
    (SELECT CAST(COALESCE(SUM(c.issues), 0) AS BIGINT) FROM project_counts c \
     WHERE c.tenant_id = projects.tenant_id AND c.project_id = projects.id) AS issue_count \
    FROM projects WHERE deleted_at IS NULL AND tenant_id = ";

fn form(project: &Project) -> Option<Json<SchemeForm>> {
    project.scheme.as_deref().map(|scheme| Json(scheme_form(scheme)))
}

/// `machines` is the present generation of the tenant's installations, whose row is locked.
pub(in super::super) async fn insert(
    conn: &mut Conn,
    tenant: TenantId,
    project: &Project,
    machines: u64,
) -> Result<()> {
    let query = sqlx::query(
        "INSERT INTO projects (tenant_id, id, name, description, scheme, machines, created_at, updated_at,
         version) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    );
    query
        .bind(tenant.0)
        .bind(project.id.0)
        .bind(&project.name)
        .bind(&project.description)
        .bind(form(project))
        .bind(signed(machines))
        .bind(Ts(project.created_at))
        .bind(Ts(project.updated_at))
        .bind(signed(project.version))
        .execute(conn)
        .await
        .map_err(|error| exists_or(error, "project", "name", "name is another project's already"))?;
    Ok(())
}

/// Its machines are no part of what is written.
pub(in super::super) async fn update(
    conn: &mut Conn,
    tenant: TenantId,
    (project, stored): (&Project, u64),
) -> Result<()> {
    let query = sqlx::query(
        "UPDATE projects SET name = $3, description = $4, scheme = $5, updated_at = $6, version = $7
         WHERE tenant_id = $1 AND id = $2 AND version = $8 AND deleted_at IS NULL",
    );
    let done = query
        .bind(tenant.0)
        .bind(project.id.0)
        .bind(&project.name)
        .bind(&project.description)
        .bind(form(project))
        .bind(Ts(project.updated_at))
        .bind(signed(project.version))
        .bind(signed(stored))
        .execute(conn)
        .await
        .map_err(fault)?;
    if done.rows_affected() == 1 { Ok(()) } else { Err(Error::stale()) }
}

/// Marks a project as deleted; with it, its issues become invisible. What was installed in it goes at once.
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
    let done = query
        .bind(tenant.0)
        .bind(project.id.0)
        .bind(signed(project.version))
        .bind(Ts(now))
        .bind(cause.map(|cause| cause.0))
        .execute(&mut *conn)
        .await
        .map_err(fault)?;
    if done.rows_affected() != 1 {
        return Err(Error::stale());
    }
    installation::forget_project(conn, tenant, project.id).await
}

/// Removes the mark. A project that still has issues keeps it.
pub(in super::super) async fn forget(conn: &mut Conn, tenant: TenantId, id: ProjectId) -> Result<()> {
    let query =
        sqlx::query("DELETE FROM projects WHERE tenant_id = $1 AND id = $2 AND deleted_at IS NOT NULL");
    let done = query.bind(tenant.0).bind(id.0).execute(conn).await.map_err(fault)?;
    if done.rows_affected() == 1 { Ok(()) } else { Err(Error::stale()) }
}

pub(in super::super) async fn get(
    conn: &mut Conn,
    tenant: TenantId,
    id: ProjectId,
) -> Result<Option<Project>> {
    let mut query = QueryBuilder::<Db>::new(SELECT);
    query.push_bind(tenant.0).push(" AND id = ").push_bind(id.0);
    let row = query.build().fetch_optional(conn).await.map_err(fault)?;
    row.as_ref().map(read).transpose()
}

/// Those within a scope that have schemes of their own.
pub(in super::super) async fn own_schemes(
    conn: &mut Conn,
    tenant: TenantId,
    scope: Scope,
) -> Result<Vec<Project>> {
    let mut query = QueryBuilder::<Db>::new(SELECT);
    query.push_bind(tenant.0).push(" AND scheme IS NOT NULL");
    if let Some(id) = scope.project() {
        query.push(" AND id = ").push_bind(id.0);
    }
    query.push(" ORDER BY id");
    let rows = query.build().fetch_all(conn).await.map_err(fault)?;
    rows.iter().map(read).collect()
}

/// The machines of a scope's projects, all of which are locked, change with the installations.
pub(in super::super) async fn set_machines(
    conn: &mut Conn,
    tenant: TenantId,
    scope: Scope,
    generation: u64,
) -> Result<()> {
    let mut query = QueryBuilder::<Db>::new("UPDATE projects SET machines = ");
    query
        .push_bind(signed(generation))
        .push(" WHERE deleted_at IS NULL AND tenant_id = ")
        .push_bind(tenant.0);
    if let Some(id) = scope.project() {
        query.push(" AND id = ").push_bind(id.0);
    }
    query.build().execute(conn).await.map(|_| ()).map_err(fault)
}

pub(in super::super) async fn list(
    conn: &mut Conn,
    tenant: TenantId,
    page: &PageRequest,
) -> Result<Page<Project>> {
    let mut query = QueryBuilder::<Db>::new(SELECT);
    query.push_bind(tenant.0);
    filter::push(&mut query, &page.filter, condition)?;
    let sort = match page.order.field {
        "modified" => {
            Sort::by("updated_at", Holds::Moments, |project: &Project| at(project.updated_at, &project.id))
        }
        "name" => Sort::by("name", Holds::Texts, |project: &Project| text(&project.name, &project.id)),
        _ => Sort::by("created_at", Holds::Moments, |project: &Project| at(project.created_at, &project.id)),
    };
    sort.descending(page.order.descending).page(conn, query, page, read).await
}

/// Which names of a scheme a project's issues use.
pub(in super::super) async fn usage(conn: &mut Conn, tenant: TenantId, id: ProjectId) -> Result<Usage> {
    let query = sqlx::query(
        "SELECT status, issue_type, priority, resolution, COUNT(*) AS issues FROM issues
         WHERE tenant_id = $1 AND project_id = $2 GROUP BY status, issue_type, priority, resolution",
    );
    let rows = query.bind(tenant.0).bind(id.0).fetch_all(conn).await.map_err(fault)?;
    let mut usage = Usage::default();
    for row in rows {
        let issues = unsigned(row.try_get("issues").map_err(fault)?)?;
        let add = |to: &mut BTreeMap<String, u64>, column: &str| -> Result<()> {
            if let Some(name) = row.try_get::<Option<String>, _>(column).map_err(fault)? {
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

/// Refuses when a project's issues use what a scheme lacks. The project's row is locked.
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
    let form: Option<Json<SchemeForm>> = row.try_get("scheme").map_err(fault)?;
    let Ts(created_at) = row.try_get("created_at").map_err(fault)?;
    let Ts(updated_at) = row.try_get("updated_at").map_err(fault)?;
    Ok(Project {
        id: ProjectId(row.try_get("id").map_err(fault)?),
        name: row.try_get("name").map_err(fault)?,
        description: row.try_get("description").map_err(fault)?,
        scheme: form.map(|Json(form)| scheme(form)).transpose()?.map(Arc::new),
        machines: unsigned(row.try_get("machines").map_err(fault)?)?,
        issue_count: unsigned(row.try_get("issue_count").map_err(fault)?)?,
        created_at,
        updated_at,
        version: unsigned(row.try_get("version").map_err(fault)?)?,
    })
}
