//! Following facts for as long as the caller may: batches, heartbeats, and why a stream ends. The
//! transports only encode what comes out.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tessera_core::access::ObjectKind;
use tessera_core::booking::{BookingPosition, PositionStream};
use tessera_core::filter::Filter;
use tessera_core::id::{BookingId, EventId};
use tessera_core::inventory::{AvailabilityStream, AvailabilityUpdate};
use tessera_core::outbox::fact::{SPEC, type_matches};
use tessera_core::outbox::{Fact, Seq, Subscription};
use tessera_core::tracker::{ProjectUpdate, ProjectUpdates};
use tessera_core::{Ctx, Error, ErrorKind, Principal, Result};
use tokio::time::{Instant, MissedTickBehavior};

use crate::request::{Gate, plain};

/// How often a stream shows that it lives.
pub const HEARTBEAT: Duration = Duration::from_secs(15);

/// How long a client may not read before it is cut off.
pub const STALL: Duration = Duration::from_secs(30);

/// The most types that one stream names.
const MAX_TYPES: usize = 50;

/// The most streams that one principal has open on this host.
pub const MAX_STREAMS: usize = 100;

/// The most streams that all without a key have open in a tenant.
pub const MAX_PUBLIC_STREAMS: usize = 10_000;

/// Which facts a client asks for, as text; empty: all.
#[derive(Clone, Debug, Default)]
pub struct AskedFacts {
    /// The cursor to go on after.
    pub after: String,
    /// Types, `issue.*` included.
    pub types: Vec<String>,
    /// The id of one object.
    pub object: String,
    /// A filter over facts.
    pub filter: String,
}

/// What a stream says next.
pub enum Next<T> {
    /// News; the stream has gone on past all of them.
    News(Vec<T>),
    /// Nothing happened for a while.
    Heartbeat,
    /// The host goes down.
    Shutdown,
    /// The caller may no longer listen.
    Revoked,
}

/// How many streams each principal has open.
#[derive(Clone, Debug, Default)]
pub struct Streams(Arc<Mutex<HashMap<String, usize>>>);

/// The place of one open stream.
struct Place {
    streams: Streams,
    principal: String,
}

impl Streams {
    fn enter(&self, ctx: &Ctx) -> Result<Place> {
        let principal = format!("{}/{}", ctx.tenant, ctx.principal);
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = open.entry(principal.clone()).or_default();
        let most = if ctx.is_authenticated() { MAX_STREAMS } else { MAX_PUBLIC_STREAMS };
        if *count >= most {
            let message = format!("{most} streams are open already; close one first");
            return Err(Error::new(ErrorKind::RateLimited, "TOO_MANY_STREAMS", message));
        }
        *count += 1;
        Ok(Place { streams: self.clone(), principal })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.streams.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&self.principal) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.principal);
            }
        }
    }
}

/// A caller's right to a stream, watched.
struct Watch {
    gate: Gate,
    ctx: Ctx,
    beats: tokio::time::Interval,
    _place: Place,
}

/// The facts of a tenant for one caller.
pub struct FactFollower {
    watch: Watch,
    facts: Subscription,
    /// Read, and not given yet.
    pending: Vec<Arc<Fact>>,
    /// The client has all facts up to here.
    given: Seq,
    types: Vec<String>,
    object: String,
    filter: Filter,
}

/// What is left of an event, for one caller.
pub struct AvailabilityFollower {
    watch: Watch,
    levels: AvailabilityStream,
    /// The event.
    pub event: EventId,
}

/// A booking's place, for one caller.
pub struct BookingFollower {
    watch: Watch,
    booking: PositionStream,
}

/// The counts of projects for one caller.
pub struct ProjectFollower {
    watch: Watch,
    guard: Subscription,
    /// Whether a fact went by that may have ended the right to listen.
    suspect: bool,
    /// The projects that are followed.
    pub updates: ProjectUpdates,
}

impl Watch {
    fn new(gate: &Gate, ctx: &Ctx) -> Result<Self> {
        let mut beats = tokio::time::interval_at(Instant::now() + HEARTBEAT, HEARTBEAT);
        beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let place = gate.streams.enter(ctx)?;
        Ok(Self { gate: gate.clone(), ctx: ctx.clone(), beats, _place: place })
    }

