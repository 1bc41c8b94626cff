//! What can be done with reservations. Each command waits in its event's queue; what can be told before, is.

use std::sync::Arc;

use crate::access::Operation;
use crate::admission::Tickets;
use crate::changeset::Recorded;
use crate::command::Commands;
use crate::ctx::{Ctx, Principal, Transport};
use crate::error::{Error, Result};
use crate::id::{EventId, ReservationId, TenantId, TicketId, TicketTypeId};
use crate::idempotency::{Fingerprint, Scope};
use crate::inventory::job::{Reserve, Wanted};
use crate::inventory::queue::Combiner;
use crate::inventory::reservation::{MAX_LINES, MAX_UNITS};
use crate::inventory::{Command, Job, Outcome, Reservation};
use crate::page::{Page, PageRequest};
use crate::plugin::Entity;
use crate::ports::Store;
use crate::text::Faults;
use crate::value::{Field, Value};

/// What plugins know a reservation by.
const KIND: &str = "reservation";

/// How many events are swept at once.
const EVENTS: u32 = 200;

/// How long a sweep may take.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(10);

/// Units of a ticket type that a client wants.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct AskedLine {
    /// The type.
    pub ticket_type: TicketTypeId,
    /// How many.
    pub quantity: u32,
    /// Labels of seats; none: any that are free.
    pub seats: Vec<String>,
}

/// What a client wants to reserve.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct AskedReservation {
    /// The event.
    pub event: EventId,
    /// For whom it is.
    pub buyer: String,
    /// What is wanted.
    pub lines: Vec<AskedLine>,
    /// How many seconds it is held; none: as long as is usual.
    pub seconds: Option<u32>,
}

/// Carries out what is done with reservations.
#[derive(Clone)]
pub struct Reservations {
    store: Arc<dyn Store>,
    commands: Commands,
    combiner: Combiner,
    tickets: Tickets,
}

impl AskedReservation {
    /// Checks what clients may write.
    fn check(&self) -> Result<()> {
        let mut faults = Faults::default();
        faults.text("user_id", &self.buyer, 1, 255);
        check_lines(&self.lines, &mut faults);
        faults.into_result()
    }

    /// What is wanted, as validations see it.
    fn entity(&self) -> Entity {
        let units = self.lines.iter().map(|line| u64::from(line.quantity)).sum();
        let lines = self.lines.iter().map(|line| format!("{} {}", line.quantity, line.ticket_type)).collect();
        let seats = self
            .lines
            .iter()
            .flat_map(|line| line.seats.iter().map(|seat| format!("{}/{seat}", line.ticket_type)));
        let fields = vec![
            Field::new("event_id", Value::from(Some(self.event))),
            Field::new("buyer_id", self.buyer.as_str()),
            Field::new("quantity", Value::count(Some(units))),
            Field::new("lines", Value::Texts(lines)),
            Field::new("seats", Value::Texts(seats.collect())),
        ];
        Entity { kind: KIND.to_owned(), id: String::new(), version: 0, fields }
    }

    fn command(self) -> Reserve {
        let lines = self.lines.into_iter().map(|line| Wanted {
            ticket_type: line.ticket_type,
            units: (0..line.quantity).map(|_| TicketId::generate()).collect(),
            seats: line.seats,
        });
        Reserve {
            id: ReservationId::generate(),
            buyer: self.buyer,
            lines: lines.collect(),
            seconds: self.seconds,
        }
    }
}

/// Checks what clients may want.
pub(crate) fn check_lines(lines: &[AskedLine], faults: &mut Faults) {
    if lines.is_empty() || lines.len() > MAX_LINES {
        faults.add("lines", format_args!("has {} entries; 1 to {MAX_LINES} are allowed", lines.len()));
    }
    for (index, line) in lines.iter().enumerate() {
        if line.quantity == 0 || line.quantity > MAX_UNITS {
            let field = format!("lines[{index}].quantity");
            faults.add(&field, format_args!("is {}; 1 to {MAX_UNITS} are allowed", line.quantity));
        }
        let field = format!("lines[{index}].seat_numbers");
        if !line.seats.is_empty() && line.seats.len() != line.quantity as usize {
            faults.add(&field, format_args!("names {} seats for {} units", line.seats.len(), line.quantity));
        }
        for seat in &line.seats {
            faults.text(&field, seat, 1, 50);
        }
    }
    let units: u64 = lines.iter().map(|line| u64::from(line.quantity)).sum();
    if units > u64::from(MAX_UNITS) {
        faults.add("lines", format_args!("have {units} units together; at most {MAX_UNITS} are allowed"));
    }
}

