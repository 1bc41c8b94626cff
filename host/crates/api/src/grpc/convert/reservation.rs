//! Reservations, and what can still be had.

use tessera_core::id::EventId;
use tessera_core::inventory::availability::AvailableType;
use tessera_core::inventory::reservation::Unit;
use tessera_core::inventory::{AvailabilityUpdate, Reservation};
use tessera_core::value::Money;
use tessera_proto::common::v1 as common;
use tessera_proto::ticket::v1 as pb;

use crate::grpc::convert::{count, large, time};
use crate::inventory::{WrittenLine, WrittenReservation};
use crate::request::etag;

fn money(held: &Money) -> common::Money {
    common::Money { amount: held.amount, currency: held.currency.clone() }
}

/// Units of a ticket type, as a client writes them.
#[must_use]
pub fn written(line: pb::ReservationLine) -> WrittenLine {
    WrittenLine {
        ticket_type_id: line.ticket_type_id,
        quantity: line.quantity,
        seat_numbers: line.seat_numbers,
    }
}

/// What is asked for.
#[must_use]
pub fn reserve(ask: pb::ReserveTicketsRequest) -> WrittenReservation {
    let single = WrittenLine {
        ticket_type_id: ask.ticket_type_id,
        quantity: ask.quantity,
        seat_numbers: ask.seat_numbers,
    };
    WrittenReservation {
        event_id: ask.event_id,
        single,
        lines: ask.lines.into_iter().map(written).collect(),
        user_id: ask.user_id,
        timeout_seconds: ask.timeout_seconds,
    }
}

/// A reservation.
#[must_use]
pub fn reservation(held: &Reservation) -> pb::Reservation {
    let lines = held.lines.iter().zip(held.quantities()).map(|(line, quantity)| pb::ReservationLine {
        ticket_type_id: line.ticket_type.to_string(),
        quantity: count(quantity.into()),
        seat_numbers: Vec::new(),
        price: Some(money(&line.price)),
    });
    pb::Reservation {
        id: held.id.to_string(),
        event_id: held.event.to_string(),
        user_id: held.buyer.clone(),
        state: held.state.name().to_owned(),
        lines: lines.collect(),
        tickets: tickets(held),
        total: held.total().as_ref().map(money),
        payment_reference: held.payment_reference.clone().unwrap_or_default(),
        created_by: held.created_by.clone(),
        created_at: time(held.created_at),
        updated_at: time(held.updated_at),
        expires_at: time(held.expires_at),
        etag: etag(held.version),
    }
}

/// The units that are still in a reservation.
#[must_use]
pub fn tickets(held: &Reservation) -> Vec<pb::ReservedTicket> {
    let ticket = |unit: &Unit| {
        let line = held.lines.get(unit.line)?;
        Some(pb::ReservedTicket {
            id: unit.id.to_string(),
            ticket_type_id: line.ticket_type.to_string(),
            seat_number: unit.seat.as_ref().map(|seat| seat.label.clone()).unwrap_or_default(),
            price: Some(money(&line.price)),
        })
    };
    held.units.iter().filter_map(ticket).collect()
}

/// What can be had of a ticket type.
#[must_use]
pub fn available(held: AvailableType) -> pb::AvailableTickets {
    let text = held.ticket_type.attributes;
    pb::AvailableTickets {
        ticket_type_id: held.ticket_type.id.to_string(),
        name: text.name,
        price: Some(money(&text.price)),
        quantity: held.quantity.map(large),
        seat_numbers: held.seats.into_iter().map(|seat| seat.label).collect(),
    }
}

/// An event's availability at a moment.
#[must_use]
pub fn levels(event: EventId, update: &AvailabilityUpdate) -> pb::StreamAvailabilityResponse {
    let types = update.availability.types.iter().map(|level| pb::TypeAvailability {
        ticket_type_id: level.ticket_type.to_string(),
        name: level.name.clone(),
        quantity: level.quantity.map(large),
        available_quantity: level.available.map(large),
    });
    let seats = update.seats.iter().map(|seat| pb::SeatAvailability {
        ticket_type_id: seat.ticket_type.to_string(),
        seat_number: seat.label.clone(),
        free: seat.free,
    });
    pb::StreamAvailabilityResponse {
        event_id: event.to_string(),
        status: update.availability.status.name().to_owned(),
        at: time(update.availability.at),
        types: types.collect(),
        seats: seats.collect(),
        seats_missed: update.seats_missed,
    }
}
