//! Changes of a pool's capacity.

use crate::access::ObjectKind;
use crate::changeset::Changeset;
use crate::ctx::Ctx;
use crate::error::Result;
use crate::inventory::Pool;
use crate::outbox::{NewFact, ObjectRef};
use crate::value::diff;

/// Adds a change of a pool's capacity. Refuses a capacity below the number of used units.
pub(crate) fn resize_pool(
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
