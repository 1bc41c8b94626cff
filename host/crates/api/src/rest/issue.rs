//! Issues.

use axum::extract::State;
use serde::Deserialize;
use tessera_core::access::Operation;
use tessera_core::id::{IssueId, ProjectId};
use tessera_core::tracker::Issue;
use tessera_core::tracker::issue::{MAX_PAGE, SPEC};
use tessera_core::{Ctx, Result};
use utoipa::IntoParams;
use utoipa_axum::routes;

use crate::request::etag;
use crate::rest::dto::issue::{BulkAnswer, IssueAnswer, IssueChanged, IssuesPage};
use crate::rest::dto::issue_write::{
    AssignIssueBody, BulkIssuesBody, CreateIssueBody, IssuePatch, ReplaceIssueBody, user_named,
    user_or_nobody,
};
use crate::rest::extract::{Ask, Id, Sent};
use crate::rest::reply::{Answer, Reply};
use crate::rest::routes::Routes;
use crate::rest::{ListQuery, Rest};

/// Where the seed's clients look for issues.
pub(super) const ALIAS: &str = "/api/v1";

pub(super) fn routes(routes: Routes) -> Routes {
    routes
        .with_alias(ALIAS, routes!(create, list))
        .with_alias(ALIAS, routes!(bulk_update))
        .with_alias(ALIAS, routes!(get, replace, update, delete))
        .with_alias(ALIAS, routes!(assign))
}

/// Which issues are asked for.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields, default)]
struct IssuesQuery {
    /// How many rows; 0 or absent: 50; at most 1,000.
    #[param(minimum = 0)]
    page_size: i64,
    /// The `next_page_token` of the page before.
    page_token: String,
    /// Which rows: `status:RESOLVED assignee:me label:ui created>2026-01-01 -type:BUG`.
    filter: String,
    /// `created`, `modified` or `summary`, then `asc` (the default) or `desc`; absent: newest first.
    order_by: String,
    /// Only issues of this project; as well as what the filter says.
    project_id: String,
    /// Only issues of this user, `me` or `none`; as well as what the filter says.
    assignee_id: String,
    /// Only issues in this state; as well as what the filter says.
    status: String,
}

/// How an issue is shown.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields, default)]
struct GetQuery {
    /// Whether its project and assignee are shown as well.
    include_details: bool,
}

impl IssuesQuery {
    /// The list that is asked for, with one filter that says all.
    fn list(self, ctx: &Ctx) -> Result<ListQuery> {
        let mut filter = self.filter;
        if !self.project_id.is_empty() {
            filter += &format!(" project:{}", ProjectId::parse("project_id", &self.project_id)?);
        }
        match self.assignee_id.as_str() {
            "" => {}
            "none" => filter += " assignee:none",
            user => filter += &format!(" assignee:{}", user_named(ctx, "assignee_id", user)?),
        }
        if !self.status.is_empty() {
            let quoted = self.status.replace('\\', "\\\\").replace('"', "\\\"");
            filter += &format!(" status:\"{quoted}\"");
        }
        Ok(ListQuery {
            page_size: self.page_size,
            page_token: self.page_token,
            filter,
            order_by: self.order_by,
        })
    }
}

pub(super) fn changed(message: &str, issue: Issue) -> Reply<IssueChanged> {
    let tag = etag(issue.version);
    Reply::ok(IssueChanged { message: message.to_owned(), issue: issue.into() }).tagged(&tag)
}

pub(super) fn shown(issue: Issue) -> Reply<IssueAnswer> {
    let tag = etag(issue.version);
    Reply::ok(issue.into()).tagged(&tag)
}

/// Makes an issue.
#[utoipa::path(post, path = "/v1/issues", operation_id = "issue.create", tag = "issues",
    request_body = CreateIssueBody, responses((status = 201, description = "The issue", body = IssueChanged)))]
async fn create(
    ctx: Ctx,
    State(rest): State<Rest>,
    Sent(body): Sent<CreateIssueBody>,
) -> Answer<IssueChanged> {
    let issue = rest.app.issues.create(&ctx, body.command(&ctx)?).await?;
    let (tag, location) = (etag(issue.version), format!("/v1/issues/{}", issue.id));
    let body = IssueChanged { message: "the issue was created".to_owned(), issue: issue.into() };
    Ok(Reply::created(location, body).tagged(&tag))
}

/// Lists issues.
///
/// Filters: `status`, `type`, `priority`, `resolution`, `project`, `assignee`, `reporter`, `watcher`,
/// `parent`, `label`, `kind`, `created`, `modified`, `field.<name>`.
#[utoipa::path(get, path = "/v1/issues", operation_id = "issue.list", tag = "issues",
    params(IssuesQuery), responses((status = 200, description = "A page of issues", body = IssuesPage)))]
