//! Streams of the availability of events. One task for each streamed event reads it, a few times a second at most,
//! for all streams together. A slow stream skips to the latest state.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use crate::access::Operation;
use crate::catalog::{EventStatus, TicketType};
use crate::ctx::Ctx;
use crate::error::{Error, Result};
use crate::id::{EventId, TenantId, TicketTypeId};
use crate::inventory::Remaining;
use crate::outbox::{Fact, Feed, Subscription};
use crate::ports::Store;
use crate::pricing::AccessCodes;
use crate::time::Timestamp;
use crate::value::Value;

/// The shortest time between two updates of an event.
pub const MIN_INTERVAL: Duration = Duration::from_millis(250);

/// How many changes of seats are kept for slow streams.
const MAX_SEAT_CHANGES: usize = 10_000;

/// How long a task waits for facts before it checks whether there are streams left.
const IDLE_CHECK: Duration = Duration::from_secs(5);

type Key = (TenantId, EventId);

/// The availability of a ticket type.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TypeAvailability {
    /// The ticket type.
    pub ticket_type: TicketTypeId,
    /// Its name.
    pub name: String,
    /// The number of its units; `None` for no bound.
    pub quantity: Option<u64>,
    /// The number of available units; `None` for no bound.
    pub available: Option<u64>,
    /// Whether only callers with a key or with an access code see it.
    hidden: bool,
}

/// A seat that was taken or freed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SeatChange {
    /// Its ticket type.
    pub ticket_type: TicketTypeId,
    /// Its label.
    pub label: String,
    /// Whether it is free now.
    pub free: bool,
}

/// The availability of an event. No part of it is older than the last fact.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EventAvailability {
    /// The event's status.
    pub status: EventStatus,
    /// When it was read.
    pub at: Timestamp,
    /// Its ticket types, oldest first.
    pub types: Vec<TypeAvailability>,
    /// The number of seat changes before it was read.
    seat_changes: u64,
}

/// An update of a stream.
#[derive(Clone, Debug)]
pub struct AvailabilityUpdate {
    /// The present availability.
    pub availability: Arc<EventAvailability>,
    /// Seats that changed since the previous update.
    pub seats: Vec<SeatChange>,
    /// Whether more seats changed than are kept, so that the client must list them again.
    pub seats_missed: bool,
}

/// The events that are streamed on this host.
#[derive(Clone)]
pub struct AvailabilityStreams {
    store: Arc<dyn Store>,
    feed: Arc<Feed>,
    access_codes: AccessCodes,
    open: Arc<Mutex<HashMap<Key, Weak<Shared>>>>,
}

/// The state that all streams of one event share.
struct Shared {
    latest: watch::Sender<Option<Arc<EventAvailability>>>,
    seats: Mutex<SeatLog>,
}

#[derive(Default)]
struct SeatLog {
    /// The number of all changes so far.
    count: u64,
    recent: VecDeque<SeatChange>,
}

/// A stream of one event.
pub struct AvailabilityStream {
    shared: Arc<Shared>,
    latest: watch::Receiver<Option<Arc<EventAvailability>>>,
    /// The availability that `next` took last.
    previous: Option<Arc<EventAvailability>>,
    /// The hidden ticket types that the caller sees; `None`: all.
    shown: Option<BTreeSet<TicketTypeId>>,
}

