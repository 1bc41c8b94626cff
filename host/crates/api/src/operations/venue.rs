//! Venues.

use tessera_core::access::Operation;
use tessera_core::catalog::venue::{MAX_PAGE, SPEC};
use tessera_core::id::VenueId;
use tessera_core::{Ctx, Result};
use tessera_proto::ticket::v1 as pb;

use crate::convert::venue::{change, create as command, venue as encode};
use crate::operations::{Answer, Api, at_version, listing};

pub(crate) async fn create(
    api: Api,
    ctx: Ctx,
    request: pb::CreateVenueRequest,
) -> Result<Answer<pb::CreateVenueResponse>> {
    let venue = api.app.venues.create(&ctx, command(request)?).await?;
    Ok(Answer::of(encode(venue), |venue| pb::CreateVenueResponse { venue }))
}

pub(crate) async fn get(
    api: Api,
    ctx: Ctx,
    request: pb::GetVenueRequest,
) -> Result<Answer<pb::GetVenueResponse>> {
    let venue = api.app.venues.get(&ctx, VenueId::parse("venue_id", &request.venue_id)?).await?;
    Ok(Answer::of(encode(venue), |venue| pb::GetVenueResponse { venue }))
}

pub(crate) async fn list(
    api: Api,
    ctx: Ctx,
    request: pb::ListVenuesRequest,
) -> Result<Answer<pb::ListVenuesResponse>> {
    let page_args = listing!(request).of(&SPEC, MAX_PAGE, Operation::VenueList);
    let page = api.app.venues.list(&ctx, &api.page(&ctx, &page_args)?).await?;
    let (venues, next_page_token) = api.encode_page(&ctx, &page_args, page, encode);
    Ok(Answer::new(pb::ListVenuesResponse { venues, next_page_token }))
}

pub(crate) async fn update(
    api: Api,
    ctx: Ctx,
    request: pb::UpdateVenueRequest,
) -> Result<Answer<pb::UpdateVenueResponse>> {
    let (id, ctx) = (VenueId::parse("venue_id", &request.venue_id)?, at_version(ctx, &request.etag));
    let venue = api.app.venues.update(&ctx, id, change(request)?).await?;
    Ok(Answer::of(encode(venue), |venue| pb::UpdateVenueResponse { venue }))
}

pub(crate) async fn delete(
    api: Api,
    ctx: Ctx,
    request: pb::DeleteVenueRequest,
) -> Result<Answer<pb::DeleteVenueResponse>> {
    let (id, ctx) = (VenueId::parse("venue_id", &request.venue_id)?, at_version(ctx, &request.etag));
    api.app.venues.delete(&ctx, id).await?;
    Ok(Answer::new(pb::DeleteVenueResponse {}))
}
