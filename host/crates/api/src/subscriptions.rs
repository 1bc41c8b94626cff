//! Streams of facts, availability, queue positions and project counts, for as long as the caller may read them:
//! batches, heartbeats, and the reason why a stream ends. The transports encode the elements.

use std::sync::Arc;
use std::time::Duration;

use tessera_core::booking::{BookingPosition, PositionStream};
use tessera_core::filter::Filter;
use tessera_core::id::{BookingId, EventId};
use tessera_core::inventory::{AvailabilityStream, AvailabilityUpdate};
use tessera_core::outbox::fact::{SPEC, type_matches};
use tessera_core::outbox::{Fact, Seq, Subscription};
use tessera_core::tracker::{ProjectUpdate, ProjectUpdates};
use tessera_core::{Ctx, Error, Principal, Result};
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior};

use crate::quota::Share;
use crate::state::{ApiState, reject_nul};
use crate::stream_limits::Slot;

/// The interval of heartbeats.
pub(crate) const HEARTBEAT: Duration = Duration::from_secs(15);

/// How long a write to a client may take before the client is disconnected.
pub(crate) const SLOW_READER_TIMEOUT: Duration = Duration::from_secs(30);

/// How often a fact is in memory until its connection takes it: as it was read, encoded, and as a message.
const COPIES: usize = 3;

/// How long a stream waits for bytes that other streams of its caller keep.
const RETRY: Duration = Duration::from_millis(500);

/// Limit of fact types that one stream selects.
const MAX_TYPES: usize = 50;

/// The query of a fact stream, as text; an empty part selects all facts.
#[derive(Clone, Debug, Default)]
pub(crate) struct FactQuery {
    /// The cursor to resume after.
    pub(crate) after: String,
    /// Fact types or patterns such as `issue.*`.
    pub(crate) types: Vec<String>,
    /// The id of an object.
    pub(crate) object: String,
    /// A filter expression.
    pub(crate) filter: String,
}

/// The next element of a stream.
pub(crate) enum Next<T> {
    /// New elements; the stream has advanced past all of them.
    Items(Vec<T>),
    /// A heartbeat is due.
    Heartbeat,
    /// The host shuts down.
    Shutdown,
    /// The caller may no longer read the stream.
    Revoked,
}

/// The caller of an open stream: its access, its heartbeats, and its slot.
struct Session {
    api: ApiState,
    ctx: Ctx,
    heartbeats: tokio::time::Interval,
    /// The newest fact that may have ended the caller's access.
    access: watch::Receiver<Seq>,
    /// The value of `access` at the last check; `None` if a check is due.
    checked: Option<Seq>,
    heartbeat_due: bool,
    _slot: Slot,
}

/// Streams the facts of a tenant to one caller.
pub(crate) struct FactFollower {
    session: Session,
    facts: Subscription,
    /// The bytes of the facts that were returned last.
    bytes: Share,
    /// The bytes of a batch that did not fit, or 0.
    required: usize,
    /// Facts that were read and not returned yet.
    pending: Vec<Arc<Fact>>,
    /// The client has all matching facts up to this sequence number.
    position: Seq,
    types: Vec<String>,
    object: String,
    filter: Filter,
}

/// Streams the availability of an event to one caller.
pub(crate) struct AvailabilityFollower {
    session: Session,
    levels: AvailabilityStream,
    /// The event.
    pub(crate) event: EventId,
}

/// Streams a booking and its position to one caller.
pub(crate) struct BookingFollower {
    session: Session,
    booking: PositionStream,
}

/// Streams the issue counts of projects to one caller.
pub(crate) struct ProjectFollower {
    session: Session,
    /// The projects to which the caller has subscribed.
    pub(crate) updates: ProjectUpdates,
}

impl Session {
    /// Takes a slot for a stream. Nothing is read for a stream that has none.
    fn new(api: &ApiState, ctx: &Ctx) -> Result<Self> {
        let mut heartbeats = tokio::time::interval_at(Instant::now() + HEARTBEAT, HEARTBEAT);
        heartbeats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let slot = api.streams.enter(ctx)?;
        let access = api.app.facts.access_changed(ctx);
        let (api, ctx) = (api.clone(), ctx.clone());
        Ok(Self { api, ctx, heartbeats, access, checked: None, heartbeat_due: false, _slot: slot })
    }

