//! Moves along an issue's machine, and what happened to it so far.

use axum::extract::State;
use tessera_core::Ctx;
use tessera_core::access::Operation;
use tessera_core::id::IssueId;
use tessera_core::tracker::issues::MAX_HISTORY_PAGE;
use utoipa_axum::router::UtoipaMethodRouterExt as _;
use utoipa_axum::routes;

use crate::rest::dto::fact::FactsPage;
use crate::rest::dto::issue::{IssueAnswer, TransitionsAnswer};
use crate::rest::dto::issue_write::TransitionIssueBody;
use crate::rest::extract::{Ask, Id, Sent};
use crate::rest::fact::facts_page;
use crate::rest::issue::{ALIAS, shown};
use crate::rest::reply::{Answer, Reply};
use crate::rest::routes::Routes;
use crate::rest::{PageOnly, Rest};

pub(super) fn routes(routes: Routes) -> Routes {
    routes
        .with_alias(ALIAS, routes!(list).map(|methods| methods.post(transition)))
        .with_alias(ALIAS, routes!(transition))
        .with_alias(ALIAS, routes!(history))
}

/// Lists the moves that leave an issue's state, and what each still needs.
#[utoipa::path(get, path = "/v1/issues/{issue_id}/transitions", operation_id = "issue.transitions", tag = "issues",
    responses((status = 200, description = "The moves", body = TransitionsAnswer)))]
async fn list(ctx: Ctx, State(rest): State<Rest>, Id(id): Id<IssueId>) -> Answer<TransitionsAnswer> {
    let moves = rest.app.issues.transitions(&ctx, id).await?;
    Ok(Reply::ok(TransitionsAnswer { transitions: moves.into_iter().map(Into::into).collect() }))
}

/// Moves an issue along its machine.
#[utoipa::path(post, path = "/v1/issues/{issue_id}:transition", operation_id = "issue.transition", tag = "issues",
    request_body = TransitionIssueBody, responses((status = 200, description = "The issue", body = IssueAnswer)))]
async fn transition(
    ctx: Ctx,
    State(rest): State<Rest>,
    Id(id): Id<IssueId>,
    Sent(body): Sent<TransitionIssueBody>,
) -> Answer<IssueAnswer> {
    Ok(shown(rest.app.issues.transition(&ctx, id, body.into()).await?))
}

/// Lists what happened to an issue, newest first. At most 200 rows.
#[utoipa::path(get, path = "/v1/issues/{issue_id}/history", operation_id = "issue.history", tag = "issues",
    params(PageOnly), responses((status = 200, description = "A page of facts", body = FactsPage)))]
async fn history(
    ctx: Ctx,
    State(rest): State<Rest>,
    Id(id): Id<IssueId>,
    Ask(ask): Ask<PageOnly>,
) -> Answer<FactsPage> {
    let issue = id.to_string();
    let scope = [issue.as_str()];
    let asked = ask.page(MAX_HISTORY_PAGE, Operation::IssueHistory, &scope);
    let page = rest.app.issues.history(&ctx, id, &rest.page(&ctx, &asked)?).await?;
    let next = rest.next_token(&ctx, &asked.query, page.next.as_ref());
    Ok(Reply::ok(facts_page(&rest, &ctx, &page.items, next)))
}
