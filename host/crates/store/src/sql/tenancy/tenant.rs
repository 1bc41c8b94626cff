//! Tenants.

use sqlx::types::Json;
use sqlx::{QueryBuilder, Row as _};
use tessera_core::filter::Term;
use tessera_core::id::TenantId;
use tessera_core::page::{Page, PageRequest};
use tessera_core::tenancy::Tenant;
use tessera_core::{Error, Result};

use super::super::execute::{change_one, read_one};
use super::super::page::{Sort, SortType, at, text};
use super::super::table::{Query, Table};
use super::super::{Conn, Db, Row, Ts, filter};
use crate::codec::{StoredLimits, limits, signed, stored_limits, tenant_state, unsigned};
use crate::error::{db_error, exists_or_db_error};

static TENANTS: Table = Table::new(
    "tenants",
    &["tenant_id"],
    &["slug", "name", "state", "plugin_limits", "updated_at", "version"],
    &["created_at"],
);

fn bind<'q>(query: Query<'q>, tenant: &'q Tenant) -> Query<'q> {
    query
        .bind(tenant.id.0)
        .bind(&tenant.slug)
        .bind(&tenant.name)
        .bind(tenant.state.name())
        .bind(Json(stored_limits(&tenant.plugin_limits)))
        .bind(Ts(tenant.updated_at))
        .bind(signed(tenant.version))
}

fn slug_exists(error: sqlx::Error) -> Error {
    exists_or_db_error(error, "tenant", "slug", "slug is another tenant's already")
}

pub(in super::super) async fn insert(conn: &mut Conn, tenant: &Tenant) -> Result<()> {
    let query = bind(sqlx::query(TENANTS.insert()), tenant).bind(Ts(tenant.created_at));
    query.execute(conn).await.map(drop).map_err(slug_exists)
}

pub(in super::super) async fn update(conn: &mut Conn, tenant: &Tenant, stored: u64) -> Result<()> {
    let query = bind(sqlx::query(TENANTS.update()), tenant).bind(signed(stored));
    let result = query.execute(conn).await.map_err(slug_exists)?;
    if result.rows_affected() == 1 { Ok(()) } else { Err(Error::stale()) }
}

/// Advances the generation of the tenant's installations.
pub(in super::super) async fn set_generation(
    conn: &mut Conn,
    id: TenantId,
    (present, next): (u64, u64),
) -> Result<()> {
    let query = sqlx::query("UPDATE tenants SET plugins = $3 WHERE tenant_id = $1 AND plugins = $2");
    let query = query.bind(id.0).bind(signed(present)).bind(signed(next));
    change_one(conn, query).await
}

pub(in super::super) async fn get(conn: &mut Conn, id: TenantId) -> Result<Option<Tenant>> {
    let mut query = QueryBuilder::<Db>::new(TENANTS.select());
    query.push("tenant_id = ").push_bind(id.0);
    read_one(conn, query, read).await
}

pub(in super::super) async fn by_slug(conn: &mut Conn, slug: &str) -> Result<Option<Tenant>> {
    let mut query = QueryBuilder::<Db>::new(TENANTS.select());
    query.push("slug = ").push_bind(slug.to_owned());
    read_one(conn, query, read).await
}

pub(in super::super) async fn list(conn: &mut Conn, page: &PageRequest) -> Result<Page<Tenant>> {
    let mut query = QueryBuilder::<Db>::new(TENANTS.select());
    query.push("TRUE");
    filter::push(&mut query, &page.filter, condition)?;
    let sort = match page.order.field {
        "slug" => Sort::by("slug", SortType::Texts, |tenant: &Tenant| text(&tenant.slug, &tenant.id)),
        _ => Sort::by("created_at", SortType::Moments, |tenant: &Tenant| at(tenant.created_at, &tenant.id)),
    };
    // The list is of no tenant.
    sort.then("tenant_id")
        .descending(page.order.descending)
        .page((conn, TenantId(uuid::Uuid::nil())), query, page, read)
        .await
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
    let state: String = row.try_get("state").map_err(db_error)?;
    let Json(stored) = row.try_get::<Json<StoredLimits>, _>("plugin_limits").map_err(db_error)?;
    let Ts(created_at) = row.try_get("created_at").map_err(db_error)?;
    let Ts(updated_at) = row.try_get("updated_at").map_err(db_error)?;
    Ok(Tenant {
        id: TenantId(row.try_get("tenant_id").map_err(db_error)?),
        slug: row.try_get("slug").map_err(db_error)?,
        name: row.try_get("name").map_err(db_error)?,
        state: tenant_state(&state)?,
        plugin_limits: limits(&stored),
        created_at,
        updated_at,
        version: unsigned(row.try_get("version").map_err(db_error)?)?,
    })
}
