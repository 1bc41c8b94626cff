//! Installations, and what a tenant has in force.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use sqlx::types::Json;
use sqlx::{QueryBuilder, Row as _};
use tessera_core::filter::Term;
use tessera_core::id::{InstallationId, ProjectId, TenantId};
use tessera_core::page::{Page, PageRequest};
use tessera_core::plugin::{Digest, InForce, Installation, ReleaseRef, Scope};
use tessera_core::{Error, Result};

use super::super::page::{Holds, Sort, at};
use super::super::{Conn, Db, Row, Ts, filter};
use super::digest;
use crate::codec::{
    CommandsForm, LimitsForm, MachinesForm, ReleaseRefForm, commands, commands_form, hooks, hooks_form,
    limits, limits_form, machines, machines_form, on_failure, release_ref, release_ref_form, signed,
    unsigned,
};
use crate::error::{exists_or, fault};

const SELECT: &str = "SELECT id, plugin, release_digest, release_version, earlier, project_id, settings, \
    call_order, on_failure, grants, limits, enabled, hooks, kinds, machines, commands, state_map, created_at, \
    updated_at, version FROM installations WHERE tenant_id = ";

pub(in super::super) async fn insert(conn: &mut Conn, tenant: TenantId, held: &Installation) -> Result<()> {
    let query = sqlx::query(
        "INSERT INTO installations (tenant_id, id, plugin, release_digest, release_version, earlier,
         project_id, settings, call_order, on_failure, grants, limits, enabled, hooks, kinds, machines,
         commands, state_map, created_at, updated_at, version)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20,
         $21)",
    );
    query
        .bind(tenant.0)
        .bind(held.id.0)
        .bind(&held.plugin)
        .bind(held.release.digest.0.to_vec())
        .bind(&held.release.version)
        .bind(Json(earlier_form(&held.earlier)))
        .bind(held.scope.project().map(|project| project.0))
        .bind(&*held.settings)
        .bind(held.order)
        .bind(held.on_failure.name())
        .bind(Json(&held.grants))
        .bind(Json(limits_form(&held.limits)))
        .bind(held.enabled)
        .bind(Json(hooks_form(&held.hooks)))
        .bind(Json(&held.kinds))
        .bind(Json(machines_form(&held.machines)))
        .bind(Json(commands_form(&held.commands)))
        .bind(Json(&held.state_map))
        .bind(Ts(held.created_at))
        .bind(Ts(held.updated_at))
        .bind(signed(held.version))
        .execute(conn)
        .await
        .map_err(|error| {
            let message = format!("{} is installed at this scope already", held.plugin);
            exists_or(error, "installation", "installations_scope", &message)
        })?;
    Ok(())
}

/// Its plugin and its scope are for good.
pub(in super::super) async fn update(
    conn: &mut Conn,
    tenant: TenantId,
    (held, stored): (&Installation, u64),
) -> Result<()> {
    let query = sqlx::query(
        "UPDATE installations SET release_digest = $3, release_version = $4, earlier = $5, settings = $6,
         call_order = $7, on_failure = $8, grants = $9, limits = $10, enabled = $11, hooks = $12, kinds = $13,
         machines = $14, commands = $15, state_map = $16, updated_at = $17, version = $18
         WHERE tenant_id = $1 AND id = $2 AND version = $19",
    );
    let done = query
        .bind(tenant.0)
        .bind(held.id.0)
        .bind(held.release.digest.0.to_vec())
        .bind(&held.release.version)
        .bind(Json(earlier_form(&held.earlier)))
        .bind(&*held.settings)
        .bind(held.order)
        .bind(held.on_failure.name())
        .bind(Json(&held.grants))
        .bind(Json(limits_form(&held.limits)))
        .bind(held.enabled)
        .bind(Json(hooks_form(&held.hooks)))
        .bind(Json(&held.kinds))
        .bind(Json(machines_form(&held.machines)))
        .bind(Json(commands_form(&held.commands)))
        .bind(Json(&held.state_map))
        .bind(Ts(held.updated_at))
        .bind(signed(held.version))
        .bind(signed(stored))
        .execute(conn)
        .await
        .map_err(fault)?;
    if done.rows_affected() == 1 { Ok(()) } else { Err(Error::stale()) }
}

/// Removes an installation with its timers.
pub(in super::super) async fn delete(conn: &mut Conn, tenant: TenantId, held: &Installation) -> Result<()> {
    let query = sqlx::query("DELETE FROM installations WHERE tenant_id = $1 AND id = $2 AND version = $3");
    let query = query.bind(tenant.0).bind(held.id.0).bind(signed(held.version));
    let done = query.execute(conn).await.map_err(fault)?;
    if done.rows_affected() == 1 { Ok(()) } else { Err(Error::stale()) }
}

/// Removes what is installed in a project, whose row is locked.
pub(in super::super) async fn forget_project(
    conn: &mut Conn,
    tenant: TenantId,
    project: ProjectId,
) -> Result<()> {
    let query = sqlx::query("DELETE FROM installations WHERE tenant_id = $1 AND project_id = $2");
    query.bind(tenant.0).bind(project.0).execute(conn).await.map(|_| ()).map_err(fault)
}

