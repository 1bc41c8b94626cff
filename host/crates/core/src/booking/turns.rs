//! Whose turn it is: one host at a time lets the next in, reserves for those who said what they want, and takes back
//! places that were not used.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::future::join_all;

use crate::access::Operation;
use crate::booking::bookings::fact;
use crate::booking::{Booking, BookingState, Queue};
use crate::catalog::EventStatus;
use crate::changeset::Changeset;
use crate::command::{Commands, Decision};
use crate::ctx::{Ctx, Principal, Transport};
use crate::error::{Error, ErrorKind, Result};
use crate::id::{EventId, ReservationId, TenantId};
use crate::idempotency::IdempotencyKey;
use crate::inventory::{AskedReservation, Reservations};
use crate::ports::Store;

/// How many events are looked at in one round.
const EVENTS: u32 = 200;

/// How many bookings of an event change at once: a row and a fact for each go into one changeset.
const SLICE: u32 = 200;

/// How long one event may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Lets buyers in, in their order.
#[derive(Clone)]
pub struct Turns {
    store: Arc<dyn Store>,
    commands: Commands,
    reservations: Reservations,
}

impl Turns {
    /// The service.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, commands: Commands, reservations: Reservations) -> Self {
        Self { store, commands, reservations }
    }

    /// Events in whose queues something is to be done.
    pub async fn due(&self) -> Result<Vec<(TenantId, EventId)>> {
        self.store.queued_events(EVENTS).await
    }

    /// Lets the next in, of each event; whether anything changed.
    pub async fn advance(&self, due: Vec<(TenantId, EventId)>) -> Result<bool> {
        let mut moved = false;
        for (tenant, event) in due {
            match self.advance_event(tenant, event).await {
                Ok(changed) => moved |= changed,
                // One event's trouble does not keep the others waiting.
                Err(error) => {
                    tracing::warn!(?error, %event, "an event's queue could not be moved on; it is tried again");
                }
            }
        }
        Ok(moved)
    }

    async fn advance_event(&self, tenant: TenantId, event: EventId) -> Result<bool> {
        let until = std::time::Instant::now() + PATIENCE;
        let request_id = format!("queue-{event}").into();
        let ctx =
            Ctx::new(tenant, Principal::System, request_id, (self.store.now(), until), Transport::Internal);
        let ended = self.end(&ctx, event).await?;
        let admitted = self.admit(&ctx, event).await?;
        let active = self.store.active_bookings(tenant, event, (Some(ctx.now), SLICE)).await?;
        let wanting = active.into_iter().map(|(booking, _)| booking).filter(|held| !held.lines.is_empty());
        let mut judged = Vec::new();
        for booking in wanting {
            let claim = Claim::of(&ctx, booking)?;
            let verdict = self.reservations.judge(&claim.ctx, &claim.asked).await;
            judged.push((claim, verdict));
        }
        // All at once, in the order in which they came: so they enter the event's queue and its next batch.
        let reserved =
            join_all(judged.into_iter().map(|(claim, verdict)| self.reserve(claim, verdict))).await;
        let mut moved = ended || admitted;
        for changed in reserved {
            moved |= changed?;
        }
        Ok(moved)
    }

    /// Ends bookings that were used, or not used in time, and all of an event that sells no more; whether there were any.
    async fn end(&self, ctx: &Ctx, event: EventId) -> Result<bool> {
        let changed = AtomicBool::new(false);
        let decide = || async {
            let held = self.store.event(ctx.tenant, event).await?;
            let sells = held.is_some_and(|event| event.text.status == EventStatus::Active);
            let mut changeset = Changeset::new(ctx);
            let asked = (sells.then_some(ctx.now), SLICE);
            for (before, reserved) in self.store.active_bookings(ctx.tenant, event, asked).await? {
                if let Some(after) = ended(ctx, &before, reserved, sells) {
                    changeset = written(ctx, changeset, &before, after);
                }
            }
            if !sells {
                for before in self.store.next_bookings(ctx.tenant, event, SLICE).await? {
                    let after = before.failed(&over(), ctx.now);
                    changeset = written(ctx, changeset, &before, after);
                }
            }
            changed.store(!changeset.is_empty(), Ordering::Relaxed);
            Ok(if changeset.is_empty() { Decision::nothing(()) } else { Decision::change(changeset, ()) })
        };
        self.commands.run(ctx, Operation::BookingCancel, &event, decide).await?;
        Ok(changed.into_inner())
    }

    /// Serves as many more as the queue's terms allow, those who came first before others; whether there were any.
    async fn admit(&self, ctx: &Ctx, event: EventId) -> Result<bool> {
        let changed = AtomicBool::new(false);
        let decide = || async {
            let queue = self.store.queue(ctx.tenant, event).await?;
            let queue = queue.unwrap_or_else(|| Queue::usual(event, ctx.now));
            let (_, active) = self.store.queue_counts(ctx.tenant, event).await?;
            let free = u64::from(queue.served).saturating_sub(active).min(SLICE.into());
            let mut changeset = Changeset::new(ctx);
            if let Ok(free @ 1..) = u32::try_from(free) {
                for before in self.store.next_bookings(ctx.tenant, event, free).await? {
                    let after = before.served(ctx.now, queue.seconds);
                    changeset = written(ctx, changeset, &before, after);
                }
            }
            changed.store(!changeset.is_empty(), Ordering::Relaxed);
            Ok(if changeset.is_empty() { Decision::nothing(()) } else { Decision::change(changeset, ()) })
        };
        self.commands.run(ctx, Operation::BookingCreate, &event, decide).await?;
        Ok(changed.into_inner())
    }

    /// Reserves what a booking says, if that may be; whether it is over now.
    async fn reserve(&self, claim: Claim, verdict: Result<()>) -> Result<bool> {
        let Claim { ctx, asked, booking } = claim;
        let reserved = match verdict {
            Ok(()) => self.reservations.claim(&ctx, asked).await,
            Err(error) => Err(error),
        };
        let held = reserved.as_ref().ok().map(|reservation| reservation.id);
        let after = match reserved {
            Ok(reservation) => booking.done(reservation.id, ctx.now),
            Err(error) if may_succeed_later(&error) => {
                tracing::warn!(?error, booking = %booking.id, "a booking could not be served; it is tried again");
                return Ok(false);
            }
            Err(error) => booking.failed(&error, ctx.now),
        };
        let mut ctx = ctx;
        ctx.idempotency = None;
        let left = AtomicBool::new(false);
        let decide = || async {
            let now = self.store.booking(ctx.tenant, booking.id).await?;
            if now.as_ref() != Some(&booking) {
                let cancelled = now.is_some_and(|now| now.state == BookingState::Cancelled);
                left.store(cancelled, Ordering::Relaxed);
                return Ok(Decision::nothing(()));
            }
            Ok(Decision::change(written(&ctx, Changeset::new(&ctx), &booking, after.clone()), ()))
        };
        self.commands.run(&ctx, Operation::BookingCreate, &booking.id, decide).await?;
        if let Some(held) = held.filter(|_| left.into_inner()) {
            // Its buyer left meanwhile, and gets nothing; if it cannot be given back now, it runs out by itself.
            let _ = self.reservations.release(&ctx, held, Vec::new()).await;
        }
        Ok(true)
    }
}

