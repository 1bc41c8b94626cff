//! A model of an event's reservations that is as simple as it can be: it keeps a list of them, and counts anew whatever
//! it is asked. The verdict is held against it, and so is each store.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use tessera_core::catalog::EventStatus;
use tessera_core::id::{PoolId, ReservationId, TicketId, TicketTypeId};
use tessera_core::inventory::job::{Reserve, Wanted};
use tessera_core::inventory::{Command, Counts, Outcome, Reservation, ReservationState};
use tessera_core::{Result, Timestamp};

/// What an event says that is modelled.
#[derive(Clone, Copy)]
pub(crate) struct Terms {
    /// For how many seconds something is held, and can be held at most.
    pub(crate) hold: (u32, u32),
    /// How many units of a type one purchase may have.
    pub(crate) per_purchase: usize,
    /// How many units a buyer may have.
    pub(crate) per_buyer: usize,
}

/// A reservation as the model keeps it.
pub(crate) struct Held {
    buyer: &'static str,
    pub(crate) state: ReservationState,
    /// The type of each unit.
    pub(crate) units: Vec<(TicketId, usize)>,
    created: Timestamp,
    pub(crate) expires: Timestamp,
}

pub(crate) struct Model {
    pub(crate) terms: Terms,
    pub(crate) status: EventStatus,
    pub(crate) now: Timestamp,
    /// Each type with the pools on which it draws.
    pub(crate) types: Vec<(TicketTypeId, Vec<PoolId>)>,
    pub(crate) pools: BTreeMap<PoolId, Option<u64>>,
    pub(crate) held: BTreeMap<ReservationId, Held>,
}

/// A command, and for a new reservation what the model has to know of it: its buyer, and of each line the type and how
/// many units.
pub(crate) struct Asked {
    pub(crate) command: Command,
    lines: Option<(&'static str, Vec<(usize, usize)>)>,
}

/// What is answered to a command.
#[derive(PartialEq, Eq, Debug)]
pub(crate) enum Said {
    Done,
    Swept(u32),
    Refused(String),
}

pub(crate) const BUYERS: [&str; 3] = ["ann", "ben", "cem"];

impl From<&Result<Outcome>> for Said {
    fn from(verdict: &Result<Outcome>) -> Self {
        match verdict {
            Ok(Outcome::Swept(ended)) => Self::Swept(*ended),
            Ok(_) => Self::Done,
            Err(error) => Self::Refused(error.reason().to_owned()),
        }
    }
}

impl Held {
    pub(crate) fn is_due(&self, now: Timestamp, status: EventStatus) -> bool {
        self.state == ReservationState::Held && (self.expires <= now || status == EventStatus::Cancelled)
    }
}

impl Model {
    pub(crate) fn counts(&self, pool: PoolId) -> Counts {
        let of = |state| {
            let units = self.held.values().filter(|held| held.state == state).flat_map(|held| &held.units);
            units.filter(|(_, place)| self.types[*place].1.contains(&pool)).count() as u64
        };
        Counts { held: of(ReservationState::Held), sold: of(ReservationState::Confirmed), locked: 0 }
    }

    pub(crate) fn units_of(&self, buyer: &str) -> usize {
        let live = [ReservationState::Held, ReservationState::Confirmed];
        let of = self.held.values().filter(|held| held.buyer == buyer && live.contains(&held.state));
        of.map(|held| held.units.len()).sum()
    }

    /// What must be answered.
    pub(crate) fn judge(&mut self, asked: &Asked) -> Said {
        let refusal = match (&asked.command, &asked.lines) {
            (Command::Sweep, _) => return Said::Swept(self.end_due()),
            (Command::Reserve(wanted), Some((buyer, lines))) => self.reserve(wanted, buyer, lines),
            (command, _) => self.change(command),
        };
        refusal.map_or(Said::Done, |reason| Said::Refused(reason.to_owned()))
    }

    /// Holds the reservations, as they are stored, against the model's.
    pub(crate) fn compare(&self, stored: &HashMap<ReservationId, Reservation>) {
        assert_eq!(stored.len(), self.held.len());
        for (id, held) in &self.held {
            let now = &stored[id];
            assert_eq!((now.state, now.expires_at), (held.state, held.expires), "{id}");
            let units: Vec<_> = now.units.iter().map(|unit| unit.id).collect();
            assert_eq!(units, held.units.iter().map(|(unit, _)| *unit).collect::<Vec<_>>(), "{id}");
        }
    }

    fn fits(&self, wanted: &[(usize, usize)]) -> bool {
        self.pools.iter().all(|(pool, capacity)| {
            let more: usize = wanted
                .iter()
                .filter(|(place, _)| self.types[*place].1.contains(pool))
                .map(|(_, units)| units)
                .sum();
            capacity.is_none_or(|capacity| more == 0 || self.counts(*pool).used() + more as u64 <= capacity)
        })
    }

    fn end_due(&mut self) -> u32 {
        let (now, status) = (self.now, self.status);
        let due: Vec<_> = self.held.values_mut().filter(|held| held.is_due(now, status)).collect();
        let ended = u32::try_from(due.len()).unwrap();
        for held in due {
            held.state =
                if held.expires <= now { ReservationState::Expired } else { ReservationState::Released };
            held.units.clear();
        }
        ended
    }

