//! Queues and bookings.

use tessera_core::Result;
use tessera_core::booking::{BookingPosition, CreateBooking, Queue, QueueStatus};
use tessera_core::id::EventId;
use tessera_core::inventory::LineRequest;
use tessera_core::text::Faults;
use tessera_proto::ticket::v1 as pb;

use crate::convert::catalog::read_u32;
use crate::convert::reservation::read_lines;
use crate::convert::{text, time, to_i32, to_i64};
use crate::state::{etag, etag_with_count};

/// Above the limit of active bookings, so that both counts fit into one number.
const ACTIVE_FACTOR: u64 = 100_000;

/// Reads a request to join the queue.
pub(crate) fn enqueue(request: pb::EnqueueBookingRequest) -> Result<CreateBooking> {
    let event = EventId::parse("event_id", &request.event_id)?;
    let mut faults = Faults::default();
    let seconds = read_u32("timeout_seconds", Some(request.timeout_seconds), &mut faults);
    let lines = read_lines(request.lines)?;
    faults.into_result()?;
    let hold_seconds = seconds.filter(|seconds| *seconds > 0);
    Ok(CreateBooking { event, buyer: request.user_id, lines, hold_seconds })
}

/// Reads the terms of a queue: the limit of active bookings, the seconds for each, and whether the queue is required.
pub(crate) fn terms(request: &pb::SetQueueRequest) -> Result<(u32, u32, bool)> {
    let mut faults = Faults::default();
    let max_active = read_u32("max_active", Some(request.max_active), &mut faults).unwrap_or_default();
    let active_seconds =
        read_u32("active_seconds", Some(request.active_seconds), &mut faults).unwrap_or_default();
    faults.into_result().map(|()| (max_active, active_seconds, request.required))
}

/// The entity tag of a booking at its position.
fn booking_etag(position: &BookingPosition) -> String {
    let version = position.booking.version;
    position.position.map_or_else(|| etag(version), |position| etag_with_count(version, position))
}

/// The entity tag of a queue with its counts.
fn status_etag(status: &QueueStatus) -> String {
    let counts = status.waiting.saturating_mul(ACTIVE_FACTOR).saturating_add(status.active);
    etag_with_count(status.queue.version, counts)
}

/// Encodes a booking and its position.
#[must_use]
pub(crate) fn booking(position: BookingPosition) -> pb::Booking {
    let etag = booking_etag(&position);
    let BookingPosition { booking, position } = position;
    let (failure_reason, failure_message) = booking.failure.unzip();
    pb::Booking {
        id: booking.id.to_string(),
        event_id: booking.event.to_string(),
        user_id: booking.buyer,
        lines: booking.lines.into_iter().map(line).collect(),
        timeout_seconds: booking.hold_seconds.map(|seconds| to_i32(seconds.into())).unwrap_or_default(),
        state: booking.state.name().to_owned(),
        position: position.map(to_i64),
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

fn line(line: LineRequest) -> pb::RequestedLine {
    pb::RequestedLine {
        ticket_type_id: line.ticket_type.to_string(),
        quantity: to_i32(line.quantity.into()),
        seat_numbers: line.seats,
        pricing_category: line.category,
    }
}

/// Encodes the status of an event's queue.
#[must_use]
pub(crate) fn status(status: &QueueStatus) -> pb::GetQueueStatusResponse {
    pb::GetQueueStatusResponse {
        event_id: status.queue.id.to_string(),
        waiting: to_i64(status.waiting),
        active: to_i64(status.active),
        max_active: to_i32(status.queue.max_active.into()),
        active_seconds: to_i32(status.queue.active_seconds.into()),
        required: status.queue.required,
        etag: status_etag(status),
    }
}

/// Encodes the terms of an event's queue.
#[must_use]
pub(crate) fn queue(queue: &Queue) -> pb::SetQueueResponse {
    pb::SetQueueResponse {
        event_id: queue.id.to_string(),
        max_active: to_i32(queue.max_active.into()),
        active_seconds: to_i32(queue.active_seconds.into()),
        required: queue.required,
        updated_at: time(queue.updated_at),
        etag: etag(queue.version),
    }
}

#[cfg(test)]
mod tests {
    use tessera_core::{IfVersion, Timestamp};

    use super::*;
    use crate::state::accepted_versions;

    #[test]
    fn entity_tags_differ_by_position_and_counts() {
        let now = Timestamp::from_micros(0).unwrap();
        let tag = |(waiting, active)| {
            let queue = Queue { version: 3, ..Queue::default_of(EventId::generate(), now) };
            status_etag(&QueueStatus { queue, waiting, active })
        };
        let tags: Vec<_> = [(0, 0), (0, 1), (1, 0), (1, 1), (10, 0)].map(tag).into();
        for (index, tag) in tags.iter().enumerate() {
            assert!(!tags[..index].contains(tag), "{tag} twice");
            assert_eq!(accepted_versions(tag), IfVersion::one_of([3]));
        }
    }

    #[test]
    fn negative_numbers_are_refused_by_field() {
        let id = EventId::generate().to_string();
        let line = pb::RequestedLine { quantity: -1, ticket_type_id: id.clone(), ..Default::default() };
        let request = pb::EnqueueBookingRequest { event_id: id, ..Default::default() };
        let lines = pb::EnqueueBookingRequest { lines: vec![line], ..request.clone() };
        let seconds = pb::EnqueueBookingRequest { timeout_seconds: -1, ..request };
        for (request, field) in [(lines, "lines[0].quantity"), (seconds, "timeout_seconds")] {
            assert_eq!(enqueue(request).unwrap_err().faults()[0].field, field);
        }
        let both = pb::SetQueueRequest { max_active: -1, active_seconds: -1, ..Default::default() };
        let error = terms(&both).unwrap_err();
        let fields: Vec<_> = error.faults().iter().map(|fault| fault.field.as_str()).collect();
        assert_eq!(fields, ["max_active", "active_seconds"]);
    }
}
