//! API keys.

use sqlx::types::Json;
use sqlx::{QueryBuilder, Row as _};
use tessera_core::filter::Term;
use tessera_core::id::{KeyId, TenantId, UserId};
use tessera_core::page::{Page, PageRequest};
use tessera_core::tenancy::{ApiKey, KeyHash, StoredKey};
use tessera_core::{Error, Result};

use super::super::page::{Holds, Sort, at};
use super::super::{Conn, Db, Row, Ts, filter};
use crate::codec::{corrupt, roles, roles_form, signed, unsigned};
use crate::error::{exists_or, fault};

const SELECT: &str = "SELECT tenant_id, id, name, roles, user_id, hash, created_at, expires_at, revoked_at, \
    version FROM api_keys WHERE ";

pub(in super::super) async fn insert(conn: &mut Conn, tenant: TenantId, stored: &StoredKey) -> Result<()> {
    let key = &stored.key;
    let query = sqlx::query(
        "INSERT INTO api_keys
         (tenant_id, id, name, roles, user_id, hash, created_at, expires_at, revoked_at, version)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
    );
    query
        .bind(tenant.0)
        .bind(key.id.as_str())
        .bind(&key.name)
        .bind(Json(roles_form(&key.roles)))
        .bind(key.user.map(|user| user.0))
        .bind(stored.hash.as_bytes().to_vec())
        .bind(Ts(key.created_at))
        .bind(key.expires_at.map(Ts))
        .bind(key.revoked_at.map(Ts))
        .bind(signed(key.version))
        .execute(conn)
        .await
        .map_err(|error| exists_or(error, "key", "api_keys", "id is another key's already"))?;
    Ok(())
}

pub(in super::super) async fn update(
    conn: &mut Conn,
    tenant: TenantId,
    (stored, before): (&StoredKey, u64),
) -> Result<()> {
    let key = &stored.key;
    let query = sqlx::query(
        "UPDATE api_keys SET name = $3, roles = $4, user_id = $5, hash = $6, expires_at = $7,
         revoked_at = $8, version = $9 WHERE tenant_id = $1 AND id = $2 AND version = $10",
    );
    let done = query
        .bind(tenant.0)
        .bind(key.id.as_str())
        .bind(&key.name)
        .bind(Json(roles_form(&key.roles)))
        .bind(key.user.map(|user| user.0))
        .bind(stored.hash.as_bytes().to_vec())
        .bind(key.expires_at.map(Ts))
        .bind(key.revoked_at.map(Ts))
        .bind(signed(key.version))
        .bind(signed(before))
        .execute(conn)
        .await
        .map_err(fault)?;
    if done.rows_affected() == 1 { Ok(()) } else { Err(Error::stale()) }
}

pub(in super::super) async fn get(conn: &mut Conn, id: &KeyId) -> Result<Option<StoredKey>> {
    let mut query = QueryBuilder::<Db>::new(SELECT);
    query.push("id = ").push_bind(id.to_string());
    let row = query.build().fetch_optional(conn).await.map_err(fault)?;
    row.as_ref().map(read).transpose()
}

pub(in super::super) async fn list(
    conn: &mut Conn,
    tenant: TenantId,
    page: &PageRequest,
) -> Result<Page<ApiKey>> {
    let mut query = QueryBuilder::<Db>::new(SELECT);
    query.push("tenant_id = ").push_bind(tenant.0);
    filter::push(&mut query, &page.filter, condition)?;
    let place = |key: &ApiKey| at(key.created_at, &key.id);
    let sort = Sort::by("created_at", Holds::Moments, place).with_text_ids();
    let read_key = |row: &Row| read(row).map(|stored| stored.key);
    sort.descending(page.order.descending).page(conn, query, page, read_key).await
}

fn condition(query: &mut QueryBuilder<Db>, term: &Term) -> Result<()> {
    match term.field {
        "user" => filter::id(query, "user_id", term),
        _ => return Err(filter::unknown(term)),
    }
    Ok(())
}

fn read(row: &Row) -> Result<StoredKey> {
    let id: String = row.try_get("id").map_err(fault)?;
    let Json(names) = row.try_get::<Json<Vec<String>>, _>("roles").map_err(fault)?;
    let hash: Vec<u8> = row.try_get("hash").map_err(fault)?;
    let hash = hash.try_into().map_err(|hash| corrupt("a hash", hash))?;
    let moment = |column: &str| -> Result<_> {
        let at: Option<Ts> = row.try_get(column).map_err(fault)?;
        Ok(at.map(|Ts(at)| at))
    };
    let Ts(created_at) = row.try_get("created_at").map_err(fault)?;
    let key = ApiKey {
        id: KeyId::parse("id", &id)?,
        tenant: TenantId(row.try_get("tenant_id").map_err(fault)?),
        name: row.try_get("name").map_err(fault)?,
        roles: roles(&names)?,
        user: row.try_get::<Option<_>, _>("user_id").map_err(fault)?.map(UserId),
        created_at,
        expires_at: moment("expires_at")?,
        revoked_at: moment("revoked_at")?,
        version: unsigned(row.try_get("version").map_err(fault)?)?,
    };
    Ok(StoredKey { key, hash: KeyHash::from_bytes(hash) })
}
