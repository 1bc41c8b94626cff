//! Reservations and availability.

use tessera_core::id::{EventId, QuoteId, TicketId, TicketTypeId};
use tessera_core::inventory::availability::AvailableType;
use tessera_core::inventory::reservation::Unit;
use tessera_core::inventory::{AvailabilityUpdate, CreateReservation, LineRequest, Reservation};
use tessera_core::text::Faults;
use tessera_core::value::Money;
use tessera_core::{Error, Result};
use tessera_proto::common::v1 as common;
use tessera_proto::ticket::v1 as pb;

use crate::convert::catalog::read_u32;
use crate::convert::{non_empty, text, time, to_i32, to_i64};
use crate::state::etag;

/// Encodes an amount of money.
#[must_use]
pub(crate) fn money(money: &Money) -> common::Money {
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
    let pb::ReserveTicketsRequest { ticket_type_id, quantity, seat_numbers, pricing_category, .. } = request;
    let single = pb::RequestedLine { ticket_type_id, quantity, seat_numbers, pricing_category };
    let quote = non_empty(request.quote_id).map(|id| QuoteId::parse("quote_id", &id)).transpose()?;
    let is_left_to_quote =
        quote.is_some() && request.lines.is_empty() && single == pb::RequestedLine::default();
    let lines =
        if is_left_to_quote { Vec::new() } else { one_or_several("ticket_type_id", single, request.lines)? };
    let mut faults = Faults::default();
    let seconds = read_u32("timeout_seconds", Some(request.timeout_seconds), &mut faults);
    let event = match quote {
        Some(_) if request.event_id.is_empty() => None,
        Some(_) | None => Some(EventId::parse("event_id", &request.event_id)?),
    };
    let lines = read_lines(lines)?;
    faults.into_result()?;
    Ok(CreateReservation {
        event,
        buyer: request.user_id,
        lines,
        seconds: seconds.filter(|seconds| *seconds > 0),
        quote,
        codes: request.codes,
        channel: request.channel,
    })
}

/// Returns the lines of a request: the single line, whose ticket type is in the field `id_field`, or several.
pub(crate) fn one_or_several(
    id_field: &str,
    single: pb::RequestedLine,
    several: Vec<pb::RequestedLine>,
) -> Result<Vec<pb::RequestedLine>> {
    match (single == pb::RequestedLine::default(), several.is_empty()) {
        (false, true) => Ok(vec![single]),
        (true, false) => Ok(several),
        (false, false) => {
            let message = format!("are given beside {id_field} and quantity; use one or the other");
            Err(Error::invalid("lines", message))
        }
        (true, true) => Err(Error::invalid(id_field, "must be given, with a quantity; or lines")),
    }
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
    Ok(LineRequest { ticket_type, quantity, seats: line.seat_numbers, category: line.pricing_category })
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
            pricing_category: non_empty(line.category.clone()),
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
        quote_id: text(reservation.quote),
        codes: reservation.codes.iter().map(|code_use| code_use.code.clone()).collect(),
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
            price: reservation.price(unit).as_ref().map(money),
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

    fn request() -> pb::ReserveTicketsRequest {
        pb::ReserveTicketsRequest { event_id: EventId::generate().to_string(), ..Default::default() }
    }

    #[test]
    fn single_line_has_a_category() {
        let ticket_type_id = TicketTypeId::generate().to_string();
        let single = pb::ReserveTicketsRequest {
            ticket_type_id,
            quantity: 2,
            pricing_category: "child".into(),
            codes: vec!["EARLY".into()],
            channel: "web".into(),
            ..request()
        };
        let read = reserve(single).unwrap();
        assert_eq!((read.lines.len(), read.lines[0].category.as_str()), (1, "child"));
        assert_eq!((read.codes, read.channel.as_str(), read.quote), (vec!["EARLY".to_owned()], "web", None));
    }

    #[test]
    fn quote_stands_for_event_and_lines() {
        let quote = QuoteId::generate();
        let quote_id = quote.to_string();
        let by_quote = pb::ReserveTicketsRequest { quote_id: quote_id.clone(), ..Default::default() };
        let read = reserve(by_quote).unwrap();
        assert_eq!((read.quote, read.event, read.lines), (Some(quote), None, Vec::new()));
        let half = pb::ReserveTicketsRequest { quote_id, quantity: 1, ..request() };
        assert_eq!(reserve(half).unwrap_err().faults()[0].field, "ticket_type_id");
        assert_eq!(reserve(request()).unwrap_err().faults()[0].field, "ticket_type_id");
        let bad = pb::ReserveTicketsRequest { quote_id: "q".into(), ..request() };
        assert_eq!(reserve(bad).unwrap_err().faults()[0].field, "quote_id");
    }

    #[test]
    fn invalid_unit_is_named_by_index() {
        let ids = [TicketId::generate().to_string(), "seven".to_owned()];
        assert_eq!(unit_ids(&ids).unwrap_err().faults()[0].field, "ticket_ids[1]");
    }
}
