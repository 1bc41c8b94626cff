//! Venues.

use sqlx::types::Json;
use sqlx::{QueryBuilder, Row as _};
use tessera_core::catalog::{Place, Venue, WriteVenue};
use tessera_core::filter::Term;
use tessera_core::id::{TenantId, VenueId};
use tessera_core::page::{Page, PageRequest};
use tessera_core::{Error, Result};

use super::super::page::{Holds, Sort, at, text};
use super::super::{Conn, Db, Row, Ts, filter};
use super::signed_or_none;
use crate::codec::{signed, unsigned};
use crate::error::fault;

const SELECT: &str = "SELECT id, name, address, city, state, country, postal_code, latitude, longitude, \
    capacity, amenities, time_zone, created_at, updated_at, version FROM venues WHERE tenant_id = ";

pub(in super::super) async fn insert(conn: &mut Conn, tenant: TenantId, venue: &Venue) -> Result<()> {
    let sql = "INSERT INTO venues (tenant_id, id, name, address, city, state, country, postal_code, latitude,
         longitude, capacity, amenities, time_zone, updated_at, version, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)";
    write(conn, sql, tenant, venue, Ts(venue.created_at)).await.map(drop)
}

pub(in super::super) async fn update(
    conn: &mut Conn,
    tenant: TenantId,
    (venue, stored): (&Venue, u64),
) -> Result<()> {
    let sql = "UPDATE venues SET name = $3, address = $4, city = $5, state = $6, country = $7,
         postal_code = $8, latitude = $9, longitude = $10, capacity = $11, amenities = $12, time_zone = $13,
         updated_at = $14, version = $15 WHERE tenant_id = $1 AND id = $2 AND version = $16";
    let rows = write(conn, sql, tenant, venue, signed(stored)).await?;
    if rows == 1 { Ok(()) } else { Err(Error::stale()) }
}

async fn write<'q, T>(
    conn: &mut Conn,
    sql: &'static str,
    tenant: TenantId,
    venue: &'q Venue,
    last: T,
) -> Result<u64>
where
    T: sqlx::Encode<'q, Db> + sqlx::Type<Db> + Send + 'q,
{
    let held = &venue.text;
    let query = sqlx::query(sql)
        .bind(tenant.0)
        .bind(venue.id.0)
        .bind(&held.name)
        .bind(&held.address)
        .bind(&held.city)
        .bind(&held.state)
        .bind(&held.country)
        .bind(&held.postal_code)
        .bind(held.place.map(|place| place.latitude))
        .bind(held.place.map(|place| place.longitude))
        .bind(signed_or_none(held.capacity))
        .bind(Json(&held.amenities))
        .bind(&held.time_zone)
        .bind(Ts(venue.updated_at))
        .bind(signed(venue.version))
        .bind(last);
    Ok(query.execute(conn).await.map_err(fault)?.rows_affected())
}

pub(in super::super) async fn delete(conn: &mut Conn, tenant: TenantId, venue: &Venue) -> Result<()> {
    let query = sqlx::query("DELETE FROM venues WHERE tenant_id = $1 AND id = $2");
    let done = query.bind(tenant.0).bind(venue.id.0).execute(conn).await.map_err(fault)?;
    if done.rows_affected() == 1 { Ok(()) } else { Err(Error::stale()) }
}

pub(in super::super) async fn get(conn: &mut Conn, tenant: TenantId, id: VenueId) -> Result<Option<Venue>> {
    let mut query = QueryBuilder::<Db>::new(SELECT);
    query.push_bind(tenant.0).push(" AND id = ").push_bind(id.0);
    let row = query.build().fetch_optional(conn).await.map_err(fault)?;
    row.as_ref().map(read).transpose()
}

pub(in super::super) async fn list(
    conn: &mut Conn,
    tenant: TenantId,
    page: &PageRequest,
) -> Result<Page<Venue>> {
    let mut query = QueryBuilder::<Db>::new(SELECT);
    query.push_bind(tenant.0);
    filter::push(&mut query, &page.filter, condition)?;
    let sort = match page.order.field {
        "modified" => Sort::by("updated_at", Holds::Moments, |venue: &Venue| at(venue.updated_at, &venue.id)),
        "name" => Sort::by("name", Holds::Texts, |venue: &Venue| text(&venue.text.name, &venue.id)),
        _ => Sort::by("created_at", Holds::Moments, |venue: &Venue| at(venue.created_at, &venue.id)),
    };
    sort.descending(page.order.descending).page(conn, query, page, read).await
}

fn condition(query: &mut QueryBuilder<Db>, term: &Term) -> Result<()> {
    match term.field {
        "name" => filter::text(query, "name", term),
        "city" => filter::text(query, "city", term),
        "country" => filter::text(query, "country", term),
        "created" => filter::time(query, "created_at", term),
        "modified" => filter::time(query, "updated_at", term),
        _ => return Err(filter::unknown(term)),
    }
    Ok(())
}

fn read(row: &Row) -> Result<Venue> {
    let latitude: Option<i64> = row.try_get("latitude").map_err(fault)?;
    let longitude: Option<i64> = row.try_get("longitude").map_err(fault)?;
    let capacity: Option<i64> = row.try_get("capacity").map_err(fault)?;
    let Json(amenities) = row.try_get("amenities").map_err(fault)?;
    let Ts(created_at) = row.try_get("created_at").map_err(fault)?;
    let Ts(updated_at) = row.try_get("updated_at").map_err(fault)?;
    Ok(Venue {
        id: VenueId(row.try_get("id").map_err(fault)?),
        text: WriteVenue {
            name: row.try_get("name").map_err(fault)?,
            address: row.try_get("address").map_err(fault)?,
            city: row.try_get("city").map_err(fault)?,
            state: row.try_get("state").map_err(fault)?,
            country: row.try_get("country").map_err(fault)?,
            postal_code: row.try_get("postal_code").map_err(fault)?,
            place: latitude.zip(longitude).map(|(latitude, longitude)| Place { latitude, longitude }),
            capacity: capacity.map(unsigned).transpose()?,
            amenities,
            time_zone: row.try_get("time_zone").map_err(fault)?,
        },
        created_at,
        updated_at,
        version: unsigned(row.try_get("version").map_err(fault)?)?,
    })
}