impl AvailabilityStreams {
    /// Creates an empty set of streams.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, feed: Arc<Feed>, access_codes: AccessCodes) -> Self {
        Self { store, feed, access_codes, open: Arc::default() }
    }

    /// Opens a stream of an event. Its first update is the present state. Without a key, it has the hidden ticket types
    /// that the access code shows now.
    pub async fn open(&self, ctx: &Ctx, event: EventId, access_code: &str) -> Result<AvailabilityStream> {
        ctx.allow(Operation::AvailabilityStream)?;
        let shown = self.access_codes.shown(ctx, Some(event), access_code).await?;
        let record = self.store.event(ctx.tenant, event).await?;
        if !record.is_some_and(|event| event.is_public() || ctx.is_authenticated()) {
            return Err(Error::not_found("event"));
        }
        let shared = self.shared((ctx.tenant, event));
        let mut latest = shared.latest.subscribe();
        latest.mark_changed();
        let shown = (!ctx.is_authenticated()).then_some(shown);
        Ok(AvailabilityStream { shared, latest, previous: None, shown })
    }

    fn shared(&self, key: Key) -> Arc<Shared> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(shared) = open.get(&key).and_then(Weak::upgrade) {
            return shared;
        }
        let shared = Arc::new(Shared { latest: watch::Sender::new(None), seats: Mutex::default() });
        open.retain(|_, shared| shared.strong_count() > 0);
        open.insert(key, Arc::downgrade(&shared));
        // Subscribed before the first read, so that a change during it leads to another read.
        let facts = self.feed.subscribe(key.0, self.feed.head());
        tokio::spawn(self.clone().run(key, facts, Arc::downgrade(&shared)));
        shared
    }

    /// Reads an event after each change, for as long as it is streamed.
    async fn run(self, key: Key, mut facts: Subscription, shared: Weak<Shared>) {
        let mut due = true;
        loop {
            let read_at = Instant::now();
            if due {
                let availability = self.read(key).await;
                let Some(shared) = shared.upgrade() else { return };
                match availability {
                    Ok(availability) => shared.publish(availability),
                    Err(error) => {
                        tracing::warn!(?error, event = %key.1, "availability not read; retrying")
                    }
                }
            }
            let collected = self.collect(key, &mut facts, &shared, read_at + MIN_INTERVAL).await;
            let Some((changed, until)) = collected else { return };
            due = changed;
            tokio::time::sleep_until(until).await;
        }
    }

    /// Collects facts until the next update may be sent. Returns whether the event changed, and when the update may be
    /// sent; `None` if no stream is left.
    async fn collect(
        &self,
        (_, event): Key,
        facts: &mut Subscription,
        shared: &Weak<Shared>,
        earliest: Instant,
    ) -> Option<(bool, Instant)> {
        let mut changed = false;
        loop {
            let timeout = if changed { earliest } else { Instant::now() + IDLE_CHECK };
            let batch = match tokio::time::timeout_at(timeout, facts.next()).await {
                Ok(Ok(batch)) => batch,
                Ok(Err(_)) => return Some((true, earliest)),
                Err(_) => {
                    shared.upgrade()?;
                    return Some((changed, earliest));
                }
            };
            let shared = shared.upgrade()?;
            let of_event: Vec<_> = batch.iter().filter(|fact| fact.body.event == Some(event)).collect();
            changed |= !of_event.is_empty();
            for fact in of_event {
                shared.record(fact);
            }
            if changed && Instant::now() >= earliest {
                return Some((true, earliest));
            }
        }
    }

    async fn read(&self, (tenant, event): Key) -> Result<EventAvailability> {
        let record = self.store.event(tenant, event).await?;
        let types = self.store.ticket_types(tenant, event).await?;
        let pools = self.store.pools(tenant, &[event]).await?;
        let of_type = |ticket_type: &TicketType| {
            let remaining = Remaining::of(ticket_type.id, &ticket_type.attributes.pools, &pools);
            TypeAvailability {
                ticket_type: ticket_type.id,
                name: ticket_type.attributes.name.clone(),
                quantity: remaining.quantity,
                available: remaining.available,
                hidden: ticket_type.attributes.hidden,
            }
        };
        Ok(EventAvailability {
            // A deleted event is shown as cancelled.
            status: record.map_or(EventStatus::Cancelled, |event| event.attributes.status),
            at: self.store.now(),
            types: types.iter().map(of_type).collect(),
            seat_changes: 0,
        })
    }
}

impl Shared {
    fn publish(&self, mut availability: EventAvailability) {
        availability.seat_changes = self.log().count;
        let same = |latest: &EventAvailability| {
            (latest.status, &latest.types, latest.seat_changes)
                == (availability.status, &availability.types, availability.seat_changes)
        };
        self.latest.send_if_modified(|latest| {
            if latest.as_deref().is_some_and(same) {
                return false;
            }
            *latest = Some(Arc::new(availability.clone()));
            true
        });
    }

