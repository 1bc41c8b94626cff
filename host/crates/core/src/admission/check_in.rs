//! Check-ins: scans of tickets on the way in or out.
//!
//! The verdict of each follows from all check-ins of its ticket, in the order of their times. So offline scanners may
//! report late and in any order, with the same result.

use crate::admission::Ticket;
use crate::admission::ticket::Presence;
use crate::error::{Error, ErrorKind, Result};
use crate::filter::{Kind, Spec};
use crate::id::{CheckInId, EventId, TicketId};
use crate::time::Timestamp;

/// The most check-ins of one ticket.
pub const MAX_OF_TICKET: usize = 500;

/// The largest page of check-ins.
pub const MAX_PAGE: u32 = 200;

/// The direction of a check-in.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub enum Direction {
    /// Into the event.
    #[default]
    In,
    /// Out of it.
    Out,
}

/// The verdict on a check-in.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Verdict {
    /// Admitted, or let out.
    Accepted,
    /// Refused: the ticket was used before.
    Duplicate,
    /// Refused: a check-out without a check-in.
    Stray,
    /// Refused: the ticket or the code was no longer valid.
    Void,
}

/// When and by which principal a check-in was undone.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Undone {
    /// The principal.
    pub by: String,
    /// The time.
    pub at: Timestamp,
}

/// A check-in.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct CheckIn {
    /// Its id.
    pub id: CheckInId,
    /// The event.
    pub event: EventId,
    /// The ticket.
    pub ticket: TicketId,
    /// In or out.
    pub direction: Direction,
    /// Its verdict.
    pub verdict: Verdict,
    /// The time of the scan, by the clock of the store or of an offline scanner.
    pub at: Timestamp,
    /// The gate.
    pub gate: String,
    /// The device; empty if unknown.
    pub device: String,
    /// The staff member; empty if unknown.
    pub staff: String,
    /// The device's own id of the scan; `None` if it was recorded online.
    pub nonce: Option<String>,
    /// The serial of the scanned code; `None` if the ticket was given by its id.
    pub serial: Option<u16>,
    /// Whether the event allowed re-entry at that time. The verdict depends on this, whatever the event allows later.
    pub reentry: bool,
    /// The principal that reported it.
    pub created_by: String,
    /// When it was recorded.
    pub recorded_at: Timestamp,
    /// When and by which principal it was undone.
    pub undone: Option<Undone>,
}

/// The filters and orders of lists of check-ins.
pub const SPEC: Spec = Spec {
    fields: &[
        ("ticket", Kind::Id),
        ("gate", Kind::Text),
        ("device", Kind::Text),
        ("staff", Kind::Text),
        ("direction", Kind::Text),
        ("verdict", Kind::Text),
        ("undone", Kind::Boolean),
        ("at", Kind::Time),
    ],
    orders: &["at"],
};

impl Direction {
    /// All values.
    pub const ALL: [Self; 2] = [Self::In, Self::Out];

    /// Returns its stable name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::In => "in",
            Self::Out => "out",
        }
    }

    /// Reads a direction that a client sent in `field`; empty means in.
    pub fn parse(field: &str, text: &str) -> Result<Self> {
        match text {
            "" | "in" => Ok(Self::In),
            "out" => Ok(Self::Out),
            other => Err(Error::invalid(field, format!("is {other:?}; \"in\" or \"out\" is expected"))),
        }
    }
}

impl Verdict {
    /// All values.
    pub const ALL: [Self; 4] = [Self::Accepted, Self::Duplicate, Self::Stray, Self::Void];

    /// Returns its stable name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Duplicate => "duplicate",
            Self::Stray => "stray",
            Self::Void => "void",
        }
    }
}

/// Sets the verdict of each check-in of a ticket, and returns their result.
pub fn evaluate(ticket: &Ticket, check_ins: &mut [CheckIn]) -> Presence {
    // The order must be the same on every host, so it does not depend on when they were recorded.
    check_ins.sort_by(|one, other| order(one).cmp(&order(other)));
    let mut presence = Presence::default();
    for check_in in check_ins.iter_mut().filter(|check_in| check_in.undone.is_none()) {
        check_in.verdict = verdict(ticket, check_in, &presence);
        if check_in.verdict != Verdict::Accepted {
            continue;
        }
        presence.inside = check_in.direction == Direction::In;
        presence.entries += u32::from(presence.inside);
        presence.last_at = Some(check_in.at);
        presence.last_gate = Some(check_in.gate.clone());
    }
    presence
}

