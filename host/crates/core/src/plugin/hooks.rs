//! The hooks where commands call the tenant's plugins.

use std::sync::Arc;

use crate::cache::CachedReads;
use crate::changeset::{Changeset, Expect};
use crate::ctx::Ctx;
use crate::error::{Error, Result};
use crate::id::EventId;
use crate::plugin::budget::Budget;
use crate::plugin::cascade::{Cascade, Reaction};
use crate::plugin::invoker::Invoker;
use crate::plugin::refusal::{into_error, refuse, unexpected_reply, violations};
use crate::plugin::{
    ActiveInstallations, Basket, CallContext, CallShare, Effect, Entity, Hook, Installation, LimitOverrides,
    PluginCommand, PluginRequest, PriceAdjustments, Refusal, Reply, Timer, Validation,
};
use crate::ports::Store;
use crate::time::Timestamp;
use crate::tracker::{CallCommand, Issue, PendingTransition};

/// Calls the tenant's plugins for commands.
#[derive(Clone)]
pub struct Hooks {
    store: Arc<dyn Store>,
    reads: Arc<CachedReads>,
    /// Calls plugins.
    pub invoker: Arc<Invoker>,
}

/// The calls of pricing plugins that one request makes: all have one budget.
pub(crate) struct PriceCalls {
    share: CallShare,
    budget: Budget,
    /// How many there were. The id of a call has its number.
    count: u32,
}

impl PriceCalls {
    /// Creates the calls of a request, which use a share of the sandbox.
    pub(crate) fn new(share: CallShare) -> Self {
        Self { share, budget: Budget::new(), count: 0 }
    }
}

