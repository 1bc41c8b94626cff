//! How every command is carried out: allowed, repeated or decided, committed, and decided again when
//! somebody else was faster.

use std::future::Future;
use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

use crate::access::Operation;
use crate::changeset::{Answer, Changeset, Claim, Committed, Recorded};
use crate::ctx::Ctx;
use crate::error::{Error, Result};
use crate::idempotency::{self, Fingerprint, InFlight, InFlightGuard, Scope};
use crate::outbox::Feed;
use crate::plugin::{Hooks, Reaction};
use crate::ports::Store;
use crate::tracker::PendingTransition;

/// How often a command is decided before its caller is told that others were faster.
const ATTEMPTS: u32 = 5;

/// How long a key is remembered.
const KEY_LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);

/// What a command decided.
pub struct Decision<T> {
    changeset: Option<Changeset>,
    value: T,
    moves: Vec<PendingTransition>,
    reactions: Vec<Reaction>,
}

impl<T> Decision<T> {
    /// Changes something.
    pub fn change(changeset: Changeset, value: T) -> Self {
        Self { changeset: Some(changeset), value, moves: Vec::new(), reactions: Vec::new() }
    }

    /// All is as it should be already.
    pub fn nothing(value: T) -> Self {
        Self { changeset: None, value, moves: Vec::new(), reactions: Vec::new() }
    }

    /// The change makes a move, which the owner of the machine may refuse.
    #[must_use]
    pub fn moving(mut self, made: Option<PendingTransition>) -> Self {
        self.moves.extend(made);
        self
    }

    /// A plugin wants more done with the change.
    #[must_use]
    pub fn reacting(mut self, reaction: Reaction) -> Self {
        self.reactions.push(reaction);
        self
    }
}

/// Carries commands out.
#[derive(Clone)]
pub struct Commands {
    store: Arc<dyn Store>,
    feed: Arc<Feed>,
    hooks: Hooks,
    in_flight: InFlight,
}

/// The place of a command with a key.
struct Entry {
    fingerprint: Fingerprint,
    place: InFlightGuard,
}

impl Commands {
    /// Carries commands out against a store; plugins judge what they change, and the feed learns of it.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, feed: Arc<Feed>, hooks: Hooks) -> Self {
        Self { store, feed, hooks, in_flight: InFlight::default() }
    }

    /// Where commands meet plugins.
    #[must_use]
    pub fn hooks(&self) -> &Hooks {
        &self.hooks
    }

    /// Carries a command out. `decide` loads, judges and says what to write; it is called again when
    /// what it had read has changed before the commit.
    pub async fn run<T, D, F>(
        &self,
        ctx: &Ctx,
        operation: Operation,
        command: &(impl Hash + Sync),
        decide: D,
    ) -> Result<T>
    where
        T: Into<Answer> + TryFrom<Answer, Error = Error>,
        D: Fn() -> F,
        F: Future<Output = Result<Decision<T>>>,
    {
        ctx.allow(operation)?;
        let entry = self.enter(ctx, operation, command)?;
        if let Some(entry) = &entry
            && let Some(recorded) = self.store.recorded(entry.place.scope()).await?
        {
            return replay(ctx, entry, recorded);
        }
        for attempt in 0..ATTEMPTS {
            if ctx.is_late() {
                return Err(Error::deadline());
            }
            let Decision { changeset, value, moves, reactions } = decide().await?;
            let Some(changeset) = changeset else { return Ok(value) };
            let mut changeset = match self.hooks.run(ctx, changeset, moves, reactions).await {
                Err(error) if error.is_stale() => {
                    pause(attempt).await;
                    continue;
                }
                judged => judged?,
            };
            changeset.check()?;
            let answer = value.into().as_stored(&changeset);
            let value = T::try_from(answer.clone())?;
            if changeset.is_empty() {
                return Ok(value);
            }
            changeset.claim = entry.as_ref().map(|entry| entry.claim(ctx, answer));
            let tenant = changeset.tenant;
            let objects: Vec<_> = changeset.facts.iter().map(|fact| fact.object.clone()).collect();
            match self.store.commit(changeset).await {
                Ok(Committed::Stored) => {
                    self.feed.committed(tenant, &objects);
                    return Ok(value);
                }
                Ok(Committed::Replayed(recorded)) => {
                    let entry =
                        entry.ok_or_else(|| Error::internal(anyhow::anyhow!("replay without a key")))?;
                    return replay(ctx, &entry, *recorded);
                }
                Err(error) if error.is_stale() => pause(attempt).await,
                Err(error) => return Err(error),
            }
        }
        Err(Error::stale())
    }

    /// Takes the place of the request's idempotency key, if it has one.
    pub fn place(&self, ctx: &Ctx, operation: Operation) -> Result<Option<InFlightGuard>> {
        let Some(key) = ctx.idempotency.clone() else { return Ok(None) };
        let principal = ctx.principal.to_string();
        self.in_flight.enter(&Scope { tenant: ctx.tenant, principal, operation, key }).map(Some)
    }

    fn enter(&self, ctx: &Ctx, operation: Operation, command: &impl Hash) -> Result<Option<Entry>> {
        let place = self.place(ctx, operation)?;
        Ok(place.map(|place| Entry { fingerprint: Fingerprint::of(command), place }))
    }
}

impl Entry {
    fn claim(&self, ctx: &Ctx, answer: Answer) -> Claim {
        Claim {
            scope: self.place.scope().clone(),
            fingerprint: self.fingerprint,
            answer,
            expires: ctx.now.plus(KEY_LIFETIME),
        }
    }
}

fn replay<T: TryFrom<Answer, Error = Error>>(ctx: &Ctx, entry: &Entry, recorded: Recorded) -> Result<T> {
    if recorded.fingerprint != entry.fingerprint {
        return Err(idempotency::reused());
    }
    ctx.note_replay();
    recorded.answer.try_into()
}

/// Waits a little, and not as long as the others that lost.
async fn pause(attempt: u32) {
    let mut byte = [0_u8; 1];
    let jitter = if getrandom::fill(&mut byte).is_ok() { u64::from(byte[0]) } else { 128 };
    tokio::time::sleep(Duration::from_micros(jitter * 20 * (1 << attempt))).await;
}
