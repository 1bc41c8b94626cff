//! Releases and their bytes.

use std::sync::Arc;

use sqlx::types::Json;
use sqlx::{QueryBuilder, Row as _};
use tessera_core::filter::Term;
use tessera_core::id::{TenantId, UserId};
use tessera_core::page::{Page, PageRequest};
use tessera_core::plugin::{Admitted, Digest, Release};
use tessera_core::{Error, Result};

use super::super::page::{Holds, Sort, at};
use super::super::{Conn, Db, Row, Ts, filter};
use super::digest;
use crate::codec::{
    FootprintForm, ManifestForm, footprint, footprint_form, hooks, hooks_form, manifest, manifest_form,
    signed, unsigned,
};
use crate::error::{exists_or, fault};

const SELECT: &str = "SELECT digest, contract, hooks, manifest, footprint, size, uploaded_at, uploaded_by \
    FROM releases WHERE tenant_id = ";

pub(in super::super) async fn insert(conn: &mut Conn, tenant: TenantId, release: &Release) -> Result<()> {
    let Admitted { digest, contract, hooks, manifest, footprint } = &release.admitted;
    let query = sqlx::query(
        "INSERT INTO releases (tenant_id, digest, plugin, version, contract, hooks, manifest, footprint, size,
         uploaded_at, uploaded_by) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
    );
    query
        .bind(tenant.0)
        .bind(digest.0.to_vec())
        .bind(&manifest.name)
        .bind(&manifest.version)
        .bind(contract)
        .bind(Json(hooks_form(hooks)))
        .bind(Json(manifest_form(manifest)))
        .bind(Json(footprint_form(*footprint)))
        .bind(signed(release.size))
        .bind(Ts(release.uploaded_at))
        .bind(release.uploaded_by.map(|user| user.0))
        .execute(conn)
        .await
        .map_err(|error| {
            let message = format!("{} has a release {} already", manifest.name, manifest.version);
            exists_or(error, "release", "releases", &message)
        })?;
    Ok(())
}

/// Removes a release with its bytes.
pub(in super::super) async fn delete(conn: &mut Conn, tenant: TenantId, digest: Digest) -> Result<()> {
    let query = sqlx::query("DELETE FROM releases WHERE tenant_id = $1 AND digest = $2");
    let done = query.bind(tenant.0).bind(digest.0.to_vec()).execute(conn).await.map_err(fault)?;
    if done.rows_affected() == 1 { Ok(()) } else { Err(Error::stale()) }
}

pub(in super::super) async fn put_bytes(
    conn: &mut Conn,
    tenant: TenantId,
    digest: Digest,
    bytes: &[u8],
) -> Result<()> {
    let query = sqlx::query("INSERT INTO components (tenant_id, digest, bytes) VALUES ($1, $2, $3)");
    let query = query.bind(tenant.0).bind(digest.0.to_vec()).bind(bytes);
    let done = query.execute(conn).await;
    done.map(|_| ()).map_err(|error| exists_or(error, "release", "components", "its bytes are there already"))
}

pub(in super::super) async fn get(
    conn: &mut Conn,
    tenant: TenantId,
    digest: Digest,
) -> Result<Option<Release>> {
    let mut query = QueryBuilder::<Db>::new(SELECT);
    query.push_bind(tenant.0).push(" AND digest = ").push_bind(digest.0.to_vec());
    one(conn, query).await
}

pub(in super::super) async fn named(
    conn: &mut Conn,
    tenant: TenantId,
    plugin: &str,
    version: &str,
) -> Result<Option<Release>> {
    let mut query = QueryBuilder::<Db>::new(SELECT);
    query.push_bind(tenant.0).push(" AND plugin = ").push_bind(plugin.to_owned());
    query.push(" AND version = ").push_bind(version.to_owned());
    one(conn, query).await
}

pub(in super::super) async fn count(conn: &mut Conn, tenant: TenantId) -> Result<u64> {
    let query = sqlx::query_scalar("SELECT COUNT(*) FROM releases WHERE tenant_id = $1");
    unsigned(query.bind(tenant.0).fetch_one(conn).await.map_err(fault)?)
}

pub(in super::super) async fn list(
    conn: &mut Conn,
    tenant: TenantId,
    page: &PageRequest,
) -> Result<Page<Release>> {
    let mut query = QueryBuilder::<Db>::new(SELECT);
    query.push_bind(tenant.0);
    filter::push(&mut query, &page.filter, condition)?;
    let place = |release: &Release| at(release.uploaded_at, &release.digest());
    let sort = Sort::by("uploaded_at", Holds::Moments, place).with_digests();
    sort.descending(page.order.descending).page(conn, query, page, read).await
}

/// The bytes of a release, whichever tenant's: they are the same for all that have it.
pub(in super::super) async fn bytes(conn: &mut Conn, digest: Digest) -> Result<Option<Arc<[u8]>>> {
    let query = sqlx::query_scalar("SELECT bytes FROM components WHERE digest = $1 LIMIT 1");
    let query = query.bind(digest.0.to_vec());
    let bytes: Option<Vec<u8>> = query.fetch_optional(conn).await.map_err(fault)?;
    Ok(bytes.map(Arc::from))
}

/// Whether some tenant has the bytes of a release.
pub(in super::super) async fn has_bytes(conn: &mut Conn, digest: Digest) -> Result<bool> {
    let query = sqlx::query("SELECT 1 FROM components WHERE digest = $1 LIMIT 1").bind(digest.0.to_vec());
    query.fetch_optional(conn).await.map(|row| row.is_some()).map_err(fault)
}

async fn one(conn: &mut Conn, mut query: QueryBuilder<Db>) -> Result<Option<Release>> {
    let row = query.build().fetch_optional(conn).await.map_err(fault)?;
    row.as_ref().map(read).transpose()
}

fn condition(query: &mut QueryBuilder<Db>, term: &Term) -> Result<()> {
    match term.field {
        "plugin" => filter::text(query, "plugin", term),
        _ => return Err(filter::unknown(term)),
    }
    Ok(())
}

fn read(row: &Row) -> Result<Release> {
    let Json(names) = row.try_get::<Json<Vec<String>>, _>("hooks").map_err(fault)?;
    let Json(said) = row.try_get::<Json<ManifestForm>, _>("manifest").map_err(fault)?;
    let Json(taken) = row.try_get::<Json<FootprintForm>, _>("footprint").map_err(fault)?;
    let Ts(uploaded_at) = row.try_get("uploaded_at").map_err(fault)?;
    Ok(Release {
        admitted: Admitted {
            digest: digest(row.try_get("digest").map_err(fault)?)?,
            contract: row.try_get("contract").map_err(fault)?,
            hooks: hooks(&names)?,
            manifest: manifest(said)?,
            footprint: footprint(&taken),
        },
        size: unsigned(row.try_get("size").map_err(fault)?)?,
        uploaded_at,
        uploaded_by: row.try_get::<Option<_>, _>("uploaded_by").map_err(fault)?.map(UserId),
    })
}
