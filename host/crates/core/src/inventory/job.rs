//! A reservation command in an event's queue, with everything that its decision needs.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Instant;

use crate::ctx::{Ctx, IfVersion};
use crate::error::{Error, ErrorKind, Result};
use crate::fair::Owner;
use crate::id::{ReservationId, TenantId, TicketId, TicketTypeId};
use crate::idempotency::{IdempotencyRecord, RequestKey};
use crate::inventory::Reservation;
use crate::outbox::{Actor, NewFact, ObjectRef};
use crate::pricing::{CodeClaim, Quote};
use crate::time::Timestamp;
use crate::value::Change;

/// The most units of the commands in one batch, unless the first command alone has more.
pub const MAX_BATCH_UNITS: usize = 1_000;

/// A reservation command.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Command {
    /// Holds units.
    Reserve(Reserve),
    /// Sells the units of a held reservation.
    Confirm {
        /// The reservation.
        id: ReservationId,
        /// The client's reference to the payment.
        payment_reference: String,
        /// The versions that the caller accepts.
        if_version: IfVersion,
    },
    /// Extends a held reservation.
    Extend {
        /// The reservation.
        id: ReservationId,
        /// The seconds from now; `None` for the default.
        seconds: Option<u32>,
        /// The versions that the caller accepts.
        if_version: IfVersion,
    },
    /// Returns units of a held reservation.
    Release {
        /// The reservation.
        id: ReservationId,
        /// The units; all if empty.
        units: Vec<TicketId>,
        /// The versions that the caller accepts.
        if_version: IfVersion,
    },
    /// Ends holds that have expired, or whose event was cancelled.
    Sweep,
}

/// A new reservation.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Reserve {
    /// Its id.
    pub id: ReservationId,
    /// Its buyer.
    pub buyer: String,
    /// Its lines.
    pub lines: Vec<ReserveLine>,
    /// The seconds that it is held; `None` for the default.
    pub seconds: Option<u32>,
    /// The quote that it is made with; `None`: the base prices apply.
    pub quote: Option<Arc<Quote>>,
    /// Whether the quote is stored already, so that it is only marked as reserved.
    pub quote_is_stored: bool,
}

impl Reserve {
    /// Returns the codes of promotions that it claims.
    #[must_use]
    pub fn claims(&self) -> &[CodeClaim] {
        self.quote.as_deref().map(|quote| &quote.claims[..]).unwrap_or_default()
    }
}

/// A line of a new reservation.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct ReserveLine {
    /// The ticket type.
    pub ticket_type: TicketTypeId,
    /// The ids of its units.
    pub units: Vec<TicketId>,
    /// The labels of its seats; any free ones if empty.
    pub seats: Vec<String>,
    /// The category of buyers; empty: none.
    pub category: String,
}

/// A command in a queue.
#[derive(Clone, Debug)]
pub struct Job {
    /// The command.
    pub command: Command,
    /// The idempotency key, if the request has one.
    pub key: Option<RequestKey>,
    /// The command does not begin after this.
    pub deadline: Instant,
    /// About how many units it changes, by which batches are bounded.
    pub units: usize,
    actor: Actor,
    transport: Cow<'static, str>,
    request_id: Arc<str>,
    principal: String,
}

/// The outcome of a command that was not refused.
#[derive(Clone, Debug)]
pub enum JobOutcome {
    /// The reservation after the command.
    Done(Box<Reservation>),
    /// The number of holds that were ended.
    Swept(u32),
    /// The record of the command that used the key first.
    Replayed(Box<IdempotencyRecord>),
}

impl Job {
    /// Creates the job of a request's command.
    #[must_use]
    pub fn new(ctx: &Ctx, command: Command, key: Option<RequestKey>) -> Self {
        let units = match &command {
            Command::Reserve(request) => request.lines.iter().map(|line| line.units.len()).sum(),
            Command::Confirm { .. } | Command::Extend { .. } | Command::Release { .. } => 1,
            Command::Sweep => MAX_BATCH_UNITS,
        };
        Self {
            command,
            key,
            deadline: ctx.deadline,
            units,
            actor: Actor::of(&ctx.principal),
            transport: ctx.transport.name().into(),
            request_id: Arc::clone(&ctx.request_id),
            principal: ctx.principal.to_string(),
        }
    }

    /// Sets the number of units of the reservation that the command changes.
    #[must_use]
    pub fn of_units(mut self, units: usize) -> Self {
        self.units = units;
        self
    }

    /// Returns whether the host submitted the command, not a client.
    #[must_use]
    pub fn is_sweep(&self) -> bool {
        matches!(self.command, Command::Sweep)
    }

    /// Returns the owner of a batch: the host if it has only sweeps, and the tenant otherwise.
    #[must_use]
    pub fn owner(tenant: TenantId, jobs: &[Arc<Self>]) -> Owner {
        if jobs.iter().all(|job| job.is_sweep()) { Owner::Host } else { Owner::Tenant(tenant) }
    }

    /// Returns the principal of the request.
    #[must_use]
    pub fn principal(&self) -> &str {
        &self.principal
    }

    /// Creates a fact about a change that the command makes.
    #[must_use]
    pub fn fact(
        &self,
        fact_type: &'static str,
        (object, at): (ObjectRef, Timestamp),
        changes: Vec<Change>,
    ) -> NewFact {
        NewFact {
            id: crate::id::FactId::generate(),
            fact_type: fact_type.into(),
            object,
            project: None,
            event: None,
            at,
            actor: self.actor.clone(),
            transport: self.transport.clone(),
            request_id: self.request_id.to_string(),
            cause: None,
            release: None,
            changes,
        }
    }
}

/// The reason of a refusal because too few units are left.
const EXHAUSTED: &str = "INVENTORY_EXHAUSTED";

pub(super) fn exhausted(message: String) -> Error {
    Error::new(ErrorKind::Precondition, EXHAUSTED, message)
}

/// Returns whether a command was refused because too few units are left.
#[must_use]
pub fn is_exhausted(outcome: &Result<JobOutcome>) -> bool {
    outcome.as_ref().is_err_and(|error| error.reason() == EXHAUSTED)
}
