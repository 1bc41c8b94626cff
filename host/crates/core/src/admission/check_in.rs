//! Check-ins: who came in or went out with which ticket, where and when.
//!
//! What each was worth follows from all check-ins of its ticket together, in the order of their times. So scanners that
//! were offline can report late and in any order, and all come to the same end.

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

/// Which way somebody went.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub enum Direction {
    /// Into the event.
    #[default]
    In,
    /// Out of it.
    Out,
}

/// What a check-in was worth.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Verdict {
    /// It admitted, or let out.
    Accepted,
    /// The ticket had been used before.
    Duplicate,
    /// It went out without being inside.
    Stray,
    /// The ticket, or the code that was shown, was not good any more.
    Void,
}

/// Who took a check-in back, and when.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Undone {
    /// The principal.
    pub by: String,
    /// When.
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
    /// Which way.
    pub direction: Direction,
    /// What it was worth.
    pub verdict: Verdict,
    /// When it happened, by the clock of the store or of a scanner that was offline.
    pub at: Timestamp,
    /// At which gate.
    pub gate: String,
    /// With which device; empty: it is not known.
    pub device: String,
    /// By whom of the staff; empty: it is not known.
    pub staff: String,
    /// What the device calls it by; none: the host recorded it as it happened.
    pub nonce: Option<String>,
    /// The number of the code that was shown; none: the ticket was named by its id.
    pub serial: Option<u16>,
    /// Whether the event let in again who had left, when it happened: by this it is judged for good.
    pub reentry: bool,
    /// The principal who reported it.
    pub created_by: String,
    /// When it was recorded.
    pub recorded_at: Timestamp,
    /// Who took it back.
    pub undone: Option<Undone>,
}

/// What check-ins can be listed by.
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
    /// All of them.
    pub const ALL: [Self; 2] = [Self::In, Self::Out];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::In => "in",
            Self::Out => "out",
        }
    }

    /// Reads what a client sent in `field`; empty: in.
    pub fn parse(field: &str, text: &str) -> Result<Self> {
        match text {
            "" | "in" => Ok(Self::In),
            "out" => Ok(Self::Out),
            other => Err(Error::invalid(field, format!("is {other:?}; \"in\" or \"out\" is expected"))),
        }
    }
}

impl Verdict {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Accepted, Self::Duplicate, Self::Stray, Self::Void];

    /// Its name.
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

/// Gives each check-in of a ticket its verdict, and answers what they make of the ticket.
pub fn settle(ticket: &Ticket, check_ins: &mut [CheckIn]) -> Presence {
    // By what every host sees alike: never by the order in which they were recorded.
    check_ins.sort_by(|one, other| order(one).cmp(&order(other)));
    let mut presence = Presence::default();
    for held in check_ins.iter_mut().filter(|held| held.undone.is_none()) {
        held.verdict = judge(ticket, held, &presence);
        if held.verdict != Verdict::Accepted {
            continue;
        }
        presence.inside = held.direction == Direction::In;
        presence.entries += u32::from(presence.inside);
        presence.last_at = Some(held.at);
        presence.last_gate = Some(held.gate.clone());
    }
    presence
}

fn order(held: &CheckIn) -> (Timestamp, &str, Option<&str>, CheckInId) {
    // Only what has no nonce is told apart by its id, and that is recorded in the order in which it happens.
    let id = if held.nonce.is_some() { CheckInId(uuid::Uuid::nil()) } else { held.id };
    (held.at, &held.device, held.nonce.as_deref(), id)
}

fn judge(ticket: &Ticket, held: &CheckIn, presence: &Presence) -> Verdict {
    let cancelled = ticket.cancelled_at.is_some_and(|at| at <= held.at);
    let outdated = held.serial.is_some_and(|serial| serial != ticket.serial) && ticket.code_since <= held.at;
    if cancelled || outdated {
        return Verdict::Void;
    }
    match held.direction {
        Direction::In if presence.entries == 0 || (held.reentry && !presence.inside) => Verdict::Accepted,
        Direction::In => Verdict::Duplicate,
        Direction::Out if held.reentry && presence.inside => Verdict::Accepted,
        Direction::Out => Verdict::Stray,
    }
}

