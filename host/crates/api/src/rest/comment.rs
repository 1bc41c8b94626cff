//! Comments on issues.

use axum::extract::State;
use tessera_core::Ctx;
use tessera_core::access::Operation;
use tessera_core::id::{CommentId, IssueId};
use tessera_core::tracker::Comment;
use tessera_core::tracker::comment::MAX_PAGE;
use utoipa_axum::routes;

use crate::request::etag;
use crate::rest::dto::hanging::{CommentAnswer, CommentsPage, WriteComment};
use crate::rest::extract::{Ask, Id, Sent};
use crate::rest::issue::ALIAS;
use crate::rest::reply::{Answer, Reply};
use crate::rest::routes::Routes;
use crate::rest::{PageOnly, Rest};

pub(super) fn routes(routes: Routes) -> Routes {
    routes.with_alias(ALIAS, routes!(add, list)).with_alias(ALIAS, routes!(update, delete))
}

fn shown(comment: Comment) -> (String, CommentAnswer) {
    (etag(comment.version), CommentAnswer { comment: comment.into() })
}

/// Comments on an issue.
#[utoipa::path(post, path = "/v1/issues/{issue_id}/comments", operation_id = "comment.add", tag = "comments",
    request_body = WriteComment, responses((status = 201, description = "The comment", body = CommentAnswer)))]
async fn add(
    ctx: Ctx,
    State(rest): State<Rest>,
    Id(issue): Id<IssueId>,
    Sent(body): Sent<WriteComment>,
) -> Answer<CommentAnswer> {
    let comment = rest.app.comments.add(&ctx, issue, body.body).await?;
    let (tag, body) = shown(comment);
    Ok(Reply::made(body).tagged(&tag))
}

/// Lists an issue's comments, oldest first. At most 200 rows.
#[utoipa::path(get, path = "/v1/issues/{issue_id}/comments", operation_id = "comment.list", tag = "comments",
    params(PageOnly), responses((status = 200, description = "A page of comments", body = CommentsPage)))]
async fn list(
    ctx: Ctx,
    State(rest): State<Rest>,
    Id(issue): Id<IssueId>,
    Ask(ask): Ask<PageOnly>,
) -> Answer<CommentsPage> {
    let id = issue.to_string();
    let scope = [id.as_str()];
    let asked = ask.page(MAX_PAGE, Operation::CommentList, &scope);
    let page = rest.app.comments.list(&ctx, issue, &rest.page(&ctx, &asked)?).await?;
    let next_page_token = rest.next_token(&ctx, &asked.query, page.next.as_ref());
    Ok(Reply::ok(CommentsPage {
        comments: page.items.into_iter().map(Into::into).collect(),
        next_page_token,
    }))
}

/// Edits a comment; only its author or an admin may.
#[utoipa::path(patch, path = "/v1/issues/{issue_id}/comments/{comment_id}", operation_id = "comment.update",
    tag = "comments", request_body = WriteComment,
    responses((status = 200, description = "The comment", body = CommentAnswer)))]
async fn update(
    ctx: Ctx,
    State(rest): State<Rest>,
    Id(issue): Id<IssueId>,
    Id(id): Id<CommentId>,
    Sent(body): Sent<WriteComment>,
) -> Answer<CommentAnswer> {
    let (tag, body) = shown(rest.app.comments.update(&ctx, issue, id, body.body).await?);
    Ok(Reply::ok(body).tagged(&tag))
}

/// Removes a comment; only its author or an admin may.
#[utoipa::path(delete, path = "/v1/issues/{issue_id}/comments/{comment_id}", operation_id = "comment.delete",
    tag = "comments", responses((status = 200, description = "The comment as it was", body = CommentAnswer)))]
async fn delete(
    ctx: Ctx,
    State(rest): State<Rest>,
    Id(issue): Id<IssueId>,
    Id(id): Id<CommentId>,
) -> Answer<CommentAnswer> {
    let (_, body) = shown(rest.app.comments.delete(&ctx, issue, id).await?);
    Ok(Reply::ok(body))
}
