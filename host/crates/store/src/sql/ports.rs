//! The ports' reading halves, over the queries.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tessera_core::access::ObjectKind;
use tessera_core::admission::door::DoorStats;
use tessera_core::admission::{CheckIn, Revoked, SigningKey, Ticket};
use tessera_core::booking::{Booking, Queue};
use tessera_core::catalog::{Event, Series, TicketType, Venue};
use tessera_core::id::{
    BookingId, CheckInId, CommentId, EventId, InstallationId, IssueId, KeyId, LockId, PoolId, ProjectId,
    ReservationId, SeriesId, TenantId, TicketId, TicketTypeId, UserId, VenueId,
};
use tessera_core::inventory::{Job, Lock, Outcome, Pool, Reservation, Seat, TenantHolds};
use tessera_core::outbox::{Fact, Mark, Seq};
use tessera_core::page::{Page, PageRequest};
use tessera_core::plugin::{Digest, DueTimer, InForce, Installation, Release, Scope, StatesInUse, Timer};
use tessera_core::ports::{
    AdmissionStore, BatchDone, BookingStore, CatalogStore, InventoryStore, OutboxStore, PluginStore,
    Store as _, TenancyStore, TrackerStore,
};
use tessera_core::tenancy::{ApiKey, StoredKey, Tenant};
use tessera_core::tracker::{Comment, Issue, Link, Project, Purge, Usage, User};
use tessera_core::{Result, Timestamp};
use uuid::Uuid;

use super::admission::{check_in, signing_key, ticket};
use super::booking::{place, queue};
use super::catalog::{event, pool, series, ticket_type, venue};
use super::inventory::{batch, holding, reservation, seat};
use super::plugin::{host, installation, release, timer};
use super::tenancy::{key, tenant};
use super::tracker::{comment, issue, link, project, purge, user, watcher};
use super::upkeep::Upkeep;
use super::{Db, DbStore, outbox};
use crate::connections::Reader;
use crate::fair::HOST;

/// Asks by a reader, and gives it back.
macro_rules! ask {
    ($reader:expr, $query:path $(, $given:expr)*) => {{
        let mut reader = $reader;
        let found = $query(&mut reader $(, $given)*).await;
        reader.back(found)
    }};
}

impl DbStore {
    async fn host(&self) -> Result<Reader<Db>> {
        self.read(HOST).await
    }
}

#[async_trait]
impl TenancyStore for DbStore {
    async fn tenant(&self, id: TenantId) -> Result<Option<Tenant>> {
        ask!(self.read(id).await?, tenant::get, id)
    }

    async fn tenant_by_slug(&self, slug: &str) -> Result<Option<Tenant>> {
        ask!(self.host().await?, tenant::by_slug, slug)
    }

    async fn tenants(&self, page: &PageRequest) -> Result<Page<Tenant>> {
        ask!(self.host().await?, tenant::list, page)
    }

    async fn key(&self, id: &KeyId) -> Result<Option<StoredKey>> {
        ask!(self.host().await?, key::get, id)
    }

    async fn keys(&self, tenant: TenantId, page: &PageRequest) -> Result<Page<ApiKey>> {
        ask!(self.read(tenant).await?, key::list, tenant, page)
    }
}

#[async_trait]
impl TrackerStore for DbStore {
    async fn user(&self, tenant: TenantId, id: UserId) -> Result<Option<User>> {
        ask!(self.read(tenant).await?, user::get, tenant, id)
    }

    async fn users(&self, tenant: TenantId, text: Option<&str>, page: &PageRequest) -> Result<Page<User>> {
        ask!(self.read(tenant).await?, user::list, tenant, text, page)
    }

    async fn project(&self, tenant: TenantId, id: ProjectId) -> Result<Option<Project>> {
        ask!(self.read(tenant).await?, project::get, tenant, id)
    }

    async fn projects(&self, tenant: TenantId, page: &PageRequest) -> Result<Page<Project>> {
        ask!(self.read(tenant).await?, project::list, tenant, page)
    }

