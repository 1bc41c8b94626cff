//! A simple model of an event's reservations, which keeps a list and counts from scratch. The core's rules and each store
//! are compared with it.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use tessera_core::catalog::EventStatus;
use tessera_core::id::{PoolId, ReservationId, TicketId, TicketTypeId};
use tessera_core::inventory::job::{Reserve, ReserveLine};
use tessera_core::inventory::{Command, Counts, JobOutcome, Reservation, ReservationState};
use tessera_core::{IfVersion, Result, Timestamp};

/// The terms of the event.
#[derive(Clone, Copy)]
pub(crate) struct Terms {
    /// The default and the maximum seconds of a hold.
    pub(crate) hold: (u32, u32),
    /// The most units of a type in one purchase.
    pub(crate) per_purchase: usize,
    /// The most units of a buyer.
    pub(crate) per_buyer: usize,
}

/// A reservation of the model.
pub(crate) struct ModelReservation {
    buyer: &'static str,
    pub(crate) state: ReservationState,
    /// Each unit with the index of its type.
    pub(crate) units: Vec<(TicketId, usize)>,
    created: Timestamp,
    pub(crate) expires: Timestamp,
}

pub(crate) struct Model {
    pub(crate) terms: Terms,
    pub(crate) status: EventStatus,
    pub(crate) now: Timestamp,
    /// Each type with its pools.
    pub(crate) types: Vec<(TicketTypeId, Vec<PoolId>)>,
    pub(crate) pools: BTreeMap<PoolId, Option<u64>>,
    pub(crate) reservations: BTreeMap<ReservationId, ModelReservation>,
}

/// A command. For a new reservation with its buyer, and the type and number of units of each line.
pub(crate) struct ModelCommand {
    pub(crate) command: Command,
    lines: Option<(&'static str, Vec<(usize, usize)>)>,
}

/// The result of a command.
#[derive(PartialEq, Eq, Debug)]
pub(crate) enum CommandResult {
    Done,
    Swept(u32),
    Refused(String),
}

pub(crate) const BUYERS: [&str; 3] = ["ann", "ben", "cem"];

impl From<&Result<JobOutcome>> for CommandResult {
    fn from(verdict: &Result<JobOutcome>) -> Self {
        match verdict {
            Ok(JobOutcome::Swept(ended)) => Self::Swept(*ended),
            Ok(_) => Self::Done,
            Err(error) => Self::Refused(error.reason().to_owned()),
        }
    }
}

impl ModelReservation {
    pub(crate) fn is_due(&self, now: Timestamp, status: EventStatus) -> bool {
        self.state == ReservationState::Held && (self.expires <= now || status == EventStatus::Cancelled)
    }
}

impl Model {
    pub(crate) fn counts(&self, pool: PoolId) -> Counts {
        let of = |state| {
            let units = self
                .reservations
                .values()
                .filter(|reservation| reservation.state == state)
                .flat_map(|reservation| &reservation.units);
            units.filter(|(_, index)| self.types[*index].1.contains(&pool)).count() as u64
        };
        Counts { held: of(ReservationState::Held), sold: of(ReservationState::Confirmed), locked: 0 }
    }

    pub(crate) fn units_of(&self, buyer: &str) -> usize {
        let live = [ReservationState::Held, ReservationState::Confirmed];
        let of = self
            .reservations
            .values()
            .filter(|reservation| reservation.buyer == buyer && live.contains(&reservation.state));
        of.map(|reservation| reservation.units.len()).sum()
    }

    /// Applies a command, and returns the expected result.
    pub(crate) fn apply(&mut self, command: &ModelCommand) -> CommandResult {
        let refusal = match (&command.command, &command.lines) {
            (Command::Sweep, _) => return CommandResult::Swept(self.end_due()),
            (Command::Reserve(request), Some((buyer, lines))) => self.reserve(request, buyer, lines),
            (change, _) => self.change(change),
        };
        refusal.map_or(CommandResult::Done, |reason| CommandResult::Refused(reason.to_owned()))
    }

    /// Compares stored reservations with the model.
    pub(crate) fn compare(&self, stored: &HashMap<ReservationId, Reservation>) {
        assert_eq!(stored.len(), self.reservations.len());
        for (id, reservation) in &self.reservations {
            let now = &stored[id];
            assert_eq!((now.state, now.expires_at), (reservation.state, reservation.expires), "{id}");
            let units: Vec<_> = now.units.iter().map(|unit| unit.id).collect();
            assert_eq!(units, reservation.units.iter().map(|(unit, _)| *unit).collect::<Vec<_>>(), "{id}");
        }
    }

    fn fits(&self, lines: &[(usize, usize)]) -> bool {
        self.pools.iter().all(|(pool, capacity)| {
            let more: usize = lines
                .iter()
                .filter(|(index, _)| self.types[*index].1.contains(pool))
                .map(|(_, units)| units)
                .sum();
            capacity.is_none_or(|capacity| more == 0 || self.counts(*pool).used() + more as u64 <= capacity)
        })
    }

    fn end_due(&mut self) -> u32 {
        let (now, status) = (self.now, self.status);
        let due: Vec<_> =
            self.reservations.values_mut().filter(|reservation| reservation.is_due(now, status)).collect();
        let ended = u32::try_from(due.len()).unwrap();
        for reservation in due {
            reservation.state = if reservation.expires <= now {
                ReservationState::Expired
            } else {
                ReservationState::Released
            };
            reservation.units.clear();
        }
        ended
    }

