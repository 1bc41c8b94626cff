//! The service of reservations. Commands wait in their event's queue; whatever can be checked before is.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::access::Operation;
use crate::admission::Tickets;
use crate::command::Commands;
use crate::ctx::{Ctx, Principal, Transport};
use crate::error::{Error, Result};
use crate::fair::WorkLimiter;
use crate::id::{EventId, ReservationId, TenantId, TicketId};
use crate::idempotency::InFlightGuard;
use crate::inventory::event_batcher::EventBatcher;
use crate::inventory::job::{Reserve, ReserveLine};
use crate::inventory::{Command, CreateReservation, Job, JobOutcome, Reservation};
use crate::page::{Page, PageRequest};
use crate::plugin::Entity;
use crate::ports::Store;
use crate::pricing::{Quote, Quotes};
use crate::text::Faults;
use crate::value::{Field, Value};

/// The kind of entity that plugins validate.
const KIND: &str = "reservation";

/// How many events of a tenant are swept in one round, and how long each may take.
const MAX_SWEPT: u32 = 200;
const SWEEP_TIMEOUT: Duration = Duration::from_secs(10);

/// The outcome of the checks before the event's queue.
pub(crate) enum CheckedRequest {
    /// The request may enter the queue.
    New(Box<NewRequest>),
    /// The reservation of the same command, which was carried out before.
    Repeated(Box<Reservation>),
}

/// A request that may enter its event's queue.
pub(crate) struct NewRequest {
    request: CreateReservation,
    /// `None`: the base prices apply.
    quote: Option<Quote>,
    in_flight: Option<InFlightGuard>,
}

/// Creates, reads, confirms, extends, releases and expires reservations.
#[derive(Clone)]
pub struct Reservations {
    store: Arc<dyn Store>,
    commands: Commands,
    batcher: EventBatcher,
    tickets: Tickets,
    quotes: Quotes,
}

impl Reservations {
    /// Creates the service.
    #[must_use]
    pub fn new(
        store: Arc<dyn Store>,
        commands: Commands,
        batcher: EventBatcher,
        tickets: Tickets,
        quotes: Quotes,
    ) -> Self {
        Self { store, commands, batcher, tickets, quotes }
    }

    /// Reserves units of an event's ticket types, all or none of them. What the request leaves out is taken from its
    /// quote. Returns the reservation and the pricing plugins that failed, and that its quote was made without.
    pub async fn reserve(&self, ctx: &Ctx, request: CreateReservation) -> Result<(Reservation, Vec<String>)> {
        let checked = self.check(ctx, request).await?;
        let passed_over = match &checked {
            CheckedRequest::New(new) => new.quote.as_ref().map(Quote::passed_over).unwrap_or_default(),
            CheckedRequest::Repeated(_) => Vec::new(),
        };
        let reservation = self.submit_checked(ctx, checked).await?;
        let Some(quote) = reservation.quote.filter(|_| ctx.was_replayed()) else {
            return Ok((reservation, passed_over));
        };
        let quote = self.store.quote(ctx.tenant, quote).await?;
        Ok((reservation, quote.map(|quote| quote.passed_over()).unwrap_or_default()))
    }