    async fn usage(&self, tenant: TenantId, project: ProjectId) -> Result<Usage> {
        ask!(self.read(tenant).await?, project::usage, tenant, project)
    }

    async fn issue(&self, tenant: TenantId, id: IssueId) -> Result<Option<Issue>> {
        ask!(self.read(tenant).await?, issue::get, tenant, id)
    }

    async fn issues(&self, tenant: TenantId, page: &PageRequest) -> Result<Page<Issue>> {
        ask!(self.read(tenant).await?, issue::list, tenant, page)
    }

    async fn children(&self, tenant: TenantId, parents: &[IssueId], limit: u32) -> Result<Vec<Issue>> {
        ask!(self.read(tenant).await?, issue::children, tenant, parents, limit)
    }

    async fn comment(&self, tenant: TenantId, issue: IssueId, id: CommentId) -> Result<Option<Comment>> {
        ask!(self.read(tenant).await?, comment::get, tenant, issue, id)
    }

    async fn comments(&self, tenant: TenantId, issue: IssueId, page: &PageRequest) -> Result<Page<Comment>> {
        ask!(self.read(tenant).await?, comment::list, tenant, issue, page)
    }

    async fn links(&self, tenant: TenantId, issue: IssueId) -> Result<Vec<Link>> {
        ask!(self.read(tenant).await?, link::list, tenant, issue)
    }

    async fn watchers(&self, tenant: TenantId, issue: IssueId) -> Result<Vec<UserId>> {
        ask!(self.read(tenant).await?, watcher::list, tenant, issue)
    }

    async fn purges(&self, limit: u32) -> Result<Vec<Purge>> {
        ask!(self.host().await?, purge::list, limit)
    }

    async fn purgeable(&self, purge: &Purge, limit: u32) -> Result<Vec<Issue>> {
        ask!(self.host().await?, issue::purgeable, purge, limit)
    }
}

#[async_trait]
impl PluginStore for DbStore {
    async fn release(&self, tenant: TenantId, digest: Digest) -> Result<Option<Release>> {
        ask!(self.read(tenant).await?, release::get, tenant, digest)
    }

    async fn release_named(&self, tenant: TenantId, plugin: &str, version: &str) -> Result<Option<Release>> {
        ask!(self.read(tenant).await?, release::named, tenant, plugin, version)
    }

    async fn release_count(&self, tenant: TenantId) -> Result<u64> {
        ask!(self.read(tenant).await?, release::count, tenant)
    }

    async fn releases(&self, tenant: TenantId, page: &PageRequest) -> Result<Page<Release>> {
        ask!(self.read(tenant).await?, release::list, tenant, page)
    }

    async fn component(&self, digest: Digest) -> Result<Option<Arc<[u8]>>> {
        ask!(self.host().await?, release::bytes, digest)
    }

    async fn has_component(&self, digest: Digest) -> Result<bool> {
        ask!(self.host().await?, release::has_bytes, digest)
    }

    async fn digests_in_use(&self) -> Result<Vec<Digest>> {
        ask!(self.host().await?, installation::digests)
    }

    async fn in_force(&self, tenant: TenantId) -> Result<InForce> {
        ask!(self.read(tenant).await?, installation::in_force, tenant)
    }

    async fn installation(&self, tenant: TenantId, id: InstallationId) -> Result<Option<Installation>> {
        ask!(self.read(tenant).await?, installation::get, tenant, id)
    }

    async fn installations(&self, tenant: TenantId, page: &PageRequest) -> Result<Page<Installation>> {
        ask!(self.read(tenant).await?, installation::list, tenant, page)
    }

    async fn states_in_use(&self, tenant: TenantId, scope: Scope) -> Result<StatesInUse> {
        ask!(self.read(tenant).await?, issue::states_in_use, tenant, scope)
    }

    async fn own_schemes(&self, tenant: TenantId, scope: Scope) -> Result<Vec<Project>> {
        ask!(self.read(tenant).await?, project::own_schemes, tenant, scope)
    }

