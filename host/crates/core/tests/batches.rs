//! The decisions of reservation commands, compared with a simple model.

#![allow(clippy::unwrap_used, reason = "a failure is a failed test")]

mod model;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tessera_core::catalog::{EventStatus, TypeStatus};
use tessera_core::id::{EventId, PoolId, ReservationId, TenantId, TicketTypeId};
use tessera_core::inventory::HoldRules;
use tessera_core::inventory::batch_state::{BatchWrites, PoolSupply};
use tessera_core::inventory::terms::{EventTerms, TypeTerms};
use tessera_core::inventory::{BatchState, Command, Job, Reservation, ReservationState};
use tessera_core::value::Money;
use tessera_core::{Ctx, Principal, Timestamp, Transport};

use model::{BUYERS, CommandResult, Dice, Model, Terms, some_command};

const HOLD: (u32, u32) = (10, 25);
const PER_PURCHASE: u32 = 5;
const PER_BUYER: u32 = 7;

/// Returns the state as a store reads it for these commands. `known` are the reservations as the commands returned them.
fn state(
    event: EventId,
    model: &Model,
    jobs: &[Arc<Job>],
    known: &HashMap<ReservationId, Reservation>,
) -> BatchState {
    let terms = |pools: &[PoolId]| TypeTerms {
        name: "standing".into(),
        price: Money { amount: 100, currency: "EUR".into() },
        bounds: (1, PER_PURCHASE),
        window: (None, None),
        status: TypeStatus::Active,
        pools: pools.to_vec(),
        seated: false,
        hidden: false,
    };
    let supply = |(pool, capacity): (&PoolId, &Option<u64>)| {
        (*pool, PoolSupply { name: "pool".into(), capacity: *capacity, counts: model.counts(*pool) })
    };
    let ids = jobs.iter().filter_map(|job| match &job.command {
        Command::Confirm { id, .. } | Command::Extend { id, .. } | Command::Release { id, .. } => Some(*id),
        Command::Reserve(_) | Command::Sweep => None,
    });
    let due =
        model.reservations.iter().filter(|(_, reservation)| reservation.is_due(model.now, model.status));
    BatchState {
        id: event,
        now: model.now,
        event: Some(EventTerms {
            status: model.status,
            ends_at: model.now.plus(Duration::from_secs(1_000_000)),
            hold_rules: HoldRules { default: Some(HOLD.0), min: Some(1), max: Some(HOLD.1) },
            buyer_limit: Some(PER_BUYER),
            queue_required: false,
        }),
        types: model.types.iter().map(|(id, pools)| (*id, terms(pools))).collect(),
        pools: model.pools.iter().map(supply).collect(),
        reservations: ids.map(|id| (id, known[&id].clone())).collect(),
        due: due.map(|(id, _)| known[id].clone()).collect(),
        buyers: BUYERS.iter().map(|buyer| ((*buyer).to_owned(), model.units_of(buyer) as u64)).collect(),
        active_buyers: HashSet::new(),
        seats: Vec::new(),
        records: HashMap::new(),
        promotions: BTreeMap::new(),
        codes: BTreeMap::new(),
        buyer_uses: HashMap::new(),
        writes: BatchWrites::default(),
    }
}

/// Applies a batch to the state and to the model, and compares the results.
fn step(event: EventId, model: &mut Model, known: &mut HashMap<ReservationId, Reservation>, dice: &mut Dice) {
    let ctx = Ctx::new(
        TenantId::generate(),
        Principal::System,
        "r".into(),
        (model.now, Instant::now() + Duration::from_secs(60)),
        Transport::Internal,
    );
    let commands: Vec<_> = (0..=dice.below(5)).map(|_| some_command(dice, model)).collect();
    let jobs: Vec<_> =
        commands.iter().map(|command| Arc::new(Job::new(&ctx, command.command.clone(), None))).collect();
    let before: BTreeMap<_, _> = model.pools.keys().map(|pool| (*pool, model.counts(*pool))).collect();
    let mut state = state(event, model, &jobs, known);
    for (job, command) in jobs.iter().zip(&commands) {
        let result = CommandResult::from(&state.apply(job));
        assert_eq!(result, model.apply(command), "{:?} at {}", command.command, model.now);
    }
    for (reservation, _) in state.changed_reservations() {
        known.insert(reservation.id, reservation.clone());
    }
    model.compare(known);
    for (pool, capacity) in &model.pools {
        let (old, new) = (before[pool], model.counts(*pool));
        let change = state.writes.pools.get(pool).copied().unwrap_or_default();
        let plus = |count: u64, by: i64| count.checked_add_signed(by).unwrap();
        let expected = (plus(old.held, change.held), plus(old.sold, change.sold));
        assert_eq!((expected, change.locked), ((new.held, new.sold), 0), "{pool}");
        assert!(capacity.is_none_or(|capacity| new.used() <= capacity), "{pool} is oversold");
    }
    let issued = state.writes.tickets.iter().map(|ticket| ticket.id).collect::<HashSet<_>>();
    assert_eq!(issued.len(), state.writes.tickets.len(), "a ticket was issued twice");
    for ticket in &state.writes.tickets {
        let sold = &model.reservations[&ticket.reservation];
        assert_eq!(sold.state, ReservationState::Confirmed);
        assert!(sold.units.iter().any(|(unit, _)| *unit == ticket.id));
    }
}

#[test]
fn decisions_equal_those_of_the_model() {
    let mut states = HashSet::new();
    for round in 1..=200_u64 {
        let mut dice = Dice::new(round);
        let (event, shared) = (EventId::generate(), PoolId::generate());
        let types: Vec<_> = (0..3)
            .map(|index| {
                let id = TicketTypeId::generate();
                let mut pools = vec![PoolId::from(event), PoolId::from(id)];
                pools.extend((index < 2).then_some(shared));
                (id, pools)
            })
            .collect();
        let mut pools = BTreeMap::from([(PoolId::from(event), Some(14)), (shared, Some(9))]);
        for (index, (id, _)) in types.iter().enumerate() {
            pools.insert(PoolId::from(*id), [Some(5), None, Some(8)][index]);
        }
        let now = Timestamp::from_micros(1_800_000_000_000_000).unwrap();
        let status = EventStatus::Active;
        let terms = Terms { hold: HOLD, per_purchase: PER_PURCHASE as usize, per_buyer: PER_BUYER as usize };
        let mut model = Model { terms, status, now, types, pools, reservations: BTreeMap::new() };
        let mut known = HashMap::new();
        for batch in 0..30 {
            model.now = model.now.plus(Duration::from_millis(dice.below(4_000) as u64));
            if batch == 26 {
                model.status = EventStatus::Cancelled;
            }
            step(event, &mut model, &mut known, &mut dice);
        }
        states.extend(model.reservations.values().map(|reservation| reservation.state));
    }
    for state in [ReservationState::Confirmed, ReservationState::Released, ReservationState::Expired] {
        assert!(states.contains(&state), "no reservation became {}", state.name());
    }
}