    /// Does what comes before the event's queue: checks rights, bounds and plugins, and makes the quote or reads the one
    /// that is named.
    pub(crate) async fn check(&self, ctx: &Ctx, mut request: CreateReservation) -> Result<CheckedRequest> {
        ctx.allow(Operation::ReservationCreate)?;
        let in_flight = self.commands.enter(ctx, Operation::ReservationCreate, &request)?;
        // A repeat needs neither its quote nor plugins, and never enters the queue: there it would be a new reservation
        // at base prices if its record expired meanwhile.
        let repeated = || self.commands.repeated(ctx, in_flight.as_ref());
        let mut quote = None;
        if let Some(id) = request.quote {
            if let Some(reservation) = repeated().await? {
                return Ok(CheckedRequest::Repeated(Box::new(reservation)));
            }
            quote = Some(self.quotes.named(ctx, id, &mut request).await?);
        }
        request.check()?;
        let (event, hooks) = (request.event()?, self.commands.hooks());
        let validates = hooks.validates(ctx, KIND, event).await?;
        let needs_quote = quote.is_none() && self.quotes.may_apply(ctx, &request).await?;
        if (validates || needs_quote)
            && request.quote.is_none()
            && let Some(reservation) = repeated().await?
        {
            return Ok(CheckedRequest::Repeated(Box::new(reservation)));
        }
        if validates {
            hooks.validate(ctx, ("reserve", KIND, event), entity(&request)).await?;
        }
        if needs_quote {
            quote = self.quotes.for_reservation(ctx, &request).await?;
        }
        Ok(CheckedRequest::New(Box::new(NewRequest { request, quote, in_flight })))
    }

    /// Submits a request that [`check`](Self::check) has accepted. It enters the event's queue when the future is
    /// first polled.
    pub(crate) async fn submit_checked(&self, ctx: &Ctx, checked: CheckedRequest) -> Result<Reservation> {
        let NewRequest { request, quote, in_flight } = match checked {
            CheckedRequest::New(new) => *new,
            CheckedRequest::Repeated(reservation) => return Ok(*reservation),
        };
        let key = in_flight.as_ref().map(|guard| guard.key().clone());
        let event = request.event()?;
        self.submit(ctx, event, Job::new(ctx, Command::Reserve(command(request, quote)), key)).await
    }

    /// Confirms a held reservation, and issues its tickets.
    pub async fn confirm(
        &self,
        ctx: &Ctx,
        id: ReservationId,
        payment_reference: String,
    ) -> Result<Reservation> {
        ctx.allow(Operation::ReservationConfirm)?;
        let mut faults = Faults::default();
        faults.text("payment_reference", &payment_reference, 1, 255);
        faults.into_result()?;
        let reservation = self.found(ctx, id).await?;
        let event = reservation.event;
        let hooks = self.commands.hooks();
        if hooks.validates(ctx, KIND, event).await?
            && !self.commands.is_repeat(ctx, Operation::ReservationConfirm).await?
        {
            let payment_reference = Some(payment_reference.clone());
            let entity = Entity::reservation(&Reservation { payment_reference, ..reservation });
            hooks.validate(ctx, ("confirm", KIND, event), entity).await?;
        }
        let command = Command::Confirm { id, payment_reference, if_version: ctx.if_version.clone() };
        self.change(ctx, Operation::ReservationConfirm, id, command).await
    }

    /// Extends a held reservation, as far as the event's rules allow.
    pub async fn extend(&self, ctx: &Ctx, id: ReservationId, seconds: Option<u32>) -> Result<Reservation> {
        ctx.allow(Operation::ReservationExtend)?;
        let command = Command::Extend { id, seconds, if_version: ctx.if_version.clone() };
        self.change(ctx, Operation::ReservationExtend, id, command).await
    }

    /// Releases units of a held reservation; all of them if `units` is empty.
    pub async fn release(&self, ctx: &Ctx, id: ReservationId, units: Vec<TicketId>) -> Result<Reservation> {
        ctx.allow(Operation::ReservationRelease)?;
        let command = Command::Release { id, units, if_version: ctx.if_version.clone() };
        self.change(ctx, Operation::ReservationRelease, id, command).await
    }

    /// Returns a reservation.
    pub async fn get(&self, ctx: &Ctx, id: ReservationId) -> Result<Reservation> {
        ctx.allow(Operation::ReservationGet)?;
        self.found(ctx, id).await
    }

    /// Returns a page of reservations.
    pub async fn list(&self, ctx: &Ctx, page: &PageRequest) -> Result<Page<Reservation>> {
        ctx.allow(Operation::ReservationList)?;
        self.store.reservations(ctx.tenant, page).await
    }

