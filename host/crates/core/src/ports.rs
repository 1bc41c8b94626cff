//! What the core needs of the world: the store, the cache and what runs plugins. Every implementation of a port passes
//! that port's suite of tests.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use uuid::Uuid;

use crate::access::ObjectKind;
use crate::admission::door::DoorStats;
use crate::admission::{CheckIn, Revoked, SigningKey, Ticket};
use crate::booking::{Booking, Queue};
use crate::cache::{CacheKey, Cached};
use crate::catalog::{Event, Series, TicketType, Venue};
use crate::changeset::{Changeset, Committed, Recorded};
use crate::error::{Result, Violation};
use crate::id::{
    BookingId, CheckInId, CommentId, EventId, InstallationId, IssueId, KeyId, LockId, PoolId, ProjectId,
    ReservationId, SeriesId, TenantId, TicketId, TicketTypeId, UserId, VenueId,
};
use crate::idempotency;
use crate::inventory::{Job, Lock, Pool, Reservation, Seat, TenantHolds, job};
use crate::outbox::{Fact, Mark, ObjectRef, Seq};
use crate::page::{Page, PageRequest};
use crate::plugin::{
    ActiveInstallations, AdmittedComponent, Call, CallLimits, Digest, DueTimer, Installation, Outcome,
    Release, Scope, StatesInUse, Timer,
};
use crate::tenancy::{ApiKey, StoredKey, Tenant};
use crate::time::Timestamp;
use crate::tracker::{Comment, Issue, Link, Project, Purge, Usage, User};

/// All that is kept: the sum of one trait for each room, and the one way to write.
#[async_trait]
pub trait Store:
    TenancyStore
    + TrackerStore
    + PluginStore
    + CatalogStore
    + InventoryStore
    + AdmissionStore
    + BookingStore
    + OutboxStore
{
    /// Stores all of a changeset, or nothing.
    async fn commit(&self, changeset: Changeset) -> Result<Committed>;

    /// What was recorded for an idempotency key.
    async fn recorded(&self, scope: &idempotency::Scope) -> Result<Option<Recorded>>;

    /// The store's clock, the same for all hosts.
    fn now(&self) -> Timestamp;

    /// Whether the store answers.
    async fn ping(&self) -> Result<()>;

    /// Takes or keeps a lease for `holder`; whether it is the holder's until `span` from now.
    async fn lease(&self, name: &str, holder: &str, span: Duration) -> Result<bool>;

    /// Forgets idempotency records that have expired, at most `limit`; how many there were.
    async fn forget_keys(&self, limit: u32) -> Result<u64>;

    /// Records the fingerprint of the hosts' secret, the first time; answers the one that is recorded.
    async fn secret_fingerprint(&self, mine: [u8; 32]) -> Result<[u8; 32]>;

    /// Finishes what is being written and closes.
    async fn close(&self);
}

/// Tenants and their keys.
#[async_trait]
pub trait TenancyStore: Send + Sync {
    /// A tenant by id.
    async fn tenant(&self, id: TenantId) -> Result<Option<Tenant>>;
    /// A tenant by slug.
    async fn tenant_by_slug(&self, slug: &str) -> Result<Option<Tenant>>;
    /// All tenants, a page at a time; sorted by `created` or `slug`.
    async fn tenants(&self, page: &PageRequest) -> Result<Page<Tenant>>;
    /// A key by its id, whichever tenant's it is: who asks is not known before.
    async fn key(&self, id: &KeyId) -> Result<Option<StoredKey>>;
    /// A tenant's keys, a page at a time; sorted by `created`.
    async fn keys(&self, tenant: TenantId, page: &PageRequest) -> Result<Page<ApiKey>>;
}

