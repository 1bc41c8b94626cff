//! API keys.

use sqlx::types::Json;
use sqlx::{QueryBuilder, Row as _};
use tessera_core::Result;
use tessera_core::filter::Term;
use tessera_core::id::{KeyId, TenantId, UserId};
use tessera_core::page::{Page, PageRequest};
use tessera_core::tenancy::{ApiKey, KeyHash, StoredKey};

use super::super::execute::{change_one, read_one};
use super::super::page::{Sort, SortType, at};
use super::super::table::{Query, Table};
use super::super::{Conn, Db, Row, Ts, filter};
use crate::codec::{corrupt, roles, signed, stored_roles, unsigned};
use crate::error::{db_error, exists_or_db_error};

static API_KEYS: Table = Table::new(
    "api_keys",
    &["tenant_id", "id"],
    &["name", "roles", "user_id", "hash", "expires_at", "revoked_at", "version"],
    &["created_at"],
);

fn bind<'q>(query: Query<'q>, tenant: TenantId, stored: &'q StoredKey) -> Query<'q> {
    let key = &stored.key;
    query
        .bind(tenant.0)
        .bind(key.id.as_str())
        .bind(&key.name)
        .bind(Json(stored_roles(&key.roles)))
        .bind(key.user.map(|user| user.0))
        .bind(stored.hash.as_bytes().to_vec())
        .bind(key.expires_at.map(Ts))
        .bind(key.revoked_at.map(Ts))
        .bind(signed(key.version))
}

pub(in super::super) async fn insert(conn: &mut Conn, tenant: TenantId, key: &StoredKey) -> Result<()> {
    let query = bind(sqlx::query(API_KEYS.insert()), tenant, key).bind(Ts(key.key.created_at));
    let result = query.execute(conn).await;
    result
        .map(drop)
        .map_err(|error| exists_or_db_error(error, "key", "api_keys", "id is another key's already"))
}

pub(in super::super) async fn update(
    conn: &mut Conn,
    tenant: TenantId,
    (key, stored): (&StoredKey, u64),
) -> Result<()> {
    let query = bind(sqlx::query(API_KEYS.update()), tenant, key).bind(signed(stored));
    change_one(conn, query).await
}

pub(in super::super) async fn get(conn: &mut Conn, id: &KeyId) -> Result<Option<StoredKey>> {
    let mut query = QueryBuilder::<Db>::new(API_KEYS.select());
    query.push("id = ").push_bind(id.to_string());
    read_one(conn, query, read).await
}

pub(in super::super) async fn list(
    conn: &mut Conn,
    tenant: TenantId,
    page: &PageRequest,
) -> Result<Page<ApiKey>> {
    let mut query = API_KEYS.of(tenant);
    filter::push(&mut query, &page.filter, condition)?;
    let place = |key: &ApiKey| at(key.created_at, &key.id);
    let sort = Sort::by("created_at", SortType::Moments, place).with_text_ids();
    let read_key = |row: &Row| read(row).map(|stored| stored.key);
    sort.descending(page.order.descending).page((conn, tenant), query, page, read_key).await
}

fn condition(query: &mut QueryBuilder<Db>, term: &Term) -> Result<()> {
    match term.field {
        "user" => filter::id(query, "user_id", term),
        _ => return Err(filter::unknown(term)),
    }
    Ok(())
}

fn read(row: &Row) -> Result<StoredKey> {
    let id: String = row.try_get("id").map_err(db_error)?;
    let Json(names) = row.try_get::<Json<Vec<String>>, _>("roles").map_err(db_error)?;
    let hash: Vec<u8> = row.try_get("hash").map_err(db_error)?;
    let hash = hash.try_into().map_err(|hash| corrupt("a hash", hash))?;
    let time = |column: &str| -> Result<_> {
        let at: Option<Ts> = row.try_get(column).map_err(db_error)?;
        Ok(at.map(|Ts(at)| at))
    };
    let Ts(created_at) = row.try_get("created_at").map_err(db_error)?;
    let key = ApiKey {
        id: KeyId::parse("id", &id)?,
        tenant: TenantId(row.try_get("tenant_id").map_err(db_error)?),
        name: row.try_get("name").map_err(db_error)?,
        roles: roles(&names)?,
        user: row.try_get::<Option<_>, _>("user_id").map_err(db_error)?.map(UserId),
        created_at,
        expires_at: time("expires_at")?,
        revoked_at: time("revoked_at")?,
        version: unsigned(row.try_get("version").map_err(db_error)?)?,
    };
    Ok(StoredKey { key, hash: KeyHash::from_bytes(hash) })
}
