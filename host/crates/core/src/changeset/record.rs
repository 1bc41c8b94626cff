//! The rows that changesets write, and the versions that they depend on.

use crate::access::ObjectKind;
use crate::admission::{SigningKey, Ticket};
use crate::booking::{Booking, Queue};
use crate::catalog::{Event, Series, TicketType, Venue};
use crate::inventory::{Lock, Pool, Reservation, TenantHoldRules};
use crate::plugin::{Installation, Release};
use crate::pricing::{PricingRule, Promotion, Quote};
use crate::tenancy::{StoredKey, Tenant};
use crate::tracker::{Issue, Project, User};

/// A row with its dependent rows.
#[derive(Clone, PartialEq, Eq, Debug)]
#[allow(clippy::large_enum_variant, reason = "records live only as long as their changeset")]
pub enum Record {
    /// A tenant.
    Tenant(Tenant),
    /// An API key with its hash.
    Key(StoredKey),
    /// A user.
    User(User),
    /// A project with its scheme.
    Project(Project),
    /// An issue with its labels and fields.
    Issue(Issue),
    /// A release, without its component.
    Release(Release),
    /// An installation.
    Installation(Installation),
    /// A venue.
    Venue(Venue),
    /// A series of events.
    Series(Series),
    /// An event, without its capacity.
    Event(Event),
    /// A ticket type, without its quantity.
    TicketType(TicketType),
    /// A pool, without its counts.
    Pool(Pool),
    /// A lock. Its pool's count changes with it.
    Lock(Lock),
    /// A confirmed reservation. Held ones are written only by batches.
    Reservation(Reservation),
    /// A ticket. Only batches issue one.
    Ticket(Ticket),
    /// A signing key.
    SigningKey(SigningKey),
    /// The settings of an event's queue.
    Queue(Queue),
    /// A booking.
    Booking(Booking),
    /// A tenant's hold rules.
    TenantHoldRules(TenantHoldRules),
    /// A pricing rule.
    PricingRule(PricingRule),
    /// A quote. Batches write those of reservations.
    Quote(Quote),
    /// A promotion, without the number of its uses. Its codes are written apart.
    Promotion(Promotion),
}

/// The version of a row that a decision depends on.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Expect {
    /// The row's kind.
    pub kind: ObjectKind,
    /// The row's id.
    pub id: String,
    /// The version that was read.
    pub version: u64,
    /// The generation of the project's state machine, if the decision depends on it.
    pub machines: Option<u64>,
}

/// A row with a version.
pub trait Versioned {
    /// Returns its kind, id and version.
    fn expect(&self) -> Expect;
}

macro_rules! versioned {
    ($($type:ident),*) => {$(
        impl Versioned for $type {
            fn expect(&self) -> Expect {
                Expect {
                    kind: ObjectKind::$type,
                    id: self.id.to_string(),
                    version: self.version,
                    machines: None,
                }
            }
        }

        impl From<$type> for Record {
            fn from(record: $type) -> Self {
                Self::$type(record)
            }
        }
    )*};
}

versioned!(
    Tenant,
    User,
    Project,
    Issue,
    Installation,
    Venue,
    Series,
    Event,
    TicketType,
    Pool,
    Lock,
    Reservation,
    Ticket,
    Queue,
    Booking,
    SigningKey,
    TenantHoldRules,
    PricingRule,
    Promotion
);

impl Versioned for StoredKey {
    fn expect(&self) -> Expect {
        Expect {
            kind: ObjectKind::Key,
            id: self.key.id.to_string(),
            version: self.key.version,
            machines: None,
        }
    }
}

impl From<StoredKey> for Record {
    fn from(key: StoredKey) -> Self {
        Self::Key(key)
    }
}

/// A release never changes, so its version is always 1.
impl Versioned for Release {
    fn expect(&self) -> Expect {
        let id = self.digest().to_string();
        Expect { kind: ObjectKind::Release, id, version: 1, machines: None }
    }
}

impl From<Release> for Record {
    fn from(release: Release) -> Self {
        Self::Release(release)
    }
}

/// A quote never changes, so its version is always 1.
impl Versioned for Quote {
    fn expect(&self) -> Expect {
        Expect { kind: ObjectKind::Quote, id: self.id.to_string(), version: 1, machines: None }
    }
}

impl From<Quote> for Record {
    fn from(quote: Quote) -> Self {
        Self::Quote(quote)
    }
}

impl Versioned for Record {
    fn expect(&self) -> Expect {
        match self {
            Self::Tenant(tenant) => tenant.expect(),
            Self::Key(key) => key.expect(),
            Self::User(user) => user.expect(),
            Self::Project(project) => project.expect(),
            Self::Issue(issue) => issue.expect(),
            Self::Release(release) => release.expect(),
            Self::Installation(installation) => installation.expect(),
            Self::Venue(venue) => venue.expect(),
            Self::Series(series) => series.expect(),
            Self::Event(event) => event.expect(),
            Self::TicketType(ticket_type) => ticket_type.expect(),
            Self::Pool(pool) => pool.expect(),
            Self::Lock(lock) => lock.expect(),
            Self::Reservation(reservation) => reservation.expect(),
            Self::Ticket(ticket) => ticket.expect(),
            Self::SigningKey(key) => key.expect(),
            Self::Queue(queue) => queue.expect(),
            Self::Booking(booking) => booking.expect(),
            Self::TenantHoldRules(rules) => rules.expect(),
            Self::PricingRule(rule) => rule.expect(),
            Self::Quote(quote) => quote.expect(),
            Self::Promotion(promotion) => promotion.expect(),
        }
    }
}
