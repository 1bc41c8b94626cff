//! The service of the door: inspects tickets, and checks them in and out.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use crate::access::Operation;
use crate::admission::check_in::{MAX_OF_TICKET, Undone, evaluate, refusal};
use crate::admission::check_in_change::{
    CLOCK_TOLERANCE, Evaluated, KIND, changeset, check_issued, entity, new_check_in,
};
use crate::admission::{
    CheckIn, Codes, CreateCheckIn, Direction, DoorStats, Inspection, MergedScan, ReportedScan, Scan, Ticket,
    Verdict,
};
use crate::catalog::{Event, EventStatus};
use crate::command::{Commands, Decision};
use crate::ctx::Ctx;
use crate::error::{Error, ErrorKind, Result};
use crate::id::{CheckInId, EventId};
use crate::page::{Page, PageRequest};
use crate::ports::Store;
use crate::text::Faults;
use crate::time::Timestamp;

/// The most scans of one report.
pub const MAX_SCANS: usize = 500;

/// The shortest time between two check-ins of a ticket.
const MIN_INTERVAL: Duration = Duration::from_micros(1);

/// The period of counts by minute.
const MINUTES_SPAN: Duration = Duration::from_secs(24 * 60 * 60);

/// Inspects tickets, and creates, merges, undoes and reads check-ins.
#[derive(Clone)]
pub struct Door {
    store: Arc<dyn Store>,
    commands: Commands,
    codes: Codes,
}

