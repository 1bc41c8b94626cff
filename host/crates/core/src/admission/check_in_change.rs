//! The change that a check-in makes to its ticket.

use std::time::Duration;

use crate::admission::tickets::fact;
use crate::admission::{CheckIn, CreateCheckIn, Ticket, Verdict};
use crate::catalog::Event;
use crate::changeset::{Changeset, Write};
use crate::ctx::Ctx;
use crate::error::{Error, Result};
use crate::id::CheckInId;
use crate::plugin::Entity;
use crate::time::Timestamp;
use crate::value::{Change, Field, Value, diff};

/// How far the clock of a scanner may be off.
pub(super) const CLOCK_TOLERANCE: Duration = Duration::from_secs(300);

/// The kind of entity that plugins validate.
pub(super) const KIND: &str = "ticket";

/// Refuses a scan from before the ticket was issued. As the earliest one it would make all others duplicates.
pub(super) fn check_issued(ticket: &Ticket, at: Timestamp) -> Result<()> {
    let issued = ticket.created_at;
    if at.plus(CLOCK_TOLERANCE) >= issued {
        return Ok(());
    }
    let message = format!("is {at}, but the ticket was issued at {issued}; set the device's clock");
    Err(Error::invalid("at", message))
}

/// A ticket after its check-ins were evaluated, and the check-ins that are new or changed.
pub(super) struct Evaluated {
    pub(super) after: Ticket,
    pub(super) changed: Vec<CheckIn>,
}

impl Evaluated {
    /// Returns the parts, with one of the changed check-ins.
    pub(super) fn with(self, id: CheckInId) -> Result<(CheckIn, Ticket, Vec<CheckIn>)> {
        let check_in = self.changed.iter().find(|check_in| check_in.id == id).cloned();
        let check_in = check_in.ok_or_else(|| Error::internal(anyhow::anyhow!("a check-in is missing")))?;
        Ok((check_in, self.after, self.changed))
    }
}

/// Creates the check-in of a request, as if it were accepted.
pub(super) fn new_check_in(
    ctx: &Ctx,
    request: &CreateCheckIn,
    (event, ticket): (&Event, &Ticket),
    serial: Option<u16>,
) -> CheckIn {
    CheckIn {
        id: CheckInId::generate(),
        event: request.event,
        ticket: ticket.id,
        direction: request.direction,
        verdict: Verdict::Accepted,
        at: ctx.now,
        gate: request.gate.clone(),
        device: request.device.clone(),
        staff: request.staff.clone(),
        nonce: None,
        serial,
        reentry: event.attributes.reentry,
        created_by: ctx.principal.to_string(),
        recorded_at: ctx.now,
        undone: None,
    }
}

/// Creates the changeset of a check-in: the ticket, its changed check-ins, and the fact.
pub(super) fn changeset(
    ctx: &Ctx,
    fact_type: &'static str,
    (before, after, check_in): (&Ticket, Ticket, &CheckIn),
    changed: Vec<CheckIn>,
) -> Changeset {
    let mut changes = diff(Some(before), Some(&after));
    for (field, text) in [
        ("check_in", check_in.id.to_string()),
        ("direction", check_in.direction.name().to_owned()),
        ("verdict", check_in.verdict.name().to_owned()),
        ("gate", check_in.gate.clone()),
    ] {
        changes.push(Change { field: field.to_owned(), before: Value::None, after: Value::Text(text) });
    }
    Changeset::new(ctx)
        .fact(fact(ctx, fact_type, changes, &after))
        .update(after)
        .write(Write::PutCheckIns(changed))
}

/// Returns a ticket as validation plugins see it at a check-in.
pub(super) fn entity(request: &CreateCheckIn, ticket: &Ticket) -> Entity {
    let mut entity = Entity::ticket(ticket);
    for (name, text) in [
        ("direction", request.direction.name()),
        ("gate", &request.gate),
        ("device", &request.device),
        ("staff", &request.staff),
    ] {
        if !text.is_empty() {
            entity.fields.push(Field::new(name, text));
        }
    }
    entity
}
