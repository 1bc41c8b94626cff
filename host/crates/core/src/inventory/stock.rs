//! How much of a ticket type is left, by the pools that it draws on.

use crate::id::{PoolId, TicketTypeId};
use crate::inventory::Pool;

/// What can be had of a ticket type.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stock {
    /// The least capacity of its pools; none: no pool sets a bound.
    pub quantity: Option<u64>,
    /// The least that is free in them.
    pub available: Option<u64>,
}

impl Stock {
    /// What can be had of a type that names these shared pools.
    #[must_use]
    pub fn of(ticket_type: TicketTypeId, shared: &[PoolId], pools: &[Pool]) -> Self {
        let own = PoolId::from(ticket_type);
        let drawn = pools.iter().filter(|pool| {
            pool.id == own || shared.contains(&pool.id) || pool.sort == crate::inventory::PoolSort::Event
        });
        drawn.fold(Self { quantity: None, available: None }, |least, pool| Self {
            quantity: lesser(least.quantity, pool.capacity),
            available: lesser(least.available, pool.free()),
        })
    }
}

fn lesser(one: Option<u64>, other: Option<u64>) -> Option<u64> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::EventId;
    use crate::inventory::{Counts, PoolSort};
    use crate::time::Timestamp;

    #[test]
    fn the_tightest_pool_decides() {
        let (event, one, other) = (EventId::generate(), TicketTypeId::generate(), TicketTypeId::generate());
        let shared = PoolId::generate();
        let pool = |id, sort, capacity, held| Pool {
            counts: Counts { held, ..Counts::default() },
            ..Pool::new(event, (sort, id), "p", Timestamp::default()).holding(capacity)
        };
        let pools = [
            pool(event.into(), PoolSort::Event, Some(100), 95),
            pool(one.into(), PoolSort::Type, None, 40),
            pool(other.into(), PoolSort::Type, Some(50), 0),
            pool(shared, PoolSort::Shared, Some(10), 8),
        ];
        assert_eq!(Stock::of(one, &[], &pools), Stock { quantity: Some(100), available: Some(5) });
        assert_eq!(Stock::of(other, &[shared], &pools), Stock { quantity: Some(10), available: Some(2) });
    }
}
