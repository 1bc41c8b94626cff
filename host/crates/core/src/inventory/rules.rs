//! The decision of each command of an event.
//!
//! Pure: the store reads the state under the lock of the event's pools, each command is decided in turn, and what the
//! batch writes is stored at once. Nothing here waits, reads a clock or calls out.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use crate::access::ObjectKind;
use crate::admission::Ticket;
use crate::catalog::EventStatus;
use crate::ctx::IfVersion;
use crate::error::{Error, ErrorKind, Result};
use crate::id::{PoolId, ReservationId, TicketId};
use crate::idempotency::IdempotencyRecord;
use crate::inventory::batch_state::{BatchState, UnitMove};
use crate::inventory::job::{Command, Job, JobOutcome, Reserve, exhausted};
use crate::inventory::reservation::{Line, Unit, UnitSeat, expired};
use crate::inventory::terms::{EventTerms, check_lines, check_on_sale, hold_seconds, unknown_type};
use crate::inventory::{Reservation, ReservationState};
use crate::outbox::ObjectRef;
use crate::pricing::CodeUse;
use crate::value::diff;

impl BatchState {
    /// Decides one command, and applies it to the state unless it is refused.
    pub fn apply(&mut self, job: &Job) -> Result<JobOutcome> {
        if let Some(key) = &job.key
            && let Some(record) = self.records.get(&key.scope)
        {
            key.check(record)?;
            return Ok(JobOutcome::Replayed(Box::new(record.clone())));
        }
        let reservation = match &job.command {
            Command::Reserve(request) => self.reserve(job, request)?,
            Command::Confirm { id, payment_reference, if_version } => {
                self.confirm(job, (*id, if_version), payment_reference)?
            }
            Command::Extend { id, seconds, if_version } => self.extend(job, (*id, if_version), *seconds)?,
            Command::Release { id, units, if_version } => self.release(job, (*id, if_version), units)?,
            Command::Sweep => return Ok(JobOutcome::Swept(self.end_due(job))),
        };
        if let Some(key) = &job.key {
            let claim = key.claim(reservation.clone().into(), self.now);
            let record = IdempotencyRecord { fingerprint: key.fingerprint, answer: claim.answer.clone() };
            self.records.insert(key.scope.clone(), record);
            self.writes.claims.push(claim);
        }
        Ok(JobOutcome::Done(Box::new(reservation)))
    }

    fn reserve(&mut self, job: &Job, request: &Reserve) -> Result<Reservation> {
        let terms = self.event.clone().ok_or_else(|| Error::not_found("event"))?;
        check_on_sale((terms.status, terms.ends_at), self.now)?;
        if terms.queue_required && !self.active_buyers.contains(&request.buyer) {
            let message =
                "buyers of this event wait in its queue; enter it, and reserve when it is your turn";
            return Err(Error::new(ErrorKind::Precondition, "QUEUE_REQUIRED", message));
        }
        let seconds = hold_seconds(terms.hold_rules, request.seconds)?;
        self.check_codes(request)?;
        let lines = self.lines(request)?;
        let (mut codes, mut demand) = self.demand(request, &lines);
        let units = request.lines.iter().map(|line| line.units.len() as u64).sum::<u64>();
        let over_limit =
            self.check_buyer(&terms, &request.buyer, units).is_err() || self.check_uses(request).is_err();
        if over_limit || !self.suffices(&demand) || self.seats_are_due(request) {
            self.end_due(job);
            // The codes may keep units of these holds now.
            (codes, demand) = self.demand(request, &lines);
        }
        self.check_buyer(&terms, &request.buyer, units)?;
        self.check_uses(request)?;
        self.check_supply(&demand)?;
        let seats = self.choose_seats(request)?;
        let reservation = Reservation {
            id: request.id,
            event: self.id,
            buyer: request.buyer.clone(),
            state: ReservationState::Held,
            lines,
            units: units_of(request, &seats),
            quote: request.quote.as_ref().map(|quote| quote.id),
            codes,
            payment_reference: None,
            created_by: job.principal().to_owned(),
            created_at: self.now,
            updated_at: self.now,
            expires_at: self.now.plus(Duration::from_secs(seconds.into())),
            version: 1,
        };
        self.take_seats(&reservation);
        self.use_codes(&reservation);
        self.move_units(&reservation, &reservation.units, UnitMove::FreeToHeld);
        *self.buyers.entry(request.buyer.clone()).or_default() += units;
        self.put_quote(request);
        self.put(job, "reservation.held", None, reservation.clone());
        Ok(reservation)
    }

