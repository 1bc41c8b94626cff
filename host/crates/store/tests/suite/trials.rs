//! Trials: randomized tests, run at full size by `cargo xtask trials`.

#![allow(clippy::print_stdout, reason = "a trial reports its size")]

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use tessera_core::catalog::{Event, EventStatus};
use tessera_core::id::{PoolId, TicketTypeId};
use tessera_core::inventory::HoldRules;
use tessera_core::inventory::{Command, ReservationState};

use crate::box_office::{BoxOffice, done, hold};
use crate::model::{CommandResult, Dice, Model, Terms, some_command};
use crate::world::{World, is_long_trial, setting};

async fn confirm_and_expiry_exclude_each_other(world: World) {
    // A round fits into one batch; the rounds of a long trial are ten thousand races.
    let (rounds, races) = if is_long_trial() { (42, 240) } else { (1, 60) };
    let office = open_for_a_second(world).await;
    let (mut round, mut in_time) = (0, 0);
    // On a busy machine all races of a round may have one end; both ends must occur.
    while round < rounds || !(1..round * races).contains(&in_time) {
        assert!(round < rounds + 20, "{in_time} of {} were in time", round * races);
        in_time += race(&office, round, races).await;
        round += 1;
    }
    office.0.check().await;
    println!(
        "{} races of confirm against expiry, {in_time} won by confirm: 0 by both or neither",
        round * races
    );
}

/// Creates an event with holds of one second.
async fn open_for_a_second(world: World) -> (BoxOffice, TicketTypeId) {
    let holds = HoldRules { default: Some(1), min: Some(1), max: Some(1) };
    let office = BoxOffice::open(world, None, |text| hold(text, holds)).await;
    let standing = office.ticket_type(None, &[]).await;
    (office, standing)
}

/// Runs races and returns the number of confirmed holds.
async fn race((office, standing): &(BoxOffice, TicketTypeId), round: usize, races: usize) -> usize {
    let jobs: Vec<_> =
        (0..races).map(|n| office.reserve(&format!("b{round}-{n}"), &[(*standing, 1)])).collect();
    let reservations: Vec<_> =
        office.batch(&jobs).await.into_iter().map(|verdict| done(verdict).unwrap()).collect();
    let due = reservations[0].expires_at.micros();
    let apart = 120_000 / i64::try_from(races).unwrap();
    // Some are confirmed shortly before their end, some after it, while sweeps run.
    let running = reservations.iter().enumerate().map(|(n, reservation)| {
        let (office, id) = (office.clone(), reservation.id);
        tokio::spawn(async move {
            let at = due - 60_000 + i64::try_from(n).unwrap() * apart;
            while office.world.store.now().micros() < at {
                tokio::time::sleep(Duration::from_micros(500)).await;
            }
            if n % 5 == 0 {
                office.batch(&[office.job(Command::Sweep)]).await;
            }
            (id, office.confirm(id).await)
        })
    });
    let mut won = 0;
    for race in running.collect::<Vec<_>>() {
        let (id, verdict) = race.await.unwrap();
        let stored = office.world.store.reservation(office.tenant, id).await.unwrap().unwrap();
        let expected = match verdict {
            Ok(_) => ReservationState::Confirmed,
            Err(error) => {
                assert_eq!(error.reason(), "RESERVATION_EXPIRED");
                ReservationState::Expired
            }
        };
        assert_eq!(stored.state, expected);
        won += usize::from(expected == ReservationState::Confirmed);
    }
    won
}

/// Random commands get the results of a model and leave its state, in concurrent sequences.
async fn random_commands_agree_with_the_model(world: World) {
    const AT_ONCE: usize = 64;
    let sequences = if is_long_trial() { 10_000 } else { 40 };
    let seed = setting("TESSERA_TRIALS_SEED").map_or(1, |seed| seed.parse().unwrap());
    let running: Vec<_> = (0..AT_ONCE)
        .map(|first: usize| {
            let world = world.clone();
            tokio::spawn(async move {
                let mut states = Vec::new();
                for number in (first..sequences).step_by(AT_ONCE) {
                    states.extend(sequence(&world, seed + number as u64).await);
                }
                states
            })
        })
        .collect();
    let mut states: BTreeMap<_, usize> = BTreeMap::new();
    for some in running {
        for state in some.await.unwrap() {
            *states.entry(state.name()).or_default() += 1;
        }
    }
    for state in [ReservationState::Confirmed, ReservationState::Released, ReservationState::Expired] {
        assert!(states.contains_key(state.name()), "no reservation became {}", state.name());
    }
    println!(
        "{sequences} sequences from seed {seed}: 0 unlike the model; reservations at their end: {states:?}"
    );
}

