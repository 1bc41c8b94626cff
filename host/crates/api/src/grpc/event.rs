//! Events.

use tessera_core::access::Operation;
use tessera_core::catalog::event::{MAX_PAGE, SPEC};
use tessera_core::id::EventId;
use tessera_core::{Ctx, Result};
use tessera_proto::ticket::v1 as pb;

use crate::catalog;
use crate::grpc::call::{Grpc, Listing, at};
use crate::grpc::convert::event::{categories as counted, change, create as command, event as shown};

pub(super) async fn create(
    grpc: &Grpc,
    ctx: Ctx,
    ask: pb::CreateEventRequest,
) -> Result<pb::CreateEventResponse> {
    let event = grpc.app.events.create(&ctx, command(ask)?).await?;
    Ok(pb::CreateEventResponse { event: Some(shown(event)) })
}

pub(super) async fn get(
    grpc: &Grpc,
    ctx: Ctx,
    ask: pb::GetEventByIdRequest,
) -> Result<pb::GetEventByIdResponse> {
    let event = grpc.app.events.get(&ctx, EventId::parse("id", &ask.id)?).await?;
    Ok(pb::GetEventByIdResponse { event: Some(shown(event)) })
}

pub(super) async fn list(grpc: &Grpc, ctx: Ctx, ask: pb::GetEventsRequest) -> Result<pb::GetEventsResponse> {
    let listing =
        Listing { size: ask.page_size, token: &ask.page_token, filter: &ask.filter, order_by: &ask.order_by };
    let asked = listing.of(&SPEC, MAX_PAGE, Operation::EventList);
    let page = grpc.app.events.list(&ctx, &grpc.page(&ctx, &asked)?).await?;
    let next_page_token = grpc.next_token(&ctx, &asked.query, page.next.as_ref());
    Ok(pb::GetEventsResponse { events: page.items.into_iter().map(shown).collect(), next_page_token })
}

pub(super) async fn featured(
    grpc: &Grpc,
    ctx: Ctx,
    ask: pb::GetFeaturedEventsRequest,
) -> Result<pb::GetFeaturedEventsResponse> {
    let listing =
        Listing { size: ask.page_size, token: &ask.page_token, filter: &ask.filter, order_by: &ask.order_by };
    let asked = listing.of(&SPEC, MAX_PAGE, Operation::EventFeatured);
    let page = grpc.app.events.list(&ctx, &catalog::featured(grpc.page(&ctx, &asked)?)).await?;
    let next_page_token = grpc.next_token(&ctx, &asked.query, page.next.as_ref());
    Ok(pb::GetFeaturedEventsResponse { events: page.items.into_iter().map(shown).collect(), next_page_token })
}

pub(super) async fn categories(
    grpc: &Grpc,
    ctx: Ctx,
    _ask: pb::GetEventCategoriesRequest,
) -> Result<pb::GetEventCategoriesResponse> {
    let categories = counted(grpc.app.events.categories(&ctx).await?);
    Ok(pb::GetEventCategoriesResponse { categories })
}

pub(super) async fn update(
    grpc: &Grpc,
    ctx: Ctx,
    ask: pb::UpdateEventRequest,
) -> Result<pb::UpdateEventResponse> {
    let (id, ctx) = (EventId::parse("id", &ask.id)?, at(ctx, &ask.etag));
    let event = grpc.app.events.update(&ctx, id, change(ask)?).await?;
    Ok(pb::UpdateEventResponse { event: Some(shown(event)) })
}

pub(super) async fn delete(
    grpc: &Grpc,
    ctx: Ctx,
    ask: pb::DeleteEventRequest,
) -> Result<pb::DeleteEventResponse> {
    let (id, ctx) = (EventId::parse("id", &ask.id)?, at(ctx, &ask.etag));
    grpc.app.events.delete(&ctx, id).await?;
    Ok(pb::DeleteEventResponse {})
}
