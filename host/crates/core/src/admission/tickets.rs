//! What can be done with tickets. They are issued when a reservation is confirmed; nothing else makes one.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::access::{ObjectKind, Operation};
use crate::admission::code::Code;
use crate::admission::{Codes, Ticket};
use crate::changeset::{Changeset, Write};
use crate::command::{Commands, Decision};
use crate::ctx::{Ctx, Principal, Role, Transport};
use crate::error::{Error, Result};
use crate::filter::{Kind, Spec};
use crate::id::{EventId, TenantId, TicketId};
use crate::inventory::Reservation;
use crate::outbox::{NewFact, ObjectRef};
use crate::page::{Page, PageRequest};
use crate::ports::Store;
use crate::value::{Change, diff};

/// How many tickets of a cancelled event are cancelled at once: a row and a fact for each go into one changeset.
const SLICE: u32 = 400;

/// How long a slice may take.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(10);

/// The largest page of revoked codes.
pub const MAX_REVOKED: u32 = 1_000;

/// What revoked codes can be listed by; those that were revoked first come first.
pub const REVOKED: Spec = Spec { fields: &[("revoked", Kind::Time)], orders: &["revoked"] };

/// Codes of a ticket that are void though they are authentic.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Revoked {
    /// The ticket.
    pub ticket: TicketId,
    /// The number of the code that is good; none: no code of the ticket is.
    pub good: Option<u16>,
    /// Since when.
    pub at: crate::time::Timestamp,
}

/// Carries out what is done with tickets.
#[derive(Clone)]
pub struct Tickets {
    store: Arc<dyn Store>,
    commands: Commands,
    codes: Codes,
}