impl Reservations {
    /// The service.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, commands: Commands, combiner: Combiner, tickets: Tickets) -> Self {
        Self { store, commands, combiner, tickets }
    }

    /// Claims units of an event's ticket types, all or none of them.
    pub async fn reserve(&self, ctx: &Ctx, asked: AskedReservation) -> Result<Reservation> {
        self.judge(ctx, &asked).await?;
        self.claim(ctx, asked).await
    }

    /// What is to be said before a reservation waits in its event's queue.
    pub(crate) async fn judge(&self, ctx: &Ctx, asked: &AskedReservation) -> Result<()> {
        ctx.allow(Operation::ReservationCreate)?;
        asked.check()?;
        self.validate(ctx, (Operation::ReservationCreate, "reserve"), || asked.entity()).await
    }

    /// Lets a reservation that was judged wait in its event's queue: it enters when this is first polled.
    pub(crate) async fn claim(&self, ctx: &Ctx, asked: AskedReservation) -> Result<Reservation> {
        let fingerprint = Fingerprint::of(&asked);
        let event = asked.event;
        self.carry_out(
            ctx,
            Operation::ReservationCreate,
            event,
            (fingerprint, Command::Reserve(asked.command())),
        )
        .await
    }

    /// Sells what is held.
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
        let held = self.found(ctx, id).await?;
        let subject = || {
            let payment_reference = Some(payment_reference.clone());
            Entity::reservation(&Reservation { payment_reference, ..held })
        };
        self.validate(ctx, (Operation::ReservationConfirm, "confirm"), subject).await?;
        let command = Command::Confirm { id, payment_reference, if_version: ctx.if_version };
        self.change(ctx, Operation::ReservationConfirm, id, command).await
    }

    /// Holds for longer, as far as the event allows.
    pub async fn extend(&self, ctx: &Ctx, id: ReservationId, seconds: Option<u32>) -> Result<Reservation> {
        ctx.allow(Operation::ReservationExtend)?;
        let command = Command::Extend { id, seconds, if_version: ctx.if_version };
        self.change(ctx, Operation::ReservationExtend, id, command).await
    }

    /// Gives back what is held: these units, or all.
    pub async fn release(&self, ctx: &Ctx, id: ReservationId, units: Vec<TicketId>) -> Result<Reservation> {
        ctx.allow(Operation::ReservationRelease)?;
        let command = Command::Release { id, units, if_version: ctx.if_version };
        self.change(ctx, Operation::ReservationRelease, id, command).await
    }

    /// Shows a reservation.
    pub async fn get(&self, ctx: &Ctx, id: ReservationId) -> Result<Reservation> {
        ctx.allow(Operation::ReservationGet)?;
        self.found(ctx, id).await
    }

    /// Lists reservations.
    pub async fn list(&self, ctx: &Ctx, page: &PageRequest) -> Result<Page<Reservation>> {
        ctx.allow(Operation::ReservationList)?;
        self.store.reservations(ctx.tenant, page).await
    }

    /// Events of which something is due to be ended.
    pub async fn due(&self) -> Result<Vec<(TenantId, EventId)>> {
        self.store.due_events(EVENTS).await
    }

    /// Ends what is due of these events; whether there may be more.
    pub async fn sweep(&self, due: Vec<(TenantId, EventId)>) -> Result<bool> {
        let mut more = false;
        for (tenant, event) in due {
            more |= self.sweep_event(tenant, event).await?;
        }
        Ok(more)
    }

    async fn sweep_event(&self, tenant: TenantId, event: EventId) -> Result<bool> {
        let until = std::time::Instant::now() + PATIENCE;
        let request_id = format!("sweep-{event}").into();
        let ctx =
            Ctx::new(tenant, Principal::System, request_id, (self.store.now(), until), Transport::Internal);
        match self.combiner.submit(tenant, event, Job::new(&ctx, Command::Sweep, None)).await? {
            Outcome::Swept(0) => {
                let more = self.tickets.cancel_slice(tenant, event).await?;
                self.store.note_swept(tenant, event).await.map(|()| more)
            }
            _ => Ok(true),
        }
    }

    /// Lets plugins judge, before the queue and never in it. A repeat is not judged again: it gets its answer.
    async fn validate(
        &self,
        ctx: &Ctx,
        (operation, name): (Operation, &'static str),
        subject: impl FnOnce() -> Entity,
    ) -> Result<()> {
        let hooks = self.commands.hooks();
        if !hooks.validates(ctx, KIND).await? {
            return Ok(());
        }
        if let Some(key) = ctx.idempotency.clone() {
            let scope = Scope { tenant: ctx.tenant, principal: ctx.principal.to_string(), operation, key };
            if self.store.recorded(&scope).await?.is_some() {
                return Ok(());
            }
        }
        hooks.validate(ctx, (name, KIND), subject()).await
    }

    async fn change(
        &self,
        ctx: &Ctx,
        operation: Operation,
        id: ReservationId,
        command: Command,
    ) -> Result<Reservation> {
        let event = self.found(ctx, id).await?.event;
        let fingerprint = Fingerprint::of(&command);
        self.carry_out(ctx, operation, event, (fingerprint, command)).await
    }

    async fn carry_out(
        &self,
        ctx: &Ctx,
        operation: Operation,
        event: EventId,
        (fingerprint, command): (Fingerprint, Command),
    ) -> Result<Reservation> {
        let place = self.commands.place(ctx, operation)?;
        let key = place.as_ref().map(|place| (place.scope().clone(), fingerprint));
        match self.combiner.submit(ctx.tenant, event, Job::new(ctx, command, key)).await? {
            Outcome::Done(reservation) => Ok(*reservation),
            Outcome::Replayed(recorded) => {
                let Recorded { answer, .. } = *recorded;
                ctx.note_replay();
                answer.try_into()
            }
            Outcome::Swept(_) => Err(Error::internal(anyhow::anyhow!("a sweep's outcome"))),
        }
    }

    async fn found(&self, ctx: &Ctx, id: ReservationId) -> Result<Reservation> {
        self.store.reservation(ctx.tenant, id).await?.ok_or_else(|| Error::not_found("reservation"))
    }
}
