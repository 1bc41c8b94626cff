//! The verdict on reservations beside a model that is as simple as it can be: it keeps a list of reservations, and
//! counts anew whatever it is asked.

#![allow(clippy::unwrap_used, reason = "what fails here is a test that failed")]

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tessera_core::catalog::event::HoldRules;
use tessera_core::catalog::{EventStatus, TypeStatus};
use tessera_core::id::{EventId, PoolId, ReservationId, TenantId, TicketId, TicketTypeId};
use tessera_core::inventory::job::{Reserve, Wanted};
use tessera_core::inventory::rules::{Supply, Writes};
use tessera_core::inventory::terms::{EventTerms, TypeTerms};
use tessera_core::inventory::{Book, Command, Counts, Job, Outcome, Reservation, ReservationState};
use tessera_core::value::Money;
use tessera_core::{Ctx, Principal, Timestamp, Transport};

const HOLD: u32 = 10;
const MOST: u32 = 25;
const LIMIT: usize = 7;

/// A reservation as the model keeps it.
#[derive(Clone)]
struct Held {
    buyer: &'static str,
    state: ReservationState,
    /// The type of each unit.
    units: Vec<(TicketId, usize)>,
    created: Timestamp,
    expires: Timestamp,
}

struct Model {
    event: EventId,
    status: EventStatus,
    now: Timestamp,
    /// Each type with the pools on which it draws.
    types: Vec<(TicketTypeId, Vec<PoolId>)>,
    pools: BTreeMap<PoolId, Option<u64>>,
    held: BTreeMap<ReservationId, Held>,
}

impl Held {
    fn is_due(&self, now: Timestamp, status: EventStatus) -> bool {
        self.state == ReservationState::Held && (self.expires <= now || status == EventStatus::Cancelled)
    }
}

impl Model {
    fn counts(&self, pool: PoolId) -> Counts {
        let of = |state| {
            let units = self.held.values().filter(|held| held.state == state).flat_map(|held| &held.units);
            units.filter(|(_, place)| self.types[*place].1.contains(&pool)).count() as u64
        };
        Counts { held: of(ReservationState::Held), sold: of(ReservationState::Confirmed), locked: 0 }
    }

    fn units_of(&self, buyer: &str) -> usize {
        let live = [ReservationState::Held, ReservationState::Confirmed];
        let of = self.held.values().filter(|held| held.buyer == buyer && live.contains(&held.state));
        of.map(|held| held.units.len()).sum()
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

    /// What must be answered: nothing for a success, or the reason of the refusal.
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
            if units > 5 {
                return Some("INVALID_ARGUMENT");
            }
        }
        let units: usize = lines.iter().map(|line| line.1).sum();
        // What is due is in nobody's way.
        if self.units_of(buyer) + units > LIMIT || !self.fits(lines) {
            self.end_due();
        }
        if self.units_of(buyer) + units > LIMIT {
            return Some("BUYER_LIMIT_REACHED");
        }
        if !self.fits(lines) {
            return Some("INVENTORY_EXHAUSTED");
        }
        let places = lines.iter().map(|line| line.0);
        let units = wanted.lines.iter().zip(places);
        let units = units.flat_map(|(line, place)| line.units.iter().map(move |unit| (*unit, place)));
        let expires = self.now.plus(Duration::from_secs(HOLD.into()));
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
        let (now, status) = (self.now, self.status);
        let held = self.held.get_mut(id).unwrap();
        match command {
            Command::Confirm { .. } if status == EventStatus::Cancelled => return Some("EVENT_CANCELLED"),
            Command::Confirm { .. } => held.state = ReservationState::Confirmed,
            Command::Extend { .. } => {
                let latest = held.created.plus(Duration::from_secs(MOST.into()));
                let until = now.plus(Duration::from_secs(HOLD.into())).min(latest);
                if latest <= held.expires {
                    return Some("RESERVATION_AT_MAXIMUM");
                }
                if until <= held.expires {
                    return Some("INVALID_ARGUMENT");
                }
                held.expires = until;
            }
            Command::Release { units, .. } => {
                held.units.retain(|(unit, _)| !units.is_empty() && !units.contains(unit));
                if held.units.is_empty() {
                    held.state = ReservationState::Released;
                }
            }
            Command::Reserve(_) | Command::Sweep => unreachable!(),
        }
        None
    }

    /// The book as a store reads it for these commands; `known` are the reservations as they were answered.
    fn book(&self, jobs: &[Arc<Job>], known: &HashMap<ReservationId, Reservation>) -> Book {
        let terms = |pools: &[PoolId]| TypeTerms {
            name: "standing".into(),
            price: Money { amount: 100, currency: "EUR".into() },
            bounds: (1, 5),
            window: (None, None),
            status: TypeStatus::Active,
            pools: pools.to_vec(),
            seated: false,
        };
        let supply = |(pool, capacity): (&PoolId, &Option<u64>)| {
            (*pool, Supply { name: "pool".into(), capacity: *capacity, counts: self.counts(*pool) })
        };
        let named = jobs.iter().filter_map(|job| match &job.command {
            Command::Confirm { id, .. } | Command::Extend { id, .. } | Command::Release { id, .. } => {
                Some(*id)
            }
            Command::Reserve(_) | Command::Sweep => None,
        });
        let due = self.held.iter().filter(|(_, held)| held.is_due(self.now, self.status));
        Book {
            id: self.event,
            now: self.now,
            event: Some(EventTerms {
                status: self.status,
                ends_at: self.now.plus(Duration::from_secs(1_000_000)),
                holds: HoldRules { usual: Some(HOLD), least: Some(1), most: Some(MOST) },
                buyer_limit: Some(u32::try_from(LIMIT).unwrap()),
                queued: false,
            }),
            types: self.types.iter().map(|(id, pools)| (*id, terms(pools))).collect(),
            pools: self.pools.iter().map(supply).collect(),
            reservations: named.map(|id| (id, known[&id].clone())).collect(),
            due: due.map(|(id, _)| known[id].clone()).collect(),
            buyers: BUYERS.iter().map(|buyer| ((*buyer).to_owned(), self.units_of(buyer) as u64)).collect(),
            served: HashSet::new(),
            seats: Vec::new(),
            keys: HashMap::new(),
            writes: Writes::default(),
        }
    }
}