/// Why a check-in that was not accepted was not, told to who stands at the gate.
#[must_use]
pub fn refusal(ticket: &Ticket, tried: &CheckIn) -> Error {
    let presence = &ticket.presence;
    let last = match (presence.last_at, &presence.last_gate) {
        (Some(at), Some(gate)) => format!(" at {at}, at gate {gate:?}"),
        _ => String::new(),
    };
    let (code, message) = match tried.verdict {
        Verdict::Duplicate if presence.inside || !tried.reentry => {
            ("ALREADY_CHECKED_IN", format!("the ticket was used already{last}"))
        }
        Verdict::Duplicate => ("ALREADY_CHECKED_IN", "the ticket was used already".to_owned()),
        Verdict::Stray if !tried.reentry => {
            ("REENTRY_NOT_ALLOWED", "the event lets nobody in again, so nobody is let out".to_owned())
        }
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

    fn ticket() -> Ticket {
        Ticket::sample(1, at(-100))
    }

    fn scan(of: &Ticket, seconds: i64, direction: Direction, (device, nonce): (&str, &str)) -> CheckIn {
        CheckIn {
            id: CheckInId::generate(),
            event: of.event,
            ticket: of.id,
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
        all.iter_mut().for_each(|held| held.reentry = reentry);
        let presence = settle(ticket, &mut all);
        (all.iter().map(|held| held.verdict).collect(), presence)
    }

    #[test]
    fn without_re_entry_the_first_scan_is_the_one_that_counts() {
        use Direction::{In, Out};
        use Verdict::{Accepted, Duplicate, Stray};
        let held = ticket();
        let scans = vec![
            scan(&held, 9, In, ("b", "1")),
            scan(&held, 5, In, ("a", "1")),
            scan(&held, 7, Out, ("a", "2")),
        ];
        let (worth, presence) = verdicts(&held, scans, false);
        assert_eq!(worth, [Accepted, Stray, Duplicate]);
        assert_eq!((presence.entries, presence.inside, presence.last_at), (1, true, Some(at(5))));
        assert_eq!(presence.last_gate.as_deref(), Some("gate of a"));
    }

    #[test]
    fn with_re_entry_who_went_out_comes_in_again() {
        use Direction::{In, Out};
        use Verdict::{Accepted, Duplicate, Stray};
        let held = ticket();
        let steps = [(1, Out), (2, In), (3, In), (4, Out), (5, Out), (6, In)];
        let scans = steps.iter().map(|(second, way)| scan(&held, *second, *way, ("a", &second.to_string())));
        let (worth, presence) = verdicts(&held, scans.collect(), true);
        assert_eq!(worth, [Stray, Accepted, Duplicate, Accepted, Stray, Accepted]);
        assert_eq!((presence.entries, presence.inside), (2, true));
    }

    #[test]
    fn a_switch_of_the_rule_judges_nothing_again_that_happened_before() {
        use Direction::{In, Out};
        use Verdict::{Accepted, Duplicate, Stray};
        let held = ticket();
        let settled = |steps: &[(Direction, bool)]| {
            let scans = steps.iter().zip(1..).map(|((way, reentry), second)| {
                let scan = scan(&held, second, *way, ("a", &second.to_string()));
                CheckIn { reentry: *reentry, ..scan }
            });
            let mut all: Vec<_> = scans.collect();
            let presence = settle(&held, &mut all);
            (all.iter().map(|held| held.verdict).collect::<Vec<_>>(), presence.entries, presence.inside)
        };
        // Who came in twice stays in when nobody is let in again any more.
        let off = [(In, true), (Out, true), (In, true), (Out, false), (In, false)];
        assert_eq!(settled(&off), (vec![Accepted, Accepted, Accepted, Stray, Duplicate], 2, true));
        // What was refused stays refused when re-entry begins.
        let on = [(In, false), (Out, false), (In, false), (Out, true), (In, true)];
        assert_eq!(settled(&on), (vec![Accepted, Stray, Duplicate, Accepted, Accepted], 2, true));
    }

    #[test]
    fn what_was_not_good_any_more_is_void_from_then_on() {
        use Direction::In;
        use Verdict::{Accepted, Void};
        let cancelled = Ticket { cancelled_at: Some(at(5)), ..ticket() };
        let scans = |held: &Ticket| vec![scan(held, 4, In, ("a", "1")), scan(held, 5, In, ("a", "2"))];
        assert_eq!(verdicts(&cancelled, scans(&cancelled), false).0, [Accepted, Void]);
        let moved = Ticket { serial: 2, code_since: at(5), ..ticket() };
        assert_eq!(verdicts(&moved, scans(&moved), false).0, [Accepted, Void]);
        let mut undone = scans(&cancelled);
        undone[0].undone = Some(Undone { by: "key:k".into(), at: at(9) });
        assert_eq!(verdicts(&cancelled, undone, false).1, Presence::default());
    }

    /// Reports of several devices, in every order in which they may come, with repeats: one end.
    #[test]
    fn in_whatever_order_scans_are_reported_the_end_is_the_same() {
        let held = ticket();
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
                    let scan = scan(&held, second, direction, (device, &index.to_string()));
                    // The rule changes in half of the rounds, at the second moment.
                    CheckIn { reentry: (round % 2 == 0) != (round % 4 > 1 && second > 1), ..scan }
                })
                .collect();
            let end = |order: &[usize]| {
                let (mut all, mut presence) = (Vec::new(), Presence::default());
                for index in order {
                    // A host that reads them back gives them ids of its own.
                    all.push(CheckIn { id: CheckInId::generate(), ..scans[*index].clone() });
                    presence = settle(&held, &mut all);
                }
                let worth = all.iter().map(|held| (held.device.clone(), held.nonce.clone(), held.verdict));
                (worth.collect::<Vec<_>>(), presence)
            };
            let mut order: Vec<_> = (0..count).collect();
            let first = end(&order);
            for _ in 0..10 {
                for index in (1..count).rev() {
                    order.swap(index, usize::try_from(random(index as u64 + 1)).unwrap());
                }
                assert_eq!(end(&order), first, "{order:?}");
            }
        }
    }
}
