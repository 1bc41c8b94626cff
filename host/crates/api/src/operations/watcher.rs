//! Watchers of issues.

use tessera_core::id::{IssueId, UserId};
use tessera_core::{Ctx, Result};
use tessera_proto::issues::v1 as pb;

use crate::convert::user;
use crate::operations::{Answer, Api};

/// Reads a user; the caller if the text is empty.
fn user_or_me(ctx: &Ctx, text: &str) -> Result<UserId> {
    user(ctx, "user_id", if text.is_empty() { "me" } else { text })
}

pub(crate) async fn add(
    api: Api,
    ctx: Ctx,
    request: pb::AddWatcherRequest,
) -> Result<Answer<pb::AddWatcherResponse>> {
    let (issue, user) = (IssueId::parse("issue_id", &request.issue_id)?, user_or_me(&ctx, &request.user_id)?);
    api.app.comments.watch(&ctx, issue, user).await?;
    Ok(Answer::new(pb::AddWatcherResponse {}))
}

pub(crate) async fn remove(
    api: Api,
    ctx: Ctx,
    request: pb::RemoveWatcherRequest,
) -> Result<Answer<pb::RemoveWatcherResponse>> {
    let (issue, user) = (IssueId::parse("issue_id", &request.issue_id)?, user_or_me(&ctx, &request.user_id)?);
    api.app.comments.unwatch(&ctx, issue, user).await?;
    Ok(Answer::new(pb::RemoveWatcherResponse {}))
}

pub(crate) async fn list(
    api: Api,
    ctx: Ctx,
    request: pb::ListWatchersRequest,
) -> Result<Answer<pb::ListWatchersResponse>> {
    let issue = IssueId::parse("issue_id", &request.issue_id)?;
    let users = api.app.comments.watchers(&ctx, issue).await?;
    Ok(Answer::new(pb::ListWatchersResponse { user_ids: users.iter().map(ToString::to_string).collect() }))
}
