//! Where a command meets the tenant's plugins: workflows guard its moves and react to its changes, then
//! validations judge what would be stored.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use crate::cache::Reads;
use crate::changeset::{Changeset, Expect, Record, Versioned as _, Write};
use crate::ctx::Ctx;
use crate::error::{Error, Result, Violation};
use crate::id::{FactId, IssueId, ProjectId};
use crate::plugin::effect_executor::{EffectExecutor, IssueChange, Origin};
use crate::plugin::entity::merged;
use crate::plugin::invoker::{Budget, Invoker, too_much};
use crate::plugin::{
    ActiveInstallations, CallContext, Effect, Entity, Hook, Installation, LimitOverrides, PluginCommand,
    PluginRequest, Refusal, Reply, Timer, Validation,
};
use crate::ports::Store;
use crate::time::Timestamp;
use crate::tracker::issue_editor::PendingTransition;
use crate::tracker::{CallCommand, Issue};
use crate::value::Change;

/// How deep effects may lead to effects.
const MAX_DEPTH: usize = 8;

/// The most violations that one request is told.
const MAX_VIOLATIONS: usize = 100;

/// A timer that is set by a timer is at least so far ahead.
const TIMER_STEP: Duration = Duration::from_secs(60);

/// What a plugin already wants done, before its effects lead to more.
#[derive(Clone, Debug)]
pub struct Reaction {
    /// Whose effects they are.
    pub installation: Arc<Installation>,
    /// The issue that the call was about.
    pub issue: IssueId,
    /// What is wanted.
    pub effects: Vec<Effect>,
    /// Whether a timer brought them about.
    pub by_timer: bool,
    /// The versions of what the plugin looked up.
    pub expects: Vec<Expect>,
}

/// Brings commands and plugins together.
#[derive(Clone)]
pub struct Hooks {
    store: Arc<dyn Store>,
    reads: Arc<Reads>,
    /// Calls plugins.
    pub invoker: Arc<Invoker>,
}

