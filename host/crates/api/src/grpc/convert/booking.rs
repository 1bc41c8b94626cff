//! Queues, and the places in them.

use tessera_core::Result;
use tessera_core::booking::{BookingPosition, CreateBooking, Queue, QueueStatus};
use tessera_core::id::EventId;
use tessera_core::inventory::LineRequest;
use tessera_proto::ticket::v1 as pb;

use crate::booking::{WrittenBooking, standing_etag, status_etag};
use crate::grpc::convert::reservation::written;
use crate::grpc::convert::{count, large, text, time};
use crate::request::etag;

/// What is asked for.
pub fn enqueue(ask: pb::EnqueueBookingRequest) -> Result<CreateBooking> {
    let event = EventId::parse("event_id", &ask.event_id)?;
    let lines = ask.lines.into_iter().map(written).collect();
    WrittenBooking { user_id: ask.user_id, lines, timeout_seconds: ask.timeout_seconds }.read(event)
}

/// A booking and its place.
#[must_use]
pub fn standing(held: BookingPosition) -> pb::Booking {
    let etag = standing_etag(&held);
    let BookingPosition { booking, position } = held;
    let (failure_reason, failure_message) = booking.failure.unwrap_or_default();
    pb::Booking {
        id: booking.id.to_string(),
        event_id: booking.event.to_string(),
        user_id: booking.buyer,
        lines: booking.lines.into_iter().map(line).collect(),
        timeout_seconds: booking.hold_seconds.map(|seconds| count(seconds.into())).unwrap_or_default(),
        state: booking.state.name().to_owned(),
        position: position.map(large),
        entered_at: time(booking.entered_at),
        active_at: booking.active_at.and_then(time),
        active_until: booking.active_until.and_then(time),
        reservation_id: text(booking.reservation),
        failure_reason,
        failure_message,
        created_by: booking.created_by,
        updated_at: time(booking.updated_at),
        etag,
    }
}

fn line(line: LineRequest) -> pb::ReservationLine {
    pb::ReservationLine {
        ticket_type_id: line.ticket_type.to_string(),
        quantity: count(line.quantity.into()),
        seat_numbers: line.seats,
        price: None,
    }
}

/// An event's queue.
#[must_use]
pub fn status(held: &QueueStatus) -> pb::GetQueueStatusResponse {
    pb::GetQueueStatusResponse {
        event_id: held.queue.id.to_string(),
        waiting: large(held.waiting),
        active: large(held.active),
        max_active: count(held.queue.max_active.into()),
        active_seconds: count(held.queue.active_seconds.into()),
        required: held.queue.required,
        etag: status_etag(held),
    }
}

/// The terms of an event's queue.
#[must_use]
pub fn queue(held: &Queue) -> pb::SetQueueResponse {
    pb::SetQueueResponse {
        event_id: held.id.to_string(),
        max_active: count(held.max_active.into()),
        active_seconds: count(held.active_seconds.into()),
        required: held.required,
        updated_at: time(held.updated_at),
        etag: etag(held.version),
    }
}
