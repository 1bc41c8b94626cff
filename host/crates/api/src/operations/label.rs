//! Labels of issues.

use tessera_core::id::IssueId;
use tessera_core::{Ctx, Result};
use tessera_proto::issues::v1 as pb;

use crate::convert::issue::issue as encode;
use crate::operations::{Answer, Api};

pub(crate) async fn add(
    api: Api,
    ctx: Ctx,
    request: pb::AddLabelRequest,
) -> Result<Answer<pb::AddLabelResponse>> {
    let id = IssueId::parse("issue_id", &request.issue_id)?;
    let issue = api.app.issues.add_label(&ctx, id, request.label).await?;
    Ok(Answer::of(encode(issue), |issue| pb::AddLabelResponse { issue }))
}

pub(crate) async fn remove(
    api: Api,
    ctx: Ctx,
    request: pb::RemoveLabelRequest,
) -> Result<Answer<pb::RemoveLabelResponse>> {
    let id = IssueId::parse("issue_id", &request.issue_id)?;
    let issue = api.app.issues.remove_label(&ctx, id, request.label).await?;
    Ok(Answer::of(encode(issue), |issue| pb::RemoveLabelResponse { issue }))
}
