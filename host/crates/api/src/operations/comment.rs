//! Comments on issues.

use tessera_core::access::Operation;
use tessera_core::id::{CommentId, IssueId};
use tessera_core::tracker::comment::MAX_PAGE;
use tessera_core::{Ctx, Result};
use tessera_proto::issues::v1 as pb;

use crate::convert::comment_link::comment as encode;
use crate::operations::{Answer, Api, at_version, plain_page};

fn ids(issue: &str, comment: &str) -> Result<(IssueId, CommentId)> {
    Ok((IssueId::parse("issue_id", issue)?, CommentId::parse("comment_id", comment)?))
}

pub(crate) async fn add(
    api: Api,
    ctx: Ctx,
    request: pb::AddCommentRequest,
) -> Result<Answer<pb::AddCommentResponse>> {
    let issue = IssueId::parse("issue_id", &request.issue_id)?;
    let comment = api.app.comments.add(&ctx, issue, request.body).await?;
    Ok(Answer::of(encode(comment), |comment| pb::AddCommentResponse { comment }))
}

pub(crate) async fn list(
    api: Api,
    ctx: Ctx,
    request: pb::ListCommentsRequest,
) -> Result<Answer<pb::ListCommentsResponse>> {
    let issue = IssueId::parse("issue_id", &request.issue_id)?;
    let scope = issue.to_string();
    let scope = [scope.as_str()];
    let page_args =
        plain_page((request.page_size, &request.page_token), MAX_PAGE, Operation::CommentList, &scope);
    let page = api.app.comments.list(&ctx, issue, &api.page(&ctx, &page_args)?).await?;
    let (comments, next_page_token) = api.encode_page(&ctx, &page_args, page, encode);
    Ok(Answer::new(pb::ListCommentsResponse { comments, next_page_token }))
}

pub(crate) async fn update(
    api: Api,
    ctx: Ctx,
    request: pb::UpdateCommentRequest,
) -> Result<Answer<pb::UpdateCommentResponse>> {
    let ((issue, id), ctx) = (ids(&request.issue_id, &request.comment_id)?, at_version(ctx, &request.etag));
    let comment = api.app.comments.update(&ctx, issue, id, request.body).await?;
    Ok(Answer::of(encode(comment), |comment| pb::UpdateCommentResponse { comment }))
}

pub(crate) async fn delete(
    api: Api,
    ctx: Ctx,
    request: pb::DeleteCommentRequest,
) -> Result<Answer<pb::DeleteCommentResponse>> {
    let ((issue, id), ctx) = (ids(&request.issue_id, &request.comment_id)?, at_version(ctx, &request.etag));
    let comment = api.app.comments.delete(&ctx, issue, id).await?;
    Ok(Answer::of(encode(comment), |comment| pb::DeleteCommentResponse { comment }))
}
