//! Users.

use sqlx::{AssertSqlSafe, QueryBuilder, Row as _};
use tessera_core::filter::Term;
use tessera_core::id::{FactId, TenantId, UserId};
use tessera_core::page::{Page, PageRequest};
use tessera_core::text::folded;
use tessera_core::tracker::User;
use tessera_core::{Error, Result, Timestamp};

use super::super::execute::{change_one, read_one};
use super::super::page::{Sort, SortType, at, text};
use super::super::table::{Query, Table};
use super::super::{Conn, Db, Row, Ts, filter};
use crate::codec::{signed, unsigned};
use crate::error::{db_error, exists_or_db_error};

static USERS: Table = Table::new(
    "users",
    &["tenant_id", "id"],
    &[
        "first_name",
        "last_name",
        "email",
        "first_folded",
        "last_folded",
        "email_folded",
        "search",
        "is_active",
        "updated_at",
        "version",
    ],
    &["created_at"],
)
.without(&["first_folded", "last_folded", "email_folded", "search"]);

fn of_tenant(tenant: TenantId) -> QueryBuilder<Db> {
    let mut query = USERS.of(tenant);
    query.push(" AND deleted_at IS NULL");
    query
}

/// Returns the text that user searches match.
fn searched(user: &User) -> String {
    folded(&format!("{} {}\n{}", user.first_name, user.last_name, user.email))
}

fn bind<'q>(query: Query<'q>, tenant: TenantId, user: &'q User) -> Query<'q> {
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
        .bind(Ts(user.updated_at))
        .bind(signed(user.version))
}

fn email_exists(error: sqlx::Error) -> Error {
    exists_or_db_error(error, "user", "email", "email_address is another user's already")
}

pub(in super::super) async fn insert(conn: &mut Conn, tenant: TenantId, user: &User) -> Result<()> {
    let query = bind(sqlx::query(USERS.insert()), tenant, user).bind(Ts(user.created_at));
    query.execute(conn).await.map(drop).map_err(email_exists)
}

pub(in super::super) async fn update(
    conn: &mut Conn,
    tenant: TenantId,
    (user, stored): (&User, u64),
) -> Result<()> {
    let sql = format!("{} AND deleted_at IS NULL", USERS.update());
    let query = bind(sqlx::query(AssertSqlSafe(sql)), tenant, user).bind(signed(stored));
    let result = query.execute(conn).await.map_err(email_exists)?;
    if result.rows_affected() == 1 { Ok(()) } else { Err(Error::stale()) }
}

/// Marks a user as deleted and erases personal data.
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
    let query = query
        .bind(tenant.0)
        .bind(user.id.0)
        .bind(signed(user.version))
        .bind(Ts(now))
        .bind(cause.map(|cause| cause.0));
    change_one(conn, query).await
}

/// Deletes a marked user; fails while issues are assigned to it.
pub(in super::super) async fn delete(conn: &mut Conn, tenant: TenantId, id: UserId) -> Result<()> {
    let query = sqlx::query("DELETE FROM users WHERE tenant_id = $1 AND id = $2 AND deleted_at IS NOT NULL");
    change_one(conn, query.bind(tenant.0).bind(id.0)).await
}

pub(in super::super) async fn get(conn: &mut Conn, tenant: TenantId, id: UserId) -> Result<Option<User>> {
    let mut query = of_tenant(tenant);
    query.push(" AND id = ").push_bind(id.0);
    read_one(conn, query, read).await
}

pub(in super::super) async fn list(
    conn: &mut Conn,
    tenant: TenantId,
    part: Option<&str>,
    page: &PageRequest,
) -> Result<Page<User>> {
    let mut query = of_tenant(tenant);
    if let Some(part) = part {
        query.push(" AND search LIKE ").push_bind(containing(part)).push(" ESCAPE '!'");
    }
    filter::push(&mut query, &page.filter, condition)?;
    let sort = match page.order.field {
        "modified" => Sort::by("updated_at", SortType::Moments, |user: &User| at(user.updated_at, &user.id)),
        "email" => {
            Sort::by("email_folded", SortType::Texts, |user: &User| text(folded(&user.email), &user.id))
        }
        "last_name" => {
            Sort::by("last_folded", SortType::Texts, |user: &User| text(folded(&user.last_name), &user.id))
        }
        _ => Sort::by("created_at", SortType::Moments, |user: &User| at(user.created_at, &user.id)),
    };
    sort.descending(page.order.descending).page((conn, tenant), query, page, read).await
}

/// Returns the LIKE pattern for texts that contain a part.
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
    let Ts(created_at) = row.try_get("created_at").map_err(db_error)?;
    let Ts(updated_at) = row.try_get("updated_at").map_err(db_error)?;
    Ok(User {
        id: UserId(row.try_get("id").map_err(db_error)?),
        first_name: row.try_get("first_name").map_err(db_error)?,
        last_name: row.try_get("last_name").map_err(db_error)?,
        email: row.try_get("email").map_err(db_error)?,
        is_active: row.try_get("is_active").map_err(db_error)?,
        created_at,
        updated_at,
        version: unsigned(row.try_get("version").map_err(db_error)?)?,
    })
}