    /// Records the seats that were taken or freed by a change.
    fn record(&self, fact: &Fact) {
        for change in fact.body.changes.iter().filter(|change| change.field == "seats") {
            let (before, after) = (seats(&change.before), seats(&change.after));
            let freed_seats =
                before.iter().filter(|seat| !after.contains(seat)).map(|seat| (seat.as_str(), true));
            let taken_seats =
                after.iter().filter(|seat| !before.contains(seat)).map(|seat| (seat.as_str(), false));
            let mut log = self.log();
            for (seat, free) in freed_seats.chain(taken_seats) {
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
        self.recent.push_back(SeatChange { ticket_type, label: label.to_owned(), free });
        if self.recent.len() > MAX_SEAT_CHANGES {
            self.recent.pop_front();
        }
    }

    /// Returns the changes after the first `sent` up to `until`, each seat once in its latest state, and whether some
    /// changes are no longer kept.
    fn since(&self, sent: u64, until: u64) -> (Vec<SeatChange>, bool) {
        let first = self.count - self.recent.len() as u64;
        let from = usize::try_from(sent.saturating_sub(first)).unwrap_or(usize::MAX).min(self.recent.len());
        let to = usize::try_from(until.saturating_sub(first)).unwrap_or(usize::MAX).min(self.recent.len());
        let mut seen = HashSet::new();
        let newest = self.recent.range(from..to.max(from)).rev();
        let once = newest.filter(|seat| seen.insert((seat.ticket_type, seat.label.as_str())));
        let mut changed: Vec<_> = once.cloned().collect();
        changed.reverse();
        (changed, sent < first)
    }
}

impl AvailabilityStream {
    /// Waits for the next update; `None` if the event is no longer read. Safe to cancel.
    pub async fn next(&mut self) -> Option<AvailabilityUpdate> {
        loop {
            self.latest.changed().await.ok()?;
            let Some(availability) = self.latest.borrow_and_update().clone() else { continue };
            let previous = self.previous.replace(Arc::clone(&availability));
            // Seat changes are sent from the first update on: a client that lists seats after it has them all.
            let until = availability.seat_changes;
            let sent = previous.as_ref().map_or(until, |previous| previous.seat_changes);
            let (seats, seats_missed) = self.shared.log().since(sent, until);
            let mut update = AvailabilityUpdate { availability, seats, seats_missed };
            if let Some(shown) = &self.shown {
                update.hide_all_but(shown);
                // An update without a change would show that a hidden ticket type was sold.
                if previous.is_some_and(|previous| update.is_unchanged(&previous, shown)) {
                    continue;
                }
            }
            return Some(update);
        }
    }
}

impl AvailabilityUpdate {
    /// Leaves out hidden ticket types that are not shown, and the seats of ticket types that are left out.
    fn hide_all_but(&mut self, shown: &BTreeSet<TicketTypeId>) {
        if !self.availability.types.iter().all(|of_type| of_type.is_visible(shown)) {
            Arc::make_mut(&mut self.availability).types.retain(|of_type| of_type.is_visible(shown));
        }
        let types = &self.availability.types;
        self.seats.retain(|seat| types.iter().any(|of_type| of_type.ticket_type == seat.ticket_type));
    }

    /// Returns whether it has no change since `previous`, for a caller that sees these hidden ticket types.
    fn is_unchanged(&self, previous: &EventAvailability, shown: &BTreeSet<TicketTypeId>) -> bool {
        let before = previous.types.iter().filter(|of_type| of_type.is_visible(shown));
        !self.seats_missed
            && self.seats.is_empty()
            && self.availability.status == previous.status
            && before.eq(&self.availability.types)
    }
}

impl TypeAvailability {
    /// Returns whether a caller without a key sees the ticket type beside these hidden ones.
    fn is_visible(&self, shown: &BTreeSet<TicketTypeId>) -> bool {
        !self.hidden || shown.contains(&self.ticket_type)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    fn of_type(ticket_type: TicketTypeId, hidden: bool) -> TypeAvailability {
        TypeAvailability { ticket_type, name: "Seat".into(), quantity: None, available: None, hidden }
    }

    fn availability(types: Vec<TypeAvailability>) -> EventAvailability {
        EventAvailability { status: EventStatus::Active, at: Timestamp::default(), types, seat_changes: 0 }
    }

    #[tokio::test]
    async fn changes_of_hidden_types_send_no_update_to_callers_who_do_not_see_them() {
        let [public, hidden] = [(); 2].map(|()| TicketTypeId::generate());
        let shared = Arc::new(Shared { latest: watch::Sender::new(None), seats: Mutex::default() });
        let mut streams = [Some(BTreeSet::new()), Some(BTreeSet::from([hidden])), None].map(|shown| {
            let latest = shared.latest.subscribe();
            AvailabilityStream { shared: Arc::clone(&shared), latest, previous: None, shown }
        });
        // The number of changed seats in the update of each stream; `None`: no update.
        let mut after = |available: [u64; 2], seat: Option<TicketTypeId>| {
            if let Some(ticket_type) = seat {
                shared.log().push(&format!("{ticket_type}/A1"), false);
            }
            let mut types = vec![of_type(public, false), of_type(hidden, true)];
            for (of_type, available) in types.iter_mut().zip(available) {
                of_type.available = Some(available);
            }
            shared.publish(availability(types));
            streams.each_mut().map(|stream| {
                let update = stream.next().now_or_never().flatten();
                update.map(|update| update.seats.len())
            })
        };
        assert_eq!(after([5, 5], None), [Some(0); 3], "the present state is the first update");
        assert_eq!(after([5, 4], None), [None, Some(0), Some(0)]);
        assert_eq!(after([5, 4], Some(hidden)), [None, Some(1), Some(1)]);
        assert_eq!(after([4, 4], None), [Some(0); 3]);
        assert_eq!(after([4, 4], Some(public)), [Some(1); 3]);
        assert_eq!(after([4, 4], None), [None; 3]);
    }

    #[test]
    fn hidden_types_and_their_seats_are_left_out_unless_they_are_shown() {
        let [public, hidden] = [(); 2].map(|()| TicketTypeId::generate());
        let seat = |ticket_type| SeatChange { ticket_type, label: "A1".into(), free: true };
        let update = AvailabilityUpdate {
            availability: Arc::new(availability(vec![of_type(public, false), of_type(hidden, true)])),
            seats: vec![seat(hidden), seat(public)],
            seats_missed: false,
        };
        let visible = |shown: &[TicketTypeId]| {
            let mut update = update.clone();
            update.hide_all_but(&shown.iter().copied().collect());
            let types: Vec<_> = update.availability.types.iter().map(|of_type| of_type.ticket_type).collect();
            let seats: Vec<_> = update.seats.iter().map(|seat| seat.ticket_type).collect();
            (types, seats)
        };
        assert_eq!(visible(&[]), (vec![public], vec![public]));
        assert_eq!(visible(&[hidden]), (vec![public, hidden], vec![hidden, public]));
        assert_eq!(update.availability.types.len(), 2, "other streams share it");
    }

    #[test]
    fn each_changed_seat_is_sent_once_and_missed_changes_are_reported() {
        let id = TicketTypeId::generate();
        let mut log = SeatLog::default();
        for (label, free) in [("A1", false), ("A2", false), ("A1", true)] {
            log.push(&format!("{id}/{label}"), free);
        }
        log.push("malformed", true);
        let (changed, missed) = log.since(0, 3);
        let sent: Vec<_> = changed.iter().map(|seat| (seat.label.as_str(), seat.free)).collect();
        assert_eq!((sent, missed), (vec![("A2", false), ("A1", true)], false));
        assert_eq!(log.since(2, 3).0.len(), 1);
        assert_eq!(log.since(3, 3).0.len(), 0);
        for n in 0..MAX_SEAT_CHANGES {
            log.push(&format!("{id}/{n}"), false);
        }
        assert!(log.since(2, log.count).1);
        assert!(!log.since(3, log.count).1);
    }
}
