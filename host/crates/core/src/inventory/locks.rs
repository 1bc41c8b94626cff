//! Commands on locks.

use std::time::{Duration, Instant};

use crate::access::{ObjectKind, Operation};
use crate::changeset::Changeset;
use crate::command::Decision;
use crate::ctx::{Ctx, Principal, Transport};
use crate::error::{Error, ErrorKind, Result};
use crate::fair::WorkLimiter;
use crate::id::{EventId, LockId, PoolId, TenantId};
use crate::inventory::job::exhausted;
use crate::inventory::pool::MAX_CAPACITY;
use crate::inventory::{Lock, Pool, Supplies};
use crate::outbox::{NewFact, ObjectRef};
use crate::text::Faults;
use crate::time::Timestamp;
use crate::value::diff;

/// How many locks of a tenant are ended in one round, and how long each may take.
const MAX_ENDED: u32 = 100;
const END_TIMEOUT: Duration = Duration::from_secs(10);

/// A request for a lock.
#[derive(Clone, Hash, Debug)]
pub struct CreateLock {
    /// The pool.
    pub pool: PoolId,
    /// The number of units.
    pub quantity: u64,
    /// The reason.
    pub reason: String,
    /// When the lock ends by itself; `None` if it must be removed.
    pub until: Option<Timestamp>,
}

impl Supplies {
    /// Locks units.
    pub async fn lock(&self, ctx: &Ctx, event: EventId, command: CreateLock) -> Result<Lock> {
        let decide = || async {
            self.check_event(ctx, event).await?;
            let mut faults = Faults::default();
            faults.text("reason", &command.reason, 0, 500);
            if command.quantity == 0 || command.quantity > MAX_CAPACITY {
                let quantity = command.quantity;
                faults.add("quantity", format_args!("is {quantity}; 1 to {MAX_CAPACITY} are allowed"));
            }
            if command.until.is_some_and(|until| until <= ctx.now) {
                faults.add("until", "has passed already");
            }
            faults.into_result()?;
            let pool = self.pool(ctx, event, command.pool).await?;
            check_lock(&pool, "quantity", command.quantity)?;
            let lock = Lock {
                id: LockId::generate(),
                event,
                pool: command.pool,
                quantity: command.quantity,
                reason: command.reason.clone(),
                until: command.until,
                created_at: ctx.now,
                version: 1,
            };
            let fact = NewFact::new(ctx, "inventory.locked", lock_ref(&lock, 1), diff(None, Some(&lock)));
            let changeset = Changeset::new(ctx).fact(fact.in_event(event));
            Ok(Decision::change(changeset.insert(lock.clone()), lock))
        };
        self.commands.run(ctx, Operation::InventoryLock, &(event, &command), decide).await
    }

    /// Removes a lock.
    pub async fn unlock(&self, ctx: &Ctx, id: LockId) -> Result<()> {
        let decide = || async {
            let lock = self.store.lock(ctx.tenant, id).await?.ok_or_else(|| Error::not_found("lock"))?;
            let fact = NewFact::new(ctx, "inventory.unlocked", lock_ref(&lock, 2), diff(Some(&lock), None));
            Ok(Decision::change(Changeset::new(ctx).fact(fact.in_event(lock.event)).delete(lock), ()))
        };
        self.commands.run(ctx, Operation::InventoryUnlock, &id, decide).await
    }

    /// Lists an event's locks.
    pub async fn locks(&self, ctx: &Ctx, event: EventId) -> Result<Vec<Lock>> {
        ctx.allow(Operation::InventoryLocks)?;
        self.check_event(ctx, event).await?;
        self.store.locks(ctx.tenant, event).await
    }

    /// Removes a tenant's locks whose end has passed. Returns whether there may be more.
    pub async fn end_locks(&self, tenant: TenantId, limiter: &WorkLimiter) -> Result<bool> {
        let due = self.store.due_locks(tenant, MAX_ENDED).await?;
        let end = |lock: Lock| async move {
            match self.unlock(&self.system_ctx(tenant), lock.id).await {
                Ok(()) => true,
                // It was removed meanwhile.
                Err(error) if error.kind() == ErrorKind::NotFound => true,
                Err(error) => {
                    tracing::warn!(?error, lock = %lock.id, "lock not ended; retrying");
                    false
                }
            }
        };
        Ok(limiter.for_each(tenant, due, end).await > 0)
    }

    /// Creates a context of the host itself.
    fn system_ctx(&self, tenant: TenantId) -> Ctx {
        let deadline = Instant::now() + END_TIMEOUT;
        Ctx::new(tenant, Principal::System, "locks".into(), (self.store.now(), deadline), Transport::Internal)
    }
}

/// Refuses to lock more units than are free, or than can be counted even in a pool without a capacity. The number comes
/// from the client's `field`.
pub(crate) fn check_lock(pool: &Pool, field: &str, more: u64) -> Result<()> {
    if let Some(free) = pool.free()
        && free < more
    {
        let message = format!("{more} units of {:?} are to be locked, and {free} are left", pool.name);
        return Err(exhausted(message));
    }
    let left = MAX_CAPACITY.saturating_sub(pool.counts.locked);
    if more <= left {
        return Ok(());
    }
    let message = format!(
        "is {more}; {} units of {:?} are locked already, and {left} more can be",
        pool.counts.locked, pool.name
    );
    Err(Error::invalid(field, message))
}

fn lock_ref(lock: &Lock, version: u64) -> ObjectRef {
    ObjectRef { kind: ObjectKind::Lock, id: lock.id.to_string(), version }
}
