//! The remaining units of a ticket type, by its pools.

use crate::id::{PoolId, TicketTypeId};
use crate::inventory::{Pool, PoolSort};

/// The units of a ticket type.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Remaining {
    /// The smallest capacity of its pools; `None` for no bound.
    pub quantity: Option<u64>,
    /// The smallest number of free units in its pools; `None` for no bound.
    pub available: Option<u64>,
}

impl Remaining {
    /// Computes the remaining units of a ticket type that uses these shared pools, from the pools of its event.
    #[must_use]
    pub fn of<'p>(
        ticket_type: TicketTypeId,
        shared: &[PoolId],
        pools: impl IntoIterator<Item = &'p Pool>,
    ) -> Self {
        let own = PoolId::from(ticket_type);
        let used = pools
            .into_iter()
            .filter(|pool| pool.id == own || shared.contains(&pool.id) || pool.sort == PoolSort::Event);
        used.fold(Self { quantity: None, available: None }, |min, pool| Self {
            quantity: min_bound(min.quantity, pool.capacity),
            available: min_bound(min.available, pool.free()),
        })
    }
}

/// Returns the smaller of two bounds; `None` is no bound.
pub(super) fn min_bound(one: Option<u64>, other: Option<u64>) -> Option<u64> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::EventId;
    use crate::inventory::Counts;
    use crate::time::Timestamp;

    #[test]
    fn pool_with_the_fewest_units_decides() {
        let (event, one, other) = (EventId::generate(), TicketTypeId::generate(), TicketTypeId::generate());
        let shared = PoolId::generate();
        let pool = |id, sort, capacity, held| Pool {
            counts: Counts { held, ..Counts::default() },
            ..Pool::new(event, (sort, id), "p", Timestamp::default()).with_capacity(capacity)
        };
        let pools = [
            pool(event.into(), PoolSort::Event, Some(100), 95),
            pool(one.into(), PoolSort::Type, None, 40),
            pool(other.into(), PoolSort::Type, Some(50), 0),
            pool(shared, PoolSort::Shared, Some(10), 8),
        ];
        assert_eq!(Remaining::of(one, &[], &pools), Remaining { quantity: Some(100), available: Some(5) });
        assert_eq!(
            Remaining::of(other, &[shared], &pools),
            Remaining { quantity: Some(10), available: Some(2) }
        );
    }
}