    /// Waits until [`Self::interruption`] has something to do. Cancel safe.
    async fn interrupted(&mut self) {
        tokio::select! {
            biased;
            () = self.api.stop.cancelled() => {}
            // The feed lives as long as the API.
            _ = self.access.changed() => {}
            _ = self.heartbeats.tick() => {
                self.heartbeat_due = true;
                // Some ends are announced by no fact, such as the expiry of a key.
                self.checked = None;
            }
        }
    }

    /// Returns an end or a heartbeat that precedes the next elements, if any. Checks the caller's access at the start,
    /// after each fact that may have ended it, and with each heartbeat. Cancel safe.
    async fn interruption<T>(&mut self) -> Result<Option<Next<T>>> {
        if self.api.stop.is_cancelled() {
            return Ok(Some(Next::Shutdown));
        }
        let latest = *self.access.borrow_and_update();
        if self.checked != Some(latest) {
            if !self.is_permitted().await? {
                return Ok(Some(Next::Revoked));
            }
            self.checked = Some(latest);
        }
        Ok(std::mem::take(&mut self.heartbeat_due).then_some(Next::Heartbeat))
    }

    async fn is_permitted(&self) -> Result<bool> {
        let auth = &self.api.app.auth;
        match &self.ctx.principal {
            Principal::Key { id, .. } => auth.is_valid(id).await,
            Principal::Anonymous => auth.is_active(self.ctx.tenant).await,
            Principal::System => Ok(true),
        }
    }
}

impl FactFollower {
    /// Opens a stream of the facts of a query, from its cursor or from now on.
    pub(crate) async fn open(api: &ApiState, ctx: &Ctx, query: FactQuery) -> Result<Self> {
        if query.types.len() > MAX_TYPES {
            return Err(Error::invalid("types", format!("has more than {MAX_TYPES} entries")));
        }
        let after = match query.after.as_str() {
            "" => None,
            cursor => Some(api.tokens.open_cursor("after", ctx.tenant, cursor)?),
        };
        let filter = SPEC.filter(ctx, reject_nul("filter", &query.filter)?)?;
        let session = Session::new(api, ctx)?;
        let facts = api.app.facts.stream(ctx, after).await?;
        let FactQuery { types, object, .. } = query;
        let position = facts.cursor();
        let bytes = api.bytes.share(Some(ctx), None);
        Ok(Self { session, facts, bytes, required: 0, pending: Vec::new(), position, types, object, filter })
    }

    /// Returns the cursor after which the client resumes.
    #[must_use]
    pub(crate) fn cursor(&self) -> String {
        self.seal(self.position)
    }

    /// Returns the cursor after a fact.
    #[must_use]
    pub(crate) fn cursor_of(&self, fact: &Fact) -> String {
        fact.seq.map(|seq| self.seal(seq)).unwrap_or_default()
    }

    /// Records that a fact was sent to the client; [`Self::next`] records it for all facts that it returned before.
    pub(crate) fn mark_sent(&mut self, fact: &Fact) {
        self.position = fact.seq.unwrap_or(self.position);
    }

    fn seal(&self, seq: Seq) -> String {
        self.session.api.tokens.seal_cursor(self.session.ctx.tenant, seq)
    }

