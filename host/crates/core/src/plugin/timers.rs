//! Fires timers: whoever consumes a timer's generation carries out what its plugin wants, once. And what
//! admins do with those of an installation: look at them, and have parked ones tried again.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::access::Operation;
use crate::changeset::{Changeset, Write};
use crate::command::{Commands, Decision};
use crate::ctx::{Ctx, Principal, Transport};
use crate::error::{Error, ErrorKind, Result};
use crate::id::InstallationId;
use crate::page::{Page, PageRequest};
use crate::plugin::timer::{MAX_FAILURE, MAX_FAILURES};
use crate::plugin::{DueTimer, Installation, Reaction, RetryTimers, Timer};
use crate::ports::Store;
use crate::tenancy::TenantState;
use crate::time::Timestamp;
use crate::value::{Change, Value};

/// How many timers are fired before the host looks again.
const BATCH: u32 = 100;

/// How long a timer's command may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long a timer of a disabled installation or a suspended tenant, or one that the host could not serve, waits.
const LATER: Duration = Duration::from_secs(60);

/// The first pause after a failure; each further one is twice as long.
const BACK_OFF: Duration = Duration::from_secs(5);

/// Fires timers that are due, and carries out what admins do with them.
#[derive(Clone)]
pub struct Timers {
    store: Arc<dyn Store>,
    commands: Commands,
}

impl Timers {
    /// The service.
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

    /// Has parked timers of an installation tried again, those that wait longest first; which they were.
    /// It is a change of the installation: its history says who did it.
    pub async fn retry(&self, ctx: &Ctx, id: InstallationId, command: RetryTimers) -> Result<Vec<Timer>> {
        let decide = || async {
            let before = self.installation(ctx, id).await?;
            ctx.check_version(before.version)?;
            let parked = self.store.timers_of(ctx.tenant, id, &command.page()).await?.items;
            let anew: Vec<_> = parked.iter().map(|timer| timer.anew(ctx.now)).collect();
            if anew.is_empty() {
                return Ok(Decision::nothing(anew));
            }
            let after = Installation { version: before.version + 1, updated_at: ctx.now, ..before };
            let fact = after.fact(ctx, "plugin.timers_retried", parked.iter().map(retried).collect());
            let changeset = Changeset::new(ctx).fact(fact).update(after);
            let changeset = parked.into_iter().zip(&anew).fold(changeset, |changeset, (before, after)| {
                changeset.write(Write::TakeTimer(before)).write(Write::PutTimer(after.clone()))
            });
            Ok(Decision::change(changeset, anew))
        };
        let retry = (id, &command, ctx.if_version);
        self.commands.run(ctx, Operation::TimerRetry, &retry, decide).await
    }

    async fn installation(&self, ctx: &Ctx, id: InstallationId) -> Result<Installation> {
        let found = self.store.installation(ctx.tenant, id).await?;
        found.ok_or_else(|| Error::not_found("installation"))
    }

    /// Fires what is due, as much as is taken at once; whether there may be more.
    pub async fn run(&self) -> Result<bool> {
        let due = self.store.due_timers(self.store.now(), BATCH).await?;
        let more = due.len() == BATCH as usize;
        for timer in due {
            self.fire(timer).await?;
        }
        Ok(more)
    }

    async fn fire(&self, due: DueTimer) -> Result<()> {
        let DueTimer { tenant, timer } = due;
        let now = self.store.now();
        let request_id = format!("timer-{}-{}", timer.issue, timer.generation);
        let ctx = Ctx::new(
            tenant,
            Principal::System,
            request_id.into(),
            (now, Instant::now() + PATIENCE),
            Transport::Internal,
        );
        let held = self.store.tenant(tenant).await?;
        if held.is_none_or(|tenant| tenant.state != TenantState::Active) {
            return self.store.delay_timer(tenant, &Timer { at: now.plus(LATER), ..timer }).await;
        }
        let active = self.commands.hooks().active_installations(&ctx).await?;
        let owner = active.get(timer.installation).filter(|installation| installation.enabled);
        let Some(installation) = owner else {
            return self.store.delay_timer(tenant, &Timer { at: now.plus(LATER), ..timer }).await;
        };
        let Err(error) = self.carry_out(&ctx, installation, &timer).await else { return Ok(()) };
        if error.is_stale() {
            // Another host was faster, or the issue changes all the time: it is looked at again.
            return Ok(());
        }
        tracing::debug!(?error, timer = timer.name, issue = %timer.issue, "a timer failed");
        let back = set_back(timer, &error, now);
        if back.is_parked() {
            tracing::warn!(
                %tenant, installation = %back.installation, issue = %back.issue, timer = back.name,
                reason = error.reason(), "a timer failed too often and is parked"
            );
        }
        self.store.delay_timer(tenant, &back).await
    }

    async fn carry_out(&self, ctx: &Ctx, installation: &Arc<Installation>, timer: &Timer) -> Result<()> {
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

/// A timer after a call that failed: later, and after too many failures parked.
fn set_back(timer: Timer, error: &Error, now: Timestamp) -> Timer {
    if matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::DeadlineExceeded) {
        return Timer { at: now.plus(LATER), ..timer };
    }
    let failures = (timer.failures + 1).min(MAX_FAILURES);
    let pause = BACK_OFF * (1 << timer.failures.min(MAX_FAILURES));
    let mut failure = error.to_string();
    failure.truncate(failure.floor_char_boundary(MAX_FAILURE));
    Timer { at: now.plus(pause), failures, last_failure: Some(failure), ..timer }
}

/// What the history says of a parked timer that is tried again.
fn retried(timer: &Timer) -> Change {
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
    fn a_timer_that_fails_waits_longer_each_time_and_is_parked_at_last() {
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
            let next = set_back(timer.clone(), &error, now);
            assert!(next.at > timer.at && next.failures == failures);
            timer = next;
        }
        assert!(timer.is_parked() && timer.last_failure.unwrap().contains("PLUGIN_TRAPPED"));
        let busy = Error::unavailable("later", Duration::from_secs(1));
        assert_eq!(set_back(Timer { failures: 3, last_failure: None, ..timer }, &busy, now).failures, 3);
    }
}
