//! The service of bookings and queues.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::Notify;

use crate::access::{ObjectKind, Operation};
use crate::booking::position_stream::PositionStream;
use crate::booking::queue::{MAX_WAITING, QueueStatus};
use crate::booking::queue_positions::QueuePositions;
use crate::booking::{Booking, BookingPosition, BookingState, CreateBooking, Queue};
use crate::catalog::Event;
use crate::changeset::Changeset;
use crate::command::{Commands, Decision};
use crate::ctx::Ctx;
use crate::error::{Error, ErrorKind, Result};
use crate::id::{BookingId, EventId};
use crate::inventory::terms::{TypeTerms, check_lines, check_on_sale, hold_seconds};
use crate::outbox::{NewFact, ObjectRef};
use crate::ports::Store;
use crate::value::{Snapshot, diff};

/// Creates, reads, streams and cancels bookings, and changes the settings of queues.
#[derive(Clone)]
pub struct Bookings {
    store: Arc<dyn Store>,
    commands: Commands,
    positions: QueuePositions,
    queue_changed: Arc<Notify>,
}

impl Bookings {
    /// Creates the service. It signals `queue_changed` after each change of a queue.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, commands: Commands, queue_changed: Arc<Notify>) -> Self {
        let positions = QueuePositions::new(Arc::clone(&store));
        Self { store, commands, positions, queue_changed }
    }

    /// Adds a buyer to the end of an event's queue. Refuses a buyer that is in it already.
    pub async fn enqueue(&self, ctx: &Ctx, request: CreateBooking) -> Result<BookingPosition> {
        ctx.allow(Operation::BookingCreate)?;
        request.check()?;
        let decide = || async {
            let event = self.event(ctx, request.event).await?;
            check_on_sale((event.attributes.status, event.attributes.ends_at), ctx.now)?;
            self.check_terms(ctx, &event, &request).await?;
            if let Some(open) = self.store.open_booking(ctx.tenant, event.id, &request.buyer).await? {
                let message = format!("the buyer is in the queue already, as booking {}", open.id);
                return Err(Error::exists("booking", message));
            }
            let (waiting, _) = self.store.queue_counts(ctx.tenant, event.id).await?;
            if waiting >= MAX_WAITING {
                let message =
                    format!("{waiting} bookings wait for the event, which is the most; try again later");
                return Err(Error::unavailable(message, std::time::Duration::from_secs(30)));
            }
            let booking = Booking {
                id: BookingId::generate(),
                event: event.id,
                buyer: request.buyer.clone(),
                lines: request.lines.clone(),
                hold_seconds: request.hold_seconds,
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
        let booking = self.commands.run(ctx, Operation::BookingCreate, &request, decide).await?;
        self.queue_changed.notify_one();
        self.with_position(ctx, booking).await
    }

    /// Returns a booking with its position.
    pub async fn get(&self, ctx: &Ctx, id: BookingId) -> Result<BookingPosition> {
        ctx.allow(Operation::BookingGet)?;
        let booking = self.found(ctx, id).await?;
        self.with_position(ctx, booking).await
    }

    /// Streams a booking with its position until its state is final.
    pub async fn stream(&self, ctx: &Ctx, id: BookingId) -> Result<PositionStream> {
        ctx.allow(Operation::BookingStream)?;
        self.found(ctx, id).await?;
        Ok(PositionStream::new(Arc::clone(&self.store), self.positions.clone(), (ctx.tenant, id)))
    }

    /// Cancels a booking.
    pub async fn cancel(&self, ctx: &Ctx, id: BookingId) -> Result<Booking> {
        let decide = || async {
            let before = self.found(ctx, id).await?;
            ctx.check_version(before.version)?;
            let after = before.cancelled(ctx.now)?;
            let fact = fact(ctx, "booking.cancelled", Some(&before), &after);
            Ok(Decision::change(Changeset::new(ctx).fact(fact).update(after.clone()), after))
        };
        let booking =
            self.commands.run(ctx, Operation::BookingCancel, &(id, &ctx.if_version), decide).await?;
        self.queue_changed.notify_one();
        Ok(booking)
    }

    /// Returns the state of an event's queue.
    pub async fn status(&self, ctx: &Ctx, event: EventId) -> Result<QueueStatus> {
        ctx.allow(Operation::QueueGet)?;
        let parent = self.event(ctx, event).await?;
        if !parent.is_public() && !ctx.is_authenticated() {
            return Err(Error::not_found("event"));
        }
        let (waiting, active) = self.store.queue_counts(ctx.tenant, event).await?;
        Ok(QueueStatus { queue: self.queue(ctx, event).await?, waiting, active })
    }

    /// Changes the settings of an event's queue: active bookings, seconds, and whether it is required.
    pub async fn set(&self, ctx: &Ctx, event: EventId, settings: (u32, u32, bool)) -> Result<Queue> {
        let (max_active, active_seconds, required) = settings;
        let decide = || async {
            let parent = self.event(ctx, event).await?;
            let before = self.queue(ctx, event).await?;
            ctx.check_version(before.version)?;
            let mut after = Queue { max_active, active_seconds, required, ..before };
            after.check()?;
            if after == before && before.version > 0 {
                return Ok(Decision::nothing(after));
            }
            after.version += 1;
            after.updated_at = ctx.now;
            let fact = queue_fact(ctx, (before.version > 0).then_some(&before), &after);
            let changeset = Changeset::new(ctx).expect(&parent).fact(fact);
            let changeset = if before.version == 0 {
                changeset.insert(after.clone())
            } else {
                changeset.update(after.clone())
            };
            Ok(Decision::change(changeset, after))
        };
        let queue =
            self.commands.run(ctx, Operation::QueueSet, &(event, settings, &ctx.if_version), decide).await?;
        self.queue_changed.notify_one();
        Ok(queue)
    }

    /// Refuses lines that could never be reserved, whatever is available when the booking becomes active.
    async fn check_terms(&self, ctx: &Ctx, event: &Event, request: &CreateBooking) -> Result<()> {
        if request.hold_seconds.is_some() {
            let tenant = self.store.hold_rules(ctx.tenant).await?.map(|tenant| tenant.rules);
            let rules = event.attributes.hold_rules().or(tenant.unwrap_or_default());
            hold_seconds(rules, request.hold_seconds)?;
        }
        if request.lines.is_empty() {
            return Ok(());
        }
        let types = self.store.ticket_types(ctx.tenant, event.id).await?;
        let types: BTreeMap<_, _> = types.iter().map(|each| (each.id, TypeTerms::of(each))).collect();
        let lines = request.lines.iter();
        check_lines(&types, lines.map(|line| (line.ticket_type, line.quantity as usize, &line.seats[..])))?;
        for (index, line) in request.lines.iter().enumerate() {
            if let Some(terms) = types.get(&line.ticket_type).filter(|terms| terms.hidden) {
                return Err(hidden_type(index, &terms.name));
            }
        }
        Ok(())
    }

    async fn with_position(&self, ctx: &Ctx, booking: Booking) -> Result<BookingPosition> {
        let position = match booking.state {
            BookingState::Waiting => Some(self.store.bookings_before(ctx.tenant, &booking).await? + 1),
            _ => None,
        };
        Ok(BookingPosition { booking, position })
    }

    async fn queue(&self, ctx: &Ctx, event: EventId) -> Result<Queue> {
        let stored = self.store.queue(ctx.tenant, event).await?;
        Ok(stored.unwrap_or_else(|| Queue::default_of(event, ctx.now)))
    }

    async fn event(&self, ctx: &Ctx, id: EventId) -> Result<Event> {
        self.store.event(ctx.tenant, id).await?.ok_or_else(|| Error::not_found("event"))
    }

    async fn found(&self, ctx: &Ctx, id: BookingId) -> Result<Booking> {
        self.store.booking(ctx.tenant, id).await?.ok_or_else(|| Error::not_found("booking"))
    }
}

/// The refusal of a line whose ticket type is hidden: bookings have no codes.
fn hidden_type(index: usize, name: &str) -> Error {
    let message = format!(
        "is {name:?}, which is sold only with a code; enter the queue without lines, and reserve with the code when \
         the booking is active"
    );
    Error::new(ErrorKind::Precondition, "ACCESS_CODE_REQUIRED", "")
        .at(&format!("lines[{index}].ticket_type_id"), message)
}

/// Creates a fact about a booking.
pub(super) fn fact(ctx: &Ctx, fact_type: &'static str, before: Option<&Booking>, after: &Booking) -> NewFact {
    new_fact(ctx, fact_type, (ObjectKind::Booking, after.id.to_string(), after.version), (before, after))
        .in_event(after.event)
}

fn queue_fact(ctx: &Ctx, before: Option<&Queue>, after: &Queue) -> NewFact {
    new_fact(ctx, "queue.set", (ObjectKind::Queue, after.id.to_string(), after.version), (before, after))
        .in_event(after.id)
}

fn new_fact<T: Snapshot>(
    ctx: &Ctx,
    fact_type: &'static str,
    (kind, id, version): (ObjectKind, String, u64),
    (before, after): (Option<&T>, &T),
) -> NewFact {
    let mut changes = diff(before, Some(after));
    changes.retain(|change| before.is_some() || !change.after.is_none());
    NewFact::new(ctx, fact_type, ObjectRef { kind, id, version }, changes)
}
