//! Execution of plugins' effects on a command's changeset, within the scope of the installation.

use std::collections::HashMap;

use crate::changeset::{Changeset, Expect, Guard, Write};
use crate::ctx::Ctx;
use crate::error::Result;
use crate::id::{FactId, IssueId, ProjectId};
use crate::outbox::{Actor, NewFact};
use crate::plugin::effect_plan::{EffectPlan, IssueEffects, bad_effect, into_bad_effect};
use crate::plugin::timer::{self, MAX_TIMERS};
use crate::plugin::{ActiveInstallations, Draft, Effect, Installation, Notice, Timer};
use crate::ports::Store;
use crate::time::Timestamp;
use crate::tracker::issue_editor::{IssueEditor, PendingTransition};
use crate::tracker::{Comment, Issue, Link, Project, Relation};
use crate::value::{Change, Value};

/// Executes effects on the changes of one command.
pub(super) struct EffectExecutor<'a> {
    ctx: &'a Ctx,
    store: &'a dyn Store,
    active: &'a ActiveInstallations,
    editor: IssueEditor<'a>,
}

/// What an effect changed in one issue.
pub(super) struct IssueChange {
    /// The issue.
    pub(super) issue: IssueId,
    /// The changes.
    pub(super) changes: Vec<Change>,
    /// The fact that records them.
    pub(super) fact: FactId,
}

/// Where effects come from.
#[derive(Clone, Copy)]
pub(super) struct Origin<'a> {
    /// The installation whose effects they are.
    pub(super) installation: &'a Installation,
    /// The fact that it reacted to.
    pub(super) cause: Option<FactId>,
    /// Whether a caller ran the plugin's command: the facts then name the caller as the actor.
    pub(super) by_command: bool,
    /// No timer is set for an earlier time.
    pub(super) earliest_timer: Timestamp,
}

impl<'a> EffectExecutor<'a> {
    pub(super) fn new(
        ctx: &'a Ctx,
        store: &'a dyn Store,
        active: &'a ActiveInstallations,
        changeset: Changeset,
    ) -> Self {
        Self { ctx, store, active, editor: IssueEditor::with_changeset(ctx, store, changeset) }
    }

    /// The changes so far.
    pub(super) fn changeset(&self) -> &Changeset {
        &self.editor.changeset
    }

    /// The changes so far.
    pub(super) fn changeset_mut(&mut self) -> &mut Changeset {
        &mut self.editor.changeset
    }

    /// Returns an issue as the command's changes have it, or else as it is stored.
    pub(super) async fn issue(&self, id: IssueId) -> Result<Option<Issue>> {
        self.editor.issue(id).await
    }

    /// Executes all effects, or none. Returns what they changed, and the transitions that they made.
    pub(super) async fn execute(
        &mut self,
        origin: Origin<'_>,
        subject: IssueId,
        effects: Vec<Effect>,
    ) -> Result<(Vec<IssueChange>, Vec<PendingTransition>)> {
        let installation = origin.installation;
        let plan = EffectPlan::new(installation, effects)?;
        let mut keys = HashMap::new();
        let (mut changes, mut transitions) = (Vec::new(), Vec::new());
        for draft in &plan.drafts {
            let issue = self.create(origin, subject, draft, &mut changes).await?;
            if keys.insert(draft.key.clone(), issue).is_some() {
                return Err(bad_effect(
                    installation,
                    format_args!("two drafts have the key {:?}", draft.key),
                ));
            }
        }
        for (target, effects) in plan.issues {
            let id = match target {
                None => subject,
                Some(name) => resolve(installation, &keys, &name)?,
            };
            let before = self.reachable(installation, subject, id).await?;
            if !effects.changes_nothing() {
                transitions.extend(self.change(origin, &before, &effects, &mut changes).await?);
            }
            self.add(origin, id, &keys, effects, &mut changes).await?;
        }
        Ok((changes, transitions))
    }

    /// Returns the changes, which depend on these versions too.
    pub(super) fn finish(mut self, expects: Vec<Expect>) -> Changeset {
        self.editor.changeset.expects.extend(expects);
        self.editor.changeset
    }

    /// Returns an issue that the installation may change.
    async fn reachable(&self, installation: &Installation, subject: IssueId, id: IssueId) -> Result<Issue> {
        let issue = self.issue(id).await?;
        let issue =
            issue.filter(|issue| id == subject || installation.scope.holds(Some(issue.project), None));
        issue.ok_or_else(|| bad_effect(installation, format_args!("{id} is not an issue within its scope")))
    }

    async fn project(&self, installation: &Installation, id: ProjectId) -> Result<Project> {
        let project = self.store.project(self.ctx.tenant, id).await?;
        project.ok_or_else(|| bad_effect(installation, format_args!("{id} is not a project of the tenant")))
    }

    async fn create(
        &mut self,
        origin: Origin<'_>,
        subject: IssueId,
        draft: &Draft,
        changes: &mut Vec<IssueChange>,
    ) -> Result<IssueId> {
        let installation = origin.installation;
        let bad = |error| into_bad_effect(installation, error);
        let id = match &draft.project {
            Some(text) => ProjectId::parse("project", text).map_err(bad)?,
            None => self.reachable(installation, subject, subject).await?.project,
        };
        if !installation.scope.holds(Some(id), None) {
            return Err(bad_effect(installation, format_args!("the project {id} is not within its scope")));
        }
        let project = self.project(installation, id).await?;
        let command = draft.command(id).map_err(bad)?;
        let first = self.changeset().facts.len();
        let issue = self.editor.create((self.active, &project), &command, None).await.map_err(bad)?;
        changes.extend(self.sign(origin, issue.id, first));
        Ok(issue.id)
    }

