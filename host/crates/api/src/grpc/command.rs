//! Commands that plugins offer for issues.

use tessera_core::id::IssueId;
use tessera_core::{Ctx, Result};
use tessera_proto::issues::v1 as pb;

use crate::grpc::call::{Grpc, at};
use crate::grpc::convert::installation::offered;
use crate::grpc::convert::issue::issue as shown;
use crate::rest::dto::command;
use crate::rest::plugin_json::object;

pub(super) async fn list(
    grpc: &Grpc,
    ctx: Ctx,
    ask: pb::ListIssueCommandsRequest,
) -> Result<pb::ListIssueCommandsResponse> {
    let id = IssueId::parse("issue_id", &ask.issue_id)?;
    let commands = grpc.app.issues.commands(&ctx, id).await?;
    Ok(pb::ListIssueCommandsResponse { commands: commands.into_iter().map(offered).collect() })
}

pub(super) async fn call(
    grpc: &Grpc,
    ctx: Ctx,
    ask: pb::CallIssueCommandRequest,
) -> Result<pb::CallIssueCommandResponse> {
    let (id, ctx) = (IssueId::parse("issue_id", &ask.issue_id)?, at(ctx, &ask.etag));
    let input = object("input_json", &ask.input_json)?.unwrap_or_default();
    let call = command::call(ask.name, &ask.installation_id, input)?;
    let issue = grpc.app.issues.command(&ctx, id, call).await?;
    Ok(pb::CallIssueCommandResponse { issue: Some(shown(issue)) })
}
