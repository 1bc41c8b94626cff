//! Series of events.

use sqlx::{QueryBuilder, Row as _};
use tessera_core::Result;
use tessera_core::catalog::{Series, WriteSeries};
use tessera_core::filter::Term;
use tessera_core::id::{SeriesId, TenantId};
use tessera_core::page::{Page, PageRequest};

use super::super::execute::{change_one, read_one};
use super::super::page::{Sort, SortType, at, text};
use super::super::table::{Query, Table};
use super::super::{Conn, Db, Row, Ts, filter};
use crate::codec::{signed, unsigned};
use crate::error::db_error;

static SERIES: Table = Table::new(
    "series",
    &["tenant_id", "id"],
    &["name", "description", "updated_at", "version"],
    &["created_at"],
);

fn bind<'q>(query: Query<'q>, tenant: TenantId, series: &'q Series) -> Query<'q> {
    query
        .bind(tenant.0)
        .bind(series.id.0)
        .bind(&series.attributes.name)
        .bind(&series.attributes.description)
        .bind(Ts(series.updated_at))
        .bind(signed(series.version))
}

pub(in super::super) async fn insert(conn: &mut Conn, tenant: TenantId, series: &Series) -> Result<()> {
    let query = bind(sqlx::query(SERIES.insert()), tenant, series).bind(Ts(series.created_at));
    query.execute(conn).await.map(drop).map_err(db_error)
}

pub(in super::super) async fn update(
    conn: &mut Conn,
    tenant: TenantId,
    (series, stored): (&Series, u64),
) -> Result<()> {
    let query = bind(sqlx::query(SERIES.update()), tenant, series).bind(signed(stored));
    change_one(conn, query).await
}

pub(in super::super) async fn delete(conn: &mut Conn, tenant: TenantId, series: &Series) -> Result<()> {
    let query = sqlx::query("DELETE FROM series WHERE tenant_id = $1 AND id = $2");
    change_one(conn, query.bind(tenant.0).bind(series.id.0)).await
}

pub(in super::super) async fn get(conn: &mut Conn, tenant: TenantId, id: SeriesId) -> Result<Option<Series>> {
    let mut query = SERIES.of(tenant);
    query.push(" AND id = ").push_bind(id.0);
    read_one(conn, query, read).await
}

pub(in super::super) async fn list(
    conn: &mut Conn,
    tenant: TenantId,
    page: &PageRequest,
) -> Result<Page<Series>> {
    let mut query = SERIES.of(tenant);
    filter::push(&mut query, &page.filter, condition)?;
    let sort = match page.order.field {
        "modified" => {
            Sort::by("updated_at", SortType::Moments, |series: &Series| at(series.updated_at, &series.id))
        }
        "name" => {
            Sort::by("name", SortType::Texts, |series: &Series| text(&series.attributes.name, &series.id))
        }
        _ => Sort::by("created_at", SortType::Moments, |series: &Series| at(series.created_at, &series.id)),
    };
    sort.descending(page.order.descending).page((conn, tenant), query, page, read).await
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
    let Ts(created_at) = row.try_get("created_at").map_err(db_error)?;
    let Ts(updated_at) = row.try_get("updated_at").map_err(db_error)?;
    Ok(Series {
        id: SeriesId(row.try_get("id").map_err(db_error)?),
        attributes: WriteSeries {
            name: row.try_get("name").map_err(db_error)?,
            description: row.try_get("description").map_err(db_error)?,
        },
        created_at,
        updated_at,
        version: unsigned(row.try_get("version").map_err(db_error)?)?,
    })
}
