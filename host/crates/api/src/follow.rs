//! Following facts for as long as the caller may: batches, heartbeats, and why a stream ends. The
//! transports only encode what comes out.

use std::sync::Arc;
use std::time::Duration;

use tessera_core::access::ObjectKind;
use tessera_core::filter::Filter;
use tessera_core::outbox::fact::{SPEC, type_matches};
use tessera_core::outbox::{Fact, Seq, Subscription};
use tessera_core::tracker::{ProjectUpdate, ProjectUpdates};
use tessera_core::{Ctx, Error, Principal, Result};
use tokio::time::{Instant, MissedTickBehavior};

use crate::request::{Gate, plain};

/// How often a stream shows that it lives.
pub const HEARTBEAT: Duration = Duration::from_secs(15);

/// How long a client may not read before it is cut off.
pub const STALL: Duration = Duration::from_secs(30);

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

/// The most types that one stream names.
const MAX_TYPES: usize = 50;

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

/// A caller's right to a stream, watched.
struct Watch {
    gate: Gate,
    ctx: Ctx,
    beats: tokio::time::Interval,
}

/// The facts of a tenant for one caller.
pub struct FactFollower {
    watch: Watch,
    facts: Subscription,
    types: Vec<String>,
    object: String,
    filter: Filter,
}

/// The counts of projects for one caller.
pub struct ProjectFollower {
    watch: Watch,
    guard: Subscription,
    /// The projects that are followed.
    pub updates: ProjectUpdates,
}

impl Watch {
    fn new(gate: &Gate, ctx: &Ctx) -> Self {
        let mut beats = tokio::time::interval_at(Instant::now() + HEARTBEAT, HEARTBEAT);
        beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { gate: gate.clone(), ctx: ctx.clone(), beats }
    }

    /// Whether the caller may still listen.
    async fn holds(&self) -> Result<bool> {
        match &self.ctx.principal {
            Principal::Key { id, .. } => self.gate.app.auth.is_valid(id).await,
            Principal::System => Ok(true),
            Principal::Anonymous => Ok(false),
        }
    }

    async fn beat<T>(&self) -> Result<Next<T>> {
        Ok(if self.holds().await? { Next::Heartbeat } else { Next::Revoked })
    }
}

/// Whether a fact may have ended somebody's right to listen.
fn touches_rights(fact: &Fact) -> bool {
    match fact.what.object.kind {
        ObjectKind::Key | ObjectKind::Tenant | ObjectKind::User => true,
        ObjectKind::Project | ObjectKind::Issue => false,
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
        Ok(Self { watch: Watch::new(gate, ctx), facts, types, object, filter })
    }

    /// The cursor after which a client goes on.
    #[must_use]
    pub fn cursor(&self) -> String {
        self.seal(self.facts.cursor())
    }

    /// The cursor after one fact.
    #[must_use]
    pub fn cursor_of(&self, fact: &Fact) -> String {
        fact.seq.map(|seq| self.seal(seq)).unwrap_or_default()
    }

    fn seal(&self, seq: Seq) -> String {
        self.watch.gate.tokens.seal_cursor(self.watch.ctx.tenant, seq)
    }

    /// What comes next; waits for it.
    pub async fn next(&mut self) -> Result<Next<Arc<Fact>>> {
        loop {
            let facts = tokio::select! {
                biased;
                () = self.watch.gate.stop.cancelled() => return Ok(Next::Shutdown),
                _ = self.watch.beats.tick() => return self.watch.beat().await,
                facts = self.facts.next() => facts?,
            };
            if facts.is_empty() {
                return Ok(Next::Shutdown);
            }
            if facts.iter().any(|fact| touches_rights(fact)) && !self.watch.holds().await? {
                return Ok(Next::Revoked);
            }
            let news: Vec<_> = facts.into_iter().filter(|fact| self.wants(fact)).collect();
            if !news.is_empty() {
                return Ok(Next::News(news));
            }
        }
    }

    fn wants(&self, fact: &Fact) -> bool {
        let what = &fact.what;
        let typed =
            self.types.is_empty() || self.types.iter().any(|asked| type_matches(asked, &what.fact_type));
        let named = self.object.is_empty() || self.object == what.object.id;
        typed && named && fact.matches(&self.filter)
    }
}

impl ProjectFollower {
    /// Follows no project yet.
    pub async fn open(gate: &Gate, ctx: &Ctx) -> Result<Self> {
        let updates = ProjectUpdates::open(&gate.app, ctx).await?;
        let guard = gate.app.facts.follow(ctx);
        Ok(Self { watch: Watch::new(gate, ctx), guard, updates })
    }

    /// What comes next; waits for it. May be dropped and called again at any time.
    pub async fn next(&mut self) -> Result<Next<ProjectUpdate>> {
        loop {
            tokio::select! {
                biased;
                () = self.watch.gate.stop.cancelled() => return Ok(Next::Shutdown),
                _ = self.watch.beats.tick() => return self.watch.beat().await,
                facts = self.guard.next() => {
                    let facts = facts?;
                    if facts.is_empty() {
                        return Ok(Next::Shutdown);
                    }
                    if facts.iter().any(|fact| touches_rights(fact)) && !self.watch.holds().await? {
                        return Ok(Next::Revoked);
                    }
                }
                news = self.updates.next() => {
                    let news = news?;
                    return Ok(if news.is_empty() { Next::Shutdown } else { Next::News(news) });
                }
            }
        }
    }
}
