//! The writes of a changeset, and the conditions under which they are stored.

use std::collections::BTreeSet;
use std::sync::Arc;

use uuid::Uuid;

use crate::access::ObjectKind;
use crate::admission::CheckIn;
use crate::changeset::Record;
use crate::id::{
    CommentId, EventId, InstallationId, IssueId, PoolId, ProjectId, PromotionId, SeatId, TicketId,
    TicketTypeId, UserId,
};
use crate::inventory::Seat;
use crate::plugin::{Digest, Scope, Timer};
use crate::pricing::{DisplayedPrices, PromotionCode};
use crate::time::Timestamp;
use crate::tracker::{Comment, Link, Scheme};

/// One write.
#[derive(Clone, PartialEq, Eq, Debug)]
#[allow(clippy::large_enum_variant, reason = "writes live only as long as their changeset")]
pub enum Write {
    /// Inserts a row of version 1.
    Insert(Record),
    /// Updates a row; the version is the one that must be stored now.
    Update(Record, u64),
    /// Deletes a row, which must be stored at this version. A project or a user is only marked as deleted until the
    /// rows that refer to it are purged.
    Delete(Record),
    /// Deletes the row of a project that is marked as deleted.
    ForgetProject(ProjectId),
    /// Deletes the row of a user that is marked as deleted.
    ForgetUser(UserId),
    /// Inserts or updates a comment.
    PutComment(Comment),
    /// Deletes a comment.
    DropComment(IssueId, CommentId),
    /// Inserts a link between issues.
    AddLink(Link),
    /// Deletes a link.
    DropLink(Link),
    /// Adds a watcher to an issue.
    AddWatcher(IssueId, UserId),
    /// Removes a watcher from an issue.
    DropWatcher(IssueId, UserId),
    /// Stores the bytes of a component.
    PutComponent(Digest, Arc<[u8]>),
    /// Increments the generation of the tenant's installations, which must be this one. With a scope, the state
    /// machines of its projects change, too.
    NextGeneration(u64, Option<Scope>),
    /// Sets a timer, and replaces one of the same name.
    PutTimer(Timer),
    /// Consumes a timer, which must still be of this generation.
    TakeTimer(Timer),
    /// Deletes a timer if it exists.
    DropTimer(IssueId, InstallationId, String),
    /// Inserts seats.
    PutSeats(Vec<Seat>),
    /// Deletes seats of a ticket type, all of which must be free.
    DropSeats(TicketTypeId, Vec<SeatId>),
    /// Returns a sold unit to its pools, and frees its seat.
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
    /// Inserts or updates check-ins.
    PutCheckIns(Vec<CheckIn>),
    /// Inserts codes of one promotion, and locks the units that they keep, which are all of the same ticket type.
    CreateCodes(Vec<PromotionCode>),
    /// Unlocks the units that codes keep, as many as they keep when all rows are locked.
    FreeKeptUnits(Vec<PromotionCode>),
    /// Deletes a code whose units are free.
    DeleteCode(PromotionId, String),
    /// Stores the prices of an event as they are displayed now.
    PutDisplayedPrices(DisplayedPrices),
}

/// A condition that is checked when all rows are locked. If it does not hold, the command is decided again.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Guard {
    /// The project has no issues.
    ProjectIsEmpty(ProjectId),
    /// Every issue of the project fits the scheme.
    SchemeFits(ProjectId, Arc<Scheme>),
    /// No issue has this one as its parent.
    HasNoChildren(IssueId),
    /// The issues within the scope are in exactly these states, by project.
    StatesInUse(Scope, BTreeSet<(ProjectId, String)>),
    /// No installation uses the release, or can be rolled back to it.
    ReleaseIsUnused(Digest),
    /// No event refers to the venue or the series.
    HasNoEvents(ObjectKind, Uuid),
    /// Nothing is reserved or confirmed for the event until the changeset is stored.
    SalesPaused(EventId),
    /// No unit of the event is held, sold or locked.
    EventIsUnsold(EventId),
    /// The issue has at most so many timers once the changeset is stored.
    TimersOf(IssueId, usize),
    /// The tenant has fewer quotes than so many that no reservation refers to and that end after a time.
    FewerOpenQuotes(u32, Timestamp),
    /// The tenant has fewer pricing rules than so many.
    FewerRules(usize),
    /// The tenant has fewer promotions than so many, with deleted ones that are not purged yet.
    FewerPromotions(usize),
    /// The tenant has at most so many codes once the changeset is stored, with those of deleted promotions that are not
    /// purged yet.
    CodesAtMost(u32),
}
