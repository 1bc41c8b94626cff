//! What can still be had of an event, as everybody may see it.

use std::sync::Arc;

use crate::access::Operation;
use crate::catalog::{Event, TicketType};
use crate::ctx::Ctx;
use crate::error::{Error, Result};
use crate::filter::{Filter, Op, Operand, Term};
use crate::id::{EventId, TicketTypeId};
use crate::inventory::seat::{LOOKED_AT, SPEC};
use crate::inventory::seating::check_labels;
use crate::inventory::terms::{TypeTerms, on_sale};
use crate::inventory::{Seat, Stock};
use crate::page::PageRequest;
use crate::ports::Store;
use crate::time::Timestamp;

/// How many free seats are named when nobody says how many.
const SEATS: u32 = 100;

/// Whether so many units, or just these seats, can be had.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Checked {
    /// Whether they can.
    pub available: bool,
    /// How many can; none: no pool sets a bound.
    pub quantity: Option<u64>,
    /// Labels of seats that are free: those that were asked about, or some.
    pub seats: Vec<String>,
    /// Why not, for a person; empty: they can be had.
    pub message: String,
}

/// What can be had of a ticket type.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Available {
    /// The type.
    pub ticket_type: TicketType,
    /// How many.
    pub quantity: Option<u64>,
    /// Some of its seats that are free, by row and number.
    pub seats: Vec<Seat>,
}

/// Answers what can still be had.
#[derive(Clone)]
pub struct Availability {
    store: Arc<dyn Store>,
}

impl Availability {
    /// The service.
    #[must_use]
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self { store }
    }

    /// Whether so many units of a type, or these seats, can be had now, by the rules of reservations. Nothing is held by
    /// it.
    pub async fn check(
        &self,
        ctx: &Ctx,
        (event, ticket_type): (EventId, TicketTypeId),
        (quantity, labels): (u32, &[String]),
    ) -> Result<Checked> {
        ctx.allow(Operation::AvailabilityCheck)?;
        if quantity == 0 {
            return Err(Error::invalid("quantity", "is 0; at least 1 is expected"));
        }
        let event = self.visible(ctx, event).await?;
        let (held, stock) = self.of_type(ctx, event.id, ticket_type).await?;
        if !labels.is_empty() && !held.seated {
            return Err(Error::invalid("seat_numbers", "are given, but the ticket type has no seats"));
        }
        check_labels("seat_numbers", labels, quantity as usize)?;
        let terms = TypeTerms::of(&held);
        if let Err(why) = sells(&event, ctx.now).and_then(|()| terms.check(ctx.now)) {
            let message = why.message().to_owned();
            return Ok(Checked { available: false, quantity: Some(0), seats: Vec::new(), message });
        }
        let wanted = u64::from(quantity);
        let mut checked = Checked {
            available: true,
            quantity: stock.available,
            seats: self.free_seats(ctx, &held, labels).await?,
            message: String::new(),
        };
        if let Err(why) = terms.check_quantity("quantity", quantity as usize) {
            checked.message = why.message().to_owned();
        } else if let Some(left) = stock.available.filter(|left| *left < wanted) {
            checked.message = format!("{wanted} are wanted, and {left} are left");
        } else if let Some(taken) = labels.iter().find(|label| !checked.seats.contains(label)) {
            checked.message = format!("the seat {taken:?} cannot be had");
        }
        checked.available = checked.message.is_empty();
        Ok(checked)
    }

    /// What can be had of an event's types, or of one of them, with at most `limit` seats of each.
    pub async fn list(
        &self,
        ctx: &Ctx,
        event: EventId,
        ticket_type: Option<TicketTypeId>,
        limit: u32,
    ) -> Result<Vec<Available>> {
        ctx.allow(Operation::AvailabilityList)?;
        let sells = sells(&self.visible(ctx, event).await?, ctx.now).is_ok();
        let pools = self.store.pools(ctx.tenant, event).await?;
        let mut available = Vec::new();
        let types = if sells { self.store.ticket_types(ctx.tenant, event).await? } else { Vec::new() };
        for held in types {
            if ticket_type.is_some_and(|id| id != held.id) || !held.is_on_sale(ctx.now) {
                continue;
            }
            let stock = Stock::of(held.id, &held.text.pools, &pools);
            let seats = if held.seated { self.some_seats(ctx, held.id, limit).await? } else { Vec::new() };
            available.push(Available { ticket_type: held, quantity: stock.available, seats });
        }
        if available.is_empty()
            && let Some(id) = ticket_type
        {
            // One that is not on sale is there all the same; one of another event is not.
            self.of_type(ctx, event, id).await?;
        }
        Ok(available)
    }

    async fn of_type(&self, ctx: &Ctx, event: EventId, id: TicketTypeId) -> Result<(TicketType, Stock)> {
        let held = self.store.ticket_type(ctx.tenant, id).await?.filter(|held| held.event == event);
        let held = held.ok_or_else(|| Error::not_found("ticket-type"))?;
        let pools = self.store.pools(ctx.tenant, event).await?;
        let stock = Stock::of(id, &held.text.pools, &pools);
        Ok((held, stock))
    }

    async fn visible(&self, ctx: &Ctx, event: EventId) -> Result<Event> {
        let held = self.store.event(ctx.tenant, event).await?;
        let visible = held.filter(|event| event.is_public() || ctx.is_known());
        visible.ok_or_else(|| Error::not_found("event"))
    }

    async fn free_seats(&self, ctx: &Ctx, of: &TicketType, labels: &[String]) -> Result<Vec<String>> {
        if !of.seated {
            return Ok(Vec::new());
        }
        let seats = if labels.is_empty() {
            self.some_seats(ctx, of.id, SEATS).await?
        } else {
            self.store.seats_named(ctx.tenant, of.id, labels).await?
        };
        Ok(seats.into_iter().filter(|seat| seat.unit.is_none()).map(|seat| seat.label).collect())
    }

    async fn some_seats(&self, ctx: &Ctx, of: TicketTypeId, limit: u32) -> Result<Vec<Seat>> {
        let values = vec![Operand::Boolean(true)];
        let free = Term { negated: false, field: "free", name: None, op: Op::OneOf, values };
        let size = if limit == 0 { SEATS } else { limit.min(LOOKED_AT) };
        let (filter, order) = (Filter { terms: vec![free] }, SPEC.order("")?);
        Ok(self.store.seats(ctx.tenant, of, &PageRequest { size, after: None, filter, order }).await?.items)
    }
}

/// Refuses what is wanted of an event that sells nothing now.
fn sells(event: &Event, now: Timestamp) -> Result<()> {
    on_sale((event.text.status, event.text.ends_at), now)
}
