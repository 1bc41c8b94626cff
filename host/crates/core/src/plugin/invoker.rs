//! Calls installed plugins: makes their releases ready, answers their look-ups, notes every call.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::changeset::{Expect, Versioned as _};
use crate::ctx::Ctx;
use crate::error::{Error, ErrorKind, Result, Violation};
use crate::filter::Spec;
use crate::id::{IssueId, ProjectId, TenantId, UserId};
use crate::page::PageRequest;
use crate::plugin::call_log::{CallLog, CallRecord, Calls, Verdict};
use crate::plugin::{
    Call, CallLimits, Digest, Entity, Failure, FailureReason, Installation, LimitOverrides, Lookup,
    LookupError, LookupRequest, LookupResult, OnFailure, Outcome, PluginRequest, Reply, Usage,
};
use crate::ports::{Plugins, Store};
use crate::tracker::{issue, project, user};

/// Calls plugins for a tenant.
pub struct Invoker {
    store: Arc<dyn Store>,
    plugins: Arc<dyn Plugins>,
    log: CallLog,
}

/// What one command's calls may use together, and what their look-ups made it depend on.
pub struct Budget {
    calls: u32,
    fuel: u64,
    effects: usize,
    expects: Arc<Mutex<Vec<Expect>>>,
}

impl Budget {
    /// The most calls that the effects of one command may lead to.
    const CALLS: u32 = 32;
    /// The most instructions of all calls together.
    const FUEL: u64 = 100_000_000;
    /// The most effects of all calls together.
    const EFFECTS: usize = 256;

    /// What a command begins with.
    #[must_use]
    pub fn new() -> Self {
        Self { calls: 0, fuel: 0, effects: 0, expects: Arc::default() }
    }

    /// The versions of what was looked up by id.
    #[must_use]
    pub fn expects(&self) -> Vec<Expect> {
        self.expects.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Counts a call that effects led to.
    pub fn another_call(&mut self, chain: &[String]) -> Result<()> {
        self.calls += 1;
        if self.calls > Self::CALLS {
            return Err(too_much(chain, format_args!("lead to more than {} calls", Self::CALLS)));
        }
        Ok(())
    }

    /// Counts effects.
    pub fn more_effects(&mut self, count: usize, chain: &[String]) -> Result<()> {
        self.effects += count;
        if self.effects > Self::EFFECTS {
            return Err(too_much(chain, format_args!("want more than {} things done", Self::EFFECTS)));
        }
        Ok(())
    }

    fn left(&self, limits: CallLimits) -> CallLimits {
        CallLimits { fuel: limits.fuel.min(Self::FUEL.saturating_sub(self.fuel)), ..limits }
    }
}

impl Default for Budget {
    fn default() -> Self {
        Self::new()
    }
}

/// Effects that go on without end, with the plugins that brought them about.
pub(super) fn too_much(chain: &[String], what: std::fmt::Arguments<'_>) -> Error {
    let mut names: Vec<_> = chain.to_vec();
    names.dedup();
    let message = format!("the effects of {} {what} for one command; nothing was changed", names.join(", "));
    Error::new(ErrorKind::PluginFailed, "PLUGIN_LOOP", message)
}

impl Invoker {
    /// Calls by way of `plugins`.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, plugins: Arc<dyn Plugins>) -> Self {
        Self { store, plugins, log: CallLog::default() }
    }

    /// The last calls of an installation on this host.
    #[must_use]
    pub fn calls(&self, installation: &Installation, after: u64) -> Calls {
        self.log.of(installation.id, after)
    }

    /// What holds the calls of an installation.
    #[must_use]
    pub fn limits(&self, tenant: &LimitOverrides, installation: &LimitOverrides) -> CallLimits {
        self.plugins.limits().at_most(&tenant.and(installation))
    }