/// Users, projects and issues. What is marked as deleted is not seen.
#[async_trait]
pub trait TrackerStore: Send + Sync {
    /// A user.
    async fn user(&self, tenant: TenantId, id: UserId) -> Result<Option<User>>;
    /// Users, a page at a time; `text` must occur in the name or the address, whatever its case.
    async fn users(&self, tenant: TenantId, text: Option<&str>, page: &PageRequest) -> Result<Page<User>>;
    /// A project, with its count of issues.
    async fn project(&self, tenant: TenantId, id: ProjectId) -> Result<Option<Project>>;
    /// Projects, a page at a time.
    async fn projects(&self, tenant: TenantId, page: &PageRequest) -> Result<Page<Project>>;
    /// Which names of a scheme a project's issues use, and how many use each.
    async fn usage(&self, tenant: TenantId, project: ProjectId) -> Result<Usage>;
    /// An issue.
    async fn issue(&self, tenant: TenantId, id: IssueId) -> Result<Option<Issue>>;
    /// Issues, a page at a time.
    async fn issues(&self, tenant: TenantId, page: &PageRequest) -> Result<Page<Issue>>;
    /// Issues whose parent is one of these, at most `limit`.
    async fn children(&self, tenant: TenantId, parents: &[IssueId], limit: u32) -> Result<Vec<Issue>>;
    /// A comment.
    async fn comment(&self, tenant: TenantId, issue: IssueId, id: CommentId) -> Result<Option<Comment>>;
    /// An issue's comments, oldest first, a page at a time.
    async fn comments(&self, tenant: TenantId, issue: IssueId, page: &PageRequest) -> Result<Page<Comment>>;
    /// An issue's links, those that others have to it included, as seen from it.
    async fn links(&self, tenant: TenantId, issue: IssueId) -> Result<Vec<Link>>;
    /// Who watches an issue.
    async fn watchers(&self, tenant: TenantId, issue: IssueId) -> Result<Vec<UserId>>;
    /// Deleted projects and users, of any tenant, on which something may still hang.
    async fn purges(&self, limit: u32) -> Result<Vec<Purge>>;
    /// Issues that hang on what is purged, at most `limit`; those of a deleted project included.
    async fn purgeable(&self, purge: &Purge, limit: u32) -> Result<Vec<Issue>>;
}

/// Releases, installations and timers.
#[async_trait]
pub trait PluginStore: Send + Sync {
    /// A release.
    async fn release(&self, tenant: TenantId, digest: Digest) -> Result<Option<Release>>;
    /// The release of a plugin with that version.
    async fn release_named(&self, tenant: TenantId, plugin: &str, version: &str) -> Result<Option<Release>>;
    /// How many releases a tenant has.
    async fn release_count(&self, tenant: TenantId) -> Result<u64>;
    /// Releases, a page at a time; sorted by `created`.
    async fn releases(&self, tenant: TenantId, page: &PageRequest) -> Result<Page<Release>>;
    /// The bytes of a release, whichever tenant's it is: they are named by what they are.
    async fn component(&self, digest: Digest) -> Result<Option<Arc<[u8]>>>;
    /// Whether they are kept, which is known without reading them.
    async fn has_component(&self, digest: Digest) -> Result<bool>;
    /// The digests of all releases that some tenant's installation uses.
    async fn digests_in_use(&self) -> Result<Vec<Digest>>;
    /// What a tenant has installed.
    async fn active_installations(&self, tenant: TenantId) -> Result<ActiveInstallations>;
    /// An installation.
    async fn installation(&self, tenant: TenantId, id: InstallationId) -> Result<Option<Installation>>;
    /// Installations, a page at a time; sorted by `created`.
    async fn installations(&self, tenant: TenantId, page: &PageRequest) -> Result<Page<Installation>>;
    /// The states that issues within a scope are in, by project, with their counts.
    async fn states_in_use(&self, tenant: TenantId, scope: Scope) -> Result<StatesInUse>;
    /// Projects with schemes of their own, within a scope.
    async fn own_schemes(&self, tenant: TenantId, scope: Scope) -> Result<Vec<Project>>;
    /// An issue's timers, by name.
    async fn timers(&self, tenant: TenantId, issue: IssueId) -> Result<Vec<Timer>>;
    /// An installation's timers, parked ones included, a page at a time; sorted by `due`.
    async fn timers_of(
        &self,
        tenant: TenantId,
        installation: InstallationId,
        page: &PageRequest,
    ) -> Result<Page<Timer>>;
    /// Timers of any tenant that are due, those that wait longest first; parked ones are not.
    async fn due_timers(&self, now: Timestamp, limit: u32) -> Result<Vec<DueTimer>>;
    /// Sets back a timer of that generation whose call failed; nothing, when it was set anew meanwhile.
    async fn delay_timer(&self, tenant: TenantId, timer: &Timer) -> Result<()>;
    /// Notes that a host lives and up to which fact it has installations in force.
    async fn beat(&self, host: &str, seq: Seq) -> Result<()>;
    /// Hosts that beat within `span`, and how far each is.
    async fn hosts(&self, span: Duration) -> Result<Vec<(String, Seq)>>;
}