    /// Whether the caller may still listen.
    async fn holds(&self) -> Result<bool> {
        match &self.ctx.principal {
            Principal::Key { id, .. } => self.gate.app.auth.is_valid(id).await,
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
    /// Follows what was asked for, from the cursor or from now on.
    pub async fn open(gate: &Gate, ctx: &Ctx, asked: AskedFacts) -> Result<Self> {
        if asked.types.len() > MAX_TYPES {
            return Err(Error::invalid("types", format!("has more than {MAX_TYPES} entries")));
        }
        let after = match asked.after.as_str() {
            "" => None,
            cursor => Some(gate.tokens.open_cursor("after", ctx.tenant, cursor)?),
        };
        let filter = SPEC.filter(ctx, plain("filter", &asked.filter)?)?;
        let facts = gate.app.facts.stream(ctx, after).await?;
        let AskedFacts { types, object, .. } = asked;
        let given = facts.cursor();
        let watch = Watch::new(gate, ctx)?;
        Ok(Self { watch, facts, pending: Vec::new(), given, types, object, filter })
    }

    /// The cursor after which a client goes on: it has everything up to there.
    #[must_use]
    pub fn cursor(&self) -> String {
        self.seal(self.given)
    }

    /// The cursor after one fact.
    #[must_use]
    pub fn cursor_of(&self, fact: &Fact) -> String {
        fact.seq.map(|seq| self.seal(seq)).unwrap_or_default()
    }

    /// Notes that the client was sent a fact; [`Self::next`] notes it for all that it gave before.
    pub fn sent(&mut self, fact: &Fact) {
        self.given = fact.seq.unwrap_or(self.given);
    }

    fn seal(&self, seq: Seq) -> String {
        self.watch.gate.tokens.seal_cursor(self.watch.ctx.tenant, seq)
    }

    /// What comes next; waits for it. May be dropped and called again at any time.
    pub async fn next(&mut self) -> Result<Next<Arc<Fact>>> {
        loop {
            if self.pending.is_empty() {
                self.given = self.facts.cursor();
                self.pending = tokio::select! {
                    biased;
                    () = self.watch.gate.stop.cancelled() => return Ok(Next::Shutdown),
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
            self.types.is_empty() || self.types.iter().any(|asked| type_matches(asked, &what.fact_type));
        let named = self.object.is_empty() || self.object == what.object.id;
        typed && named && fact.matches(&self.filter)
    }
}

impl AvailabilityFollower {
    /// Follows an event from now on.
    pub async fn open(gate: &Gate, ctx: &Ctx, event: EventId) -> Result<Self> {
        let levels = gate.app.availability_streams.open(ctx, event).await?;
        Ok(Self { watch: Watch::new(gate, ctx)?, levels, event })
    }

    /// What comes next; waits for it. May be dropped and called again at any time.
    pub async fn next(&mut self) -> Result<Next<AvailabilityUpdate>> {
        tokio::select! {
            biased;
            () = self.watch.gate.stop.cancelled() => Ok(Next::Shutdown),
            _ = self.watch.beats.tick() => self.watch.beat().await,
            update = self.levels.next() => {
                Ok(update.map_or(Next::Shutdown, |update| Next::News(vec![update])))
            }
        }
    }
}

impl BookingFollower {
    /// Follows a booking from now on.
    pub async fn open(gate: &Gate, ctx: &Ctx, id: BookingId) -> Result<Self> {
        let booking = gate.app.bookings.stream(ctx, id).await?;
        Ok(Self { watch: Watch::new(gate, ctx)?, booking })
    }

    /// What comes next; waits for it. None: the booking is over, and that was told.
    pub async fn next(&mut self) -> Result<Option<Next<BookingPosition>>> {
        let standing = tokio::select! {
            biased;
            () = self.watch.gate.stop.cancelled() => return Ok(Some(Next::Shutdown)),
            _ = self.watch.beats.tick() => return self.watch.beat().await.map(Some),
            standing = self.booking.next() => standing?,
        };
        let Some(standing) = standing else { return Ok(None) };
        // In between nothing is told, so that it suffices to look now.
        Ok(Some(if self.watch.holds().await? { Next::News(vec![standing]) } else { Next::Revoked }))
    }
}

impl ProjectFollower {
    /// Follows no project yet.
    pub async fn open(gate: &Gate, ctx: &Ctx) -> Result<Self> {
        let updates = ProjectUpdates::open(&gate.app, ctx).await?;
        let guard = gate.app.facts.follow(ctx);
        Ok(Self { watch: Watch::new(gate, ctx)?, guard, suspect: false, updates })
    }

    /// What comes next; waits for it. May be dropped and called again at any time.
    pub async fn next(&mut self) -> Result<Next<ProjectUpdate>> {
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
                () = watch.gate.stop.cancelled() => return Ok(Next::Shutdown),
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
