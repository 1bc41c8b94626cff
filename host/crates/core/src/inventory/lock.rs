//! Locks: units that an admin took out of sale.

use crate::id::{EventId, LockId, PoolId};
use crate::time::Timestamp;
use crate::value::{Field, Snapshot, Value};

/// Units that are out of sale.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Lock {
    /// Its id.
    pub id: LockId,
    /// Its event.
    pub event: EventId,
    /// The pool.
    pub pool: PoolId,
    /// How many units.
    pub quantity: u64,
    /// Why.
    pub reason: String,
    /// When they come back by themselves; none: when somebody gives them back.
    pub until: Option<Timestamp>,
    /// When they were taken.
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