/// Venues, series, events, ticket types, and the pools that they have.
#[async_trait]
pub trait CatalogStore: Send + Sync {
    /// A venue.
    async fn venue(&self, tenant: TenantId, id: VenueId) -> Result<Option<Venue>>;
    /// Venues, a page at a time.
    async fn venues(&self, tenant: TenantId, page: &PageRequest) -> Result<Page<Venue>>;
    /// A series of events.
    async fn series(&self, tenant: TenantId, id: SeriesId) -> Result<Option<Series>>;
    /// Series, a page at a time.
    async fn all_series(&self, tenant: TenantId, page: &PageRequest) -> Result<Page<Series>>;
    /// Whether an event names the venue or the series.
    async fn has_events(&self, tenant: TenantId, kind: ObjectKind, id: Uuid) -> Result<bool>;
    /// An event, with its capacity.
    async fn event(&self, tenant: TenantId, id: EventId) -> Result<Option<Event>>;
    /// Events, a page at a time; all, or those that are no drafts.
    async fn events(&self, tenant: TenantId, public: bool, page: &PageRequest) -> Result<Page<Event>>;
    /// The categories of events that are no drafts, with how many there are of each.
    async fn event_categories(&self, tenant: TenantId) -> Result<BTreeMap<String, u64>>;
    /// Events of any tenant that sell although they are over.
    async fn events_over(&self, limit: u32) -> Result<Vec<(TenantId, EventId)>>;
    /// A ticket type, with its quantity.
    async fn ticket_type(&self, tenant: TenantId, id: TicketTypeId) -> Result<Option<TicketType>>;
    /// An event's ticket types, oldest first.
    async fn ticket_types(&self, tenant: TenantId, event: EventId) -> Result<Vec<TicketType>>;
    /// A pool of an event.
    async fn pool(&self, tenant: TenantId, event: EventId, id: PoolId) -> Result<Option<Pool>>;
    /// All pools of an event, by id.
    async fn pools(&self, tenant: TenantId, event: EventId) -> Result<Vec<Pool>>;
}

/// How a batch of commands ended.
#[derive(Debug)]
pub struct BatchDone {
    /// One for each command.
    pub verdicts: Vec<Result<job::Outcome>>,
    /// What was changed.
    pub objects: Vec<ObjectRef>,
}

/// Reservations, seats and what is locked.
#[async_trait]
pub trait InventoryStore: Send + Sync {
    /// Judges commands of one event by themselves and stores what came of them, in one transaction in which the
    /// event's pools are locked. An error means that nothing of it was stored. Who calls it waits until it ends.
    async fn run_batch(&self, tenant: TenantId, event: EventId, jobs: &[Arc<Job>]) -> Result<BatchDone>;
    /// The verdicts on commands if none of them would change anything, without a lock.
    async fn peek_batch(
        &self,
        tenant: TenantId,
        event: EventId,
        jobs: &[Arc<Job>],
    ) -> Result<Option<Vec<Result<job::Outcome>>>>;
    /// A reservation.
    async fn reservation(&self, tenant: TenantId, id: ReservationId) -> Result<Option<Reservation>>;
    /// Reservations, a page at a time.
    async fn reservations(&self, tenant: TenantId, page: &PageRequest) -> Result<Page<Reservation>>;
    /// Events of any tenant with holds that are due, or that were cancelled and are not swept yet.
    async fn due_events(&self, limit: u32) -> Result<Vec<(TenantId, EventId)>>;
    /// Notes that a cancelled event is swept, if nothing of it is held and none of its tickets is valid any more.
    async fn note_swept(&self, tenant: TenantId, event: EventId) -> Result<()>;
    /// How long a tenant's reservations are held, if it says so.
    async fn hold_rules(&self, tenant: TenantId) -> Result<Option<TenantHolds>>;
    /// Units that are out of sale.
    async fn lock(&self, tenant: TenantId, id: LockId) -> Result<Option<Lock>>;
    /// All that are of an event.
    async fn locks(&self, tenant: TenantId, event: EventId) -> Result<Vec<Lock>>;
    /// Locks of any tenant whose time is over.
    async fn due_locks(&self, limit: u32) -> Result<Vec<(TenantId, Lock)>>;
    /// A ticket type's seats by row and number, a page at a time.
    async fn seats(&self, tenant: TenantId, of: TicketTypeId, page: &PageRequest) -> Result<Page<Seat>>;
    /// Those seats of a ticket type that have these labels.
    async fn seats_named(&self, tenant: TenantId, of: TicketTypeId, labels: &[String]) -> Result<Vec<Seat>>;
    /// Removes up to `limit` rows that hang on deleted events, and at last themselves; how many.
    async fn purge_events(&self, limit: u32) -> Result<u64>;
}