    /// Returns the violations of a plugin's JSON Schema by a JSON text.
    pub async fn schema_violations(
        &self,
        tenant: TenantId,
        schema: &str,
        json: &str,
        field: &str,
    ) -> Result<Vec<Violation>> {
        self.plugins.schema_violations(tenant, schema, json, field).await
    }

    /// Makes a release ready, if it is not; for a tenant, or for the host itself.
    pub async fn prepare(&self, tenant: Option<TenantId>, digest: Digest) -> Result<()> {
        if self.plugins.is_ready(digest) {
            return Ok(());
        }
        let component = self.store.component(digest).await?;
        let component = component
            .ok_or_else(|| Error::internal(anyhow::anyhow!("the bytes of release {digest} are gone")))?;
        self.plugins.prepare(tenant, digest, component).await
    }

    /// Lets go of releases that are ready and not installed.
    pub fn forget_idle(&self, installed: &BTreeSet<Digest>) {
        self.plugins.forget_idle(installed);
    }

    /// Calls an installation. None: it failed, and the request goes on without it.
    pub async fn call(
        &self,
        ctx: &Ctx,
        (installation, limits): (&Installation, &LimitOverrides),
        ask: PluginRequest,
        budget: &mut Budget,
    ) -> Result<Option<Reply>> {
        let limits = budget.left(self.limits(limits, &installation.limits));
        let (function, subject) = (ask.function(), ask.subject());
        let call = Call {
            tenant: ctx.tenant,
            release: installation.release.digest,
            settings: Arc::clone(&installation.settings),
            limits,
            deadline: ctx.deadline,
            lookup: Some(self.lookup(ctx, &budget.expects)),
            ask,
        };
        let outcome = self.carry_out(call).await;
        budget.fuel = budget.fuel.saturating_add(outcome.usage.fuel);
        let verdict = Verdict::of(&outcome);
        let open = installation.on_failure == OnFailure::Open;
        let passed_over = open && matches!(&outcome.reply, Err(failure) if may_pass(failure.reason));
        let Outcome { reply, usage, log, log_was_cut, lookups } = outcome;
        let release = installation.label();
        let record = CallRecord {
            number: 0,
            at: ctx.now,
            function,
            release: release.clone(),
            request_id: ctx.request_id.to_string(),
            subject,
            verdict,
            usage,
            log,
            log_was_cut,
            lookups,
        };
        self.log.note(installation.id, record, passed_over);
        match reply {
            Ok(reply) => Ok(Some(reply)),
            Err(_) if passed_over => Ok(None),
            Err(failure) => Err(failed(&release, failure)),
        }
    }

    /// Calls a release once, whatever is installed.
    pub async fn carry_out(&self, call: Call) -> Outcome {
        if let Err(error) = self.prepare(Some(call.tenant), call.release).await {
            tracing::warn!(release = %call.release, ?error, "a release cannot be made ready");
            let message = "the host cannot make the release ready; its log says why".to_owned();
            let failure = Failure { reason: FailureReason::Host, message, backtrace: Vec::new() };
            return Outcome {
                reply: Err(failure),
                usage: Usage::default(),
                log: Vec::new(),
                log_was_cut: false,
                lookups: Vec::new(),
            };
        }
        self.plugins.call(call).await
    }

    /// Look-ups within a request's tenant; what is got by id is noted in `expects`.
    fn lookup(&self, ctx: &Ctx, expects: &Arc<Mutex<Vec<Expect>>>) -> Lookup {
        let (store, ctx, expects) = (Arc::clone(&self.store), ctx.clone(), Arc::clone(expects));
        Lookup::new(move |ask| {
            let (store, ctx, expects) = (Arc::clone(&store), ctx.clone(), Arc::clone(&expects));
            async move { look_up(&*store, &ctx, ask, &expects).await }
        })
    }

    /// Look-ups of a dry run.
    pub fn lookup_for(&self, ctx: &Ctx) -> Lookup {
        self.lookup(ctx, &Arc::default())
    }
}

