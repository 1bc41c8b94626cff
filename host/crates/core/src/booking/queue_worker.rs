//! The worker of queues: activates waiting bookings, reserves the lines of active ones, and ends those that were used
//! or not used in time. A booking that cannot be reserved steps back behind the others. One host at a time runs it.

use std::iter;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use futures_util::{StreamExt as _, stream};
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::access::Operation;
use crate::booking::bookings::fact;
use crate::booking::{Booking, BookingState, Queue};
use crate::catalog::EventStatus;
use crate::changeset::Changeset;
use crate::command::{Commands, Decision};
use crate::ctx::{Ctx, Principal, Transport};
use crate::error::{Error, ErrorKind, Result};
use crate::fair::WorkLimiter;
use crate::id::{EventId, ReservationId, TenantId};
use crate::idempotency::IdempotencyKey;
use crate::inventory::reservations::CheckedRequest;
use crate::inventory::{CreateReservation, Reservations};
use crate::ports::Store;

/// How many events of a tenant are advanced in one round.
const MAX_EVENTS: u32 = 200;

/// How many bookings change in one changeset, each with a row and a fact.
const SLICE: u32 = 200;

/// How long one event may take. Checks begin in the first half, so that there is time to reserve what they accept.
const EVENT_TIMEOUT: Duration = Duration::from_secs(10);

/// How many bookings of all of a tenant's events are checked at once: its plugin calls have few places in the sandbox,
/// which its requests need too.
const CHECKS_AT_ONCE: usize = 4;

/// How long checked bookings wait for the checks of others, with which they share a batch.
const CHECKS_TIME: Duration = Duration::from_millis(500);

/// How many attempts to reserve a booking may fail; with the last one the booking fails.
const MAX_ATTEMPTS: u32 = 5;

/// The pause after the first failed attempt; it doubles with each further one.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// The pause of a booking for which the host had no capacity or no time. Such an attempt does not count as failed.
const BUSY_PAUSE: Duration = Duration::from_secs(2);

/// Advances the queues of events.
#[derive(Clone)]
pub struct QueueWorker {
    store: Arc<dyn Store>,
    commands: Commands,
    reservations: Reservations,
}

