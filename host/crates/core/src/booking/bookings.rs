//! What clients do with an event's queue.

use std::sync::Arc;

use tokio::sync::Notify;

use crate::access::{ObjectKind, Operation};
use crate::booking::following::{Following, Orders};
use crate::booking::model::MAX_WAITING;
use crate::booking::{Booking, BookingState, Queue};
use crate::catalog::Event;
use crate::changeset::Changeset;
use crate::command::{Commands, Decision};
use crate::ctx::Ctx;
use crate::error::{Error, Result};
use crate::id::{BookingId, EventId};
use crate::inventory::AskedLine;
use crate::inventory::reservations::check_lines;
use crate::inventory::terms::{TypeTerms, check_wanted, hold_for, on_sale};
use crate::outbox::{NewFact, ObjectRef};
use crate::ports::Store;
use crate::text::Faults;
use crate::value::{Snapshot, diff};

/// A place that somebody wants.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct AskedBooking {
    /// The event.
    pub event: EventId,
    /// Whose place it is to be.
    pub buyer: String,
    /// What is to be reserved when it is its turn; nothing: the buyer reserves.
    pub lines: Vec<AskedLine>,
    /// How many seconds that is held; none: as long as is usual.
    pub hold_seconds: Option<u32>,
}

/// A booking, and where it stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Standing {
    /// The booking.
    pub booking: Booking,
    /// Its place among those that wait, from 1; none: it does not wait.
    pub position: Option<u64>,
}

/// An event's queue, and how many are in it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct QueueStatus {
    /// Its terms.
    pub queue: Queue,
    /// How many wait.
    pub waiting: u64,
    /// How many are served.
    pub active: u64,
}

/// Carries out what clients do with queues.
#[derive(Clone)]
pub struct Bookings {
    store: Arc<dyn Store>,
    commands: Commands,
    orders: Orders,
    news: Arc<Notify>,
}

impl AskedBooking {
    fn check(&self) -> Result<()> {
        let mut faults = Faults::default();
        faults.text("user_id", &self.buyer, 1, 255);
        if !self.lines.is_empty() {
            check_lines(&self.lines, &mut faults);
        }
        faults.into_result()
    }
}

