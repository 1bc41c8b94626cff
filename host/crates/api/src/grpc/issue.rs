//! Issues.

use tessera_core::access::Operation;
use tessera_core::id::IssueId;
use tessera_core::tracker::issue::{MAX_PAGE, SPEC};
use tessera_core::tracker::issues::MAX_HISTORY_PAGE;
use tessera_core::{Ctx, Result};
use tessera_proto::issues::v1 as pb;

use crate::grpc::call::{Grpc, Listing, at, plain_page};
use crate::grpc::convert::issue::{details, issue as shown, verdict};
use crate::grpc::convert::issue_write::{bulk, change, create as command};
use crate::grpc::convert::user_or_nobody;
use crate::grpc::fact;

fn id(text: &str) -> Result<IssueId> {
    IssueId::parse("issue_id", text)
}

pub(super) async fn create(
    grpc: &Grpc,
    ctx: Ctx,
    ask: pb::CreateIssueRequest,
) -> Result<pb::CreateIssueResponse> {
    let issue = grpc.app.issues.create(&ctx, command(&ctx, ask)?).await?;
    Ok(pb::CreateIssueResponse { message: "the issue was created".to_owned(), issue: Some(shown(issue)) })
}

pub(super) async fn get(grpc: &Grpc, ctx: Ctx, ask: pb::GetIssueRequest) -> Result<pb::GetIssueResponse> {
    let id = id(&ask.issue_id)?;
    if ask.include_details {
        return Ok(details(grpc.app.issues.details(&ctx, id).await?));
    }
    let issue = grpc.app.issues.get(&ctx, id).await?;
    Ok(pb::GetIssueResponse { issue: Some(shown(issue)), project_info: None, user_info: None })
}

pub(super) async fn update(
    grpc: &Grpc,
    ctx: Ctx,
    ask: pb::UpdateIssueRequest,
) -> Result<pb::UpdateIssueResponse> {
    let (id, ctx) = (id(&ask.issue_id)?, at(ctx, &ask.etag));
    let command = change(&ctx, ask)?;
    let issue = grpc.app.issues.update(&ctx, id, command).await?;
    Ok(pb::UpdateIssueResponse { message: "the issue was updated".to_owned(), issue: Some(shown(issue)) })
}

pub(super) async fn delete(
    grpc: &Grpc,
    ctx: Ctx,
    ask: pb::DeleteIssueRequest,
) -> Result<pb::DeleteIssueResponse> {
    let (id, ctx) = (id(&ask.issue_id)?, at(ctx, &ask.etag));
    let issue = grpc.app.issues.delete(&ctx, id).await?;
    Ok(pb::DeleteIssueResponse { message: "the issue was deleted".to_owned(), issue: Some(shown(issue)) })
}

pub(super) async fn list(
    grpc: &Grpc,
    ctx: Ctx,
    ask: pb::ListIssuesRequest,
) -> Result<pb::ListIssuesResponse> {
    let listing =
        Listing { size: ask.page_size, token: &ask.page_token, filter: &ask.filter, order_by: &ask.order_by };
    let asked = listing.of(&SPEC, MAX_PAGE, Operation::IssueList);
    let page = grpc.app.issues.list(&ctx, &grpc.page(&ctx, &asked)?).await?;
    let next_page_token = grpc.next_token(&ctx, &asked.query, page.next.as_ref());
    Ok(pb::ListIssuesResponse { issues: page.items.into_iter().map(shown).collect(), next_page_token })
}

pub(super) async fn assign(
    grpc: &Grpc,
    ctx: Ctx,
    ask: pb::AssignIssueRequest,
) -> Result<pb::AssignIssueResponse> {
    let (id, ctx) = (id(&ask.issue_id)?, at(ctx, &ask.etag));
    let assignee = user_or_nobody(&ctx, "assignee_id", &ask.assignee_id)?;
    let issue = grpc.app.issues.assign(&ctx, id, assignee).await?;
    Ok(pb::AssignIssueResponse { issue: Some(shown(issue)) })
}

pub(super) async fn bulk_update(
    grpc: &Grpc,
    ctx: Ctx,
    ask: pb::BulkUpdateIssuesRequest,
) -> Result<pb::BulkUpdateIssuesResponse> {
    let verdicts = grpc.app.issues.bulk_update(&ctx, bulk(&ctx, ask)?).await?;
    Ok(pb::BulkUpdateIssuesResponse { verdicts: verdicts.into_iter().map(verdict).collect() })
}

pub(super) async fn history(
    grpc: &Grpc,
    ctx: Ctx,
    ask: pb::ListHistoryRequest,
) -> Result<pb::ListHistoryResponse> {
    let id = id(&ask.issue_id)?;
    let scope = id.to_string();
    let scope = [scope.as_str()];
    let place = (ask.page_size, ask.page_token.as_str());
    let asked = plain_page(place, MAX_HISTORY_PAGE, Operation::IssueHistory, &scope);
    let page = grpc.app.issues.history(&ctx, id, &grpc.page(&ctx, &asked)?).await?;
    let next_page_token = grpc.next_token(&ctx, &asked.query, page.next.as_ref());
    let facts = page.items.iter().map(|item| fact::shown(grpc, &ctx, item)).collect();
    Ok(pb::ListHistoryResponse { facts, next_page_token })
}