    /// Changes fields, labels, the state and the assignee together.
    async fn change(
        &mut self,
        origin: Origin<'_>,
        before: &Issue,
        effects: &IssueEffects,
        changes: &mut Vec<IssueChange>,
    ) -> Result<Option<PendingTransition>> {
        let project = self.project(origin.installation, before.project).await?;
        let first = self.changeset().facts.len();
        let changed = self.editor.change((self.active, &project), before, &effects.change).await;
        let changed = changed.map_err(|error| into_bad_effect(origin.installation, error))?;
        changes.extend(self.sign(origin, before.id, first));
        Ok(changed.and_then(|(_, transition)| transition))
    }

    /// Adds comments, links, notices, facts and timers.
    async fn add(
        &mut self,
        origin: Origin<'_>,
        id: IssueId,
        keys: &HashMap<String, IssueId>,
        effects: IssueEffects,
        changes: &mut Vec<IssueChange>,
    ) -> Result<()> {
        let installation = origin.installation;
        for body in effects.comments {
            let comment = Comment::new(id, actor(installation), body, self.ctx.now);
            let comment = comment.map_err(|error| into_bad_effect(installation, error))?;
            let issue = self.reachable(installation, id, id).await?;
            let first = self.changeset().facts.len();
            self.editor.add_comment(&issue, comment);
            changes.extend(self.sign(origin, id, first));
        }
        for (relation, to) in effects.links {
            let other = resolve(installation, keys, &to)?;
            self.link(origin, id, (relation, other), changes).await?;
        }
        for notice in effects.notices {
            self.put_fact(origin, id, "issue.notified", notice_changes(notice)).await?;
        }
        for (name, data) in effects.emits {
            let change = Change { field: "data".into(), before: Value::None, after: Value::Json(data) };
            self.put_fact(origin, id, format!("plugin.{}.{name}", installation.plugin), vec![change]).await?;
        }
        if !effects.timers.is_empty() {
            self.set_timers(origin, id, effects.timers);
        }
        for name in effects.cancelled_timers {
            self.changeset_mut().writes.push(Write::DropTimer(id, installation.id, name));
        }
        Ok(())
    }

    async fn link(
        &mut self,
        origin: Origin<'_>,
        id: IssueId,
        (relation, other): (Relation, IssueId),
        changes: &mut Vec<IssueChange>,
    ) -> Result<()> {
        let installation = origin.installation;
        let bad = |error| into_bad_effect(installation, error);
        let link = Link::new(id, relation, other, self.ctx.now).map_err(bad)?;
        let changed = if relation == Relation::Child { other } else { id };
        let issue = self.reachable(installation, id, id).await?;
        let other = self.reachable(installation, id, other).await?;
        let first = self.changeset().facts.len();
        self.editor.add_link(link, &issue, &other).await.map_err(bad)?;
        changes.extend(self.sign(origin, changed, first));
        Ok(())
    }

    /// Records a fact about the issue that changes nothing but its version.
    async fn put_fact(
        &mut self,
        origin: Origin<'_>,
        id: IssueId,
        fact_type: impl Into<std::borrow::Cow<'static, str>>,
        changes: Vec<Change>,
    ) -> Result<()> {
        let before = self.reachable(origin.installation, id, id).await?;
        let after = before.touched(self.ctx);
        let fact = NewFact::new(self.ctx, fact_type, after.object(), changes).in_project(after.project);
        let first = self.changeset().facts.len();
        self.editor.put(&before, after, fact);
        self.sign(origin, id, first);
        Ok(())
    }

    fn set_timers(&mut self, origin: Origin<'_>, issue: IssueId, timers: Vec<(String, Timestamp)>) {
        let changeset = &mut self.editor.changeset;
        for (name, at) in timers {
            changeset.writes.push(Write::PutTimer(Timer {
                issue,
                installation: origin.installation.id,
                name,
                at: at.max(origin.earliest_timer),
                generation: timer::generation(),
                failures: 0,
                last_failure: None,
            }));
        }
        changeset.guards.push(Guard::TimersOf(issue, MAX_TIMERS));
    }

    /// Adds the origin to the facts from `first` on, and returns them as changes of the issue.
    fn sign(&mut self, origin: Origin<'_>, issue: IssueId, first: usize) -> Vec<IssueChange> {
        let facts = self.editor.changeset.facts.iter_mut().skip(first);
        let signed = facts.map(|fact| {
            if !origin.by_command {
                fact.actor = actor(origin.installation);
            }
            fact.release = Some(origin.installation.label());
            fact.cause = origin.cause;
            IssueChange { issue, changes: fact.changes.clone(), fact: fact.id }
        });
        signed.collect()
    }
}

fn actor(installation: &Installation) -> Actor {
    Actor { kind: "plugin".into(), id: installation.id.to_string(), user: None }
}

/// Returns the issue that an effect names by its id or by a draft's key.
fn resolve(installation: &Installation, keys: &HashMap<String, IssueId>, name: &str) -> Result<IssueId> {
    if let Some(id) = keys.get(name) {
        return Ok(*id);
    }
    IssueId::parse("on", name).map_err(|_| {
        bad_effect(installation, format_args!("{name:?} is neither an issue's id nor a draft's key"))
    })
}

fn notice_changes(notice: Notice) -> Vec<Change> {
    let change = |field: &str, after: Value| Change { field: field.to_owned(), before: Value::None, after };
    vec![
        change("to", Value::Texts(notice.to)),
        change("subject", Value::Text(notice.subject)),
        change("body", Value::Text(notice.body)),
    ]
}
