//! What is done at the door: tickets are looked at, checked in once, or as often as the event allows, and out again.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use crate::access::Operation;
use crate::admission::check_in::{MAX_OF_TICKET, Undone, refusal, settle};
use crate::admission::tickets::fact;
use crate::admission::{CheckIn, Codes, Direction, Presented, Ticket, Verdict};
use crate::catalog::{Event, EventStatus};
use crate::changeset::{Changeset, Write};
use crate::command::{Commands, Decision};
use crate::ctx::Ctx;
use crate::error::{Error, ErrorKind, Result};
use crate::id::{CheckInId, EventId, TicketId};
use crate::page::{Page, PageRequest};
use crate::plugin::Entity;
use crate::ports::Store;
use crate::text::Faults;
use crate::time::Timestamp;
use crate::value::{Change, Field, Value, diff};

/// The most check-ins of one report.
pub const MAX_SCANS: usize = 500;

/// How far a scanner's clock may be off.
const ASTRAY: Duration = Duration::from_secs(300);

/// The least by which two check-ins are apart.
const MOMENT: Duration = Duration::from_micros(1);

/// Of how long a time the statistics are told by the minute.
const MINUTES_SPAN: Duration = Duration::from_secs(24 * 60 * 60);

/// What plugins know a ticket by.
const KIND: &str = "ticket";

/// Somebody at a gate, with a ticket.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct AskedCheckIn {
    /// The event at whose gate it is.
    pub event: EventId,
    /// The ticket, where it is named.
    pub ticket: Option<TicketId>,
    /// The code, where one is shown.
    pub code: Option<String>,
    /// Which way.
    pub direction: Direction,
    /// At which gate.
    pub gate: String,
    /// With which device; empty: it is not known.
    pub device: String,
    /// By whom of the staff; empty: it is not known.
    pub staff: String,
}

/// The same as a scanner without a connection noted it.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Scan {
    /// What it noted.
    pub asked: AskedCheckIn,
    /// What it calls it by: reported again, it is the same.
    pub nonce: String,
    /// When it was, by its clock.
    pub at: Timestamp,
}

/// A scan of a report, as far as it can be read.
#[derive(Debug)]
pub struct Noted {
    /// What the device calls it by.
    pub nonce: String,
    /// The scan, or why it cannot be read.
    pub read: Result<Scan>,
}

/// What became of a scan that was reported.
#[derive(Debug)]
pub struct Merged {
    /// What the device calls it by.
    pub nonce: String,
    /// The check-in, whatever it was worth; or why there is none.
    pub result: Result<CheckIn>,
}

/// What a ticket is worth at the gate, before anybody goes through.
#[derive(Debug)]
pub struct Inspection {
    /// The ticket, if it is one of the event's.
    pub ticket: Option<Ticket>,
    /// Why it would not be let through; none: it would.
    pub refusal: Option<Error>,
}

/// How many went through a gate.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Passed {
    /// In.
    pub entries: u64,
    /// Out.
    pub exits: u64,
    /// Tickets that were shown again, or were not good.
    pub refused: u64,
}

/// What is known of an event's tickets and its door.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct DoorStats {
    /// Tickets that are valid.
    pub valid: u64,
    /// Tickets that were cancelled.
    pub cancelled: u64,
    /// Tickets that were admitted at least once.
    pub admitted: u64,
    /// Holders who are inside.
    pub inside: u64,
    /// By gate.
    pub gates: Vec<(String, Passed)>,
    /// By minute and gate, oldest first.
    pub minutes: Vec<(Timestamp, String, Passed)>,
}

/// Carries out what is done at the door.
#[derive(Clone)]
pub struct Door {
    store: Arc<dyn Store>,
    commands: Commands,
    codes: Codes,
}

impl AskedCheckIn {
    /// Whether a ticket is named or shown.
    fn check_ticket(&self, faults: &mut Faults) {
        if self.ticket.is_none() && self.code.is_none() {
            faults.add("ticket_id", "is missing; name the ticket, or show its qr_code");
        }
    }

    /// The same, and where that is; a device that must be known has a name of at least one character.
    fn check(&self, faults: &mut Faults, least_of_device: usize) {
        self.check_ticket(faults);
        faults.text("gate", &self.gate, 1, 100);
        faults.text("device_id", &self.device, least_of_device, 100);
        faults.text("staff_id", &self.staff, 0, 100);
    }
}