/// What the host reserves for a booking.
struct Claim {
    ctx: Ctx,
    asked: AskedReservation,
    booking: Booking,
}

impl Claim {
    /// The booking's id is the key: whatever happens in between, it is reserved once.
    fn of(ctx: &Ctx, booking: Booking) -> Result<Self> {
        let mut own = ctx.clone();
        own.idempotency = Some(IdempotencyKey::parse(&format!("booking-{}", booking.id))?);
        let asked = AskedReservation {
            event: booking.event,
            buyer: booking.buyer.clone(),
            lines: booking.lines.clone(),
            seconds: booking.hold_seconds,
        };
        Ok(Self { ctx: own, asked, booking })
    }
}

/// What became of a booking that is served; none: it still is.
fn ended(ctx: &Ctx, before: &Booking, reserved: Option<ReservationId>, sells: bool) -> Option<Booking> {
    match reserved {
        Some(reservation) => Some(before.done(reservation, ctx.now)),
        None if !sells => Some(before.failed(&over(), ctx.now)),
        None if before.active_until.is_some_and(|until| until <= ctx.now) => {
            Some(before.becomes(BookingState::Expired, ctx.now))
        }
        None => None,
    }
}

fn written(ctx: &Ctx, changeset: Changeset, before: &Booking, after: Booking) -> Changeset {
    let fact_type = match after.state {
        BookingState::Active => "booking.served",
        BookingState::Done => "booking.done",
        BookingState::Expired => "booking.expired",
        BookingState::Cancelled => "booking.cancelled",
        BookingState::Failed | BookingState::Waiting => "booking.failed",
    };
    changeset.fact(fact(ctx, fact_type, Some(before), &after)).update(after)
}

fn may_succeed_later(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::Unavailable
            | ErrorKind::Internal
            | ErrorKind::DeadlineExceeded
            | ErrorKind::Conflict
            | ErrorKind::PluginFailed
    )
}

/// The event sells no more.
fn over() -> Error {
    Error::new(ErrorKind::Precondition, "EVENT_NOT_ON_SALE", "the event sells no more")
}
