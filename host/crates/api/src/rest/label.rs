//! Labels on issues.

use axum::extract::State;
use tessera_core::Ctx;
use tessera_core::id::IssueId;
use utoipa_axum::routes;

use crate::rest::Rest;
use crate::rest::dto::hanging::LabelBody;
use crate::rest::dto::issue::IssueAnswer;
use crate::rest::extract::{Id, LabelName, Sent};
use crate::rest::issue::{ALIAS, shown};
use crate::rest::reply::Answer;
use crate::rest::routes::Routes;

pub(super) fn routes(routes: Routes) -> Routes {
    routes.with_alias(ALIAS, routes!(add)).with_alias(ALIAS, routes!(remove))
}

/// Puts a label on an issue.
#[utoipa::path(post, path = "/v1/issues/{issue_id}/labels", operation_id = "label.add", tag = "labels",
    request_body = LabelBody, responses((status = 200, description = "The issue", body = IssueAnswer)))]
async fn add(
    ctx: Ctx,
    State(rest): State<Rest>,
    Id(issue): Id<IssueId>,
    Sent(body): Sent<LabelBody>,
) -> Answer<IssueAnswer> {
    Ok(shown(rest.app.issues.add_label(&ctx, issue, body.label).await?))
}

/// Takes a label off an issue.
#[utoipa::path(delete, path = "/v1/issues/{issue_id}/labels/{label}", operation_id = "label.remove", tag = "labels",
    responses((status = 200, description = "The issue", body = IssueAnswer)))]
async fn remove(
    ctx: Ctx,
    State(rest): State<Rest>,
    Id(issue): Id<IssueId>,
    Id(LabelName(label)): Id<LabelName>,
) -> Answer<IssueAnswer> {
    Ok(shown(rest.app.issues.remove_label(&ctx, issue, label).await?))
}
