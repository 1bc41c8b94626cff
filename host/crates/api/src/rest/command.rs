//! Commands that plugins offer for issues.

use axum::extract::State;
use tessera_core::Ctx;
use tessera_core::id::IssueId;
use utoipa_axum::routes;

use crate::rest::Rest;
use crate::rest::dto::command::{CallCommandBody, CommandsAnswer};
use crate::rest::dto::issue::IssueAnswer;
use crate::rest::extract::{Id, Sent};
use crate::rest::issue::{ALIAS, shown};
use crate::rest::reply::{Answer, Reply};
use crate::rest::routes::Routes;

pub(super) fn routes(routes: Routes) -> Routes {
    routes.with_alias(ALIAS, routes!(list)).with_alias(ALIAS, routes!(call))
}

/// Lists the commands that plugins offer for an issue in its state.
#[utoipa::path(get, path = "/v1/issues/{issue_id}/commands", operation_id = "issue.command_list", tag = "issues",
    responses((status = 200, description = "The commands", body = CommandsAnswer)))]
async fn list(ctx: Ctx, State(rest): State<Rest>, Id(id): Id<IssueId>) -> Answer<CommandsAnswer> {
    let commands = rest.app.issues.commands(&ctx, id).await?;
    Ok(Reply::ok(CommandsAnswer { commands: commands.into_iter().map(Into::into).collect() }))
}

/// Calls a command that a plugin offers for an issue.
#[utoipa::path(post, path = "/v1/issues/{issue_id}:command", operation_id = "issue.command", tag = "issues",
    request_body = CallCommandBody, responses((status = 200, description = "The issue", body = IssueAnswer)))]
async fn call(
    ctx: Ctx,
    State(rest): State<Rest>,
    Id(id): Id<IssueId>,
    Sent(body): Sent<CallCommandBody>,
) -> Answer<IssueAnswer> {
    Ok(shown(rest.app.issues.command(&ctx, id, body.command()?).await?))
}
