//! What can be done with events.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::event::{ChangeEvent, Event, EventStatus, WriteEvent};
use crate::access::{ObjectKind, Operation};
use crate::changeset::{Changeset, Guard};
use crate::command::{Commands, Decision};
use crate::ctx::{Ctx, Principal, Transport};
use crate::error::{Error, Result};
use crate::id::{EventId, PoolId};
use crate::inventory::{Pool, PoolSort};
use crate::outbox::{NewFact, ObjectRef};
use crate::page::{Page, PageRequest};
use crate::ports::Store;
use crate::value::diff;

/// How many events that are over are ended at once, and how long each may take.
const OVER: u32 = 100;
const PATIENCE: Duration = Duration::from_secs(10);

/// Where an event is when nobody says so.
const UTC: &str = "UTC";

/// Carries out what is done with events.
#[derive(Clone)]
pub struct Events {
    store: Arc<dyn Store>,
    commands: Commands,
}

impl Events {
    /// The service.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, commands: Commands) -> Self {
        Self { store, commands }
    }

    /// Makes an event, with the pool of all that it admits.
    pub async fn create(&self, ctx: &Ctx, command: WriteEvent) -> Result<Event> {
        let decide = || async {
            command.check()?;
            command.check_status(EventStatus::Draft)?;
            let (mut changeset, zone) = self.bound(ctx, &command, Changeset::new(ctx)).await?;
            let event = Event {
                id: EventId::generate(),
                text: WriteEvent { time_zone: Some(zone), ..command.clone() },
                reentry_switches: Vec::new(),
                created_by: ctx.principal.to_string(),
                created_at: ctx.now,
                updated_at: ctx.now,
                version: 1,
            };
            let pool = Pool::new(event.id, (PoolSort::Event, event.id.into()), "event", ctx.now);
            changeset = changeset.insert(event.clone()).insert(pool.holding(event.text.capacity));
            Ok(Decision::change(changeset.fact(fact(ctx, "event.created", None, &event)), event))
        };
        self.commands.run(ctx, Operation::EventCreate, &command, decide).await
    }

    /// Shows an event. Only who works here sees a draft.
    pub async fn get(&self, ctx: &Ctx, id: EventId) -> Result<Event> {
        ctx.allow(Operation::EventGet)?;
        let event = self.found(ctx, id).await?;
        if event.is_public() || sees_drafts(ctx) {
            Ok(shown(ctx, event))
        } else {
            Err(Error::not_found("event"))
        }
    }

    /// Lists events.
    pub async fn list(&self, ctx: &Ctx, page: &PageRequest) -> Result<Page<Event>> {
        ctx.allow(Operation::EventList)?;
        let page = self.store.events(ctx.tenant, !sees_drafts(ctx), page).await?;
        Ok(page.map(|event| shown(ctx, event)))
    }

    /// The categories of events that are not drafts, with how many there are of each.
    pub async fn categories(&self, ctx: &Ctx) -> Result<BTreeMap<String, u64>> {
        ctx.allow(Operation::EventCategories)?;
        self.store.event_categories(ctx.tenant).await
    }

    /// Changes an event. One that is cancelled sells nothing any more: its holds are released and its
    /// tickets marked, in slices.
    pub async fn update(&self, ctx: &Ctx, id: EventId, command: ChangeEvent) -> Result<Event> {
        let decide = || async {
            let before = self.found(ctx, id).await?;
            ctx.check_version(before.version)?;
            let mut after = Event { text: command.clone().apply_to(&before.text), ..before.clone() };
            after.text.check()?;
            after.text.check_status(before.text.status)?;
            if after == before {
                return Ok(Decision::nothing(after));
            }
            let (mut changeset, zone) = self.bound(ctx, &after.text, Changeset::new(ctx)).await?;
            after.text.time_zone = Some(zone);
            after.version += 1;
            after.updated_at = ctx.now;
            if after.text.reentry != before.text.reentry {
                after.switched(ctx.now)?;
            }
            if after.text.capacity != before.text.capacity {
                changeset = self.resized(ctx, changeset, id, after.text.capacity).await?;
            }
            if after.text.status != before.text.status {
                // Whatever is being reserved meanwhile is finished first.
                changeset = changeset.guard(Guard::SalesPaused(id));
            }
            let fact = fact(ctx, fact_type(before.text.status, after.text.status), Some(&before), &after);
            Ok(Decision::change(changeset.fact(fact).update(after.clone()), after))
        };
        self.commands.run(ctx, Operation::EventUpdate, &(id, &command, ctx.if_version), decide).await
    }

    /// Ends events that are over; how many there were.
    pub async fn end_over(&self) -> Result<usize> {
        let over = self.store.events_over(OVER).await?;
        for (tenant, id) in &over {
            let until = Instant::now() + PATIENCE;
            let request_id = format!("over-{id}").into();
            let ctx = Ctx::new(
                *tenant,
                Principal::System,
                request_id,
                (self.store.now(), until),
                Transport::Internal,
            );
            let ended = ChangeEvent { status: Some(EventStatus::Ended), ..ChangeEvent::default() };
            match self.update(&ctx, *id, ended).await {
                Ok(_) => {}
                // Somebody removed, cancelled or prolonged it meanwhile, or a plugin refuses: it sells nothing any more.
                Err(error) => tracing::debug!(?error, event = %id, "an event that is over was not ended"),
            }
        }
        Ok(over.len())
    }

    /// Removes an event of which nothing was sold or is held; what hangs on it is purged in slices.
    pub async fn delete(&self, ctx: &Ctx, id: EventId) -> Result<()> {
        let decide = || async {
            let event = self.found(ctx, id).await?;
            ctx.check_version(event.version)?;
            for pool in self.store.pools(ctx.tenant, id).await? {
                pool.check_unused("EVENT_HAS_SALES")?;
            }
            let changes = diff(Some(&event), None);
            let fact = NewFact::new(ctx, "event.deleted", object(&event, event.version + 1), changes);
            let changeset = Changeset::new(ctx).guard(Guard::EventIsUnsold(id)).fact(fact.in_event(id));
            Ok(Decision::change(changeset.delete(event), ()))
        };
        self.commands.run(ctx, Operation::EventDelete, &(id, ctx.if_version), decide).await
    }

    /// Depends on the venue and the series that an event names; answers its time zone, too.
    async fn bound(
        &self,
        ctx: &Ctx,
        text: &WriteEvent,
        mut changeset: Changeset,
    ) -> Result<(Changeset, String)> {
        let mut zone = text.time_zone.clone();
        if let Some(id) = text.venue {
            let venue = self.store.venue(ctx.tenant, id).await?;
            let venue = venue.ok_or_else(|| Error::invalid("venue_id", "is not a venue of the tenant"))?;
            changeset = changeset.expect(&venue);
            zone = zone.or(Some(venue.text.time_zone));
        }
        if let Some(id) = text.series {
            let series = self.store.series(ctx.tenant, id).await?;
            let series =
                series.ok_or_else(|| Error::invalid("series_id", "is not a series of the tenant"))?;
            changeset = changeset.expect(&series);
        }
        Ok((changeset, zone.unwrap_or_else(|| UTC.to_owned())))
    }

    async fn resized(
        &self,
        ctx: &Ctx,
        changeset: Changeset,
        id: EventId,
        capacity: Option<u64>,
    ) -> Result<Changeset> {
        let pool = self.store.pool(ctx.tenant, id, PoolId::from(id)).await?;
        let pool = pool.ok_or_else(Error::stale)?;
        super::ticket_types::resized(ctx, changeset, pool, ("max_capacity", capacity))
    }

    async fn found(&self, ctx: &Ctx, id: EventId) -> Result<Event> {
        self.store.event(ctx.tenant, id).await?.ok_or_else(|| Error::not_found("event"))
    }
}

/// An event as the principal may see it: the public does not learn by which key it was made.
fn shown(ctx: &Ctx, mut event: Event) -> Event {
    if !ctx.is_known() {
        event.created_by.clear();
    }
    event
}

/// Whether the principal sees what is not public yet.
#[must_use]
pub fn sees_drafts(ctx: &Ctx) -> bool {
    ctx.is_known()
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
