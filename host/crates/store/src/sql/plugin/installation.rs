//! Installations.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use sqlx::types::Json;
use sqlx::{AssertSqlSafe, QueryBuilder, Row as _};
use tessera_core::filter::Term;
use tessera_core::id::{EventId, InstallationId, ProjectId, TenantId};
use tessera_core::page::{Page, PageRequest};
use tessera_core::plugin::{ActiveInstallations, Digest, Installation, ReleaseRef, Scope};
use tessera_core::{Error, Result};
use uuid::Uuid;

use super::super::execute::{change_one, read_one};
use super::super::page::{Sort, SortType, at};
use super::super::table::{Query, Table};
use super::super::{Conn, Db, Row, Ts, filter};
use super::digest;
use crate::codec::{
    StoredCommands, StoredLimits, StoredMachines, StoredReleaseRef, commands, hooks, limits, machines,
    on_failure, release_ref, scope, signed, stored_commands, stored_hooks, stored_limits, stored_machines,
    stored_release_ref, unsigned,
};
use crate::error::{db_error, exists_or_db_error};

static INSTALLATIONS: Table = Table::new(
    "installations",
    &["tenant_id", "id"],
    &[
        "release_digest",
        "release_version",
        "earlier",
        "settings",
        "call_order",
        "on_failure",
        "grants",
        "limits",
        "enabled",
        "hooks",
        "kinds",
        "machines",
        "commands",
        "state_map",
        "updated_at",
        "version",
    ],
    &["plugin", "project_id", "event_id", "created_at"],
);

fn bind<'q>(query: Query<'q>, tenant: TenantId, installation: &'q Installation) -> Query<'q> {
    query
        .bind(tenant.0)
        .bind(installation.id.0)
        .bind(installation.release.digest.0.to_vec())
        .bind(&installation.release.version)
        .bind(Json(stored_earlier(&installation.earlier)))
        .bind(&*installation.settings)
        .bind(installation.order)
        .bind(installation.on_failure.name())
        .bind(Json(&installation.grants))
        .bind(Json(stored_limits(&installation.limits)))
        .bind(installation.enabled)
        .bind(Json(stored_hooks(&installation.hooks)))
        .bind(Json(&installation.kinds))
        .bind(Json(stored_machines(&installation.machines)))
        .bind(Json(stored_commands(&installation.commands)))
        .bind(Json(&installation.state_map))
        .bind(Ts(installation.updated_at))
        .bind(signed(installation.version))
}

pub(in super::super) async fn insert(
    conn: &mut Conn,
    tenant: TenantId,
    installation: &Installation,
) -> Result<()> {
    let query = bind(sqlx::query(INSTALLATIONS.insert()), tenant, installation)
        .bind(&installation.plugin)
        .bind(installation.scope.project().map(|project| project.0))
        .bind(installation.scope.event().map(|event| event.0))
        .bind(Ts(installation.created_at));
    query.execute(conn).await.map(drop).map_err(|error| {
        let message = format!("{} is installed at this scope already", installation.plugin);
        exists_or_db_error(error, "installation", "installations_scope", &message)
    })
}

/// Updates an installation. Its plugin and scope never change.
pub(in super::super) async fn update(
    conn: &mut Conn,
    tenant: TenantId,
    (installation, stored): (&Installation, u64),
) -> Result<()> {
    let query = bind(sqlx::query(INSTALLATIONS.update()), tenant, installation).bind(signed(stored));
    change_one(conn, query).await
}

/// Deletes an installation and, by cascade, its timers.
pub(in super::super) async fn delete(
    conn: &mut Conn,
    tenant: TenantId,
    installation: &Installation,
) -> Result<()> {
    let query = sqlx::query("DELETE FROM installations WHERE tenant_id = $1 AND id = $2 AND version = $3");
    let query = query.bind(tenant.0).bind(installation.id.0).bind(signed(installation.version));
    change_one(conn, query).await
}

/// Deletes the installations of a project or an event, whose row is locked.
pub(in super::super) async fn delete_all(conn: &mut Conn, tenant: TenantId, scope: Scope) -> Result<()> {
    let (column, id) = match scope {
        Scope::Tenant => return Ok(()),
        Scope::Project(id) => ("project_id", id.0),
        Scope::Event(id) => ("event_id", id.0),
    };
    let sql = format!("DELETE FROM installations WHERE tenant_id = $1 AND {column} = $2");
    let query = sqlx::query(AssertSqlSafe(sql)).bind(tenant.0).bind(id);
    query.execute(conn).await.map(drop).map_err(db_error)
}

/// Fails as stale if an installation uses a release, now or as an earlier one. A concurrent new use fails by the foreign
/// key.
pub(in super::super) async fn none_uses(conn: &mut Conn, tenant: TenantId, release: Digest) -> Result<()> {
    let query = sqlx::query("SELECT release_digest, earlier FROM installations WHERE tenant_id = $1");
    for row in query.bind(tenant.0).fetch_all(conn).await.map_err(db_error)? {
        let present = digest(row.try_get("release_digest").map_err(db_error)?)?;
        if present == release || earlier(&row)?.iter().any(|earlier| earlier.digest == release) {
            return Err(Error::stale());
        }
    }
    Ok(())
}

pub(in super::super) async fn get(
    conn: &mut Conn,
    tenant: TenantId,
    id: InstallationId,
) -> Result<Option<Installation>> {
    let mut query = INSTALLATIONS.of(tenant);
    query.push(" AND id = ").push_bind(id.0);
    read_one(conn, query, read).await
}

