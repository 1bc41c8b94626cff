//! What is left of an event, as it changes. One task for each event that is watched reads it, a few times a second
//! at most, however many watch; whoever is slow gets the last state, and misses what lay between.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use crate::access::Operation;
use crate::catalog::EventStatus;
use crate::ctx::Ctx;
use crate::error::{Error, Result};
use crate::id::{EventId, TenantId, TicketTypeId};
use crate::inventory::Stock;
use crate::outbox::{Fact, Feed, Subscription};
use crate::ports::Store;
use crate::time::Timestamp;
use crate::value::Value;

/// The least time between two updates of an event.
pub const PACE: Duration = Duration::from_millis(250);

/// How many changes of seats are remembered for those who are slow.
const SEATS: usize = 10_000;

/// How long a task waits for news before it looks whether anybody still watches.
const LOOK: Duration = Duration::from_secs(5);

type Key = (TenantId, EventId);

/// How much is left of a ticket type.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TypeLevel {
    /// The type.
    pub ticket_type: TicketTypeId,
    /// Its name.
    pub name: String,
    /// How many there are; none: no pool sets a bound.
    pub quantity: Option<u64>,
    /// How many can still be reserved.
    pub available: Option<u64>,
}

/// A seat that changed hands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SeatLevel {
    /// The type of which it is a seat.
    pub ticket_type: TicketTypeId,
    /// What it says on it.
    pub label: String,
    /// Whether it is free now.
    pub free: bool,
}

/// An event at a moment; none of it is older than the last fact.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Levels {
    /// Whether it sells.
    pub status: EventStatus,
    /// When it was read.
    pub at: Timestamp,
    /// Its ticket types, oldest first.
    pub types: Vec<TypeLevel>,
    /// How many changes of seats there were before.
    seats: u64,
}

/// What a watcher is told.
#[derive(Clone, Debug)]
pub struct LevelsUpdate {
    /// The event now.
    pub levels: Arc<Levels>,
    /// Seats that changed hands since the update before.
    pub seats: Vec<SeatLevel>,
    /// Whether more seats changed than are remembered: they are to be listed anew.
    pub seats_missed: bool,
}

/// The events that are watched on this host.
#[derive(Clone)]
pub struct Watches {
    store: Arc<dyn Store>,
    feed: Arc<Feed>,
    open: Arc<Mutex<HashMap<Key, Weak<Shared>>>>,
}

/// One event, as all its watchers see it.
struct Shared {
    levels: watch::Sender<Option<Arc<Levels>>>,
    seats: Mutex<SeatLog>,
}

#[derive(Default)]
struct SeatLog {
    /// How many there were in all.
    count: u64,
    last: VecDeque<SeatLevel>,
}

/// One who watches an event.
pub struct Watcher {
    shared: Arc<Shared>,
    levels: watch::Receiver<Option<Arc<Levels>>>,
    /// How many changes of seats were told.
    told: Option<u64>,
}

impl Watches {
    /// Nothing is watched yet.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, feed: Arc<Feed>) -> Self {
        Self { store, feed, open: Arc::default() }
    }

    /// Watches an event from now on; its present state is the first update.
    pub async fn watch(&self, ctx: &Ctx, event: EventId) -> Result<Watcher> {
        ctx.allow(Operation::AvailabilityStream)?;
        let held = self.store.event(ctx.tenant, event).await?;
        if !held.is_some_and(|event| event.is_public() || ctx.is_known()) {
            return Err(Error::not_found("event"));
        }
        let shared = self.shared((ctx.tenant, event));
        let mut levels = shared.levels.subscribe();
        levels.mark_changed();
        Ok(Watcher { shared, levels, told: None })
    }

    fn shared(&self, key: Key) -> Arc<Shared> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(shared) = open.get(&key).and_then(Weak::upgrade) {
            return shared;
        }
        let shared = Arc::new(Shared { levels: watch::Sender::new(None), seats: Mutex::default() });
        open.retain(|_, held| held.strong_count() > 0);
        open.insert(key, Arc::downgrade(&shared));
        // From before the first reading: what happens meanwhile is read again.
        let facts = self.feed.subscribe(key.0, self.feed.head());
        tokio::spawn(self.clone().follow(key, facts, Arc::downgrade(&shared)));
        shared
    }

    /// Reads an event whenever something happened to it, for as long as somebody watches.
    async fn follow(self, key: Key, mut facts: Subscription, shared: Weak<Shared>) {
        let mut due = true;
        loop {
            let read = Instant::now();
            if due {
                let levels = self.read(key).await;
                let Some(shared) = shared.upgrade() else { return };
                match levels {
                    Ok(levels) => shared.publish(levels),
                    Err(error) => {
                        tracing::warn!(?error, "an event's levels could not be read; they are read again")
                    }
                }
            }
            let Some((some, until)) = self.gather(key, &mut facts, &shared, read + PACE).await else {
                return;
            };
            due = some;
            tokio::time::sleep_until(until).await;
        }
    }

    /// Gathers what happens until the next update may be sent: whether something did, and when that is.
    async fn gather(
        &self,
        (_, event): Key,
        facts: &mut Subscription,
        shared: &Weak<Shared>,
        earliest: Instant,
    ) -> Option<(bool, Instant)> {
        let mut some = false;
        loop {
            let patience = if some { earliest } else { Instant::now() + LOOK };
            let found = match tokio::time::timeout_at(patience, facts.next()).await {
                Ok(Ok(found)) => found,
                Ok(Err(_)) => return Some((true, earliest)),
                Err(_) => {
                    shared.upgrade()?;
                    return Some((some, earliest));
                }
            };
            let shared = shared.upgrade()?;
            let of_event: Vec<_> = found.iter().filter(|fact| fact.what.event == Some(event)).collect();
            some |= !of_event.is_empty();
            for fact in of_event {
                shared.note(fact);
            }
            if some && Instant::now() >= earliest {
                return Some((true, earliest));
            }
        }
    }

    async fn read(&self, (tenant, event): Key) -> Result<Levels> {
        let held = self.store.event(tenant, event).await?;
        let types = self.store.ticket_types(tenant, event).await?;
        let pools = self.store.pools(tenant, event).await?;
        let level = |held: &crate::catalog::TicketType| {
            let stock = Stock::of(held.id, &held.text.pools, &pools);
            TypeLevel {
                ticket_type: held.id,
                name: held.text.name.clone(),
                quantity: stock.quantity,
                available: stock.available,
            }
        };
        Ok(Levels {
            // One that is gone is over.
            status: held.map_or(EventStatus::Cancelled, |event| event.text.status),
            at: self.store.now(),
            types: types.iter().map(level).collect(),
            seats: 0,
        })
    }
}

