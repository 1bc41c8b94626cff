//! What both transports need of reservations and supply: what was asked for, whichever way it was written.

use std::collections::BTreeMap;

use tessera_core::id::{EventId, PoolId, TicketId, TicketTypeId};
use tessera_core::inventory::{CreateReservation, LineRequest, Reservation};
use tessera_core::text::Faults;
use tessera_core::{App, Ctx, Error, Result};

use crate::catalog::{count, small};

/// What the one line of a reservation that has no `lines` is called on the inside.
const SINGLE: &str = "lines[0].";

/// Units of a ticket type, as a client writes them.
#[derive(Debug, Default)]
pub struct WrittenLine {
    /// The ticket type.
    pub ticket_type_id: String,
    /// How many.
    pub quantity: i32,
    /// Labels of seats.
    pub seat_numbers: Vec<String>,
}

/// A reservation, as a client writes it: by the fields of one line, or by lines.
#[derive(Debug, Default)]
pub struct WrittenReservation {
    /// The event.
    pub event_id: String,
    /// The one line.
    pub single: WrittenLine,
    /// Several lines.
    pub lines: Vec<WrittenLine>,
    /// For whom it is.
    pub user_id: String,
    /// How many seconds it is held; 0: as long as is usual.
    pub timeout_seconds: i32,
}

impl WrittenReservation {
    /// Reserves what is asked for; a fault is told by the field that the client wrote.
    pub async fn reserve(self, app: &App, ctx: &Ctx) -> Result<Reservation> {
        let is_single = self.lines.is_empty();
        let reserved = match self.read() {
            Ok(asked) => app.reservations.reserve(ctx, asked).await,
            Err(error) => Err(error),
        };
        if !is_single {
            return reserved;
        }
        reserved.map_err(|error| error.renamed(|field| field.strip_prefix(SINGLE).map(str::to_owned)))
    }

    /// What is asked for.
    fn read(self) -> Result<CreateReservation> {
        let single = &self.single;
        let names_one =
            !single.ticket_type_id.is_empty() || single.quantity != 0 || !single.seat_numbers.is_empty();
        let lines = match (names_one, self.lines.is_empty()) {
            (true, true) => vec![self.single],
            (false, false) => self.lines,
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
        let seconds = small("timeout_seconds", Some(self.timeout_seconds), &mut faults);
        let event = EventId::parse("event_id", &self.event_id)?;
        let lines = read_lines(lines)?;
        faults.into_result()?;
        Ok(CreateReservation {
            event,
            buyer: self.user_id,
            lines,
            seconds: seconds.filter(|seconds| *seconds > 0),
        })
    }
}

/// The units of a reservation that a client names.
pub fn unit_ids(named: &[String]) -> Result<Vec<TicketId>> {
    let read = |(index, id): (usize, &String)| TicketId::parse(&format!("ticket_ids[{index}]"), id);
    named.iter().enumerate().map(read).collect()
}

/// Another capacity of a pool, as a client writes it.
#[derive(Debug)]
pub struct WrittenCapacity<'a> {
    /// The pool.
    pub pool_id: &'a str,
    /// How many units it has.
    pub capacity: Option<i64>,
    /// Whether it sets no bound.
    pub unbounded: bool,
}

/// Which pools get which capacities; `lifts` says how a client writes that a pool sets no bound.
pub fn capacities<'a>(
    asked: impl Iterator<Item = WrittenCapacity<'a>>,
    lifts: &str,
) -> Result<BTreeMap<PoolId, Option<u64>>> {
    let (mut faults, mut read) = (Faults::default(), BTreeMap::new());
    for (index, asked) in asked.enumerate() {
        let (pool_field, field) = (format!("pools[{index}].pool_id"), format!("pools[{index}].capacity"));
        let Some(pool) = faults.take(PoolId::parse(&pool_field, asked.pool_id)) else { continue };
        match (asked.capacity, asked.unbounded) {
            // A bound is lifted by saying so only.
            (None, false) => faults.add(&field, format_args!("must be given; {lifts} sets no bound")),
            (Some(_), true) => {
                faults.add(&field, format_args!("is given, and {lifts} sets no bound; use one or the other"))
            }
            (Some(_), false) | (None, true) => {}
        }
        if read.insert(pool, count(&field, asked.capacity, &mut faults)).is_some() {
            faults.add(&pool_field, "is named twice");
        }
    }
    faults.into_result().map(|()| read)
}

/// The lines that are asked for.
pub(crate) fn read_lines(lines: Vec<WrittenLine>) -> Result<Vec<LineRequest>> {
    lines.into_iter().enumerate().map(|(index, line)| read_line(index, line)).collect()
}

fn read_line(index: usize, line: WrittenLine) -> Result<LineRequest> {
    let at = |name: &str| format!("lines[{index}].{name}");
    let ticket_type = TicketTypeId::parse(&at("ticket_type_id"), &line.ticket_type_id)?;
    let mut faults = Faults::default();
    let quantity = small(&at("quantity"), Some(line.quantity), &mut faults).unwrap_or_default();
    faults.into_result()?;
    Ok(LineRequest { ticket_type, quantity, seats: line.seat_numbers })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told<'a>(asked: impl IntoIterator<Item = (&'a str, Option<i64>, bool)>) -> Vec<String> {
        let asked = asked.into_iter().map(|(pool_id, capacity, unbounded)| WrittenCapacity {
            pool_id,
            capacity,
            unbounded,
        });
        let read = capacities(asked, "null");
        read.err()
            .map(|error| error.faults().iter().map(tessera_core::Violation::sentence).collect())
            .unwrap_or_default()
    }

    #[test]
    fn a_bound_is_lifted_by_saying_so_and_every_fault_is_told() {
        let (one, other) = (PoolId::generate().to_string(), PoolId::generate().to_string());
        let asked = [(&*one, Some(5), false), (&*other, None, true)];
        assert_eq!(told(asked), Vec::<String>::new());
        let asked = [
            (&*one, None, false),
            (&*other, Some(5), true),
            ("seven", Some(1), false),
            (&*one, Some(-1), false),
        ];
        let faults = told(asked);
        assert_eq!(
            faults[..2],
            [
                "pools[0].capacity must be given; null sets no bound",
                "pools[1].capacity is given, and null sets no bound; use one or the other",
            ]
        );
        assert!(faults[2].starts_with("pools[2].pool_id is "), "{faults:?}");
        assert_eq!(faults[3..], ["pools[3].capacity is negative", "pools[3].pool_id is named twice"]);
    }

    #[test]
    fn a_unit_that_is_none_is_told_by_its_place() {
        let named = [TicketId::generate().to_string(), "seven".to_owned()];
        assert_eq!(unit_ids(&named).unwrap_err().faults()[0].field, "ticket_ids[1]");
    }
}
