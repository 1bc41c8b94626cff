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
use super::{DbStore, Reader, outbox};
use crate::fair::HOST;

impl DbStore {
    async fn host(&self) -> Result<Reader> {
        self.read(HOST).await
    }
}

#[async_trait]
impl TenancyStore for DbStore {
    async fn tenant(&self, id: TenantId) -> Result<Option<Tenant>> {
        tenant::get(&mut *self.read(id).await?, id).await
    }

    async fn tenant_by_slug(&self, slug: &str) -> Result<Option<Tenant>> {
        tenant::by_slug(&mut *self.host().await?, slug).await
    }

    async fn tenants(&self, page: &PageRequest) -> Result<Page<Tenant>> {
        tenant::list(&mut *self.host().await?, page).await
    }

    async fn key(&self, id: &KeyId) -> Result<Option<StoredKey>> {
        key::get(&mut *self.host().await?, id).await
    }

    async fn keys(&self, tenant: TenantId, page: &PageRequest) -> Result<Page<ApiKey>> {
        key::list(&mut *self.read(tenant).await?, tenant, page).await
    }
}

#[async_trait]
impl TrackerStore for DbStore {
    async fn user(&self, tenant: TenantId, id: UserId) -> Result<Option<User>> {
        user::get(&mut *self.read(tenant).await?, tenant, id).await
    }

    async fn users(&self, tenant: TenantId, text: Option<&str>, page: &PageRequest) -> Result<Page<User>> {
        user::list(&mut *self.read(tenant).await?, tenant, text, page).await
    }

    async fn project(&self, tenant: TenantId, id: ProjectId) -> Result<Option<Project>> {
        project::get(&mut *self.read(tenant).await?, tenant, id).await
    }

    async fn projects(&self, tenant: TenantId, page: &PageRequest) -> Result<Page<Project>> {
        project::list(&mut *self.read(tenant).await?, tenant, page).await
    }

    async fn usage(&self, tenant: TenantId, project: ProjectId) -> Result<Usage> {
        project::usage(&mut *self.read(tenant).await?, tenant, project).await
    }

    async fn issue(&self, tenant: TenantId, id: IssueId) -> Result<Option<Issue>> {
        issue::get(&mut *self.read(tenant).await?, tenant, id).await
    }

    async fn issues(&self, tenant: TenantId, page: &PageRequest) -> Result<Page<Issue>> {
        issue::list(&mut *self.read(tenant).await?, tenant, page).await
    }

    async fn children(&self, tenant: TenantId, parents: &[IssueId], limit: u32) -> Result<Vec<Issue>> {
        issue::children(&mut *self.read(tenant).await?, tenant, parents, limit).await
    }

    async fn comment(&self, tenant: TenantId, issue: IssueId, id: CommentId) -> Result<Option<Comment>> {
        comment::get(&mut *self.read(tenant).await?, tenant, issue, id).await
    }

    async fn comments(&self, tenant: TenantId, issue: IssueId, page: &PageRequest) -> Result<Page<Comment>> {
        comment::list(&mut *self.read(tenant).await?, tenant, issue, page).await
    }

    async fn links(&self, tenant: TenantId, issue: IssueId) -> Result<Vec<Link>> {
        link::list(&mut *self.read(tenant).await?, tenant, issue).await
    }

    async fn watchers(&self, tenant: TenantId, issue: IssueId) -> Result<Vec<UserId>> {
        watcher::list(&mut *self.read(tenant).await?, tenant, issue).await
    }

    async fn purges(&self, limit: u32) -> Result<Vec<Purge>> {
        purge::list(&mut *self.host().await?, limit).await
    }

    async fn purgeable(&self, purge: &Purge, limit: u32) -> Result<Vec<Issue>> {
        issue::purgeable(&mut *self.host().await?, purge, limit).await
    }
}

#[async_trait]
impl PluginStore for DbStore {
    async fn release(&self, tenant: TenantId, digest: Digest) -> Result<Option<Release>> {
        release::get(&mut *self.read(tenant).await?, tenant, digest).await
    }

    async fn release_named(&self, tenant: TenantId, plugin: &str, version: &str) -> Result<Option<Release>> {
        release::named(&mut *self.read(tenant).await?, tenant, plugin, version).await
    }