async fn list(ctx: Ctx, State(rest): State<Rest>, Ask(ask): Ask<IssuesQuery>) -> Answer<IssuesPage> {
    let ask = ask.list(&ctx)?;
    let asked = ask.page(&SPEC, MAX_PAGE, Operation::IssueList);
    let page = rest.app.issues.list(&ctx, &rest.page(&ctx, &asked)?).await?;
    let next_page_token = rest.next_token(&ctx, &asked.query, page.next.as_ref());
    Ok(Reply::ok(IssuesPage { issues: page.items.into_iter().map(Into::into).collect(), next_page_token }))
}

/// Shows an issue.
#[utoipa::path(get, path = "/v1/issues/{issue_id}", operation_id = "issue.get", tag = "issues",
    params(GetQuery), responses((status = 200, description = "The issue", body = IssueAnswer)))]
async fn get(
    ctx: Ctx,
    State(rest): State<Rest>,
    Id(id): Id<IssueId>,
    Ask(ask): Ask<GetQuery>,
) -> Answer<IssueAnswer> {
    if ask.include_details {
        // Its tag would not tell that the project or the user has changed, so it has none.
        return Ok(Reply::ok(rest.app.issues.details(&ctx, id).await?.into()));
    }
    Ok(shown(rest.app.issues.get(&ctx, id).await?))
}

/// Replaces an issue. Labels, links and fields that are not named stay.
#[utoipa::path(put, path = "/v1/issues/{issue_id}", operation_id = "issue.replace", tag = "issues",
    request_body = ReplaceIssueBody, responses((status = 200, description = "The issue", body = IssueChanged)))]
async fn replace(
    ctx: Ctx,
    State(rest): State<Rest>,
    Id(id): Id<IssueId>,
    Sent(body): Sent<ReplaceIssueBody>,
) -> Answer<IssueChanged> {
    let command = body.command(&ctx)?;
    Ok(changed("the issue was updated", rest.app.issues.update(&ctx, id, command).await?))
}

/// Changes an issue.
#[utoipa::path(patch, path = "/v1/issues/{issue_id}", operation_id = "issue.update", tag = "issues",
    request_body = IssuePatch, responses((status = 200, description = "The issue", body = IssueChanged)))]
async fn update(
    ctx: Ctx,
    State(rest): State<Rest>,
    Id(id): Id<IssueId>,
    Sent(body): Sent<IssuePatch>,
) -> Answer<IssueChanged> {
    let command = body.command(&ctx)?;
    Ok(changed("the issue was updated", rest.app.issues.update(&ctx, id, command).await?))
}

/// Removes an issue with all that hangs on it; one that has children is not removed.
#[utoipa::path(delete, path = "/v1/issues/{issue_id}", operation_id = "issue.delete", tag = "issues",
    responses((status = 200, description = "The issue as it was", body = IssueChanged)))]
async fn delete(ctx: Ctx, State(rest): State<Rest>, Id(id): Id<IssueId>) -> Answer<IssueChanged> {
    let issue = rest.app.issues.delete(&ctx, id).await?;
    Ok(Reply::ok(IssueChanged { message: "the issue was deleted".to_owned(), issue: issue.into() }))
}

/// Gives an issue to somebody, or to nobody.
#[utoipa::path(post, path = "/v1/issues/{issue_id}:assign", operation_id = "issue.assign", tag = "issues",
    request_body = AssignIssueBody, responses((status = 200, description = "The issue", body = IssueAnswer)))]
async fn assign(
    ctx: Ctx,
    State(rest): State<Rest>,
    Id(id): Id<IssueId>,
    Sent(body): Sent<AssignIssueBody>,
) -> Answer<IssueAnswer> {
    let assignee = user_or_nobody(&ctx, "assignee_id", body.assignee_id.as_deref())?;
    Ok(shown(rest.app.issues.assign(&ctx, id, assignee).await?))
}

/// Changes several issues, each by itself and with its own verdict.
#[utoipa::path(post, path = "/v1/issues:bulkUpdate", operation_id = "issue.bulk_update", tag = "issues",
    request_body = BulkIssuesBody, responses((status = 200, description = "What became of each", body = BulkAnswer)))]
async fn bulk_update(
    ctx: Ctx,
    State(rest): State<Rest>,
    Sent(body): Sent<BulkIssuesBody>,
) -> Answer<BulkAnswer> {
    let verdicts = rest.app.issues.bulk_update(&ctx, body.command(&ctx)?).await?;
    Ok(Reply::ok(BulkAnswer { verdicts: verdicts.into_iter().map(Into::into).collect() }))
}
