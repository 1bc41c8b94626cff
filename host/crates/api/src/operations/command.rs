//! Commands that plugins offer for issues.

use serde_json::{Map, Value as Json};
use tessera_core::id::{InstallationId, IssueId};
use tessera_core::tracker::CallCommand;
use tessera_core::{Ctx, Result};
use tessera_proto::issues::v1 as pb;

use crate::convert::installation::offered_command;
use crate::convert::issue::issue as encode;
use crate::operations::{Answer, Api, at_version};
use crate::plugin_json::{decode_input, parse_object};

pub(crate) async fn list(
    api: Api,
    ctx: Ctx,
    request: pb::ListIssueCommandsRequest,
) -> Result<Answer<pb::ListIssueCommandsResponse>> {
    let id = IssueId::parse("issue_id", &request.issue_id)?;
    let commands = api.app.issues.commands(&ctx, id).await?;
    Ok(Answer::new(pb::ListIssueCommandsResponse {
        commands: commands.into_iter().map(offered_command).collect(),
    }))
}

pub(crate) async fn call(
    api: Api,
    ctx: Ctx,
    request: pb::CallIssueCommandRequest,
) -> Result<Answer<pb::CallIssueCommandResponse>> {
    let (id, ctx) = (IssueId::parse("issue_id", &request.issue_id)?, at_version(ctx, &request.etag));
    let input = parse_object("input_json", &request.input_json)?.unwrap_or_default();
    let call = read_call(request.name, &request.installation_id, input)?;
    let issue = api.app.issues.command(&ctx, id, call).await?;
    Ok(Answer::of(encode(issue), |issue| pb::CallIssueCommandResponse { issue }))
}

/// Reads the call of a command.
fn read_call(name: String, installation: &str, input: Map<String, Json>) -> Result<CallCommand> {
    let installation = Some(installation).filter(|id| !id.is_empty());
    Ok(CallCommand {
        installation: installation.map(|id| InstallationId::parse("installation_id", id)).transpose()?,
        name,
        input: decode_input(&input),
        input_json: Json::Object(input).to_string(),
    })
}
