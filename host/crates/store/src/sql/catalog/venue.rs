//! Venues.

use sqlx::types::Json;
use sqlx::{QueryBuilder, Row as _};
use tessera_core::Result;
use tessera_core::catalog::{GeoPoint, Venue, WriteVenue};
use tessera_core::filter::Term;
use tessera_core::id::{TenantId, VenueId};
use tessera_core::page::{Page, PageRequest};

use super::super::execute::{change_one, read_one};
use super::super::page::{Sort, SortType, at, text};
use super::super::table::{Query, Table};
use super::super::{Conn, Db, Row, Ts, filter};
use super::signed_or_none;
use crate::codec::{signed, unsigned};
use crate::error::db_error;

static VENUES: Table = Table::new(
    "venues",
    &["tenant_id", "id"],
    &[
        "name",
        "address",
        "city",
        "state",
        "country",
        "postal_code",
        "latitude",
        "longitude",
        "capacity",
        "amenities",
        "time_zone",
        "updated_at",
        "version",
    ],
    &["created_at"],
);

fn bind<'q>(query: Query<'q>, tenant: TenantId, venue: &'q Venue) -> Query<'q> {
    let text = &venue.attributes;
    query
        .bind(tenant.0)
        .bind(venue.id.0)
        .bind(&text.name)
        .bind(&text.address)
        .bind(&text.city)
        .bind(&text.state)
        .bind(&text.country)
        .bind(&text.postal_code)
        .bind(text.location.map(|location| location.latitude))
        .bind(text.location.map(|location| location.longitude))
        .bind(signed_or_none(text.capacity))
        .bind(Json(&text.amenities))
        .bind(&text.time_zone)
        .bind(Ts(venue.updated_at))
        .bind(signed(venue.version))
}

pub(in super::super) async fn insert(conn: &mut Conn, tenant: TenantId, venue: &Venue) -> Result<()> {
    let query = bind(sqlx::query(VENUES.insert()), tenant, venue).bind(Ts(venue.created_at));
    query.execute(conn).await.map(drop).map_err(db_error)
}

pub(in super::super) async fn update(
    conn: &mut Conn,
    tenant: TenantId,
    (venue, stored): (&Venue, u64),
) -> Result<()> {
    let query = bind(sqlx::query(VENUES.update()), tenant, venue).bind(signed(stored));
    change_one(conn, query).await
}

pub(in super::super) async fn delete(conn: &mut Conn, tenant: TenantId, venue: &Venue) -> Result<()> {
    let query = sqlx::query("DELETE FROM venues WHERE tenant_id = $1 AND id = $2");
    change_one(conn, query.bind(tenant.0).bind(venue.id.0)).await
}

pub(in super::super) async fn get(conn: &mut Conn, tenant: TenantId, id: VenueId) -> Result<Option<Venue>> {
    let mut query = VENUES.of(tenant);
    query.push(" AND id = ").push_bind(id.0);
    read_one(conn, query, read).await
}

pub(in super::super) async fn list(
    conn: &mut Conn,
    tenant: TenantId,
    page: &PageRequest,
) -> Result<Page<Venue>> {
    let mut query = VENUES.of(tenant);
    filter::push(&mut query, &page.filter, condition)?;
    let sort = match page.order.field {
        "modified" => {
            Sort::by("updated_at", SortType::Moments, |venue: &Venue| at(venue.updated_at, &venue.id))
        }
        "name" => Sort::by("name", SortType::Texts, |venue: &Venue| text(&venue.attributes.name, &venue.id)),
        _ => Sort::by("created_at", SortType::Moments, |venue: &Venue| at(venue.created_at, &venue.id)),
    };
    sort.descending(page.order.descending).page((conn, tenant), query, page, read).await
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
    let latitude: Option<i64> = row.try_get("latitude").map_err(db_error)?;
    let longitude: Option<i64> = row.try_get("longitude").map_err(db_error)?;
    let capacity: Option<i64> = row.try_get("capacity").map_err(db_error)?;
    let Json(amenities) = row.try_get("amenities").map_err(db_error)?;
    let Ts(created_at) = row.try_get("created_at").map_err(db_error)?;
    let Ts(updated_at) = row.try_get("updated_at").map_err(db_error)?;
    Ok(Venue {
        id: VenueId(row.try_get("id").map_err(db_error)?),
        attributes: WriteVenue {
            name: row.try_get("name").map_err(db_error)?,
            address: row.try_get("address").map_err(db_error)?,
            city: row.try_get("city").map_err(db_error)?,
            state: row.try_get("state").map_err(db_error)?,
            country: row.try_get("country").map_err(db_error)?,
            postal_code: row.try_get("postal_code").map_err(db_error)?,
            location: latitude.zip(longitude).map(|(latitude, longitude)| GeoPoint { latitude, longitude }),
            capacity: capacity.map(unsigned).transpose()?,
            amenities,
            time_zone: row.try_get("time_zone").map_err(db_error)?,
        },
        created_at,
        updated_at,
        version: unsigned(row.try_get("version").map_err(db_error)?)?,
    })
}
