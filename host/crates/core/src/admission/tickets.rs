//! The service of tickets. Only the confirmation of a reservation issues them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::access::{ObjectKind, Operation, Role};
use crate::admission::code::{Code, ScannedCode};
use crate::admission::{Codes, RevokedCodes, Ticket, TicketState};
use crate::changeset::{Changeset, Write};
use crate::command::{Commands, Decision};
use crate::ctx::{Ctx, Principal, Transport};
use crate::error::{Error, ErrorKind, Result};
use crate::id::{EventId, TenantId, TicketId};
use crate::inventory::Reservation;
use crate::outbox::{NewFact, ObjectRef};
use crate::page::{Page, PageRequest};
use crate::ports::Store;
use crate::value::{Change, diff};

/// How many tickets of a cancelled event are cancelled in one changeset, each with a row and a fact.
const SLICE: u32 = 400;

/// How long a slice may take.
const SLICE_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(10);

/// A ticket as a caller may see it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum TicketView {
    /// The whole ticket, with its code if the caller may sell.
    Whole(Ticket, Option<Code>),
    /// A ticket of which the caller may see the event, the type and the seat.
    Public(Ticket),
}

/// Reads, transfers and cancels tickets.
#[derive(Clone)]
pub struct Tickets {
    store: Arc<dyn Store>,
    commands: Commands,
    codes: Codes,
}

