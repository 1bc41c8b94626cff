//! Comments on issues.

use tessera_core::access::Operation;
use tessera_core::id::{CommentId, IssueId};
use tessera_core::tracker::comment::MAX_PAGE;
use tessera_core::{Ctx, Result};
use tessera_proto::issues::v1 as pb;

use crate::grpc::call::{Grpc, at, plain_page};
use crate::grpc::convert::hanging::comment as shown;

fn ids(issue: &str, comment: &str) -> Result<(IssueId, CommentId)> {
    Ok((IssueId::parse("issue_id", issue)?, CommentId::parse("comment_id", comment)?))
}

pub(super) async fn add(grpc: &Grpc, ctx: Ctx, ask: pb::AddCommentRequest) -> Result<pb::AddCommentResponse> {
    let issue = IssueId::parse("issue_id", &ask.issue_id)?;
    let comment = grpc.app.comments.add(&ctx, issue, ask.body).await?;
    Ok(pb::AddCommentResponse { comment: Some(shown(comment)) })
}

pub(super) async fn list(
    grpc: &Grpc,
    ctx: Ctx,
    ask: pb::ListCommentsRequest,
) -> Result<pb::ListCommentsResponse> {
    let issue = IssueId::parse("issue_id", &ask.issue_id)?;
    let scope = issue.to_string();
    let scope = [scope.as_str()];
    let asked = plain_page((ask.page_size, &ask.page_token), MAX_PAGE, Operation::CommentList, &scope);
    let page = grpc.app.comments.list(&ctx, issue, &grpc.page(&ctx, &asked)?).await?;
    let next_page_token = grpc.next_token(&ctx, &asked.query, page.next.as_ref());
    Ok(pb::ListCommentsResponse { comments: page.items.into_iter().map(shown).collect(), next_page_token })
}

pub(super) async fn update(
    grpc: &Grpc,
    ctx: Ctx,
    ask: pb::UpdateCommentRequest,
) -> Result<pb::UpdateCommentResponse> {
    let ((issue, id), ctx) = (ids(&ask.issue_id, &ask.comment_id)?, at(ctx, &ask.etag));
    let comment = grpc.app.comments.update(&ctx, issue, id, ask.body).await?;
    Ok(pb::UpdateCommentResponse { comment: Some(shown(comment)) })
}

pub(super) async fn delete(
    grpc: &Grpc,
    ctx: Ctx,
    ask: pb::DeleteCommentRequest,
) -> Result<pb::DeleteCommentResponse> {
    let ((issue, id), ctx) = (ids(&ask.issue_id, &ask.comment_id)?, at(ctx, &ask.etag));
    let comment = grpc.app.comments.delete(&ctx, issue, id).await?;
    Ok(pb::DeleteCommentResponse { comment: Some(shown(comment)) })
}