impl QueueWorker {
    /// Creates the worker.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, commands: Commands, reservations: Reservations) -> Self {
        Self { store, commands, reservations }
    }

    /// Advances the queues of a tenant's events. Returns whether there may be more to do: ended bookings make room for
    /// the next ones, or some were not checked in time.
    pub async fn advance(&self, tenant: TenantId, limiter: &WorkLimiter) -> Result<bool> {
        let due = self.store.queued_events(tenant, MAX_EVENTS).await?;
        let checks = &Semaphore::new(CHECKS_AT_ONCE);
        let advance = |event| async move {
            // A failure of one event must not delay the others.
            self.advance_event(tenant, event, checks).await.unwrap_or_else(|error| {
                tracing::warn!(?error, %event, "queue not advanced; retrying");
                false
            })
        };
        Ok(limiter.for_each(tenant, due, advance).await > 0)
    }

    async fn advance_event(&self, tenant: TenantId, event: EventId, checks: &Semaphore) -> Result<bool> {
        let begin = Instant::now();
        let request_id = format!("queue-{event}").into();
        let ctx = Ctx::new(
            tenant,
            Principal::System,
            request_id,
            (self.store.now(), (begin + EVENT_TIMEOUT).into_std()),
            Transport::Internal,
        );
        let ended = self.end(&ctx, event).await?;
        let activated = self.activate(&ctx, event).await?;
        let due = self.store.reservable_bookings(tenant, event, (ctx.now, SLICE)).await?;
        let is_full = due.len() == SLICE as usize;
        let attempts = due.into_iter().map(|due| ReserveAttempt::new(&ctx, due));
        let attempts: Vec<_> = attempts.collect::<Result<_>>()?;
        let check = |ReserveAttempt { ctx, request, booking, failed }: ReserveAttempt| async move {
            let check = self.reservations.check(&ctx, request).await;
            (ctx, (booking, failed), check)
        };
        let submit = |(ctx, booking, check)| self.reserve(ctx, booking, check);
        let until = begin + EVENT_TIMEOUT / 2;
        let (reserved, are_left) = check_and_submit(attempts, (until, checks), check, submit).await;
        let mut may_be_more = ended || activated || is_full || are_left;
        for changed in reserved {
            may_be_more |= changed?;
        }
        Ok(may_be_more)
    }

    /// Ends active bookings that were used or not used in time, and all bookings of an event that is no longer on sale.
    /// Returns whether there were any.
    async fn end(&self, ctx: &Ctx, event: EventId) -> Result<bool> {
        let changed = AtomicBool::new(false);
        let decide = || async {
            let record = self.store.event(ctx.tenant, event).await?;
            let on_sale = record.is_some_and(|event| event.attributes.status == EventStatus::Active);
            let mut changeset = Changeset::new(ctx);
            let due_and_limit = (on_sale.then_some(ctx.now), SLICE);
            for (before, reserved) in self.store.active_bookings(ctx.tenant, event, due_and_limit).await? {
                if let Some(after) = ended(ctx, &before, reserved, on_sale) {
                    changeset = with_change(ctx, changeset, &before, after);
                }
            }
            if !on_sale {
                for before in self.store.next_bookings(ctx.tenant, event, SLICE).await? {
                    let after = before.failed(&not_on_sale(), ctx.now);
                    changeset = with_change(ctx, changeset, &before, after);
                }
            }
            changed.store(!changeset.is_empty(), Ordering::Relaxed);
            Ok(if changeset.is_empty() { Decision::nothing(()) } else { Decision::change(changeset, ()) })
        };
        self.commands.run(ctx, Operation::BookingCancel, &event, decide).await?;
        Ok(changed.into_inner())
    }

    /// Activates as many waiting bookings as the queue's settings allow, first in line first. Returns whether there were
    /// any.
    async fn activate(&self, ctx: &Ctx, event: EventId) -> Result<bool> {
        let changed = AtomicBool::new(false);
        let decide = || async {
            let queue = self.store.queue(ctx.tenant, event).await?;
            let queue = queue.unwrap_or_else(|| Queue::default_of(event, ctx.now));
            let (_, active) = self.store.queue_counts(ctx.tenant, event).await?;
            let free = u64::from(queue.max_active).saturating_sub(active).min(SLICE.into());
            let mut changeset = Changeset::new(ctx);
            if let Ok(free @ 1..) = u32::try_from(free) {
                for before in self.store.next_bookings(ctx.tenant, event, free).await? {
                    let after = before.activated(ctx.now, queue.active_seconds);
                    changeset = with_change(ctx, changeset, &before, after);
                }
            }
            changed.store(!changeset.is_empty(), Ordering::Relaxed);
            Ok(if changeset.is_empty() { Decision::nothing(()) } else { Decision::change(changeset, ()) })
        };
        self.commands.run(ctx, Operation::BookingCreate, &event, decide).await?;
        Ok(changed.into_inner())
    }

    /// Reserves the lines of an active booking, unless the check has failed, after a number of attempts that failed.
    /// Returns whether the booking has ended.
    async fn reserve(
        &self,
        ctx: Ctx,
        (booking, failed): (Booking, u32),
        check: Result<CheckedRequest>,
    ) -> Result<bool> {
        let reserved = match check {
            Ok(checked) => self.reservations.submit_checked(&ctx, checked).await,
            Err(error) => Err(error),
        };
        let reservation = reserved.as_ref().ok().map(|reservation| reservation.id);
        let after = match reserved {
            Ok(reservation) => booking.done(reservation.id, ctx.now),
            Err(error) => match retry(&error, failed) {
                Some((failed, pause)) => {
                    tracing::debug!(?error, booking = %booking.id, failed, "booking not reserved; retrying");
                    let retry = (failed, self.store.now().plus(pause));
                    self.store.delay_booking(ctx.tenant, booking.id, retry).await?;
                    return Ok(false);
                }
                None => booking.failed(&error, ctx.now),
            },
        };
        let mut ctx = ctx;
        ctx.idempotency = None;
        let cancelled = AtomicBool::new(false);
        let decide = || async {
            let current = self.store.booking(ctx.tenant, booking.id).await?;
            if current.as_ref() != Some(&booking) {
                let is_cancelled = current.is_some_and(|current| current.state == BookingState::Cancelled);
                cancelled.store(is_cancelled, Ordering::Relaxed);
                return Ok(Decision::nothing(()));
            }
            Ok(Decision::change(with_change(&ctx, Changeset::new(&ctx), &booking, after.clone()), ()))
        };
        self.commands.run(&ctx, Operation::BookingCreate, &booking.id, decide).await?;
        if let Some(reservation) = reservation.filter(|_| cancelled.into_inner()) {
            // If the release fails, the reservation expires.
            let _ = self.reservations.release(&ctx, reservation, Vec::new()).await;
        }
        Ok(true)
    }
}

/// The reservation that the host makes for a booking.
struct ReserveAttempt {
    ctx: Ctx,
    request: CreateReservation,
    booking: Booking,
    /// How many attempts have failed before.
    failed: u32,
}