impl Tickets {
    /// The service.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, commands: Commands, codes: Codes) -> Self {
        Self { store, commands, codes }
    }

    /// Shows a ticket, with its code for those who may sell.
    pub async fn get(&self, ctx: &Ctx, id: TicketId) -> Result<(Ticket, Option<Code>)> {
        ctx.allow(Operation::TicketGet)?;
        self.with_code(ctx, self.found(ctx, id).await?).await
    }

    /// Shows a ticket as it is printed.
    pub async fn printed(&self, ctx: &Ctx, id: TicketId) -> Result<(Ticket, Code)> {
        ctx.allow(Operation::TicketPrint)?;
        let ticket = self.found(ctx, id).await?;
        ticket.check_valid()?;
        let (ticket, code) = self.with_code(ctx, ticket).await?;
        let code = code.ok_or_else(|| Error::internal(anyhow::anyhow!("a valid ticket without a code")))?;
        Ok((ticket, code))
    }

    /// Lists tickets.
    pub async fn list(&self, ctx: &Ctx, page: &PageRequest) -> Result<Page<(Ticket, Option<Code>)>> {
        ctx.allow(Operation::TicketList)?;
        let Page { items, next } = self.store.tickets(ctx.tenant, page).await?;
        let codes =
            if sells(ctx) { self.codes.of(ctx.tenant, &items).await? } else { vec![None; items.len()] };
        Ok(Page { items: items.into_iter().zip(codes).collect(), next })
    }

    /// Gives a ticket that was not used to another holder. It gets a new code; the old one is void.
    pub async fn transfer(&self, ctx: &Ctx, id: TicketId, holder: String) -> Result<(Ticket, Option<Code>)> {
        let decide = || async {
            let before = self.found(ctx, id).await?;
            ctx.check_version(before.version)?;
            let after = before.transferred(&holder, ctx.now)?;
            let fact = fact(ctx, "ticket.transferred", diff(Some(&before), Some(&after)), &after);
            Ok(Decision::change(Changeset::new(ctx).fact(fact).update(after.clone()), after))
        };
        let ticket =
            self.commands.run(ctx, Operation::TicketTransfer, &(id, &holder, ctx.if_version), decide).await?;
        self.with_code(ctx, ticket).await
    }

    /// Cancels a ticket. Its unit, and its seat, can be sold again if `restock` says so.
    pub async fn cancel(&self, ctx: &Ctx, id: TicketId, restock: bool) -> Result<Ticket> {
        let decide = || async {
            let before = self.found(ctx, id).await?;
            ctx.check_version(before.version)?;
            let after = before.cancelled(ctx.now)?;
            let held = self.store.reservation(ctx.tenant, before.reservation).await?;
            let held = held.ok_or_else(Error::stale)?;
            let mut changeset = Changeset::new(ctx)
                .fact(fact(ctx, "ticket.cancelled", diff(Some(&before), Some(&after)), &after))
                .update(after.clone());
            if restock {
                changeset = changeset.write(returned(&held, id)?);
            }
            // What the buyer has of the event, as limits count it, is one less.
            let mut rest = Reservation { version: held.version + 1, updated_at: ctx.now, ..held.clone() };
            rest.units.retain(|unit| unit.id != id);
            let object =
                ObjectRef { kind: ObjectKind::Reservation, id: rest.id.to_string(), version: rest.version };
            let changes = diff(Some(&held), Some(&rest));
            let reduced = NewFact::new(ctx, "reservation.reduced", object, changes).in_event(rest.event);
            Ok(Decision::change(changeset.fact(reduced).update(rest), after))
        };
        self.commands.run(ctx, Operation::TicketCancel, &(id, restock, ctx.if_version), decide).await
    }

    /// Lists codes of an event's tickets that are void: what a scanner without a connection must know.
    pub async fn revoked(&self, ctx: &Ctx, event: EventId, page: &PageRequest) -> Result<Page<Revoked>> {
        ctx.allow(Operation::TicketRevoked)?;
        self.store.event(ctx.tenant, event).await?.ok_or_else(|| Error::not_found("event"))?;
        self.store.revoked(ctx.tenant, event, page).await
    }

    /// Cancels some of the tickets of an event that was cancelled; whether there may be more.
    pub async fn cancel_slice(&self, tenant: TenantId, event: EventId) -> Result<bool> {
        let until = std::time::Instant::now() + PATIENCE;
        let request_id = format!("sweep-{event}").into();
        let ctx =
            Ctx::new(tenant, Principal::System, request_id, (self.store.now(), until), Transport::Internal);
        let full = AtomicBool::new(false);
        let decide = || async {
            let mut changeset = Changeset::new(&ctx);
            let found = self.store.tickets_to_cancel(tenant, event, SLICE).await?;
            full.store(found.len() >= SLICE as usize, Ordering::Relaxed);
            for before in found {
                let after = before.cancelled(ctx.now)?;
                let changes = diff(Some(&before), Some(&after));
                changeset = changeset.fact(fact(&ctx, "ticket.cancelled", changes, &after)).update(after);
            }
            if changeset.is_empty() {
                return Ok(Decision::nothing(()));
            }
            Ok(Decision::change(changeset, ()))
        };
        self.commands.run(&ctx, Operation::TicketCancel, &event, decide).await?;
        // A slice that was full may have been the last; the next one finds nothing then.
        Ok(full.into_inner())
    }

    async fn with_code(&self, ctx: &Ctx, ticket: Ticket) -> Result<(Ticket, Option<Code>)> {
        if !sells(ctx) {
            return Ok((ticket, None));
        }
        let code = self.codes.of(ctx.tenant, std::slice::from_ref(&ticket)).await?.pop().flatten();
        Ok((ticket, code))
    }

    async fn found(&self, ctx: &Ctx, id: TicketId) -> Result<Ticket> {
        self.store.ticket(ctx.tenant, id).await?.ok_or_else(|| Error::not_found("ticket"))
    }
}

/// A fact about a ticket.
pub(crate) fn fact(ctx: &Ctx, fact_type: &'static str, changes: Vec<Change>, after: &Ticket) -> NewFact {
    let object = ObjectRef { kind: ObjectKind::Ticket, id: after.id.to_string(), version: after.version };
    NewFact::new(ctx, fact_type, object, changes).in_event(after.event)
}

/// Who has a code can come in: it is for those who hand tickets out.
fn sells(ctx: &Ctx) -> bool {
    ctx.has_role(Role::Admin) || ctx.has_role(Role::Agent)
}

/// Gives a ticket's unit back to the pools from which it was taken.
fn returned(of: &Reservation, id: TicketId) -> Result<Write> {
    let unit = of.units.iter().find(|unit| unit.id == id).ok_or_else(Error::stale)?;
    let line = of.lines.get(unit.line).ok_or_else(Error::stale)?;
    let seat = unit.seat.as_ref().map(|seat| (line.ticket_type, seat.id));
    Ok(Write::ReturnUnit { event: of.event, unit: id, pools: line.pools.clone(), seat })
}
