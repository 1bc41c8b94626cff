//! PositionStream facts for as long as the caller may: batches, heartbeats, and why a stream ends. The
//! transports only encode what comes out.

use std::sync::Arc;
use std::time::Duration;

use tessera_core::access::ObjectKind;
use tessera_core::booking::{BookingPosition, PositionStream};
use tessera_core::filter::Filter;
use tessera_core::id::{BookingId, EventId};
use tessera_core::inventory::{AvailabilityStream, AvailabilityUpdate};
use tessera_core::outbox::fact::{SPEC, type_matches};
use tessera_core::outbox::{Fact, Seq, Subscription};
use tessera_core::tracker::{ProjectUpdate, ProjectUpdates};
use tessera_core::{Ctx, Error, Principal, Result};
use tokio::time::{Instant, MissedTickBehavior};

use crate::state::{ApiState, plain};
use crate::stream_limits::Slot;

/// The interval of heartbeats.
pub(crate) const HEARTBEAT: Duration = Duration::from_secs(15);

/// How long a client may leave a stream unread.
pub(crate) const STALL: Duration = Duration::from_secs(30);

/// The most types that one stream names.
const MAX_TYPES: usize = 50;

/// Which facts a client asks for, as text; empty: all.
#[derive(Clone, Debug, Default)]
pub(crate) struct FactQuery {
    /// The cursor to go on after.
    pub(crate) after: String,
    /// Types, `issue.*` included.
    pub(crate) types: Vec<String>,
    /// The id of one object.
    pub(crate) object: String,
    /// A filter over facts.
    pub(crate) filter: String,
}

/// The next element of a stream.
pub(crate) enum Next<T> {
    /// News; the stream has gone on past all of them.
    News(Vec<T>),
    /// Nothing happened for a while.
    Heartbeat,
    /// The host goes down.
    Shutdown,
    /// The caller may no longer listen.
    Revoked,
}

/// A caller's right to a stream, watched.
struct Watch {
    api: ApiState,
    ctx: Ctx,
    beats: tokio::time::Interval,
    _slot: Slot,
}

/// The facts of a tenant for one caller.
pub(crate) struct FactFollower {
    watch: Watch,
    facts: Subscription,
    /// Read, and not sent yet.
    pending: Vec<Arc<Fact>>,
    /// The client has all facts up to here.
    position: Seq,
    types: Vec<String>,
    object: String,
    filter: Filter,
}

/// Streams the availability of an event to one caller.
pub(crate) struct AvailabilityFollower {
    watch: Watch,
    levels: AvailabilityStream,
    /// The event.
    pub(crate) event: EventId,
}

/// A booking's place, for one caller.
pub(crate) struct BookingFollower {
    watch: Watch,
    booking: PositionStream,
}

/// The counts of projects for one caller.
pub(crate) struct ProjectFollower {
    watch: Watch,
    guard: Subscription,
    /// Whether a fact went by that may have ended the right to listen.
    suspect: bool,
    /// The projects that are followed.
    pub(crate) updates: ProjectUpdates,
}

impl Watch {
    fn new(api: &ApiState, ctx: &Ctx) -> Result<Self> {
        let mut beats = tokio::time::interval_at(Instant::now() + HEARTBEAT, HEARTBEAT);
        beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let slot = api.streams.enter(ctx)?;
        Ok(Self { api: api.clone(), ctx: ctx.clone(), beats, _slot: slot })
    }

    /// Whether the caller may still listen.
    async fn holds(&self) -> Result<bool> {
        match &self.ctx.principal {
            Principal::Key { id, .. } => self.api.app.auth.is_valid(id).await,
            // The public follows nothing but what everybody may see.
            Principal::System | Principal::Anonymous => Ok(true),
        }
    }

    async fn beat<T>(&self) -> Result<Next<T>> {
        Ok(if self.holds().await? { Next::Heartbeat } else { Next::Revoked })
    }
}

/// Whether a fact may have ended somebody's right to listen.
fn touches_rights(fact: &Fact) -> bool {
    match fact.body.object.kind {
        ObjectKind::Key | ObjectKind::Tenant | ObjectKind::User => true,
        ObjectKind::Project
        | ObjectKind::Release
        | ObjectKind::Installation
        | ObjectKind::Issue
        | ObjectKind::Venue
        | ObjectKind::Series
        | ObjectKind::Event
        | ObjectKind::TicketType
        | ObjectKind::Pool
        | ObjectKind::Lock
        | ObjectKind::Reservation
        | ObjectKind::Ticket
        | ObjectKind::SigningKey
        | ObjectKind::Queue
        | ObjectKind::Booking
        | ObjectKind::TenantHoldRules => false,
    }
}

impl FactFollower {
    /// Follows the facts of a query, from its cursor or from now on.
    pub(crate) async fn open(api: &ApiState, ctx: &Ctx, query: FactQuery) -> Result<Self> {
        if query.types.len() > MAX_TYPES {
            return Err(Error::invalid("types", format!("has more than {MAX_TYPES} entries")));
        }
        let after = match query.after.as_str() {
            "" => None,
            cursor => Some(api.tokens.open_cursor("after", ctx.tenant, cursor)?),
        };
        let filter = SPEC.filter(ctx, plain("filter", &query.filter)?)?;
        let facts = api.app.facts.stream(ctx, after).await?;
        let FactQuery { types, object, .. } = query;
        let position = facts.cursor();
        let watch = Watch::new(api, ctx)?;
        Ok(Self { watch, facts, pending: Vec::new(), position, types, object, filter })
    }