    /// Nothing for a success, or the reason of the refusal.
    fn reserve(
        &mut self,
        wanted: &Reserve,
        buyer: &'static str,
        lines: &[(usize, usize)],
    ) -> Option<&'static str> {
        if self.status != EventStatus::Active {
            return Some("EVENT_NOT_ON_SALE");
        }
        for place in 0..self.types.len() {
            let units: usize = lines.iter().filter(|line| line.0 == place).map(|line| line.1).sum();
            if units > self.terms.per_purchase {
                return Some("INVALID_ARGUMENT");
            }
        }
        let units: usize = lines.iter().map(|line| line.1).sum();
        // What is due is in nobody's way.
        if self.units_of(buyer) + units > self.terms.per_buyer || !self.fits(lines) {
            self.end_due();
        }
        if self.units_of(buyer) + units > self.terms.per_buyer {
            return Some("BUYER_LIMIT_REACHED");
        }
        if !self.fits(lines) {
            return Some("INVENTORY_EXHAUSTED");
        }
        let places = lines.iter().map(|line| line.0);
        let units = wanted.lines.iter().zip(places);
        let units = units.flat_map(|(line, place)| line.units.iter().map(move |unit| (*unit, place)));
        let expires = self.now.plus(Duration::from_secs(self.terms.hold.0.into()));
        let held =
            Held { buyer, state: ReservationState::Held, units: units.collect(), created: self.now, expires };
        self.held.insert(wanted.id, held);
        None
    }

    /// A refusal that all commands on a hold share.
    fn check(&mut self, id: ReservationId) -> Option<&'static str> {
        let now = self.now;
        let held = self.held.get_mut(&id).unwrap();
        match held.state {
            ReservationState::Held if held.expires <= now => {
                held.state = ReservationState::Expired;
                held.units.clear();
                Some("RESERVATION_EXPIRED")
            }
            ReservationState::Held => None,
            ReservationState::Expired => Some("RESERVATION_EXPIRED"),
            _ => Some("TRANSITION_NOT_ALLOWED"),
        }
    }

    fn change(&mut self, command: &Command) -> Option<&'static str> {
        let (Command::Confirm { id, .. } | Command::Extend { id, .. } | Command::Release { id, .. }) =
            command
        else {
            unreachable!()
        };
        if let Some(refusal) = self.check(*id) {
            return Some(refusal);
        }
        let (now, status, (hold, most)) = (self.now, self.status, self.terms.hold);
        let held = self.held.get_mut(id).unwrap();
        match command {
            Command::Confirm { .. } if status == EventStatus::Cancelled => return Some("EVENT_CANCELLED"),
            Command::Confirm { .. } => held.state = ReservationState::Confirmed,
            Command::Extend { .. } => {
                let latest = held.created.plus(Duration::from_secs(most.into()));
                let until = now.plus(Duration::from_secs(hold.into())).min(latest);
                if latest <= held.expires {
                    return Some("RESERVATION_AT_MAXIMUM");
                }
                if until <= held.expires {
                    return Some("INVALID_ARGUMENT");
                }
                held.expires = until;
            }
            Command::Release { units, .. } => {
                // A unit that was released before is none of the reservation any more.
                if units.iter().any(|unit| !held.units.iter().any(|(of, _)| of == unit)) {
                    return Some("INVALID_ARGUMENT");
                }
                held.units.retain(|(unit, _)| !units.is_empty() && !units.contains(unit));
                if held.units.is_empty() {
                    held.state = ReservationState::Released;
                }
            }
            Command::Reserve(_) | Command::Sweep => unreachable!(),
        }
        None
    }
}

/// Numbers that look like chance and are the same each time.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).max(1))
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % bound as u64).unwrap()
    }
}

/// Some command that makes sense as things stand.
pub(crate) fn some_command(dice: &mut Dice, model: &Model) -> Asked {
    let known: Vec<_> = model.held.keys().copied().collect();
    let kind = if known.is_empty() { 0 } else { dice.below(8) };
    let pick = |dice: &mut Dice| known[dice.below(known.len())];
    let command = match kind {
        0..=2 => return some_purchase(dice, model),
        3 | 4 => Command::Confirm { id: pick(dice), payment_reference: "p".into(), if_version: None },
        5 => Command::Extend { id: pick(dice), seconds: None, if_version: None },
        6 => {
            let id = pick(dice);
            let first = model.held[&id].units.iter().take(dice.below(2)).map(|(unit, _)| *unit);
            Command::Release { id, units: first.collect(), if_version: None }
        }
        _ => Command::Sweep,
    };
    Asked { command, lines: None }
}

fn some_purchase(dice: &mut Dice, model: &Model) -> Asked {
    let buyer = BUYERS[dice.below(BUYERS.len())];
    let types = model.types.len();
    let lines: Vec<_> = (0..=dice.below(2)).map(|_| (dice.below(types), 1 + dice.below(4))).collect();
    let wanted = lines.iter().map(|(place, units)| Wanted {
        ticket_type: model.types[*place].0,
        units: (0..*units).map(|_| TicketId::generate()).collect(),
        seats: Vec::new(),
    });
    let wanted = wanted.collect();
    let reserve =
        Reserve { id: ReservationId::generate(), buyer: buyer.into(), lines: wanted, seconds: None };
    Asked { command: Command::Reserve(reserve), lines: Some((buyer, lines)) }
}