impl ReserveAttempt {
    /// Takes the booking's id as the idempotency key, so that its lines are reserved only once.
    fn new(ctx: &Ctx, (booking, failed): (Booking, u32)) -> Result<Self> {
        let mut own_ctx = ctx.clone();
        own_ctx.idempotency = Some(IdempotencyKey::parse(&format!("booking-{}", booking.id))?);
        let request = CreateReservation {
            event: Some(booking.event),
            buyer: booking.buyer.clone(),
            lines: booking.lines.clone(),
            seconds: booking.hold_seconds,
            quote: None,
            codes: Vec::new(),
            channel: String::new(),
        };
        Ok(Self { ctx: own_ctx, request, booking, failed })
    }
}

/// Checks items in order, as many at once as there are permits, and begins no check after `until`. Those that were taken
/// up within [`CHECKS_TIME`] are submitted together and in order, so that they share the next batch of the event; then the
/// next ones are checked. Returns what `submit` returned for each, and whether items are left.
async fn check_and_submit<T, C, S>(
    items: Vec<T>,
    (until, permits): (Instant, &Semaphore),
    check: impl Fn(T) -> C,
    submit: impl Fn(C::Output) -> S,
) -> (Vec<S::Output>, bool)
where
    C: Future,
    S: Future,
{
    let check = &check;
    let check_in_turn = |item| async move {
        let _permit = tokio::time::timeout_at(until, permits.acquire()).await.ok()?.ok()?;
        Some(check(item).await)
    };
    let mut items = items.into_iter();
    let (mut results, mut are_left) = (Vec::new(), false);
    while !items.as_slice().is_empty() && Instant::now() < until {
        let checks_end = until.min(Instant::now() + CHECKS_TIME);
        // Items are taken from the iterator when they are to be checked.
        let due = iter::from_fn(|| if Instant::now() < checks_end { items.next() } else { None });
        let checked: Vec<_> = stream::iter(due.map(&check_in_turn)).buffered(CHECKS_AT_ONCE).collect().await;
        are_left |= checked.iter().any(Option::is_none);
        results.extend(join_all(checked.into_iter().flatten().map(&submit)).await);
    }
    (results, are_left || !items.as_slice().is_empty())
}

/// Returns an active booking as it ended; `None` if it stays active.
fn ended(ctx: &Ctx, before: &Booking, reserved: Option<ReservationId>, on_sale: bool) -> Option<Booking> {
    match reserved {
        Some(reservation) => Some(before.done(reservation, ctx.now)),
        None if !on_sale => Some(before.failed(&not_on_sale(), ctx.now)),
        None if before.active_until.is_some_and(|until| until <= ctx.now) => {
            Some(before.in_state(BookingState::Expired, ctx.now))
        }
        None => None,
    }
}

fn with_change(ctx: &Ctx, changeset: Changeset, before: &Booking, after: Booking) -> Changeset {
    let fact_type = match after.state {
        BookingState::Active => "booking.served",
        BookingState::Done => "booking.done",
        BookingState::Expired => "booking.expired",
        BookingState::Cancelled => "booking.cancelled",
        BookingState::Failed | BookingState::Waiting => "booking.failed",
    };
    changeset.fact(fact(ctx, fact_type, Some(before), &after)).update(after)
}

/// Returns the number of failed attempts after another one, and the pause before the next; `None` if there is none.
fn retry(error: &Error, failed: u32) -> Option<(u32, Duration)> {
    match error.kind() {
        ErrorKind::Unavailable | ErrorKind::DeadlineExceeded => Some((failed, BUSY_PAUSE)),
        ErrorKind::Internal | ErrorKind::Conflict | ErrorKind::PluginFailed if failed + 1 < MAX_ATTEMPTS => {
            Some((failed + 1, FIRST_PAUSE * (1 << failed)))
        }
        _ => None,
    }
}

