//! The verdict on each command of an event, against the running counts.
//!
//! Pure: the store reads the book under the pools' lock, each command is judged by itself, and what the book
//! then wants written is written in one go. Nothing here waits or asks.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::access::ObjectKind;
use crate::admission::Ticket;
use crate::catalog::EventStatus;
use crate::changeset::{Claim, Recorded};
use crate::error::{Error, ErrorKind, Result};
use crate::id::{EventId, PoolId, ReservationId, SeatId, TicketId, TicketTypeId};
use crate::idempotency::{self, Scope};
use crate::inventory::job::{Command, Job, Outcome, Reserve};
use crate::inventory::reservation::{Line, Unit, UnitSeat, expired};
use crate::inventory::seat::Seat;
use crate::inventory::terms::{EventTerms, TypeTerms, check_wanted, hold_for, on_sale, unknown_type};
use crate::inventory::{Counts, Reservation, ReservationState};
use crate::outbox::{NewFact, ObjectRef};
use crate::time::Timestamp;
use crate::value::diff;

/// A pool's supply.
#[derive(Clone, Debug)]
pub struct Supply {
    /// Its name.
    pub name: String,
    /// How many units it has; none: it sets no bound.
    pub capacity: Option<u64>,
    /// Where they are.
    pub counts: Counts,
}

/// What the commands of one event are judged by; each verdict changes it.
#[derive(Clone, Debug)]
pub struct Book {
    /// The event.
    pub id: EventId,
    /// The database's clock.
    pub now: Timestamp,
    /// What the event says; none: there is no such event.
    pub event: Option<EventTerms>,
    /// The ticket types that the commands name.
    pub types: BTreeMap<TicketTypeId, TypeTerms>,
    /// All pools of the event.
    pub pools: BTreeMap<PoolId, Supply>,
    /// The reservations that the commands name.
    pub reservations: HashMap<ReservationId, Reservation>,
    /// Holds whose time has run out, or whose event was cancelled.
    pub due: Vec<Reservation>,
    /// What buyers whom the commands name hold and have bought.
    pub buyers: HashMap<String, u64>,
    /// Those of them whose turn it is in the event's queue.
    pub served: HashSet<String>,
    /// Seats of the types that the commands name: those that are named, some free ones, and those of due holds.
    pub seats: Vec<Seat>,
    /// What was recorded for the commands' keys.
    pub keys: HashMap<Scope, Recorded>,
    /// What is to be written.
    pub writes: Writes,
}

/// What a book wants written.
#[derive(Clone, Default, Debug)]
pub struct Writes {
    /// How the counts of pools change: held and sold.
    pub pools: BTreeMap<PoolId, (i64, i64)>,
    /// Reservations that are new, or were in that state at that version.
    pub reservations: BTreeMap<ReservationId, Option<(ReservationState, u64)>>,
    /// Seats that change hands.
    pub seats: BTreeMap<SeatId, SeatMove>,
    /// Tickets that are issued.
    pub tickets: Vec<Ticket>,
    /// Idempotency records.
    pub claims: Vec<Claim>,
    /// Facts.
    pub facts: Vec<NewFact>,
}

/// Whose a seat was, and whose it is to be.
#[derive(Clone, Copy, Debug)]
pub struct SeatMove {
    /// The type of which it is a seat.
    pub ticket_type: TicketTypeId,
    /// The unit that had it.
    pub was: Option<TicketId>,
    /// The unit that gets it, and its reservation.
    pub is: Option<(TicketId, ReservationId)>,
}

impl Writes {
    /// Whether nothing is to be written.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.reservations.is_empty()
    }
}

/// Where units come from and go to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shift {
    Hold,
    Sell,
    Free,
}

