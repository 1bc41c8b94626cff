//! Installations of plugins.

use axum::extract::State;
use serde::Deserialize;
use tessera_core::Ctx;
use tessera_core::access::Operation;
use tessera_core::id::InstallationId;
use tessera_core::plugin::Rollout;
use tessera_core::plugin::installation::{MAX_PAGE, SPEC};
use utoipa::IntoParams;
use utoipa_axum::routes;

use crate::rest::dto::installation::{
    CreateInstallationBody, InForceAnswer, InstallationAnswer, InstallationBody, InstallationPatch,
    InstallationsPage, RollbackBody,
};
use crate::rest::dto::release::ReleaseNameBody;
use crate::rest::extract::{Ask, Id, Sent};
use crate::rest::plugin_json::CallsBody;
use crate::rest::reply::{Answer, Reply};
use crate::rest::routes::Routes;
use crate::rest::{ListQuery, Rest};

pub(super) fn routes(routes: Routes) -> Routes {
    routes
        .with(routes!(create, list))
        .with(routes!(get, update, delete))
        .with(routes!(rollback))
        .with(routes!(calls))
}

/// Which calls of an installation are asked for.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields, default)]
struct CallsQuery {
    /// Only calls with a greater number than this.
    after: u64,
}

fn changed(report: Rollout) -> Reply<InForceAnswer> {
    let answer = InForceAnswer::from(report);
    let tag = answer.installation.etag.clone();
    Reply::ok(answer).tagged(&tag)
}

/// Puts a release to work at a scope.
#[utoipa::path(post, path = "/v1/installations", operation_id = "installation.create", tag = "plugins",
    request_body = CreateInstallationBody,
    responses((status = 201, description = "The installation, and the hosts that lag", body = InForceAnswer)))]
async fn create(
    ctx: Ctx,
    State(rest): State<Rest>,
    Sent(body): Sent<CreateInstallationBody>,
) -> Answer<InForceAnswer> {
    let answer = InForceAnswer::from(rest.app.installations.create(&ctx, body.command()?).await?);
    let (tag, id) = (answer.installation.etag.clone(), &answer.installation.installation_id);
    Ok(Reply::created(format!("/v1/installations/{id}"), answer).tagged(&tag))
}

/// Lists installations.
///
/// Filters: `plugin`, `project`, `enabled`; orders: `created`. At most 100 rows.
#[utoipa::path(get, path = "/v1/installations", operation_id = "installation.list", tag = "plugins",
    params(ListQuery), responses((status = 200, description = "A page of installations", body = InstallationsPage)))]
async fn list(ctx: Ctx, State(rest): State<Rest>, Ask(ask): Ask<ListQuery>) -> Answer<InstallationsPage> {
    let asked = ask.page(&SPEC, MAX_PAGE, Operation::InstallationList);
    let page = rest.app.installations.list(&ctx, &rest.page(&ctx, &asked)?).await?;
    let next_page_token = rest.next_token(&ctx, &asked.query, page.next.as_ref());
    let installations = page.items.into_iter().map(Into::into).collect();
    Ok(Reply::ok(InstallationsPage { installations, next_page_token }))
}

/// Shows an installation.
#[utoipa::path(get, path = "/v1/installations/{installation_id}", operation_id = "installation.get", tag = "plugins",
    responses((status = 200, description = "The installation", body = InstallationAnswer)))]
async fn get(ctx: Ctx, State(rest): State<Rest>, Id(id): Id<InstallationId>) -> Answer<InstallationAnswer> {
    let installation = InstallationBody::from(rest.app.installations.get(&ctx, id).await?);
    let tag = installation.etag.clone();
    Ok(Reply::ok(InstallationAnswer { installation }).tagged(&tag))
}

/// Changes an installation: its release, settings, order, policy, grants, limits, or whether it is called.
#[utoipa::path(patch, path = "/v1/installations/{installation_id}", operation_id = "installation.update", tag = "plugins",
    request_body = InstallationPatch,
    responses((status = 200, description = "The installation, and the hosts that lag", body = InForceAnswer)))]
async fn update(
    ctx: Ctx,
    State(rest): State<Rest>,
    Id(id): Id<InstallationId>,
    Sent(body): Sent<InstallationPatch>,
) -> Answer<InForceAnswer> {
    Ok(changed(rest.app.installations.update(&ctx, id, body.command()?).await?))
}

/// Puts an installation back to an earlier release.
#[utoipa::path(post, path = "/v1/installations/{installation_id}:rollback", operation_id = "installation.rollback",
    tag = "plugins", request_body = RollbackBody,
    responses((status = 200, description = "The installation, and the hosts that lag", body = InForceAnswer)))]
async fn rollback(
    ctx: Ctx,
    State(rest): State<Rest>,
    Id(id): Id<InstallationId>,
    Sent(body): Sent<RollbackBody>,
) -> Answer<InForceAnswer> {
    let to = body.release.map(ReleaseNameBody::decode).transpose()?;
    Ok(changed(rest.app.installations.rollback(&ctx, id, to, body.state_map).await?))
}

/// Removes an installation, with its timers.
#[utoipa::path(delete, path = "/v1/installations/{installation_id}", operation_id = "installation.delete", tag = "plugins",
    responses((status = 200, description = "The installation as it was, and the hosts that lag", body = InForceAnswer)))]
async fn delete(ctx: Ctx, State(rest): State<Rest>, Id(id): Id<InstallationId>) -> Answer<InForceAnswer> {
    Ok(Reply::ok(rest.app.installations.delete(&ctx, id).await?.into()))
}

/// Lists the last calls of an installation on this host, and what all came to.
#[utoipa::path(get, path = "/v1/installations/{installation_id}/calls", operation_id = "installation.calls",
    tag = "plugins", params(CallsQuery), responses((status = 200, description = "The calls", body = CallsBody)))]
async fn calls(
    ctx: Ctx,
    State(rest): State<Rest>,
    Id(id): Id<InstallationId>,
    Ask(ask): Ask<CallsQuery>,
) -> Answer<CallsBody> {
    Ok(Reply::ok(rest.app.installations.calls(&ctx, id, ask.after).await?.into()))
}
