//! The state of one event while a batch of commands is decided, and what the batch writes.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use crate::access::ObjectKind;
use crate::admission::Ticket;
use crate::id::{EventId, PoolId, PromotionId, QuoteId, ReservationId, SeatId, TicketId, TicketTypeId};
use crate::idempotency::{IdempotencyClaim, IdempotencyRecord, Scope};
use crate::inventory::job::{Job, Reserve};
use crate::inventory::reservation::Unit;
use crate::inventory::terms::{EventTerms, TypeTerms};
use crate::inventory::{Counts, Reservation, ReservationState, Seat};
use crate::outbox::{NewFact, ObjectRef};
use crate::pricing::promotion::UseKey;
use crate::pricing::{KeptUnits, Quote};
use crate::time::Timestamp;
use crate::value::diff;

/// The supply of a pool.
#[derive(Clone, Debug)]
pub struct PoolSupply {
    /// The pool's name.
    pub name: String,
    /// The number of its units; `None` for no bound.
    pub capacity: Option<u64>,
    /// How many of them are used.
    pub counts: Counts,
}

/// A promotion with a code that the commands or the due holds use.
#[derive(Clone, Debug)]
pub struct PromotionState {
    /// Whether its codes are accepted.
    pub enabled: bool,
    /// When they cease to be accepted.
    pub valid_until: Option<Timestamp>,
    /// The hidden ticket types that its codes show.
    pub shows: BTreeSet<TicketTypeId>,
    /// The most uses of its codes.
    pub max_uses: Option<u32>,
    /// The most uses of its codes by one buyer.
    pub max_uses_per_buyer: Option<u32>,
    /// The most uses of each code.
    pub max_uses_per_code: Option<u32>,
    /// The number of uses of its codes.
    pub uses: u64,
}

/// A code that the commands or the due holds use.
#[derive(Clone, Debug)]
pub struct CodeState {
    /// Its promotion.
    pub promotion: PromotionId,
    /// The number of its uses.
    pub uses: u64,
    /// The units that it keeps free.
    pub kept: Option<KeptUnits>,
    /// When it was created.
    pub created_at: Timestamp,
}

/// The state that commands of one event are decided from. Each decision changes it.
#[derive(Clone, Debug)]
pub struct BatchState {
    /// The event.
    pub id: EventId,
    /// The time of the store's clock.
    pub now: Timestamp,
    /// The event's terms; `None` if the event does not exist.
    pub event: Option<EventTerms>,
    /// The terms of the ticket types in the commands.
    pub types: BTreeMap<TicketTypeId, TypeTerms>,
    /// All pools of the event.
    pub pools: BTreeMap<PoolId, PoolSupply>,
    /// The reservations in the commands.
    pub reservations: HashMap<ReservationId, Reservation>,
    /// Holds that have expired, or whose event was cancelled.
    pub due: Vec<Reservation>,
    /// The number of units that each buyer in the commands holds and has bought.
    pub buyers: HashMap<String, u64>,
    /// The buyers in the commands that are active in the event's queue.
    pub active_buyers: HashSet<String>,
    /// Seats of the ticket types in the commands: requested ones, some free ones, and those of due holds.
    pub seats: Vec<Seat>,
    /// The records of the commands' idempotency keys.
    pub records: HashMap<Scope, IdempotencyRecord>,
    /// The promotions of the codes in the commands and the due holds; those that do not exist any more are absent.
    pub promotions: BTreeMap<PromotionId, PromotionState>,
    /// These codes in their canonical form; those that do not exist any more are absent.
    pub codes: BTreeMap<String, CodeState>,
    /// The uses of each buyer in the commands of each promotion that bounds them.
    pub buyer_uses: HashMap<(PromotionId, String), u64>,
    /// What the batch writes.
    pub writes: BatchWrites,
}

/// What a batch writes.
#[derive(Clone, Default, Debug)]
pub struct BatchWrites {
    /// Changes of the counts of pools.
    pub pools: BTreeMap<PoolId, PoolChange>,
    /// Changed reservations, with the state and version before; `None` for new ones.
    pub reservations: BTreeMap<ReservationId, Option<(ReservationState, u64)>>,
    /// Changed seats.
    pub seats: BTreeMap<SeatId, SeatMove>,
    /// New tickets.
    pub tickets: Vec<Ticket>,
    /// The quotes of new reservations that are not known to be stored.
    pub quotes: Vec<Arc<Quote>>,
    /// Changes of the numbers of held and confirmed reservations of stored quotes.
    pub stored_quotes: BTreeMap<QuoteId, i64>,
    /// Changes of the numbers of uses of promotions.
    pub promotions: BTreeMap<PromotionId, i64>,
    /// Changes of codes.
    pub codes: BTreeMap<String, CodeChange>,
    /// New uses of codes, each with its promotion and its buyer.
    pub new_uses: BTreeMap<UseKey, (PromotionId, String)>,
    /// Uses that ended.
    pub ended_uses: BTreeSet<UseKey>,
    /// Idempotency records.
    pub claims: Vec<IdempotencyClaim>,
    /// Facts.
    pub facts: Vec<NewFact>,
}

/// A change of the counts of a pool.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct PoolChange {
    /// Of held units.
    pub held: i64,
    /// Of sold units.
    pub sold: i64,
    /// Of locked units.
    pub locked: i64,
}

/// A change of a code.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct CodeChange {
    /// Of the number of its uses.
    pub uses: i64,
    /// Of the number of units that it keeps.
    pub kept: i64,
}

