//! Releases and their component bytes.

use std::sync::Arc;

use sqlx::types::Json;
use sqlx::{QueryBuilder, Row as _};
use tessera_core::Result;
use tessera_core::filter::Term;
use tessera_core::id::{TenantId, UserId};
use tessera_core::page::{Page, PageRequest};
use tessera_core::plugin::{AdmittedComponent, Digest, Release};

use super::super::execute::{change_one, read_one};
use super::super::page::{Sort, SortType, at};
use super::super::table::Table;
use super::super::{Conn, Db, Row, Ts, filter};
use super::digest;
use crate::codec::{
    StoredFootprint, StoredManifest, footprint, hooks, manifest, signed, stored_footprint, stored_hooks,
    stored_manifest, unsigned,
};
use crate::error::{db_error, exists_or_db_error};

static RELEASES: Table = Table::new(
    "releases",
    &["tenant_id", "digest"],
    &[],
    &[
        "plugin",
        "version",
        "contract",
        "hooks",
        "manifest",
        "footprint",
        "size",
        "uploaded_at",
        "uploaded_by",
    ],
);

pub(in super::super) async fn insert(conn: &mut Conn, tenant: TenantId, release: &Release) -> Result<()> {
    let AdmittedComponent { digest, contract, hooks, manifest, footprint } = &release.admitted;
    let query = sqlx::query(RELEASES.insert());
    query
        .bind(tenant.0)
        .bind(digest.0.to_vec())
        .bind(&manifest.name)
        .bind(&manifest.version)
        .bind(contract)
        .bind(Json(stored_hooks(hooks)))
        .bind(Json(stored_manifest(manifest)))
        .bind(Json(stored_footprint(*footprint)))
        .bind(signed(release.size))
        .bind(Ts(release.uploaded_at))
        .bind(release.uploaded_by.map(|user| user.0))
        .execute(conn)
        .await
        .map_err(|error| {
            let message = format!("{} has a release {} already", manifest.name, manifest.version);
            exists_or_db_error(error, "release", "releases", &message)
        })?;
    Ok(())
}

/// Deletes a release and, by cascade, its bytes.
pub(in super::super) async fn delete(conn: &mut Conn, tenant: TenantId, digest: Digest) -> Result<()> {
    let query = sqlx::query("DELETE FROM releases WHERE tenant_id = $1 AND digest = $2");
    change_one(conn, query.bind(tenant.0).bind(digest.0.to_vec())).await
}

pub(in super::super) async fn put_bytes(
    conn: &mut Conn,
    tenant: TenantId,
    digest: Digest,
    bytes: &[u8],
) -> Result<()> {
    let query = sqlx::query("INSERT INTO components (tenant_id, digest, bytes) VALUES ($1, $2, $3)");
    let query = query.bind(tenant.0).bind(digest.0.to_vec()).bind(bytes);
    let result = query.execute(conn).await;
    result
        .map(|_| ())
        .map_err(|error| exists_or_db_error(error, "release", "components", "its bytes are there already"))
}

pub(in super::super) async fn get(
    conn: &mut Conn,
    tenant: TenantId,
    digest: Digest,
) -> Result<Option<Release>> {
    let mut query = RELEASES.of(tenant);
    query.push(" AND digest = ").push_bind(digest.0.to_vec());
    read_one(conn, query, read).await
}

pub(in super::super) async fn named(
    conn: &mut Conn,
    tenant: TenantId,
    plugin: &str,
    version: &str,
) -> Result<Option<Release>> {
    let mut query = RELEASES.of(tenant);
    query.push(" AND plugin = ").push_bind(plugin.to_owned());
    query.push(" AND version = ").push_bind(version.to_owned());
    read_one(conn, query, read).await
}

/// Returns the number of a tenant's releases, and the bytes of their components.
pub(in super::super) async fn usage(conn: &mut Conn, tenant: TenantId) -> Result<(u64, u64)> {
    let sql = "SELECT COUNT(*), CAST(COALESCE(SUM(size), 0) AS BIGINT) FROM releases WHERE tenant_id = $1";
    let query = sqlx::query_as::<_, (i64, i64)>(sql);
    let (count, bytes) = query.bind(tenant.0).fetch_one(conn).await.map_err(db_error)?;
    Ok((unsigned(count)?, unsigned(bytes)?))
}

pub(in super::super) async fn list(
    conn: &mut Conn,
    tenant: TenantId,
    page: &PageRequest,
) -> Result<Page<Release>> {
    let mut query = RELEASES.of(tenant);
    filter::push(&mut query, &page.filter, condition)?;
    let place = |release: &Release| at(release.uploaded_at, &release.digest());
    let sort = Sort::by("uploaded_at", SortType::Moments, place).with_digests();
    sort.descending(page.order.descending).page((conn, tenant), query, page, read).await
}

/// Returns the bytes of a component from any tenant: equal digests have equal bytes.
pub(in super::super) async fn bytes(conn: &mut Conn, digest: Digest) -> Result<Option<Arc<[u8]>>> {
    let query = sqlx::query_scalar("SELECT bytes FROM components WHERE digest = $1 LIMIT 1");
    let query = query.bind(digest.0.to_vec());
    let bytes: Option<Vec<u8>> = query.fetch_optional(conn).await.map_err(db_error)?;
    Ok(bytes.map(Arc::from))
}

/// Returns whether any tenant has the bytes of a component.
pub(in super::super) async fn has_bytes(conn: &mut Conn, digest: Digest) -> Result<bool> {
    let query = sqlx::query("SELECT 1 FROM components WHERE digest = $1 LIMIT 1").bind(digest.0.to_vec());
    query.fetch_optional(conn).await.map(|row| row.is_some()).map_err(db_error)
}

fn condition(query: &mut QueryBuilder<Db>, term: &Term) -> Result<()> {
    match term.field {
        "plugin" => filter::text(query, "plugin", term),
        _ => return Err(filter::unknown(term)),
    }
    Ok(())
}

fn read(row: &Row) -> Result<Release> {
    let Json(names) = row.try_get::<Json<Vec<String>>, _>("hooks").map_err(db_error)?;
    let Json(stored_manifest) = row.try_get::<Json<StoredManifest>, _>("manifest").map_err(db_error)?;
    let Json(stored_footprint) = row.try_get::<Json<StoredFootprint>, _>("footprint").map_err(db_error)?;
    let Ts(uploaded_at) = row.try_get("uploaded_at").map_err(db_error)?;
    Ok(Release {
        admitted: AdmittedComponent {
            digest: digest(row.try_get("digest").map_err(db_error)?)?,
            contract: row.try_get("contract").map_err(db_error)?,
            hooks: hooks(&names)?,
            manifest: manifest(stored_manifest)?,
            footprint: footprint(&stored_footprint),
        },
        size: unsigned(row.try_get("size").map_err(db_error)?)?,
        uploaded_at,
        uploaded_by: row.try_get::<Option<_>, _>("uploaded_by").map_err(db_error)?.map(UserId),
    })
}
