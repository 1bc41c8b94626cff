//! Commands: authorized, replayed or decided, committed, and decided again when another command was faster.

use std::future::Future;
use std::hash::Hash;
use std::sync::Arc;

use crate::access::Operation;
use crate::changeset::{Changeset, Committed};
use crate::ctx::Ctx;
use crate::error::{Error, Result};
use crate::idempotency::{
    Fingerprint, IdempotencyRecord, InFlight, InFlightGuard, Recordable, RequestKey, Scope,
};
use crate::outbox::Feed;
use crate::plugin::{Hooks, Reaction};
use crate::ports::Store;
use crate::retry::Attempts;
use crate::tracker::PendingTransition;

/// What a command decided.
pub struct Decision<T> {
    changeset: Option<Changeset>,
    value: T,
    transitions: Vec<PendingTransition>,
    reactions: Vec<Reaction>,
}

impl<T> Decision<T> {
    /// Creates a decision that writes a changeset and returns a value.
    pub fn change(changeset: Changeset, value: T) -> Self {
        Self { changeset: Some(changeset), value, transitions: Vec::new(), reactions: Vec::new() }
    }

    /// Creates a decision that writes nothing.
    pub fn nothing(value: T) -> Self {
        Self { changeset: None, value, transitions: Vec::new(), reactions: Vec::new() }
    }

    /// Adds a transition, which the owner of the state machine may refuse.
    #[must_use]
    pub fn moving(mut self, transition: Option<PendingTransition>) -> Self {
        self.transitions.extend(transition);
        self
    }

    /// Adds effects of a plugin that go with the change.
    #[must_use]
    pub fn reacting(mut self, reaction: Reaction) -> Self {
        self.reactions.push(reaction);
        self
    }
}

/// Runs commands.
#[derive(Clone)]
pub struct Commands {
    store: Arc<dyn Store>,
    feed: Arc<Feed>,
    hooks: Hooks,
    in_flight: InFlight,
}

impl Commands {
    /// Creates a runner that commits to `store`, calls plugins through `hooks` and notifies `feed` of changes.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, feed: Arc<Feed>, hooks: Hooks) -> Self {
        Self { store, feed, hooks, in_flight: InFlight::default() }
    }

    /// Returns the hooks that commands call.
    #[must_use]
    pub fn hooks(&self) -> &Hooks {
        &self.hooks
    }

    /// Runs a command. `decide` reads what it needs and decides what to write; it is called again if a row that it
    /// read has changed before the commit.
    pub async fn run<T, D, F>(
        &self,
        ctx: &Ctx,
        operation: Operation,
        command: &(impl Hash + Sync),
        decide: D,
    ) -> Result<T>
    where
        T: Recordable,
        D: Fn() -> F,
        F: Future<Output = Result<Decision<T>>>,
    {
        ctx.allow(operation)?;
        let in_flight = self.enter(ctx, operation, command)?;
        if let Some(answer) = self.repeated(ctx, in_flight.as_ref()).await? {
            return Ok(answer);
        }
        let key = in_flight.as_ref().map(InFlightGuard::key);
        let mut attempts = Attempts::new(ctx.deadline);
        loop {
            attempts.next().await?;
            let decision = decide().await?;
            match self.commit(ctx, key, decision).await {
                Err(error) if error.is_stale() => {}
                result => return result,
            }
        }
    }

    /// Commits a decision, or returns the answer of the command that used its key first.
    async fn commit<T: Recordable>(
        &self,
        ctx: &Ctx,
        key: Option<&RequestKey>,
        decision: Decision<T>,
    ) -> Result<T> {
        let Decision { changeset, value, transitions, reactions } = decision;
        let Some(changeset) = changeset else { return Ok(value) };
        let mut changeset = self.hooks.run(ctx, changeset, transitions, reactions).await?;
        changeset.check()?;
        let value = value.into_written(&changeset.writes);
        if changeset.is_empty() {
            return Ok(value);
        }
        changeset.claim = key.map(|key| key.claim(value.clone().into(), ctx.now));
        let tenant = changeset.tenant;
        let objects: Vec<_> = changeset.facts.iter().map(|fact| fact.object.clone()).collect();
        match self.store.commit(changeset).await? {
            Committed::Stored => {
                self.feed.committed(tenant, &objects);
                Ok(value)
            }
            Committed::Replayed(record) => {
                let key = key.ok_or_else(|| Error::internal(anyhow::anyhow!("replay without a key")))?;
                replay(ctx, key, *record)
            }
        }
    }

    /// Marks the request's idempotency key, if it has one, as in use by the command.
    pub fn enter(
        &self,
        ctx: &Ctx,
        operation: Operation,
        command: &impl Hash,
    ) -> Result<Option<InFlightGuard>> {
        let Some(scope) = scope(ctx, operation) else { return Ok(None) };
        let fingerprint = Fingerprint::of(command);
        self.in_flight.enter(RequestKey { scope, fingerprint }).map(Some)
    }

    /// Returns the answer of the command that used the key before, if there was one.
    pub async fn repeated<T: Recordable>(
        &self,
        ctx: &Ctx,
        in_flight: Option<&InFlightGuard>,
    ) -> Result<Option<T>> {
        let Some(key) = in_flight.map(InFlightGuard::key) else { return Ok(None) };
        let record = self.store.recorded(&key.scope).await?;
        record.map(|record| replay(ctx, key, record)).transpose()
    }

    /// Returns whether the request repeats a command that was carried out before.
    pub async fn is_repeat(&self, ctx: &Ctx, operation: Operation) -> Result<bool> {
        match scope(ctx, operation) {
            Some(scope) => Ok(self.store.recorded(&scope).await?.is_some()),
            None => Ok(false),
        }
    }
}

/// Returns the scope of the request's idempotency key, if it has one.
fn scope(ctx: &Ctx, operation: Operation) -> Option<Scope> {
    let key = ctx.idempotency.clone()?;
    Some(Scope { tenant: ctx.tenant, principal: ctx.principal.to_string(), operation, key })
}

fn replay<T: Recordable>(ctx: &Ctx, key: &RequestKey, record: IdempotencyRecord) -> Result<T> {
    key.check(&record)?;
    ctx.note_replay();
    record.answer.try_into()
}
