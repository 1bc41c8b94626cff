//! Projects.

use tessera_core::access::Operation;
use tessera_core::id::{IssueId, ProjectId};
use tessera_core::tracker::project::{MAX_PAGE, SPEC};
use tessera_core::{Ctx, Result};
use tessera_proto::project::v1 as pb;

use crate::grpc::call::{Grpc, Listing, at};
use crate::grpc::convert::count;
use crate::grpc::convert::project::{change, create as command, project as shown};

pub(super) async fn create(
    grpc: &Grpc,
    ctx: Ctx,
    ask: pb::CreateProjectRequest,
) -> Result<pb::CreateProjectResponse> {
    let project = grpc.app.projects.create(&ctx, command(ask)).await?;
    Ok(pb::CreateProjectResponse { project: Some(shown(project)) })
}

pub(super) async fn get(grpc: &Grpc, ctx: Ctx, ask: pb::GetProjectRequest) -> Result<pb::GetProjectResponse> {
    let id = ProjectId::parse("project_id", &ask.project_id)?;
    let project = grpc.app.projects.get(&ctx, id).await?;
    Ok(pb::GetProjectResponse { project: Some(shown(project)) })
}

pub(super) async fn update(
    grpc: &Grpc,
    ctx: Ctx,
    ask: pb::UpdateProjectRequest,
) -> Result<pb::UpdateProjectResponse> {
    let (id, ctx) = (ProjectId::parse("project_id", &ask.project_id)?, at(ctx, &ask.etag));
    let project = grpc.app.projects.update(&ctx, id, change(ask)?).await?;
    Ok(pb::UpdateProjectResponse { project: Some(shown(project)) })
}

/// Answers an Empty.
pub(super) async fn delete(grpc: &Grpc, ctx: Ctx, ask: pb::DeleteProjectRequest) -> Result<()> {
    let (id, ctx) = (ProjectId::parse("project_id", &ask.project_id)?, at(ctx, &ask.etag));
    grpc.app.projects.delete(&ctx, id, ask.delete_issues).await
}

pub(super) async fn list(
    grpc: &Grpc,
    ctx: Ctx,
    ask: pb::ListProjectsRequest,
) -> Result<pb::ListProjectsResponse> {
    let listing =
        Listing { size: ask.page_size, token: &ask.page_token, filter: &ask.filter, order_by: &ask.order_by };
    let asked = listing.of(&SPEC, MAX_PAGE, Operation::ProjectList);
    let page = grpc.app.projects.list(&ctx, &grpc.page(&ctx, &asked)?).await?;
    let next_page_token = grpc.next_token(&ctx, &asked.query, page.next.as_ref());
    Ok(pb::ListProjectsResponse { projects: page.items.into_iter().map(shown).collect(), next_page_token })
}

pub(super) async fn add_issue(
    grpc: &Grpc,
    ctx: Ctx,
    ask: pb::UpdateProjectWithIssueRequest,
) -> Result<pb::UpdateProjectWithIssueResponse> {
    let id = ProjectId::parse("project_id", &ask.project_id)?;
    let issue = IssueId::parse("issue_id", &ask.issue_id)?;
    grpc.app.issues.move_to(&ctx, issue, id).await?;
    let project = grpc.app.projects.get(&ctx, id).await?;
    Ok(pb::UpdateProjectWithIssueResponse {
        project_id: id.to_string(),
        issue_count: count(project.issue_count),
        message: format!("the issue {issue} is in the project"),
    })
}
