//! Labels of issues.

use tessera_core::id::IssueId;
use tessera_core::{Ctx, Result};
use tessera_proto::issues::v1 as pb;

use crate::grpc::call::Grpc;
use crate::grpc::convert::issue::issue as shown;

pub(super) async fn add(grpc: &Grpc, ctx: Ctx, ask: pb::AddLabelRequest) -> Result<pb::AddLabelResponse> {
    let id = IssueId::parse("issue_id", &ask.issue_id)?;
    let issue = grpc.app.issues.add_label(&ctx, id, ask.label).await?;
    Ok(pb::AddLabelResponse { issue: Some(shown(issue)) })
}

pub(super) async fn remove(
    grpc: &Grpc,
    ctx: Ctx,
    ask: pb::RemoveLabelRequest,
) -> Result<pb::RemoveLabelResponse> {
    let id = IssueId::parse("issue_id", &ask.issue_id)?;
    let issue = grpc.app.issues.remove_label(&ctx, id, ask.label).await?;
    Ok(pb::RemoveLabelResponse { issue: Some(shown(issue)) })
}
