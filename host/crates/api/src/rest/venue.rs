//! Venues.

use axum::extract::State;
use tessera_core::Ctx;
use tessera_core::access::Operation;
use tessera_core::catalog::Venue;
use tessera_core::catalog::venue::{MAX_PAGE, SPEC};
use tessera_core::id::VenueId;
use utoipa_axum::routes;

use crate::rest::dto::Empty;
use crate::rest::dto::venue::{VenueAnswer, VenueBody, VenuePatch, VenuesPage, WriteVenueBody};
use crate::rest::extract::{Ask, Id, Public, Sent};
use crate::rest::reply::{Answer, Reply};
use crate::rest::routes::Routes;
use crate::rest::{ListQuery, Rest};

pub(super) fn routes(routes: Routes) -> Routes {
    routes.with(routes!(create, list)).with(routes!(get, replace, update, delete))
}

fn shown(venue: Venue) -> Reply<VenueAnswer> {
    let venue = VenueBody::from(venue);
    let tag = venue.etag.clone();
    Reply::ok(VenueAnswer { venue }).tagged(&tag)
}

/// Makes a venue.
#[utoipa::path(post, path = "/v1/venues", operation_id = "venue.create", tag = "catalogue",
    request_body = WriteVenueBody, responses((status = 201, description = "The venue", body = VenueAnswer)))]
async fn create(ctx: Ctx, State(rest): State<Rest>, Sent(body): Sent<WriteVenueBody>) -> Answer<VenueAnswer> {
    let venue = VenueBody::from(rest.app.venues.create(&ctx, body.command()?).await?);
    let (tag, location) = (venue.etag.clone(), format!("/v1/venues/{}", venue.id));
    Ok(Reply::created(location, VenueAnswer { venue }).tagged(&tag))
}

/// Lists venues.
///
/// Filters: `name`, `city`, `country`, `created`, `modified`; orders: `created`, `modified`, `name`. At most 200 rows.
#[utoipa::path(get, path = "/v1/venues", operation_id = "venue.list", tag = "catalogue", security(("bearer" = []), ()),
    params(ListQuery), responses((status = 200, description = "A page of venues", body = VenuesPage)))]
async fn list(Public(ctx): Public, State(rest): State<Rest>, Ask(ask): Ask<ListQuery>) -> Answer<VenuesPage> {
    let asked = ask.page(&SPEC, MAX_PAGE, Operation::VenueList);
    let page = rest.app.venues.list(&ctx, &rest.page(&ctx, &asked)?).await?;
    let next_page_token = rest.next_token(&ctx, &asked.query, page.next.as_ref());
    Ok(Reply::ok(VenuesPage { venues: page.items.into_iter().map(Into::into).collect(), next_page_token }))
}

/// Shows a venue.
#[utoipa::path(get, path = "/v1/venues/{venue_id}", operation_id = "venue.get", tag = "catalogue",
    security(("bearer" = []), ()), responses((status = 200, description = "The venue", body = VenueAnswer)))]
async fn get(Public(ctx): Public, State(rest): State<Rest>, Id(id): Id<VenueId>) -> Answer<VenueAnswer> {
    Ok(shown(rest.app.venues.get(&ctx, id).await?))
}

/// Replaces all of a venue.
#[utoipa::path(put, path = "/v1/venues/{venue_id}", operation_id = "venue.replace", tag = "catalogue",
    request_body = WriteVenueBody, responses((status = 200, description = "The venue", body = VenueAnswer)))]
async fn replace(
    ctx: Ctx,
    State(rest): State<Rest>,
    Id(id): Id<VenueId>,
    Sent(body): Sent<WriteVenueBody>,
) -> Answer<VenueAnswer> {
    Ok(shown(rest.app.venues.update(&ctx, id, body.command()?.into()).await?))
}

/// Changes a venue.
#[utoipa::path(patch, path = "/v1/venues/{venue_id}", operation_id = "venue.update", tag = "catalogue",
    request_body = VenuePatch, responses((status = 200, description = "The venue", body = VenueAnswer)))]
async fn update(
    ctx: Ctx,
    State(rest): State<Rest>,
    Id(id): Id<VenueId>,
    Sent(body): Sent<VenuePatch>,
) -> Answer<VenueAnswer> {
    Ok(shown(rest.app.venues.update(&ctx, id, body.command()?).await?))
}

/// Removes a venue at which no event is.
#[utoipa::path(delete, path = "/v1/venues/{venue_id}", operation_id = "venue.delete", tag = "catalogue",
    responses((status = 200, description = "It is gone", body = Empty)))]
async fn delete(ctx: Ctx, State(rest): State<Rest>, Id(id): Id<VenueId>) -> Answer<Empty> {
    rest.app.venues.delete(&ctx, id).await?;
    Ok(Reply::ok(Empty {}))
}
