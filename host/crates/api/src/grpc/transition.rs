//! Moves of issues along their machine.

use tessera_core::id::IssueId;
use tessera_core::{Ctx, Result};
use tessera_proto::issues::v1 as pb;

use crate::grpc::call::{Grpc, at};
use crate::grpc::convert::issue::{issue as shown, transition};
use crate::grpc::convert::issue_write;

pub(super) async fn list(
    grpc: &Grpc,
    ctx: Ctx,
    ask: pb::ListTransitionsRequest,
) -> Result<pb::ListTransitionsResponse> {
    let id = IssueId::parse("issue_id", &ask.issue_id)?;
    let moves = grpc.app.issues.transitions(&ctx, id).await?;
    Ok(pb::ListTransitionsResponse { transitions: moves.into_iter().map(transition).collect() })
}

pub(super) async fn make(
    grpc: &Grpc,
    ctx: Ctx,
    ask: pb::TransitionIssueRequest,
) -> Result<pb::TransitionIssueResponse> {
    let (id, ctx) = (IssueId::parse("issue_id", &ask.issue_id)?, at(ctx, &ask.etag));
    let command = issue_write::transition(ask.target, ask.resolution);
    let issue = grpc.app.issues.transition(&ctx, id, command).await?;
    Ok(pb::TransitionIssueResponse { issue: Some(shown(issue)) })
}
