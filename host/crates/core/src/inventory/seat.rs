//! Numbered seats of a ticket type, and which free ones are chosen when none are named.

use crate::filter::{Kind, Spec};
use crate::id::{EventId, SeatId, TicketId, TicketTypeId};

/// The most seats of one ticket type, and of one import.
pub const MAX_SEATS: usize = 100_000;

/// How many free seats are looked at to find some together.
pub const LOOKED_AT: u32 = 2_000;

/// What seats can be listed by.
pub const SPEC: Spec = Spec { fields: &[("free", Kind::Boolean)], orders: &["place"] };

/// A seat.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Seat {
    /// Its id.
    pub id: SeatId,
    /// Its event.
    pub event: EventId,
    /// The type of which it is a seat.
    pub ticket_type: TicketTypeId,
    /// The row in which it stands.
    pub row: String,
    /// Its number in the row.
    pub number: u32,
    /// What it says on it, once in a type.
    pub label: String,
    /// The unit that has it.
    pub unit: Option<TicketId>,
}

/// Chooses `wanted` of these free seats, which are sorted by row and number: side by side where a row has so many,
/// else as few pieces as can be found from the front.
#[must_use]
pub fn choose(free: &[&Seat], wanted: usize) -> Vec<SeatId> {
    let runs = runs(free);
    let ids = |seats: &[&Seat]| seats.iter().map(|seat| seat.id).collect::<Vec<_>>();
    // The shortest run that suffices leaves the long ones to larger parties.
    let fitting = runs.iter().filter(|run| run.len() >= wanted).min_by_key(|run| run.len());
    if let Some(run) = fitting {
        return ids(&run[..wanted]);
    }
    let mut longest: Vec<_> = runs;
    longest.sort_by_key(|run| std::cmp::Reverse(run.len()));
    let mut chosen = longest.into_iter().flatten().map(|seat| seat.id).collect::<Vec<_>>();
    chosen.truncate(wanted);
    chosen
}

/// Seats that stand side by side.
fn runs<'a>(free: &'a [&'a Seat]) -> Vec<&'a [&'a Seat]> {
    free.chunk_by(|one, next| one.row == next.row && next.number == one.number.saturating_add(1)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seats(places: &[(&str, u32)]) -> Vec<Seat> {
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
        places.iter().map(seat).collect()
    }

    fn labels(seats: &[Seat], wanted: usize) -> Vec<String> {
        let free: Vec<_> = seats.iter().collect();
        let chosen = choose(&free, wanted);
        chosen.iter().map(|id| seats.iter().find(|seat| seat.id == *id).unwrap().label.clone()).collect()
    }

    #[test]
    fn seats_are_chosen_together_where_they_can_be() {
        let seats = seats(&[("A", 1), ("A", 2), ("A", 4), ("A", 5), ("A", 6), ("B", 1)]);
        assert_eq!(labels(&seats, 1), ["B1"]);
        assert_eq!(labels(&seats, 2), ["A1", "A2"]);
        assert_eq!(labels(&seats, 3), ["A4", "A5", "A6"]);
        assert_eq!(labels(&seats, 4), ["A4", "A5", "A6", "A1"]);
        assert_eq!(labels(&seats, 7).len(), 6);
    }
}
