//! Links between issues.

use axum::extract::State;
use tessera_core::Ctx;
use tessera_core::id::IssueId;
use tessera_core::tracker::Relation;
use utoipa_axum::routes;

use crate::rest::Rest;
use crate::rest::dto::Empty;
use crate::rest::dto::hanging::{LinkAnswer, LinksAnswer, WriteLink};
use crate::rest::extract::{Id, OtherId, Sent, relation};
use crate::rest::issue::ALIAS;
use crate::rest::reply::{Answer, Reply};
use crate::rest::routes::Routes;

pub(super) fn routes(routes: Routes) -> Routes {
    routes.with_alias(ALIAS, routes!(add, list)).with_alias(ALIAS, routes!(remove))
}

/// Links two issues.
#[utoipa::path(post, path = "/v1/issues/{issue_id}/links", operation_id = "link.add", tag = "links",
    request_body = WriteLink, responses((status = 201, description = "The link", body = LinkAnswer)))]
async fn add(
    ctx: Ctx,
    State(rest): State<Rest>,
    Id(issue): Id<IssueId>,
    Sent(body): Sent<WriteLink>,
) -> Answer<LinkAnswer> {
    let (kind, other) = (relation("kind", &body.kind)?, IssueId::parse("other_id", &body.other_id)?);
    let link = rest.app.links.add(&ctx, issue, kind, other).await?;
    Ok(Reply::made(LinkAnswer { link: link.into() }))
}

/// Lists an issue's links, as seen from it.
#[utoipa::path(get, path = "/v1/issues/{issue_id}/links", operation_id = "link.list", tag = "links",
    responses((status = 200, description = "The links", body = LinksAnswer)))]
async fn list(ctx: Ctx, State(rest): State<Rest>, Id(issue): Id<IssueId>) -> Answer<LinksAnswer> {
    let links = rest.app.links.list(&ctx, issue).await?;
    Ok(Reply::ok(LinksAnswer { links: links.into_iter().map(Into::into).collect() }))
}

/// Takes a link away.
#[utoipa::path(delete, path = "/v1/issues/{issue_id}/links/{kind}/{other_id}", operation_id = "link.remove",
    tag = "links", responses((status = 200, description = "It is gone", body = Empty)))]
async fn remove(
    ctx: Ctx,
    State(rest): State<Rest>,
    Id(issue): Id<IssueId>,
    Id(kind): Id<Relation>,
    Id(OtherId(other)): Id<OtherId>,
) -> Answer<Empty> {
    rest.app.links.remove(&ctx, issue, kind, other).await?;
    Ok(Reply::ok(Empty {}))
}