impl Book {
    /// A book of an event of which nothing is known.
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
            served: HashSet::new(),
            seats: Vec::new(),
            keys: HashMap::new(),
            writes: Writes::default(),
        }
    }

    /// Judges one command by itself, and carries it out in the book if it may be.
    pub fn judge(&mut self, job: &Job) -> Result<Outcome> {
        if let Some((scope, fingerprint)) = &job.key
            && let Some(recorded) = self.keys.get(scope)
        {
            if recorded.fingerprint != *fingerprint {
                return Err(idempotency::reused());
            }
            return Ok(Outcome::Replayed(Box::new(recorded.clone())));
        }
        let done = match &job.command {
            Command::Reserve(wanted) => self.reserve(job, wanted)?,
            Command::Confirm { id, payment_reference, if_version } => {
                self.confirm(job, (*id, *if_version), payment_reference)?
            }
            Command::Extend { id, seconds, if_version } => self.extend(job, (*id, *if_version), *seconds)?,
            Command::Release { id, units, if_version } => self.release(job, (*id, *if_version), units)?,
            Command::Sweep => return Ok(Outcome::Swept(self.end_due(job))),
        };
        if let Some(claim) = job.claim(self.now, &done) {
            let recorded = Recorded { fingerprint: claim.fingerprint, answer: claim.answer.clone() };
            self.keys.insert(claim.scope.clone(), recorded);
            self.writes.claims.push(claim);
        }
        Ok(Outcome::Done(Box::new(done)))
    }

    /// The reservations that are written, as they are to be.
    pub fn written(&self) -> impl Iterator<Item = (&Reservation, Option<(ReservationState, u64)>)> {
        let touched = self.writes.reservations.iter();
        touched.filter_map(|(id, before)| Some((self.reservations.get(id)?, *before)))
    }

    fn reserve(&mut self, job: &Job, wanted: &Reserve) -> Result<Reservation> {
        let terms = self.event.clone().ok_or_else(|| Error::not_found("event"))?;
        on_sale((terms.status, terms.ends_at), self.now)?;
        if terms.queued && !self.served.contains(&wanted.buyer) {
            let message =
                "buyers of this event wait in its queue; enter it, and reserve when it is your turn";
            return Err(Error::new(ErrorKind::Precondition, "QUEUE_REQUIRED", message));
        }
        let seconds = hold_for(terms.holds, wanted.seconds)?;
        let lines = self.lines(wanted)?;
        let demand = demand(wanted, &lines);
        let units = wanted.lines.iter().map(|line| line.units.len() as u64).sum::<u64>();
        let limited = self.check_buyer(&terms, &wanted.buyer, units).is_err();
        if limited || !self.suffices(&demand) || self.seats_are_due(wanted) {
            self.end_due(job);
        }
        self.check_buyer(&terms, &wanted.buyer, units)?;
        self.check_supply(&demand)?;
        let chosen = self.choose_seats(wanted)?;
        let reservation = Reservation {
            id: wanted.id,
            event: self.id,
            buyer: wanted.buyer.clone(),
            state: ReservationState::Held,
            lines,
            units: units_of(wanted, &chosen),
            payment_reference: None,
            created_by: job.principal().to_owned(),
            created_at: self.now,
            updated_at: self.now,
            expires_at: self.now.plus(std::time::Duration::from_secs(seconds.into())),
            version: 1,
        };
        self.take_seats(&reservation);
        self.shift(&reservation, &reservation.units, Shift::Hold);
        *self.buyers.entry(wanted.buyer.clone()).or_default() += units;
        self.put(job, "reservation.held", None, reservation.clone());
        Ok(reservation)
    }

    fn confirm(
        &mut self,
        job: &Job,
        of: (ReservationId, Option<u64>),
        payment_reference: &str,
    ) -> Result<Reservation> {
        let before = self.held(job, of)?;
        if self.event.as_ref().is_none_or(|event| event.status == EventStatus::Cancelled) {
            return Err(Error::new(ErrorKind::Precondition, "EVENT_CANCELLED", "the event was cancelled"));
        }
        let mut after = Reservation { state: ReservationState::Confirmed, ..before.clone() };
        after.payment_reference = Some(payment_reference.to_owned());
        self.shift(&before, &before.units, Shift::Sell);
        self.issue(job, &after);
        Ok(self.put(job, "reservation.confirmed", Some(&before), after))
    }

    /// A ticket for each unit that is sold.
    fn issue(&mut self, job: &Job, sold: &Reservation) {
        for ticket in sold.units.iter().filter_map(|unit| Ticket::issued(sold, unit, self.now)) {
            let object = ObjectRef { kind: ObjectKind::Ticket, id: ticket.id.to_string(), version: 1 };
            let mut changes = diff(None, Some(&ticket));
            changes.retain(|change| !change.after.is_none());
            let fact = job.fact("ticket.issued", (object, self.now), changes).in_event(self.id);
            self.writes.facts.push(fact);
            self.writes.tickets.push(ticket);
        }
    }

    fn extend(
        &mut self,
        job: &Job,
        of: (ReservationId, Option<u64>),
        seconds: Option<u32>,
    ) -> Result<Reservation> {
        let before = self.held(job, of)?;
        let terms = self.event.clone().ok_or_else(|| Error::not_found("event"))?;
        let wanted = hold_for(terms.holds, seconds)?;
        let span = |seconds: u32| std::time::Duration::from_secs(seconds.into());
        let (_, _, most) = terms.holds.seconds();
        let latest = before.created_at.plus(span(most));
        if latest <= before.expires_at {
            let message =
                format!("it is held until {} already, and cannot be held for longer", before.expires_at);
            return Err(Error::new(ErrorKind::Precondition, "RESERVATION_AT_MAXIMUM", message));
        }
        let expires_at = self.now.plus(span(wanted)).min(latest);
        if expires_at <= before.expires_at {
            let left = before.expires_at.micros() - self.now.micros();
            let message = format!(
                "is {wanted}{}, which adds nothing: it is held until {} already; {} to {most} seconds are allowed now",
                if wanted == seconds.unwrap_or_default() { "" } else { ", as is usual" },
                before.expires_at,
                left / 1_000_000 + 1,
            );
            return Err(Error::invalid("timeout_seconds", message));
        }
        let after = Reservation { expires_at, ..before.clone() };
        Ok(self.put(job, "reservation.extended", Some(&before), after))
    }

    fn release(
        &mut self,
        job: &Job,
        of: (ReservationId, Option<u64>),
        named: &[TicketId],
    ) -> Result<Reservation> {
        let before = self.held(job, of)?;
        let has = |id: &TicketId| before.units.iter().any(|unit| unit.id == *id);
        if let Some((index, stranger)) = named.iter().enumerate().find(|(_, id)| !has(id)) {
            let message = format!("is {stranger}, which is no unit of the reservation");
            return Err(Error::invalid(&format!("ticket_ids[{index}]"), message));
        }
        let named: HashSet<_> = named.iter().collect();
        let (gone, kept): (Vec<_>, Vec<_>) =
            before.units.iter().cloned().partition(|unit| named.is_empty() || named.contains(&unit.id));
        self.let_go(&before, &gone);
        let state = if kept.is_empty() { ReservationState::Released } else { ReservationState::Held };
        let after = Reservation { state, units: kept, ..before.clone() };
        Ok(self.put(job, "reservation.released", Some(&before), after))
    }

    /// Ends all holds that are due; how many there were.
    fn end_due(&mut self, job: &Job) -> u32 {
        let mut ended = 0;
        for loaded in std::mem::take(&mut self.due) {
            // A command before this one may have changed it.
            let held = self.reservations.entry(loaded.id).or_insert(loaded).clone();
            ended += u32::from(self.end(job, &held));
        }
        ended
    }

    /// Ends a hold that is due; whether it was.
    fn end(&mut self, job: &Job, held: &Reservation) -> bool {
        let cancelled = self.event.as_ref().is_none_or(|event| event.status == EventStatus::Cancelled);
        let (state, fact) = if held.expires_at <= self.now {
            (ReservationState::Expired, "reservation.expired")
        } else if cancelled {
            (ReservationState::Released, "reservation.released")
        } else {
            return false;
        };
        if held.state != ReservationState::Held {
            return false;
        }
        self.let_go(held, &held.units);
        let after = Reservation { state, units: Vec::new(), ..held.clone() };
        self.put(job, fact, Some(held), after);
        true
    }

    /// A reservation that is held and not due, at the version that the caller named.
    fn held(&mut self, job: &Job, (id, version): (ReservationId, Option<u64>)) -> Result<Reservation> {
        let held = self.reservations.get(&id).cloned().ok_or_else(|| Error::not_found("reservation"))?;
        if version.is_some_and(|version| version != held.version) {
            return Err(Error::version_mismatch());
        }
        held.check_held()?;
        if held.expires_at <= self.now {
            self.end(job, &held);
            return Err(expired());
        }
        Ok(held)
    }

    fn let_go(&mut self, of: &Reservation, units: &[Unit]) {
        self.shift(of, units, Shift::Free);
        for unit in units {
            self.move_seat(of, unit, None);
        }
        if let Some(count) = self.buyers.get_mut(&of.buyer) {
            *count = count.saturating_sub(units.len() as u64);
        }
    }

    /// Keeps a reservation as it is after a change, with the fact that it makes true.
    fn put(
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

    fn shift(&mut self, of: &Reservation, units: &[Unit], how: Shift) {
        for unit in units {
            let Some(line) = of.lines.get(unit.line) else { continue };
            for pool in &line.pools {
                let (held, sold) = self.writes.pools.entry(*pool).or_default();
                let Some(supply) = self.pools.get_mut(pool) else { continue };
                let counts = &mut supply.counts;
                match how {
                    Shift::Hold => {
                        *held += 1;
                        counts.held += 1;
                    }
                    Shift::Free => {
                        *held -= 1;
                        counts.held = counts.held.saturating_sub(1);
                    }
                    Shift::Sell => {
                        (*held, *sold) = (*held - 1, *sold + 1);
                        (counts.held, counts.sold) = (counts.held.saturating_sub(1), counts.sold + 1);
                    }
                }
            }
        }
    }

    /// What is wanted, at today's terms of the types.
    fn lines(&self, wanted: &Reserve) -> Result<Vec<Line>> {
        let mut lines = Vec::with_capacity(wanted.lines.len());
        for (index, line) in wanted.lines.iter().enumerate() {
            let terms = self.types.get(&line.ticket_type);
            let terms = terms.ok_or_else(|| unknown_type(index, line.ticket_type))?;
            terms.check(self.now)?;
            let (price, pools) = (terms.price.clone(), terms.pools.clone());
            lines.push(Line { ticket_type: line.ticket_type, price, pools });
        }
        let wanted = wanted.lines.iter();
        check_wanted(&self.types, wanted.map(|line| (line.ticket_type, line.units.len(), &line.seats[..])))?;
        Ok(lines)
    }

    fn check_buyer(&self, terms: &EventTerms, buyer: &str, units: u64) -> Result<()> {
        let Some(limit) = terms.buyer_limit else { return Ok(()) };
        let has = self.buyers.get(buyer).copied().unwrap_or_default();
        if has + units <= u64::from(limit) {
            return Ok(());
        }
        let message = format!("the buyer has {has} of at most {limit} units of this event");
        Err(Error::new(ErrorKind::Precondition, "BUYER_LIMIT_REACHED", message))
    }

    fn suffices(&self, demand: &BTreeMap<PoolId, u64>) -> bool {
        demand.iter().all(|(pool, units)| self.free(*pool).is_none_or(|free| free >= *units))
    }

    fn check_supply(&self, demand: &BTreeMap<PoolId, u64>) -> Result<()> {
        for (id, units) in demand {
            let Some(free) = self.free(*id) else { continue };
            if free < *units {
                let name = self.pools.get(id).map(|pool| pool.name.as_str()).unwrap_or_default();
                let message = format!("{units} units of {name:?} are wanted, and {free} are left");
                return Err(exhausted(message));
            }
        }
        Ok(())
    }

    /// What is free in a pool; one that is not there has nothing.
    fn free(&self, pool: PoolId) -> Option<u64> {
        let Some(supply) = self.pools.get(&pool) else { return Some(0) };
        supply.capacity.map(|capacity| capacity.saturating_sub(supply.counts.used()))
    }
}

