//! Waiting entries, in a queue for each owner. The owner that was served the least is next.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap, VecDeque};

use crate::error::Result;
use crate::fair::{Owner, Places, WaitingLimits};

/// Identifies a waiting entry.
pub(super) type EntryId = u64;

/// Waiting entries by owner, in order within each queue.
pub(super) struct OwnerQueues<T> {
    pub(super) places: Places,
    queues: HashMap<Owner, OwnerQueue<T>>,
    /// The owners by their turns. A queue without entries stays only while its turn is later than a newcomer's: an
    /// owner that returns is not served earlier than one that has stayed.
    turns: BTreeMap<Turn, Owner>,
    /// The cost at which the last turn was.
    now: u64,
    next: EntryId,
}

/// The cost that an owner was served until its turn, and an order among equals.
type Turn = (u64, EntryId);

struct OwnerQueue<T> {
    turn: Turn,
    entries: VecDeque<WaitingEntry<T>>,
}

struct WaitingEntry<T> {
    id: EntryId,
    cost: u64,
    entry: T,
}

impl<T> OwnerQueues<T> {
    pub(super) fn new(limits: WaitingLimits) -> Self {
        Self { places: Places::new(limits), queues: HashMap::new(), turns: BTreeMap::new(), now: 0, next: 0 }
    }

    /// Adds an entry at the end of its owner's queue.
    pub(super) fn push(&mut self, owner: Owner, cost: u64, entry: T) -> Result<EntryId> {
        self.places.take(owner)?;
        let id = self.next_id();
        let turn = (self.newcomer_cost(), id);
        let queue = self.queues.entry(owner).or_insert_with(|| {
            self.turns.insert(turn, owner);
            OwnerQueue { turn, entries: VecDeque::new() }
        });
        queue.entries.push_back(WaitingEntry { id, cost: cost.max(1), entry });
        Ok(id)
    }

    /// Takes the next entry of an owner that may go, if its cost fits.
    pub(super) fn pop(
        &mut self,
        may_go: impl Fn(Owner) -> bool,
        fits: impl Fn(u64) -> bool,
    ) -> Option<(Owner, u64, T)> {
        loop {
            let is_next = |(_, owner): &(&Turn, &Owner)| self.is_empty(**owner) || may_go(**owner);
            let (turn, owner) = self.turns.iter().find(is_next).map(|(turn, owner)| (*turn, *owner))?;
            let id = self.next_id();
            let queue = self.queues.get_mut(&owner)?;
            if queue.entries.front().is_some_and(|waiting| !fits(waiting.cost)) {
                return None;
            }
            self.turns.remove(&turn);
            let Some(WaitingEntry { cost, entry, .. }) = queue.entries.pop_front() else {
                self.queues.remove(&owner);
                continue;
            };
            // The host's work is bounded by its places, and must not wait for having been costly.
            let served = if owner == Owner::Host { 1 } else { cost };
            queue.turn = (turn.0.saturating_add(served), id);
            self.turns.insert(queue.turn, owner);
            self.now = self.now.max(turn.0);
            self.places.free(owner, 1);
            self.drop_idle(owner);
            return Some((owner, cost, entry));
        }
    }

    /// Removes a waiting entry.
    pub(super) fn remove(&mut self, owner: Owner, id: EntryId) -> Option<T> {
        let entries = &mut self.queues.get_mut(&owner)?.entries;
        let place = entries.iter().position(|waiting| waiting.id == id)?;
        let removed = entries.remove(place);
        self.places.free(owner, 1);
        self.drop_idle(owner);
        removed.map(|waiting| waiting.entry)
    }

    /// Drops an owner's queue if it has no entries and the owner would not have an earlier turn without it.
    fn drop_idle(&mut self, owner: Owner) {
        let newcomer_cost = self.newcomer_cost();
        if let Entry::Occupied(queue) = self.queues.entry(owner)
            && queue.get().entries.is_empty()
            && queue.get().turn.0 <= newcomer_cost
        {
            self.turns.remove(&queue.remove().turn);
        }
    }

    /// The cost at which a newcomer has its turn: after those that are due now. Otherwise a stream of newcomers would
    /// keep an owner that was served once from its second turn.
    fn newcomer_cost(&self) -> u64 {
        self.now.saturating_add(1)
    }

    fn is_empty(&self, owner: Owner) -> bool {
        self.queues.get(&owner).is_none_or(|queue| queue.entries.is_empty())
    }

    fn next_id(&mut self) -> EntryId {
        self.next += 1;
        self.next
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn owners_without_entries_are_dropped() {
        let mut queues = OwnerQueues::new(WaitingLimits { tenants: 64, host: 0, message: "full" });
        let address = |number: u32| Owner::Address(Ipv4Addr::from_bits(number).into());
        for number in 0..1_000 {
            queues.push(address(2 * number), 1, number).unwrap();
            let cancelled = queues.push(address(2 * number + 1), 1, number).unwrap();
            assert_eq!(queues.remove(address(2 * number + 1), cancelled), Some(number));
            // One entry always waits.
            if number > 0 {
                let served = queues.pop(|_| true, |_| true);
                assert_eq!(served, Some((address(2 * number - 2), 1, number - 1)));
            }
            assert_eq!((queues.queues.len(), queues.turns.len()), (1, 1));
        }
        assert!(queues.pop(|_| true, |_| true).is_some());
        assert!(queues.queues.is_empty() && queues.turns.is_empty());
    }
}
