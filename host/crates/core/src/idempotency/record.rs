//! What is stored for a key: the command's fingerprint and its answer.

use std::time::Duration;

use crate::admission::{CheckIn, SigningKey, Ticket};
use crate::booking::{Booking, Queue};
use crate::catalog::{Event, Series, TicketType, Venue};
use crate::changeset::{Record, Write};
use crate::error::{Error, ErrorKind, Result};
use crate::idempotency::{Fingerprint, RequestKey, Scope};
use crate::inventory::{Lock, Pool, Reservation, TenantHoldRules};
use crate::plugin::{Installation, Release, Timer};
use crate::pricing::{PricingRule, Promotion, Quote};
use crate::tenancy::{ApiKey, Tenant};
use crate::time::Timestamp;
use crate::tracker::{Comment, Issue, Link, Project, User};

/// How long a record is kept.
const LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);

/// A record that a command stores with its changes.
#[derive(Clone, Debug)]
pub struct IdempotencyClaim {
    /// Where the key is unique.
    pub scope: Scope,
    /// The fingerprint of the command.
    pub fingerprint: Fingerprint,
    /// The answer that a repeat gets; never a secret.
    pub answer: RecordedAnswer,
    /// When the record may be deleted.
    pub expires: Timestamp,
}

/// A stored record.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct IdempotencyRecord {
    /// The fingerprint of the command that came with the key.
    pub fingerprint: Fingerprint,
    /// Its answer.
    pub answer: RecordedAnswer,
}

impl RequestKey {
    /// Creates the record that makes a repeat return this answer.
    #[must_use]
    pub fn claim(&self, answer: RecordedAnswer, now: Timestamp) -> IdempotencyClaim {
        IdempotencyClaim {
            scope: self.scope.clone(),
            fingerprint: self.fingerprint,
            answer,
            expires: now.plus(LIFETIME),
        }
    }

    /// Refuses a record that another command made with the same key.
    pub fn check(&self, record: &IdempotencyRecord) -> Result<()> {
        if record.fingerprint == self.fingerprint {
            return Ok(());
        }
        let message = "this Idempotency-Key was used for another request; choose a new key for a new request";
        Err(Error::new(ErrorKind::Invalid, "IDEMPOTENCY_KEY_REUSED", message))
    }
}

/// A command's value that can be recorded as its answer.
pub trait Recordable: Into<RecordedAnswer> + TryFrom<RecordedAnswer, Error = Error> + Clone {
    /// Returns the value as the writes store it, where plugins changed more than the command did.
    #[must_use]
    fn into_written(self, _writes: &[Write]) -> Self {
        self
    }
}

macro_rules! answers {
    ($($(#[$doc:meta])* $variant:ident($type:ty) $({ $($overrides:tt)* })?;)*) => {
        /// The answer of a command, as it is recorded and returned to repeats.
        #[derive(Clone, PartialEq, Eq, Debug)]
        #[allow(clippy::large_enum_variant, reason = "an answer lives as long as its request")]
        pub enum RecordedAnswer {
            /// An empty answer.
            Done,
            $($(#[$doc])* $variant($type),)*
        }

        $(
            impl From<$type> for RecordedAnswer {
                fn from(answer: $type) -> Self {
                    Self::$variant(answer)
                }
            }

            impl TryFrom<RecordedAnswer> for $type {
                type Error = Error;

                fn try_from(answer: RecordedAnswer) -> Result<Self> {
                    match answer {
                        RecordedAnswer::$variant(answer) => Ok(answer),
                        other => Err(unexpected(&other)),
                    }
                }
            }

            impl Recordable for $type { $($($overrides)*)? }
        )*
    };
}

answers! {
    /// A tenant.
    Tenant(Tenant);
    /// An API key, without its secret.
    Key(ApiKey);
    /// A user.
    User(User);
    /// Several users.
    Users(Vec<User>);
    /// A project.
    Project(Project);
    /// An issue.
    Issue(Issue) {
        fn into_written(self, writes: &[Write]) -> Self {
            let written = writes.iter().find_map(|write| match write {
                Write::Insert(Record::Issue(issue)) | Write::Update(Record::Issue(issue), _) => {
                    (issue.id == self.id).then(|| issue.clone())
                }
                _ => None,
            });
            written.unwrap_or(self)
        }
    };
    /// A comment.
    Comment(Comment);
    /// A link.
    Link(Link);
    /// A release.
    Release(Release);
    /// An installation.
    Installation(Installation);
    /// Several timers.
    Timers(Vec<Timer>);
    /// A venue.
    Venue(Venue);
    /// A series of events.
    Series(Series);
    /// An event.
    Event(Event);
    /// A ticket type.
    TicketType(TicketType);
    /// A pool.
    Pool(Pool);
    /// Units taken out of sale.
    Lock(Lock);
    /// A reservation.
    Reservation(Reservation);
    /// A ticket, without its code.
    Ticket(Ticket);
    /// A check-in.
    CheckIn(CheckIn);
    /// A signing key, without its private half.
    SigningKey(SigningKey);
    /// The settings of an event's queue.
    Queue(Queue);
    /// A booking.
    Booking(Booking);
    /// A tenant's hold rules.
    TenantHoldRules(TenantHoldRules);
    /// A pricing rule.
    PricingRule(PricingRule);
    /// A quote.
    Quote(Quote);
    /// A promotion, without its codes.
    Promotion(Promotion);
}

impl From<()> for RecordedAnswer {
    fn from((): ()) -> Self {
        Self::Done
    }
}

impl TryFrom<RecordedAnswer> for () {
    type Error = Error;

    fn try_from(answer: RecordedAnswer) -> Result<Self> {
        match answer {
            RecordedAnswer::Done => Ok(()),
            other => Err(unexpected(&other)),
        }
    }
}

impl Recordable for () {}

fn unexpected(answer: &RecordedAnswer) -> Error {
    Error::internal(anyhow::anyhow!("the record holds another operation's answer: {answer:?}"))
}
