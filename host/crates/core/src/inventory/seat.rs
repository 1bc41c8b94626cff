//! Numbered seats of a ticket type, and the choice among free ones.

use crate::filter::{Kind, Spec};
use crate::id::{EventId, SeatId, TicketId, TicketTypeId};

/// The most seats of one ticket type, and of one import.
pub const MAX_SEATS: usize = 100_000;

/// How many free seats are considered when adjacent ones are chosen.
pub const MAX_CANDIDATES: u32 = 2_000;

/// The filters and orders of lists of seats.
pub const SPEC: Spec = Spec { fields: &[("free", Kind::Boolean)], orders: &["place"] };

/// A seat.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Seat {
    /// Its id.
    pub id: SeatId,
    /// Its event.
    pub event: EventId,
    /// Its ticket type.
    pub ticket_type: TicketTypeId,
    /// Its row.
    pub row: String,
    /// Its number in the row.
    pub number: u32,
    /// Its label, unique within the ticket type.
    pub label: String,
    /// The unit that has the seat; `None` if it is free.
    pub unit: Option<TicketId>,
}

/// Chooses `quantity` of these free seats, which are sorted by row and number: adjacent ones if possible, else the
/// longest runs first.
#[must_use]
pub fn choose(free: &[&Seat], quantity: usize) -> Vec<SeatId> {
    let runs = runs(free);
    let ids = |seats: &[&Seat]| seats.iter().map(|seat| seat.id).collect::<Vec<_>>();
    // The shortest run that suffices leaves the longer ones to larger groups.
    let fitting = runs.iter().filter(|run| run.len() >= quantity).min_by_key(|run| run.len());
    if let Some(run) = fitting {
        return ids(&run[..quantity]);
    }
    let mut longest: Vec<_> = runs;
    longest.sort_by_key(|run| std::cmp::Reverse(run.len()));
    let mut chosen = longest.into_iter().flatten().map(|seat| seat.id).collect::<Vec<_>>();
    chosen.truncate(quantity);
    chosen
}

/// Splits seats into runs of adjacent ones.
fn runs<'a>(free: &'a [&'a Seat]) -> Vec<&'a [&'a Seat]> {
    free.chunk_by(|one, next| one.row == next.row && next.number == one.number.saturating_add(1)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seats(numbers: &[(&str, u32)]) -> Vec<Seat> {
        let (event, ticket_type) = (EventId::generate(), TicketTypeId::generate());
        let seat = |(row, number): &(&str, u32)| Seat {
            id: SeatId::generate(),
            event,
            ticket_type,
            row: (*row).to_owned(),
            number: *number,
            label: format!("{row}{number}"),
            unit: None,
        };
        numbers.iter().map(seat).collect()
    }

    fn labels(seats: &[Seat], quantity: usize) -> Vec<String> {
        let free: Vec<_> = seats.iter().collect();
        let chosen = choose(&free, quantity);
        chosen.iter().map(|id| seats.iter().find(|seat| seat.id == *id).unwrap().label.clone()).collect()
    }

    #[test]
    fn adjacent_seats_are_preferred() {
        let seats = seats(&[("A", 1), ("A", 2), ("A", 4), ("A", 5), ("A", 6), ("B", 1)]);
        assert_eq!(labels(&seats, 1), ["B1"]);
        assert_eq!(labels(&seats, 2), ["A1", "A2"]);
        assert_eq!(labels(&seats, 3), ["A4", "A5", "A6"]);
        assert_eq!(labels(&seats, 4), ["A4", "A5", "A6", "A1"]);
        assert_eq!(labels(&seats, 7).len(), 6);
    }
}