    async fn release_count(&self, tenant: TenantId) -> Result<u64> {
        release::count(&mut *self.read(tenant).await?, tenant).await
    }

    async fn releases(&self, tenant: TenantId, page: &PageRequest) -> Result<Page<Release>> {
        release::list(&mut *self.read(tenant).await?, tenant, page).await
    }

    async fn component(&self, digest: Digest) -> Result<Option<Arc<[u8]>>> {
        release::bytes(&mut *self.host().await?, digest).await
    }

    async fn digests_in_use(&self) -> Result<Vec<Digest>> {
        installation::digests(&mut *self.host().await?).await
    }

    async fn in_force(&self, tenant: TenantId) -> Result<InForce> {
        installation::in_force(&mut *self.read(tenant).await?, tenant).await
    }

    async fn installation(&self, tenant: TenantId, id: InstallationId) -> Result<Option<Installation>> {
        installation::get(&mut *self.read(tenant).await?, tenant, id).await
    }

    async fn installations(&self, tenant: TenantId, page: &PageRequest) -> Result<Page<Installation>> {
        installation::list(&mut *self.read(tenant).await?, tenant, page).await
    }

    async fn states_in_use(&self, tenant: TenantId, scope: Scope) -> Result<StatesInUse> {
        issue::states_in_use(&mut *self.read(tenant).await?, tenant, scope).await
    }

    async fn own_schemes(&self, tenant: TenantId, scope: Scope) -> Result<Vec<Project>> {
        project::own_schemes(&mut *self.read(tenant).await?, tenant, scope).await
    }

    async fn timers(&self, tenant: TenantId, issue: IssueId) -> Result<Vec<Timer>> {
        timer::list(&mut *self.read(tenant).await?, tenant, issue).await
    }

    async fn due_timers(&self, now: Timestamp, limit: u32) -> Result<Vec<DueTimer>> {
        timer::due(&mut *self.host().await?, now, limit).await
    }

    async fn delay_timer(&self, tenant: TenantId, timer: &Timer) -> Result<()> {
        self.upkeep(Upkeep::DelayTimer { tenant, timer: timer.clone() }).await.map(|_| ())
    }

    async fn beat(&self, host: &str, seq: Seq) -> Result<()> {
        self.upkeep(Upkeep::Beat { host: host.to_owned(), seq, now: self.now() }).await.map(|_| ())
    }

    async fn hosts(&self, span: Duration) -> Result<Vec<(String, Seq)>> {
        host::list(&mut *self.host().await?, self.now().minus(span)).await
    }
}

#[async_trait]
impl CatalogStore for DbStore {
    async fn venue(&self, tenant: TenantId, id: VenueId) -> Result<Option<Venue>> {
        venue::get(&mut *self.read(tenant).await?, tenant, id).await
    }

    async fn venues(&self, tenant: TenantId, page: &PageRequest) -> Result<Page<Venue>> {
        venue::list(&mut *self.read(tenant).await?, tenant, page).await
    }

    async fn series(&self, tenant: TenantId, id: SeriesId) -> Result<Option<Series>> {
        series::get(&mut *self.read(tenant).await?, tenant, id).await
    }

    async fn all_series(&self, tenant: TenantId, page: &PageRequest) -> Result<Page<Series>> {
        series::list(&mut *self.read(tenant).await?, tenant, page).await
    }

    async fn has_events(&self, tenant: TenantId, kind: ObjectKind, id: Uuid) -> Result<bool> {
        event::any_of(&mut *self.read(tenant).await?, tenant, kind, id).await
    }

    async fn event(&self, tenant: TenantId, id: EventId) -> Result<Option<Event>> {
        event::get(&mut *self.read(tenant).await?, tenant, id).await
    }

    async fn events(&self, tenant: TenantId, public: bool, page: &PageRequest) -> Result<Page<Event>> {
        event::list(&mut *self.read(tenant).await?, tenant, public, page).await
    }

    async fn event_categories(&self, tenant: TenantId) -> Result<BTreeMap<String, u64>> {
        event::categories(&mut *self.read(tenant).await?, tenant).await
    }

    async fn events_over(&self, limit: u32) -> Result<Vec<(TenantId, EventId)>> {
        event::over(&mut *self.host().await?, self.now(), limit).await
    }