impl Hooks {
    /// The hooks of a host.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, reads: Arc<Reads>, invoker: Arc<Invoker>) -> Self {
        Self { store, reads, invoker }
    }

    /// What the request's tenant has in force.
    pub async fn active_installations(&self, ctx: &Ctx) -> Result<Arc<ActiveInstallations>> {
        self.reads.active_installations(ctx.tenant, 0).await
    }

    /// Why each of these moves may not be made now; nothing: it may.
    pub async fn guard(&self, ctx: &Ctx, issue: &Issue, moves: Vec<String>) -> Result<Vec<Vec<Refusal>>> {
        let active = self.active_installations(ctx).await?;
        let Some((owner, _)) = active.machine(&issue.kind, issue.project) else {
            return Ok(vec![Vec::new(); moves.len()]);
        };
        let context = CallContext::of(ctx, format!("{}/guard", ctx.request_id), Vec::new());
        let ask = PluginRequest::Guard(context, Entity::issue(issue), moves);
        match self.invoker.call(ctx, (owner, &active.limits), ask, &mut Budget::new()).await? {
            Some(Reply::Guard(answers)) => Ok(answers),
            _ => Err(unexpected()),
        }
    }

    /// What a plugin's command wants done with an issue.
    pub async fn command(
        &self,
        ctx: &Ctx,
        (installation, limits): (&Installation, &LimitOverrides),
        issue: &Issue,
        (command, call): (&PluginCommand, &CallCommand),
    ) -> Result<(Vec<Effect>, Vec<Expect>)> {
        if command.input_schema.is_empty() {
            if !call.input.is_empty() {
                return Err(Error::invalid("input", "is given, but the command takes none"));
            }
        } else {
            let (schema, input) = (&command.input_schema, &call.input_json);
            let violations = self.caller.schema_violations(ctx.tenant, schema, input, "input").await?;
            if !violations.is_empty() {
                return Err(Error::violations(violations));
            }
        }
        let invocation = format!("{}/command/{}", ctx.request_id, installation.id);
        let context = CallContext::of(ctx, invocation, Vec::new());
        let ask =
            PluginRequest::OnCommand(context, Entity::issue(issue), command.name.clone(), call.input.clone());
        self.effects(ctx, (installation, limits), ask).await
    }

    /// What a plugin wants done now that a timer is due.
    pub async fn timer(
        &self,
        ctx: &Ctx,
        (installation, limits): (&Installation, &LimitOverrides),
        issue: &Issue,
        timer: &Timer,
    ) -> Result<(Vec<Effect>, Vec<Expect>)> {
        let invocation = format!("timer/{}/{}", timer.generation, installation.id);
        let context = CallContext::of(ctx, invocation, Vec::new());
        let ask = PluginRequest::OnTimer(context, Entity::issue(issue), timer.name.clone());
        self.effects(ctx, (installation, limits), ask).await
    }

    async fn effects(
        &self,
        ctx: &Ctx,
        installed: (&Installation, &LimitOverrides),
        ask: PluginRequest,
    ) -> Result<(Vec<Effect>, Vec<Expect>)> {
        let mut budget = Budget::new();
        let effects = match self.invoker.call(ctx, installed, ask, &mut budget).await? {
            None => Vec::new(),
            Some(Reply::Effects(Ok(effects))) => effects,
            Some(Reply::Effects(Err(refusals))) => refused(installed.0, refusals).map(|()| Vec::new())?,
            Some(_) => return Err(unexpected()),
        };
        Ok((effects, budget.expects()))
    }

    /// Whether validations are called for a kind of object that is in no project.
    pub async fn validates(&self, ctx: &Ctx, kind: &'static str) -> Result<bool> {
        Ok(self.active_installations(ctx).await?.called(Hook::Validation, kind, None).next().is_some())
    }

    /// Lets validations judge what is about to be done with an object that no changeset writes.
    pub async fn validate(
        &self,
        ctx: &Ctx,
        (operation, kind): (&'static str, &'static str),
        subject: Entity,
    ) -> Result<()> {
        let active = self.active_installations(ctx).await?;
        let called: Vec<_> = active.called(Hook::Validation, kind, None).collect();
        let changes = Entity::changes(None, &subject);
        let request = Validation { operation: operation.to_owned(), subject, before: None, changes };
        let (mut budget, mut violations) = (Budget::new(), Vec::new());
        for (index, installation) in called.into_iter().enumerate() {
            let invocation = format!("{}/{}/{}", ctx.request_id, index + 1, installation.id);
            let ask = PluginRequest::Validate(CallContext::of(ctx, invocation, Vec::new()), request.clone());
            let reply = self.invoker.call(ctx, (installation, &active.limits), ask, &mut budget).await?;
            violations.extend(verdict(installation, reply)?);
        }
        merged_refusal(violations)
    }

    /// Takes a command's changes through the tenant's plugins: what is stored is what comes out.
    pub async fn judge(
        &self,
        ctx: &Ctx,
        changeset: Changeset,
        moves: Vec<PendingTransition>,
        reactions: Vec<Reaction>,
    ) -> Result<Changeset> {
        let active = self.active_installations(ctx).await?;
        if active.installations.is_empty() || changeset.tenant != ctx.tenant {
            return Ok(changeset);
        }
        let mut run = Run {
            hooks: self,
            ctx,
            active: &active,
            budget: Budget::new(),
            work: EffectExecutor::new(ctx, &*self.store, &active, changeset),
            queue: VecDeque::new(),
            calls: 0,
            earliest_timer: ctx.now,
        };
        if let Err(error) = run.all(moves, reactions).await {
            if error.is_stale() {
                self.reads.invalidate_active_installations(ctx.tenant);
            }
            return Err(error);
        }
        let expects = run.budget.expects();
        Ok(run.work.finish(expects))
    }
}

/// Something that happened to an issue within the command, which workflows are told.
struct Item {
    happened: IssueChange,
    /// The installations whose effects led to it, first to last.
    chain: Vec<Arc<Installation>>,
}

/// One command on its way through the plugins.
struct Run<'a> {
    hooks: &'a Hooks,
    ctx: &'a Ctx,
    active: &'a ActiveInstallations,
    budget: Budget,
    work: EffectExecutor<'a>,
    queue: VecDeque<Item>,
    calls: u32,
    /// No timer is set for earlier: what a timer leads to is as far ahead as what it sets itself.
    earliest_timer: Timestamp,
}

