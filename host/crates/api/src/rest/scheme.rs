//! Projects' schemes.

use axum::extract::State;
use tessera_core::Ctx;
use tessera_core::id::ProjectId;
use tessera_core::tracker::Project;
use utoipa_axum::routes;

use crate::rest::Rest;
use crate::rest::dto::scheme::{SchemeAnswer, SchemeBody};
use crate::rest::extract::{Id, Sent};
use crate::rest::reply::{Answer, Reply};
use crate::rest::routes::Routes;

pub(super) fn routes(routes: Routes) -> Routes {
    routes.with(routes!(get, set, reset))
}

fn shown(project: &Project) -> Reply<SchemeAnswer> {
    let scheme = SchemeBody::from(project);
    let tag = scheme.etag.clone();
    Reply::ok(SchemeAnswer { scheme }).tagged(&tag)
}

/// Shows the scheme that a project's issues follow.
#[utoipa::path(get, path = "/v1/projects/{project_id}/scheme", operation_id = "scheme.get", tag = "schemes",
    responses((status = 200, description = "The scheme", body = SchemeAnswer)))]
async fn get(ctx: Ctx, State(rest): State<Rest>, Id(id): Id<ProjectId>) -> Answer<SchemeAnswer> {
    Ok(shown(&rest.app.projects.scheme(&ctx, id).await?))
}

/// Gives a project a scheme of its own. One that lacks what issues use is refused with the counts.
#[utoipa::path(put, path = "/v1/projects/{project_id}/scheme", operation_id = "scheme.set", tag = "schemes",
    request_body = SchemeBody, responses((status = 200, description = "The scheme", body = SchemeAnswer)))]
async fn set(
    ctx: Ctx,
    State(rest): State<Rest>,
    Id(id): Id<ProjectId>,
    Sent(body): Sent<SchemeBody>,
) -> Answer<SchemeAnswer> {
    Ok(shown(&rest.app.projects.set_scheme(&ctx, id, body.decode()?).await?))
}

/// Goes back to the scheme that every project begins with.
#[utoipa::path(delete, path = "/v1/projects/{project_id}/scheme", operation_id = "scheme.reset", tag = "schemes",
    responses((status = 200, description = "The scheme", body = SchemeAnswer)))]
async fn reset(ctx: Ctx, State(rest): State<Rest>, Id(id): Id<ProjectId>) -> Answer<SchemeAnswer> {
    Ok(shown(&rest.app.projects.reset_scheme(&ctx, id).await?))
}
