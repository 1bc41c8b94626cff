//! Tenants.

use sqlx::types::Json;
use sqlx::{QueryBuilder, Row as _};
use tessera_core::filter::Term;
use tessera_core::id::TenantId;
use tessera_core::page::{Page, PageRequest};
use tessera_core::tenancy::Tenant;
use tessera_core::{Error, Result};

use super::super::page::{Holds, Sort, at, text};
use super::super::{Conn, Db, Row, Ts, filter};
use crate::codec::{LimitsForm, limits, limits_form, signed, tenant_state, unsigned};
use crate::error::{exists_or, fault};

const SELECT: &str = "SELECT tenant_id, slug, name, state, plugin_limits, created_at, updated_at, version \
    FROM tenants WHERE ";

pub(in super::super) async fn insert(conn: &mut Conn, tenant: &Tenant) -> Result<()> {
    let query = sqlx::query(
        "INSERT INTO tenants (tenant_id, slug, name, state, plugin_limits, created_at, updated_at, version)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    );
    query
        .bind(tenant.id.0)
        .bind(&tenant.slug)
        .bind(&tenant.name)
        .bind(tenant.state.name())
        .bind(Json(limits_form(&tenant.plugin_limits)))
        .bind(Ts(tenant.created_at))
        .bind(Ts(tenant.updated_at))
        .bind(signed(tenant.version))
        .execute(conn)
        .await
        .map_err(|error| exists_or(error, "tenant", "slug", "slug is another tenant's already"))?;
    Ok(())
}

pub(in super::super) async fn update(conn: &mut Conn, tenant: &Tenant, stored: u64) -> Result<()> {
    let query = sqlx::query(
        "UPDATE tenants SET slug = $2, name = $3, state = $4, plugin_limits = $5, updated_at = $6,
         version = $7 WHERE tenant_id = $1 AND version = $8",
    );
    let done = query
        .bind(tenant.id.0)
        .bind(&tenant.slug)
        .bind(&tenant.name)
        .bind(tenant.state.name())
        .bind(Json(limits_form(&tenant.plugin_limits)))
        .bind(Ts(tenant.updated_at))
        .bind(signed(tenant.version))
        .bind(signed(stored))
        .execute(conn)
        .await
        .map_err(|error| exists_or(error, "tenant", "slug", "slug is another tenant's already"))?;
    if done.rows_affected() == 1 { Ok(()) } else { Err(Error::stale()) }
}

/// The generation of the tenant's installations goes on.
pub(in super::super) async fn set_generation(
    conn: &mut Conn,
    id: TenantId,
    (present, next): (u64, u64),
) -> Result<()> {
    let query = sqlx::query("UPDATE tenants SET plugins = $3 WHERE tenant_id = $1 AND plugins = $2");
    let query = query.bind(id.0).bind(signed(present)).bind(signed(next));
    let done = query.execute(conn).await.map_err(fault)?;
    if done.rows_affected() == 1 { Ok(()) } else { Err(Error::stale()) }
}

pub(in super::super) async fn get(conn: &mut Conn, id: TenantId) -> Result<Option<Tenant>> {
    let mut query = QueryBuilder::<Db>::new(SELECT);
    query.push("tenant_id = ").push_bind(id.0);
    one(conn, query).await
}

pub(in super::super) async fn by_slug(conn: &mut Conn, slug: &str) -> Result<Option<Tenant>> {
    let mut query = QueryBuilder::<Db>::new(SELECT);
    query.push("slug = ").push_bind(slug.to_owned());
    one(conn, query).await
}

pub(in super::super) async fn list(conn: &mut Conn, page: &PageRequest) -> Result<Page<Tenant>> {
    let mut query = QueryBuilder::<Db>::new(SELECT);
    query.push("TRUE");
    filter::push(&mut query, &page.filter, condition)?;
    let sort = match page.order.field {
        "slug" => Sort::by("slug", Holds::Texts, |tenant: &Tenant| text(&tenant.slug, &tenant.id)),
        _ => Sort::by("created_at", Holds::Moments, |tenant: &Tenant| at(tenant.created_at, &tenant.id)),
    };
    sort.then("tenant_id").descending(page.order.descending).page(conn, query, page, read).await
}

async fn one(conn: &mut Conn, mut query: QueryBuilder<Db>) -> Result<Option<Tenant>> {
    let row = query.build().fetch_optional(conn).await.map_err(fault)?;
    row.as_ref().map(read).transpose()
}

fn condition(query: &mut QueryBuilder<Db>, term: &Term) -> Result<()> {
    match term.field {
        "slug" => filter::text(query, "slug", term),
        "state" => filter::text(query, "state", term),
        _ => return Err(filter::unknown(term)),
    }
    Ok(())
}

fn read(row: &Row) -> Result<Tenant> {
    let state: String = row.try_get("state").map_err(fault)?;
    let Json(form) = row.try_get::<Json<LimitsForm>, _>("plugin_limits").map_err(fault)?;
    let Ts(created_at) = row.try_get("created_at").map_err(fault)?;
    let Ts(updated_at) = row.try_get("updated_at").map_err(fault)?;
    Ok(Tenant {
        id: TenantId(row.try_get("tenant_id").map_err(fault)?),
        slug: row.try_get("slug").map_err(fault)?,
        name: row.try_get("name").map_err(fault)?,
        state: tenant_state(&state)?,
        plugin_limits: limits(&form),
        created_at,
        updated_at,
        version: unsigned(row.try_get("version").map_err(fault)?)?,
    })
}
