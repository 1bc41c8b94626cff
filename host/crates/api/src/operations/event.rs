//! Events.

use tessera_core::access::Operation;
use tessera_core::catalog::event::{MAX_PAGE, SPEC};
use tessera_core::id::EventId;
use tessera_core::{Ctx, Result};
use tessera_proto::ticket::v1 as pb;

use crate::convert::event::{categories as encode_categories, change, create as command, event as encode};
use crate::operations::{Answer, Api, at_version, listing};

pub(crate) async fn create(
    api: Api,
    ctx: Ctx,
    request: pb::CreateEventRequest,
) -> Result<Answer<pb::CreateEventResponse>> {
    let event = api.app.events.create(&ctx, command(request)?).await?;
    Ok(Answer::of(encode(event), |event| pb::CreateEventResponse { event }))
}

pub(crate) async fn get(
    api: Api,
    ctx: Ctx,
    request: pb::GetEventByIdRequest,
) -> Result<Answer<pb::GetEventByIdResponse>> {
    let event = api.app.events.get(&ctx, EventId::parse("event_id", &request.event_id)?).await?;
    Ok(Answer::of(encode(event), |event| pb::GetEventByIdResponse { event }))
}

pub(crate) async fn list(
    api: Api,
    ctx: Ctx,
    request: pb::GetEventsRequest,
) -> Result<Answer<pb::GetEventsResponse>> {
    let page_args = listing!(request).of(&SPEC, MAX_PAGE, Operation::EventList);
    let page = api.app.events.list(&ctx, &api.page(&ctx, &page_args)?).await?;
    let (events, next_page_token) = api.encode_page(&ctx, &page_args, page, encode);
    Ok(Answer::new(pb::GetEventsResponse { events, next_page_token }))
}

pub(crate) async fn featured(
    api: Api,
    ctx: Ctx,
    request: pb::GetFeaturedEventsRequest,
) -> Result<Answer<pb::GetFeaturedEventsResponse>> {
    let page_args = listing!(request).of(&SPEC, MAX_PAGE, Operation::EventFeatured);
    let page = api.app.events.featured(&ctx, api.page(&ctx, &page_args)?).await?;
    let (events, next_page_token) = api.encode_page(&ctx, &page_args, page, encode);
    Ok(Answer::new(pb::GetFeaturedEventsResponse { events, next_page_token }))
}

pub(crate) async fn categories(
    api: Api,
    ctx: Ctx,
    _: pb::GetEventCategoriesRequest,
) -> Result<Answer<pb::GetEventCategoriesResponse>> {
    let categories = encode_categories(api.app.events.categories(&ctx).await?);
    Ok(Answer::new(pb::GetEventCategoriesResponse { categories }))
}

pub(crate) async fn update(
    api: Api,
    ctx: Ctx,
    request: pb::UpdateEventRequest,
) -> Result<Answer<pb::UpdateEventResponse>> {
    let (id, ctx) = (EventId::parse("event_id", &request.event_id)?, at_version(ctx, &request.etag));
    let event = api.app.events.update(&ctx, id, change(request)?).await?;
    Ok(Answer::of(encode(event), |event| pb::UpdateEventResponse { event }))
}

pub(crate) async fn delete(
    api: Api,
    ctx: Ctx,
    request: pb::DeleteEventRequest,
) -> Result<Answer<pb::DeleteEventResponse>> {
    let (id, ctx) = (EventId::parse("event_id", &request.event_id)?, at_version(ctx, &request.etag));
    api.app.events.delete(&ctx, id).await?;
    Ok(Answer::new(pb::DeleteEventResponse {}))
}