    async fn ticket_type(&self, tenant: TenantId, id: TicketTypeId) -> Result<Option<TicketType>> {
        ticket_type::get(&mut *self.read(tenant).await?, tenant, id).await
    }

    async fn ticket_types(&self, tenant: TenantId, event: EventId) -> Result<Vec<TicketType>> {
        ticket_type::list(&mut *self.read(tenant).await?, tenant, event).await
    }

    async fn pool(&self, tenant: TenantId, event: EventId, id: PoolId) -> Result<Option<Pool>> {
        pool::get(&mut *self.read(tenant).await?, tenant, event, id).await
    }

    async fn pools(&self, tenant: TenantId, event: EventId) -> Result<Vec<Pool>> {
        pool::list(&mut *self.read(tenant).await?, tenant, event).await
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
        batch::peek(&mut *self.read(tenant).await?, tenant, event, jobs).await
    }

    async fn reservation(&self, tenant: TenantId, id: ReservationId) -> Result<Option<Reservation>> {
        reservation::get(&mut *self.read(tenant).await?, tenant, id).await
    }

    async fn reservations(&self, tenant: TenantId, page: &PageRequest) -> Result<Page<Reservation>> {
        reservation::list(&mut *self.read(tenant).await?, tenant, page).await
    }

    async fn due_events(&self, limit: u32) -> Result<Vec<(TenantId, EventId)>> {
        reservation::due(&mut *self.host().await?, self.now(), limit).await
    }

    async fn note_swept(&self, tenant: TenantId, event: EventId) -> Result<()> {
        self.upkeep(Upkeep::NoteSwept { tenant, event }).await.map(drop)
    }

    async fn hold_rules(&self, tenant: TenantId) -> Result<Option<TenantHolds>> {
        holding::get(&mut *self.read(tenant).await?, tenant).await
    }

    async fn lock(&self, tenant: TenantId, id: LockId) -> Result<Option<Lock>> {
        pool::get_lock(&mut *self.read(tenant).await?, tenant, id).await
    }

    async fn locks(&self, tenant: TenantId, event: EventId) -> Result<Vec<Lock>> {
        pool::locks(&mut *self.read(tenant).await?, tenant, event).await
    }

    async fn due_locks(&self, limit: u32) -> Result<Vec<(TenantId, Lock)>> {
        pool::due_locks(&mut *self.host().await?, self.now(), limit).await
    }

    async fn seats(&self, tenant: TenantId, of: TicketTypeId, page: &PageRequest) -> Result<Page<Seat>> {
        seat::list(&mut *self.read(tenant).await?, tenant, of, page).await
    }

    async fn seats_named(&self, tenant: TenantId, of: TicketTypeId, labels: &[String]) -> Result<Vec<Seat>> {
        seat::named(&mut *self.read(tenant).await?, tenant, of, labels).await
    }

    async fn purge_events(&self, limit: u32) -> Result<u64> {
        self.upkeep(Upkeep::PurgeEvents { limit }).await
    }
}

#[async_trait]
impl AdmissionStore for DbStore {
    async fn ticket(&self, tenant: TenantId, id: TicketId) -> Result<Option<Ticket>> {
        ticket::get(&mut *self.read(tenant).await?, tenant, id).await
    }

    async fn tickets(&self, tenant: TenantId, page: &PageRequest) -> Result<Page<Ticket>> {
        ticket::list(&mut *self.read(tenant).await?, tenant, page).await
    }

    async fn tickets_to_cancel(&self, tenant: TenantId, event: EventId, limit: u32) -> Result<Vec<Ticket>> {
        ticket::to_cancel(&mut *self.read(tenant).await?, tenant, event, limit).await
    }

    async fn revoked(&self, tenant: TenantId, event: EventId, page: &PageRequest) -> Result<Page<Revoked>> {
        ticket::revoked(&mut *self.read(tenant).await?, tenant, event, page).await
    }

    async fn signing_keys(&self, tenant: TenantId) -> Result<Vec<SigningKey>> {
        signing_key::list(&mut *self.read(tenant).await?, tenant).await
    }

    async fn check_in(&self, tenant: TenantId, id: CheckInId) -> Result<Option<CheckIn>> {
        check_in::get(&mut *self.read(tenant).await?, tenant, id).await
    }

    async fn check_in_named(&self, tenant: TenantId, name: (EventId, &str, &str)) -> Result<Option<CheckIn>> {
        check_in::named(&mut *self.read(tenant).await?, tenant, name).await
    }