    async fn timers(&self, tenant: TenantId, issue: IssueId) -> Result<Vec<Timer>> {
        ask!(self.read(tenant).await?, timer::list, tenant, issue)
    }

    async fn timers_of(
        &self,
        tenant: TenantId,
        installation: InstallationId,
        page: &PageRequest,
    ) -> Result<Page<Timer>> {
        ask!(self.read(tenant).await?, timer::of, tenant, installation, page)
    }

    async fn due_timers(&self, now: Timestamp, limit: u32) -> Result<Vec<DueTimer>> {
        ask!(self.host().await?, timer::due, now, limit)
    }

    async fn delay_timer(&self, tenant: TenantId, timer: &Timer) -> Result<()> {
        self.upkeep(Upkeep::DelayTimer { tenant, timer: timer.clone() }).await.map(|_| ())
    }

    async fn beat(&self, host: &str, seq: Seq) -> Result<()> {
        self.upkeep(Upkeep::Beat { host: host.to_owned(), seq, now: self.now() }).await.map(|_| ())
    }

    async fn hosts(&self, span: Duration) -> Result<Vec<(String, Seq)>> {
        ask!(self.host().await?, host::list, self.now().minus(span))
    }
}

#[async_trait]
impl CatalogStore for DbStore {
    async fn venue(&self, tenant: TenantId, id: VenueId) -> Result<Option<Venue>> {
        ask!(self.read(tenant).await?, venue::get, tenant, id)
    }

    async fn venues(&self, tenant: TenantId, page: &PageRequest) -> Result<Page<Venue>> {
        ask!(self.read(tenant).await?, venue::list, tenant, page)
    }

    async fn series(&self, tenant: TenantId, id: SeriesId) -> Result<Option<Series>> {
        ask!(self.read(tenant).await?, series::get, tenant, id)
    }

    async fn all_series(&self, tenant: TenantId, page: &PageRequest) -> Result<Page<Series>> {
        ask!(self.read(tenant).await?, series::list, tenant, page)
    }

    async fn has_events(&self, tenant: TenantId, kind: ObjectKind, id: Uuid) -> Result<bool> {
        ask!(self.read(tenant).await?, event::any_of, tenant, kind, id)
    }

    async fn event(&self, tenant: TenantId, id: EventId) -> Result<Option<Event>> {
        ask!(self.read(tenant).await?, event::get, tenant, id)
    }

    async fn events(&self, tenant: TenantId, public: bool, page: &PageRequest) -> Result<Page<Event>> {
        ask!(self.read(tenant).await?, event::list, tenant, public, page)
    }

    async fn event_categories(&self, tenant: TenantId) -> Result<BTreeMap<String, u64>> {
        ask!(self.read(tenant).await?, event::categories, tenant)
    }

    async fn events_over(&self, limit: u32) -> Result<Vec<(TenantId, EventId)>> {
        ask!(self.host().await?, event::over, self.now(), limit)
    }

    async fn ticket_type(&self, tenant: TenantId, id: TicketTypeId) -> Result<Option<TicketType>> {
        ask!(self.read(tenant).await?, ticket_type::get, tenant, id)
    }

    async fn ticket_types(&self, tenant: TenantId, event: EventId) -> Result<Vec<TicketType>> {
        ask!(self.read(tenant).await?, ticket_type::list, tenant, event)
    }

    async fn pool(&self, tenant: TenantId, event: EventId, id: PoolId) -> Result<Option<Pool>> {
        ask!(self.read(tenant).await?, pool::get, tenant, event, id)
    }

    async fn pools(&self, tenant: TenantId, event: EventId) -> Result<Vec<Pool>> {
        ask!(self.read(tenant).await?, pool::list, tenant, event)
    }
}

#[async_trait]
impl InventoryStore for DbStore {
    async fn run_batch(&self, tenant: TenantId, event: EventId, jobs: &[Arc<Job>]) -> Result<BatchDone> {
        self.batch(tenant, event, jobs.to_vec()).await
    }