impl Door {
    /// Creates the service.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, commands: Commands, codes: Codes) -> Self {
        Self { store, commands, codes }
    }

    /// Checks whether a check-in would be accepted. Changes nothing.
    pub async fn inspect(&self, ctx: &Ctx, request: &CreateCheckIn) -> Result<Inspection> {
        ctx.allow(Operation::TicketValidate)?;
        let mut faults = Faults::default();
        request.check_ticket(&mut faults);
        faults.into_result()?;
        let (event, ticket, serial) = match self.scanned_now(ctx, request).await {
            Ok(scanned) => scanned,
            // A ticket of another event is a result, not a failure.
            Err(error) if error.kind() == ErrorKind::Precondition => {
                return Ok(Inspection { ticket: None, refusal: Some(error) });
            }
            Err(error) => return Err(error),
        };
        let check_in = new_check_in(ctx, request, (&event, &ticket), serial);
        match self.try_check_in(ctx, &event, &ticket, check_in).await {
            Ok(_) => Ok(Inspection { ticket: Some(ticket), refusal: None }),
            Err(error) if error.kind() == ErrorKind::Precondition => {
                Ok(Inspection { ticket: Some(ticket), refusal: Some(error) })
            }
            Err(error) => Err(error),
        }
    }

    /// Checks a ticket in or out. Of concurrent check-ins of one ticket, only one is accepted.
    pub async fn check_in(&self, ctx: &Ctx, request: CreateCheckIn) -> Result<CheckIn> {
        ctx.allow(Operation::CheckInCreate)?;
        let mut faults = Faults::default();
        request.check(&mut faults, 0);
        faults.into_result()?;
        let decide = || async {
            let (event, ticket, serial) = self.scanned_now(ctx, &request).await?;
            // Within the decision, so that plugins see the ticket that is decided on.
            if self.commands.hooks().validates(ctx, KIND, ticket.event).await? {
                let place = ("check-in", KIND, ticket.event);
                self.commands.hooks().validate(ctx, place, entity(&request, &ticket)).await?;
            }
            let check_in = new_check_in(ctx, &request, (&event, &ticket), serial);
            let (check_in, after, changed) = self.try_check_in(ctx, &event, &ticket, check_in).await?;
            let fact_type = match check_in.direction {
                Direction::In => "ticket.checked_in",
                Direction::Out => "ticket.checked_out",
            };
            let changeset = changeset(ctx, fact_type, (&ticket, after, &check_in), changed);
            Ok(Decision::change(changeset, check_in))
        };
        self.commands.run(ctx, Operation::CheckInCreate, &request, decide).await
    }

    /// Records scans of offline scanners, each independently and in their order. The result does not depend on the order
    /// of reports, nor on repeats.
    pub async fn merge(
        &self,
        ctx: &Ctx,
        event: EventId,
        scans: Vec<ReportedScan>,
    ) -> Result<Vec<MergedScan>> {
        ctx.allow(Operation::CheckInMerge)?;
        if scans.is_empty() || scans.len() > MAX_SCANS {
            let message = format!("has {} entries; 1 to {MAX_SCANS} are allowed", scans.len());
            return Err(Error::invalid("scans", message));
        }
        self.event(ctx, event).await?;
        let mut merged = Vec::with_capacity(scans.len());
        // The nonces of scans take the place of an idempotency key.
        let mut scan_ctx = ctx.clone();
        scan_ctx.idempotency = None;
        for ReportedScan { nonce, scan } in scans {
            let result = match scan {
                Ok(scan) => self.merge_one(&scan_ctx, &scan).await,
                Err(error) => Err(error),
            };
            match result {
                // The device repeats the whole report.
                Err(error) if may_succeed_later(&error) => return Err(error),
                result => merged.push(MergedScan { nonce, result }),
            }
        }
        Ok(merged)
    }

    async fn merge_one(&self, ctx: &Ctx, scan: &Scan) -> Result<CheckIn> {
        let mut faults = Faults::default();
        scan.request.check(&mut faults, 1);
        faults.text("nonce", &scan.nonce, 1, 100);
        if scan.at > ctx.now.plus(CLOCK_TOLERANCE) {
            faults.add("at", format_args!("is {}, which is in the future", scan.at));
        }
        faults.into_result()?;
        let decide = || async {
            let name = (scan.request.event, scan.request.device.as_str(), scan.nonce.as_str());
            if let Some(recorded) = self.store.check_in_named(ctx.tenant, name).await? {
                scan.check_repeat(&recorded)?;
                return Ok(Decision::nothing(recorded));
            }
            let (event, ticket, serial) = self.scanned(ctx, &scan.request, scan.at).await?;
            check_issued(&ticket, scan.at)?;
            let check_in = CheckIn {
                at: scan.at,
                nonce: Some(scan.nonce.clone()),
                reentry: event.reentry_at(scan.at),
                ..new_check_in(ctx, &scan.request, (&event, &ticket), serial)
            };
            let evaluated = self.evaluate_with(ctx, &ticket, |all| all.push(check_in.clone())).await?;
            let (check_in, after, changed) = evaluated.with(check_in.id)?;
            let changeset = changeset(ctx, "ticket.check_in_merged", (&ticket, after, &check_in), changed);
            Ok(Decision::change(changeset, check_in))
        };
        self.commands.run(ctx, Operation::CheckInMerge, scan, decide).await
    }

    /// Undoes a check-in. The others of its ticket are evaluated without it.
    pub async fn undo(&self, ctx: &Ctx, id: CheckInId) -> Result<CheckIn> {
        let decide = || async {
            let check_in = self.found(ctx, id).await?;
            if check_in.undone.is_some() {
                return Ok(Decision::nothing(check_in));
            }
            let ticket = self.store.ticket(ctx.tenant, check_in.ticket).await?.ok_or_else(Error::stale)?;
            let undone = Undone { by: ctx.principal.to_string(), at: ctx.now };
            let evaluated = self.evaluate_with(ctx, &ticket, |all| {
                let check_in = all.iter_mut().find(|check_in| check_in.id == id);
                if let Some(check_in) = check_in {
                    check_in.undone = Some(undone.clone());
                }
            });
            let (check_in, after, changed) = evaluated.await?.with(id)?;
            let changeset = changeset(ctx, "ticket.check_in_undone", (&ticket, after, &check_in), changed);
            Ok(Decision::change(changeset, check_in))
        };
        self.commands.run(ctx, Operation::CheckInUndo, &id, decide).await
    }

    /// Returns a check-in.
    pub async fn get(&self, ctx: &Ctx, id: CheckInId) -> Result<CheckIn> {
        ctx.allow(Operation::CheckInGet)?;
        self.found(ctx, id).await
    }

    /// Returns a page of an event's check-ins.
    pub async fn list(&self, ctx: &Ctx, event: EventId, page: &PageRequest) -> Result<Page<CheckIn>> {
        ctx.allow(Operation::CheckInList)?;
        self.event(ctx, event).await?;
        self.store.check_ins(ctx.tenant, event, page).await
    }

    /// Counts an event's tickets and check-ins; by minute for a day from `since`, or for the last day.
    pub async fn stats(&self, ctx: &Ctx, event: EventId, since: Option<Timestamp>) -> Result<DoorStats> {
        ctx.allow(Operation::CheckInStats)?;
        self.event(ctx, event).await?;
        let since = since.unwrap_or_else(|| ctx.now.minus(MINUTES_SPAN));
        self.store.door_stats(ctx.tenant, event, (since, since.plus(MINUTES_SPAN))).await
    }

    /// Returns the ticket of a request that is made now, its event, and the serial of the code. Refuses a cancelled event.
    async fn scanned_now(&self, ctx: &Ctx, request: &CreateCheckIn) -> Result<(Event, Ticket, Option<u16>)> {
        let scanned = self.scanned(ctx, request, ctx.now).await?;
        if scanned.0.attributes.status == EventStatus::Cancelled {
            return Err(Error::new(ErrorKind::Precondition, "EVENT_CANCELLED", "the event was cancelled"));
        }
        Ok(scanned)
    }

    /// Returns the ticket of a request that was made at a moment, its event, and the serial of the code.
    async fn scanned(
        &self,
        ctx: &Ctx,
        request: &CreateCheckIn,
        at: Timestamp,
    ) -> Result<(Event, Ticket, Option<u16>)> {
        let event = self.event(ctx, request.event).await?;
        let code = request.scanned_code()?;
        if let Some(code) = &code {
            self.codes.verify(ctx, code, (event.id, at)).await?;
        }
        let id = request.ticket_of(code.as_ref())?;
        let ticket = self.store.ticket(ctx.tenant, id).await?.ok_or_else(|| Error::not_found("ticket"))?;
        if ticket.event != event.id {
            let message = "the ticket is for another event";
            return Err(Error::new(ErrorKind::Precondition, "OTHER_EVENT", message));
        }
        Ok((event, ticket, code.map(|code| code.serial)))
    }

    /// Evaluates a check-in that is made now, and refuses it unless it is accepted.
    async fn try_check_in(
        &self,
        ctx: &Ctx,
        event: &Event,
        ticket: &Ticket,
        check_in: CheckIn,
    ) -> Result<(CheckIn, Ticket, Vec<CheckIn>)> {
        let id = check_in.id;
        let change = |all: &mut Vec<CheckIn>| {
            // After all recorded changes, whenever the request began: a check-in that was accepted must stay accepted.
            let last = all.iter().map(|other| other.at.plus(MIN_INTERVAL)).max();
            let switched = event.reentry_switches.last().copied();
            let at = [last, switched, ticket.cancelled_at, Some(ticket.code_since)]
                .into_iter()
                .flatten()
                .fold(check_in.at, Ord::max);
            all.push(CheckIn { at, ..check_in });
        };
        let (check_in, after, changed) = self.evaluate_with(ctx, ticket, change).await?.with(id)?;
        match check_in.verdict {
            Verdict::Accepted => Ok((check_in, after, changed)),
            // From the evaluated ticket, since the one that was read may be older than its check-ins.
            _ => Err(refusal(&after, &check_in)),
        }
    }

    /// Evaluates all check-ins of a ticket after a change of them.
    async fn evaluate_with(
        &self,
        ctx: &Ctx,
        ticket: &Ticket,
        change: impl FnOnce(&mut Vec<CheckIn>),
    ) -> Result<Evaluated> {
        let mut all = self.store.check_ins_of(ctx.tenant, ticket.id).await?;
        let before: HashMap<_, _> = all.iter().map(|check_in| (check_in.id, check_in.clone())).collect();
        change(&mut all);
        if all.len() > MAX_OF_TICKET {
            let message = format!("the ticket has {MAX_OF_TICKET} check-ins, which is the most");
            return Err(Error::new(ErrorKind::TooLarge, "TOO_LARGE", message));
        }
        let presence = evaluate(ticket, &mut all);
        all.retain(|check_in| before.get(&check_in.id) != Some(check_in));
        Ok(Evaluated { after: Ticket { presence, ..ticket.changed(ctx.now) }, changed: all })
    }

    async fn event(&self, ctx: &Ctx, id: EventId) -> Result<Event> {
        self.store.event(ctx.tenant, id).await?.ok_or_else(|| Error::not_found("event"))
    }

    async fn found(&self, ctx: &Ctx, id: CheckInId) -> Result<CheckIn> {
        self.store.check_in(ctx.tenant, id).await?.ok_or_else(|| Error::not_found("check-in"))
    }
}

/// Returns whether the same report may succeed later.
fn may_succeed_later(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Internal | ErrorKind::DeadlineExceeded)
}