const BUYERS: [&str; 3] = ["ann", "ben", "cem"];

/// Numbers that look like chance and are the same each time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % bound as u64).unwrap()
    }
}

/// A command, and for a new reservation what the model has to know of it.
type Asked = (Command, Option<(&'static str, Vec<(usize, usize)>)>);

fn asked(dice: &mut Dice, model: &Model) -> Asked {
    let known: Vec<_> = model.held.keys().copied().collect();
    let kind = if known.is_empty() { 0 } else { dice.below(8) };
    let pick = |dice: &mut Dice| known[dice.below(known.len())];
    match kind {
        0..=2 => {
            let buyer = BUYERS[dice.below(BUYERS.len())];
            let lines: Vec<_> = (0..=dice.below(2)).map(|_| (dice.below(3), 1 + dice.below(4))).collect();
            let wanted = lines.iter().map(|(place, units)| Wanted {
                ticket_type: model.types[*place].0,
                units: (0..*units).map(|_| TicketId::generate()).collect(),
                seats: Vec::new(),
            });
            let reserve = Reserve {
                id: ReservationId::generate(),
                buyer: buyer.into(),
                lines: wanted.collect(),
                seconds: None,
            };
            (Command::Reserve(reserve), Some((buyer, lines)))
        }
        3 | 4 => {
            let id = pick(dice);
            (Command::Confirm { id, payment_reference: "p".into(), if_version: None }, None)
        }
        5 => (Command::Extend { id: pick(dice), seconds: None, if_version: None }, None),
        6 => {
            let id = pick(dice);
            let first = model.held[&id].units.iter().take(dice.below(2)).map(|(unit, _)| *unit);
            (Command::Release { id, units: first.collect(), if_version: None }, None)
        }
        _ => (Command::Sweep, None),
    }
}

/// Judges a batch by the book and by the model, and compares all that both say.
fn step(model: &mut Model, known: &mut HashMap<ReservationId, Reservation>, dice: &mut Dice) {
    let ctx = Ctx::new(
        TenantId::generate(),
        Principal::System,
        "r".into(),
        (model.now, Instant::now() + Duration::from_secs(60)),
        Transport::Internal,
    );
    let asked: Vec<_> = (0..=dice.below(5)).map(|_| asked(dice, model)).collect();
    let jobs: Vec<_> =
        asked.iter().map(|(command, _)| Arc::new(Job::new(&ctx, command.clone(), None))).collect();
    let before: BTreeMap<_, _> = model.pools.keys().map(|pool| (*pool, model.counts(*pool))).collect();
    let mut book = model.book(&jobs, known);
    for (job, (command, new)) in jobs.iter().zip(&asked) {
        // A unit that an earlier command of the batch released is none of the reservation any more.
        if let Command::Release { id, units, .. } = command
            && units.iter().any(|unit| !model.held[id].units.iter().any(|(held, _)| held == unit))
        {
            continue;
        }
        let verdict = book.judge(job);
        let expected = match (command, new) {
            (Command::Reserve(wanted), Some((buyer, lines))) => model.reserve(wanted, buyer, lines),
            (Command::Sweep, _) => {
                let ended = model.end_due();
                assert!(
                    matches!(verdict, Ok(Outcome::Swept(swept)) if swept == ended),
                    "{verdict:?}, {ended}"
                );
                None
            }
            _ => model.change(command),
        };
        let said = verdict.as_ref().err().map(|error| error.reason().to_owned());
        assert_eq!(said.as_deref(), expected, "{command:?} at {}", model.now);
    }
    for (reservation, _) in book.written() {
        known.insert(reservation.id, reservation.clone());
    }
    for (id, held) in &model.held {
        let now = &known[id];
        assert_eq!((now.state, now.expires_at), (held.state, held.expires), "{id}");
        let units: Vec<_> = now.units.iter().map(|unit| unit.id).collect();
        assert_eq!(units, held.units.iter().map(|(unit, _)| *unit).collect::<Vec<_>>(), "{id}");
    }
    for (pool, capacity) in &model.pools {
        let (was, is) = (before[pool], model.counts(*pool));
        let (held, sold) = book.writes.pools.get(pool).copied().unwrap_or_default();
        let moved = |was: u64, by: i64| was.checked_add_signed(by).unwrap();
        assert_eq!((moved(was.held, held), moved(was.sold, sold)), (is.held, is.sold), "{pool}");
        assert!(capacity.is_none_or(|capacity| is.used() <= capacity), "{pool} is oversold");
    }
    let issued = book.writes.tickets.iter().map(|ticket| ticket.id).collect::<HashSet<_>>();
    assert_eq!(issued.len(), book.writes.tickets.len(), "a ticket was issued twice");
    for ticket in &book.writes.tickets {
        let sold = &model.held[&ticket.reservation];
        assert_eq!(sold.state, ReservationState::Confirmed);
        assert!(sold.units.iter().any(|(unit, _)| *unit == ticket.id));
    }
}

#[test]
fn the_verdict_is_that_of_a_model_that_counts_anew() {
    let mut states = HashSet::new();
    for round in 1..=200_u64 {
        let mut dice = Dice(round.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let (event, shared) = (EventId::generate(), PoolId::generate());
        let types: Vec<_> = (0..3)
            .map(|place| {
                let id = TicketTypeId::generate();
                let mut pools = vec![PoolId::from(event), PoolId::from(id)];
                pools.extend((place < 2).then_some(shared));
                (id, pools)
            })
            .collect();
        let mut pools = BTreeMap::from([(PoolId::from(event), Some(14)), (shared, Some(9))]);
        for (place, (id, _)) in types.iter().enumerate() {
            pools.insert(PoolId::from(*id), [Some(5), None, Some(8)][place]);
        }
        let now = Timestamp::from_micros(1_800_000_000_000_000).unwrap();
        let status = EventStatus::Active;
        let mut model = Model { event, status, now, types, pools, held: BTreeMap::new() };
        let mut known = HashMap::new();
        for batch in 0..30 {
            model.now = model.now.plus(Duration::from_millis(dice.below(4_000) as u64));
            if batch == 26 {
                model.status = EventStatus::Cancelled;
            }
            step(&mut model, &mut known, &mut dice);
        }
        states.extend(model.held.values().map(|held| held.state));
    }
    for state in [ReservationState::Confirmed, ReservationState::Released, ReservationState::Expired] {
        assert!(states.contains(&state), "no reservation became {}", state.name());
    }
}