    /// Waits for the next element. Cancel safe.
    pub(crate) async fn next(&mut self) -> Result<Next<Arc<Fact>>> {
        loop {
            if self.pending.is_empty() {
                self.position = self.facts.cursor();
            }
            if let Some(next) = self.session.interruption().await? {
                return Ok(next);
            }
            if self.pending.is_empty() {
                // What was returned before is sent. A batch that did not fit is read again when there is room for it.
                let has_room = self.bytes.set(self.required).is_ok();
                tokio::select! {
                    biased;
                    () = self.session.interrupted() => {}
                    () = tokio::time::sleep(RETRY), if !has_room => {}
                    facts = self.facts.next(), if has_room => {
                        self.pending = facts?;
                        if self.pending.is_empty() {
                            return Ok(Next::Shutdown);
                        }
                    }
                }
                // One of the facts may have ended the caller's access.
                continue;
            }
            let batch = std::mem::take(&mut self.pending);
            let facts: Vec<_> = batch.into_iter().filter(|fact| self.selects(fact)).collect();
            let size = facts.iter().map(|fact| fact.size()).sum::<usize>() * COPIES;
            if self.bytes.set(size).is_err() {
                self.required = size;
                self.facts.rewind(self.position);
                continue;
            }
            self.required = 0;
            if !facts.is_empty() {
                return Ok(Next::Items(facts));
            }
        }
    }

    fn selects(&self, fact: &Fact) -> bool {
        let body = &fact.body;
        if !self.session.ctx.may_read_facts_of(body.object.kind) {
            return false;
        }
        let is_type =
            self.types.is_empty() || self.types.iter().any(|pattern| type_matches(pattern, &body.fact_type));
        let is_object = self.object.is_empty() || self.object == body.object.id;
        is_type && is_object && fact.matches(&self.filter)
    }
}

impl AvailabilityFollower {
    /// Opens a stream of an event's availability, from now on.
    pub(crate) async fn open(api: &ApiState, ctx: &Ctx, event: EventId, access_code: &str) -> Result<Self> {
        let session = Session::new(api, ctx)?;
        let levels = api.app.availability_streams.open(ctx, event, access_code).await?;
        Ok(Self { session, levels, event })
    }

    /// Waits for the next element. Cancel safe.
    pub(crate) async fn next(&mut self) -> Result<Next<AvailabilityUpdate>> {
        loop {
            if let Some(next) = self.session.interruption().await? {
                return Ok(next);
            }
            tokio::select! {
                biased;
                () = self.session.interrupted() => {}
                update = self.levels.next() => {
                    return Ok(update.map_or(Next::Shutdown, |update| Next::Items(vec![update])));
                }
            }
        }
    }
}

impl BookingFollower {
    /// Opens a stream of a booking, from now on.
    pub(crate) async fn open(api: &ApiState, ctx: &Ctx, id: BookingId) -> Result<Self> {
        let session = Session::new(api, ctx)?;
        let booking = api.app.bookings.stream(ctx, id).await?;
        Ok(Self { session, booking })
    }

    /// Waits for the next element; `None` after the booking's final state.
    pub(crate) async fn next(&mut self) -> Result<Option<Next<BookingPosition>>> {
        let Self { session, booking } = self;
        // Kept across iterations: a new future would wait again.
        let mut position = std::pin::pin!(booking.next());
        loop {
            if let Some(next) = session.interruption().await? {
                return Ok(Some(next));
            }
            tokio::select! {
                biased;
                () = session.interrupted() => {}
                position = &mut position => {
                    return Ok(position?.map(|position| Next::Items(vec![position])));
                }
            }
        }
    }
}

impl ProjectFollower {
    /// Opens a stream without projects.
    pub(crate) async fn open(api: &ApiState, ctx: &Ctx) -> Result<Self> {
        let session = Session::new(api, ctx)?;
        let updates = ProjectUpdates::open(&api.app, ctx).await?;
        Ok(Self { session, updates })
    }

    /// Waits for the next element. Cancel safe.
    pub(crate) async fn next(&mut self) -> Result<Next<ProjectUpdate>> {
        let Self { session, updates } = self;
        // Kept across iterations: a new future would read the projects again.
        let mut updates = std::pin::pin!(updates.next());
        loop {
            if let Some(next) = session.interruption().await? {
                return Ok(next);
            }
            tokio::select! {
                biased;
                () = session.interrupted() => {}
                updates = &mut updates => {
                    let updates = updates?;
                    return Ok(if updates.is_empty() { Next::Shutdown } else { Next::Items(updates) });
                }
            }
        }
    }
}
