//! Venues.

use tessera_core::access::Operation;
use tessera_core::catalog::venue::{MAX_PAGE, SPEC};
use tessera_core::id::VenueId;
use tessera_core::{Ctx, Result};
use tessera_proto::ticket::v1 as pb;

use crate::grpc::call::{Grpc, Listing, at};
use crate::grpc::convert::venue::{change, create as command, venue as shown};

pub(super) async fn create(
    grpc: &Grpc,
    ctx: Ctx,
    ask: pb::CreateVenueRequest,
) -> Result<pb::CreateVenueResponse> {
    let venue = grpc.app.venues.create(&ctx, command(ask)?).await?;
    Ok(pb::CreateVenueResponse { venue: Some(shown(venue)) })
}

pub(super) async fn get(grpc: &Grpc, ctx: Ctx, ask: pb::GetVenueRequest) -> Result<pb::GetVenueResponse> {
    let venue = grpc.app.venues.get(&ctx, VenueId::parse("id", &ask.id)?).await?;
    Ok(pb::GetVenueResponse { venue: Some(shown(venue)) })
}

pub(super) async fn list(
    grpc: &Grpc,
    ctx: Ctx,
    ask: pb::ListVenuesRequest,
) -> Result<pb::ListVenuesResponse> {
    let listing =
        Listing { size: ask.page_size, token: &ask.page_token, filter: &ask.filter, order_by: &ask.order_by };
    let asked = listing.of(&SPEC, MAX_PAGE, Operation::VenueList);
    let page = grpc.app.venues.list(&ctx, &grpc.page(&ctx, &asked)?).await?;
    let next_page_token = grpc.next_token(&ctx, &asked.query, page.next.as_ref());
    Ok(pb::ListVenuesResponse { venues: page.items.into_iter().map(shown).collect(), next_page_token })
}

pub(super) async fn update(
    grpc: &Grpc,
    ctx: Ctx,
    ask: pb::UpdateVenueRequest,
) -> Result<pb::UpdateVenueResponse> {
    let (id, ctx) = (VenueId::parse("id", &ask.id)?, at(ctx, &ask.etag));
    let venue = grpc.app.venues.update(&ctx, id, change(ask)?).await?;
    Ok(pb::UpdateVenueResponse { venue: Some(shown(venue)) })
}

pub(super) async fn delete(
    grpc: &Grpc,
    ctx: Ctx,
    ask: pb::DeleteVenueRequest,
) -> Result<pb::DeleteVenueResponse> {
    let (id, ctx) = (VenueId::parse("id", &ask.id)?, at(ctx, &ask.etag));
    grpc.app.venues.delete(&ctx, id).await?;
    Ok(pb::DeleteVenueResponse {})
}