/// The failure of bookings of an event that is no longer on sale.
fn not_on_sale() -> Error {
    Error::new(ErrorKind::Precondition, "EVENT_NOT_ON_SALE", "the event is no longer on sale")
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::atomic::AtomicUsize;

    use super::*;

    /// What a round did with 200 bookings.
    struct Round {
        /// The submitted ones, each with the time from the begin of the round until then.
        submitted: Vec<(usize, Duration)>,
        are_left: bool,
        most_checks_at_once: usize,
    }

    /// Checks and submits 200 bookings.
    async fn round(check_time: Duration) -> Round {
        let begin = Instant::now();
        let (running, most) = (&AtomicUsize::new(0), &AtomicUsize::new(0));
        let submitted = &Mutex::new(Vec::new());
        let check = |booking: usize| async move {
            most.fetch_max(running.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
            // The first one takes longer, and is submitted first nevertheless.
            tokio::time::sleep(if booking == 0 { check_time * 2 } else { check_time }).await;
            running.fetch_sub(1, Ordering::Relaxed);
            booking
        };
        let submit = |booking: usize| async move {
            submitted.lock().unwrap().push((booking, begin.elapsed()));
            tokio::time::sleep(Duration::from_millis(20)).await;
            booking
        };
        let bookings = (0..200).collect();
        let limits = (begin + EVENT_TIMEOUT / 2, &Semaphore::new(CHECKS_AT_ONCE));
        let (results, are_left) = check_and_submit(bookings, limits, check, submit).await;
        let submitted = submitted.lock().unwrap().clone();
        assert_eq!(results, (0..submitted.len()).collect::<Vec<_>>());
        assert!(submitted.iter().map(|(booking, _)| *booking).eq(results));
        Round { submitted, are_left, most_checks_at_once: most.load(Ordering::Relaxed) }
    }

    #[tokio::test(start_paused = true)]
    async fn quick_bookings_are_submitted_together() {
        let Round { submitted, are_left, .. } = round(Duration::ZERO).await;
        let at = submitted[0].1;
        assert!(submitted.iter().all(|(_, submitted_at)| *submitted_at == at), "{submitted:?}");
        assert_eq!((submitted.len(), are_left), (200, false));
    }

    #[tokio::test(start_paused = true)]
    async fn slowly_checked_bookings_are_submitted_in_groups() {
        let Round { submitted, are_left, most_checks_at_once } = round(Duration::from_millis(60)).await;
        assert_eq!((submitted.len(), are_left, most_checks_at_once), (200, false, CHECKS_AT_ONCE));
        let first = submitted[0].1;
        let shared = submitted.iter().filter(|(_, submitted_at)| *submitted_at == first).count();
        assert!(first < Duration::from_secs(1) && shared > CHECKS_AT_ONCE, "{submitted:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn events_of_a_tenant_share_the_checks_at_once() {
        let permits = &Semaphore::new(CHECKS_AT_ONCE);
        let (running, most) = (&AtomicUsize::new(0), &AtomicUsize::new(0));
        let check = |booking: usize| async move {
            most.fetch_max(running.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
            tokio::time::sleep(Duration::from_millis(100)).await;
            running.fetch_sub(1, Ordering::Relaxed);
            booking
        };
        let until = Instant::now() + EVENT_TIMEOUT / 2;
        let event = || check_and_submit((0..20).collect(), (until, permits), check, std::future::ready);
        let all = ((0..20).collect::<Vec<_>>(), false);
        assert_eq!(tokio::join!(event(), event()), (all.clone(), all));
        assert_eq!(most.load(Ordering::Relaxed), CHECKS_AT_ONCE);
    }

    #[tokio::test(start_paused = true)]
    async fn booking_without_a_permit_in_time_is_left() {
        let permits = &Semaphore::new(1);
        let _other = permits.acquire().await.unwrap();
        let until = Instant::now() + EVENT_TIMEOUT / 2;
        let left =
            check_and_submit(vec![1, 2], (until, permits), std::future::ready, std::future::ready).await;
        assert_eq!((left, Instant::now()), ((Vec::new(), true), until));
    }

    #[test]
    fn failing_booking_pauses_longer_each_time_and_then_fails() {
        let error = Error::new(ErrorKind::PluginFailed, "PLUGIN_TRAPPED", "it trapped");
        let (mut failed, mut pauses) = (0, Vec::new());
        while let Some((next, pause)) = retry(&error, failed) {
            failed = next;
            pauses.push(pause.as_secs());
        }
        assert_eq!((pauses, failed), (vec![1, 2, 4, 8], MAX_ATTEMPTS - 1));
        let busy = Error::unavailable("later", Duration::from_secs(1));
        assert_eq!(retry(&busy, failed), Some((failed, BUSY_PAUSE)));
        assert_eq!(retry(&not_on_sale(), 0), None);
    }

    #[tokio::test(start_paused = true)]
    async fn no_check_begins_in_the_second_half_of_the_time() {
        let check_time = Duration::from_millis(400);
        let Round { submitted, are_left, .. } = round(check_time).await;
        assert!(are_left && (32..100).contains(&submitted.len()), "{submitted:?}");
        let last = submitted[submitted.len() - 1].1;
        assert!(last <= EVENT_TIMEOUT / 2 + check_time * 2, "{submitted:?}");
    }
}
