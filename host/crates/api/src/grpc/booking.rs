//! Queues before events' sales.

use tessera_core::booking::BookingPosition;
use tessera_core::id::{BookingId, EventId};
use tessera_core::{Ctx, Result};
use tessera_proto::ticket::v1 as pb;

use crate::booking::terms;
use crate::grpc::call::{Grpc, at};
use crate::grpc::convert::booking::{enqueue as asked, queue, standing, status as shown};

pub(super) async fn enqueue(
    grpc: &Grpc,
    ctx: Ctx,
    ask: pb::EnqueueBookingRequest,
) -> Result<pb::EnqueueBookingResponse> {
    let held = grpc.app.bookings.enqueue(&ctx, asked(ask)?).await?;
    Ok(pb::EnqueueBookingResponse { booking: Some(standing(held)) })
}

pub(super) async fn get(
    grpc: &Grpc,
    ctx: Ctx,
    ask: pb::GetQueuePositionRequest,
) -> Result<pb::GetQueuePositionResponse> {
    let held = grpc.app.bookings.get(&ctx, BookingId::parse("booking_id", &ask.booking_id)?).await?;
    Ok(pb::GetQueuePositionResponse { booking: Some(standing(held)) })
}

pub(super) async fn cancel(
    grpc: &Grpc,
    ctx: Ctx,
    ask: pb::CancelQueueItemRequest,
) -> Result<pb::CancelQueueItemResponse> {
    let (id, ctx) = (BookingId::parse("booking_id", &ask.booking_id)?, at(ctx, &ask.etag));
    let booking = grpc.app.bookings.cancel(&ctx, id).await?;
    Ok(pb::CancelQueueItemResponse { booking: Some(standing(BookingPosition { booking, position: None })) })
}

pub(super) async fn status(
    grpc: &Grpc,
    ctx: Ctx,
    ask: pb::GetQueueStatusRequest,
) -> Result<pb::GetQueueStatusResponse> {
    let held = grpc.app.bookings.status(&ctx, EventId::parse("event_id", &ask.event_id)?).await?;
    Ok(shown(&held))
}

pub(super) async fn set(grpc: &Grpc, ctx: Ctx, ask: pb::SetQueueRequest) -> Result<pb::SetQueueResponse> {
    let (event, ctx) = (EventId::parse("event_id", &ask.event_id)?, at(ctx, &ask.etag));
    let terms = terms(ask.max_active, ask.active_seconds, ask.required)?;
    Ok(queue(&grpc.app.bookings.set(&ctx, event, terms).await?))
}
