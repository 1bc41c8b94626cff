//! Projects.

use axum::extract::State;
use serde::Deserialize;
use tessera_core::Ctx;
use tessera_core::access::Operation;
use tessera_core::id::{IssueId, ProjectId};
use tessera_core::tracker::Project;
use tessera_core::tracker::project::{MAX_PAGE, SPEC};
use utoipa::IntoParams;
use utoipa_axum::routes;

use crate::rest::dto::Empty;
use crate::rest::dto::project::{
    ProjectAnswer, ProjectBody, ProjectCount, ProjectIssueBody, ProjectPatch, ProjectsPage, WriteProject,
};
use crate::rest::extract::{Ask, Id, Sent};
use crate::rest::reply::{Answer, Reply};
use crate::rest::routes::Routes;
use crate::rest::{ListQuery, Rest};

pub(super) fn routes(routes: Routes) -> Routes {
    routes.with(routes!(create, list)).with(routes!(get, replace, update, delete)).with(routes!(add_issue))
}

/// How a project is removed.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields, default)]
struct DeleteQuery {
    /// Whether its issues are removed with it; a project with issues is refused otherwise.
    delete_issues: bool,
}

fn shown(project: Project) -> Reply<ProjectAnswer> {
    let project = ProjectBody::from(project);
    let tag = project.etag.clone();
    Reply::ok(ProjectAnswer { project }).tagged(&tag)
}

/// Makes a project.
#[utoipa::path(post, path = "/v1/projects", operation_id = "project.create", tag = "projects",
    request_body = WriteProject, responses((status = 201, description = "The project", body = ProjectAnswer)))]
async fn create(ctx: Ctx, State(rest): State<Rest>, Sent(body): Sent<WriteProject>) -> Answer<ProjectAnswer> {
    let project = ProjectBody::from(rest.app.projects.create(&ctx, body.into()).await?);
    let (tag, location) = (project.etag.clone(), format!("/v1/projects/{}", project.project_id));
    Ok(Reply::created(location, ProjectAnswer { project }).tagged(&tag))
}

/// Lists projects.
///
/// Filters: `name`, `created`, `modified`; orders: `created`, `modified`, `name`. At most 1,000 rows.
#[utoipa::path(get, path = "/v1/projects", operation_id = "project.list", tag = "projects",
    params(ListQuery), responses((status = 200, description = "A page of projects", body = ProjectsPage)))]
async fn list(ctx: Ctx, State(rest): State<Rest>, Ask(ask): Ask<ListQuery>) -> Answer<ProjectsPage> {
    let asked = ask.page(&SPEC, MAX_PAGE, Operation::ProjectList);
    let page = rest.app.projects.list(&ctx, &rest.page(&ctx, &asked)?).await?;
    let next_page_token = rest.next_token(&ctx, &asked.query, page.next.as_ref());
    Ok(Reply::ok(ProjectsPage {
        projects: page.items.into_iter().map(Into::into).collect(),
        next_page_token,
    }))
}

/// Shows a project.
#[utoipa::path(get, path = "/v1/projects/{project_id}", operation_id = "project.get", tag = "projects",
    responses((status = 200, description = "The project", body = ProjectAnswer)))]
async fn get(ctx: Ctx, State(rest): State<Rest>, Id(id): Id<ProjectId>) -> Answer<ProjectAnswer> {
    Ok(shown(rest.app.projects.get(&ctx, id).await?))
}

/// Replaces a project's name and description.
#[utoipa::path(put, path = "/v1/projects/{project_id}", operation_id = "project.replace", tag = "projects",
    request_body = WriteProject, responses((status = 200, description = "The project", body = ProjectAnswer)))]
async fn replace(
    ctx: Ctx,
    State(rest): State<Rest>,
    Id(id): Id<ProjectId>,
    Sent(body): Sent<WriteProject>,
) -> Answer<ProjectAnswer> {
    Ok(shown(rest.app.projects.update(&ctx, id, body.into()).await?))
}

/// Changes a project.
#[utoipa::path(patch, path = "/v1/projects/{project_id}", operation_id = "project.update", tag = "projects",
    request_body = ProjectPatch, responses((status = 200, description = "The project", body = ProjectAnswer)))]
async fn update(
    ctx: Ctx,
    State(rest): State<Rest>,
    Id(id): Id<ProjectId>,
    Sent(body): Sent<ProjectPatch>,
) -> Answer<ProjectAnswer> {
    Ok(shown(rest.app.projects.update(&ctx, id, body.command()?).await?))
}

/// Removes a project; one with issues only when told to, then with all of them.
#[utoipa::path(delete, path = "/v1/projects/{project_id}", operation_id = "project.delete", tag = "projects",
    params(DeleteQuery), responses((status = 200, description = "It is gone", body = Empty)))]
async fn delete(
    ctx: Ctx,
    State(rest): State<Rest>,
    Id(id): Id<ProjectId>,
    Ask(ask): Ask<DeleteQuery>,
) -> Answer<Empty> {
    rest.app.projects.delete(&ctx, id, ask.delete_issues).await?;
    Ok(Reply::ok(Empty {}))
}

/// Moves an issue into a project; one that is there already stays.
#[utoipa::path(post, path = "/v1/projects/{project_id}/issues", operation_id = "project.add_issue", tag = "projects",
    request_body = ProjectIssueBody, responses((status = 200, description = "The count of its issues", body = ProjectCount)))]
async fn add_issue(
    ctx: Ctx,
    State(rest): State<Rest>,
    Id(id): Id<ProjectId>,
    Sent(body): Sent<ProjectIssueBody>,
) -> Answer<ProjectCount> {
    let issue = IssueId::parse("issue_id", &body.issue_id)?;
    rest.app.issues.move_to(&ctx, issue, id).await?;
    let project = rest.app.projects.get(&ctx, id).await?;
    let message = format!("the issue {issue} is in the project");
    Ok(Reply::ok(ProjectCount { project_id: id.to_string(), issue_count: project.issue_count, message }))
}