impl Run<'_> {
    async fn all(&mut self, moves: Vec<PendingTransition>, reactions: Vec<Reaction>) -> Result<()> {
        self.begin(moves).await?;
        for reaction in reactions {
            self.react(reaction).await?;
        }
        self.cascade().await?;
        self.validate().await
    }

    /// Asks the owner of the machine about the command's own moves, and lines up its changes.
    async fn begin(&mut self, moves: Vec<PendingTransition>) -> Result<()> {
        for made in moves {
            self.may_move(made, None).await?;
        }
        for write in &self.work.changeset().writes {
            let (Write::Insert(Record::Issue(issue)) | Write::Update(Record::Issue(issue), _)) = write else {
                continue;
            };
            let owner = self.active.machine(&issue.kind, issue.project).map(|(owner, _)| owner.label());
            let id = issue.id.to_string();
            for fact in self.work.changeset_mut().facts.iter_mut().filter(|fact| fact.object.id == id) {
                // The history says which machine let the issue pass.
                if fact.changes.iter().any(|change| change.field == "status") {
                    fact.release.clone_from(&owner);
                }
                let happened = IssueChange { issue: issue.id, changes: fact.changes.clone(), fact: fact.id };
                self.queue.push_back(Item { happened, chain: Vec::new() });
            }
        }
        Ok(())
    }

    /// Asks the owner of an issue's machine whether a move may be made; `by` made it by an effect.
    async fn may_move(&mut self, made: PendingTransition, by: Option<&Item>) -> Result<()> {
        let Some((owner, _)) = self.active.machine(&made.issue.kind, made.issue.project) else {
            return Ok(());
        };
        let chain = by.map(|item| item.chain.clone()).unwrap_or_default();
        if chain.last().is_some_and(|last| last.id == owner.id) {
            return Ok(());
        }
        let owner = Arc::clone(owner);
        let ask =
            PluginRequest::Guard(self.context(&owner, &chain), Entity::issue(&made.issue), vec![made.name]);
        match self.call(&owner, ask).await? {
            Some(Reply::Guard(answers)) => {
                let refusals: Vec<_> = answers.into_iter().flatten().collect();
                refused(&owner, refusals)
            }
            _ => Err(unexpected()),
        }
    }

    /// Carries out what a command or a timer of a plugin wants.
    async fn react(&mut self, reaction: Reaction) -> Result<()> {
        let Reaction { installation, issue, effects, by_timer, expects } = reaction;
        self.work.changeset_mut().expects.extend(expects);
        let chain = vec![Arc::clone(&installation)];
        if by_timer {
            self.earliest_timer = self.ctx.now.plus(TIMER_STEP);
        }
        self.budget.more_effects(effects.len(), &labels(&chain))?;
        let earliest_timer = self.earliest_timer;
        let origin =
            Origin { installation: &installation, cause: None, by_command: !by_timer, earliest_timer };
        self.carry_out(origin, chain, issue, effects).await
    }

    /// Tells workflows what happened, until nothing more follows.
    async fn cascade(&mut self) -> Result<()> {
        while let Some(item) = self.queue.pop_front() {
            let Some(issue) = self.work.issue(item.happened.issue).await? else { continue };
            let reacting: Vec<_> =
                self.active.called(Hook::Workflow, &issue.kind, Some(issue.project)).cloned().collect();
            for installation in reacting {
                self.tell(&installation, &item).await?;
            }
        }
        Ok(())
    }

    async fn tell(&mut self, installation: &Arc<Installation>, item: &Item) -> Result<()> {
        // As it is now: what plugins before this one did to it is seen.
        let Some(issue) = self.work.issue(item.happened.issue).await? else { return Ok(()) };
        if !item.chain.is_empty() {
            self.budget.another_call(&labels(&item.chain))?;
        }
        let entity = Entity::issue(&issue);
        let changes = item.happened.changes.clone();
        let created = changes.iter().any(|change| change.field == "project_id" && change.before.is_none());
        let before = (!created).then(|| entity.before(&changes, issue.version.saturating_sub(1)));
        let ask = PluginRequest::OnChange(self.context(installation, &item.chain), entity, before, changes);
        let effects = match self.call(installation, ask).await? {
            None => return Ok(()),
            Some(Reply::Effects(Ok(effects))) => effects,
            Some(Reply::Effects(Err(refusals))) => return refused(installation, refusals),
            Some(_) => return Err(unexpected()),
        };
        if effects.is_empty() {
            return Ok(());
        }
        let mut chain = item.chain.clone();
        chain.push(Arc::clone(installation));
        if chain.len() > MAX_DEPTH {
            return Err(too_much(&labels(&chain), format_args!("go on more than {MAX_DEPTH} deep")));
        }
        self.budget.more_effects(effects.len(), &labels(&chain))?;
        let cause = Some(item.happened.fact);
        let origin = Origin { installation, cause, by_command: false, earliest_timer: self.earliest_timer };
        self.carry_out(origin, chain, issue.id, effects).await
    }

    async fn carry_out(
        &mut self,
        origin: Origin<'_>,
        chain: Vec<Arc<Installation>>,
        issue: IssueId,
        effects: Vec<Effect>,
    ) -> Result<()> {
        let (happened, moves) = self.work.execute(origin, issue, effects).await?;
        for made in moves {
            let happened =
                IssueChange { issue: made.issue.id, changes: Vec::new(), fact: FactId::generate() };
            self.may_move(made, Some(&Item { happened, chain: chain.clone() })).await?;
        }
        self.queue.extend(happened.into_iter().map(|happened| Item { happened, chain: chain.clone() }));
        Ok(())
    }

    /// Lets validations judge the final state of every object that the command changes.
    async fn validate(&mut self) -> Result<()> {
        let mut violations = Vec::new();
        for (request, project) in self.requests() {
            let kind = request.subject.kind.clone();
            let called: Vec<_> = self.active.called(Hook::Validation, &kind, project).cloned().collect();
            for installation in called {
                let ask = PluginRequest::Validate(self.context(&installation, &[]), request.clone());
                let reply = self.call(&installation, ask).await?;
                violations.extend(verdict(&installation, reply)?);
            }
        }
        merged_refusal(violations)
    }

    /// What validations are asked: for each object, from what is stored to what would be.
    fn requests(&self) -> Vec<(Validation, Option<ProjectId>)> {
        let changeset = self.work.changeset();
        let asked = changeset.writes.iter().filter_map(|write| {
            let (operation, record, stored) = match write {
                Write::Insert(record) => ("create", record, None),
                Write::Update(record, stored) => ("update", record, Some(*stored)),
                Write::Delete(record) => ("delete", record, None),
                _ => return None,
            };
            let (subject, project) = entity(record)?;
            let changes = changes_of(changeset, record);
            let before = match operation {
                "create" => None,
                "delete" => Some(subject.clone()),
                _ => Some(subject.before(&changes, stored.unwrap_or_default())),
            };
            let operation = operation.to_owned();
            Some((Validation { operation, subject, before, changes }, project))
        });
        asked.collect()
    }

    fn context(&mut self, installation: &Installation, chain: &[Arc<Installation>]) -> CallContext {
        self.calls += 1;
        let invocation = format!("{}/{}/{}", self.ctx.request_id, self.calls, installation.id);
        CallContext::of(self.ctx, invocation, chain.iter().map(|held| held.id.to_string()).collect())
    }

    async fn call(&mut self, installation: &Arc<Installation>, ask: PluginRequest) -> Result<Option<Reply>> {
        let limits = &self.active.limits;
        self.hooks.invoker.call(self.ctx, (installation, limits), ask, &mut self.budget).await
    }
}