/// Units that are taken from each pool, all lines together.
fn demand(wanted: &Reserve, lines: &[Line]) -> BTreeMap<PoolId, u64> {
    let mut demand = BTreeMap::new();
    for (line, terms) in wanted.lines.iter().zip(lines) {
        for pool in &terms.pools {
            *demand.entry(*pool).or_default() += line.units.len() as u64;
        }
    }
    demand
}

fn units_of(wanted: &Reserve, seats: &[Vec<UnitSeat>]) -> Vec<Unit> {
    let lines = wanted.lines.iter().zip(seats).enumerate();
    lines
        .flat_map(|(line, (wanted, seats))| {
            let unit = move |(index, id): (usize, &TicketId)| Unit {
                id: *id,
                line,
                seat: seats.get(index).cloned(),
            };
            wanted.units.iter().enumerate().map(unit)
        })
        .collect()
}

/// What a command is refused for when nothing is left.
const EXHAUSTED: &str = "INVENTORY_EXHAUSTED";

pub(super) fn exhausted(message: String) -> Error {
    Error::new(ErrorKind::Precondition, EXHAUSTED, message)
}

/// Whether a command was refused because too little is left.
#[must_use]
pub fn is_short(verdict: &Result<Outcome>) -> bool {
    verdict.as_ref().is_err_and(|error| error.reason() == EXHAUSTED)
}