    async fn peek_batch(
        &self,
        tenant: TenantId,
        event: EventId,
        jobs: &[Arc<Job>],
    ) -> Result<Option<Vec<Result<Outcome>>>> {
        ask!(self.read(tenant).await?, batch::peek, tenant, event, jobs)
    }

    async fn reservation(&self, tenant: TenantId, id: ReservationId) -> Result<Option<Reservation>> {
        ask!(self.read(tenant).await?, reservation::get, tenant, id)
    }

    async fn reservations(&self, tenant: TenantId, page: &PageRequest) -> Result<Page<Reservation>> {
        ask!(self.read(tenant).await?, reservation::list, tenant, page)
    }

    async fn due_events(&self, limit: u32) -> Result<Vec<(TenantId, EventId)>> {
        ask!(self.host().await?, reservation::due, self.now(), limit)
    }

    async fn note_swept(&self, tenant: TenantId, event: EventId) -> Result<()> {
        self.upkeep(Upkeep::NoteSwept { tenant, event }).await.map(drop)
    }

    async fn hold_rules(&self, tenant: TenantId) -> Result<Option<TenantHolds>> {
        ask!(self.read(tenant).await?, holding::get, tenant)
    }

    async fn lock(&self, tenant: TenantId, id: LockId) -> Result<Option<Lock>> {
        ask!(self.read(tenant).await?, pool::get_lock, tenant, id)
    }

    async fn locks(&self, tenant: TenantId, event: EventId) -> Result<Vec<Lock>> {
        ask!(self.read(tenant).await?, pool::locks, tenant, event)
    }

    async fn due_locks(&self, limit: u32) -> Result<Vec<(TenantId, Lock)>> {
        ask!(self.host().await?, pool::due_locks, self.now(), limit)
    }

    async fn seats(&self, tenant: TenantId, of: TicketTypeId, page: &PageRequest) -> Result<Page<Seat>> {
        ask!(self.read(tenant).await?, seat::list, tenant, of, page)
    }

    async fn seats_named(&self, tenant: TenantId, of: TicketTypeId, labels: &[String]) -> Result<Vec<Seat>> {
        ask!(self.read(tenant).await?, seat::named, tenant, of, labels)
    }

    async fn purge_events(&self, limit: u32) -> Result<u64> {
        self.upkeep(Upkeep::PurgeEvents { limit }).await
    }
}

#[async_trait]
impl AdmissionStore for DbStore {
    async fn ticket(&self, tenant: TenantId, id: TicketId) -> Result<Option<Ticket>> {
        ask!(self.read(tenant).await?, ticket::get, tenant, id)
    }

    async fn tickets(&self, tenant: TenantId, page: &PageRequest) -> Result<Page<Ticket>> {
        ask!(self.read(tenant).await?, ticket::list, tenant, page)
    }

    async fn tickets_to_cancel(&self, tenant: TenantId, event: EventId, limit: u32) -> Result<Vec<Ticket>> {
        ask!(self.read(tenant).await?, ticket::to_cancel, tenant, event, limit)
    }

    async fn revoked(&self, tenant: TenantId, event: EventId, page: &PageRequest) -> Result<Page<Revoked>> {
        ask!(self.read(tenant).await?, ticket::revoked, tenant, event, page)
    }

    async fn signing_keys(&self, tenant: TenantId) -> Result<Vec<SigningKey>> {
        ask!(self.read(tenant).await?, signing_key::list, tenant)
    }

    async fn check_in(&self, tenant: TenantId, id: CheckInId) -> Result<Option<CheckIn>> {
        ask!(self.read(tenant).await?, check_in::get, tenant, id)
    }

    async fn check_in_named(&self, tenant: TenantId, name: (EventId, &str, &str)) -> Result<Option<CheckIn>> {
        ask!(self.read(tenant).await?, check_in::named, tenant, name)
    }

    async fn check_ins_of(&self, tenant: TenantId, ticket: TicketId) -> Result<Vec<CheckIn>> {
        ask!(self.read(tenant).await?, check_in::of, tenant, ticket)
    }