/// Tickets, the keys of their codes, and check-ins.
#[async_trait]
pub trait AdmissionStore: Send + Sync {
    /// A ticket.
    async fn ticket(&self, tenant: TenantId, id: TicketId) -> Result<Option<Ticket>>;
    /// Tickets, a page at a time.
    async fn tickets(&self, tenant: TenantId, page: &PageRequest) -> Result<Page<Ticket>>;
    /// Tickets that are valid although their event was cancelled.
    async fn tickets_to_cancel(&self, tenant: TenantId, event: EventId, limit: u32) -> Result<Vec<Ticket>>;
    /// Codes of an event's tickets that are void, a page at a time.
    async fn revoked(&self, tenant: TenantId, event: EventId, page: &PageRequest) -> Result<Page<Revoked>>;
    /// A tenant's keys for ticket codes, by number.
    async fn signing_keys(&self, tenant: TenantId) -> Result<Vec<SigningKey>>;
    /// A check-in.
    async fn check_in(&self, tenant: TenantId, id: CheckInId) -> Result<Option<CheckIn>>;
    /// The check-in that a device of an event's door calls by a nonce.
    async fn check_in_named(&self, tenant: TenantId, name: (EventId, &str, &str)) -> Result<Option<CheckIn>>;
    /// All check-ins of a ticket.
    async fn check_ins_of(&self, tenant: TenantId, ticket: TicketId) -> Result<Vec<CheckIn>>;
    /// An event's check-ins, a page at a time.
    async fn check_ins(&self, tenant: TenantId, event: EventId, page: &PageRequest) -> Result<Page<CheckIn>>;
    /// Counts of an event's tickets and of its door; by the minute between two moments.
    async fn door_stats(
        &self,
        tenant: TenantId,
        event: EventId,
        between: (Timestamp, Timestamp),
    ) -> Result<DoorStats>;
}

/// Queues, and who is in them.
#[async_trait]
pub trait BookingStore: Send + Sync {
    /// The terms of an event's queue, if any were set.
    async fn queue(&self, tenant: TenantId, event: EventId) -> Result<Option<Queue>>;
    /// How many wait and how many are served.
    async fn queue_counts(&self, tenant: TenantId, event: EventId) -> Result<(u64, u64)>;
    /// Events of any tenant in whose queues something is to be done: somebody may be let in, a booking that is served
    /// is due or says what is to be reserved, or the event sells no more.
    async fn queued_events(&self, limit: u32) -> Result<Vec<(TenantId, EventId)>>;
    /// A booking.
    async fn booking(&self, tenant: TenantId, id: BookingId) -> Result<Option<Booking>>;
    /// The booking of a buyer that waits or is served.
    async fn open_booking(&self, tenant: TenantId, event: EventId, buyer: &str) -> Result<Option<Booking>>;
    /// How many bookings wait that came before this one.
    async fn bookings_before(&self, tenant: TenantId, booking: &Booking) -> Result<u64>;
    /// All bookings that wait for an event, in their order.
    async fn waiting_bookings(&self, tenant: TenantId, event: EventId) -> Result<Vec<BookingId>>;
    /// The bookings whose turn comes next.
    async fn next_bookings(&self, tenant: TenantId, event: EventId, limit: u32) -> Result<Vec<Booking>>;
    /// Bookings that are served, each with what its buyer reserved since: all, or those for which something is to be
    /// done at a moment, for their time is up, something was reserved, or they say what is to be.
    async fn active_bookings(
        &self,
        tenant: TenantId,
        event: EventId,
        asked: (Option<Timestamp>, u32),
    ) -> Result<Vec<(Booking, Option<ReservationId>)>>;
}