impl Shared {
    fn publish(&self, mut levels: Levels) {
        levels.seats = self.log().count;
        let same = |held: &Levels| {
            (held.status, &held.types, held.seats) == (levels.status, &levels.types, levels.seats)
        };
        self.levels.send_if_modified(|held| {
            if held.as_deref().is_some_and(same) {
                return false;
            }
            *held = Some(Arc::new(levels.clone()));
            true
        });
    }

    /// Notes the seats that a fact gave to somebody or made free.
    fn note(&self, fact: &Fact) {
        for change in fact.what.changes.iter().filter(|change| change.field == "seats") {
            let (before, after) = (seats(&change.before), seats(&change.after));
            let gone = before.iter().filter(|seat| !after.contains(seat)).map(|seat| (seat.as_str(), true));
            let come = after.iter().filter(|seat| !before.contains(seat)).map(|seat| (seat.as_str(), false));
            let mut log = self.log();
            for (seat, free) in gone.chain(come) {
                log.push(seat, free);
            }
        }
    }

    fn log(&self) -> std::sync::MutexGuard<'_, SeatLog> {
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn seats(value: &Value) -> &[String] {
    if let Value::Texts(seats) = value { seats } else { &[] }
}

impl SeatLog {
    fn push(&mut self, seat: &str, free: bool) {
        let Some((ticket_type, label)) = seat.split_once('/') else { return };
        let Ok(ticket_type) = TicketTypeId::parse("seat", ticket_type) else { return };
        self.count += 1;
        self.last.push_back(SeatLevel { ticket_type, label: label.to_owned(), free });
        if self.last.len() > SEATS {
            self.last.pop_front();
        }
    }

    /// The changes after the first `told` up to `until`, each seat once as it is now; and whether some are
    /// forgotten.
    fn since(&self, told: u64, until: u64) -> (Vec<SeatLevel>, bool) {
        let first = self.count - self.last.len() as u64;
        let from = usize::try_from(told.saturating_sub(first)).unwrap_or(usize::MAX).min(self.last.len());
        let to = usize::try_from(until.saturating_sub(first)).unwrap_or(usize::MAX).min(self.last.len());
        let mut seen = HashSet::new();
        let newest = self.last.range(from..to.max(from)).rev();
        let once = newest.filter(|seat| seen.insert((seat.ticket_type, seat.label.as_str())));
        let mut changed: Vec<_> = once.cloned().collect();
        changed.reverse();
        (changed, told < first)
    }
}

impl Watcher {
    /// The next update; waits for it. None: nobody reads the event any more. May be dropped and called again.
    pub async fn next(&mut self) -> Option<LevelsUpdate> {
        loop {
            self.levels.changed().await.ok()?;
            let Some(levels) = self.levels.borrow_and_update().clone() else { continue };
            // Seats are told from the first update on: who lists them after it has them all.
            let told = self.told.replace(levels.seats).unwrap_or(levels.seats);
            let (seats, seats_missed) = self.shared.log().since(told, levels.seats);
            return Some(LevelsUpdate { levels, seats, seats_missed });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seats_are_told_once_as_they_are_and_what_was_missed_is_said() {
        let id = TicketTypeId::generate();
        let mut log = SeatLog::default();
        for (label, free) in [("A1", false), ("A2", false), ("A1", true)] {
            log.push(&format!("{id}/{label}"), free);
        }
        log.push("rubbish", true);
        let (changed, missed) = log.since(0, 3);
        let said: Vec<_> = changed.iter().map(|seat| (seat.label.as_str(), seat.free)).collect();
        assert_eq!((said, missed), (vec![("A2", false), ("A1", true)], false));
        assert_eq!(log.since(2, 3).0.len(), 1);
        assert_eq!(log.since(3, 3).0.len(), 0);
        for n in 0..SEATS {
            log.push(&format!("{id}/{n}"), false);
        }
        assert!(log.since(2, log.count).1);
        assert!(!log.since(3, log.count).1);
    }
}