    /// The cursor after which a client goes on: it has everything up to there.
    #[must_use]
    pub(crate) fn cursor(&self) -> String {
        self.seal(self.position)
    }

    /// The cursor after one fact.
    #[must_use]
    pub(crate) fn cursor_of(&self, fact: &Fact) -> String {
        fact.seq.map(|seq| self.seal(seq)).unwrap_or_default()
    }

    /// Notes that the client was sent a fact; [`Self::next`] notes it for all that it gave before.
    pub(crate) fn sent(&mut self, fact: &Fact) {
        self.position = fact.seq.unwrap_or(self.position);
    }

    fn seal(&self, seq: Seq) -> String {
        self.watch.api.tokens.seal_cursor(self.watch.ctx.tenant, seq)
    }

    /// Waits for the next element. Cancel safe.
    pub(crate) async fn next(&mut self) -> Result<Next<Arc<Fact>>> {
        loop {
            if self.pending.is_empty() {
                self.position = self.facts.cursor();
                self.pending = tokio::select! {
                    biased;
                    () = self.watch.api.stop.cancelled() => return Ok(Next::Shutdown),
                    _ = self.watch.beats.tick() => return self.watch.beat().await,
                    facts = self.facts.next() => facts?,
                };
                if self.pending.is_empty() {
                    return Ok(Next::Shutdown);
                }
            }
            if self.pending.iter().any(|fact| touches_rights(fact)) && !self.watch.holds().await? {
                return Ok(Next::Revoked);
            }
            let read = std::mem::take(&mut self.pending);
            let news: Vec<_> = read.into_iter().filter(|fact| self.wants(fact)).collect();
            if !news.is_empty() {
                return Ok(Next::News(news));
            }
        }
    }

    fn wants(&self, fact: &Fact) -> bool {
        let what = &fact.body;
        let typed =
            self.types.is_empty() || self.types.iter().any(|pattern| type_matches(pattern, &what.fact_type));
        let named = self.object.is_empty() || self.object == what.object.id;
        typed && named && fact.matches(&self.filter)
    }
}

impl AvailabilityFollower {
    /// Follows an event from now on.
    pub(crate) async fn open(api: &ApiState, ctx: &Ctx, event: EventId) -> Result<Self> {
        let levels = api.app.availability_streams.open(ctx, event).await?;
        Ok(Self { watch: Watch::new(api, ctx)?, levels, event })
    }

    /// Waits for the next element. Cancel safe.
    pub(crate) async fn next(&mut self) -> Result<Next<AvailabilityUpdate>> {
        tokio::select! {
            biased;
            () = self.watch.api.stop.cancelled() => Ok(Next::Shutdown),
            _ = self.watch.beats.tick() => self.watch.beat().await,
            update = self.levels.next() => {
                Ok(update.map_or(Next::Shutdown, |update| Next::News(vec![update])))
            }
        }
    }
}

impl BookingFollower {
    /// Follows a booking from now on.
    pub(crate) async fn open(api: &ApiState, ctx: &Ctx, id: BookingId) -> Result<Self> {
        let booking = api.app.bookings.stream(ctx, id).await?;
        Ok(Self { watch: Watch::new(api, ctx)?, booking })
    }

    /// Waits for the next element; `None` after the booking's last state.
    pub(crate) async fn next(&mut self) -> Result<Option<Next<BookingPosition>>> {
        let standing = tokio::select! {
            biased;
            () = self.watch.api.stop.cancelled() => return Ok(Some(Next::Shutdown)),
            _ = self.watch.beats.tick() => return self.watch.beat().await.map(Some),
            standing = self.booking.next() => standing?,
        };
        let Some(standing) = standing else { return Ok(None) };
        // Nothing is sent in between, so one check here is enough.
        Ok(Some(if self.watch.holds().await? { Next::News(vec![standing]) } else { Next::Revoked }))
    }
}

impl ProjectFollower {
    /// Follows no project yet.
    pub(crate) async fn open(api: &ApiState, ctx: &Ctx) -> Result<Self> {
        let updates = ProjectUpdates::open(&api.app, ctx).await?;
        let guard = api.app.facts.follow(ctx);
        Ok(Self { watch: Watch::new(api, ctx)?, guard, suspect: false, updates })
    }

    /// Waits for the next element. Cancel safe.
    pub(crate) async fn next(&mut self) -> Result<Next<ProjectUpdate>> {
        let Self { watch, guard, suspect, updates } = self;
        // Kept while other facts go by, for it may be about to say what it has read.
        let mut news = std::pin::pin!(updates.next());
        loop {
            if *suspect {
                if !watch.holds().await? {
                    return Ok(Next::Revoked);
                }
                *suspect = false;
            }
            tokio::select! {
                biased;
                () = watch.api.stop.cancelled() => return Ok(Next::Shutdown),
                news = &mut news => {
                    let news = news?;
                    return Ok(if news.is_empty() { Next::Shutdown } else { Next::News(news) });
                }
                facts = guard.next() => {
                    let facts = facts?;
                    if facts.is_empty() {
                        return Ok(Next::Shutdown);
                    }
                    *suspect = facts.iter().any(|fact| touches_rights(fact));
                }
                _ = watch.beats.tick() => return watch.beat().await,
            }
        }
    }
}
