//! Pools, units out of sale, and seats, as JSON.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tessera_core::id::PoolId;
use tessera_core::inventory::locks::CreateLock;
use tessera_core::inventory::pools::CreatePool;
use tessera_core::inventory::seats::CreateSeat;
use tessera_core::inventory::{Lock, Pool, Seat};
use tessera_core::text::Faults;
use tessera_core::{Result, Timestamp};
use utoipa::ToSchema;

use crate::catalog::{count, small};
use crate::inventory::{WrittenCapacity, capacities};
use crate::request::etag;
use crate::rest::dto::patch::Patch;
use crate::rest::dto::{given, text};

/// Supply from which ticket types draw, and where it is.
#[derive(Debug, Serialize, ToSchema)]
pub struct PoolBody {
    /// Its id: the event's, the ticket type's, or its own.
    pub id: String,
    /// The event.
    pub event_id: String,
    /// `event`: all that the event admits; `type`: one ticket type's; `shared`: that of the types which name it.
    pub sort: &'static str,
    /// Its name.
    pub name: String,
    /// How many units it has; null: it sets no bound.
    pub capacity: Option<u64>,
    /// Units in reservations that are held.
    pub held: u64,
    /// Units that were sold.
    pub sold: u64,
    /// Units that are out of sale.
    pub locked: u64,
    /// Units that can be reserved; null: it sets no bound.
    pub available: Option<u64>,
    /// Names this version, its counts aside.
    pub etag: String,
}

/// All pools of an event.
#[derive(Debug, Serialize, ToSchema)]
pub struct PoolsAnswer {
    /// The pools, by id.
    pub pools: Vec<PoolBody>,
}

/// One pool.
#[derive(Debug, Serialize, ToSchema)]
pub struct PoolAnswer {
    /// The pool.
    pub pool: PoolBody,
}

/// What makes a pool that several ticket types may draw on.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreatePoolBody {
    /// Its name, 1 to 100 characters.
    #[serde(default)]
    #[schema(required = true)]
    pub name: String,
    /// How many units it has.
    #[serde(default)]
    #[schema(required = true)]
    pub capacity: i64,
}

/// Another capacity of a pool.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PoolCapacityBody {
    /// The pool.
    #[serde(default)]
    #[schema(required = true)]
    pub pool_id: String,
    /// How many units it has; null: it sets no bound.
    #[serde(default)]
    #[schema(value_type = Option<i64>, required = true)]
    pub capacity: Patch<i64>,
}

/// Which pools get which capacities.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateInventoryBody {
    /// The pools, at least one.
    #[serde(default)]
    #[schema(required = true)]
    pub pools: Vec<PoolCapacityBody>,
}

/// What to take out of sale.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateLockBody {
    /// The pool: the event's id, a ticket type's, or a shared pool's.
    #[serde(default)]
    #[schema(required = true)]
    pub pool_id: String,
    /// How many units.
    #[serde(default)]
    #[schema(required = true)]
    pub quantity: i64,
    /// Why, at most 500 characters.
    #[serde(default)]
    pub reason: String,
    /// When they come back by themselves; absent: when somebody gives them back.
    #[serde(default)]
    pub until: Option<String>,
}

/// Units that are out of sale.
#[derive(Debug, Serialize, ToSchema)]
pub struct LockBody {
    /// Its id.
    pub id: String,
    /// The event.
    pub event_id: String,
    /// The pool.
    pub pool_id: String,
    /// How many units.
    pub quantity: u64,
    /// Why.
    pub reason: String,
    /// When they come back by themselves; null: when somebody gives them back.
    pub until: Option<String>,
    /// When they were taken.
    pub created_at: String,
}

/// One lock.
#[derive(Debug, Serialize, ToSchema)]
pub struct LockAnswer {
    /// The lock.
    pub lock: LockBody,
}

/// All that is out of sale of an event.
#[derive(Debug, Serialize, ToSchema)]
pub struct LocksAnswer {
    /// The locks, oldest first.
    pub locks: Vec<LockBody>,
}

/// A numbered seat.
#[derive(Debug, Serialize, ToSchema)]
pub struct SeatBody {
    /// The row in which it stands.
    pub row: String,
    /// Its number in the row.
    pub number: u32,
    /// What it says on it.
    pub label: String,
    /// Whether it is free.
    pub free: bool,
}