/// Refuses when an installation uses a release, now or to go back to. Who begins to use it while it is
/// removed meets the key that refers to it.
pub(in super::super) async fn none_uses(conn: &mut Conn, tenant: TenantId, release: Digest) -> Result<()> {
    let query = sqlx::query("SELECT release_digest, earlier FROM installations WHERE tenant_id = $1");
    for row in query.bind(tenant.0).fetch_all(conn).await.map_err(fault)? {
        let present = digest(row.try_get("release_digest").map_err(fault)?)?;
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
    let mut query = QueryBuilder::<Db>::new(SELECT);
    query.push_bind(tenant.0).push(" AND id = ").push_bind(id.0);
    let row = query.build().fetch_optional(conn).await.map_err(fault)?;
    row.as_ref().map(read).transpose()
}

pub(in super::super) async fn list(
    conn: &mut Conn,
    tenant: TenantId,
    page: &PageRequest,
) -> Result<Page<Installation>> {
    let mut query = QueryBuilder::<Db>::new(SELECT);
    query.push_bind(tenant.0);
    filter::push(&mut query, &page.filter, condition)?;
    let place = |held: &Installation| at(held.created_at, &held.id);
    let sort = Sort::by("created_at", Holds::Moments, place).descending(page.order.descending);
    sort.page(conn, query, page, read).await
}

/// What a tenant has installed, all of one moment: by one statement.
pub(in super::super) async fn in_force(conn: &mut Conn, tenant: TenantId) -> Result<InForce> {
    let query = sqlx::query(
        "SELECT t.plugins, t.plugin_limits, i.id, i.plugin, i.release_digest, i.release_version, i.earlier,
         i.project_id, i.settings, i.call_order, i.on_failure, i.grants, i.limits, i.enabled, i.hooks, i.kinds,
         i.machines, i.commands, i.state_map, i.created_at, i.updated_at, i.version
         FROM tenants t LEFT JOIN installations i ON i.tenant_id = t.tenant_id
         WHERE t.tenant_id = $1 ORDER BY i.call_order, i.id",
    );
    let rows = query.bind(tenant.0).fetch_all(conn).await.map_err(fault)?;
    let Some(first) = rows.first() else { return Ok(InForce::default()) };
    let Json(form) = first.try_get::<Json<LimitsForm>, _>("plugin_limits").map_err(fault)?;
    let mut in_force = InForce {
        generation: unsigned(first.try_get("plugins").map_err(fault)?)?,
        limits: limits(&form),
        installations: Vec::new(),
    };
    // A tenant without installations is one row without an id.
    for row in &rows {
        if row.try_get::<Option<uuid::Uuid>, _>("id").map_err(fault)?.is_some() {
            in_force.installations.push(Arc::new(read(row)?));
        }
    }
    Ok(in_force)
}

/// The digests of all releases that some tenant's installation uses.
pub(in super::super) async fn digests(conn: &mut Conn) -> Result<Vec<Digest>> {
    let query = sqlx::query_scalar(
        "SELECT DISTINCT release_digest FROM installations WHERE enabled ORDER BY release_digest",
    );
    let rows: Vec<Vec<u8>> = query.fetch_all(conn).await.map_err(fault)?;
    rows.into_iter().map(digest).collect()
}

fn condition(query: &mut QueryBuilder<Db>, term: &Term) -> Result<()> {
    match term.field {
        "plugin" => filter::text(query, "plugin", term),
        "project" => filter::id(query, "project_id", term),
        "enabled" => filter::truth(query, "enabled", term),
        _ => return Err(filter::unknown(term)),
    }
    Ok(())
}

fn earlier_form(earlier: &[ReleaseRef]) -> Vec<ReleaseRefForm> {
    earlier.iter().map(release_ref_form).collect()
}

fn earlier(row: &Row) -> Result<Vec<ReleaseRef>> {
    let Json(forms) = row.try_get::<Json<Vec<ReleaseRefForm>>, _>("earlier").map_err(fault)?;
    forms.into_iter().map(release_ref).collect()
}

fn read(row: &Row) -> Result<Installation> {
    let project = row.try_get::<Option<_>, _>("project_id").map_err(fault)?.map(ProjectId);
    let settings: String = row.try_get("settings").map_err(fault)?;
    let policy: String = row.try_get("on_failure").map_err(fault)?;
    let Json(grants) = row.try_get::<Json<BTreeSet<String>>, _>("grants").map_err(fault)?;
    let Json(asked) = row.try_get::<Json<LimitsForm>, _>("limits").map_err(fault)?;
    let Json(names) = row.try_get::<Json<Vec<String>>, _>("hooks").map_err(fault)?;
    let Json(kinds) = row.try_get::<Json<Vec<String>>, _>("kinds").map_err(fault)?;
    let Json(owned) = row.try_get::<Json<MachinesForm>, _>("machines").map_err(fault)?;
    let Json(offered) = row.try_get::<Json<CommandsForm>, _>("commands").map_err(fault)?;
    let Json(state_map) = row.try_get::<Json<BTreeMap<String, String>>, _>("state_map").map_err(fault)?;
    let Ts(created_at) = row.try_get("created_at").map_err(fault)?;
    let Ts(updated_at) = row.try_get("updated_at").map_err(fault)?;
    Ok(Installation {
        id: InstallationId(row.try_get("id").map_err(fault)?),
        plugin: row.try_get("plugin").map_err(fault)?,
        release: ReleaseRef {
            digest: digest(row.try_get("release_digest").map_err(fault)?)?,
            version: row.try_get("release_version").map_err(fault)?,
            left: None,
        },
        earlier: earlier(row)?,
        scope: project.map_or(Scope::Tenant, Scope::Project),
        settings: settings.into(),
        order: row.try_get("call_order").map_err(fault)?,
        on_failure: on_failure(&policy)?,
        grants,
        limits: limits(&asked),
        enabled: row.try_get("enabled").map_err(fault)?,
        hooks: hooks(&names)?,
        kinds,
        machines: machines(owned)?,
        commands: commands(offered),
        state_map,
        created_at,
        updated_at,
        version: unsigned(row.try_get("version").map_err(fault)?)?,
    })
}
