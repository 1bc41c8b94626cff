//! Pools: counted supply that ticket types draw on.
//!
//! Every event has a pool of its own, with the event's id, and so has every ticket type; further ones are
//! shared by several types. A unit of a type is taken from all of them at once.

use crate::error::{Error, ErrorKind, Result};
use crate::id::{EventId, PoolId, TicketTypeId};
use crate::text::Faults;
use crate::time::Timestamp;
use crate::value::{Field, Snapshot, Value};

/// The most units of a pool.
pub const MAX_CAPACITY: u64 = 10_000_000;

/// The most shared pools of one event, and the most ticket types: all are locked together.
pub const MAX_POOLS: usize = 100;

/// Whose supply it is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum PoolSort {
    /// All of the event's.
    Event,
    /// One ticket type's.
    Type,
    /// That of the types which name it.
    Shared,
}

impl PoolSort {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Event, Self::Type, Self::Shared];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Event => "event",
            Self::Type => "type",
            Self::Shared => "shared",
        }
    }
}

/// Where a pool's units are.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Counts {
    /// In reservations that are held.
    pub held: u64,
    /// In tickets.
    pub sold: u64,
    /// Taken out of sale.
    pub locked: u64,
}

impl Counts {
    /// All that are not free.
    #[must_use]
    pub const fn used(self) -> u64 {
        self.held.saturating_add(self.sold).saturating_add(self.locked)
    }
}

/// A pool.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Pool {
    /// Its id: the event's, the type's, or its own.
    pub id: PoolId,
    /// Its event.
    pub event: EventId,
    /// Whose supply it is.
    pub sort: PoolSort,
    /// Its name.
    pub name: String,
    /// How many units it has; none: it sets no bound.
    pub capacity: Option<u64>,
    /// Where they are: counted when it was read, no part of what is written.
    pub counts: Counts,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed, its counts aside.
    pub updated_at: Timestamp,
    /// Counts its changes, those of its counts aside.
    pub version: u64,
}

impl Pool {
    /// A new pool.
    #[must_use]
    pub fn new(event: EventId, (sort, id): (PoolSort, PoolId), name: &str, now: Timestamp) -> Self {
        Self {
            id,
            event,
            sort,
            name: name.to_owned(),
            capacity: None,
            counts: Counts::default(),
            created_at: now,
            updated_at: now,
            version: 1,
        }
    }

    /// The same with so many units.
    #[must_use]
    pub fn holding(mut self, capacity: Option<u64>) -> Self {
        self.capacity = capacity;
        self
    }

    /// Units that can still be reserved; none: it sets no bound.
    #[must_use]
    pub fn free(&self) -> Option<u64> {
        self.capacity.map(|capacity| capacity.saturating_sub(self.counts.used()))
    }

    /// Checks what clients may write.
    pub fn check(&self, faults: &mut Faults) {
        faults.text("name", &self.name, 1, 100);
        if self.capacity.is_some_and(|capacity| capacity > MAX_CAPACITY) {
            faults.add("capacity", format_args!("is more than {MAX_CAPACITY}"));
        }
    }

    /// Refuses a capacity below what is held, sold and locked.
    pub fn check_capacity(&self, field: &str) -> Result<()> {
        let Counts { held, sold, locked } = self.counts;
        match self.capacity {
            Some(capacity) if capacity < self.counts.used() => {
                let message = format!(
                    "{field} cannot be {capacity}: of the pool {:?}, {held} units are held, {sold} sold and {locked} locked",
                    self.name
                );
                Err(Error::new(ErrorKind::Precondition, "INVENTORY_IN_USE", message))
            }
            _ => Ok(()),
        }
    }

    /// Refuses to do away with supply from which something was taken.
    pub fn check_unused(&self, reason: &'static str) -> Result<()> {
        let Counts { held, sold, locked } = self.counts;
        if self.counts.used() == 0 {
            return Ok(());
        }
        let message = format!("{held} units of {:?} are held, {sold} sold and {locked} locked", self.name);
        Err(Error::new(ErrorKind::Precondition, reason, message))
    }
}

impl Snapshot for Pool {
    fn snapshot(&self) -> Vec<Field> {
        vec![
            Field::new("name", self.name.as_str()),
            Field::new("sort", self.sort.name()),
            Field::new("event_id", Value::from(Some(self.event))),
            Field::new("capacity", Value::count(self.capacity)),
        ]
    }
}

impl From<EventId> for PoolId {
    fn from(event: EventId) -> Self {
        Self(event.0)
    }
}

impl From<TicketTypeId> for PoolId {
    fn from(of: TicketTypeId) -> Self {
        Self(of.0)
    }
}