/// Runs a sequence of batches on an event of its own; returns the final states of its reservations.
async fn sequence(world: &World, seed: u64) -> Vec<ReservationState> {
    const BATCHES: usize = 12;
    let mut dice = Dice::new(seed);
    let terms = Terms { hold: (1, 3), per_purchase: 50, per_buyer: 7 };
    let holds = HoldRules { default: Some(1), min: Some(1), max: Some(3) };
    let mut office = BoxOffice::open(world.clone(), Some(14), |text| {
        hold(text, holds);
        text.buyer_limit = Some(7);
    })
    .await;
    let mut model = small_show(&office, terms).await;
    for batch in 0..BATCHES {
        if batch == BATCHES - 2 {
            office.event = cancel(&office).await;
            model.status = EventStatus::Cancelled;
        } else if dice.below(6) == 0 {
            outlive_a_hold(&office, &model).await;
        }
        step(&office, &mut model, &mut dice, seed).await;
    }
    office.check().await;
    model.reservations.into_values().map(|reservation| reservation.state).collect()
}

/// Creates three ticket types with a shared pool.
async fn small_show(office: &BoxOffice, terms: Terms) -> Model {
    let shared = office.shared(9).await;
    let mut pools = BTreeMap::from([(PoolId::from(office.event.id), Some(14)), (shared, Some(9))]);
    let mut types = Vec::new();
    for (quantity, shares) in [(Some(5), true), (None, true), (Some(8), false)] {
        let shared = if shares { vec![shared] } else { Vec::new() };
        let id = office.ticket_type(quantity, &shared).await;
        pools.insert(id.into(), quantity);
        types.push((id, [vec![office.event.id.into(), id.into()], shared].concat()));
    }
    let (status, now) = (EventStatus::Active, office.event.created_at);
    Model { terms, status, now, types, pools, reservations: BTreeMap::new() }
}

async fn cancel(office: &BoxOffice) -> Event {
    let mut event = Event { version: 2, ..office.event.clone() };
    event.attributes.status = EventStatus::Cancelled;
    let fact = office.world.fact(office.tenant, "event.cancelled", &event).in_event(event.id);
    office.world.store(office.world.change(office.tenant).update(event.clone()).fact(fact)).await;
    event
}

/// Waits until a hold of the model has expired.
async fn outlive_a_hold(office: &BoxOffice, model: &Model) {
    let holds = model.reservations.values().filter(|reservation| reservation.state == ReservationState::Held);
    let Some(end) = holds.map(|reservation| reservation.expires).min() else { return };
    while office.world.store.now() <= end {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Runs a batch on the store and on the model, and compares results and rows.
async fn step(office: &BoxOffice, model: &mut Model, dice: &mut Dice, seed: u64) {
    let commands: Vec<_> = (0..=dice.below(5)).map(|_| some_command(dice, model)).collect();
    let jobs: Vec<_> = commands.iter().map(|drawn| office.job(drawn.command.clone())).collect();
    let results: Vec<_> = office.batch(&jobs).await.iter().map(CommandResult::from).collect();
    let stored: HashMap<_, _> =
        office.reservations().await.into_iter().map(|stored| (stored.id, stored)).collect();
    // An effect of the store's time is a change that contains the time; without a change the time does not matter.
    model.now = stored.values().map(|stored| stored.updated_at).max().unwrap_or(model.now);
    let expected: Vec<_> = commands.iter().map(|drawn| model.apply(drawn)).collect();
    assert_eq!(
        results,
        expected,
        "seed {seed}: {:?}",
        commands.iter().map(|drawn| &drawn.command).collect::<Vec<_>>()
    );
    model.compare(&stored);
    for pool in model.pools.keys() {
        assert_eq!(office.counts(*pool).await, model.counts(*pool), "seed {seed}: {pool}");
    }
}

on_every_store! {
    confirm_and_expiry_exclude_each_other,
    random_commands_agree_with_the_model,
}
