//! Comments.

use sqlx::{AssertSqlSafe, Row as _};
use tessera_core::Result;
use tessera_core::id::{CommentId, IssueId, TenantId, UserId};
use tessera_core::outbox::Actor;
use tessera_core::page::{Page, PageRequest};
use tessera_core::tracker::Comment;

use super::super::execute::{change_one, read_one};
use super::super::page::{Sort, SortType, at};
use super::super::table::Table;
use super::super::{Conn, Row, Ts};
use crate::codec::{signed, unsigned};
use crate::error::db_error;

static COMMENTS: Table = Table::new(
    "comments",
    &["tenant_id", "issue_id", "id"],
    &["body", "edited_at", "version"],
    &["author_kind", "author_id", "author_user", "created_at"],
);

pub(in super::super) async fn put(conn: &mut Conn, tenant: TenantId, comment: &Comment) -> Result<()> {
    let sql = format!(
        "{} ON CONFLICT (tenant_id, issue_id, id) DO UPDATE
         SET body = excluded.body, edited_at = excluded.edited_at, version = excluded.version
         WHERE comments.version = excluded.version - 1",
        COMMENTS.insert(),
    );
    let query = sqlx::query(AssertSqlSafe(sql))
        .bind(tenant.0)
        .bind(comment.issue.0)
        .bind(comment.id.0)
        .bind(&comment.body)
        .bind(comment.edited_at.map(Ts))
        .bind(signed(comment.version))
        .bind(&*comment.author.kind)
        .bind(&comment.author.id)
        .bind(comment.author.user.map(|user| user.0))
        .bind(Ts(comment.created_at));
    change_one(conn, query).await
}

pub(in super::super) async fn drop(
    conn: &mut Conn,
    tenant: TenantId,
    issue: IssueId,
    id: CommentId,
) -> Result<()> {
    let query = sqlx::query("DELETE FROM comments WHERE tenant_id = $1 AND issue_id = $2 AND id = $3");
    change_one(conn, query.bind(tenant.0).bind(issue.0).bind(id.0)).await
}

pub(in super::super) async fn get(
    conn: &mut Conn,
    tenant: TenantId,
    issue: IssueId,
    id: CommentId,
) -> Result<Option<Comment>> {
    let mut query = COMMENTS.of(tenant);
    query.push(" AND issue_id = ").push_bind(issue.0).push(" AND id = ").push_bind(id.0);
    read_one(conn, query, read).await
}

/// Lists the comments of an issue, the oldest first.
pub(in super::super) async fn list(
    conn: &mut Conn,
    tenant: TenantId,
    issue: IssueId,
    page: &PageRequest,
) -> Result<Page<Comment>> {
    let mut query = COMMENTS.of(tenant);
    query.push(" AND issue_id = ").push_bind(issue.0);
    let place = |comment: &Comment| at(comment.created_at, &comment.id);
    Sort::by("created_at", SortType::Moments, place).page((conn, tenant), query, page, read).await
}

fn read(row: &Row) -> Result<Comment> {
    let Ts(created_at) = row.try_get("created_at").map_err(db_error)?;
    let edited_at: Option<Ts> = row.try_get("edited_at").map_err(db_error)?;
    let author = Actor {
        kind: row.try_get::<String, _>("author_kind").map_err(db_error)?.into(),
        id: row.try_get("author_id").map_err(db_error)?,
        user: row.try_get::<Option<_>, _>("author_user").map_err(db_error)?.map(UserId),
    };
    Ok(Comment {
        id: CommentId(row.try_get("id").map_err(db_error)?),
        issue: IssueId(row.try_get("issue_id").map_err(db_error)?),
        author,
        body: row.try_get("body").map_err(db_error)?,
        created_at,
        edited_at: edited_at.map(|Ts(at)| at),
        version: unsigned(row.try_get("version").map_err(db_error)?)?,
    })
}
