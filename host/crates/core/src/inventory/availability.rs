//! The availability of an event, as the public may see it.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::access::Operation;
use crate::catalog::{Event, TicketType};
use crate::ctx::Ctx;
use crate::error::{Error, Result};
use crate::filter::{Filter, Op, Operand, Term};
use crate::id::{EventId, TicketTypeId};
use crate::inventory::remaining::min_bound;
use crate::inventory::seat::{MAX_CANDIDATES, SPEC};
use crate::inventory::terms::{TypeTerms, check_labels, check_on_sale};
use crate::inventory::{Pool, PoolSort, Remaining, Seat};
use crate::page::PageRequest;
use crate::ports::Store;
use crate::pricing::AccessCodes;
use crate::time::Timestamp;

/// How many free seats are returned when the client sets no limit.
const DEFAULT_SEATS: u32 = 100;

/// The result of a check of availability.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AvailabilityCheck {
    /// Whether the units or seats are available.
    pub available: bool,
    /// The number of available units; `None` for no bound.
    pub quantity: Option<u64>,
    /// The labels of free seats: requested ones, or some.
    pub seats: Vec<String>,
    /// Why they are not available, for a person; empty if they are.
    pub message: String,
}

/// The availability of a ticket type.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AvailableType {
    /// The ticket type.
    pub ticket_type: TicketType,
    /// The number of available units; `None` for no bound.
    pub quantity: Option<u64>,
    /// Some of its free seats, sorted by row and number.
    pub seats: Vec<Seat>,
}

/// The availability of an event.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AvailableTypes {
    /// Its ticket types on sale, oldest first.
    pub types: Vec<AvailableType>,
    /// The sum of their quantities, at most the free units of the event's pool; `None` for no bound.
    pub total: Option<u64>,
}

impl AvailableTypes {
    fn new(types: Vec<AvailableType>, pools: &[Pool]) -> Self {
        let sum = types.iter().try_fold(0_u64, |sum, available| {
            available.quantity.map(|quantity| sum.saturating_add(quantity))
        });
        let event = pools.iter().find(|pool| pool.sort == PoolSort::Event).and_then(Pool::free);
        Self { types, total: min_bound(sum, event) }
    }
}

/// Reads what is available.
#[derive(Clone)]
pub struct Availability {
    store: Arc<dyn Store>,
    access_codes: AccessCodes,
}

