//! What can be done with ticket types.

use std::sync::Arc;

use super::event::Event;
use super::events::sees_drafts;
use super::ticket_type::{ChangeTicketType, TicketType, WriteTicketType};
use crate::access::{ObjectKind, Operation};
use crate::changeset::Changeset;
use crate::command::{Commands, Decision};
use crate::ctx::Ctx;
use crate::error::{Error, ErrorKind, Result};
use crate::id::{EventId, PoolId, TicketTypeId};
use crate::inventory::pool::MAX_POOLS;
use crate::inventory::{Pool, PoolSort, Stock};
use crate::outbox::{NewFact, ObjectRef};
use crate::ports::Store;
use crate::value::diff;

/// Carries out what is done with ticket types.
#[derive(Clone)]
pub struct TicketTypes {
    store: Arc<dyn Store>,
    commands: Commands,
}

impl TicketTypes {
    /// The service.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, commands: Commands) -> Self {
        Self { store, commands }
    }

    /// Makes a ticket type, with a pool of its own.
    pub async fn create(&self, ctx: &Ctx, event: EventId, command: WriteTicketType) -> Result<TicketType> {
        let decide = || async {
            command.check()?;
            let held = self.event(ctx, event).await?;
            if self.store.ticket_types(ctx.tenant, event).await?.len() >= MAX_POOLS {
                let message = format!("the event has {MAX_POOLS} ticket types, and may have no more");
                return Err(Error::new(ErrorKind::TooLarge, "TOO_LARGE", message));
            }
            let changeset = self.bound(ctx, event, &command, Changeset::new(ctx).expect(&held)).await?;
            let made = TicketType {
                id: TicketTypeId::generate(),
                event,
                text: command.clone(),
                seated: false,
                created_at: ctx.now,
                updated_at: ctx.now,
                version: 1,
            };
            let pool = Pool::new(event, (PoolSort::Type, made.id.into()), &made.text.name, ctx.now);
            let changeset = changeset.insert(made.clone()).insert(pool.holding(made.text.quantity));
            Ok(Decision::change(changeset.fact(fact(ctx, "ticket_type.created", None, &made)), made))
        };
        self.commands.run(ctx, Operation::TicketTypeCreate, &(event, &command), decide).await
    }

    /// Shows a ticket type, and how much of it is left.
    pub async fn get(&self, ctx: &Ctx, id: TicketTypeId) -> Result<(TicketType, Stock)> {
        ctx.allow(Operation::TicketTypeGet)?;
        let found = self.store.ticket_type(ctx.tenant, id).await?;
        let found = found.ok_or_else(|| Error::not_found("ticket-type"))?;
        self.visible(ctx, found.event).await.map_err(|_| Error::not_found("ticket-type"))?;
        let pools = self.store.pools(ctx.tenant, found.event).await?;
        let stock = Stock::of(found.id, &found.text.pools, &pools);
        Ok((found, stock))
    }

    /// Lists an event's ticket types, and how much of each is left.
    pub async fn list(&self, ctx: &Ctx, event: EventId) -> Result<Vec<(TicketType, Stock)>> {
        ctx.allow(Operation::TicketTypeList)?;
        self.visible(ctx, event).await?;
        let types = self.store.ticket_types(ctx.tenant, event).await?;
        let pools = self.store.pools(ctx.tenant, event).await?;
        let stocked = types.into_iter().map(|held| {
            let stock = Stock::of(held.id, &held.text.pools, &pools);
            (held, stock)
        });
        Ok(stocked.collect())
    }

    /// Changes a ticket type. What is held and sold keeps the pools that it was taken from.
    pub async fn update(&self, ctx: &Ctx, id: TicketTypeId, command: ChangeTicketType) -> Result<TicketType> {
        let decide = || async {
            let before = self.found(ctx, id).await?;
            ctx.check_version(before.version)?;
            let mut after = TicketType { text: command.clone().apply_to(&before.text), ..before.clone() };
            after.text.check()?;
            if after == before {
                return Ok(Decision::nothing(after));
            }
            let mut changeset = self.bound(ctx, after.event, &after.text, Changeset::new(ctx)).await?;
            if after.text.quantity != before.text.quantity {
                if before.seated {
                    let message = "is the number of the type's seats; add or remove seats instead";
                    return Err(Error::invalid("quantity", message));
                }
                let pool = self.store.pool(ctx.tenant, after.event, PoolId::from(id)).await?;
                let pool = pool.ok_or_else(Error::stale)?;
                changeset = resized(ctx, changeset, pool, ("quantity", after.text.quantity))?;
            }
            after.version += 1;
            after.updated_at = ctx.now;
            let fact = fact(ctx, "ticket_type.updated", Some(&before), &after);
            Ok(Decision::change(changeset.fact(fact).update(after.clone()), after))
        };
        self.commands.run(ctx, Operation::TicketTypeUpdate, &(id, &command, ctx.if_version), decide).await
    }

    /// Removes a ticket type of which nothing was sold or is held, with its seats.
    pub async fn delete(&self, ctx: &Ctx, id: TicketTypeId) -> Result<()> {
        let decide = || async {
            let held = self.found(ctx, id).await?;
            ctx.check_version(held.version)?;
            let pool = self.store.pool(ctx.tenant, held.event, PoolId::from(id)).await?;
            let pool = pool.ok_or_else(Error::stale)?;
            pool.check_unused("TICKET_TYPE_HAS_SALES")?;
            let changes = diff(Some(&held), None);
            let fact = NewFact::new(ctx, "ticket_type.deleted", object(&held, held.version + 1), changes);
            let changeset = Changeset::new(ctx).fact(fact.in_event(held.event));
            Ok(Decision::change(changeset.delete(pool).delete(held), ()))
        };
        self.commands.run(ctx, Operation::TicketTypeDelete, &(id, ctx.if_version), decide).await
    }

    /// Depends on the shared pools that a type names.
    async fn bound(
        &self,
        ctx: &Ctx,
        event: EventId,
        text: &WriteTicketType,
        mut changeset: Changeset,
    ) -> Result<Changeset> {
        for id in &text.pools {
            let pool = self.store.pool(ctx.tenant, event, *id).await?;
            let shared = pool.filter(|pool| pool.sort == PoolSort::Shared);
            let message = format!("names {id}, which is not a shared pool of the event");
            changeset = changeset.expect(&shared.ok_or_else(|| Error::invalid("pools", message))?);
        }
        Ok(changeset)
    }

    async fn visible(&self, ctx: &Ctx, id: EventId) -> Result<Event> {
        let event = self.event(ctx, id).await?;
        if event.is_public() || sees_drafts(ctx) { Ok(event) } else { Err(Error::not_found("event")) }
    }

    async fn event(&self, ctx: &Ctx, id: EventId) -> Result<Event> {
        self.store.event(ctx.tenant, id).await?.ok_or_else(|| Error::not_found("event"))
    }

    async fn found(&self, ctx: &Ctx, id: TicketTypeId) -> Result<TicketType> {
        self.store.ticket_type(ctx.tenant, id).await?.ok_or_else(|| Error::not_found("ticket-type"))
    }
}

/// Gives a pool another capacity, never below what is in use.
pub(crate) fn resized(
    ctx: &Ctx,
    changeset: Changeset,
    mut pool: Pool,
    (field, capacity): (&str, Option<u64>),
) -> Result<Changeset> {
    let before = pool.clone();
    pool.capacity = capacity;
    pool.check_capacity(field)?;
    pool.version += 1;
    pool.updated_at = ctx.now;
    let object = ObjectRef { kind: ObjectKind::Pool, id: pool.id.to_string(), version: pool.version };
    let fact = NewFact::new(ctx, "pool.updated", object, diff(Some(&before), Some(&pool)));
    Ok(changeset.fact(fact.in_event(pool.event)).update(pool))
}

fn object(held: &TicketType, version: u64) -> ObjectRef {
    ObjectRef { kind: ObjectKind::TicketType, id: held.id.to_string(), version }
}

fn fact(ctx: &Ctx, fact_type: &'static str, before: Option<&TicketType>, after: &TicketType) -> NewFact {
    let object = object(after, after.version);
    NewFact::new(ctx, fact_type, object, diff(before, Some(after))).in_event(after.event)
}
