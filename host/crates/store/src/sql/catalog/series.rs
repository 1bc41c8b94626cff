//! Series of events.

use sqlx::{QueryBuilder, Row as _};
use tessera_core::catalog::{Series, WriteSeries};
use tessera_core::filter::Term;
use tessera_core::id::{SeriesId, TenantId};
use tessera_core::page::{Page, PageRequest};
use tessera_core::{Error, Result};

use super::super::page::{Holds, Sort, at, text};
use super::super::{Conn, Db, Row, Ts, filter};
use crate::codec::{signed, unsigned};
use crate::error::fault;

const SELECT: &str =
    "SELECT id, name, description, created_at, updated_at, version FROM series WHERE tenant_id = ";

pub(in super::super) async fn insert(conn: &mut Conn, tenant: TenantId, series: &Series) -> Result<()> {
    let query = sqlx::query(
        "INSERT INTO series (tenant_id, id, name, description, created_at, updated_at, version)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
    );
    query
        .bind(tenant.0)
        .bind(series.id.0)
        .bind(&series.text.name)
        .bind(&series.text.description)
        .bind(Ts(series.created_at))
        .bind(Ts(series.updated_at))
        .bind(signed(series.version))
        .execute(conn)
        .await
        .map(drop)
        .map_err(fault)
}

pub(in super::super) async fn update(
    conn: &mut Conn,
    tenant: TenantId,
    (series, stored): (&Series, u64),
) -> Result<()> {
    let query = sqlx::query(
        "UPDATE series SET name = $3, description = $4, updated_at = $5, version = $6
         WHERE tenant_id = $1 AND id = $2 AND version = $7",
    );
    let done = query
        .bind(tenant.0)
        .bind(series.id.0)
        .bind(&series.text.name)
        .bind(&series.text.description)
        .bind(Ts(series.updated_at))
        .bind(signed(series.version))
        .bind(signed(stored))
        .execute(conn)
        .await
        .map_err(fault)?;
    if done.rows_affected() == 1 { Ok(()) } else { Err(Error::stale()) }
}

pub(in super::super) async fn delete(conn: &mut Conn, tenant: TenantId, series: &Series) -> Result<()> {
    let query = sqlx::query("DELETE FROM series WHERE tenant_id = $1 AND id = $2");
    let done = query.bind(tenant.0).bind(series.id.0).execute(conn).await.map_err(fault)?;
    if done.rows_affected() == 1 { Ok(()) } else { Err(Error::stale()) }
}

pub(in super::super) async fn get(conn: &mut Conn, tenant: TenantId, id: SeriesId) -> Result<Option<Series>> {
    let mut query = QueryBuilder::<Db>::new(SELECT);
    query.push_bind(tenant.0).push(" AND id = ").push_bind(id.0);
    let row = query.build().fetch_optional(conn).await.map_err(fault)?;
    row.as_ref().map(read).transpose()
}

pub(in super::super) async fn list(
    conn: &mut Conn,
    tenant: TenantId,
    page: &PageRequest,
) -> Result<Page<Series>> {
    let mut query = QueryBuilder::<Db>::new(SELECT);
    query.push_bind(tenant.0);
    filter::push(&mut query, &page.filter, condition)?;
    let sort = match page.order.field {
        "modified" => Sort::by("updated_at", Holds::Moments, |held: &Series| at(held.updated_at, &held.id)),
        "name" => Sort::by("name", Holds::Texts, |held: &Series| text(&held.text.name, &held.id)),
        _ => Sort::by("created_at", Holds::Moments, |held: &Series| at(held.created_at, &held.id)),
    };
    sort.descending(page.order.descending).page(conn, query, page, read).await
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

fn read(row: &Row) -> Result<Series> {
    let Ts(created_at) = row.try_get("created_at").map_err(fault)?;
    let Ts(updated_at) = row.try_get("updated_at").map_err(fault)?;
    Ok(Series {
        id: SeriesId(row.try_get("id").map_err(fault)?),
        text: WriteSeries {
            name: row.try_get("name").map_err(fault)?,
            description: row.try_get("description").map_err(fault)?,
        },
        created_at,
        updated_at,
        version: unsigned(row.try_get("version").map_err(fault)?)?,
    })
}