impl Door {
    /// The service.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, commands: Commands, codes: Codes) -> Self {
        Self { store, commands, codes }
    }

    /// Looks whether somebody would be let through. Changes nothing.
    pub async fn inspect(&self, ctx: &Ctx, asked: &AskedCheckIn) -> Result<Inspection> {
        ctx.allow(Operation::TicketValidate)?;
        let mut faults = Faults::default();
        asked.check_ticket(&mut faults);
        faults.into_result()?;
        let (event, ticket, serial) = match self.shown_now(ctx, asked).await {
            Ok(shown) => shown,
            // What is no ticket of the event is an answer, not a failure.
            Err(error) if error.kind() == ErrorKind::Precondition => {
                return Ok(Inspection { ticket: None, refusal: Some(error) });
            }
            Err(error) => return Err(error),
        };
        let tried = tried(ctx, asked, (&event, &ticket), serial);
        match self.settled(ctx, &event, &ticket, tried).await {
            Ok(_) => Ok(Inspection { ticket: Some(ticket), refusal: None }),
            Err(error) if error.kind() == ErrorKind::Precondition => {
                Ok(Inspection { ticket: Some(ticket), refusal: Some(error) })
            }
            Err(error) => Err(error),
        }
    }

    /// Lets somebody through, if the ticket is worth it: of many who show one ticket at once, one comes in.
    pub async fn check_in(&self, ctx: &Ctx, asked: AskedCheckIn) -> Result<CheckIn> {
        ctx.allow(Operation::CheckInCreate)?;
        let mut faults = Faults::default();
        asked.check(&mut faults, 0);
        faults.into_result()?;
        let decide = || async {
            let (event, ticket, serial) = self.shown_now(ctx, &asked).await?;
            // They judge what is decided on, not what was there a moment before.
            if self.commands.hooks().validates(ctx, KIND).await? {
                self.commands.hooks().validate(ctx, ("check-in", KIND), subject(&asked, &ticket)).await?;
            }
            let tried = tried(ctx, &asked, (&event, &ticket), serial);
            let (tried, after, written) = self.settled(ctx, &event, &ticket, tried).await?;
            let fact_type = match tried.direction {
                Direction::In => "ticket.checked_in",
                Direction::Out => "ticket.checked_out",
            };
            Ok(Decision::change(changed(ctx, fact_type, (&ticket, after, &tried), written), tried))
        };
        self.commands.run(ctx, Operation::CheckInCreate, &asked, decide).await
    }

    /// Records what scanners without a connection noted at an event, each scan by itself, in their order; what cannot
    /// be read is refused by itself. Whatever the order of the reports, and however often they come, the end is the
    /// same.
    pub async fn merge(&self, ctx: &Ctx, event: EventId, scans: Vec<Noted>) -> Result<Vec<Merged>> {
        ctx.allow(Operation::CheckInMerge)?;
        if scans.is_empty() || scans.len() > MAX_SCANS {
            let message = format!("has {} entries; 1 to {MAX_SCANS} are allowed", scans.len());
            return Err(Error::invalid("scans", message));
        }
        self.event(ctx, event).await?;
        let mut merged = Vec::with_capacity(scans.len());
        // By their nonces scans are what idempotency keys make of other commands.
        let mut each = ctx.clone();
        each.idempotency = None;
        for Noted { nonce, read } in scans {
            let result = match read {
                Ok(scan) => self.merge_one(&each, &scan).await,
                Err(error) => Err(error),
            };
            match result {
                // The device reports all of them again, and loses nothing.
                Err(error) if is_ours(&error) => return Err(error),
                result => merged.push(Merged { nonce, result }),
            }
        }
        Ok(merged)
    }

    async fn merge_one(&self, ctx: &Ctx, scan: &Scan) -> Result<CheckIn> {
        let mut faults = Faults::default();
        scan.asked.check(&mut faults, 1);
        faults.text("nonce", &scan.nonce, 1, 100);
        if scan.at > ctx.now.plus(ASTRAY) {
            faults.add("at", format_args!("is {}, which is still to come", scan.at));
        }
        faults.into_result()?;
        let decide = || async {
            let place = (scan.asked.event, scan.asked.device.as_str(), scan.nonce.as_str());
            if let Some(known) = self.store.check_in_named(ctx.tenant, place).await? {
                return Ok(Decision::nothing(known));
            }
            let (event, ticket, serial) = self.shown(ctx, &scan.asked, scan.at).await?;
            check_issued(&ticket, scan.at)?;
            let tried = CheckIn {
                at: scan.at,
                nonce: Some(scan.nonce.clone()),
                reentry: event.reentry_at(scan.at),
                ..tried(ctx, &scan.asked, (&event, &ticket), serial)
            };
            let (tried, after, written) =
                self.resettled(ctx, &ticket, |all| all.push(tried.clone())).await?.of(tried.id)?;
            let changeset = changed(ctx, "ticket.check_in_merged", (&ticket, after, &tried), written);
            Ok(Decision::change(changeset, tried))
        };
        self.commands.run(ctx, Operation::CheckInMerge, scan, decide).await
    }

    /// Takes a check-in back, as if it had never been.
    pub async fn undo(&self, ctx: &Ctx, id: CheckInId) -> Result<CheckIn> {
        let decide = || async {
            let held = self.found(ctx, id).await?;
            if held.undone.is_some() {
                return Ok(Decision::nothing(held));
            }
            let ticket = self.store.ticket(ctx.tenant, held.ticket).await?.ok_or_else(Error::stale)?;
            let undone = Undone { by: ctx.principal.to_string(), at: ctx.now };
            let settled = self.resettled(ctx, &ticket, |all| {
                let found = all.iter_mut().find(|one| one.id == id);
                if let Some(found) = found {
                    found.undone = Some(undone.clone());
                }
            });
            let (held, after, written) = settled.await?.of(id)?;
            let changeset = changed(ctx, "ticket.check_in_undone", (&ticket, after, &held), written);
            Ok(Decision::change(changeset, held))
        };
        self.commands.run(ctx, Operation::CheckInUndo, &id, decide).await
    }

    /// Shows a check-in.
    pub async fn get(&self, ctx: &Ctx, id: CheckInId) -> Result<CheckIn> {
        ctx.allow(Operation::CheckInGet)?;
        self.found(ctx, id).await
    }

    /// Lists an event's check-ins.
    pub async fn list(&self, ctx: &Ctx, event: EventId, page: &PageRequest) -> Result<Page<CheckIn>> {
        ctx.allow(Operation::CheckInList)?;
        self.event(ctx, event).await?;
        self.store.check_ins(ctx.tenant, event, page).await
    }

    /// Counts an event's tickets, and who went through its gates; by the minute for a day from `since`, or for the
    /// last day.
    pub async fn stats(&self, ctx: &Ctx, event: EventId, since: Option<Timestamp>) -> Result<DoorStats> {
        ctx.allow(Operation::CheckInStats)?;
        self.event(ctx, event).await?;
        let since = since.unwrap_or_else(|| ctx.now.minus(MINUTES_SPAN));
        self.store.door_stats(ctx.tenant, event, (since, since.plus(MINUTES_SPAN))).await
    }

    /// The ticket that is shown now at an event that takes place, its event, and the number of the code.
    async fn shown_now(&self, ctx: &Ctx, asked: &AskedCheckIn) -> Result<(Event, Ticket, Option<u16>)> {
        let shown = self.shown(ctx, asked, ctx.now).await?;
        if shown.0.text.status == EventStatus::Cancelled {
            return Err(Error::new(ErrorKind::Precondition, "EVENT_CANCELLED", "the event was cancelled"));
        }
        Ok(shown)
    }

    /// The ticket that is or was shown, its event, and the number of the code.
    async fn shown(
        &self,
        ctx: &Ctx,
        asked: &AskedCheckIn,
        at: Timestamp,
    ) -> Result<(Event, Ticket, Option<u16>)> {
        let event = self.event(ctx, asked.event).await?;
        let code = asked.code.as_deref().map(|code| Presented::parse("qr_code", code)).transpose()?;
        if let Some(code) = &code {
            self.codes.verify(ctx, code, (event.id, at)).await?;
            if asked.ticket.is_some_and(|named| named != code.ticket) {
                return Err(Error::invalid("ticket_id", "is not the ticket of the qr_code"));
            }
        }
        let id = code.as_ref().map(|code| code.ticket).or(asked.ticket);
        let id = id.ok_or_else(|| Error::not_found("ticket"))?;
        let ticket = self.store.ticket(ctx.tenant, id).await?.ok_or_else(|| Error::not_found("ticket"))?;
        if ticket.event != event.id {
            let message = "the ticket is for another event";
            return Err(Error::new(ErrorKind::Precondition, "OTHER_EVENT", message));
        }
        Ok((event, ticket, code.map(|code| code.serial)))
    }

    /// The same as `resettled` for somebody who is at the gate now: what is not accepted is refused.
    async fn settled(
        &self,
        ctx: &Ctx,
        event: &Event,
        ticket: &Ticket,
        tried: CheckIn,
    ) -> Result<(CheckIn, Ticket, Vec<CheckIn>)> {
        let id = tried.id;
        let change = |all: &mut Vec<CheckIn>| {
            // It comes after all that is known, whenever its request began: who was let in is not refused afterwards.
            let last = all.iter().map(|held| held.at.plus(MOMENT)).max();
            let switched = event.reentry_switches.last().copied();
            let at = [last, switched, ticket.cancelled_at, Some(ticket.code_since)]
                .into_iter()
                .flatten()
                .fold(tried.at, Ord::max);
            all.push(CheckIn { at, ..tried });
        };
        let (tried, after, written) = self.resettled(ctx, ticket, change).await?.of(id)?;
        match tried.verdict {
            Verdict::Accepted => Ok((tried, after, written)),
            // By what its check-ins say: the ticket itself may have been read before the last of them.
            _ => Err(refusal(&after, &tried)),
        }
    }

    /// All check-ins of a ticket after one of them came or went.
    async fn resettled(
        &self,
        ctx: &Ctx,
        ticket: &Ticket,
        change: impl FnOnce(&mut Vec<CheckIn>),
    ) -> Result<Settled> {
        let mut all = self.store.check_ins_of(ctx.tenant, ticket.id).await?;
        let before: HashMap<_, _> = all.iter().map(|held| (held.id, held.clone())).collect();
        change(&mut all);
        if all.len() > MAX_OF_TICKET {
            let message = format!("the ticket has {MAX_OF_TICKET} check-ins, and can have no more");
            return Err(Error::new(ErrorKind::TooLarge, "TOO_LARGE", message));
        }
        let presence = settle(ticket, &mut all);
        all.retain(|held| before.get(&held.id) != Some(held));
        Ok(Settled { after: Ticket { presence, ..ticket.changed(ctx.now) }, written: all })
    }

    async fn event(&self, ctx: &Ctx, id: EventId) -> Result<Event> {
        self.store.event(ctx.tenant, id).await?.ok_or_else(|| Error::not_found("event"))
    }

    async fn found(&self, ctx: &Ctx, id: CheckInId) -> Result<CheckIn> {
        self.store.check_in(ctx.tenant, id).await?.ok_or_else(|| Error::not_found("check-in"))
    }
}

