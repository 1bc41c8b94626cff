//! Transitions of issues.

use tessera_core::id::IssueId;
use tessera_core::{Ctx, Result};
use tessera_proto::issues::v1 as pb;

use crate::convert::issue::{issue as encode, transition};
use crate::convert::issue_write;
use crate::operations::{Answer, Api, at_version};

pub(crate) async fn list(
    api: Api,
    ctx: Ctx,
    request: pb::ListTransitionsRequest,
) -> Result<Answer<pb::ListTransitionsResponse>> {
    let id = IssueId::parse("issue_id", &request.issue_id)?;
    let transitions = api.app.issues.transitions(&ctx, id).await?;
    Ok(Answer::new(pb::ListTransitionsResponse {
        transitions: transitions.into_iter().map(transition).collect(),
    }))
}

pub(crate) async fn make(
    api: Api,
    ctx: Ctx,
    request: pb::TransitionIssueRequest,
) -> Result<Answer<pb::TransitionIssueResponse>> {
    let (id, ctx) = (IssueId::parse("issue_id", &request.issue_id)?, at_version(ctx, &request.etag));
    let command = issue_write::transition(request);
    let issue = api.app.issues.transition(&ctx, id, command).await?;
    Ok(Answer::of(encode(issue), |issue| pb::TransitionIssueResponse { issue }))
}