impl Tickets {
    /// Creates the service.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, commands: Commands, codes: Codes) -> Self {
        Self { store, commands, codes }
    }

    /// Returns a ticket: whole if the caller may list tickets, otherwise its public part if `code` is its valid code.
    pub async fn get(&self, ctx: &Ctx, id: TicketId, code: &str) -> Result<TicketView> {
        ctx.allow(Operation::TicketGet)?;
        let ticket = self.found(ctx, id).await?;
        if code.is_empty() && ctx.is_authenticated() {
            ctx.allow(Operation::TicketList)?;
        }
        if ctx.allows(Operation::TicketList) {
            let (ticket, code) = self.with_code(ctx, ticket).await?;
            return Ok(TicketView::Whole(ticket, code));
        }
        let scanned = ScannedCode::parse("code", code);
        let scanned = scanned.ok().filter(|scanned| (scanned.ticket, scanned.serial) == (id, ticket.serial));
        let scanned = scanned.filter(|_| ticket.state == TicketState::Valid).ok_or_else(not_found)?;
        match self.codes.verify(ctx, &scanned, (ticket.event, ctx.now)).await {
            Ok(()) => Ok(TicketView::Public(ticket)),
            Err(error) if error.kind() == ErrorKind::Precondition => Err(not_found()),
            Err(error) => Err(error),
        }
    }

    /// Returns a ticket with its code for printing.
    pub async fn printed(&self, ctx: &Ctx, id: TicketId) -> Result<(Ticket, Code)> {
        ctx.allow(Operation::TicketPrint)?;
        let ticket = self.found(ctx, id).await?;
        ticket.check_valid()?;
        let (ticket, code) = self.with_code(ctx, ticket).await?;
        let code = code.ok_or_else(|| Error::internal(anyhow::anyhow!("a valid ticket without a code")))?;
        Ok((ticket, code))
    }

    /// Returns a page of tickets, with their codes if the caller may sell.
    pub async fn list(&self, ctx: &Ctx, page: &PageRequest) -> Result<Page<(Ticket, Option<Code>)>> {
        ctx.allow(Operation::TicketList)?;
        let Page { items, next } = self.store.tickets(ctx.tenant, page).await?;
        let codes = if may_see_codes(ctx) {
            self.codes.of(ctx.tenant, &items).await?
        } else {
            vec![None; items.len()]
        };
        Ok(Page { items: items.into_iter().zip(codes).collect(), next })
    }

    /// Transfers an unused ticket to another holder. It gets a new code, and the old one becomes invalid.
    pub async fn transfer(&self, ctx: &Ctx, id: TicketId, holder: String) -> Result<(Ticket, Option<Code>)> {
        let decide = || async {
            let before = self.found(ctx, id).await?;
            ctx.check_version(before.version)?;
            let after = before.transferred(&holder, ctx.now)?;
            let fact = fact(ctx, "ticket.transferred", diff(Some(&before), Some(&after)), &after);
            Ok(Decision::change(Changeset::new(ctx).fact(fact).update(after.clone()), after))
        };
        let ticket = self
            .commands
            .run(ctx, Operation::TicketTransfer, &(id, &holder, &ctx.if_version), decide)
            .await?;
        self.with_code(ctx, ticket).await
    }

    /// Cancels a ticket. With `restock`, its unit and seat can be sold again.
    pub async fn cancel(&self, ctx: &Ctx, id: TicketId, restock: bool) -> Result<Ticket> {
        let decide = || async {
            let before = self.found(ctx, id).await?;
            ctx.check_version(before.version)?;
            let after = before.cancelled(ctx.now)?;
            let reservation = self.store.reservation(ctx.tenant, before.reservation).await?;
            let reservation = reservation.ok_or_else(Error::stale)?;
            let mut changeset = Changeset::new(ctx)
                .fact(fact(ctx, "ticket.cancelled", diff(Some(&before), Some(&after)), &after))
                .update(after.clone());
            if restock {
                changeset = changeset.write(return_unit(&reservation, id)?);
            }
            // The ticket no longer counts towards the buyer's limit.
            let mut rest =
                Reservation { version: reservation.version + 1, updated_at: ctx.now, ..reservation.clone() };
            rest.units.retain(|unit| unit.id != id);
            let object =
                ObjectRef { kind: ObjectKind::Reservation, id: rest.id.to_string(), version: rest.version };
            let changes = diff(Some(&reservation), Some(&rest));
            let reduced = NewFact::new(ctx, "reservation.reduced", object, changes).in_event(rest.event);
            Ok(Decision::change(changeset.fact(reduced).update(rest), after))
        };
        self.commands.run(ctx, Operation::TicketCancel, &(id, restock, &ctx.if_version), decide).await
    }

    /// Returns a page of an event's revoked codes, which offline scanners need.
    pub async fn revoked(&self, ctx: &Ctx, event: EventId, page: &PageRequest) -> Result<Page<RevokedCodes>> {
        ctx.allow(Operation::TicketRevoked)?;
        self.store.event(ctx.tenant, event).await?.ok_or_else(|| Error::not_found("event"))?;
        self.store.revoked(ctx.tenant, event, page).await
    }

    /// Cancels some tickets of a cancelled event. Returns whether there may be more.
    pub async fn cancel_slice(&self, tenant: TenantId, event: EventId) -> Result<bool> {
        let deadline = std::time::Instant::now() + SLICE_TIMEOUT;
        let request_id = format!("sweep-{event}").into();
        let ctx = Ctx::new(
            tenant,
            Principal::System,
            request_id,
            (self.store.now(), deadline),
            Transport::Internal,
        );
        let full = AtomicBool::new(false);
        let decide = || async {
            let mut changeset = Changeset::new(&ctx);
            let tickets = self.store.tickets_to_cancel(tenant, event, SLICE).await?;
            full.store(tickets.len() >= SLICE as usize, Ordering::Relaxed);
            for before in tickets {
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
        // A full slice may be the last one; then the next slice is empty.
        Ok(full.into_inner())
    }

    async fn with_code(&self, ctx: &Ctx, ticket: Ticket) -> Result<(Ticket, Option<Code>)> {
        if !may_see_codes(ctx) {
            return Ok((ticket, None));
        }
        let code = self.codes.of(ctx.tenant, std::slice::from_ref(&ticket)).await?.pop().flatten();
        Ok((ticket, code))
    }

    async fn found(&self, ctx: &Ctx, id: TicketId) -> Result<Ticket> {
        self.store.ticket(ctx.tenant, id).await?.ok_or_else(not_found)
    }
}

fn not_found() -> Error {
    Error::not_found("ticket")
}

/// Creates a fact about a ticket.
pub(crate) fn fact(ctx: &Ctx, fact_type: &'static str, changes: Vec<Change>, after: &Ticket) -> NewFact {
    let object = ObjectRef { kind: ObjectKind::Ticket, id: after.id.to_string(), version: after.version };
    NewFact::new(ctx, fact_type, object, changes).in_event(after.event)
}

/// Returns whether the caller may see codes. A code admits, so only callers that hand out tickets see them.
fn may_see_codes(ctx: &Ctx) -> bool {
    ctx.has_role(Role::Admin) || ctx.has_role(Role::Agent)
}

/// Creates the write that returns a ticket's unit to its pools.
fn return_unit(of: &Reservation, id: TicketId) -> Result<Write> {
    let unit = of.units.iter().find(|unit| unit.id == id).ok_or_else(Error::stale)?;
    let line = of.lines.get(unit.line).ok_or_else(Error::stale)?;
    let seat = unit.seat.as_ref().map(|seat| (line.ticket_type, seat.id));
    Ok(Write::ReturnUnit { event: of.event, unit: id, pools: line.pools.clone(), seat })
}