impl Hooks {
    /// Creates the hooks of a host.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, reads: Arc<CachedReads>, invoker: Arc<Invoker>) -> Self {
        Self { store, reads, invoker }
    }

    /// Returns the active installations of the request's tenant.
    pub async fn active_installations(&self, ctx: &Ctx) -> Result<Arc<ActiveInstallations>> {
        self.reads.active_installations(ctx.tenant, 0).await
    }

    /// Returns for each transition why it is refused now; an empty list allows it.
    pub async fn guard(
        &self,
        ctx: &Ctx,
        issue: &Issue,
        transitions: Vec<String>,
    ) -> Result<Vec<Vec<Refusal>>> {
        let active = self.active_installations(ctx).await?;
        let Some((owner, _)) = active.machine(&issue.kind, issue.project) else {
            return Ok(vec![Vec::new(); transitions.len()]);
        };
        let context = CallContext::of(ctx, format!("{}/guard", ctx.request_id), Vec::new());
        let request = PluginRequest::Guard(context, Entity::issue(issue), transitions);
        match self.invoker.call(ctx, (owner, &active.limits), request, &mut Budget::new()).await? {
            Some(Reply::Guard(refusals)) => Ok(refusals),
            _ => Err(unexpected_reply()),
        }
    }

    /// Calls a plugin's command on an issue. Returns its effects, and the versions that it looked up.
    pub async fn command(
        &self,
        ctx: &Ctx,
        (installation, limits): (&Installation, &LimitOverrides),
        issue: &Issue,
        (command, call): (&PluginCommand, &CallCommand),
    ) -> Result<(Vec<Effect>, Vec<Expect>)> {
        if command.input_schema.is_empty() {
            if !call.input.is_empty() {
                return Err(Error::invalid("input", "must be empty: the command takes none"));
            }
        } else {
            let (schema, input) = (&command.input_schema, &call.input_json);
            let violations = self.invoker.schema_violations(ctx.tenant, schema, input, "input").await?;
            if !violations.is_empty() {
                return Err(Error::violations(violations));
            }
        }
        let invocation = format!("{}/command/{}", ctx.request_id, installation.id);
        let context = CallContext::of(ctx, invocation, Vec::new());
        let (name, input) = (command.name.clone(), call.input.clone());
        let request = PluginRequest::OnCommand(context, Entity::issue(issue), name, input);
        self.effects(ctx, (installation, limits), request).await
    }

    /// Calls a plugin whose timer is due. Returns its effects, and the versions that it looked up.
    pub async fn timer(
        &self,
        ctx: &Ctx,
        (installation, limits): (&Installation, &LimitOverrides),
        issue: &Issue,
        timer: &Timer,
    ) -> Result<(Vec<Effect>, Vec<Expect>)> {
        let invocation = format!("timer/{}/{}", timer.generation, installation.id);
        let context = CallContext::of(ctx, invocation, Vec::new());
        let request = PluginRequest::OnTimer(context, Entity::issue(issue), timer.name.clone());
        self.effects(ctx, (installation, limits), request).await
    }

    async fn effects(
        &self,
        ctx: &Ctx,
        (installation, limits): (&Installation, &LimitOverrides),
        request: PluginRequest,
    ) -> Result<(Vec<Effect>, Vec<Expect>)> {
        let mut budget = Budget::new();
        let effects = match self.invoker.call(ctx, (installation, limits), request, &mut budget).await? {
            None => Vec::new(),
            Some(Reply::Effects(Ok(effects))) => effects,
            Some(Reply::Effects(Err(refusals))) => refuse(installation, refusals).map(|()| Vec::new())?,
            Some(_) => return Err(unexpected_reply()),
        };
        Ok((effects, budget.expects()))
    }

    /// Whether there are validations of a kind of object of an event.
    pub async fn validates(&self, ctx: &Ctx, kind: &'static str, event: EventId) -> Result<bool> {
        let active = self.active_installations(ctx).await?;
        Ok(active.called(Hook::Validation, kind, (None, Some(event))).next().is_some())
    }

    /// Calls the validations of an operation on an object of an event that no changeset writes.
    pub async fn validate(
        &self,
        ctx: &Ctx,
        (operation, kind, event): (&'static str, &'static str, EventId),
        subject: Entity,
    ) -> Result<()> {
        let active = self.active_installations(ctx).await?;
        let changes = Entity::changes(None, &subject);
        let validation = Validation { operation: operation.to_owned(), subject, before: None, changes };
        let (mut budget, mut all) = (Budget::new(), Vec::new());
        for (index, installation) in active.called(Hook::Validation, kind, (None, Some(event))).enumerate() {
            let invocation = format!("{}/{}/{}", ctx.request_id, index + 1, installation.id);
            let context = CallContext::of(ctx, invocation, Vec::new());
            let request = PluginRequest::Validate(context, validation.clone());
            let reply = self.invoker.call(ctx, (installation, &active.limits), request, &mut budget).await?;
            all.extend(violations(installation, reply)?);
        }
        into_error(all)
    }

    /// Calls a pricing plugin for a time, and returns whether it has answered; if not, its policy is to continue without
    /// it. `check` takes the adjustments, or says what the contract does not allow.
    pub(crate) async fn price(
        &self,
        ctx: &Ctx,
        (installation, limits): (&Installation, &LimitOverrides),
        (now, basket): (Timestamp, Basket),
        (calls, check): (&mut PriceCalls, impl FnOnce(&PriceAdjustments) -> Result<(), String> + Send),
    ) -> Result<bool> {
        calls.count += 1;
        let invocation = format!("{}/price/{}/{}", ctx.request_id, calls.count, installation.id);
        let context = CallContext { now, ..CallContext::of(ctx, invocation, Vec::new()) };
        let call = (calls.share, PluginRequest::Quote(context, basket));
        let check = |reply: &Reply| match reply {
            Reply::Quote(Ok(adjustments)) => check(adjustments),
            _ => Ok(()),
        };
        let how = (&mut calls.budget, check);
        match self.invoker.call_checked(ctx, (installation, limits), call, how).await? {
            None => Ok(false),
            Some(Reply::Quote(Ok(_))) => Ok(true),
            Some(Reply::Quote(Err(refusals))) => {
                refuse(installation, refusals)?;
                Err(unexpected_reply())
            }
            Some(_) => Err(unexpected_reply()),
        }
    }

    /// Passes a command's changes through the tenant's plugins, and returns the changes to store.
    pub async fn run(
        &self,
        ctx: &Ctx,
        changeset: Changeset,
        transitions: Vec<PendingTransition>,
        reactions: Vec<Reaction>,
    ) -> Result<Changeset> {
        let active = self.active_installations(ctx).await?;
        if active.installations.is_empty() || changeset.tenant != ctx.tenant {
            return Ok(changeset);
        }
        let cascade = Cascade::new(ctx, &*self.store, (&self.invoker, &active), changeset);
        let changeset = cascade.run(transitions, reactions).await;
        if changeset.as_ref().is_err_and(Error::is_stale) {
            self.reads.invalidate_active_installations(ctx.tenant);
        }
        changeset
    }
}
