//! Users.

use sqlx::{QueryBuilder, Row as _};
use tessera_core::filter::Term;
use tessera_core::id::{FactId, TenantId, UserId};
use tessera_core::page::{Page, PageRequest};
use tessera_core::text::folded;
use tessera_core::tracker::User;
use tessera_core::{Error, Result, Timestamp};

use super::super::page::{Holds, Sort, at, text};
use super::super::{Conn, Db, Row, Ts, filter};
use crate::codec::{signed, unsigned};
use crate::error::{exists_or, fault};

const SELECT: &str = "SELECT id, first_name, last_name, email, is_active, created_at, updated_at, version \
    FROM users WHERE deleted_at IS NULL AND tenant_id = ";

const TAKEN: &str = "email_address is another user's already";

/// What a user is searched for in.
fn searched(user: &User) -> String {
    folded(&format!("{} {}\n{}", user.first_name, user.last_name, user.email))
}

pub(in super::super) async fn insert(conn: &mut Conn, tenant: TenantId, user: &User) -> Result<()> {
    let query = sqlx::query(
        "INSERT INTO users (tenant_id, id, first_name, last_name, email, first_folded, last_folded,
         email_folded, search, is_active, created_at, updated_at, version)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
    );
    query
        .bind(tenant.0)
        .bind(user.id.0)
        .bind(&user.first_name)
        .bind(&user.last_name)
        .bind(&user.email)
        .bind(folded(&user.first_name))
        .bind(folded(&user.last_name))
        .bind(folded(&user.email))
        .bind(searched(user))
        .bind(user.is_active)
        .bind(Ts(user.created_at))
        .bind(Ts(user.updated_at))
        .bind(signed(user.version))
        .execute(conn)
        .await
        .map_err(|error| exists_or(error, "user", "email", TAKEN))?;
    Ok(())
}

pub(in super::super) async fn update(
    conn: &mut Conn,
    tenant: TenantId,
    (user, stored): (&User, u64),
) -> Result<()> {
    let query = sqlx::query(
        "UPDATE users SET first_name = $3, last_name = $4, email = $5, first_folded = $6, last_folded = $7,
         email_folded = $8, search = $9, is_active = $10, updated_at = $11, version = $12
         WHERE tenant_id = $1 AND id = $2 AND version = $13 AND deleted_at IS NULL",
    );
    let done = query
        .bind(tenant.0)
        .bind(user.id.0)
        .bind(&user.first_name)
        .bind(&user.last_name)
        .bind(&user.email)
        .bind(folded(&user.first_name))
        .bind(folded(&user.last_name))
        .bind(folded(&user.email))
        .bind(searched(user))
        .bind(user.is_active)
        .bind(Ts(user.updated_at))
        .bind(signed(user.version))
        .bind(signed(stored))
        .execute(conn)
        .await
        .map_err(|error| exists_or(error, "user", "email", TAKEN))?;
    if done.rows_affected() == 1 { Ok(()) } else { Err(Error::stale()) }
}

/// Marks a user as deleted and forgets who it was.
pub(in super::super) async fn mark(
    conn: &mut Conn,
    tenant: TenantId,
    user: &User,
    (now, cause): (Timestamp, Option<FactId>),
) -> Result<()> {
    let query = sqlx::query(
        "UPDATE users SET first_name = '', last_name = '', email = '', first_folded = '', last_folded = '',
         email_folded = '', search = '', is_active = FALSE, version = version + 1, deleted_at = $4,
         deleted_by = $5 WHERE tenant_id = $1 AND id = $2 AND version = $3 AND deleted_at IS NULL",
    );
    let done = query
        .bind(tenant.0)
        .bind(user.id.0)
        .bind(signed(user.version))
        .bind(Ts(now))
        .bind(cause.map(|cause| cause.0))
        .execute(conn)
        .await
        .map_err(fault)?;
    if done.rows_affected() == 1 { Ok(()) } else { Err(Error::stale()) }
}

/// Removes the mark. An issue that is still assigned to the user keeps it.
pub(in super::super) async fn forget(conn: &mut Conn, tenant: TenantId, id: UserId) -> Result<()> {
    let query = sqlx::query("DELETE FROM users WHERE tenant_id = $1 AND id = $2 AND deleted_at IS NOT NULL");
    let done = query.bind(tenant.0).bind(id.0).execute(conn).await.map_err(fault)?;
    if done.rows_affected() == 1 { Ok(()) } else { Err(Error::stale()) }
}

pub(in super::super) async fn get(conn: &mut Conn, tenant: TenantId, id: UserId) -> Result<Option<User>> {
    let mut query = QueryBuilder::<Db>::new(SELECT);
    query.push_bind(tenant.0).push(" AND id = ").push_bind(id.0);
    let row = query.build().fetch_optional(conn).await.map_err(fault)?;
    row.as_ref().map(read).transpose()
}

pub(in super::super) async fn list(
    conn: &mut Conn,
    tenant: TenantId,
    part: Option<&str>,
    page: &PageRequest,
) -> Result<Page<User>> {
    let mut query = QueryBuilder::<Db>::new(SELECT);
    query.push_bind(tenant.0);
    if let Some(part) = part {
        query.push(" AND search LIKE ").push_bind(containing(part)).push(" ESCAPE '!'");
    }
    filter::push(&mut query, &page.filter, condition)?;
    let sort = match page.order.field {
        "modified" => Sort::by("updated_at", Holds::Moments, |user: &User| at(user.updated_at, &user.id)),
        "email" => Sort::by("email_folded", Holds::Texts, |user: &User| text(folded(&user.email), &user.id)),
        "last_name" => {
            Sort::by("last_folded", Holds::Texts, |user: &User| text(folded(&user.last_name), &user.id))
        }
        _ => Sort::by("created_at", Holds::Moments, |user: &User| at(user.created_at, &user.id)),
    };
    sort.descending(page.order.descending).page(conn, query, page, read).await
}

/// The pattern for text that contains a part.
fn containing(part: &str) -> String {
    let mut pattern = String::from("%");
    for c in folded(part).chars() {
        if matches!(c, '%' | '_' | '!') {
            pattern.push('!');
        }
        pattern.push(c);
    }
    pattern.push('%');
    pattern
}

fn condition(query: &mut QueryBuilder<Db>, term: &Term) -> Result<()> {
    match term.field {
        "name" => {
            for (between, column) in [
                ("", "first_folded"),
                (" OR ", "last_folded"),
                (" OR ", "first_folded || ' ' || last_folded"),
            ] {
                query.push(between);
                filter::folded_text(query, column, term);
            }
        }
        "email" => filter::folded_text(query, "email_folded", term),
        "active" => filter::truth(query, "is_active", term),
        "created" => filter::time(query, "created_at", term),
        "modified" => filter::time(query, "updated_at", term),
        _ => return Err(filter::unknown(term)),
    }
    Ok(())
}

fn read(row: &Row) -> Result<User> {
    let Ts(created_at) = row.try_get("created_at").map_err(fault)?;
    let Ts(updated_at) = row.try_get("updated_at").map_err(fault)?;
    Ok(User {
        id: UserId(row.try_get("id").map_err(fault)?),
        first_name: row.try_get("first_name").map_err(fault)?,
        last_name: row.try_get("last_name").map_err(fault)?,
        email: row.try_get("email").map_err(fault)?,
        is_active: row.try_get("is_active").map_err(fault)?,
        created_at,
        updated_at,
        version: unsigned(row.try_get("version").map_err(fault)?)?,
    })
}
