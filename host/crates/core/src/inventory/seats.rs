//! Commands on seats.

use std::collections::BTreeMap;

use crate::access::{ObjectKind, Operation};
use crate::catalog::TicketType;
use crate::changeset::{Changeset, Write};
use crate::command::Decision;
use crate::ctx::Ctx;
use crate::error::{Error, ErrorKind, Result};
use crate::id::{PoolId, SeatId, TicketTypeId};
use crate::inventory::resize::resize_pool;
use crate::inventory::seat::MAX_SEATS;
use crate::inventory::{Pool, Seat, Supplies};
use crate::outbox::{NewFact, ObjectRef};
use crate::page::{Page, PageRequest};
use crate::text::Faults;
use crate::value::diff;

/// The most seats of one import.
pub const MAX_IMPORT: usize = 5_000;

/// The largest page of seats.
pub const MAX_PAGE: u32 = 1_000;

/// A seat to be imported.
#[derive(Clone, Hash, Debug)]
pub struct CreateSeat {
    /// Its row.
    pub row: String,
    /// Its number in the row.
    pub number: u32,
    /// Its label; `None` for row and number.
    pub label: Option<String>,
}

impl Supplies {
    /// Adds seats to a ticket type, whose quantity becomes their number. Refuses a type with used units that have no
    /// seats.
    pub async fn import_seats(
        &self,
        ctx: &Ctx,
        id: TicketTypeId,
        command: Vec<CreateSeat>,
    ) -> Result<TicketType> {
        let decide = || async {
            check_seats(&command)?;
            let before = self.ticket_type(ctx, id).await?;
            ctx.check_version(before.version)?;
            let pool = self.pool(ctx, before.event, PoolId::from(id)).await?;
            if !before.seated {
                pool.check_unused("TICKET_TYPE_HAS_SALES")?;
            }
            let present = if before.seated { pool.capacity.unwrap_or_default() } else { 0 };
            let total = present + command.len() as u64;
            if total > MAX_SEATS as u64 {
                let message = format!("the type would have {total} seats; {MAX_SEATS} are allowed");
                return Err(Error::new(ErrorKind::TooLarge, "TOO_LARGE", message));
            }
            let seats = command.iter().map(|seat| new_seat(&before, seat)).collect();
            let changeset = Changeset::new(ctx).write(Write::PutSeats(seats));
            self.change_seats(ctx, changeset, &before, pool, total)
        };
        self.commands.run(ctx, Operation::SeatImport, &(id, &command, &ctx.if_version), decide).await
    }

    /// Deletes free seats.
    pub async fn delete_seats(&self, ctx: &Ctx, id: TicketTypeId, labels: Vec<String>) -> Result<TicketType> {
        let decide = || async {
            if labels.is_empty() || labels.len() > MAX_IMPORT {
                return Err(Error::invalid(
                    "seats",
                    format!("are {}; 1 to {MAX_IMPORT} are allowed", labels.len()),
                ));
            }
            let before = self.ticket_type(ctx, id).await?;
            ctx.check_version(before.version)?;
            let pool = self.pool(ctx, before.event, PoolId::from(id)).await?;
            let seats = self.store.seats_named(ctx.tenant, id, &labels).await?;
            for label in &labels {
                let seat = seats.iter().find(|seat| seat.label == *label);
                let seat = seat.ok_or_else(|| {
                    Error::invalid(
                        "seats",
                        format!("names {label:?}, which is not a seat of the ticket type"),
                    )
                })?;
                if seat.unit.is_some() {
                    let message = format!("the seat {label:?} is taken");
                    return Err(Error::new(ErrorKind::Precondition, "SEAT_TAKEN", message));
                }
            }
            let total = pool.capacity.unwrap_or_default().saturating_sub(seats.len() as u64);
            let ids: Vec<SeatId> = seats.iter().map(|seat| seat.id).collect();
            let changeset = Changeset::new(ctx).write(Write::DropSeats(id, ids));
            self.change_seats(ctx, changeset, &before, pool, total)
        };
        self.commands.run(ctx, Operation::SeatDelete, &(id, &labels, &ctx.if_version), decide).await
    }

    /// Returns a page of a ticket type's seats, sorted by row and number. Hidden ticket types are not found without a key,
    /// unless the access code shows them.
    pub async fn seats(
        &self,
        ctx: &Ctx,
        id: TicketTypeId,
        access_code: &str,
        page: &PageRequest,
    ) -> Result<Page<Seat>> {
        ctx.allow(Operation::SeatList)?;
        let ticket_type = self.store.ticket_type(ctx.tenant, id).await?;
        let shown = self.access_codes.shown_for(ctx, ticket_type.as_ref(), access_code).await?;
        let visible = ticket_type.filter(|ticket_type| ticket_type.is_visible(ctx, &shown));
        let ticket_type = visible.ok_or_else(|| Error::not_found("ticket-type"))?;
        let event = self.store.event(ctx.tenant, ticket_type.event).await?;
        if !event.is_some_and(|event| event.is_public() || ctx.is_authenticated()) {
            return Err(Error::not_found("ticket-type"));
        }
        self.store.seats(ctx.tenant, id, page).await
    }

    /// Adds the change of the ticket type and of its pool to a changeset with seats.
    fn change_seats(
        &self,
        ctx: &Ctx,
        changeset: Changeset,
        before: &TicketType,
        pool: Pool,
        total: u64,
    ) -> Result<Decision<TicketType>> {
        let mut after = TicketType { seated: true, version: before.version + 1, ..before.clone() };
        after.attributes.quantity = Some(total);
        after.updated_at = ctx.now;
        let changes = diff(Some(before), Some(&after));
        let object =
            ObjectRef { kind: ObjectKind::TicketType, id: after.id.to_string(), version: after.version };
        let fact = NewFact::new(ctx, "ticket_type.seats_changed", object, changes).in_event(after.event);
        let changeset = resize_pool(ctx, changeset.fact(fact), pool, ("quantity", Some(total)))?;
        Ok(Decision::change(changeset.update(after.clone()), after))
    }
}

fn check_seats(seats: &[CreateSeat]) -> Result<()> {
    let mut faults = Faults::default();
    if seats.is_empty() || seats.len() > MAX_IMPORT {
        faults.add("seats", format_args!("are {}; 1 to {MAX_IMPORT} are allowed at once", seats.len()));
    }
    let (mut labels, mut numbers) = (BTreeMap::new(), BTreeMap::new());
    for (index, seat) in seats.iter().take(MAX_IMPORT).enumerate() {
        faults.text(&format!("seats[{index}].row"), &seat.row, 1, 20);
        if let Some(label) = &seat.label {
            faults.text(&format!("seats[{index}].label"), label, 1, 50);
        }
        if seat.number == 0 {
            faults.add(&format!("seats[{index}].number"), "is 0; seats are counted from 1");
        }
        let first = labels.insert(label(seat), index).or(numbers.insert((&seat.row, seat.number), index));
        if let Some(first) = first {
            faults.add(&format!("seats[{index}]"), format_args!("is the same as seats[{first}]"));
        }
    }
    faults.into_result()
}

fn label(seat: &CreateSeat) -> String {
    seat.label.clone().unwrap_or_else(|| format!("{}{}", seat.row, seat.number))
}

fn new_seat(of: &TicketType, seat: &CreateSeat) -> Seat {
    Seat {
        id: SeatId::generate(),
        event: of.event,
        ticket_type: of.id,
        row: seat.row.clone(),
        number: seat.number,
        label: label(seat),
        unit: None,
    }
}
