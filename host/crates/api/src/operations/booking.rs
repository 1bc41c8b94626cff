//! Queues before a sale.

use tessera_core::booking::BookingPosition;
use tessera_core::id::{BookingId, EventId};
use tessera_core::{Ctx, Result};
use tessera_proto::ticket::v1 as pb;

use crate::convert::booking::{booking as encode, enqueue as read, queue, status as encode_status, terms};
use crate::operations::{Answer, Api, at_version};

pub(crate) async fn enqueue(
    api: Api,
    ctx: Ctx,
    request: pb::EnqueueBookingRequest,
) -> Result<Answer<pb::EnqueueBookingResponse>> {
    let position = api.app.bookings.enqueue(&ctx, read(request)?).await?;
    Ok(Answer::of(encode(position), |booking| pb::EnqueueBookingResponse { booking }))
}

pub(crate) async fn get(
    api: Api,
    ctx: Ctx,
    request: pb::GetQueuePositionRequest,
) -> Result<Answer<pb::GetQueuePositionResponse>> {
    let position = api.app.bookings.get(&ctx, BookingId::parse("booking_id", &request.booking_id)?).await?;
    Ok(Answer::of(encode(position), |booking| pb::GetQueuePositionResponse { booking }))
}

pub(crate) async fn cancel(
    api: Api,
    ctx: Ctx,
    request: pb::CancelQueueItemRequest,
) -> Result<Answer<pb::CancelQueueItemResponse>> {
    let (id, ctx) = (BookingId::parse("booking_id", &request.booking_id)?, at_version(ctx, &request.etag));
    let booking = api.app.bookings.cancel(&ctx, id).await?;
    Ok(Answer::of(encode(BookingPosition { booking, position: None }), |booking| {
        pb::CancelQueueItemResponse { booking }
    }))
}

pub(crate) async fn status(
    api: Api,
    ctx: Ctx,
    request: pb::GetQueueStatusRequest,
) -> Result<Answer<pb::GetQueueStatusResponse>> {
    let status = api.app.bookings.status(&ctx, EventId::parse("event_id", &request.event_id)?).await?;
    let response = encode_status(&status);
    Ok(Answer::tagged(&response.etag.clone(), response))
}

pub(crate) async fn set(
    api: Api,
    ctx: Ctx,
    request: pb::SetQueueRequest,
) -> Result<Answer<pb::SetQueueResponse>> {
    let (event, ctx) = (EventId::parse("event_id", &request.event_id)?, at_version(ctx, &request.etag));
    let response = queue(&api.app.bookings.set(&ctx, event, terms(&request)?).await?);
    Ok(Answer::tagged(&response.etag.clone(), response))
}
