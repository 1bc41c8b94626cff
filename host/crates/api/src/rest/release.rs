//! Releases of plugins.

use axum::extract::State;
use tessera_core::Ctx;
use tessera_core::access::Operation;
use tessera_core::plugin::Digest;
use tessera_core::plugin::release::{MAX_PAGE, SPEC};
use utoipa_axum::routes;

use crate::rest::dto::release::{ComponentBytes, ReleaseAnswer, ReleasesPage};
use crate::rest::error::ProblemBody;
use crate::rest::extract::{Ask, Component, Id, Sent, Uploader};
use crate::rest::plugin_json::{TrialBody, TriedBody};
use crate::rest::reply::{Answer, Reply};
use crate::rest::routes::Routes;
use crate::rest::{ListQuery, Rest};

pub(super) fn routes(routes: Routes) -> Routes {
    routes.with(routes!(upload, list)).with(routes!(get, delete)).with(routes!(test))
}

/// Uploads a component, checks all that could fail later, and keeps it.
///
/// The body is the component itself, as large as the host takes components. The same bytes again are the
/// release that is there.
#[utoipa::path(post, path = "/v1/releases", operation_id = "release.upload", tag = "plugins",
    request_body(content = ComponentBytes, content_type = "application/wasm", description = "The component"),
    responses((status = 201, description = "The release", body = ReleaseAnswer),
        (status = 413, description = "The component is larger than this host takes", body = ProblemBody,
            content_type = "application/problem+json"),
        (status = 415, description = "The body is not application/wasm", body = ProblemBody,
            content_type = "application/problem+json")))]
async fn upload(
    Uploader(ctx): Uploader,
    State(rest): State<Rest>,
    Component(component): Component,
) -> Answer<ReleaseAnswer> {
    let release = rest.app.releases.upload(&ctx, component).await?;
    let location = format!("/v1/releases/{}", release.digest());
    Ok(Reply::created(location, ReleaseAnswer { release: release.into() }))
}

/// Lists releases.
///
/// Filters: `plugin`; orders: `created`. At most 100 rows.
#[utoipa::path(get, path = "/v1/releases", operation_id = "release.list", tag = "plugins",
    params(ListQuery), responses((status = 200, description = "A page of releases", body = ReleasesPage)))]
async fn list(ctx: Ctx, State(rest): State<Rest>, Ask(ask): Ask<ListQuery>) -> Answer<ReleasesPage> {
    let asked = ask.page(&SPEC, MAX_PAGE, Operation::ReleaseList);
    let page = rest.app.releases.list(&ctx, &rest.page(&ctx, &asked)?).await?;
    let next_page_token = rest.next_token(&ctx, &asked.query, page.next.as_ref());
    let releases = page.items.into_iter().map(Into::into).collect();
    Ok(Reply::ok(ReleasesPage { releases, next_page_token }))
}

/// Shows a release.
#[utoipa::path(get, path = "/v1/releases/{digest}", operation_id = "release.get", tag = "plugins",
    responses((status = 200, description = "The release", body = ReleaseAnswer)))]
async fn get(ctx: Ctx, State(rest): State<Rest>, Id(digest): Id<Digest>) -> Answer<ReleaseAnswer> {
    Ok(Reply::ok(ReleaseAnswer { release: rest.app.releases.get(&ctx, digest).await?.into() }))
}

/// Removes a release that no installation uses, now or to roll back to.
#[utoipa::path(delete, path = "/v1/releases/{digest}", operation_id = "release.delete", tag = "plugins",
    responses((status = 200, description = "The release as it was", body = ReleaseAnswer)))]
async fn delete(ctx: Ctx, State(rest): State<Rest>, Id(digest): Id<Digest>) -> Answer<ReleaseAnswer> {
    Ok(Reply::ok(ReleaseAnswer { release: rest.app.releases.delete(&ctx, digest).await?.into() }))
}

/// Calls a hook of a release with given input; nothing is stored.
#[utoipa::path(post, path = "/v1/releases/{digest}:test", operation_id = "release.test", tag = "plugins",
    request_body = TrialBody, responses((status = 200, description = "What it came to", body = TriedBody)))]
async fn test(
    ctx: Ctx,
    State(rest): State<Rest>,
    Id(digest): Id<Digest>,
    Sent(body): Sent<TrialBody>,
) -> Answer<TriedBody> {
    Ok(Reply::ok(rest.app.releases.test(&ctx, digest, body.try_into()?).await?.into()))
}
