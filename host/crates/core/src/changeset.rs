//! The only way to write: rows with the versions that they were judged by, the facts that they make
//! true, and the record that makes a repeat return the first answer. All of it is stored, or nothing.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use uuid::Uuid;

use crate::access::ObjectKind;
use crate::admission::{CheckIn, SigningKey, Ticket};
use crate::booking::{Booking, Queue};
use crate::catalog::{Event, Series, TicketType, Venue};
use crate::ctx::Ctx;
use crate::error::{Error, ErrorKind, Result};
use crate::id::{
    CommentId, EventId, InstallationId, IssueId, PoolId, ProjectId, SeatId, TenantId, TicketId, TicketTypeId,
    UserId,
};
use crate::idempotency::{self, Fingerprint};
use crate::inventory::{Lock, Pool, Reservation, Seat, TenantHolds};
use crate::outbox::NewFact;
use crate::plugin::{Digest, Installation, Release, Scope, Timer};
use crate::tenancy::{ApiKey, StoredKey, Tenant};
use crate::time::Timestamp;
use crate::tracker::{Comment, Issue, Link, Project, Scheme, User};

/// The most rows in one changeset; what is larger is done in slices.
pub const MAX_ROWS: usize = 1_000;

/// What one command changes.
#[derive(Clone, Debug)]
pub struct Changeset {
    /// The tenant of all its rows.
    pub tenant: TenantId,
    /// What is written.
    pub writes: Vec<Write>,
    /// Versions of rows that the decision depends on and does not write.
    pub expects: Vec<Expect>,
    /// What must hold when all rows are locked, beyond versions.
    pub guards: Vec<Guard>,
    /// The facts that the writes make true.
    pub facts: Vec<NewFact>,
    /// The idempotency record.
    pub claim: Option<Claim>,
    /// After this it is not begun any more.
    pub deadline: Instant,
}

/// A row with its parts.
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
    /// A release, without its bytes.
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
    /// Units that are out of sale. Its pool's count changes with it.
    Lock(Lock),
    /// A reservation that was confirmed; those that are held are written by batches alone.
    Reservation(Reservation),
    /// A ticket; batches alone issue it.
    Ticket(Ticket),
    /// A key for ticket codes.
    SigningKey(SigningKey),
    /// The terms of an event's queue.
    Queue(Queue),
    /// A place in a queue.
    Booking(Booking),
    /// How long the tenant's reservations are held.
    TenantHolds(TenantHolds),
}

/// One write.
#[derive(Clone, PartialEq, Eq, Debug)]
#[allow(clippy::large_enum_variant, reason = "writes live only as long as their changeset")]
pub enum Write {
    /// A new row, of version 1.
    Insert(Record),
    /// A row at its new version, and the version that must be stored.
    Update(Record, u64),
    /// Removes a row, which must be stored at just this version. A project or a user becomes invisible
    /// and keeps a mark until what hangs on it is purged.
    Delete(Record),
    /// Removes the mark of a deleted project.
    ForgetProject(ProjectId),
    /// Removes the mark of a deleted user.
    ForgetUser(UserId),
    /// A comment, new or changed.
    PutComment(Comment),
    /// Removes a comment.
    DropComment(IssueId, CommentId),
    /// A link between issues.
    AddLink(Link),
    /// Removes a link.
    DropLink(Link),
    /// Makes a user watch an issue.
    AddWatcher(IssueId, UserId),
    /// Ends a user's watching.
    DropWatcher(IssueId, UserId),
    /// The bytes of a release.
    PutComponent(Digest, Arc<[u8]>),
    /// The tenant's installations change: their generation must be this one, and becomes the next. Where a
    /// scope is given, the machines of its projects change with it.
    NextGeneration(u64, Option<Scope>),
    /// Sets a timer; one of the same name is replaced.
    PutTimer(Timer),
    /// Consumes a timer, which must still be of this generation.
    TakeTimer(Timer),
    /// Takes a timer away, if it is there.
    DropTimer(IssueId, InstallationId, String),
    /// New seats.
    PutSeats(Vec<Seat>),
    /// Removes seats of a ticket type, all of which must be free.
    DropSeats(TicketTypeId, Vec<SeatId>),
    /// Gives a unit that was sold back to its pools, and its seat, too.
    ReturnUnit {
        /// The event.
        event: EventId,
        /// The unit.
        unit: TicketId,
        /// The pools from which it was taken.
        pools: Vec<PoolId>,
        /// Its seat.
        seat: Option<(TicketTypeId, SeatId)>,
    },
    /// Check-ins, new or changed.
    PutCheckIns(Vec<CheckIn>),
}