/// Facts.
#[async_trait]
pub trait OutboxStore: Send + Sync {
    /// The number of the newest numbered fact; 0 when there is none.
    async fn head(&self) -> Result<Seq>;
    /// Facts of all tenants after `seq`, in their order. Who has seen one never finds one below it later.
    async fn facts_after(&self, seq: Seq, limit: u32) -> Result<Vec<Fact>>;
    /// The same, of each fact only what it is about.
    async fn marks_after(&self, seq: Seq, limit: u32) -> Result<Vec<Mark>>;
    /// The same facts as [`facts_after`](Self::facts_after), of one tenant.
    async fn tenant_facts_after(&self, tenant: TenantId, seq: Seq, limit: u32) -> Result<Vec<Fact>>;
    /// What happened to one object, newest version first; pages by version.
    async fn history(
        &self,
        tenant: TenantId,
        object: (ObjectKind, &str),
        page: &PageRequest,
    ) -> Result<Page<Fact>>;
    /// What happened in a tenant, newest first; pages by number.
    async fn audit(&self, tenant: TenantId, page: &PageRequest) -> Result<Page<Fact>>;
    /// Returns when there may be new facts. May return without any.
    async fn facts_changed(&self);
    /// The number of the newest fact that is older than `before`; 0 when there is none.
    async fn seq_before(&self, before: Timestamp) -> Result<Seq>;
    /// Forgets facts older than `before`, at most `limit`; how many there were.
    async fn forget_facts(&self, before: Timestamp, limit: u32) -> Result<u64>;
}

/// Keeps what was read, for as long as it is true. What it holds may be lost at any time.
pub trait Cache: Send + Sync {
    /// What is kept under a key.
    fn get(&self, key: &CacheKey) -> Option<Cached>;
    /// Keeps something.
    fn put(&self, key: CacheKey, value: Cached);
    /// Forgets what is kept under a key.
    fn remove(&self, key: &CacheKey);
    /// Forgets everything.
    fn clear(&self);
}

/// Runs plugins. A call of one tenant never sees, and never slows beyond its share, another's.
#[async_trait]
pub trait Plugins: Send + Sync {
    /// Judges an uploaded component by all that could fail later: what it imports and exports, whether it
    /// compiles within bounds, what it says of itself. What it runs for this is the tenant's, as its calls are.
    /// Afterwards it is ready to be called here.
    async fn admit(&self, tenant: TenantId, component: Arc<[u8]>) -> Result<AdmittedComponent>;

    /// Makes a release, which was admitted once, ready to be called here. What it runs at its start is the tenant's;
    /// without one, nobody's: it is the host that wants it ready.
    async fn prepare(&self, tenant: Option<TenantId>, digest: Digest, component: Arc<[u8]>) -> Result<()>;

    /// Whether a release can be called here at once.
    fn is_ready(&self, digest: Digest) -> bool;

    /// Forgets a release that is not used any more.
    fn forget(&self, digest: Digest);

    /// Lets go of releases that are ready and not installed, but for those that were used last. What is called
    /// again is prepared again.
    fn forget_idle(&self, installed: &BTreeSet<Digest>);

    /// Calls a release that is ready.
    async fn call(&self, call: Call) -> Outcome;

    /// Returns the violations of a plugin's JSON Schema by a JSON text; each names its place below `field`. Takes time
    /// of the tenant's share.
    async fn schema_violations(
        &self,
        tenant: TenantId,
        schema: &str,
        json: &str,
        field: &str,
    ) -> Result<Vec<Violation>>;

    /// The most that any call here may have.
    fn limits(&self) -> CallLimits;
}