pub(in super::super) async fn list(
    conn: &mut Conn,
    tenant: TenantId,
    page: &PageRequest,
) -> Result<Page<Installation>> {
    let mut query = INSTALLATIONS.of(tenant);
    filter::push(&mut query, &page.filter, condition)?;
    let place = |installation: &Installation| at(installation.created_at, &installation.id);
    let sort = Sort::by("created_at", SortType::Moments, place).descending(page.order.descending);
    sort.page((conn, tenant), query, page, read).await
}

/// Reads a tenant's installations as one snapshot, by one statement.
pub(in super::super) async fn active_installations(
    conn: &mut Conn,
    tenant: TenantId,
) -> Result<ActiveInstallations> {
    let sql = format!(
        "SELECT t.plugins, t.plugin_limits, {} FROM tenants t LEFT JOIN installations i ON i.tenant_id = t.tenant_id
         WHERE t.tenant_id = $1 ORDER BY i.call_order, i.id",
        INSTALLATIONS.list("i."),
    );
    let query = sqlx::query(AssertSqlSafe(sql));
    let rows = query.bind(tenant.0).fetch_all(conn).await.map_err(db_error)?;
    let Some(first) = rows.first() else { return Ok(ActiveInstallations::default()) };
    let Json(stored) = first.try_get::<Json<StoredLimits>, _>("plugin_limits").map_err(db_error)?;
    let mut active = ActiveInstallations {
        generation: unsigned(first.try_get("plugins").map_err(db_error)?)?,
        limits: limits(&stored),
        installations: Vec::new(),
    };
    // Without installations the outer join returns one row without an id.
    for row in &rows {
        if row.try_get::<Option<Uuid>, _>("id").map_err(db_error)?.is_some() {
            active.installations.push(Arc::new(read(row)?));
        }
    }
    Ok(active)
}

/// Lists the digests of releases in use, with the tenants that use them.
pub(in super::super) async fn digests(conn: &mut Conn) -> Result<Vec<(Digest, TenantId)>> {
    let query = sqlx::query_as::<_, (Vec<u8>, Uuid)>(
        "SELECT DISTINCT release_digest, tenant_id FROM installations WHERE enabled
         ORDER BY release_digest, tenant_id",
    );
    let rows = query.fetch_all(conn).await.map_err(db_error)?;
    rows.into_iter().map(|(bytes, tenant)| Ok((digest(bytes)?, TenantId(tenant)))).collect()
}

fn condition(query: &mut QueryBuilder<Db>, term: &Term) -> Result<()> {
    match term.field {
        "plugin" => filter::text(query, "plugin", term),
        "project" => filter::id(query, "project_id", term),
        "event" => filter::id(query, "event_id", term),
        "enabled" => filter::truth(query, "enabled", term),
        _ => return Err(filter::unknown(term)),
    }
    Ok(())
}

fn stored_earlier(earlier: &[ReleaseRef]) -> Vec<StoredReleaseRef> {
    earlier.iter().map(stored_release_ref).collect()
}

fn earlier(row: &Row) -> Result<Vec<ReleaseRef>> {
    let Json(stored) = row.try_get::<Json<Vec<StoredReleaseRef>>, _>("earlier").map_err(db_error)?;
    stored.into_iter().map(release_ref).collect()
}

fn read(row: &Row) -> Result<Installation> {
    let project = row.try_get::<Option<_>, _>("project_id").map_err(db_error)?.map(ProjectId);
    let event = row.try_get::<Option<_>, _>("event_id").map_err(db_error)?.map(EventId);
    let settings: String = row.try_get("settings").map_err(db_error)?;
    let policy: String = row.try_get("on_failure").map_err(db_error)?;
    let Json(grants) = row.try_get::<Json<BTreeSet<String>>, _>("grants").map_err(db_error)?;
    let Json(stored) = row.try_get::<Json<StoredLimits>, _>("limits").map_err(db_error)?;
    let Json(names) = row.try_get::<Json<Vec<String>>, _>("hooks").map_err(db_error)?;
    let Json(kinds) = row.try_get::<Json<Vec<String>>, _>("kinds").map_err(db_error)?;
    let Json(owned) = row.try_get::<Json<StoredMachines>, _>("machines").map_err(db_error)?;
    let Json(offered) = row.try_get::<Json<StoredCommands>, _>("commands").map_err(db_error)?;
    let Json(state_map) = row.try_get::<Json<BTreeMap<String, String>>, _>("state_map").map_err(db_error)?;
    let Ts(created_at) = row.try_get("created_at").map_err(db_error)?;
    let Ts(updated_at) = row.try_get("updated_at").map_err(db_error)?;
    Ok(Installation {
        id: InstallationId(row.try_get("id").map_err(db_error)?),
        plugin: row.try_get("plugin").map_err(db_error)?,
        release: ReleaseRef {
            digest: digest(row.try_get("release_digest").map_err(db_error)?)?,
            version: row.try_get("release_version").map_err(db_error)?,
            previous_config: None,
        },
        earlier: earlier(row)?,
        scope: scope(project, event),
        settings: settings.into(),
        order: row.try_get("call_order").map_err(db_error)?,
        on_failure: on_failure(&policy)?,
        grants,
        limits: limits(&stored),
        enabled: row.try_get("enabled").map_err(db_error)?,
        hooks: hooks(&names)?,
        kinds,
        machines: machines(owned)?,
        commands: commands(offered),
        state_map,
        created_at,
        updated_at,
        version: unsigned(row.try_get("version").map_err(db_error)?)?,
    })
}
