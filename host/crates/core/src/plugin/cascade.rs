//! The cascade of one command: workflows guard its transitions and react to its changes, the effects of the
//! reactions lead to further changes, and validations check the final state.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use crate::changeset::{Changeset, Expect, Record, Write};
use crate::ctx::Ctx;
use crate::error::Result;
use crate::id::IssueId;
use crate::plugin::budget::{Budget, loop_error};
use crate::plugin::effect_executor::{EffectExecutor, IssueChange, Origin};
use crate::plugin::invoker::Invoker;
use crate::plugin::refusal::{into_error, refuse, unexpected_reply, violations};
use crate::plugin::validation;
use crate::plugin::{
    ActiveInstallations, CallContext, Effect, Entity, Hook, Installation, PluginRequest, Reply,
};
use crate::ports::Store;
use crate::time::Timestamp;
use crate::tracker::PendingTransition;

/// The most installations in a chain of effects.
const MAX_DEPTH: usize = 8;

/// The shortest time from a timer to one that its effects set.
const MIN_TIMER_DELAY: Duration = Duration::from_secs(60);

/// Effects that a plugin returned to a command or a timer, before they lead to others.
#[derive(Clone, Debug)]
pub struct Reaction {
    /// The installation that returned the effects.
    pub installation: Arc<Installation>,
    /// The issue that the call was about.
    pub issue: IssueId,
    /// The effects.
    pub effects: Vec<Effect>,
    /// Whether a timer was the reason of the call.
    pub by_timer: bool,
    /// The versions of what the plugin looked up.
    pub expects: Vec<Expect>,
}

/// A change of an issue within the command, to which workflows may react.
struct Trigger {
    change: IssueChange,
    /// The installations whose effects led to it, first to last.
    chain: Vec<Arc<Installation>>,
}

/// One command on its way through the plugins.
pub(super) struct Cascade<'a> {
    ctx: &'a Ctx,
    invoker: &'a Invoker,
    active: &'a ActiveInstallations,
    budget: Budget,
    executor: EffectExecutor<'a>,
    queue: VecDeque<Trigger>,
    calls: u32,
    /// No timer is set for an earlier time.
    earliest_timer: Timestamp,
}

impl<'a> Cascade<'a> {
    pub(super) fn new(
        ctx: &'a Ctx,
        store: &'a dyn Store,
        (invoker, active): (&'a Invoker, &'a ActiveInstallations),
        changeset: Changeset,
    ) -> Self {
        Self {
            ctx,
            invoker,
            active,
            budget: Budget::new(),
            executor: EffectExecutor::new(ctx, store, active, changeset),
            queue: VecDeque::new(),
            calls: 0,
            earliest_timer: ctx.now,
        }
    }

    /// Runs the cascade to its end, and returns the changes to store.
    pub(super) async fn run(
        mut self,
        transitions: Vec<PendingTransition>,
        reactions: Vec<Reaction>,
    ) -> Result<Changeset> {
        self.begin(transitions).await?;
        for reaction in reactions {
            self.react(reaction).await?;
        }
        while let Some(trigger) = self.queue.pop_front() {
            self.call_workflows(trigger).await?;
        }
        self.validate().await?;
        Ok(self.executor.finish(self.budget.expects()))
    }

    /// Guards the command's own transitions, and enqueues its changes.
    async fn begin(&mut self, transitions: Vec<PendingTransition>) -> Result<()> {
        for transition in transitions {
            self.guard(transition, &[]).await?;
        }
        let writes = self.executor.changeset().writes.iter();
        let issues: Vec<_> = writes
            .filter_map(|write| match write {
                Write::Insert(Record::Issue(issue)) | Write::Update(Record::Issue(issue), _) => {
                    let owner = self.active.machine(&issue.kind, issue.project);
                    Some((issue.id, owner.map(|(owner, _)| owner.label())))
                }
                _ => None,
            })
            .collect();
        for (issue, owner) in issues {
            let id = issue.to_string();
            let facts = self.executor.changeset_mut().facts.iter_mut();
            for fact in facts.filter(|fact| fact.object.id == id) {
                // The history names the release whose state machine allowed the transition.
                if fact.changes.iter().any(|change| change.field == "status") {
                    fact.release.clone_from(&owner);
                }
                let change = IssueChange { issue, changes: fact.changes.clone(), fact: fact.id };
                self.queue.push_back(Trigger { change, chain: Vec::new() });
            }
        }
        Ok(())
    }

    /// Calls the owner of an issue's state machine, which may refuse a transition. An owner is not called for
    /// transitions of its own effects, which the last installation of `chain` returned.
    async fn guard(&mut self, transition: PendingTransition, chain: &[Arc<Installation>]) -> Result<()> {
        let PendingTransition { issue, name } = transition;
        let Some((owner, _)) = self.active.machine(&issue.kind, issue.project) else { return Ok(()) };
        if chain.last().is_some_and(|last| last.id == owner.id) {
            return Ok(());
        }
        let owner = Arc::clone(owner);
        let context = self.context(&owner, chain);
        let request = PluginRequest::Guard(context, Entity::issue(&issue), vec![name]);
        match self.call(&owner, request).await? {
            Some(Reply::Guard(refusals)) => refuse(&owner, refusals.into_iter().flatten().collect()),
            _ => Err(unexpected_reply()),
        }
    }