fn order(check_in: &CheckIn) -> (Timestamp, &str, Option<&str>, CheckInId) {
    // Ids differ between hosts for reported scans; those without a nonce are recorded in the order of their times.
    let id = if check_in.nonce.is_some() { CheckInId(uuid::Uuid::nil()) } else { check_in.id };
    (check_in.at, &check_in.device, check_in.nonce.as_deref(), id)
}

fn verdict(ticket: &Ticket, check_in: &CheckIn, presence: &Presence) -> Verdict {
    let cancelled = ticket.cancelled_at.is_some_and(|at| at <= check_in.at);
    let other_code = check_in.serial.is_some_and(|serial| serial != ticket.serial);
    let outdated = other_code && ticket.code_since <= check_in.at;
    if cancelled || outdated {
        return Verdict::Void;
    }
    match check_in.direction {
        Direction::In if presence.entries == 0 || (check_in.reentry && !presence.inside) => Verdict::Accepted,
        Direction::In => Verdict::Duplicate,
        Direction::Out if check_in.reentry && presence.inside => Verdict::Accepted,
        Direction::Out => Verdict::Stray,
    }
}

/// Returns the refusal of a check-in that was not accepted, for the staff at the gate.
#[must_use]
pub fn refusal(ticket: &Ticket, check_in: &CheckIn) -> Error {
    let presence = &ticket.presence;
    let last = match (presence.last_at, &presence.last_gate) {
        (Some(at), Some(gate)) => format!(" at {at}, at gate {gate:?}"),
        _ => String::new(),
    };
    let (code, message) = match check_in.verdict {
        Verdict::Duplicate if presence.inside || !check_in.reentry => {
            ("ALREADY_CHECKED_IN", format!("the ticket was used already{last}"))
        }
        Verdict::Duplicate => ("ALREADY_CHECKED_IN", "the ticket was used already".to_owned()),
        Verdict::Stray if !check_in.reentry => (
            "REENTRY_NOT_ALLOWED",
            "the event does not allow re-entry, so no ticket is checked out".to_owned(),
        ),
        Verdict::Stray => ("NOT_INSIDE", format!("the ticket's holder is not inside{}", left(&last))),
        Verdict::Void if ticket.cancelled_at.is_some() => {
            ("TICKET_CANCELLED", "the ticket was cancelled".to_owned())
        }
        Verdict::Void | Verdict::Accepted => {
            ("CODE_REVOKED", "the ticket went to another holder; this code is void".to_owned())
        }
    };
    Error::new(ErrorKind::Precondition, code, message)
}

