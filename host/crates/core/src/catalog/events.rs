//! The service of events.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::event::{ChangeEvent, Event, EventStatus, WriteEvent};
use crate::access::{ObjectKind, Operation};
use crate::changeset::{Changeset, Guard};
use crate::command::{Commands, Decision};
use crate::ctx::{Ctx, Principal, Transport};
use crate::error::{Error, Result};
use crate::fair::WorkLimiter;
use crate::filter::{Op, Operand, Term};
use crate::id::{EventId, PoolId, TenantId};
use crate::inventory::resize::resize_pool;
use crate::inventory::{Pool, PoolSort};
use crate::outbox::{NewFact, ObjectRef};
use crate::page::{Page, PageRequest};
use crate::ports::Store;
use crate::value::diff;

/// How many events of a tenant are ended in one round, and how long each may take.
const MAX_ENDED: u32 = 100;
const END_TIMEOUT: Duration = Duration::from_secs(10);

/// The time zone of events without another.
const DEFAULT_TIME_ZONE: &str = "UTC";

/// Creates, reads, changes and deletes events.
#[derive(Clone)]
pub struct Events {
    store: Arc<dyn Store>,
    commands: Commands,
}

impl Events {
    /// Creates the service.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, commands: Commands) -> Self {
        Self { store, commands }
    }

    /// Creates an event, with the pool of all its units.
    pub async fn create(&self, ctx: &Ctx, command: WriteEvent) -> Result<Event> {
        let decide = || async {
            command.check()?;
            command.check_status(EventStatus::Draft)?;
            let (mut changeset, time_zone) =
                self.check_references(ctx, &command, Changeset::new(ctx)).await?;
            let event = Event {
                id: EventId::generate(),
                attributes: WriteEvent { time_zone: Some(time_zone), ..command.clone() },
                reentry_switches: Vec::new(),
                used: 0,
                created_by: ctx.principal.to_string(),
                created_at: ctx.now,
                updated_at: ctx.now,
                version: 1,
            };
            let pool = Pool::new(event.id, (PoolSort::Event, event.id.into()), "event", ctx.now);
            changeset = changeset.insert(event.clone()).insert(pool.with_capacity(event.attributes.capacity));
            Ok(Decision::change(changeset.fact(fact(ctx, "event.created", None, &event)), event))
        };
        self.commands.run(ctx, Operation::EventCreate, &command, decide).await
    }

    /// Returns an event. Drafts are hidden from the public.
    pub async fn get(&self, ctx: &Ctx, id: EventId) -> Result<Event> {
        ctx.allow(Operation::EventGet)?;
        let event = self.found(ctx, id).await?;
        if event.is_public() || ctx.is_authenticated() {
            Ok(redacted(ctx, event))
        } else {
            Err(Error::not_found("event"))
        }
    }

    /// Returns a page of events.
    pub async fn list(&self, ctx: &Ctx, page: &PageRequest) -> Result<Page<Event>> {
        ctx.allow(Operation::EventList)?;
        let page = self.store.events(ctx.tenant, !ctx.is_authenticated(), page).await?;
        Ok(page.map(|event| redacted(ctx, event)))
    }

    /// Returns a page of the featured events, without those that are cancelled or have ended.
    pub async fn featured(&self, ctx: &Ctx, mut page: PageRequest) -> Result<Page<Event>> {
        ctx.allow(Operation::EventFeatured)?;
        let over = EventStatus::ALL.into_iter().filter(|status| status.is_final());
        let over = over.map(|status| Operand::Text(status.name().to_owned())).collect();
        let term = |field, negated, values| Term { negated, field, name: None, op: Op::OneOf, values };
        page.filter.terms.push(term("featured", false, vec![Operand::Boolean(true)]));
        page.filter.terms.push(term("status", true, over));
        self.list(ctx, &page).await
    }

    /// Counts active events by category.
    pub async fn categories(&self, ctx: &Ctx) -> Result<BTreeMap<String, u64>> {
        ctx.allow(Operation::EventCategories)?;
        self.store.event_categories(ctx.tenant).await
    }

    /// Changes an event. If it is cancelled, its holds are released and its tickets cancelled later, in slices.
    pub async fn update(&self, ctx: &Ctx, id: EventId, command: ChangeEvent) -> Result<Event> {
        let decide = || async {
            let before = self.found(ctx, id).await?;
            ctx.check_version(before.version)?;
            let mut after =
                Event { attributes: command.clone().apply_to(&before.attributes), ..before.clone() };
            after.attributes.check()?;
            after.attributes.check_status(before.attributes.status)?;
            if after == before {
                return Ok(Decision::nothing(after));
            }
            let (mut changeset, time_zone) =
                self.check_references(ctx, &after.attributes, Changeset::new(ctx)).await?;
            after.attributes.time_zone = Some(time_zone);
            after.version += 1;
            after.updated_at = ctx.now;
            if after.attributes.reentry != before.attributes.reentry {
                after.record_reentry_switch(ctx.now)?;
            }
            if after.attributes.capacity != before.attributes.capacity {
                changeset = self.resize_pool(ctx, changeset, id, after.attributes.capacity).await?;
            }
            if after.attributes.status != before.attributes.status {
                // Batches in progress finish first.
                changeset = changeset.guard(Guard::SalesPaused(id));
            }
            let fact = fact(
                ctx,
                fact_type(before.attributes.status, after.attributes.status),
                Some(&before),
                &after,
            );
            Ok(Decision::change(changeset.fact(fact).update(after.clone()), after))
        };
        self.commands.run(ctx, Operation::EventUpdate, &(id, &command, &ctx.if_version), decide).await
    }

    /// Ends a tenant's active events whose end has passed. Returns whether there may be more.
    pub async fn end_over(&self, tenant: TenantId, limiter: &WorkLimiter) -> Result<bool> {
        let events = self.store.events_over(tenant, MAX_ENDED).await?;
        let end = |id: EventId| async move {
            let until = Instant::now() + END_TIMEOUT;
            let request_id = format!("over-{id}").into();
            let time = (self.store.now(), until);
            let ctx = Ctx::new(tenant, Principal::System, request_id, time, Transport::Internal);
            let ended = ChangeEvent { status: Some(EventStatus::Ended), ..ChangeEvent::default() };
            // It may have been deleted, cancelled or prolonged meanwhile, or a plugin refuses. It is not on sale in any case.
            let result = self.update(&ctx, id, ended).await;
            result
                .inspect_err(
                    |error| tracing::debug!(?error, event = %id, "event not ended after its end date"),
                )
                .is_ok()
        };
        Ok(limiter.for_each(tenant, events, end).await > 0)
    }

    /// Deletes an event without sales and holds. Its dependent rows are purged later, in slices.
    pub async fn delete(&self, ctx: &Ctx, id: EventId) -> Result<()> {
        let decide = || async {
            let event = self.found(ctx, id).await?;
            ctx.check_version(event.version)?;
            for pool in self.store.pools(ctx.tenant, &[id]).await? {
                pool.check_unused("EVENT_HAS_SALES")?;
            }
            let changes = diff(Some(&event), None);
            let fact = NewFact::new(ctx, "event.deleted", object(&event, event.version + 1), changes);
            let changeset = Changeset::new(ctx).guard(Guard::EventIsUnsold(id)).fact(fact.in_event(id));
            Ok(Decision::change(changeset.delete(event), ()))
        };
        self.commands.run(ctx, Operation::EventDelete, &(id, &ctx.if_version), decide).await
    }

    /// Adds dependencies on the venue and the series that an event refers to. Returns the event's time zone, too.
    async fn check_references(
        &self,
        ctx: &Ctx,
        attributes: &WriteEvent,
        mut changeset: Changeset,
    ) -> Result<(Changeset, String)> {
        let mut time_zone = attributes.time_zone.clone();
        if let Some(id) = attributes.venue {
            let venue = self.store.venue(ctx.tenant, id).await?;
            let venue = venue.ok_or_else(|| Error::invalid("venue_id", "is not a venue of the tenant"))?;
            changeset = changeset.expect(&venue);
            time_zone = time_zone.or(Some(venue.attributes.time_zone));
        }
        if let Some(id) = attributes.series {
            let series = self.store.series(ctx.tenant, id).await?;
            let series =
                series.ok_or_else(|| Error::invalid("series_id", "is not a series of the tenant"))?;
            changeset = changeset.expect(&series);
        }
        Ok((changeset, time_zone.unwrap_or_else(|| DEFAULT_TIME_ZONE.to_owned())))
    }

    async fn resize_pool(
        &self,
        ctx: &Ctx,
        changeset: Changeset,
        id: EventId,
        capacity: Option<u64>,
    ) -> Result<Changeset> {
        let pool = self.store.pool(ctx.tenant, id, PoolId::from(id)).await?;
        let pool = pool.ok_or_else(Error::stale)?;
        resize_pool(ctx, changeset, pool, ("max_capacity", capacity))
    }

    async fn found(&self, ctx: &Ctx, id: EventId) -> Result<Event> {
        self.store.event(ctx.tenant, id).await?.ok_or_else(|| Error::not_found("event"))
    }
}

/// Hides from the public which principal created the event.
fn redacted(ctx: &Ctx, mut event: Event) -> Event {
    if !ctx.is_authenticated() {
        event.created_by.clear();
    }
    event
}

fn fact_type(before: EventStatus, after: EventStatus) -> &'static str {
    match after {
        _ if before == after => "event.updated",
        EventStatus::Draft => "event.withdrawn",
        EventStatus::Active => "event.opened",
        EventStatus::Cancelled => "event.cancelled",
        EventStatus::Ended => "event.ended",
    }
}

fn object(event: &Event, version: u64) -> ObjectRef {
    ObjectRef { kind: ObjectKind::Event, id: event.id.to_string(), version }
}

fn fact(ctx: &Ctx, fact_type: &'static str, before: Option<&Event>, after: &Event) -> NewFact {
    let object = object(after, after.version);
    NewFact::new(ctx, fact_type, object, diff(before, Some(after))).in_event(after.id)
}
