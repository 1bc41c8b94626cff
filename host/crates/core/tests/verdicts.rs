//! The verdict on reservations beside a model that is as simple as it can be.

#![allow(clippy::unwrap_used, reason = "what fails here is a test that failed")]

mod model;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tessera_core::catalog::event::HoldRules;
use tessera_core::catalog::{EventStatus, TypeStatus};
use tessera_core::id::{EventId, PoolId, ReservationId, TenantId, TicketTypeId};
use tessera_core::inventory::rules::{Supply, Writes};
use tessera_core::inventory::terms::{EventTerms, TypeTerms};
use tessera_core::inventory::{Book, Command, Job, Reservation, ReservationState};
use tessera_core::value::Money;
use tessera_core::{Ctx, Principal, Timestamp, Transport};

use model::{BUYERS, Dice, Model, Said, Terms, some_command};

const HOLD: (u32, u32) = (10, 25);
const PER_PURCHASE: u32 = 5;
const PER_BUYER: u32 = 7;

/// The book as a store reads it for these commands; `known` are the reservations as they were answered.
fn book(
    event: EventId,
    model: &Model,
    jobs: &[Arc<Job>],
    known: &HashMap<ReservationId, Reservation>,
) -> Book {
    let terms = |pools: &[PoolId]| TypeTerms {
        name: "standing".into(),
        price: Money { amount: 100, currency: "EUR".into() },
        bounds: (1, PER_PURCHASE),
        window: (None, None),
        status: TypeStatus::Active,
        pools: pools.to_vec(),
        seated: false,
    };
    let supply = |(pool, capacity): (&PoolId, &Option<u64>)| {
        (*pool, Supply { name: "pool".into(), capacity: *capacity, counts: model.counts(*pool) })
    };
    let named = jobs.iter().filter_map(|job| match &job.command {
        Command::Confirm { id, .. } | Command::Extend { id, .. } | Command::Release { id, .. } => Some(*id),
        Command::Reserve(_) | Command::Sweep => None,
    });
    let due = model.held.iter().filter(|(_, held)| held.is_due(model.now, model.status));
    Book {
        id: event,
        now: model.now,
        event: Some(EventTerms {
            status: model.status,
            ends_at: model.now.plus(Duration::from_secs(1_000_000)),
            holds: HoldRules { usual: Some(HOLD.0), least: Some(1), most: Some(HOLD.1) },
            buyer_limit: Some(PER_BUYER),
            queued: false,
        }),
        types: model.types.iter().map(|(id, pools)| (*id, terms(pools))).collect(),
        pools: model.pools.iter().map(supply).collect(),
        reservations: named.map(|id| (id, known[&id].clone())).collect(),
        due: due.map(|(id, _)| known[id].clone()).collect(),
        buyers: BUYERS.iter().map(|buyer| ((*buyer).to_owned(), model.units_of(buyer) as u64)).collect(),
        served: HashSet::new(),
        seats: Vec::new(),
        keys: HashMap::new(),
        writes: Writes::default(),
    }
}

/// Judges a batch by the book and by the model, and compares all that both say.
fn step(event: EventId, model: &mut Model, known: &mut HashMap<ReservationId, Reservation>, dice: &mut Dice) {
    let ctx = Ctx::new(
        TenantId::generate(),
        Principal::System,
        "r".into(),
        (model.now, Instant::now() + Duration::from_secs(60)),
        Transport::Internal,
    );
    let asked: Vec<_> = (0..=dice.below(5)).map(|_| some_command(dice, model)).collect();
    let jobs: Vec<_> =
        asked.iter().map(|asked| Arc::new(Job::new(&ctx, asked.command.clone(), None))).collect();
    let before: BTreeMap<_, _> = model.pools.keys().map(|pool| (*pool, model.counts(*pool))).collect();
    let mut book = book(event, model, &jobs, known);
    for (job, asked) in jobs.iter().zip(&asked) {
        assert_eq!(Said::from(&book.judge(job)), model.judge(asked), "{:?} at {}", asked.command, model.now);
    }
    for (reservation, _) in book.written() {
        known.insert(reservation.id, reservation.clone());
    }
    model.compare(known);
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
        let mut dice = Dice::new(round);
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
        let terms = Terms { hold: HOLD, per_purchase: PER_PURCHASE as usize, per_buyer: PER_BUYER as usize };
        let mut model = Model { terms, status, now, types, pools, held: BTreeMap::new() };
        let mut known = HashMap::new();
        for batch in 0..30 {
            model.now = model.now.plus(Duration::from_millis(dice.below(4_000) as u64));
            if batch == 26 {
                model.status = EventStatus::Cancelled;
            }
            step(event, &mut model, &mut known, &mut dice);
        }
        states.extend(model.held.values().map(|held| held.state));
    }
    for state in [ReservationState::Confirmed, ReservationState::Released, ReservationState::Expired] {
        assert!(states.contains(&state), "no reservation became {}", state.name());
    }
}