/// A seat that passes from one unit to another.
#[derive(Clone, Copy, Debug)]
pub struct SeatMove {
    /// The ticket type of the seat.
    pub ticket_type: TicketTypeId,
    /// The unit that had the seat.
    pub before: Option<TicketId>,
    /// The unit that has the seat now, with its reservation.
    pub after: Option<(TicketId, ReservationId)>,
}

impl BatchWrites {
    /// Returns whether nothing is written.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.reservations.is_empty()
    }
}

/// How units move between the counts of a pool.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum UnitMove {
    FreeToHeld,
    HeldToSold,
    HeldToFree,
}

impl BatchState {
    /// Creates the state of an event without any data.
    #[must_use]
    pub fn empty(id: EventId, now: Timestamp) -> Self {
        Self {
            id,
            now,
            event: None,
            types: BTreeMap::new(),
            pools: BTreeMap::new(),
            reservations: HashMap::new(),
            due: Vec::new(),
            buyers: HashMap::new(),
            active_buyers: HashSet::new(),
            seats: Vec::new(),
            records: HashMap::new(),
            promotions: BTreeMap::new(),
            codes: BTreeMap::new(),
            buyer_uses: HashMap::new(),
            writes: BatchWrites::default(),
        }
    }

    /// Returns the reservations to be written, each with its state and version before.
    pub fn changed_reservations(
        &self,
    ) -> impl Iterator<Item = (&Reservation, Option<(ReservationState, u64)>)> {
        let changed = self.writes.reservations.iter();
        changed.filter_map(|(id, before)| Some((self.reservations.get(id)?, *before)))
    }

    /// Puts a reservation at its next version, with the fact about the change.
    pub(super) fn put(
        &mut self,
        job: &Job,
        fact: &'static str,
        before: Option<&Reservation>,
        mut after: Reservation,
    ) -> Reservation {
        if let Some(before) = before {
            after.version = before.version + 1;
            after.updated_at = self.now;
        }
        let first = before.map(|before| (before.state, before.version));
        self.writes.reservations.entry(after.id).or_insert(first);
        let object =
            ObjectRef { kind: ObjectKind::Reservation, id: after.id.to_string(), version: after.version };
        let mut changes = diff(before, Some(&after));
        if before.is_none() {
            changes.retain(|change| !change.after.is_none());
        }
        self.writes.facts.push(job.fact(fact, (object, self.now), changes).in_event(self.id));
        self.reservations.insert(after.id, after.clone());
        after
    }

    /// Stores the quote of a new reservation, or counts the reservation if it is stored.
    pub(super) fn put_quote(&mut self, request: &Reserve) {
        let Some(quote) = &request.quote else { return };
        if request.quote_is_stored {
            *self.writes.stored_quotes.entry(quote.id).or_default() += 1;
        } else {
            self.writes.quotes.push(Arc::clone(quote));
        }
    }

    /// Ends the use of a quote by a reservation that has no units any more. A quote that only this batch would have stored
    /// is not stored.
    pub(super) fn return_quote(&mut self, of: &Reservation) {
        let Some(id) = of.quote else { return };
        let new = self.writes.quotes.iter().position(|quote| quote.id == id);
        if let Some(index) = new {
            self.writes.quotes.swap_remove(index);
        } else {
            *self.writes.stored_quotes.entry(id).or_default() -= 1;
        }
    }

    /// Moves units of a reservation in the counts of their pools.
    pub(super) fn move_units(&mut self, of: &Reservation, units: &[Unit], unit_move: UnitMove) {
        for unit in units {
            let Some(line) = of.lines.get(unit.line) else { continue };
            for pool in &line.pools {
                let change = self.writes.pools.entry(*pool).or_default();
                let Some(supply) = self.pools.get_mut(pool) else { continue };
                let counts = &mut supply.counts;
                match unit_move {
                    UnitMove::FreeToHeld => {
                        change.held += 1;
                        counts.held += 1;
                    }
                    UnitMove::HeldToFree => {
                        change.held -= 1;
                        counts.held = counts.held.saturating_sub(1);
                    }
                    UnitMove::HeldToSold => {
                        (change.held, change.sold) = (change.held - 1, change.sold + 1);
                        (counts.held, counts.sold) = (counts.held.saturating_sub(1), counts.sold + 1);
                    }
                }
            }
        }
    }

    /// Returns held units to their pools, frees their seats, and reduces the buyer's count.
    pub(super) fn free_units(&mut self, of: &Reservation, units: &[Unit]) {
        self.move_units(of, units, UnitMove::HeldToFree);
        for unit in units {
            self.move_seat(of, unit, None);
        }
        if let Some(count) = self.buyers.get_mut(&of.buyer) {
            *count = count.saturating_sub(units.len() as u64);
        }
    }

    /// Gives a unit's seat to a unit, or to none.
    pub(super) fn move_seat(
        &mut self,
        of: &Reservation,
        unit: &Unit,
        after: Option<(TicketId, ReservationId)>,
    ) {
        let (Some(unit_seat), Some(line)) = (&unit.seat, of.lines.get(unit.line)) else { return };
        let before = if after.is_none() { Some(unit.id) } else { None };
        let first = SeatMove { ticket_type: line.ticket_type, before, after };
        self.writes.seats.entry(unit_seat.id).or_insert(first).after = after;
        if let Some(seat) = self.seats.iter_mut().find(|seat| seat.id == unit_seat.id) {
            seat.unit = after.map(|(unit, _)| unit);
        }
    }

    /// Returns the number of free units of a pool; `None` for no bound, 0 if the pool does not exist.
    pub(super) fn free(&self, pool: PoolId) -> Option<u64> {
        let Some(supply) = self.pools.get(&pool) else { return Some(0) };
        supply.capacity.map(|capacity| capacity.saturating_sub(supply.counts.used()))
    }
}