impl Availability {
    /// Creates the service.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, access_codes: AccessCodes) -> Self {
        Self { store, access_codes }
    }

    /// Checks whether so many units of a ticket type, or these seats, could be reserved now. Holds nothing.
    pub async fn check(
        &self,
        ctx: &Ctx,
        (event, ticket_type): (EventId, TicketTypeId),
        (quantity, labels): (u32, &[String]),
        access_code: &str,
    ) -> Result<AvailabilityCheck> {
        ctx.allow(Operation::AvailabilityCheck)?;
        if quantity == 0 {
            return Err(Error::invalid("quantity", "is 0; at least 1 is expected"));
        }
        let shown = self.access_codes.shown(ctx, Some(event), access_code).await?;
        let event = self.visible(ctx, event).await?;
        let (ticket_type, remaining) = self.of_type(ctx, event.id, (ticket_type, &shown)).await?;
        if !labels.is_empty() && !ticket_type.seated {
            return Err(Error::invalid("seat_numbers", "are given, but the ticket type has no seats"));
        }
        check_labels("seat_numbers", labels, quantity as usize)?;
        let terms = TypeTerms::of(&ticket_type);
        if let Err(why) = check_sells(&event, ctx.now).and_then(|()| terms.check_on_sale(ctx.now)) {
            let message = why.message().to_owned();
            return Ok(AvailabilityCheck { available: false, quantity: Some(0), seats: Vec::new(), message });
        }
        let units = u64::from(quantity);
        let mut check = AvailabilityCheck {
            available: true,
            quantity: remaining.available,
            seats: self.free_seats(ctx, &ticket_type, labels).await?,
            message: String::new(),
        };
        if let Err(why) = terms.check_quantity("quantity", quantity as usize) {
            check.message = why.message().to_owned();
        } else if let Some(available) = remaining.available.filter(|available| *available < units) {
            check.message = format!("{units} are wanted, and {available} are left");
        } else if let Some(seat) = labels.iter().find(|label| !check.seats.contains(label)) {
            check.message = format!("the seat {seat:?} is not available");
        }
        check.available = check.message.is_empty();
        Ok(check)
    }

    /// Lists the available ticket types of an event, or one of them, with at most `limit` seats of each.
    pub async fn list(
        &self,
        ctx: &Ctx,
        event: EventId,
        ticket_type: Option<TicketTypeId>,
        limit: u32,
        access_code: &str,
    ) -> Result<AvailableTypes> {
        ctx.allow(Operation::AvailabilityList)?;
        let shown = self.access_codes.shown(ctx, Some(event), access_code).await?;
        let sells = check_sells(&self.visible(ctx, event).await?, ctx.now).is_ok();
        let pools = self.store.pools(ctx.tenant, &[event]).await?;
        let mut available = Vec::new();
        let types = if sells { self.store.ticket_types(ctx.tenant, event).await? } else { Vec::new() };
        for candidate in types {
            let is_requested = ticket_type.is_none_or(|id| id == candidate.id);
            if !is_requested || !candidate.is_visible(ctx, &shown) || !candidate.is_on_sale(ctx.now) {
                continue;
            }
            let remaining = Remaining::of(candidate.id, &candidate.attributes.pools, &pools);
            let seats =
                if candidate.seated { self.some_seats(ctx, candidate.id, limit).await? } else { Vec::new() };
            available.push(AvailableType { ticket_type: candidate, quantity: remaining.available, seats });
        }
        if available.is_empty()
            && let Some(id) = ticket_type
        {
            // A type that is not on sale is an empty list; one of another event, or hidden, is not found.
            self.of_type(ctx, event, (id, &shown)).await?;
        }
        Ok(AvailableTypes::new(available, &pools))
    }

    async fn of_type(
        &self,
        ctx: &Ctx,
        event: EventId,
        (id, shown): (TicketTypeId, &BTreeSet<TicketTypeId>),
    ) -> Result<(TicketType, Remaining)> {
        let ticket_type = self.store.ticket_type(ctx.tenant, id).await?;
        let ticket_type = ticket_type
            .filter(|ticket_type| ticket_type.event == event && ticket_type.is_visible(ctx, shown));
        let ticket_type = ticket_type.ok_or_else(|| Error::not_found("ticket-type"))?;
        let pools = self.store.pools(ctx.tenant, &[event]).await?;
        let remaining = Remaining::of(id, &ticket_type.attributes.pools, &pools);
        Ok((ticket_type, remaining))
    }

    async fn visible(&self, ctx: &Ctx, event: EventId) -> Result<Event> {
        let event = self.store.event(ctx.tenant, event).await?;
        let visible = event.filter(|event| event.is_public() || ctx.is_authenticated());
        visible.ok_or_else(|| Error::not_found("event"))
    }

    async fn free_seats(&self, ctx: &Ctx, of: &TicketType, labels: &[String]) -> Result<Vec<String>> {
        if !of.seated {
            return Ok(Vec::new());
        }
        let seats = if labels.is_empty() {
            self.some_seats(ctx, of.id, DEFAULT_SEATS).await?
        } else {
            self.store.seats_named(ctx.tenant, of.id, labels).await?
        };
        Ok(seats.into_iter().filter(|seat| seat.unit.is_none()).map(|seat| seat.label).collect())
    }

    async fn some_seats(&self, ctx: &Ctx, of: TicketTypeId, limit: u32) -> Result<Vec<Seat>> {
        let values = vec![Operand::Boolean(true)];
        let free = Term { negated: false, field: "free", name: None, op: Op::OneOf, values };
        let size = if limit == 0 { DEFAULT_SEATS } else { limit.min(MAX_CANDIDATES) };
        let (filter, order) = (Filter { terms: vec![free] }, SPEC.order("")?);
        Ok(self.store.seats(ctx.tenant, of, &PageRequest { size, after: None, filter, order }).await?.items)
    }
}

/// Refuses an event that is not on sale now.
fn check_sells(event: &Event, now: Timestamp) -> Result<()> {
    check_on_sale((event.attributes.status, event.attributes.ends_at), now)
}