/// All that the command's facts say of an object, as one step.
fn changes_of(changeset: &Changeset, record: &Record) -> Vec<Change> {
    let row = record.expect();
    let facts = changeset.facts.iter();
    let facts = facts.filter(|fact| fact.object.kind == row.kind && fact.object.id == row.id);
    facts.fold(Vec::new(), |all, fact| merged(&all, &fact.changes))
}

/// The record as plugins see it, and its project; none: plugins do not see such records.
fn entity(record: &Record) -> Option<(Entity, Option<ProjectId>)> {
    match record {
        Record::Issue(issue) => Some((Entity::issue(issue), Some(issue.project))),
        Record::Project(project) => Some((Entity::project(project), Some(project.id))),
        Record::User(user) => Some((Entity::user(user), None)),
        Record::Event(event) => Some((Entity::event(event), None)),
        Record::TicketType(held) => Some((Entity::ticket_type(held), None)),
        Record::Tenant(_)
        | Record::Key(_)
        | Record::Release(_)
        | Record::Installation(_)
        | Record::Venue(_)
        | Record::Series(_)
        | Record::Pool(_)
        | Record::Lock(_)
        | Record::Reservation(_)
        | Record::Ticket(_)
        | Record::SigningKey(_)
        | Record::Queue(_)
        | Record::Booking(_)
        | Record::TenantHolds(_) => None,
    }
}

/// What a validation finds wrong; one that failed and is passed over finds nothing.
fn verdict(installation: &Installation, reply: Option<Reply>) -> Result<Vec<Violation>> {
    match reply {
        None => Ok(Vec::new()),
        Some(Reply::Verdict(refusals)) => {
            Ok(refusals.into_iter().map(|refusal| violation(installation, refusal)).collect())
        }
        Some(_) => Err(unexpected()),
    }
}

/// All that validations find wrong as one error, if they do.
fn merged_refusal(mut violations: Vec<Violation>) -> Result<()> {
    if violations.is_empty() {
        return Ok(());
    }
    violations.truncate(MAX_VIOLATIONS);
    Err(Error::refused(violations))
}

fn labels(chain: &[Arc<Installation>]) -> Vec<String> {
    chain.iter().map(|installation| installation.label()).collect()
}

fn violation(installation: &Installation, refusal: Refusal) -> Violation {
    Violation {
        field: refusal.field.unwrap_or_default(),
        code: refusal.code.into(),
        message: refusal.message,
        plugin: Some(installation.plugin.clone()),
    }
}

pub(super) fn refused(installation: &Installation, refusals: Vec<Refusal>) -> Result<()> {
    if refusals.is_empty() {
        return Ok(());
    }
    Err(Error::refused(refusals.into_iter().map(|refusal| violation(installation, refusal)).collect()))
}

pub(super) fn unexpected() -> Error {
    Error::internal(anyhow::anyhow!("a plugin's answer is none to the question"))
}
