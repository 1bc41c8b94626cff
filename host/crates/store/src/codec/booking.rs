//! Queues, bookings and tenants' hold rules as recorded answers, and the lines of bookings.

use serde::{Deserialize, Serialize};
use tessera_core::Result;
use tessera_core::booking::{Booking, BookingState, Queue};
use tessera_core::id::{BookingId, EventId, ReservationId, TenantId, TicketTypeId};
use tessera_core::inventory::HoldRules;
use tessera_core::inventory::{LineRequest, TenantHoldRules};
use uuid::Uuid;

use super::scalar::{corrupt, moment};

#[derive(Serialize, Deserialize)]
pub(crate) struct StoredRequestedLine {
    #[serde(rename = "type")]
    ticket_type: Uuid,
    quantity: u32,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    seats: Vec<String>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    category: String,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct StoredQueue {
    event: Uuid,
    served: u32,
    seconds: u32,
    required: bool,
    updated_at: i64,
    version: u64,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct StoredBooking {
    id: Uuid,
    event: Uuid,
    buyer: String,
    lines: Vec<StoredRequestedLine>,
    hold_seconds: Option<u32>,
    state: String,
    entered_at: i64,
    active_at: Option<i64>,
    active_until: Option<i64>,
    reservation: Option<Uuid>,
    failure: Option<(String, String)>,
    created_by: String,
    updated_at: i64,
    version: u64,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct StoredTenantHolds {
    tenant: Uuid,
    usual: Option<u32>,
    least: Option<u32>,
    most: Option<u32>,
    updated_at: i64,
    version: u64,
}

pub(crate) fn stored_tenant_holds(holds: &TenantHoldRules) -> StoredTenantHolds {
    let HoldRules { default: usual, min: least, max: most } = holds.rules;
    let (updated_at, version) = (holds.updated_at.micros(), holds.version);
    StoredTenantHolds { tenant: holds.id.0, usual, least, most, updated_at, version }
}

pub(crate) fn tenant_holds(stored: &StoredTenantHolds) -> Result<TenantHoldRules> {
    Ok(TenantHoldRules {
        id: TenantId(stored.tenant),
        rules: HoldRules { default: stored.usual, min: stored.least, max: stored.most },
        updated_at: moment(stored.updated_at)?,
        version: stored.version,
    })
}

/// Decodes a booking's state.
pub(crate) fn booking_state(name: &str) -> Result<BookingState> {
    let state = BookingState::ALL.into_iter().find(|state| state.name() == name);
    state.ok_or_else(|| corrupt("a booking's state", name))
}

pub(crate) fn stored_requested_line(line: &LineRequest) -> StoredRequestedLine {
    StoredRequestedLine {
        ticket_type: line.ticket_type.0,
        quantity: line.quantity,
        seats: line.seats.clone(),
        category: line.category.clone(),
    }
}

pub(crate) fn requested_line(stored: StoredRequestedLine) -> LineRequest {
    LineRequest {
        ticket_type: TicketTypeId(stored.ticket_type),
        quantity: stored.quantity,
        seats: stored.seats,
        category: stored.category,
    }
}

pub(crate) fn stored_queue(queue: &Queue) -> StoredQueue {
    StoredQueue {
        event: queue.id.0,
        served: queue.max_active,
        seconds: queue.active_seconds,
        required: queue.required,
        updated_at: queue.updated_at.micros(),
        version: queue.version,
    }
}

pub(crate) fn queue(stored: &StoredQueue) -> Result<Queue> {
    Ok(Queue {
        id: EventId(stored.event),
        max_active: stored.served,
        active_seconds: stored.seconds,
        required: stored.required,
        updated_at: moment(stored.updated_at)?,
        version: stored.version,
    })
}

pub(crate) fn stored_booking(booking: &Booking) -> StoredBooking {
    StoredBooking {
        id: booking.id.0,
        event: booking.event.0,
        buyer: booking.buyer.clone(),
        lines: booking.lines.iter().map(stored_requested_line).collect(),
        hold_seconds: booking.hold_seconds,
        state: booking.state.name().to_owned(),
        entered_at: booking.entered_at.micros(),
        active_at: booking.active_at.map(|at| at.micros()),
        active_until: booking.active_until.map(|at| at.micros()),
        reservation: booking.reservation.map(|id| id.0),
        failure: booking.failure.clone(),
        created_by: booking.created_by.clone(),
        updated_at: booking.updated_at.micros(),
        version: booking.version,
    }
}

pub(crate) fn booking(stored: StoredBooking) -> Result<Booking> {
    Ok(Booking {
        id: BookingId(stored.id),
        event: EventId(stored.event),
        buyer: stored.buyer,
        lines: stored.lines.into_iter().map(requested_line).collect(),
        hold_seconds: stored.hold_seconds,
        state: booking_state(&stored.state)?,
        entered_at: moment(stored.entered_at)?,
        active_at: stored.active_at.map(moment).transpose()?,
        active_until: stored.active_until.map(moment).transpose()?,
        reservation: stored.reservation.map(ReservationId),
        failure: stored.failure,
        created_by: stored.created_by,
        updated_at: moment(stored.updated_at)?,
        version: stored.version,
    })
}