/// A version that a decision depends on.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Expect {
    /// The row's kind.
    pub kind: ObjectKind,
    /// The row's id.
    pub id: String,
    /// The version that was read.
    pub version: u64,
    /// For a project whose machine the decision depends on: the generation that gave it.
    pub machines: Option<u64>,
}

/// What must hold when all rows are locked; if not, the command is decided again.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Guard {
    /// The project has no issues.
    ProjectIsEmpty(ProjectId),
    /// Every issue of the project fits the scheme.
    SchemeFits(ProjectId, Arc<Scheme>),
    /// No issue has this one as its parent.
    HasNoChildren(IssueId),
    /// The issues within the scope are in these states and no others, project by project.
    StatesInUse(Scope, BTreeSet<(ProjectId, String)>),
    /// No installation uses the release, now or as an earlier one.
    ReleaseIsUnused(Digest),
    /// No event names the venue or the series.
    HasNoEvents(ObjectKind, Uuid),
    /// Nothing is reserved or confirmed for the event until all is written.
    SalesPaused(EventId),
    /// Nothing of the event is held, sold or locked.
    EventIsUnsold(EventId),
    /// The issue has at most so many timers once all is written.
    TimersOf(IssueId, usize),
}

/// An idempotency record.
#[derive(Clone, Debug)]
pub struct Claim {
    /// Where the key is unique.
    pub scope: idempotency::Scope,
    /// The command.
    pub fingerprint: Fingerprint,
    /// What the repeat gets; never a secret.
    pub answer: Answer,
    /// When the record may be forgotten.
    pub expires: Timestamp,
}

/// What was recorded for a key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Recorded {
    /// The command that came with the key.
    pub fingerprint: Fingerprint,
    /// What it was answered.
    pub answer: Answer,
}

/// How a commit ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Committed {
    /// All is stored.
    Stored,
    /// Nothing was stored, for the key had been claimed before.
    Replayed(Box<Recorded>),
}

