//! Locks: units that an administrator took out of sale.

use crate::id::{EventId, LockId, PoolId};
use crate::time::Timestamp;
use crate::value::{Field, Snapshot, Value};

/// Units taken out of sale.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Lock {
    /// Its id.
    pub id: LockId,
    /// Its event.
    pub event: EventId,
    /// The pool.
    pub pool: PoolId,
    /// The number of units.
    pub quantity: u64,
    /// The reason.
    pub reason: String,
    /// When the lock ends by itself; `None` if it must be removed.
    pub until: Option<Timestamp>,
    /// When it was created.
    pub created_at: Timestamp,
    /// Always 1: a lock never changes.
    pub version: u64,
}

impl Snapshot for Lock {
    fn snapshot(&self) -> Vec<Field> {
        vec![
            Field::new("event_id", Value::from(Some(self.event))),
            Field::new("pool_id", Value::from(Some(self.pool))),
            Field::new("quantity", Value::count(Some(self.quantity))),
            Field::new("reason", self.reason.as_str()),
            Field::new("until", self.until.map_or(Value::None, Value::Time)),
        ]
    }
}