    async fn check_ins(&self, tenant: TenantId, event: EventId, page: &PageRequest) -> Result<Page<CheckIn>> {
        ask!(self.read(tenant).await?, check_in::list, tenant, event, page)
    }

    async fn door_stats(
        &self,
        tenant: TenantId,
        event: EventId,
        between: (Timestamp, Timestamp),
    ) -> Result<DoorStats> {
        ask!(self.read(tenant).await?, check_in::stats, tenant, event, between)
    }
}

#[async_trait]
impl BookingStore for DbStore {
    async fn queue(&self, tenant: TenantId, event: EventId) -> Result<Option<Queue>> {
        ask!(self.read(tenant).await?, queue::get, tenant, event)
    }

    async fn queue_counts(&self, tenant: TenantId, event: EventId) -> Result<(u64, u64)> {
        ask!(self.read(tenant).await?, queue::counts, tenant, event)
    }

    async fn queued_events(&self, limit: u32) -> Result<Vec<(TenantId, EventId)>> {
        ask!(self.host().await?, queue::due, self.now(), limit)
    }

    async fn booking(&self, tenant: TenantId, id: BookingId) -> Result<Option<Booking>> {
        ask!(self.read(tenant).await?, place::get, tenant, id)
    }

    async fn open_booking(&self, tenant: TenantId, event: EventId, buyer: &str) -> Result<Option<Booking>> {
        ask!(self.read(tenant).await?, place::open, tenant, event, buyer)
    }

    async fn bookings_before(&self, tenant: TenantId, booking: &Booking) -> Result<u64> {
        ask!(self.read(tenant).await?, place::before, tenant, booking)
    }

    async fn waiting_bookings(&self, tenant: TenantId, event: EventId) -> Result<Vec<BookingId>> {
        ask!(self.read(tenant).await?, place::waiting, tenant, event)
    }

    async fn next_bookings(&self, tenant: TenantId, event: EventId, limit: u32) -> Result<Vec<Booking>> {
        ask!(self.read(tenant).await?, place::next, tenant, event, limit)
    }

    async fn active_bookings(
        &self,
        tenant: TenantId,
        event: EventId,
        asked: (Option<Timestamp>, u32),
    ) -> Result<Vec<(Booking, Option<ReservationId>)>> {
        ask!(self.read(tenant).await?, place::active, tenant, event, asked)
    }
}

#[async_trait]
impl OutboxStore for DbStore {
    async fn head(&self) -> Result<Seq> {
        ask!(self.host().await?, outbox::head)
    }

    async fn facts_after(&self, seq: Seq, limit: u32) -> Result<Vec<Fact>> {
        ask!(self.host().await?, outbox::after, None, seq, limit)
    }

    async fn marks_after(&self, seq: Seq, limit: u32) -> Result<Vec<Mark>> {
        ask!(self.host().await?, outbox::marks, seq, limit)
    }

    async fn tenant_facts_after(&self, tenant: TenantId, seq: Seq, limit: u32) -> Result<Vec<Fact>> {
        ask!(self.read(tenant).await?, outbox::after, Some(tenant), seq, limit)
    }

    async fn history(
        &self,
        tenant: TenantId,
        object: (ObjectKind, &str),
        page: &PageRequest,
    ) -> Result<Page<Fact>> {
        ask!(self.read(tenant).await?, outbox::history, tenant, object, page)
    }

    async fn audit(&self, tenant: TenantId, page: &PageRequest) -> Result<Page<Fact>> {
        ask!(self.read(tenant).await?, outbox::audit, tenant, page)
    }

    async fn facts_changed(&self) {
        self.changed().heard().await;
    }

    async fn seq_before(&self, before: Timestamp) -> Result<Seq> {
        ask!(self.host().await?, outbox::seq_before, before)
    }

    async fn forget_facts(&self, before: Timestamp, limit: u32) -> Result<u64> {
        self.upkeep(Upkeep::ForgetFacts { before, limit }).await
    }
}
