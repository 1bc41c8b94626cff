//! Pools: counted units that ticket types are sold from.
//!
//! Every event and every ticket type has a pool with the same id; further pools are shared by several ticket types. A
//! unit is taken from all pools of its ticket type at once.

use crate::error::{Error, ErrorKind, Result};
use crate::id::{EventId, PoolId, TicketTypeId};
use crate::text::Faults;
use crate::time::Timestamp;
use crate::value::{Field, Snapshot, Value};

/// The most units of a pool.
pub const MAX_CAPACITY: u64 = 10_000_000;

/// The most shared pools of one event, and the most ticket types. A batch locks all of them.
pub const MAX_POOLS: usize = 100;

/// The sort of a pool.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum PoolSort {
    /// The pool of an event.
    Event,
    /// The pool of a ticket type.
    Type,
    /// A pool that several ticket types use.
    Shared,
}

impl PoolSort {
    /// All sorts.
    pub const ALL: [Self; 3] = [Self::Event, Self::Type, Self::Shared];

    /// Returns its stable name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Event => "event",
            Self::Type => "type",
            Self::Shared => "shared",
        }
    }
}

/// The used units of a pool.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Counts {
    /// Units of held reservations.
    pub held: u64,
    /// Units of confirmed reservations.
    pub sold: u64,
    /// Units of locks.
    pub locked: u64,
}

impl Counts {
    /// Returns the number of used units.
    #[must_use]
    pub const fn used(self) -> u64 {
        self.held.saturating_add(self.sold).saturating_add(self.locked)
    }
}

/// A pool.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Pool {
    /// Its id: that of the event, of the ticket type, or its own.
    pub id: PoolId,
    /// Its event.
    pub event: EventId,
    /// Its sort.
    pub sort: PoolSort,
    /// Its name.
    pub name: String,
    /// The number of its units; `None` for no bound.
    pub capacity: Option<u64>,
    /// Its used units when it was read. Updates of the pool do not write them.
    pub counts: Counts,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was last changed, except for its counts.
    pub updated_at: Timestamp,
    /// Its version, incremented by each change except those of its counts.
    pub version: u64,
}

impl Pool {
    /// Creates a pool.
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

    /// Sets the capacity.
    #[must_use]
    pub fn with_capacity(mut self, capacity: Option<u64>) -> Self {
        self.capacity = capacity;
        self
    }

    /// Returns the number of free units; `None` for no bound.
    #[must_use]
    pub fn free(&self) -> Option<u64> {
        self.capacity.map(|capacity| capacity.saturating_sub(self.counts.used()))
    }

    /// Checks what a client wrote.
    pub fn check(&self, faults: &mut Faults) {
        faults.text("name", &self.name, 1, 100);
        if self.capacity.is_some_and(|capacity| capacity > MAX_CAPACITY) {
            faults.add("capacity", format_args!("is more than {MAX_CAPACITY}"));
        }
    }

    /// Refuses a capacity below the number of used units.
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

    /// Refuses to delete a pool with used units.
    pub fn check_unused(&self, reason: &'static str) -> Result<()> {
        let Counts { held, sold, locked } = self.counts;
        if self.counts.used() == 0 {
            return Ok(());
        }
        let message = format!(
            "{held} units of {:?} are held, {sold} sold and {locked} locked, by locks or for codes",
            self.name
        );
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
    fn from(ticket_type: TicketTypeId) -> Self {
        Self(ticket_type.0)
    }
}