    async fn check_ins_of(&self, tenant: TenantId, ticket: TicketId) -> Result<Vec<CheckIn>> {
        check_in::of(&mut *self.read(tenant).await?, tenant, ticket).await
    }

    async fn check_ins(&self, tenant: TenantId, event: EventId, page: &PageRequest) -> Result<Page<CheckIn>> {
        check_in::list(&mut *self.read(tenant).await?, tenant, event, page).await
    }

    async fn door_stats(
        &self,
        tenant: TenantId,
        event: EventId,
        between: (Timestamp, Timestamp),
    ) -> Result<DoorStats> {
        check_in::stats(&mut *self.read(tenant).await?, tenant, event, between).await
    }
}

#[async_trait]
impl BookingStore for DbStore {
    async fn queue(&self, tenant: TenantId, event: EventId) -> Result<Option<Queue>> {
        queue::get(&mut *self.read(tenant).await?, tenant, event).await
    }

    async fn queue_counts(&self, tenant: TenantId, event: EventId) -> Result<(u64, u64)> {
        queue::counts(&mut *self.read(tenant).await?, tenant, event).await
    }

    async fn queued_events(&self, limit: u32) -> Result<Vec<(TenantId, EventId)>> {
        queue::due(&mut *self.host().await?, self.now(), limit).await
    }

    async fn booking(&self, tenant: TenantId, id: BookingId) -> Result<Option<Booking>> {
        place::get(&mut *self.read(tenant).await?, tenant, id).await
    }

    async fn open_booking(&self, tenant: TenantId, event: EventId, buyer: &str) -> Result<Option<Booking>> {
        place::open(&mut *self.read(tenant).await?, tenant, event, buyer).await
    }

    async fn bookings_before(&self, tenant: TenantId, booking: &Booking) -> Result<u64> {
        place::before(&mut *self.read(tenant).await?, tenant, booking).await
    }

    async fn waiting_bookings(&self, tenant: TenantId, event: EventId) -> Result<Vec<BookingId>> {
        place::waiting(&mut *self.read(tenant).await?, tenant, event).await
    }

    async fn next_bookings(&self, tenant: TenantId, event: EventId, limit: u32) -> Result<Vec<Booking>> {
        place::next(&mut *self.read(tenant).await?, tenant, event, limit).await
    }

    async fn active_bookings(
        &self,
        tenant: TenantId,
        event: EventId,
        asked: (Option<Timestamp>, u32),
    ) -> Result<Vec<(Booking, Option<ReservationId>)>> {
        place::active(&mut *self.read(tenant).await?, tenant, event, asked).await
    }
}

#[async_trait]
impl OutboxStore for DbStore {
    async fn head(&self) -> Result<Seq> {
        outbox::head(&mut *self.host().await?).await
    }

    async fn facts_after(&self, seq: Seq, limit: u32) -> Result<Vec<Fact>> {
        outbox::after(&mut *self.host().await?, None, seq, limit).await
    }

    async fn marks_after(&self, seq: Seq, limit: u32) -> Result<Vec<Mark>> {
        outbox::marks(&mut *self.host().await?, seq, limit).await
    }

    async fn tenant_facts_after(&self, tenant: TenantId, seq: Seq, limit: u32) -> Result<Vec<Fact>> {
        outbox::after(&mut *self.read(tenant).await?, Some(tenant), seq, limit).await
    }

    async fn history(
        &self,
        tenant: TenantId,
        object: (ObjectKind, &str),
        page: &PageRequest,
    ) -> Result<Page<Fact>> {
        outbox::history(&mut *self.read(tenant).await?, tenant, object, page).await
    }

    async fn audit(&self, tenant: TenantId, page: &PageRequest) -> Result<Page<Fact>> {
        outbox::audit(&mut *self.read(tenant).await?, tenant, page).await
    }

    async fn facts_changed(&self) {
        self.changed().heard().await;
    }

    async fn seq_before(&self, before: Timestamp) -> Result<Seq> {
        outbox::seq_before(&mut *self.host().await?, before).await
    }

    async fn forget_facts(&self, before: Timestamp, limit: u32) -> Result<u64> {
        self.upkeep(Upkeep::ForgetFacts { before, limit }).await
    }
}