/// Refuses a scan of a ticket that was not there yet: the earliest one counts, so it would make all others duplicates.
fn check_issued(ticket: &Ticket, at: Timestamp) -> Result<()> {
    let issued = ticket.created_at;
    if at.plus(ASTRAY) >= issued {
        return Ok(());
    }
    let message = format!("is {at}, but the ticket was issued at {issued}; set the device's clock");
    Err(Error::invalid("at", message))
}

/// Whether the same report may succeed later.
fn is_ours(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Internal | ErrorKind::DeadlineExceeded)
}

/// A ticket after its check-ins were settled, and those that are new or changed.
struct Settled {
    after: Ticket,
    written: Vec<CheckIn>,
}

impl Settled {
    /// With the check-in on which it turns.
    fn of(self, id: CheckInId) -> Result<(CheckIn, Ticket, Vec<CheckIn>)> {
        let tried = self.written.iter().find(|held| held.id == id).cloned();
        let tried = tried.ok_or_else(|| Error::internal(anyhow::anyhow!("a check-in was lost")))?;
        Ok((tried, self.after, self.written))
    }
}

fn tried(
    ctx: &Ctx,
    asked: &AskedCheckIn,
    (event, ticket): (&Event, &Ticket),
    serial: Option<u16>,
) -> CheckIn {
    CheckIn {
        id: CheckInId::generate(),
        event: asked.event,
        ticket: ticket.id,
        direction: asked.direction,
        verdict: Verdict::Accepted,
        at: ctx.now,
        gate: asked.gate.clone(),
        device: asked.device.clone(),
        staff: asked.staff.clone(),
        nonce: None,
        serial,
        reentry: event.text.reentry,
        created_by: ctx.principal.to_string(),
        recorded_at: ctx.now,
        undone: None,
    }
}

fn changed(
    ctx: &Ctx,
    fact_type: &'static str,
    (before, after, tried): (&Ticket, Ticket, &CheckIn),
    written: Vec<CheckIn>,
) -> Changeset {
    let mut changes = diff(Some(before), Some(&after));
    for (field, text) in [
        ("check_in", tried.id.to_string()),
        ("direction", tried.direction.name().to_owned()),
        ("verdict", tried.verdict.name().to_owned()),
        ("gate", tried.gate.clone()),
    ] {
        changes.push(Change { field: field.to_owned(), before: Value::None, after: Value::Text(text) });
    }
    Changeset::new(ctx)
        .fact(fact(ctx, fact_type, changes, &after))
        .update(after)
        .write(Write::PutCheckIns(written))
}

/// What validations judge: the ticket, and where it is shown.
fn subject(asked: &AskedCheckIn, ticket: &Ticket) -> Entity {
    let mut entity = Entity::ticket(ticket);
    for (name, text) in [
        ("direction", asked.direction.name()),
        ("gate", &asked.gate),
        ("device", &asked.device),
        ("staff", &asked.staff),
    ] {
        if !text.is_empty() {
            entity.fields.push(Field::new(name, text));
        }
    }
    entity
}
