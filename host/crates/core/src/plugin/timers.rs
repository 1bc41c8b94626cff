//! Firing of timers, and the operations on them: list, and retry parked ones. A timer's effects are executed once:
//! by the host that consumes its generation.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::access::Operation;
use crate::changeset::{Changeset, Write};
use crate::command::{Commands, Decision};
use crate::ctx::{Ctx, Principal, Transport};
use crate::error::{Error, ErrorKind, Result};
use crate::fair::WorkLimiter;
use crate::id::{InstallationId, TenantId};
use crate::page::{Page, PageRequest};
use crate::plugin::timer::{MAX_FAILURE, MAX_FAILURES};
use crate::plugin::{Installation, Reaction, RetryTimers, Timer};
use crate::ports::Store;
use crate::tenancy::TenantState;
use crate::time::Timestamp;
use crate::value::{Change, Value};

/// The number of a tenant's timers that are fired in one round.
const BATCH: u32 = 32;

/// The deadline of a timer's command.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The delay of a timer whose installation is disabled, or whose tenant is suspended.
const DELAY: Duration = Duration::from_secs(60);

/// The delay of a timer for which the host has no capacity.
const BUSY_DELAY: Duration = Duration::from_secs(5);

/// The delay after the first failure; it doubles with each further one.
const BACK_OFF: Duration = Duration::from_secs(5);

/// Fires due timers, and performs the operations on timers.
#[derive(Clone)]
pub struct Timers {
    store: Arc<dyn Store>,
    commands: Commands,
}

impl Timers {
    /// Creates the service.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, commands: Commands) -> Self {
        Self { store, commands }
    }

    /// Lists the timers of an installation.
    pub async fn list(&self, ctx: &Ctx, id: InstallationId, page: &PageRequest) -> Result<Page<Timer>> {
        ctx.allow(Operation::TimerList)?;
        self.installation(ctx, id).await?;
        self.store.timers_of(ctx.tenant, id, page).await
    }

    /// Retries parked timers of an installation, those due first, and returns them. It is recorded as a change of
    /// the installation.
    pub async fn retry(&self, ctx: &Ctx, id: InstallationId, command: RetryTimers) -> Result<Vec<Timer>> {
        let decide = || async {
            let before = self.installation(ctx, id).await?;
            ctx.check_version(before.version)?;
            let parked = self.store.timers_of(ctx.tenant, id, &command.page()).await?.items;
            let reset: Vec<_> = parked.iter().map(|timer| timer.reset(ctx.now)).collect();
            if reset.is_empty() {
                return Ok(Decision::nothing(reset));
            }
            let after = Installation { version: before.version + 1, updated_at: ctx.now, ..before };
            let fact = after.fact(ctx, "plugin.timers_retried", parked.iter().map(retry_change).collect());
            let changeset = Changeset::new(ctx).fact(fact).update(after);
            let changeset = parked.into_iter().zip(&reset).fold(changeset, |changeset, (before, after)| {
                changeset.write(Write::TakeTimer(before)).write(Write::PutTimer(after.clone()))
            });
            Ok(Decision::change(changeset, reset))
        };
        let retry = (id, &command, &ctx.if_version);
        self.commands.run(ctx, Operation::TimerRetry, &retry, decide).await
    }

    async fn installation(&self, ctx: &Ctx, id: InstallationId) -> Result<Installation> {
        let installation = self.store.installation(ctx.tenant, id).await?;
        installation.ok_or_else(|| Error::not_found("installation"))
    }

    /// Fires one round of a tenant's due timers. Returns whether there may be more.
    pub async fn fire_due(&self, tenant: TenantId, limiter: &WorkLimiter) -> Result<bool> {
        let due = self.store.due_timers(tenant, self.store.now(), BATCH).await?;
        let is_full = due.len() == BATCH as usize;
        let fire = |timer| async move {
            self.fire(tenant, timer).await.unwrap_or_else(|error| {
                tracing::warn!(?error, %tenant, "timer not fired; retrying");
                false
            })
        };
        let fired = limiter.for_each(tenant, due, fire).await;
        Ok(is_full && fired > 0)
    }

    /// Fires a timer, or delays it. Returns whether it did.
    async fn fire(&self, tenant: TenantId, timer: Timer) -> Result<bool> {
        let now = self.store.now();
        let request_id = format!("timer-{}-{}", timer.issue, timer.generation);
        let ctx = Ctx::new(
            tenant,
            Principal::System,
            request_id.into(),
            (now, Instant::now() + TIMEOUT),
            Transport::Internal,
        );
        let stored = self.store.tenant(tenant).await?;
        if stored.is_none_or(|tenant| tenant.state != TenantState::Active) {
            self.store.delay_timer(tenant, &Timer { at: now.plus(DELAY), ..timer }).await?;
            return Ok(true);
        }
        let active = self.commands.hooks().active_installations(&ctx).await?;
        let owner = active.get(timer.installation).filter(|installation| installation.enabled);
        let Some(installation) = owner else {
            self.store.delay_timer(tenant, &Timer { at: now.plus(DELAY), ..timer }).await?;
            return Ok(true);
        };
        let Err(error) = self.run_timer(&ctx, installation, &timer).await else { return Ok(true) };
        if error.is_stale() {
            // Another host fired it, or the issue changed too often: the next round tries again.
            return Ok(false);
        }
        tracing::debug!(?error, timer = timer.name, issue = %timer.issue, "timer failed");
        let delayed = delay(timer, &error, now);
        if delayed.is_parked() {
            tracing::warn!(
                %tenant, installation = %delayed.installation, issue = %delayed.issue, timer = delayed.name,
                reason = error.reason(), "timer parked after repeated failures"
            );
        }
        self.store.delay_timer(tenant, &delayed).await?;
        Ok(true)
    }

    async fn run_timer(&self, ctx: &Ctx, installation: &Arc<Installation>, timer: &Timer) -> Result<()> {
        let decide = || async {
            let take = Changeset::new(ctx).write(Write::TakeTimer(timer.clone()));
            let Some(issue) = self.store.issue(ctx.tenant, timer.issue).await? else {
                return Ok(Decision::change(take, ()));
            };
            let hooks = self.commands.hooks();
            let active = hooks.active_installations(ctx).await?;
            let installed = (&**installation, &active.limits);
            let (effects, expects) = hooks.timer(ctx, installed, &issue, timer).await?;
            let installation = Arc::clone(installation);
            let reaction = Reaction { installation, issue: issue.id, effects, by_timer: true, expects };
            Ok(Decision::change(take.expect(&issue), ()).reacting(reaction))
        };
        self.commands.run(ctx, Operation::IssueUpdate, &(), decide).await
    }
}

