//! Comments.

use sqlx::{QueryBuilder, Row as _};
use tessera_core::id::{CommentId, IssueId, TenantId, UserId};
use tessera_core::outbox::Actor;
use tessera_core::page::{Page, PageRequest};
use tessera_core::tracker::Comment;
use tessera_core::{Error, Result};

use super::super::page::{Holds, Sort, at};
use super::super::{Conn, Db, Row, Ts};
use crate::codec::{signed, unsigned};
use crate::error::fault;

const SELECT: &str = "SELECT id, issue_id, author_kind, author_id, author_user, body, created_at, edited_at, \
    version FROM comments WHERE tenant_id = ";

pub(in super::super) async fn put(conn: &mut Conn, tenant: TenantId, comment: &Comment) -> Result<()> {
    let query = sqlx::query(
        "INSERT INTO comments (tenant_id, issue_id, id, author_kind, author_id, author_user, body,
         created_at, edited_at, version) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
         ON CONFLICT (tenant_id, issue_id, id) DO UPDATE
         SET body = excluded.body, edited_at = excluded.edited_at, version = excluded.version
         WHERE comments.version = excluded.version - 1",
    );
    let done = query
        .bind(tenant.0)
        .bind(comment.issue.0)
        .bind(comment.id.0)
        .bind(&*comment.author.kind)
        .bind(&comment.author.id)
        .bind(comment.author.user.map(|user| user.0))
        .bind(&comment.body)
        .bind(Ts(comment.created_at))
        .bind(comment.edited_at.map(Ts))
        .bind(signed(comment.version))
        .execute(conn)
        .await
        .map_err(fault)?;
    if done.rows_affected() == 1 { Ok(()) } else { Err(Error::stale()) }
}

pub(in super::super) async fn drop(
    conn: &mut Conn,
    tenant: TenantId,
    issue: IssueId,
    id: CommentId,
) -> Result<()> {
    let query = sqlx::query("DELETE FROM comments WHERE tenant_id = $1 AND issue_id = $2 AND id = $3");
    let done = query.bind(tenant.0).bind(issue.0).bind(id.0).execute(conn).await.map_err(fault)?;
    if done.rows_affected() == 1 { Ok(()) } else { Err(Error::stale()) }
}

pub(in super::super) async fn get(
    conn: &mut Conn,
    tenant: TenantId,
    issue: IssueId,
    id: CommentId,
) -> Result<Option<Comment>> {
    let mut query = QueryBuilder::<Db>::new(SELECT);
    query.push_bind(tenant.0).push(" AND issue_id = ").push_bind(issue.0).push(" AND id = ").push_bind(id.0);
    let row = query.build().fetch_optional(conn).await.map_err(fault)?;
    row.as_ref().map(read).transpose()
}

/// The oldest first.
pub(in super::super) async fn list(
    conn: &mut Conn,
    tenant: TenantId,
    issue: IssueId,
    page: &PageRequest,
) -> Result<Page<Comment>> {
    let mut query = QueryBuilder::<Db>::new(SELECT);
    query.push_bind(tenant.0).push(" AND issue_id = ").push_bind(issue.0);
    let place = |comment: &Comment| at(comment.created_at, &comment.id);
    Sort::by("created_at", Holds::Moments, place).page(conn, query, page, read).await
}

fn read(row: &Row) -> Result<Comment> {
    let Ts(created_at) = row.try_get("created_at").map_err(fault)?;
    let edited_at: Option<Ts> = row.try_get("edited_at").map_err(fault)?;
    let author = Actor {
        kind: row.try_get::<String, _>("author_kind").map_err(fault)?.into(),
        id: row.try_get("author_id").map_err(fault)?,
        user: row.try_get::<Option<_>, _>("author_user").map_err(fault)?.map(UserId),
    };
    Ok(Comment {
        id: CommentId(row.try_get("id").map_err(fault)?),
        issue: IssueId(row.try_get("issue_id").map_err(fault)?),
        author,
        body: row.try_get("body").map_err(fault)?,
        created_at,
        edited_at: edited_at.map(|Ts(at)| at),
        version: unsigned(row.try_get("version").map_err(fault)?)?,
    })
}
