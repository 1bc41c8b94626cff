//! Issues.

use tessera_core::access::Operation;
use tessera_core::id::{IssueId, ProjectId};
use tessera_core::tracker::issue::{MAX_PAGE, SPEC};
use tessera_core::tracker::issues::MAX_HISTORY_PAGE;
use tessera_core::{Ctx, Result};
use tessera_proto::issues::v1 as pb;

use crate::convert::issue::{details, issue as encode, verdict};
use crate::convert::issue_write::{bulk, change, create as command};
use crate::convert::{user, user_or_nobody};
use crate::operations::fact;
use crate::operations::{Answer, Api, at_version, listing, plain_page};

fn id(text: &str) -> Result<IssueId> {
    IssueId::parse("issue_id", text)
}

pub(crate) async fn create(
    api: Api,
    ctx: Ctx,
    request: pb::CreateIssueRequest,
) -> Result<Answer<pb::CreateIssueResponse>> {
    let issue = api.app.issues.create(&ctx, command(&ctx, request)?).await?;
    Ok(Answer::of(encode(issue), |issue| pb::CreateIssueResponse {
        message: "the issue was created".to_owned(),
        issue,
    }))
}

pub(crate) async fn get(
    api: Api,
    ctx: Ctx,
    request: pb::GetIssueRequest,
) -> Result<Answer<pb::GetIssueResponse>> {
    let id = id(&request.issue_id)?;
    if request.include_details {
        // The issue's tag does not change with the project or the user, so the answer has none.
        return Ok(Answer::new(details(api.app.issues.details(&ctx, id).await?)));
    }
    let issue = api.app.issues.get(&ctx, id).await?;
    Ok(Answer::of(encode(issue), |issue| pb::GetIssueResponse { issue, project_info: None, user_info: None }))
}

pub(crate) async fn update(
    api: Api,
    ctx: Ctx,
    request: pb::UpdateIssueRequest,
) -> Result<Answer<pb::UpdateIssueResponse>> {
    let (id, ctx) = (id(&request.issue_id)?, at_version(ctx, &request.etag));
    let command = change(&ctx, request)?;
    let issue = api.app.issues.update(&ctx, id, command).await?;
    Ok(Answer::of(encode(issue), |issue| pb::UpdateIssueResponse {
        message: "the issue was updated".to_owned(),
        issue,
    }))
}

pub(crate) async fn delete(
    api: Api,
    ctx: Ctx,
    request: pb::DeleteIssueRequest,
) -> Result<Answer<pb::DeleteIssueResponse>> {
    let (id, ctx) = (id(&request.issue_id)?, at_version(ctx, &request.etag));
    let issue = api.app.issues.delete(&ctx, id).await?;
    Ok(Answer::of(encode(issue), |issue| pb::DeleteIssueResponse {
        message: "the issue was deleted".to_owned(),
        issue,
    }))
}

pub(crate) async fn list(
    api: Api,
    ctx: Ctx,
    request: pb::ListIssuesRequest,
) -> Result<Answer<pb::ListIssuesResponse>> {
    let filter = combined_filter(&ctx, &request)?;
    let page_args = listing!(request, &filter, &request.order_by).of(&SPEC, MAX_PAGE, Operation::IssueList);
    let page = api.app.issues.list(&ctx, &api.page(&ctx, &page_args)?).await?;
    let (issues, next_page_token) = api.encode_page(&ctx, &page_args, page, encode);
    Ok(Answer::new(pb::ListIssuesResponse { issues, next_page_token }))
}

/// Combines the filter of a list with the filter fields of the request.
fn combined_filter(ctx: &Ctx, request: &pb::ListIssuesRequest) -> Result<String> {
    let mut filter = request.filter.clone();
    if !request.project_id.is_empty() {
        filter += &format!(" project:{}", ProjectId::parse("project_id", &request.project_id)?);
    }
    match request.assignee_id.as_str() {
        "" => {}
        "none" => filter += " assignee:none",
        id => filter += &format!(" assignee:{}", user(ctx, "assignee_id", id)?),
    }
    if !request.status.is_empty() {
        let quoted = request.status.replace('\\', "\\\\").replace('"', "\\\"");
        filter += &format!(" status:\"{quoted}\"");
    }
    Ok(filter)
}

pub(crate) async fn assign(
    api: Api,
    ctx: Ctx,
    request: pb::AssignIssueRequest,
) -> Result<Answer<pb::AssignIssueResponse>> {
    let (id, ctx) = (id(&request.issue_id)?, at_version(ctx, &request.etag));
    let assignee = user_or_nobody(&ctx, "assignee_id", &request.assignee_id)?;
    let issue = api.app.issues.assign(&ctx, id, assignee).await?;
    Ok(Answer::of(encode(issue), |issue| pb::AssignIssueResponse { issue }))
}

pub(crate) async fn bulk_update(
    api: Api,
    ctx: Ctx,
    request: pb::BulkUpdateIssuesRequest,
) -> Result<Answer<pb::BulkUpdateIssuesResponse>> {
    let verdicts = api.app.issues.bulk_update(&ctx, bulk(&ctx, request)?).await?;
    Ok(Answer::new(pb::BulkUpdateIssuesResponse { verdicts: verdicts.into_iter().map(verdict).collect() }))
}

pub(crate) async fn history(
    api: Api,
    ctx: Ctx,
    request: pb::ListHistoryRequest,
) -> Result<Answer<pb::ListHistoryResponse>> {
    let id = id(&request.issue_id)?;
    let scope = id.to_string();
    let scope = [scope.as_str()];
    let position = (request.page_size, request.page_token.as_str());
    let page_args = plain_page(position, MAX_HISTORY_PAGE, Operation::IssueHistory, &scope);
    let page = api.app.issues.history(&ctx, id, &api.page(&ctx, &page_args)?).await?;
    let (facts, next_page_token) =
        api.encode_page(&ctx, &page_args, page, |item| fact::encode(&api, &ctx, &item));
    Ok(Answer::new(pb::ListHistoryResponse { facts, next_page_token }))
}
