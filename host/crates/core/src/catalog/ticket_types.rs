//! The service of ticket types.

use std::sync::Arc;

use super::event::Event;
use super::ticket_type::{ChangeTicketType, TicketType, WriteTicketType};
use crate::access::{ObjectKind, Operation};
use crate::changeset::Changeset;
use crate::command::{Commands, Decision};
use crate::ctx::Ctx;
use crate::error::{Error, ErrorKind, Result};
use crate::id::{EventId, PoolId, TicketTypeId};
use crate::inventory::pool::MAX_POOLS;
use crate::inventory::resize::resize_pool;
use crate::inventory::{Pool, PoolSort, Remaining};
use crate::outbox::{NewFact, ObjectRef};
use crate::page::{Page, PageRequest};
use crate::ports::Store;
use crate::pricing::AccessCodes;
use crate::value::diff;

/// Creates, reads, changes and deletes ticket types.
#[derive(Clone)]
pub struct TicketTypes {
    store: Arc<dyn Store>,
    commands: Commands,
    access_codes: AccessCodes,
}

impl TicketTypes {
    /// Creates the service.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, commands: Commands, access_codes: AccessCodes) -> Self {
        Self { store, commands, access_codes }
    }

    /// Creates a ticket type, with a pool of its own.
    pub async fn create(&self, ctx: &Ctx, event: EventId, command: WriteTicketType) -> Result<TicketType> {
        let decide = || async {
            command.check()?;
            let parent = self.event(ctx, event).await?;
            if self.store.ticket_types(ctx.tenant, event).await?.len() >= MAX_POOLS {
                let message = format!("the event has {MAX_POOLS} ticket types, and may have no more");
                return Err(Error::new(ErrorKind::TooLarge, "TOO_LARGE", message));
            }
            let changeset =
                self.check_pools(ctx, event, &command, Changeset::new(ctx).expect(&parent)).await?;
            let ticket_type = TicketType {
                id: TicketTypeId::generate(),
                event,
                attributes: command.clone(),
                seated: false,
                created_at: ctx.now,
                updated_at: ctx.now,
                version: 1,
            };
            let pool = Pool::new(
                event,
                (PoolSort::Type, ticket_type.id.into()),
                &ticket_type.attributes.name,
                ctx.now,
            );
            let pool = pool.with_capacity(ticket_type.attributes.quantity);
            let changeset = changeset.insert(ticket_type.clone()).insert(pool);
            let fact = fact(ctx, "ticket_type.created", None, &ticket_type);
            Ok(Decision::change(changeset.fact(fact), ticket_type))
        };
        self.commands.run(ctx, Operation::TicketTypeCreate, &(event, &command), decide).await
    }

    /// Returns a ticket type with its remaining units. Hidden ones are not found without a key, unless the access code
    /// shows them.
    pub async fn get(
        &self,
        ctx: &Ctx,
        id: TicketTypeId,
        access_code: &str,
    ) -> Result<(TicketType, Remaining)> {
        ctx.allow(Operation::TicketTypeGet)?;
        let ticket_type = self.store.ticket_type(ctx.tenant, id).await?;
        let shown = self.access_codes.shown_for(ctx, ticket_type.as_ref(), access_code).await?;
        let visible = ticket_type.filter(|ticket_type| ticket_type.is_visible(ctx, &shown));
        let ticket_type = visible.ok_or_else(|| Error::not_found("ticket-type"))?;
        self.visible(ctx, ticket_type.event).await.map_err(|_| Error::not_found("ticket-type"))?;
        let pools = self.store.pools(ctx.tenant, &[ticket_type.event]).await?;
        let remaining = Remaining::of(ticket_type.id, &ticket_type.attributes.pools, &pools);
        Ok((ticket_type, remaining))
    }

    /// Returns a page of the ticket types of an event, or of all events that the caller may see, with their remaining units.
    /// Without a key, hidden ones are left out, except for those that the access code shows.
    pub async fn list(
        &self,
        ctx: &Ctx,
        event: Option<EventId>,
        access_code: &str,
        page: &PageRequest,
    ) -> Result<Page<(TicketType, Remaining)>> {
        ctx.allow(Operation::TicketTypeList)?;
        let shown = self.access_codes.shown(ctx, event, access_code).await?;
        if let Some(event) = event {
            self.visible(ctx, event).await?;
        }
        let public = (!ctx.is_authenticated()).then_some(&shown);
        let page = self.store.ticket_type_page(ctx.tenant, event, public, page).await?;
        let mut events: Vec<_> = page.items.iter().map(|ticket_type| ticket_type.event).collect();
        // The page is sorted by event.
        events.dedup();
        let pools = self.store.pools(ctx.tenant, &events).await?;
        Ok(page.map(|ticket_type| {
            let of_event = pools.iter().filter(|pool| pool.event == ticket_type.event);
            let remaining = Remaining::of(ticket_type.id, &ticket_type.attributes.pools, of_event);
            (ticket_type, remaining)
        }))
    }

    /// Changes a ticket type. Units that are held or sold stay in the pools that they were taken from.
    pub async fn update(&self, ctx: &Ctx, id: TicketTypeId, command: ChangeTicketType) -> Result<TicketType> {
        let decide = || async {
            let before = self.found(ctx, id).await?;
            ctx.check_version(before.version)?;
            let mut after =
                TicketType { attributes: command.clone().apply_to(&before.attributes), ..before.clone() };
            after.attributes.check()?;
            if after == before {
                return Ok(Decision::nothing(after));
            }
            let mut changeset =
                self.check_pools(ctx, after.event, &after.attributes, Changeset::new(ctx)).await?;
            if after.attributes.quantity != before.attributes.quantity {
                if before.seated {
                    let message = "is the number of the type's seats; add or remove seats instead";
                    return Err(Error::invalid("quantity", message));
                }
                let pool = self.store.pool(ctx.tenant, after.event, PoolId::from(id)).await?;
                let pool = pool.ok_or_else(Error::stale)?;
                changeset = resize_pool(ctx, changeset, pool, ("quantity", after.attributes.quantity))?;
            }
            after.version += 1;
            after.updated_at = ctx.now;
            let fact = fact(ctx, "ticket_type.updated", Some(&before), &after);
            Ok(Decision::change(changeset.fact(fact).update(after.clone()), after))
        };
        self.commands.run(ctx, Operation::TicketTypeUpdate, &(id, &command, &ctx.if_version), decide).await
    }

    /// Deletes a ticket type without sales and holds, with its seats.
    pub async fn delete(&self, ctx: &Ctx, id: TicketTypeId) -> Result<()> {
        let decide = || async {
            let ticket_type = self.found(ctx, id).await?;
            ctx.check_version(ticket_type.version)?;
            let event = ticket_type.event;
            let pool = self.store.pool(ctx.tenant, event, PoolId::from(id)).await?;
            let pool = pool.ok_or_else(Error::stale)?;
            pool.check_unused("TICKET_TYPE_HAS_SALES")?;
            let changes = diff(Some(&ticket_type), None);
            let object = object(&ticket_type, ticket_type.version + 1);
            let fact = NewFact::new(ctx, "ticket_type.deleted", object, changes);
            let changeset = Changeset::new(ctx).fact(fact.in_event(event));
            Ok(Decision::change(changeset.delete(pool).delete(ticket_type), ()))
        };
        self.commands.run(ctx, Operation::TicketTypeDelete, &(id, &ctx.if_version), decide).await
    }

    /// Adds dependencies on the shared pools that a ticket type refers to.
    async fn check_pools(
        &self,
        ctx: &Ctx,
        event: EventId,
        attributes: &WriteTicketType,
        mut changeset: Changeset,
    ) -> Result<Changeset> {
        for id in &attributes.pools {
            let pool = self.store.pool(ctx.tenant, event, *id).await?;
            let shared = pool.filter(|pool| pool.sort == PoolSort::Shared);
            let message = format!("names {id}, which is not a shared pool of the event");
            changeset = changeset.expect(&shared.ok_or_else(|| Error::invalid("pools", message))?);
        }
        Ok(changeset)
    }

    async fn visible(&self, ctx: &Ctx, id: EventId) -> Result<Event> {
        let event = self.event(ctx, id).await?;
        if event.is_public() || ctx.is_authenticated() { Ok(event) } else { Err(Error::not_found("event")) }
    }

    async fn event(&self, ctx: &Ctx, id: EventId) -> Result<Event> {
        self.store.event(ctx.tenant, id).await?.ok_or_else(|| Error::not_found("event"))
    }

    async fn found(&self, ctx: &Ctx, id: TicketTypeId) -> Result<TicketType> {
        self.store.ticket_type(ctx.tenant, id).await?.ok_or_else(|| Error::not_found("ticket-type"))
    }
}

fn object(ticket_type: &TicketType, version: u64) -> ObjectRef {
    ObjectRef { kind: ObjectKind::TicketType, id: ticket_type.id.to_string(), version }
}

fn fact(ctx: &Ctx, fact_type: &'static str, before: Option<&TicketType>, after: &TicketType) -> NewFact {
    let object = object(after, after.version);
    NewFact::new(ctx, fact_type, object, diff(before, Some(after))).in_event(after.event)
}