/// A seat that is to be made.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateSeatBody {
    /// The row in which it stands, 1 to 20 characters.
    #[serde(default)]
    #[schema(required = true)]
    pub row: String,
    /// Its number in the row, from 1.
    #[serde(default)]
    #[schema(required = true)]
    pub number: i32,
    /// What it says on it, once in a ticket type; absent: row and number.
    #[serde(default)]
    pub label: Option<String>,
}

/// Which seats a ticket type gets.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ImportSeatsBody {
    /// The seats, 1 to 5,000 at once.
    #[serde(default)]
    #[schema(required = true)]
    pub seats: Vec<CreateSeatBody>,
}

/// Which seats to remove.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DeleteSeatsBody {
    /// Their labels, 1 to 5,000 at once.
    #[serde(default)]
    #[schema(required = true)]
    pub seat_numbers: Vec<String>,
}

/// How many seats a ticket type has now.
#[derive(Debug, Serialize, ToSchema)]
pub struct SeatCount {
    /// How many.
    pub quantity: u64,
}

/// A page of seats.
#[derive(Debug, Serialize, ToSchema)]
pub struct SeatsPage {
    /// The seats, by row and number.
    pub seats: Vec<SeatBody>,
    /// The token of the next page; empty: this was the last.
    pub next_page_token: String,
}

impl From<&Pool> for PoolBody {
    fn from(pool: &Pool) -> Self {
        Self {
            id: pool.id.to_string(),
            event_id: pool.event.to_string(),
            sort: pool.sort.name(),
            name: pool.name.clone(),
            capacity: pool.capacity,
            held: pool.counts.held,
            sold: pool.counts.sold,
            locked: pool.counts.locked,
            available: pool.free(),
            etag: etag(pool.version),
        }
    }
}

impl From<Lock> for LockBody {
    fn from(lock: Lock) -> Self {
        Self {
            id: lock.id.to_string(),
            event_id: lock.event.to_string(),
            pool_id: lock.pool.to_string(),
            quantity: lock.quantity,
            reason: lock.reason,
            until: text(lock.until),
            created_at: lock.created_at.to_string(),
        }
    }
}

impl From<Seat> for SeatBody {
    fn from(seat: Seat) -> Self {
        let free = seat.unit.is_none();
        Self { row: seat.row, number: seat.number, label: seat.label, free }
    }
}

impl CreatePoolBody {
    /// The command.
    pub fn command(self) -> Result<CreatePool> {
        let mut faults = Faults::default();
        let capacity = count("capacity", Some(self.capacity), &mut faults).unwrap_or_default();
        faults.into_result().map(|()| CreatePool { name: self.name, capacity })
    }
}

impl UpdateInventoryBody {
    /// Which pools get which capacities.
    pub fn capacities(&self) -> Result<BTreeMap<PoolId, Option<u64>>> {
        let written = self.pools.iter().map(|asked| {
            let capacity = asked.capacity.clone().optional();
            let (capacity, unbounded) = (capacity.flatten(), capacity == Some(None));
            WrittenCapacity { pool_id: &asked.pool_id, capacity, unbounded }
        });
        capacities(written, "null")
    }
}

impl CreateLockBody {
    /// The command.
    pub fn command(self) -> Result<CreateLock> {
        let mut faults = Faults::default();
        let quantity = count("quantity", Some(self.quantity), &mut faults).unwrap_or_default();
        faults.into_result()?;
        Ok(CreateLock {
            pool: PoolId::parse("pool_id", &self.pool_id)?,
            quantity,
            reason: self.reason,
            until: given(self.until).map(|at| Timestamp::parse("until", &at)).transpose()?,
        })
    }
}

impl ImportSeatsBody {
    /// The seats.
    pub fn command(self) -> Result<Vec<CreateSeat>> {
        let mut faults = Faults::default();
        let seats = self.seats.into_iter().enumerate().map(|(index, seat)| CreateSeat {
            row: seat.row,
            number: small(&format!("seats[{index}].number"), Some(seat.number), &mut faults)
                .unwrap_or_default(),
            label: given(seat.label),
        });
        let seats = seats.collect();
        faults.into_result().map(|()| seats)
    }
}
