//! Queues before events' sales.

use axum::extract::State;
use tessera_core::Ctx;
use tessera_core::booking::BookingPosition;
use tessera_core::id::{BookingId, EventId};
use utoipa_axum::routes;

use crate::rest::Rest;
use crate::rest::dto::booking::{
    BookingAnswer, BookingBody, EnqueueBody, QueueAnswer, QueueStatusAnswer, SetQueueBody,
};
use crate::rest::extract::{Id, Public, Sent};
use crate::rest::reply::{Answer, Reply};
use crate::rest::routes::Routes;

pub(super) fn routes(routes: Routes) -> Routes {
    routes.with(routes!(enqueue, status, set)).with(routes!(get, cancel))
}

fn shown(held: BookingPosition) -> Reply<BookingAnswer> {
    let booking = BookingBody::from(held);
    let tag = booking.etag.clone();
    Reply::ok(BookingAnswer { booking }).tagged(&tag)
}

/// Puts a buyer at the end of an event's queue. A buyer has one place in it at a time.
///
/// With lines, the host reserves them when it is the booking's turn; without, its buyer does.
#[utoipa::path(post, path = "/v1/events/{event_id}/queue", operation_id = "booking.create", tag = "queues",
    request_body = EnqueueBody, responses((status = 201, description = "The booking", body = BookingAnswer)))]
async fn enqueue(
    ctx: Ctx,
    State(rest): State<Rest>,
    Id(event): Id<EventId>,
    Sent(body): Sent<EnqueueBody>,
) -> Answer<BookingAnswer> {
    let held = rest.app.bookings.enqueue(&ctx, body.command(event)?).await?;
    let booking = BookingBody::from(held);
    let (location, tag) = (format!("/v1/bookings/{}", booking.id), booking.etag.clone());
    Ok(Reply::created(location, BookingAnswer { booking }).tagged(&tag))
}

/// Shows an event's queue: its terms, and how many are in it.
#[utoipa::path(get, path = "/v1/events/{event_id}/queue", operation_id = "queue.get", tag = "queues",
    security(("bearer" = []), ()),
    responses((status = 200, description = "The queue", body = QueueStatusAnswer)))]
async fn status(
    Public(ctx): Public,
    State(rest): State<Rest>,
    Id(event): Id<EventId>,
) -> Answer<QueueStatusAnswer> {
    let status = QueueStatusAnswer::from(&rest.app.bookings.status(&ctx, event).await?);
    let tag = status.etag.clone();
    Ok(Reply::ok(status).tagged(&tag))
}

/// Says how an event's buyers are served.
#[utoipa::path(put, path = "/v1/events/{event_id}/queue", operation_id = "queue.set", tag = "queues",
    request_body = SetQueueBody,
    responses((status = 200, description = "The terms of the queue", body = QueueAnswer)))]
async fn set(
    ctx: Ctx,
    State(rest): State<Rest>,
    Id(event): Id<EventId>,
    Sent(body): Sent<SetQueueBody>,
) -> Answer<QueueAnswer> {
    let queue = QueueAnswer::from(&rest.app.bookings.set(&ctx, event, body.terms()?).await?);
    let tag = queue.etag.clone();
    Ok(Reply::ok(queue).tagged(&tag))
}

/// Shows a booking and its place.
#[utoipa::path(get, path = "/v1/bookings/{booking_id}", operation_id = "booking.get", tag = "queues",
    responses((status = 200, description = "The booking", body = BookingAnswer)))]
async fn get(ctx: Ctx, State(rest): State<Rest>, Id(id): Id<BookingId>) -> Answer<BookingAnswer> {
    Ok(shown(rest.app.bookings.get(&ctx, id).await?))
}

/// Takes a booking out of the queue. What its buyer reserved already stays.
#[utoipa::path(delete, path = "/v1/bookings/{booking_id}", operation_id = "booking.cancel", tag = "queues",
    responses((status = 200, description = "The booking, cancelled", body = BookingAnswer)))]
async fn cancel(ctx: Ctx, State(rest): State<Rest>, Id(id): Id<BookingId>) -> Answer<BookingAnswer> {
    let booking = rest.app.bookings.cancel(&ctx, id).await?;
    Ok(shown(BookingPosition { booking, position: None }))
}
