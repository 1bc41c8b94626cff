//! Projects.

use tessera_core::access::Operation;
use tessera_core::id::{IssueId, ProjectId};
use tessera_core::tracker::project::{MAX_PAGE, SPEC};
use tessera_core::{Ctx, Result};
use tessera_proto::project::v1 as pb;

use crate::convert::project::{change, create as command, project as encode};
use crate::convert::to_i32;
use crate::operations::{Answer, Api, at_version, listing};

pub(crate) async fn create(
    api: Api,
    ctx: Ctx,
    request: pb::CreateProjectRequest,
) -> Result<Answer<pb::CreateProjectResponse>> {
    let project = api.app.projects.create(&ctx, command(request)).await?;
    Ok(Answer::of(encode(project), |project| pb::CreateProjectResponse { project }))
}

pub(crate) async fn get(
    api: Api,
    ctx: Ctx,
    request: pb::GetProjectRequest,
) -> Result<Answer<pb::GetProjectResponse>> {
    let id = ProjectId::parse("project_id", &request.project_id)?;
    let project = api.app.projects.get(&ctx, id).await?;
    Ok(Answer::of(encode(project), |project| pb::GetProjectResponse { project }))
}

pub(crate) async fn update(
    api: Api,
    ctx: Ctx,
    request: pb::UpdateProjectRequest,
) -> Result<Answer<pb::UpdateProjectResponse>> {
    let (id, ctx) = (ProjectId::parse("project_id", &request.project_id)?, at_version(ctx, &request.etag));
    let project = api.app.projects.update(&ctx, id, change(request)?).await?;
    Ok(Answer::of(encode(project), |project| pb::UpdateProjectResponse { project }))
}

/// Returns `google.protobuf.Empty`.
pub(crate) async fn delete(api: Api, ctx: Ctx, request: pb::DeleteProjectRequest) -> Result<Answer<()>> {
    let (id, ctx) = (ProjectId::parse("project_id", &request.project_id)?, at_version(ctx, &request.etag));
    api.app.projects.delete(&ctx, id, request.delete_issues).await.map(Answer::new)
}

pub(crate) async fn list(
    api: Api,
    ctx: Ctx,
    request: pb::ListProjectsRequest,
) -> Result<Answer<pb::ListProjectsResponse>> {
    let page_args = listing!(request).of(&SPEC, MAX_PAGE, Operation::ProjectList);
    let page = api.app.projects.list(&ctx, &api.page(&ctx, &page_args)?).await?;
    let (projects, next_page_token) = api.encode_page(&ctx, &page_args, page, encode);
    Ok(Answer::new(pb::ListProjectsResponse { projects, next_page_token }))
}

pub(crate) async fn add_issue(
    api: Api,
    ctx: Ctx,
    request: pb::UpdateProjectWithIssueRequest,
) -> Result<Answer<pb::UpdateProjectWithIssueResponse>> {
    let id = ProjectId::parse("project_id", &request.project_id)?;
    let issue = IssueId::parse("issue_id", &request.issue_id)?;
    api.app.issues.move_to(&ctx, issue, id).await?;
    let project = api.app.projects.get(&ctx, id).await?;
    Ok(Answer::new(pb::UpdateProjectWithIssueResponse {
        project_id: id.to_string(),
        issue_count: to_i32(project.issue_count),
        message: format!("the issue {issue} is in the project"),
    }))
}
