//! Pools, locks and seats.

use std::collections::BTreeMap;

use tessera_core::Result;
use tessera_core::id::PoolId;
use tessera_core::inventory::locks::CreateLock;
use tessera_core::inventory::pools::CreatePool;
use tessera_core::inventory::seats::CreateSeat;
use tessera_core::inventory::{Lock, Pool, Seat};
use tessera_core::text::Faults;
use tessera_proto::ticket::v1 as pb;

use crate::convert::catalog::{read_u32, read_u64};
use crate::convert::{non_empty, read_time, time, to_i32, to_i64};
use crate::state::etag;

/// Encodes a pool.
#[must_use]
pub(crate) fn pool(pool: &Pool) -> pb::Pool {
    pb::Pool {
        id: pool.id.to_string(),
        event_id: pool.event.to_string(),
        sort: pool.sort.name().to_owned(),
        name: pool.name.clone(),
        capacity: pool.capacity.map(to_i64),
        held: to_i64(pool.counts.held),
        sold: to_i64(pool.counts.sold),
        locked: to_i64(pool.counts.locked),
        available: pool.free().map(to_i64),
        etag: etag(pool.version),
    }
}

/// Reads the new capacities of pools; a pool becomes unbounded only by `unbounded: true`.
pub(crate) fn capacities(pools: &[pb::PoolCapacity]) -> Result<BTreeMap<PoolId, Option<u64>>> {
    let (mut faults, mut capacities) = (Faults::default(), BTreeMap::new());
    for (index, pool) in pools.iter().enumerate() {
        let (pool_field, field) = (format!("pools[{index}].pool_id"), format!("pools[{index}].capacity"));
        let Some(id) = faults.take(PoolId::parse(&pool_field, &pool.pool_id)) else { continue };
        match (pool.capacity, pool.unbounded) {
            (None, false) => faults.add(&field, "must be given; `unbounded: true` sets no bound"),
            (Some(_), true) => faults.add(&field, "is given beside `unbounded: true`; use one or the other"),
            (Some(_), false) | (None, true) => {}
        }
        if capacities.insert(id, read_u64(&field, pool.capacity, &mut faults)).is_some() {
            faults.add(&pool_field, "is named twice");
        }
    }
    faults.into_result().map(|()| capacities)
}

/// Reads a request to create a shared pool.
pub(crate) fn create_pool(request: pb::CreatePoolRequest) -> Result<CreatePool> {
    let mut faults = Faults::default();
    let capacity = read_u64("capacity", Some(request.capacity), &mut faults).unwrap_or_default();
    faults.into_result().map(|()| CreatePool { name: request.name, capacity })
}

/// Reads a request to lock units.
pub(crate) fn create_lock(request: pb::LockInventoryRequest) -> Result<CreateLock> {
    let mut faults = Faults::default();
    let quantity = read_u64("quantity", Some(request.quantity), &mut faults).unwrap_or_default();
    faults.into_result()?;
    Ok(CreateLock {
        pool: PoolId::parse("pool_id", &request.pool_id)?,
        quantity,
        reason: request.reason,
        until: request.until.as_ref().map(|at| read_time("until", at)).transpose()?,
    })
}

/// Encodes a lock.
#[must_use]
pub(crate) fn lock(lock: Lock) -> pb::Lock {
    pb::Lock {
        id: lock.id.to_string(),
        event_id: lock.event.to_string(),
        pool_id: lock.pool.to_string(),
        quantity: to_i64(lock.quantity),
        reason: lock.reason,
        until: lock.until.and_then(time),
        created_at: time(lock.created_at),
    }
}

/// Reads the seats to create.
pub(crate) fn create_seats(seats: Vec<pb::NewSeat>) -> Result<Vec<CreateSeat>> {
    let mut faults = Faults::default();
    let seats = seats.into_iter().enumerate().map(|(index, seat)| CreateSeat {
        row: seat.row,
        number: read_u32(&format!("seats[{index}].number"), Some(seat.number), &mut faults)
            .unwrap_or_default(),
        label: non_empty(seat.label),
    });
    let seats = seats.collect();
    faults.into_result().map(|()| seats)
}

/// Encodes a seat.
#[must_use]
pub(crate) fn seat(seat: Seat) -> pb::Seat {
    let free = seat.unit.is_none();
    pb::Seat { row: seat.row, number: to_i32(seat.number.into()), label: seat.label, free }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(pools: &[(&str, Option<i64>, bool)]) -> Vec<String> {
        let pool = |&(pool_id, capacity, unbounded): &(&str, Option<i64>, bool)| pb::PoolCapacity {
            pool_id: pool_id.to_owned(),
            capacity,
            unbounded,
        };
        let pools: Vec<_> = pools.iter().map(pool).collect();
        let sentences = |error: tessera_core::Error| {
            error.faults().iter().map(tessera_core::Violation::sentence).collect()
        };
        capacities(&pools).err().map(sentences).unwrap_or_default()
    }

    #[test]
    fn capacities_report_every_fault() {
        let (one, other) = (PoolId::generate().to_string(), PoolId::generate().to_string());
        assert_eq!(faults(&[(&one, Some(5), false), (&other, None, true)]), Vec::<String>::new());
        let faults = faults(&[
            (&one, None, false),
            (&other, Some(5), true),
            ("seven", Some(1), false),
            (&one, Some(-1), false),
        ]);
        assert_eq!(
            faults[..2],
            [
                "pools[0].capacity must be given; `unbounded: true` sets no bound",
                "pools[1].capacity is given beside `unbounded: true`; use one or the other",
            ]
        );
        assert!(faults[2].starts_with("pools[2].pool_id is "), "{faults:?}");
        assert_eq!(faults[3..], ["pools[3].capacity is negative", "pools[3].pool_id is named twice"]);
    }
}
