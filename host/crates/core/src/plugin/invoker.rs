//! The invoker of plugins: prepares releases, applies limits, and records each call in the log of calls.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::changeset::Expect;
use crate::ctx::Ctx;
use crate::error::{Error, ErrorKind, Result, Violation};
use crate::fair::Owner;
use crate::id::TenantId;
use crate::plugin::budget::Budget;
use crate::plugin::call_log::{CallLog, CallRecord, Calls};
use crate::plugin::lookups::look_up;
use crate::plugin::{
    Call, CallLimits, CallShare, Digest, Failure, FailureReason, Installation, LimitOverrides, Lookup,
    OnFailure, Outcome, PluginRequest, Reply, Usage,
};
use crate::ports::{Plugins, Store};

/// The most bytes of an error's message that a busy plugin causes.
const MAX_BUSY_MESSAGE: usize = 500;

/// Calls plugins for tenants.
pub struct Invoker {
    store: Arc<dyn Store>,
    plugins: Arc<dyn Plugins>,
    log: CallLog,
}

impl Invoker {
    /// Creates an invoker that calls `plugins`.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, plugins: Arc<dyn Plugins>) -> Self {
        Self { store, plugins, log: CallLog::default() }
    }

    /// Returns the latest calls of an installation on this host, those with a number greater than `after`.
    #[must_use]
    pub fn calls(&self, installation: &Installation, after: u64) -> Calls {
        self.log.of(installation.id, after)
    }

    /// Returns the limits of an installation's calls.
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

    /// Prepares a release in a tenant's turn, if it is not ready.
    pub async fn prepare(&self, tenant: TenantId, digest: Digest, deadline: Instant) -> Result<()> {
        if self.plugins.is_ready(digest) {
            return Ok(());
        }
        let source = async {
            let component = self.store.component(tenant.into(), digest).await?;
            component
                .ok_or_else(|| Error::internal(anyhow::anyhow!("the bytes of release {digest} are missing")))
        };
        self.plugins.prepare(tenant, digest, Box::pin(source), deadline).await
    }

    /// Whether a release can be called at once.
    #[must_use]
    pub fn is_ready(&self, digest: Digest) -> bool {
        self.plugins.is_ready(digest)
    }

    /// Deletes the machine code of releases that the store does not have; returns how many there were.
    pub async fn sweep(&self) -> Result<usize> {
        let mut removed = 0;
        for digest in self.plugins.sweep() {
            if !self.store.has_component(Owner::Host, digest).await? {
                self.plugins.forget(digest);
                removed += 1;
            }
        }
        Ok(removed)
    }

    /// Releases the memory of releases that are ready but not installed.
    pub fn forget_idle(&self, installed: &BTreeSet<Digest>) {
        self.plugins.forget_idle(installed);
    }

    /// Calls an installation. `None`: the call failed, and the installation's policy is to continue without it.
    pub async fn call(
        &self,
        ctx: &Ctx,
        (installation, tenant_limits): (&Installation, &LimitOverrides),
        request: PluginRequest,
        budget: &mut Budget,
    ) -> Result<Option<Reply>> {
        let call = (CallShare::of(ctx), request);
        self.call_checked(ctx, (installation, tenant_limits), call, (budget, |_: &Reply| Ok(()))).await
    }

    /// Calls an installation in a share of the sandbox. `check` says what the contract does not allow in its reply, which
    /// then is a failure.
    pub async fn call_checked(
        &self,
        ctx: &Ctx,
        (installation, tenant_limits): (&Installation, &LimitOverrides),
        (share, request): (CallShare, PluginRequest),
        (budget, check): (&mut Budget, impl FnOnce(&Reply) -> Result<(), String> + Send),
    ) -> Result<Option<Reply>> {
        let (function, subject) = (request.function(), request.subject());
        let is_price = matches!(request, PluginRequest::Quote(..));
        let call = Call {
            share,
            release: installation.release.digest,
            settings: Arc::clone(&installation.settings),
            limits: budget.limit(self.limits(tenant_limits, &installation.limits)),
            deadline: ctx.deadline,
            lookup: Some(self.lookup(ctx, budget.shared_expects())),
            request,
        };
        let mut outcome = self.call_release(call).await;
        budget.add_fuel(outcome.usage.fuel);
        if let Ok(reply) = &outcome.reply
            && let Err(message) = check(reply)
        {
            outcome.reply = Err(Failure { reason: FailureReason::BadAnswer, message, backtrace: Vec::new() });
        }
        let open = installation.on_failure == OnFailure::Open;
        // A price that breaks the contract is never passed over.
        let passed_over = open
            && matches!(&outcome.reply, Err(failure) if can_be_passed_over(failure.reason)
                && !(is_price && failure.reason == FailureReason::BadAnswer));
        let label = installation.label();
        let received = (ctx.now, ctx.request_id.to_string());
        let (record, reply) = CallRecord::new(received, label.clone(), (function, subject), outcome);
        self.log.add((ctx.tenant, installation.id), record, passed_over);
        match reply {
            Ok(reply) => Ok(Some(reply)),
            Err(_) if passed_over => Ok(None),
            Err(failure) => Err(into_error(&label, failure)),
        }
    }

    /// Calls a release once, whether it is installed or not.
    pub async fn call_release(&self, call: Call) -> Outcome {
        if let Err(error) = self.prepare(call.share.tenant, call.release, call.deadline).await {
            tracing::warn!(release = %call.release, ?error, "release preparation failed");
            let (reason, message) = match error.kind() {
                ErrorKind::Unavailable => (FailureReason::Busy, error.message()),
                ErrorKind::DeadlineExceeded => (FailureReason::Late, error.message()),
                _ => (FailureReason::Host, "the host cannot prepare the release; see the host's log"),
            };
            let failure = Failure { reason, message: message.to_owned(), backtrace: Vec::new() };
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

    /// Returns the look-ups of a dry run.
    #[must_use]
    pub fn dry_run_lookup(&self, ctx: &Ctx) -> Lookup {
        self.lookup(ctx, &Arc::default())
    }

    /// Returns look-ups within a request's tenant, which add the versions of what is read by id to `expects`.
    fn lookup(&self, ctx: &Ctx, expects: &Arc<Mutex<Vec<Expect>>>) -> Lookup {
        let (store, ctx, expects) = (Arc::clone(&self.store), ctx.clone(), Arc::clone(expects));
        Lookup::new(move |request| {
            let (store, ctx, expects) = (Arc::clone(&store), ctx.clone(), Arc::clone(&expects));
            async move { look_up(&*store, &ctx, request, &expects).await }
        })
    }
}

/// Whether the policy `open` covers a failure. It does not cover those that the caller or the tenant caused.
fn can_be_passed_over(reason: FailureReason) -> bool {
    !matches!(reason, FailureReason::Late | FailureReason::Busy)
}

/// Turns a plugin's failure into an error of the request. The details are in the log of calls.
fn into_error(release: &str, failure: Failure) -> Error {
    let Failure { reason, message, .. } = failure;
    match reason {
        FailureReason::Late => Error::deadline(),
        FailureReason::Busy => {
            let mut message = format!("the plugin {release} cannot be called now: {message}");
            message.truncate(message.floor_char_boundary(MAX_BUSY_MESSAGE));
            Error::unavailable(message, Duration::from_secs(1))
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