    fn confirm(
        &mut self,
        job: &Job,
        of: (ReservationId, &IfVersion),
        payment_reference: &str,
    ) -> Result<Reservation> {
        let before = self.current_hold(job, of)?;
        if self.event_is_cancelled() {
            return Err(Error::new(ErrorKind::Precondition, "EVENT_CANCELLED", "the event was cancelled"));
        }
        let mut after = Reservation { state: ReservationState::Confirmed, ..before.clone() };
        after.payment_reference = Some(payment_reference.to_owned());
        self.move_units(&before, &before.units, UnitMove::HeldToSold);
        self.issue_tickets(job, &after);
        Ok(self.put(job, "reservation.confirmed", Some(&before), after))
    }

    /// Issues a ticket for each unit of a confirmed reservation.
    fn issue_tickets(&mut self, job: &Job, reservation: &Reservation) {
        let issued = |unit| Ticket::issued(reservation, unit, self.now);
        for ticket in reservation.units.iter().filter_map(issued) {
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
        of: (ReservationId, &IfVersion),
        seconds: Option<u32>,
    ) -> Result<Reservation> {
        let before = self.current_hold(job, of)?;
        let terms = self.event.clone().ok_or_else(|| Error::not_found("event"))?;
        let extension = hold_seconds(terms.hold_rules, seconds)?;
        let max = terms.hold_rules.seconds().max;
        let latest = before.created_at.plus(Duration::from_secs(max.into()));
        if latest <= before.expires_at {
            let message = format!("the hold ends at {} and cannot be extended further", before.expires_at);
            return Err(Error::new(ErrorKind::Precondition, "RESERVATION_AT_MAXIMUM", message));
        }
        let expires_at = self.now.plus(Duration::from_secs(extension.into())).min(latest);
        if expires_at <= before.expires_at {
            let left = before.expires_at.micros() - self.now.micros();
            let message = format!(
                "is {extension}{}, which does not extend the hold that ends at {}; it must be between {} and {max}",
                if extension == seconds.unwrap_or_default() { "" } else { " by default" },
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
        of: (ReservationId, &IfVersion),
        ids: &[TicketId],
    ) -> Result<Reservation> {
        let before = self.current_hold(job, of)?;
        let has = |id: &TicketId| before.units.iter().any(|unit| unit.id == *id);
        if let Some((index, id)) = ids.iter().enumerate().find(|(_, id)| !has(id)) {
            let message = format!("is {id}, which is not a unit of the reservation");
            return Err(Error::invalid(&format!("ticket_ids[{index}]"), message));
        }
        let ids: HashSet<_> = ids.iter().collect();
        let (freed_units, remaining_units): (Vec<_>, Vec<_>) =
            before.units.iter().cloned().partition(|unit| ids.is_empty() || ids.contains(&unit.id));
        self.free_units(&before, &freed_units);
        let codes = self.return_codes(&before, &remaining_units);
        if remaining_units.is_empty() {
            self.return_quote(&before);
        }
        let state =
            if remaining_units.is_empty() { ReservationState::Released } else { ReservationState::Held };
        let after = Reservation { state, units: remaining_units, codes, ..before.clone() };
        Ok(self.put(job, "reservation.released", Some(&before), after))
    }

    /// Ends all due holds, and returns their number.
    fn end_due(&mut self, job: &Job) -> u32 {
        let mut ended = 0;
        for hold in std::mem::take(&mut self.due) {
            // An earlier command of the batch may have changed it.
            let reservation = self.reservations.entry(hold.id).or_insert(hold).clone();
            ended += u32::from(self.end_if_due(job, &reservation));
        }
        ended
    }

    /// Ends a hold that has expired, or whose event was cancelled. Returns whether it did.
    fn end_if_due(&mut self, job: &Job, reservation: &Reservation) -> bool {
        let (state, fact) = if reservation.expires_at <= self.now {
            (ReservationState::Expired, "reservation.expired")
        } else if self.event_is_cancelled() {
            (ReservationState::Released, "reservation.released")
        } else {
            return false;
        };
        if reservation.state != ReservationState::Held {
            return false;
        }
        self.free_units(reservation, &reservation.units);
        let codes = self.return_codes(reservation, &[]);
        self.return_quote(reservation);
        let after = Reservation { state, units: Vec::new(), codes, ..reservation.clone() };
        self.put(job, fact, Some(reservation), after);
        true
    }

    /// Returns a reservation that is held, has not expired and has a version that the caller accepts.
    fn current_hold(
        &mut self,
        job: &Job,
        (id, if_version): (ReservationId, &IfVersion),
    ) -> Result<Reservation> {
        let reservation = self.reservations.get(&id).cloned();
        let reservation = reservation.ok_or_else(|| Error::not_found("reservation"))?;
        if_version.check(reservation.version)?;
        reservation.check_held()?;
        if reservation.expires_at <= self.now {
            self.end_if_due(job, &reservation);
            return Err(expired());
        }
        Ok(reservation)
    }

    /// Returns whether the event was cancelled or does not exist.
    pub(super) fn event_is_cancelled(&self) -> bool {
        self.event.as_ref().is_none_or(|event| event.status == EventStatus::Cancelled)
    }

    /// Returns the lines of a new reservation, at the present terms of their ticket types.
    fn lines(&self, request: &Reserve) -> Result<Vec<Line>> {
        let mut lines = Vec::with_capacity(request.lines.len());
        for (index, line) in request.lines.iter().enumerate() {
            let terms = self.types.get(&line.ticket_type);
            let terms = terms.ok_or_else(|| unknown_type(index, line.ticket_type))?;
            terms.check_on_sale(self.now)?;
            let quoted = request.quote.as_ref().and_then(|quote| quote.unit_price(index));
            lines.push(Line {
                ticket_type: line.ticket_type,
                price: quoted.unwrap_or_else(|| terms.price.clone()),
                category: line.category.clone(),
                pools: terms.pools.clone(),
            });
        }
        let requested = request.lines.iter();
        let requested = requested.map(|line| (line.ticket_type, line.units.len(), &line.seats[..]));
        check_lines(&self.types, requested)?;
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

    /// Returns the uses of the requested codes, and the units that must be free in each pool. Those that the codes keep
    /// need not be free.
    fn demand(&self, request: &Reserve, lines: &[Line]) -> (Vec<CodeUse>, BTreeMap<PoolId, u64>) {
        let mut demand: BTreeMap<PoolId, u64> = BTreeMap::new();
        for (line, terms) in request.lines.iter().zip(lines) {
            for pool in &terms.pools {
                *demand.entry(*pool).or_default() += line.units.len() as u64;
            }
        }
        let codes = self.code_uses(request);
        self.subtract_kept(&codes, &mut demand);
        (codes, demand)
    }

    fn suffices(&self, demand: &BTreeMap<PoolId, u64>) -> bool {
        demand.iter().all(|(pool, units)| self.free(*pool).is_none_or(|free| free >= *units))
    }

    fn check_supply(&self, demand: &BTreeMap<PoolId, u64>) -> Result<()> {
        for (id, units) in demand {
            let Some(free) = self.free(*id) else { continue };
            if free < *units {
                let name = self.pools.get(id).map(|pool| pool.name.as_str()).unwrap_or_default();
                return Err(exhausted(format!("{units} units of {name:?} are wanted, and {free} are left")));
            }
        }
        Ok(())
    }
}

fn units_of(request: &Reserve, seats: &[Vec<UnitSeat>]) -> Vec<Unit> {
    let lines = request.lines.iter().zip(seats).enumerate();
    lines
        .flat_map(|(line, (requested, seats))| {
            let quoted = request.quote.as_ref().map(|quote| quote.unit_totals(line)).unwrap_or_default();
            let unit = move |(index, id): (usize, &TicketId)| Unit {
                id: *id,
                line,
                seat: seats.get(index).cloned(),
                quoted: quoted.get(index).copied(),
            };
            requested.units.iter().enumerate().map(unit)
        })
        .collect()
}