    /// Executes the effects of a plugin's command or timer.
    async fn react(&mut self, reaction: Reaction) -> Result<()> {
        let Reaction { installation, issue, effects, by_timer, expects } = reaction;
        self.executor.changeset_mut().expects.extend(expects);
        if by_timer {
            self.earliest_timer = self.ctx.now.plus(MIN_TIMER_DELAY);
        }
        let chain = vec![Arc::clone(&installation)];
        self.budget.add_effects(effects.len(), &labels(&chain))?;
        let earliest_timer = self.earliest_timer;
        let origin =
            Origin { installation: &installation, cause: None, by_command: !by_timer, earliest_timer };
        self.execute(origin, chain, issue, effects).await
    }

    /// Calls the workflows of a changed issue.
    async fn call_workflows(&mut self, trigger: Trigger) -> Result<()> {
        let Some(issue) = self.executor.issue(trigger.change.issue).await? else { return Ok(()) };
        let workflows: Vec<_> =
            self.active.called(Hook::Workflow, &issue.kind, (Some(issue.project), None)).cloned().collect();
        for installation in workflows {
            self.call_workflow(&installation, &trigger).await?;
        }
        Ok(())
    }

    async fn call_workflow(&mut self, installation: &Arc<Installation>, trigger: &Trigger) -> Result<()> {
        // Includes the effects of the workflows that were called before.
        let Some(issue) = self.executor.issue(trigger.change.issue).await? else { return Ok(()) };
        if !trigger.chain.is_empty() {
            self.budget.add_call(&labels(&trigger.chain))?;
        }
        let entity = Entity::issue(&issue);
        let changes = trigger.change.changes.clone();
        let created = changes.iter().any(|change| change.field == "project_id" && change.before.is_none());
        let before = (!created).then(|| entity.before(&changes, issue.version.saturating_sub(1)));
        let context = self.context(installation, &trigger.chain);
        let request = PluginRequest::OnChange(context, entity, before, changes);
        let effects = match self.call(installation, request).await? {
            None => return Ok(()),
            Some(Reply::Effects(Ok(effects))) => effects,
            Some(Reply::Effects(Err(refusals))) => return refuse(installation, refusals),
            Some(_) => return Err(unexpected_reply()),
        };
        if effects.is_empty() {
            return Ok(());
        }
        let mut chain = trigger.chain.clone();
        chain.push(Arc::clone(installation));
        if chain.len() > MAX_DEPTH {
            return Err(loop_error(&labels(&chain), format_args!("form a chain of more than {MAX_DEPTH}")));
        }
        self.budget.add_effects(effects.len(), &labels(&chain))?;
        let (cause, earliest_timer) = (Some(trigger.change.fact), self.earliest_timer);
        let origin = Origin { installation, cause, by_command: false, earliest_timer };
        self.execute(origin, chain, issue.id, effects).await
    }

    /// Executes effects, guards their transitions, and enqueues their changes.
    async fn execute(
        &mut self,
        origin: Origin<'_>,
        chain: Vec<Arc<Installation>>,
        issue: IssueId,
        effects: Vec<Effect>,
    ) -> Result<()> {
        let (changes, transitions) = self.executor.execute(origin, issue, effects).await?;
        for transition in transitions {
            self.guard(transition, &chain).await?;
        }
        self.queue.extend(changes.into_iter().map(|change| Trigger { change, chain: chain.clone() }));
        Ok(())
    }

    /// Calls the validations of every object that the command changes, in its final state.
    async fn validate(&mut self) -> Result<()> {
        let mut all = Vec::new();
        for (validation, place) in validation::requests(self.executor.changeset()) {
            let kind = validation.subject.kind.clone();
            let called: Vec<_> = self.active.called(Hook::Validation, &kind, place).cloned().collect();
            for installation in called {
                let context = self.context(&installation, &[]);
                let request = PluginRequest::Validate(context, validation.clone());
                let reply = self.call(&installation, request).await?;
                all.extend(violations(&installation, reply)?);
            }
        }
        into_error(all)
    }

    fn context(&mut self, installation: &Installation, chain: &[Arc<Installation>]) -> CallContext {
        self.calls += 1;
        let invocation = format!("{}/{}/{}", self.ctx.request_id, self.calls, installation.id);
        let cause = chain.iter().map(|installation| installation.id.to_string()).collect();
        CallContext::of(self.ctx, invocation, cause)
    }

    async fn call(
        &mut self,
        installation: &Arc<Installation>,
        request: PluginRequest,
    ) -> Result<Option<Reply>> {
        let limits = &self.active.limits;
        self.invoker.call(self.ctx, (installation, limits), request, &mut self.budget).await
    }
}

fn labels(chain: &[Arc<Installation>]) -> Vec<String> {
    chain.iter().map(|installation| installation.label()).collect()
}
