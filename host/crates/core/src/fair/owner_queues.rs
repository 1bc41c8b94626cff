//! Waiting entries, in a queue for each owner. The owner that was served the least is next.

use std::collections::{BTreeMap, HashMap, VecDeque};

use crate::error::Result;
use crate::fair::{Owner, Places, WaitingLimits};

/// Identifies a waiting entry.
pub(super) type EntryId = u64;

/// Waiting entries by owner, in order within each queue.
pub(super) struct OwnerQueues<T> {
    pub(super) places: Places,
    queues: HashMap<Owner, OwnerQueue<T>>,
    /// The owners by their turns. A queue without entries stays until its turn: an owner that returns is not served
    /// earlier than one that has stayed.
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
        let queue = self.queues.entry(owner).or_insert_with(|| {
            let turn = (self.now, id);
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
            return Some((owner, cost, entry));
        }
    }

    /// Removes a waiting entry.
    pub(super) fn remove(&mut self, owner: Owner, id: EntryId) -> Option<T> {
        let entries = &mut self.queues.get_mut(&owner)?.entries;
        let place = entries.iter().position(|waiting| waiting.id == id)?;
        self.places.free(owner, 1);
        entries.remove(place).map(|waiting| waiting.entry)
    }

    fn is_empty(&self, owner: Owner) -> bool {
        self.queues.get(&owner).is_none_or(|queue| queue.entries.is_empty())
    }

    fn next_id(&mut self) -> EntryId {
        self.next += 1;
        self.next
    }
}