    /// Ends due holds of a tenant, and cleans up its cancelled events. Returns whether there may be more.
    pub async fn sweep(&self, tenant: TenantId, limiter: &WorkLimiter) -> Result<bool> {
        let due = self.store.due_events(tenant, MAX_SWEPT).await?;
        let sweep = |event| async move {
            let swept = self.sweep_event(tenant, event).await;
            swept.unwrap_or_else(|error| {
                tracing::warn!(?error, %event, "holds not ended; retrying");
                false
            })
        };
        Ok(limiter.for_each(tenant, due, sweep).await > 0)
    }

    async fn sweep_event(&self, tenant: TenantId, event: EventId) -> Result<bool> {
        let deadline = Instant::now() + SWEEP_TIMEOUT;
        let request_id = format!("sweep-{event}").into();
        let time = (self.store.now(), deadline);
        let ctx = Ctx::new(tenant, Principal::System, request_id, time, Transport::Internal);
        match self.batcher.submit(tenant, event, Job::new(&ctx, Command::Sweep, None)).await? {
            JobOutcome::Swept(0) => {
                let more = self.tickets.cancel_slice(tenant, event).await?;
                self.store.note_swept(tenant, event).await.map(|()| more)
            }
            _ => Ok(true),
        }
    }

    async fn change(
        &self,
        ctx: &Ctx,
        operation: Operation,
        id: ReservationId,
        command: Command,
    ) -> Result<Reservation> {
        let before = self.found(ctx, id).await?;
        let in_flight = self.commands.enter(ctx, operation, &command)?;
        let key = in_flight.as_ref().map(|guard| guard.key().clone());
        let job = Job::new(ctx, command, key).of_units(before.units.len());
        self.submit(ctx, before.event, job).await
    }

    async fn submit(&self, ctx: &Ctx, event: EventId, job: Job) -> Result<Reservation> {
        match self.batcher.submit(ctx.tenant, event, job).await? {
            JobOutcome::Done(reservation) => Ok(*reservation),
            JobOutcome::Replayed(record) => {
                ctx.note_replay();
                record.answer.try_into()
            }
            JobOutcome::Swept(_) => Err(Error::internal(anyhow::anyhow!("unexpected outcome of a sweep"))),
        }
    }

    async fn found(&self, ctx: &Ctx, id: ReservationId) -> Result<Reservation> {
        self.store.reservation(ctx.tenant, id).await?.ok_or_else(|| Error::not_found("reservation"))
    }
}

/// Converts a request to a command, with ids for the reservation and its units.
fn command(request: CreateReservation, quote: Option<Quote>) -> Reserve {
    let lines = request.lines.into_iter().map(|line| ReserveLine {
        ticket_type: line.ticket_type,
        units: (0..line.quantity).map(|_| TicketId::generate()).collect(),
        seats: line.seats,
        category: line.category,
    });
    Reserve {
        id: ReservationId::generate(),
        buyer: request.buyer,
        lines: lines.collect(),
        seconds: request.seconds,
        quote: quote.map(Arc::new),
        quote_is_stored: request.quote.is_some(),
    }
}

/// Returns a requested reservation as validation plugins see it.
fn entity(request: &CreateReservation) -> Entity {
    let units = request.lines.iter().map(|line| u64::from(line.quantity)).sum();
    let lines = request.lines.iter().map(|line| format!("{} {}", line.quantity, line.ticket_type)).collect();
    let seats = request
        .lines
        .iter()
        .flat_map(|line| line.seats.iter().map(|seat| format!("{}/{seat}", line.ticket_type)));
    let fields = vec![
        Field::new("event_id", Value::from(request.event)),
        Field::new("buyer_id", request.buyer.as_str()),
        Field::new("quantity", Value::count(Some(units))),
        Field::new("lines", Value::Texts(lines)),
        Field::new("seats", Value::Texts(seats.collect())),
    ];
    Entity { kind: KIND.to_owned(), id: String::new(), version: 0, fields }
}