    /// Returns the reason of a refusal.
    fn reserve(
        &mut self,
        request: &Reserve,
        buyer: &'static str,
        lines: &[(usize, usize)],
    ) -> Option<&'static str> {
        if self.status != EventStatus::Active {
            return Some("EVENT_NOT_ON_SALE");
        }
        for index in 0..self.types.len() {
            let units: usize = lines.iter().filter(|line| line.0 == index).map(|line| line.1).sum();
            if units > self.terms.per_purchase {
                return Some("INVALID_ARGUMENT");
            }
        }
        let units: usize = lines.iter().map(|line| line.1).sum();
        // Due holds are ended if they are in the way.
        if self.units_of(buyer) + units > self.terms.per_buyer || !self.fits(lines) {
            self.end_due();
        }
        if self.units_of(buyer) + units > self.terms.per_buyer {
            return Some("BUYER_LIMIT_REACHED");
        }
        if !self.fits(lines) {
            return Some("INVENTORY_EXHAUSTED");
        }
        let types = lines.iter().map(|line| line.0);
        let units = request.lines.iter().zip(types);
        let units = units.flat_map(|(line, index)| line.units.iter().map(move |unit| (*unit, index)));
        let expires = self.now.plus(Duration::from_secs(self.terms.hold.0.into()));
        let reservation = ModelReservation {
            buyer,
            state: ReservationState::Held,
            units: units.collect(),
            created: self.now,
            expires,
        };
        self.reservations.insert(request.id, reservation);
        None
    }

    /// Returns the reason of a refusal that all commands on a hold share.
    fn check(&mut self, id: ReservationId) -> Option<&'static str> {
        let now = self.now;
        let reservation = self.reservations.get_mut(&id).unwrap();
        match reservation.state {
            ReservationState::Held if reservation.expires <= now => {
                reservation.state = ReservationState::Expired;
                reservation.units.clear();
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
        let reservation = self.reservations.get_mut(id).unwrap();
        match command {
            Command::Confirm { .. } if status == EventStatus::Cancelled => return Some("EVENT_CANCELLED"),
            Command::Confirm { .. } => reservation.state = ReservationState::Confirmed,
            Command::Extend { .. } => {
                let latest = reservation.created.plus(Duration::from_secs(most.into()));
                let until = now.plus(Duration::from_secs(hold.into())).min(latest);
                if latest <= reservation.expires {
                    return Some("RESERVATION_AT_MAXIMUM");
                }
                if until <= reservation.expires {
                    return Some("INVALID_ARGUMENT");
                }
                reservation.expires = until;
            }
            Command::Release { units, .. } => {
                // Released units no longer belong to the reservation.
                if units.iter().any(|unit| !reservation.units.iter().any(|(of, _)| of == unit)) {
                    return Some("INVALID_ARGUMENT");
                }
                reservation.units.retain(|(unit, _)| !units.is_empty() && !units.contains(unit));
                if reservation.units.is_empty() {
                    reservation.state = ReservationState::Released;
                }
            }
            Command::Reserve(_) | Command::Sweep => unreachable!(),
        }
        None
    }
}

/// A deterministic random number generator.
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

/// Returns a random command that is plausible in the present state.
pub(crate) fn some_command(dice: &mut Dice, model: &Model) -> ModelCommand {
    let ids: Vec<_> = model.reservations.keys().copied().collect();
    let kind = if ids.is_empty() { 0 } else { dice.below(8) };
    let pick = |dice: &mut Dice| ids[dice.below(ids.len())];
    let command = match kind {
        0..=2 => return some_purchase(dice, model),
        3 | 4 => Command::Confirm {
            id: pick(dice),
            payment_reference: "p".into(),
            if_version: IfVersion::default(),
        },
        5 => Command::Extend { id: pick(dice), seconds: None, if_version: IfVersion::default() },
        6 => {
            let id = pick(dice);
            let first = model.reservations[&id].units.iter().take(dice.below(2)).map(|(unit, _)| *unit);
            Command::Release { id, units: first.collect(), if_version: IfVersion::default() }
        }
        _ => Command::Sweep,
    };
    ModelCommand { command, lines: None }
}

fn some_purchase(dice: &mut Dice, model: &Model) -> ModelCommand {
    let buyer = BUYERS[dice.below(BUYERS.len())];
    let types = model.types.len();
    let lines: Vec<_> = (0..=dice.below(2)).map(|_| (dice.below(types), 1 + dice.below(4))).collect();
    let reserve_lines = lines.iter().map(|(index, units)| ReserveLine {
        ticket_type: model.types[*index].0,
        units: (0..*units).map(|_| TicketId::generate()).collect(),
        seats: Vec::new(),
        category: String::new(),
    });
    let reserve = Reserve {
        id: ReservationId::generate(),
        buyer: buyer.into(),
        lines: reserve_lines.collect(),
        seconds: None,
        quote: None,
        quote_is_stored: false,
    };
    ModelCommand { command: Command::Reserve(reserve), lines: Some((buyer, lines)) }
}
