//! The choice of seats for a reservation.

use std::collections::HashSet;

use crate::error::{Error, ErrorKind, Result};
use crate::id::{SeatId, TicketId};
use crate::inventory::Reservation;
use crate::inventory::batch_state::BatchState;
use crate::inventory::job::{Reserve, ReserveLine, exhausted};
use crate::inventory::reservation::UnitSeat;
use crate::inventory::seat::{Seat, choose};

impl BatchState {
    /// Returns whether a seat that the reservation could get belongs to a due hold.
    pub(super) fn seats_are_due(&self, request: &Reserve) -> bool {
        let is_candidate =
            |seat: &Seat| request.lines.iter().any(|line| line.ticket_type == seat.ticket_type);
        let is_due = |id: TicketId| self.due.iter().any(|hold| hold.units.iter().any(|unit| unit.id == id));
        self.seats.iter().filter(|seat| is_candidate(seat)).any(|seat| seat.unit.is_some_and(is_due))
    }

    /// Chooses the seats of each line; none for ticket types without seats.
    pub(super) fn choose_seats(&self, request: &Reserve) -> Result<Vec<Vec<UnitSeat>>> {
        let mut earlier_seats = HashSet::new();
        let mut seats_by_line = Vec::with_capacity(request.lines.len());
        for (index, line) in request.lines.iter().enumerate() {
            let seated = self.types.get(&line.ticket_type).is_some_and(|terms| terms.seated);
            let seats = match (seated, line.seats.is_empty()) {
                (false, _) => Vec::new(),
                (true, false) => self.requested_seats(line, index, &earlier_seats)?,
                (true, true) => self.any_seats(line, &earlier_seats)?,
            };
            earlier_seats.extend(seats.iter().map(|seat| seat.id));
            seats_by_line.push(seats);
        }
        Ok(seats_by_line)
    }

    fn requested_seats(
        &self,
        line: &ReserveLine,
        index: usize,
        earlier_seats: &HashSet<SeatId>,
    ) -> Result<Vec<UnitSeat>> {
        let field = format!("lines[{index}].seat_numbers");
        let mut seats = Vec::with_capacity(line.seats.len());
        for label in &line.seats {
            let matches = |seat: &&Seat| seat.ticket_type == line.ticket_type && seat.label == *label;
            let seat = self.seats.iter().find(matches);
            let seat = seat.ok_or_else(|| {
                Error::invalid(&field, format!("names {label:?}, which is not a seat of the ticket type"))
            })?;
            // Labels are unique within a line, but another line may have the same one.
            if earlier_seats.contains(&seat.id) {
                return Err(Error::invalid(&field, format!("names {label:?} twice")));
            }
            if seat.unit.is_some() {
                let message = format!("the seat {label:?} is taken");
                return Err(Error::new(ErrorKind::Precondition, "SEAT_TAKEN", message));
            }
            seats.push(UnitSeat { id: seat.id, label: label.clone() });
        }
        Ok(seats)
    }

    fn any_seats(&self, line: &ReserveLine, earlier_seats: &HashSet<SeatId>) -> Result<Vec<UnitSeat>> {
        let is_free = |seat: &&Seat| {
            seat.ticket_type == line.ticket_type && seat.unit.is_none() && !earlier_seats.contains(&seat.id)
        };
        let mut free: Vec<_> = self.seats.iter().filter(is_free).collect();
        free.sort_by(|one, other| (&one.row, one.number).cmp(&(&other.row, other.number)));
        let seats = choose(&free, line.units.len());
        if seats.len() < line.units.len() {
            let message = format!("{} seats are wanted, and {} are left", line.units.len(), seats.len());
            return Err(exhausted(message));
        }
        let with_label = |id: SeatId| {
            let seat = free.iter().find(|seat| seat.id == id);
            UnitSeat { id, label: seat.map(|seat| seat.label.clone()).unwrap_or_default() }
        };
        Ok(seats.into_iter().map(with_label).collect())
    }

    /// Gives the seats of a new reservation to its units.
    pub(super) fn take_seats(&mut self, reservation: &Reservation) {
        for unit in &reservation.units {
            self.move_seat(reservation, unit, Some((unit.id, reservation.id)));
        }
    }
}