/// Whether the policy `open` covers it: what is the caller's or the tenant's own doing it does not.
fn may_pass(reason: FailureReason) -> bool {
    !matches!(reason, FailureReason::Late | FailureReason::Busy)
}

/// A plugin's failure as an error of the request. What its author may read stands in the list of its calls.
fn failed(release: &str, failure: Failure) -> Error {
    let Failure { reason, message, .. } = failure;
    match reason {
        FailureReason::Late => Error::deadline(),
        FailureReason::Busy => {
            let mut told = format!("the plugin {release} cannot be called now: {message}");
            told.truncate(500);
            Error::unavailable(told, Duration::from_secs(1))
        }
        FailureReason::OutOfFuel
        | FailureReason::TimedOut
        | FailureReason::OutOfMemory
        | FailureReason::InputTooLarge
        | FailureReason::OutputTooLarge
        | FailureReason::TooManyEffects
        | FailureReason::Trapped
        | FailureReason::BadAnswer
        | FailureReason::Host => Error::new(
            ErrorKind::PluginFailed,
            reason.name(),
            format!("the plugin {release} failed: {message}"),
        ),
    }
}

async fn look_up(
    store: &dyn Store,
    ctx: &Ctx,
    ask: LookupRequest,
    expects: &Mutex<Vec<Expect>>,
) -> LookupResult {
    let away = |error: Error| match error.kind() {
        ErrorKind::Invalid | ErrorKind::Malformed => LookupError::Unsupported(error.message().to_owned()),
        _ => {
            tracing::warn!(?error, request_id = %ctx.request_id, "a plugin's look-up failed");
            LookupError::Unavailable
        }
    };
    match ask {
        LookupRequest::Get(kind, id) => {
            let got = get(store, ctx.tenant, &kind, &id).await.map_err(away)?;
            let Some((entity, expect)) = got else { return Ok(Vec::new()) };
            expects.lock().unwrap_or_else(PoisonError::into_inner).push(expect);
            Ok(vec![entity])
        }
        LookupRequest::Find(kind, filter, limit) => {
            find(store, ctx, &kind, &filter, limit).await.map_err(away)
        }
    }
}

async fn get(store: &dyn Store, tenant: TenantId, kind: &str, id: &str) -> Result<Option<(Entity, Expect)>> {
    Ok(match kind {
        "issue" => {
            let found = store.issue(tenant, IssueId::parse("id", id)?).await?;
            found.map(|issue| (Entity::issue(&issue), issue.expect()))
        }
        "project" => {
            let found = store.project(tenant, ProjectId::parse("id", id)?).await?;
            found.map(|project| (Entity::project(&project), project.expect()))
        }
        "user" => {
            let found = store.user(tenant, UserId::parse("id", id)?).await?;
            found.map(|user| (Entity::user(&user), user.expect()))
        }
        other => return Err(unknown(other)),
    })
}

async fn find(store: &dyn Store, ctx: &Ctx, kind: &str, filter: &str, limit: u32) -> Result<Vec<Entity>> {
    let size = limit.clamp(1, CallLimits::LOOKUP_ENTITIES);
    let page = |spec: &Spec| {
        Ok::<_, Error>(PageRequest {
            size,
            after: None,
            filter: spec.filter(ctx, filter)?,
            order: spec.order("")?,
        })
    };
    let tenant = ctx.tenant;
    Ok(match kind {
        "issue" => {
            let found = store.issues(tenant, &page(&issue::SPEC)?).await?;
            found.items.iter().map(Entity::issue).collect()
        }
        "project" => {
            let found = store.projects(tenant, &page(&project::SPEC)?).await?;
            found.items.iter().map(Entity::project).collect()
        }
        "user" => {
            let found = store.users(tenant, None, &page(&user::SPEC)?).await?;
            found.items.iter().map(Entity::user).collect()
        }
        other => return Err(unknown(other)),
    })
}

fn unknown(kind: &str) -> Error {
    Error::invalid("kind", format!("is {kind:?}; issue, project or user is expected"))
}
