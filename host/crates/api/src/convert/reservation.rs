//! Reservations and availability.

use tessera_core::id::{EventId, TicketId, TicketTypeId};
use tessera_core::inventory::availability::AvailableType;
use tessera_core::inventory::reservation::Unit;
use tessera_core::inventory::{AvailabilityUpdate, CreateReservation, LineRequest, Reservation};
use tessera_core::text::Faults;
use tessera_core::value::Money;
use tessera_core::{Error, Result};
use tessera_proto::common::v1 as common;
use tessera_proto::ticket::v1 as pb;

use crate::convert::catalog::read_u32;
use crate::convert::{time, to_i32, to_i64};
use crate::state::etag;

fn money(money: &Money) -> common::Money {
    common::Money { amount: money.amount, currency: money.currency.clone() }
}

/// Reads a reservation request: one line in the single fields, or `lines`.
pub(crate) fn reserve(request: pb::ReserveTicketsRequest) -> Result<CreateReservation> {
    let is_single = request.lines.is_empty();
    read_reservation(request).map_err(|error| if is_single { rename_single_line(error) } else { error })
}

/// Renames the fields in faults of the only line to the single fields of the request.
#[must_use]
pub(crate) fn rename_single_line(error: Error) -> Error {
    error.renamed(|field| field.strip_prefix("lines[0].").map(str::to_owned))
}

fn read_reservation(request: pb::ReserveTicketsRequest) -> Result<CreateReservation> {
    let pb::ReserveTicketsRequest { event_id, ticket_type_id, quantity, seat_numbers, user_id, .. } = request;
    let has_single_line = !ticket_type_id.is_empty() || quantity != 0 || !seat_numbers.is_empty();
    let lines = match (has_single_line, request.lines.is_empty()) {
        (true, true) => vec![pb::RequestedLine { ticket_type_id, quantity, seat_numbers }],
        (false, false) => request.lines,
        (true, false) => {
            return Err(Error::invalid(
                "lines",
                "are given beside ticket_type_id and quantity; use one or the other",
            ));
        }
        (false, true) => {
            return Err(Error::invalid("ticket_type_id", "must be given, with a quantity; or lines"));
        }
    };
    let mut faults = Faults::default();
    let seconds = read_u32("timeout_seconds", Some(request.timeout_seconds), &mut faults);
    let event = EventId::parse("event_id", &event_id)?;
    let lines = read_lines(lines)?;
    faults.into_result()?;
    Ok(CreateReservation { event, buyer: user_id, lines, seconds: seconds.filter(|seconds| *seconds > 0) })
}

/// Reads the requested lines.
pub(crate) fn read_lines(lines: Vec<pb::RequestedLine>) -> Result<Vec<LineRequest>> {
    lines.into_iter().enumerate().map(|(index, line)| read_line(index, line)).collect()
}

fn read_line(index: usize, line: pb::RequestedLine) -> Result<LineRequest> {
    let at = |name: &str| format!("lines[{index}].{name}");
    let ticket_type = TicketTypeId::parse(&at("ticket_type_id"), &line.ticket_type_id)?;
    let mut faults = Faults::default();
    let quantity = read_u32(&at("quantity"), Some(line.quantity), &mut faults).unwrap_or_default();
    faults.into_result()?;
    Ok(LineRequest { ticket_type, quantity, seats: line.seat_numbers })
}

/// Reads the units to release.
pub(crate) fn unit_ids(ids: &[String]) -> Result<Vec<TicketId>> {
    let read = |(index, id): (usize, &String)| TicketId::parse(&format!("ticket_ids[{index}]"), id);
    ids.iter().enumerate().map(read).collect()
}

/// Encodes a reservation.
#[must_use]
pub(crate) fn reservation(reservation: &Reservation) -> pb::Reservation {
    let lines =
        reservation.lines.iter().zip(reservation.quantities()).map(|(line, quantity)| pb::ReservationLine {
            ticket_type_id: line.ticket_type.to_string(),
            quantity: to_i32(quantity.into()),
            price: Some(money(&line.price)),
        });
    pb::Reservation {
        id: reservation.id.to_string(),
        event_id: reservation.event.to_string(),
        user_id: reservation.buyer.clone(),
        state: reservation.state.name().to_owned(),
        lines: lines.collect(),
        tickets: tickets(reservation),
        total: reservation.total().as_ref().map(money),
        payment_reference: reservation.payment_reference.clone(),
        created_by: reservation.created_by.clone(),
        created_at: time(reservation.created_at),
        updated_at: time(reservation.updated_at),
        expires_at: time(reservation.expires_at),
        etag: etag(reservation.version),
    }
}

/// Encodes the units of a reservation.
#[must_use]
pub(crate) fn tickets(reservation: &Reservation) -> Vec<pb::ReservedTicket> {
    let ticket = |unit: &Unit| {
        let line = reservation.lines.get(unit.line)?;
        Some(pb::ReservedTicket {
            id: unit.id.to_string(),
            ticket_type_id: line.ticket_type.to_string(),
            seat_number: unit.seat.as_ref().map(|seat| seat.label.clone()),
            price: Some(money(&line.price)),
        })
    };
    reservation.units.iter().filter_map(ticket).collect()
}

/// Encodes the available units of a ticket type.
#[must_use]
pub(crate) fn available(available_type: AvailableType) -> pb::AvailableTickets {
    let attributes = available_type.ticket_type.attributes;
    pb::AvailableTickets {
        ticket_type_id: available_type.ticket_type.id.to_string(),
        name: attributes.name,
        price: Some(money(&attributes.price)),
        quantity: available_type.quantity.map(to_i64),
        seat_numbers: available_type.seats.into_iter().map(|seat| seat.label).collect(),
    }
}

/// Encodes an event's availability.
#[must_use]
pub(crate) fn availability(event: EventId, update: &AvailabilityUpdate) -> pb::StreamAvailabilityResponse {
    let types = update.availability.types.iter().map(|level| pb::TypeAvailability {
        ticket_type_id: level.ticket_type.to_string(),
        name: level.name.clone(),
        quantity: level.quantity.map(to_i64),
        available_quantity: level.available.map(to_i64),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invalid_unit_is_named_by_index() {
        let ids = [TicketId::generate().to_string(), "seven".to_owned()];
        assert_eq!(unit_ids(&ids).unwrap_err().faults()[0].field, "ticket_ids[1]");
    }
}
