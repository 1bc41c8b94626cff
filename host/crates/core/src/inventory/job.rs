//! What waits in an event's queue: one command with all that its outcome needs, decided before it waits.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::changeset::{Answer, Claim, Recorded};
use crate::ctx::Ctx;
use crate::id::{ReservationId, TicketId, TicketTypeId};
use crate::idempotency::{Fingerprint, Scope};
use crate::inventory::Reservation;
use crate::outbox::{Actor, NewFact, ObjectRef};
use crate::time::Timestamp;
use crate::value::Change;

/// What is to be done.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Command {
    /// Claims units.
    Reserve(Reserve),
    /// Sells what is held.
    Confirm {
        /// The reservation.
        id: ReservationId,
        /// What the payment is known by.
        payment_reference: String,
        /// The version that the caller named.
        if_version: Option<u64>,
    },
    /// Holds for longer.
    Extend {
        /// The reservation.
        id: ReservationId,
        /// How many seconds from now; none: as long as is usual.
        seconds: Option<u32>,
        /// The version that the caller named.
        if_version: Option<u64>,
    },
    /// Gives back what is held.
    Release {
        /// The reservation.
        id: ReservationId,
        /// Which units; none: all.
        units: Vec<TicketId>,
        /// The version that the caller named.
        if_version: Option<u64>,
    },
    /// Ends holds whose time has run out, or whose event was cancelled.
    Sweep,
}

/// A new reservation.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Reserve {
    /// Its id.
    pub id: ReservationId,
    /// For whom it is.
    pub buyer: String,
    /// What is wanted.
    pub lines: Vec<Wanted>,
    /// How many seconds it is held; none: as long as is usual.
    pub seconds: Option<u32>,
}

/// Units of a ticket type that are wanted.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Wanted {
    /// The type.
    pub ticket_type: TicketTypeId,
    /// The ids that the units get, as many as are wanted.
    pub units: Vec<TicketId>,
    /// Labels of seats; none: any that are free.
    pub seats: Vec<String>,
}

/// A command that waits.
#[derive(Clone, Debug)]
pub struct Job {
    /// The command.
    pub command: Command,
    /// The idempotency key and the command's fingerprint.
    pub key: Option<(Scope, Fingerprint)>,
    /// After this it is not begun any more.
    pub deadline: Instant,
    actor: Actor,
    transport: Cow<'static, str>,
    request_id: Arc<str>,
    principal: String,
}

/// How a command ended that was not refused.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// The reservation as it is now.
    Done(Box<Reservation>),
    /// How many holds were ended.
    Swept(u32),
    /// It was carried out before.
    Replayed(Box<Recorded>),
}

impl Job {
    /// A command of a request.
    #[must_use]
    pub fn new(ctx: &Ctx, command: Command, key: Option<(Scope, Fingerprint)>) -> Self {
        Self {
            command,
            key,
            deadline: ctx.deadline,
            actor: Actor::of(&ctx.principal),
            transport: ctx.transport.name().into(),
            request_id: Arc::clone(&ctx.request_id),
            principal: ctx.principal.to_string(),
        }
    }

    /// The principal whose command it is.
    #[must_use]
    pub fn principal(&self) -> &str {
        &self.principal
    }

    /// A fact that the command brings about.
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

    /// The record that makes a repeat return the first answer.
    #[must_use]
    pub fn claim(&self, now: Timestamp, answer: &Reservation) -> Option<Claim> {
        let (scope, fingerprint) = self.key.clone()?;
        let lifetime = Duration::from_secs(24 * 60 * 60);
        Some(Claim {
            scope,
            fingerprint,
            answer: Answer::Reservation(answer.clone()),
            expires: now.plus(lifetime),
        })
    }
}