impl Bookings {
    /// The service; `news` is told of everybody who comes or leaves.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, commands: Commands, news: Arc<Notify>) -> Self {
        let orders = Orders::new(Arc::clone(&store));
        Self { store, commands, orders, news }
    }

    /// Puts a buyer at the end of an event's queue. Who is in it already has one place, and no second.
    pub async fn enqueue(&self, ctx: &Ctx, asked: AskedBooking) -> Result<Standing> {
        ctx.allow(Operation::BookingCreate)?;
        asked.check()?;
        let decide = || async {
            let event = self.event(ctx, asked.event).await?;
            on_sale((event.text.status, event.text.ends_at), ctx.now)?;
            self.check_asked(ctx, &event, &asked).await?;
            if let Some(held) = self.store.open_booking(ctx.tenant, event.id, &asked.buyer).await? {
                let message = format!("the buyer is in the queue already, as booking {}", held.id);
                return Err(Error::exists("booking", message));
            }
            let (waiting, _) = self.store.queue_counts(ctx.tenant, event.id).await?;
            if waiting >= MAX_WAITING {
                let message = format!("{waiting} wait for the event, and no more can; try again later");
                return Err(Error::unavailable(message, std::time::Duration::from_secs(30)));
            }
            let booking = Booking {
                id: BookingId::generate(),
                event: event.id,
                buyer: asked.buyer.clone(),
                lines: asked.lines.clone(),
                hold_seconds: asked.hold_seconds,
                state: BookingState::Waiting,
                entered_at: ctx.now,
                active_at: None,
                active_until: None,
                reservation: None,
                failure: None,
                created_by: ctx.principal.to_string(),
                updated_at: ctx.now,
                version: 1,
            };
            let changeset = Changeset::new(ctx).fact(fact(ctx, "booking.entered", None, &booking));
            Ok(Decision::change(changeset.insert(booking.clone()), booking))
        };
        let booking = self.commands.run(ctx, Operation::BookingCreate, &asked, decide).await?;
        self.news.notify_one();
        self.standing(ctx, booking).await
    }

    /// Shows a booking and its place.
    pub async fn get(&self, ctx: &Ctx, id: BookingId) -> Result<Standing> {
        ctx.allow(Operation::BookingGet)?;
        let booking = self.found(ctx, id).await?;
        self.standing(ctx, booking).await
    }

    /// Follows a booking and its place until nothing will become of it any more.
    pub async fn follow(&self, ctx: &Ctx, id: BookingId) -> Result<Following> {
        ctx.allow(Operation::BookingStream)?;
        self.found(ctx, id).await?;
        Ok(Following::new(Arc::clone(&self.store), self.orders.clone(), (ctx.tenant, id)))
    }

    /// Takes a booking out of the queue.
    pub async fn cancel(&self, ctx: &Ctx, id: BookingId) -> Result<Booking> {
        let decide = || async {
            let before = self.found(ctx, id).await?;
            ctx.check_version(before.version)?;
            let after = before.cancelled(ctx.now)?;
            let fact = fact(ctx, "booking.cancelled", Some(&before), &after);
            Ok(Decision::change(Changeset::new(ctx).fact(fact).update(after.clone()), after))
        };
        let booking = self.commands.run(ctx, Operation::BookingCancel, &(id, ctx.if_version), decide).await?;
        self.news.notify_one();
        Ok(booking)
    }

    /// Shows an event's queue.
    pub async fn status(&self, ctx: &Ctx, event: EventId) -> Result<QueueStatus> {
        ctx.allow(Operation::QueueGet)?;
        let held = self.event(ctx, event).await?;
        if !held.is_public() && !ctx.is_known() {
            return Err(Error::not_found("event"));
        }
        let (waiting, active) = self.store.queue_counts(ctx.tenant, event).await?;
        Ok(QueueStatus { queue: self.queue(ctx, event).await?, waiting, active })
    }

    /// Says how an event's buyers are served.
    pub async fn set(&self, ctx: &Ctx, event: EventId, terms: (u32, u32, bool)) -> Result<Queue> {
        let (served, seconds, required) = terms;
        let decide = || async {
            let held = self.event(ctx, event).await?;
            let before = self.queue(ctx, event).await?;
            ctx.check_version(before.version)?;
            let mut after = Queue { served, seconds, required, ..before };
            after.check()?;
            if after == before && before.version > 0 {
                return Ok(Decision::nothing(after));
            }
            after.version += 1;
            after.updated_at = ctx.now;
            let fact = queue_fact(ctx, (before.version > 0).then_some(&before), &after);
            let changeset = Changeset::new(ctx).expect(&held).fact(fact);
            let changeset = if before.version == 0 {
                changeset.insert(after.clone())
            } else {
                changeset.update(after.clone())
            };
            Ok(Decision::change(changeset, after))
        };
        let queue =
            self.commands.run(ctx, Operation::QueueSet, &(event, terms, ctx.if_version), decide).await?;
        self.news.notify_one();
        Ok(queue)
    }

    /// Refuses what could never be reserved, whatever is left when its turn comes and whichever types are on sale then.
    async fn check_asked(&self, ctx: &Ctx, event: &Event, asked: &AskedBooking) -> Result<()> {
        if asked.hold_seconds.is_some() {
            let tenants = self.store.hold_rules(ctx.tenant).await?.map(|held| held.rules);
            hold_for(event.text.holds().or(tenants.unwrap_or_default()), asked.hold_seconds)?;
        }
        if asked.lines.is_empty() {
            return Ok(());
        }
        let types = self.store.ticket_types(ctx.tenant, event.id).await?;
        let types = types.iter().map(|held| (held.id, TypeTerms::of(held))).collect();
        let wanted = asked.lines.iter();
        check_wanted(&types, wanted.map(|line| (line.ticket_type, line.quantity as usize, &line.seats[..])))
    }

    async fn standing(&self, ctx: &Ctx, booking: Booking) -> Result<Standing> {
        let position = match booking.state {
            BookingState::Waiting => Some(self.store.bookings_before(ctx.tenant, &booking).await? + 1),
            _ => None,
        };
        Ok(Standing { booking, position })
    }

    async fn queue(&self, ctx: &Ctx, event: EventId) -> Result<Queue> {
        let held = self.store.queue(ctx.tenant, event).await?;
        Ok(held.unwrap_or_else(|| Queue::usual(event, ctx.now)))
    }

    async fn event(&self, ctx: &Ctx, id: EventId) -> Result<Event> {
        self.store.event(ctx.tenant, id).await?.ok_or_else(|| Error::not_found("event"))
    }

    async fn found(&self, ctx: &Ctx, id: BookingId) -> Result<Booking> {
        self.store.booking(ctx.tenant, id).await?.ok_or_else(|| Error::not_found("booking"))
    }
}

/// A fact about a booking.
pub(super) fn fact(ctx: &Ctx, fact_type: &'static str, before: Option<&Booking>, after: &Booking) -> NewFact {
    told(ctx, fact_type, (ObjectKind::Booking, after.id.to_string(), after.version), (before, after))
        .in_event(after.event)
}

fn queue_fact(ctx: &Ctx, before: Option<&Queue>, after: &Queue) -> NewFact {
    told(ctx, "queue.set", (ObjectKind::Queue, after.id.to_string(), after.version), (before, after))
        .in_event(after.id)
}

fn told<T: Snapshot>(
    ctx: &Ctx,
    fact_type: &'static str,
    (kind, id, version): (ObjectKind, String, u64),
    (before, after): (Option<&T>, &T),
) -> NewFact {
    let mut changes = diff(before, Some(after));
    changes.retain(|change| before.is_some() || !change.after.is_none());
    NewFact::new(ctx, fact_type, ObjectRef { kind, id, version }, changes)
}