macro_rules! answers {
    ($($(#[$doc:meta])* $variant:ident($type:ty);)*) => {
        /// What a command answers, so that it can be recorded and given again.
        #[derive(Clone, PartialEq, Eq, Debug)]
        #[allow(clippy::large_enum_variant, reason = "an answer lives as long as its request")]
        pub enum Answer {
            /// Nothing but that it is done.
            Done,
            $($(#[$doc])* $variant($type),)*
        }

        $(
            impl From<$type> for Answer {
                fn from(answer: $type) -> Self {
                    Self::$variant(answer)
                }
            }

            impl TryFrom<Answer> for $type {
                type Error = Error;

                fn try_from(answer: Answer) -> Result<Self> {
                    match answer {
                        Answer::$variant(answer) => Ok(answer),
                        other => Err(Error::internal(anyhow::anyhow!("another operation's answer: {other:?}"))),
                    }
                }
            }
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
    Issue(Issue);
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
    /// Units that are out of sale.
    Lock(Lock);
    /// A reservation.
    Reservation(Reservation);
    /// A ticket, without its code.
    Ticket(Ticket);
    /// A check-in.
    CheckIn(CheckIn);
    /// A key for ticket codes, without its private half.
    SigningKey(SigningKey);
    /// The terms of an event's queue.
    Queue(Queue);
    /// A place in a queue.
    Booking(Booking);
    /// How long the tenant's reservations are held.
    TenantHolds(TenantHolds);
}

impl Answer {
    /// The answer as the changeset will store it, where plugins changed more than was asked for.
    #[must_use]
    pub fn as_stored(self, changeset: &Changeset) -> Self {
        let Self::Issue(asked) = self else { return self };
        let stored = changeset.writes.iter().find_map(|write| match write {
            Write::Insert(Record::Issue(issue)) | Write::Update(Record::Issue(issue), _) => {
                (issue.id == asked.id).then(|| issue.clone())
            }
            _ => None,
        });
        Self::Issue(stored.unwrap_or(asked))
    }
}

impl From<()> for Answer {
    fn from((): ()) -> Self {
        Self::Done
    }
}

impl TryFrom<Answer> for () {
    type Error = Error;

    fn try_from(answer: Answer) -> Result<Self> {
        match answer {
            Answer::Done => Ok(()),
            other => Err(Error::internal(anyhow::anyhow!("another operation's answer: {other:?}"))),
        }
    }
}

impl Changeset {
    /// An empty changeset for the request's tenant.
    #[must_use]
    pub fn new(ctx: &Ctx) -> Self {
        Self {
            tenant: ctx.tenant,
            writes: Vec::new(),
            expects: Vec::new(),
            guards: Vec::new(),
            facts: Vec::new(),
            claim: None,
            deadline: ctx.deadline,
        }
    }

    /// The same for another tenant, as operators need it.
    #[must_use]
    pub fn of_tenant(mut self, tenant: TenantId) -> Self {
        self.tenant = tenant;
        self
    }

    /// Adds a write.
    #[must_use]
    pub fn write(mut self, write: Write) -> Self {
        self.writes.push(write);
        self
    }

    /// Adds a new row.
    #[must_use]
    pub fn insert(self, record: impl Into<Record>) -> Self {
        self.write(Write::Insert(record.into()))
    }

    /// Adds a changed row.
    #[must_use]
    pub fn update(self, record: impl Into<Record>) -> Self {
        let record = record.into();
        let stored = record.expect().version.saturating_sub(1);
        self.write(Write::Update(record, stored))
    }

    /// Adds the removal of a row.
    #[must_use]
    pub fn delete(self, record: impl Into<Record>) -> Self {
        self.write(Write::Delete(record.into()))
    }

    /// Depends on a row that is not written.
    #[must_use]
    pub fn expect(mut self, record: &impl Versioned) -> Self {
        self.expects.push(record.expect());
        self
    }

    /// Depends on a project's machine, and on the project.
    #[must_use]
    pub fn expect_machine(mut self, project: &Project) -> Self {
        self.expects.push(Expect { machines: Some(project.machines), ..project.expect() });
        self
    }

    /// Adds what must hold under the locks.
    #[must_use]
    pub fn guard(mut self, guard: Guard) -> Self {
        self.guards.push(guard);
        self
    }

    /// Adds a fact.
    #[must_use]
    pub fn fact(mut self, fact: NewFact) -> Self {
        self.facts.push(fact);
        self
    }

    /// Whether there is nothing to store.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.writes.is_empty() && self.facts.is_empty()
    }

    /// Refuses a changeset that is too large for one transaction.
    pub fn check(&self) -> Result<()> {
        let rows = self.writes.len() + self.facts.len();
        if rows > MAX_ROWS {
            let message = format!("the command would change {rows} rows at once; {MAX_ROWS} are allowed");
            return Err(Error::new(ErrorKind::TooLarge, "TOO_LARGE", message));
        }
        Ok(())
    }
}

/// What has a version under which it is stored.
pub trait Versioned {
    /// Its kind, id and version.
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
    TenantHolds
);

impl From<SigningKey> for Record {
    fn from(key: SigningKey) -> Self {
        Self::SigningKey(key)
    }
}

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

/// A release never changes: its version is 1 for as long as it is there.
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
            Self::TicketType(held) => held.expect(),
            Self::Pool(pool) => pool.expect(),
            Self::Lock(lock) => lock.expect(),
            Self::Reservation(held) => held.expect(),
            Self::Ticket(ticket) => ticket.expect(),
            Self::SigningKey(key) => key.expect(),
            Self::Queue(queue) => queue.expect(),
            Self::Booking(booking) => booking.expect(),
            Self::TenantHolds(holds) => holds.expect(),
        }
    }
}
