//! Pools, units out of sale, and seats.

use std::collections::BTreeMap;

use tessera_core::Result;
use tessera_core::id::PoolId;
use tessera_core::inventory::locks::CreateLock;
use tessera_core::inventory::pools::CreatePool;
use tessera_core::inventory::seats::CreateSeat;
use tessera_core::inventory::{Lock, Pool, Seat};
use tessera_core::text::Faults;
use tessera_proto::ticket::v1 as pb;

use crate::catalog::{count as number, small};
use crate::grpc::convert::{count, given, large, read_time, time};
use crate::inventory::{WrittenCapacity, capacities as written_capacities};
use crate::request::etag;

/// A pool.
#[must_use]
pub fn pool(pool: &Pool) -> pb::Pool {
    pb::Pool {
        id: pool.id.to_string(),
        event_id: pool.event.to_string(),
        sort: pool.sort.name().to_owned(),
        name: pool.name.clone(),
        capacity: pool.capacity.map(large),
        held: large(pool.counts.held),
        sold: large(pool.counts.sold),
        locked: large(pool.counts.locked),
        available: pool.free().map(large),
        etag: etag(pool.version),
    }
}

/// Which pools get which capacities.
pub fn capacities(asked: &[pb::PoolCapacity]) -> Result<BTreeMap<PoolId, Option<u64>>> {
    let written = asked.iter().map(|asked| {
        let pb::PoolCapacity { pool_id, capacity, unbounded } = asked;
        WrittenCapacity { pool_id, capacity: *capacity, unbounded: *unbounded }
    });
    written_capacities(written, "`unbounded: true`")
}

/// What makes a shared pool.
pub fn create_pool(ask: pb::CreatePoolRequest) -> Result<CreatePool> {
    let mut faults = Faults::default();
    let capacity = number("capacity", Some(ask.capacity), &mut faults).unwrap_or_default();
    faults.into_result().map(|()| CreatePool { name: ask.name, capacity })
}

/// What is to be taken out of sale.
pub fn create_lock(ask: pb::LockInventoryRequest) -> Result<CreateLock> {
    let mut faults = Faults::default();
    let quantity = number("quantity", Some(ask.quantity), &mut faults).unwrap_or_default();
    faults.into_result()?;
    Ok(CreateLock {
        pool: PoolId::parse("pool_id", &ask.pool_id)?,
        quantity,
        reason: ask.reason,
        until: ask.until.as_ref().map(|at| read_time("until", at)).transpose()?,
    })
}

/// Units that are out of sale.
#[must_use]
pub fn lock(lock: Lock) -> pb::Lock {
    pb::Lock {
        id: lock.id.to_string(),
        event_id: lock.event.to_string(),
        pool_id: lock.pool.to_string(),
        quantity: large(lock.quantity),
        reason: lock.reason,
        until: lock.until.and_then(time),
        created_at: time(lock.created_at),
    }
}

/// Seats that are to be made.
pub fn create_seats(seats: Vec<pb::Seat>) -> Result<Vec<CreateSeat>> {
    let mut faults = Faults::default();
    let read = seats.into_iter().enumerate().map(|(index, seat)| CreateSeat {
        row: seat.row,
        number: small(&format!("seats[{index}].number"), Some(seat.number), &mut faults).unwrap_or_default(),
        label: given(seat.label),
    });
    let read = read.collect();
    faults.into_result().map(|()| read)
}

/// A seat.
#[must_use]
pub fn seat(seat: Seat) -> pb::Seat {
    let free = seat.unit.is_none();
    pb::Seat { row: seat.row, number: count(seat.number.into()), label: seat.label, free }
}