fn left(last: &str) -> String {
    if last.is_empty() { String::new() } else { format!("; it left{last}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(1_800_000_000_000_000 + seconds * 1_000_000).unwrap()
    }

    fn sample() -> Ticket {
        Ticket::sample(1, at(-100))
    }

    fn scan(ticket: &Ticket, seconds: i64, direction: Direction, (device, nonce): (&str, &str)) -> CheckIn {
        CheckIn {
            id: CheckInId::generate(),
            event: ticket.event,
            ticket: ticket.id,
            direction,
            verdict: Verdict::Void,
            at: at(seconds),
            gate: format!("gate of {device}"),
            device: device.into(),
            staff: String::new(),
            nonce: Some(nonce.into()),
            serial: Some(1),
            reentry: false,
            created_by: "key:k".into(),
            recorded_at: at(0),
            undone: None,
        }
    }

    fn verdicts(ticket: &Ticket, mut all: Vec<CheckIn>, reentry: bool) -> (Vec<Verdict>, Presence) {
        all.iter_mut().for_each(|check_in| check_in.reentry = reentry);
        let presence = evaluate(ticket, &mut all);
        (all.iter().map(|check_in| check_in.verdict).collect(), presence)
    }

    #[test]
    fn without_reentry_only_the_first_scan_is_accepted() {
        use Direction::{In, Out};
        use Verdict::{Accepted, Duplicate, Stray};
        let ticket = sample();
        let scans = vec![
            scan(&ticket, 9, In, ("b", "1")),
            scan(&ticket, 5, In, ("a", "1")),
            scan(&ticket, 7, Out, ("a", "2")),
        ];
        let (found, presence) = verdicts(&ticket, scans, false);
        assert_eq!(found, [Accepted, Stray, Duplicate]);
        assert_eq!((presence.entries, presence.inside, presence.last_at), (1, true, Some(at(5))));
        assert_eq!(presence.last_gate.as_deref(), Some("gate of a"));
    }

    #[test]
    fn with_reentry_a_ticket_is_accepted_again_after_a_check_out() {
        use Direction::{In, Out};
        use Verdict::{Accepted, Duplicate, Stray};
        let ticket = sample();
        let steps = [(1, Out), (2, In), (3, In), (4, Out), (5, Out), (6, In)];
        let scans =
            steps.iter().map(|(second, way)| scan(&ticket, *second, *way, ("a", &second.to_string())));
        let (found, presence) = verdicts(&ticket, scans.collect(), true);
        assert_eq!(found, [Stray, Accepted, Duplicate, Accepted, Stray, Accepted]);
        assert_eq!((presence.entries, presence.inside), (2, true));
    }

    #[test]
    fn change_of_reentry_does_not_affect_earlier_check_ins() {
        use Direction::{In, Out};
        use Verdict::{Accepted, Duplicate, Stray};
        let ticket = sample();
        let evaluated = |steps: &[(Direction, bool)]| {
            let scans = steps.iter().zip(1..).map(|((way, reentry), second)| {
                let scan = scan(&ticket, second, *way, ("a", &second.to_string()));
                CheckIn { reentry: *reentry, ..scan }
            });
            let mut all: Vec<_> = scans.collect();
            let presence = evaluate(&ticket, &mut all);
            (
                all.iter().map(|check_in| check_in.verdict).collect::<Vec<_>>(),
                presence.entries,
                presence.inside,
            )
        };
        // A ticket that was accepted twice stays inside after re-entry is switched off.
        let off = [(In, true), (Out, true), (In, true), (Out, false), (In, false)];
        assert_eq!(evaluated(&off), (vec![Accepted, Accepted, Accepted, Stray, Duplicate], 2, true));
        // A refused check-in stays refused after re-entry is switched on.
        let on = [(In, false), (Out, false), (In, false), (Out, true), (In, true)];
        assert_eq!(evaluated(&on), (vec![Accepted, Stray, Duplicate, Accepted, Accepted], 2, true));
    }

    #[test]
    fn scans_after_a_cancellation_or_transfer_are_void() {
        use Direction::In;
        use Verdict::{Accepted, Void};
        let cancelled = Ticket { cancelled_at: Some(at(5)), ..sample() };
        let scans = |ticket: &Ticket| vec![scan(ticket, 4, In, ("a", "1")), scan(ticket, 5, In, ("a", "2"))];
        assert_eq!(verdicts(&cancelled, scans(&cancelled), false).0, [Accepted, Void]);
        let moved = Ticket { serial: 2, code_since: at(5), ..sample() };
        assert_eq!(verdicts(&moved, scans(&moved), false).0, [Accepted, Void]);
        let mut undone = scans(&cancelled);
        undone[0].undone = Some(Undone { by: "key:k".into(), at: at(9) });
        assert_eq!(verdicts(&cancelled, undone, false).1, Presence::default());
    }

    /// Reports of several devices in random orders.
    #[test]
    fn result_does_not_depend_on_the_order_of_reports() {
        let ticket = sample();
        let mut seed = 88_172_645_463_325_252_u64;
        let mut random = move |below: u64| {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            seed % below
        };
        for round in 0..300 {
            let count = 2 + usize::try_from(random(6)).unwrap();
            let scans: Vec<_> = (0..count)
                .map(|index| {
                    let direction = if random(2) == 0 { Direction::In } else { Direction::Out };
                    let device = if random(2) == 0 { "a" } else { "b" };
                    // Few moments, so that many scans share one.
                    let second = i64::try_from(random(4)).unwrap();
                    let scan = scan(&ticket, second, direction, (device, &index.to_string()));
                    // The rule changes in half of the rounds, at the second moment.
                    CheckIn { reentry: (round % 2 == 0) != (round % 4 > 1 && second > 1), ..scan }
                })
                .collect();
            let result = |order: &[usize]| {
                let (mut all, mut presence) = (Vec::new(), Presence::default());
                for index in order {
                    // Each host assigns its own ids.
                    all.push(CheckIn { id: CheckInId::generate(), ..scans[*index].clone() });
                    presence = evaluate(&ticket, &mut all);
                }
                let verdicts = all.iter().map(|each| (each.device.clone(), each.nonce.clone(), each.verdict));
                (verdicts.collect::<Vec<_>>(), presence)
            };
            let mut order: Vec<_> = (0..count).collect();
            let first = result(&order);
            for _ in 0..10 {
                for index in (1..count).rev() {
                    order.swap(index, usize::try_from(random(index as u64 + 1)).unwrap());
                }
                assert_eq!(result(&order), first, "{order:?}");
            }
        }
    }
}
