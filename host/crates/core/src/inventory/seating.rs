//! Which seats a reservation gets, and whose they are afterwards: the part of the verdict that is about seats.

use std::collections::HashSet;

use crate::error::{Error, ErrorKind, Result};
use crate::id::{ReservationId, SeatId, TicketId};
use crate::inventory::job::{Reserve, Wanted};
use crate::inventory::reservation::{Unit, UnitSeat};
use crate::inventory::rules::{SeatMove, exhausted};
use crate::inventory::seat::{Seat, choose};
use crate::inventory::{Book, Reservation};

/// Refuses labels that are not one for each unit, or that name a seat twice.
pub(super) fn check_labels(field: &str, labels: &[String], units: usize) -> Result<()> {
    if labels.is_empty() {
        return Ok(());
    }
    if labels.len() != units {
        return Err(Error::invalid(field, format!("names {} seats for {units} units", labels.len())));
    }
    let mut named = HashSet::with_capacity(units);
    match labels.iter().find(|label| !named.insert(label.as_str())) {
        Some(label) => Err(Error::invalid(field, format!("names {label:?} twice"))),
        None => Ok(()),
    }
}

impl Book {
    /// Whether a seat that is wanted, or may be, belongs to a hold that is due.
    pub(super) fn seats_are_due(&self, wanted: &Reserve) -> bool {
        let of = |seat: &Seat| wanted.lines.iter().any(|line| line.ticket_type == seat.ticket_type);
        let due = |unit: TicketId| self.due.iter().any(|held| held.units.iter().any(|held| held.id == unit));
        self.seats.iter().filter(|seat| of(seat)).any(|seat| seat.unit.is_some_and(due))
    }

    /// The seats of each line; none for types that have none.
    pub(super) fn choose_seats(&self, wanted: &Reserve) -> Result<Vec<Vec<UnitSeat>>> {
        let mut taken = HashSet::new();
        let mut chosen = Vec::with_capacity(wanted.lines.len());
        for (index, line) in wanted.lines.iter().enumerate() {
            let seated = self.types.get(&line.ticket_type).is_some_and(|terms| terms.seated);
            let seats = match (seated, line.seats.is_empty()) {
                (false, _) => Vec::new(),
                (true, false) => self.named_seats(line, index, &taken)?,
                (true, true) => self.any_seats(line, &taken)?,
            };
            taken.extend(seats.iter().map(|seat| seat.id));
            chosen.push(seats);
        }
        Ok(chosen)
    }

    fn named_seats(&self, line: &Wanted, index: usize, taken: &HashSet<SeatId>) -> Result<Vec<UnitSeat>> {
        let field = format!("lines[{index}].seat_numbers");
        let mut named = Vec::with_capacity(line.seats.len());
        for label in &line.seats {
            let same = |seat: &&Seat| seat.ticket_type == line.ticket_type && seat.label == *label;
            let seat = self.seats.iter().find(same);
            let seat =
                seat.ok_or_else(|| Error::invalid(&field, format!("names {label:?}, which is no seat")))?;
            // Of this line each label is named once; another line may have named it.
            if taken.contains(&seat.id) {
                return Err(Error::invalid(&field, format!("names {label:?} twice")));
            }
            if seat.unit.is_some() {
                let message = format!("the seat {label:?} is taken");
                return Err(Error::new(ErrorKind::Precondition, "SEAT_TAKEN", message));
            }
            named.push(UnitSeat { id: seat.id, label: label.clone() });
        }
        Ok(named)
    }

    fn any_seats(&self, line: &Wanted, taken: &HashSet<SeatId>) -> Result<Vec<UnitSeat>> {
        let free = |seat: &&Seat| {
            seat.ticket_type == line.ticket_type && seat.unit.is_none() && !taken.contains(&seat.id)
        };
        let mut free: Vec<_> = self.seats.iter().filter(free).collect();
        free.sort_by(|one, other| (&one.row, one.number).cmp(&(&other.row, other.number)));
        let chosen = choose(&free, line.units.len());
        if chosen.len() < line.units.len() {
            return Err(exhausted(format!(
                "{} seats are wanted, and {} are left",
                line.units.len(),
                chosen.len()
            )));
        }
        let label = |id: SeatId| {
            let seat = free.iter().find(|seat| seat.id == id);
            UnitSeat { id, label: seat.map(|seat| seat.label.clone()).unwrap_or_default() }
        };
        Ok(chosen.into_iter().map(label).collect())
    }

    pub(super) fn take_seats(&mut self, reservation: &Reservation) {
        for unit in &reservation.units {
            self.move_seat(reservation, unit, Some((unit.id, reservation.id)));
        }
    }

    pub(super) fn move_seat(&mut self, of: &Reservation, unit: &Unit, is: Option<(TicketId, ReservationId)>) {
        let (Some(held), Some(line)) = (&unit.seat, of.lines.get(unit.line)) else { return };
        let was = if is.is_none() { Some(unit.id) } else { None };
        let first = SeatMove { ticket_type: line.ticket_type, was, is };
        self.writes.seats.entry(held.id).or_insert(first).is = is;
        if let Some(seat) = self.seats.iter_mut().find(|seat| seat.id == held.id) {
            seat.unit = is.map(|(unit, _)| unit);
        }
    }
}
