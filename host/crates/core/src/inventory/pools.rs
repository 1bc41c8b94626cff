//! Commands on pools.

use std::collections::BTreeMap;

use crate::access::{ObjectKind, Operation};
use crate::changeset::Changeset;
use crate::command::Decision;
use crate::ctx::Ctx;
use crate::error::{Error, ErrorKind, Result};
use crate::id::{EventId, PoolId, TicketTypeId};
use crate::inventory::pool::MAX_POOLS;
use crate::inventory::resize::resize_pool;
use crate::inventory::{Pool, PoolSort, Supplies};
use crate::outbox::{NewFact, ObjectRef};
use crate::text::Faults;
use crate::value::{Value, diff};

/// A request for a shared pool.
#[derive(Clone, Hash, Debug)]
pub struct CreatePool {
    /// Its name.
    pub name: String,
    /// The number of its units.
    pub capacity: u64,
}

impl Supplies {
    /// Returns all pools of an event with their counts.
    pub async fn levels(&self, ctx: &Ctx, event: EventId) -> Result<Vec<Pool>> {
        ctx.allow(Operation::InventoryGet)?;
        self.check_event(ctx, event).await?;
        self.store.pools(ctx.tenant, &[event]).await
    }

    /// Creates a pool that several ticket types may use.
    pub async fn create_pool(&self, ctx: &Ctx, event: EventId, command: CreatePool) -> Result<Pool> {
        let decide = || async {
            let parent = self.store.event(ctx.tenant, event).await?;
            let parent = parent.ok_or_else(|| Error::not_found("event"))?;
            let shared = self.store.pools(ctx.tenant, &[event]).await?;
            if shared.iter().filter(|pool| pool.sort == PoolSort::Shared).count() >= MAX_POOLS {
                let message = format!("the event has {MAX_POOLS} shared pools, and may have no more");
                return Err(Error::new(ErrorKind::TooLarge, "TOO_LARGE", message));
            }
            let id = (PoolSort::Shared, PoolId::generate());
            let pool = Pool::new(event, id, &command.name, ctx.now).with_capacity(Some(command.capacity));
            let mut faults = Faults::default();
            pool.check(&mut faults);
            faults.into_result()?;
            let fact = pool_fact(ctx, "pool.created", None, &pool);
            Ok(Decision::change(Changeset::new(ctx).expect(&parent).fact(fact).insert(pool.clone()), pool))
        };
        self.commands.run(ctx, Operation::PoolCreate, &(event, &command), decide).await
    }

    /// Changes the capacities of pools, all or none. The pools of the event and of ticket types can be changed, too.
    pub async fn update(
        &self,
        ctx: &Ctx,
        event: EventId,
        capacities: BTreeMap<PoolId, Option<u64>>,
    ) -> Result<Vec<Pool>> {
        if capacities.is_empty() {
            return Err(Error::invalid("pools", "is empty; name at least one"));
        }
        let decide = || async {
            self.check_event(ctx, event).await?;
            let mut changeset = Changeset::new(ctx);
            for (id, capacity) in &capacities {
                let pool = self.pool(ctx, event, *id).await?;
                if pool.sort == PoolSort::Type {
                    self.check_unseated(ctx, *id).await?;
                }
                if pool.sort == PoolSort::Shared && capacity.is_none() {
                    return Err(Error::invalid("capacity", "must be given for a shared pool"));
                }
                let mut faults = Faults::default();
                pool.clone().with_capacity(*capacity).check(&mut faults);
                faults.into_result()?;
                if pool.capacity != *capacity {
                    changeset = resize_pool(ctx, changeset, pool, ("capacity", *capacity))?;
                }
            }
            if changeset.is_empty() {
                return Ok(Decision::nothing(()));
            }
            Ok(Decision::change(changeset, ()))
        };
        self.commands.run(ctx, Operation::InventoryUpdate, &(event, &capacities), decide).await?;
        self.store.pools(ctx.tenant, &[event]).await
    }

    /// Deletes a shared pool that no ticket type uses and that has no used units.
    pub async fn delete_pool(&self, ctx: &Ctx, event: EventId, id: PoolId) -> Result<()> {
        let decide = || async {
            let pool = self.pool(ctx, event, id).await?;
            ctx.check_version(pool.version)?;
            if pool.sort != PoolSort::Shared {
                return Err(Error::invalid(
                    "pool_id",
                    "is the pool of an event or a ticket type, which is deleted with it",
                ));
            }
            pool.check_unused("POOL_IN_USE")?;
            let types = self.store.ticket_types(ctx.tenant, event).await?;
            if let Some(ticket_type) = types.iter().find(|other| other.attributes.pools.contains(&id)) {
                let message = format!("the ticket type {:?} uses the pool", ticket_type.attributes.name);
                return Err(Error::new(ErrorKind::Precondition, "POOL_IN_USE", message));
            }
            let object = ObjectRef { kind: ObjectKind::Pool, id: id.to_string(), version: pool.version + 1 };
            let fact = NewFact::new(ctx, "pool.deleted", object, diff(Some(&pool), None)).in_event(event);
            // A ticket type that starts to use the pool meanwhile depends on its version, and fails.
            Ok(Decision::change(Changeset::new(ctx).fact(fact).delete(pool), ()))
        };
        self.commands.run(ctx, Operation::PoolDelete, &(event, id, &ctx.if_version), decide).await
    }

    async fn check_unseated(&self, ctx: &Ctx, id: PoolId) -> Result<()> {
        match self.store.ticket_type(ctx.tenant, TicketTypeId(id.0)).await? {
            Some(ticket_type) if ticket_type.seated => Err(Error::invalid(
                "capacity",
                "is the number of the type's seats; add or remove seats instead",
            )),
            _ => Ok(()),
        }
    }
}

fn pool_fact(ctx: &Ctx, fact_type: &'static str, before: Option<&Pool>, after: &Pool) -> NewFact {
    let object = ObjectRef { kind: ObjectKind::Pool, id: after.id.to_string(), version: after.version };
    let mut changes = diff(before, Some(after));
    changes.retain(|change| change.after != Value::None || before.is_some());
    NewFact::new(ctx, fact_type, object, changes).in_event(after.event)
}