/// Returns a timer after a failed call: delayed, and parked after too many failures.
fn delay(timer: Timer, error: &Error, now: Timestamp) -> Timer {
    match error.kind() {
        ErrorKind::Unavailable => return Timer { at: now.plus(BUSY_DELAY), ..timer },
        ErrorKind::DeadlineExceeded => return Timer { at: now.plus(DELAY), ..timer },
        _ => {}
    }
    let failures = (timer.failures + 1).min(MAX_FAILURES);
    let pause = BACK_OFF * (1 << timer.failures.min(MAX_FAILURES));
    let mut failure = error.to_string();
    failure.truncate(failure.floor_char_boundary(MAX_FAILURE));
    Timer { at: now.plus(pause), failures, last_failure: Some(failure), ..timer }
}

/// Returns the change that records the retry of a parked timer.
fn retry_change(timer: &Timer) -> Change {
    Change {
        field: format!("timers.{}.{}.failures", timer.issue, timer.name),
        before: Value::Integer(timer.failures.into()),
        after: Value::Integer(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{InstallationId, IssueId};

    #[test]
    fn failing_timer_is_delayed_longer_each_time_and_then_parked() {
        let now = Timestamp::from_micros(0).unwrap();
        let mut timer = Timer {
            issue: IssueId::generate(),
            installation: InstallationId::generate(),
            name: "t".into(),
            at: now,
            generation: 1,
            failures: 0,
            last_failure: None,
        };
        let error = Error::new(ErrorKind::PluginFailed, "PLUGIN_TRAPPED", "it trapped");
        for failures in 1..=MAX_FAILURES {
            let next = delay(timer.clone(), &error, now);
            assert!(next.at > timer.at && next.failures == failures);
            timer = next;
        }
        assert!(timer.is_parked() && timer.last_failure.unwrap().contains("PLUGIN_TRAPPED"));
        let busy = Error::unavailable("later", Duration::from_secs(1));
        assert_eq!(delay(Timer { failures: 3, last_failure: None, ..timer }, &busy, now).failures, 3);
    }
}
