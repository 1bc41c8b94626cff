//! Who watches an issue.

use tessera_core::id::{IssueId, UserId};
use tessera_core::{Ctx, Result};
use tessera_proto::issues::v1 as pb;

use crate::grpc::call::Grpc;
use crate::grpc::convert::user;

/// The user that a client named; empty: the caller.
fn user_or_me(ctx: &Ctx, text: &str) -> Result<UserId> {
    user(ctx, "user_id", if text.is_empty() { "me" } else { text })
}

pub(super) async fn add(grpc: &Grpc, ctx: Ctx, ask: pb::AddWatcherRequest) -> Result<pb::AddWatcherResponse> {
    let (issue, user) = (IssueId::parse("issue_id", &ask.issue_id)?, user_or_me(&ctx, &ask.user_id)?);
    grpc.app.comments.watch(&ctx, issue, user).await?;
    Ok(pb::AddWatcherResponse {})
}

pub(super) async fn remove(
    grpc: &Grpc,
    ctx: Ctx,
    ask: pb::RemoveWatcherRequest,
) -> Result<pb::RemoveWatcherResponse> {
    let (issue, user) = (IssueId::parse("issue_id", &ask.issue_id)?, user_or_me(&ctx, &ask.user_id)?);
    grpc.app.comments.unwatch(&ctx, issue, user).await?;
    Ok(pb::RemoveWatcherResponse {})
}

pub(super) async fn list(
    grpc: &Grpc,
    ctx: Ctx,
    ask: pb::ListWatchersRequest,
) -> Result<pb::ListWatchersResponse> {
    let issue = IssueId::parse("issue_id", &ask.issue_id)?;
    let users = grpc.app.comments.watchers(&ctx, issue).await?;
    Ok(pb::ListWatchersResponse { user_ids: users.iter().map(ToString::to_string).collect() })
}
