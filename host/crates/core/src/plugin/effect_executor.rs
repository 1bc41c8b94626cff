//! A command's changes while plugins see them: what effects do to them, with the rules of the tracker and
//! the rights of the installation.

use std::collections::HashMap;

use crate::changeset::{Changeset, Expect, Guard, Record, Versioned as _, Write};
use crate::ctx::Ctx;
use crate::error::{Error, ErrorKind, Result};
use crate::id::{CommentId, FactId, IssueId, ProjectId, UserId};
use crate::outbox::{Actor, NewFact};
use crate::plugin::effect_plan::{Asked, Wanted};
use crate::plugin::timer::{self, MAX_TIMERS};
use crate::plugin::{ActiveInstallations, Draft, Effect, Installation, Notice, Timer};
use crate::ports::Store;
use crate::time::Timestamp;
use crate::tracker::comment::{self, Comment};
use crate::tracker::link::{Link, MAX_LINKS, Relation};
use crate::tracker::rules;
use crate::tracker::{Issue, Project, Scheme, User};
use crate::value::{Change, Value};

/// How deep issues may lie in one another.
const MAX_DEPTH: usize = 32;

/// The changes of one command.
pub(super) struct Work<'a> {
    ctx: &'a Ctx,
    store: &'a dyn Store,
    active: &'a ActiveInstallations,
    /// What will be stored.
    pub(super) changeset: Changeset,
}

/// A move along a machine, of the issue as it was before.
#[derive(Clone, Debug)]
pub struct Move {
    /// The issue before it.
    pub issue: Issue,
    /// The move's name.
    pub name: String,
}

/// What effects have changed in one issue.
pub(super) struct Happened {
    /// The issue.
    pub(super) issue: IssueId,
    /// What became of it.
    pub(super) changes: Vec<Change>,
    /// The fact that says so.
    pub(super) fact: FactId,
}

/// Whose effects they are, and what brought them about.
#[derive(Clone, Copy)]
pub(super) struct By<'a> {
    /// The installation.
    pub(super) installation: &'a Installation,
    /// The fact that it reacted to.
    pub(super) cause: Option<FactId>,
    /// Whether somebody called the plugin's command: then it is they who act.
    pub(super) called: bool,
    /// No timer is set for earlier than this.
    pub(super) timers_from: Timestamp,
}

impl<'a> Work<'a> {
    pub(super) fn new(
        ctx: &'a Ctx,
        store: &'a dyn Store,
        active: &'a ActiveInstallations,
        changeset: Changeset,
    ) -> Self {
        Self { ctx, store, active, changeset }
    }

    /// An issue as it stands in the command's changes, or else as it is stored.
    pub(super) async fn issue(&self, id: IssueId) -> Result<Option<Issue>> {
        match self.written(id) {
            Some(at) => Ok(self.record(at).cloned()),
            None => self.store.issue(self.ctx.tenant, id).await,
        }
    }

    /// Carries effects out: all of them, or none. Answers what they changed, and the moves that they made.
    pub(super) async fn apply(
        &mut self,
        by: By<'_>,
        subject: IssueId,
        effects: Vec<Effect>,
    ) -> Result<(Vec<Happened>, Vec<Move>)> {
        let wanted = Wanted::gather(by.installation, effects)?;
        let mut keys = HashMap::new();
        let (mut happened, mut moves) = (Vec::new(), Vec::new());
        for draft in &wanted.drafts {
            let made = self.create(by, subject, draft).await?;
            if keys.insert(draft.key.clone(), made.issue).is_some() {
                return Err(bad(by.installation, format_args!("two drafts have the key {:?}", draft.key)));
            }
            happened.push(made);
        }
        for (on, asked) in wanted.on {
            let id = match on {
                None => subject,
                Some(name) => resolve(by.installation, &keys, &name)?,
            };
            let before = self.reachable(by.installation, subject, id).await?;
            moves.extend(asked.transition.clone().map(|name| Move { issue: before.clone(), name }));
            happened.extend(self.change(by, &before, &asked).await?);
            happened.extend(self.hang(by, id, &keys, asked).await?);
        }
        Ok((happened, moves))
    }

    /// What is to be stored, which depends on these versions too.
    pub(super) fn finish(mut self, expects: Vec<Expect>) -> Changeset {
        self.changeset.expects.extend(expects);
        self.changeset
    }

    fn written(&self, id: IssueId) -> Option<usize> {
        self.changeset.writes.iter().position(|write| match write {
            Write::Insert(Record::Issue(issue)) | Write::Update(Record::Issue(issue), _) => issue.id == id,
            _ => false,
        })
    }

    fn record(&self, at: usize) -> Option<&Issue> {
        match self.changeset.writes.get(at) {
            Some(Write::Insert(Record::Issue(issue)) | Write::Update(Record::Issue(issue), _)) => Some(issue),
            _ => None,
        }
    }

    /// Puts the next version of an issue into the changes, with its fact.
    fn put(&mut self, by: By<'_>, before: &Issue, after: Issue, fact: NewFact) -> Happened {
        let fact = self.signed(by, fact);
        let happened = Happened { issue: after.id, changes: fact.changes.clone(), fact: fact.id };
        self.changeset.facts.push(fact);
        let at = self.written(after.id);
        match at.and_then(|at| self.changeset.writes.get_mut(at)) {
            Some(Write::Insert(record) | Write::Update(record, _)) => *record = Record::Issue(after),
            _ => self.changeset.writes.push(Write::Update(Record::Issue(after), before.version)),
        }
        happened
    }

    /// A fact says whose effect it is, and what led to it.
    fn signed(&self, by: By<'_>, mut fact: NewFact) -> NewFact {
        if !by.called {
            fact.actor = actor(by.installation);
        }
        fact.release = Some(by.installation.label());
        fact.cause = by.cause;
        fact
    }

    /// An issue that the installation may change.
    async fn reachable(&self, installation: &Installation, subject: IssueId, id: IssueId) -> Result<Issue> {
        let found = self.issue(id).await?;
        let found = found.filter(|issue| id == subject || installation.scope.holds(Some(issue.project)));
        found.ok_or_else(|| bad(installation, format_args!("{id} is not an issue within its scope")))
    }

    async fn project(&mut self, installation: &Installation, id: ProjectId) -> Result<(Project, Scheme)> {
        let project = self.store.project(self.ctx.tenant, id).await?;
        let project =
            project.ok_or_else(|| bad(installation, format_args!("{id} is not a project of the tenant")))?;
        if project.machines > self.active.generation {
            // Installed on another host a moment ago: it is decided again by what is in force now.
            return Err(Error::stale());
        }
        self.expect(Expect { machines: Some(project.machines), ..project.expect() });
        let scheme = self.active.scheme(&project, crate::tracker::issue::KIND);
        Ok((project, (*scheme).clone()))
    }

    fn expect(&mut self, expect: Expect) {
        if !self.changeset.expects.contains(&expect) {
            self.changeset.expects.push(expect);
        }
    }

    async fn create(&mut self, by: By<'_>, subject: IssueId, draft: &Draft) -> Result<Happened> {
        let installation = by.installation;
        let home = match &draft.project {
            Some(text) => ProjectId::parse("project", text).map_err(|error| wrong(installation, &error))?,
            None => self.reachable(installation, subject, subject).await?.project,
        };
        if !installation.scope.holds(Some(home)) {
            return Err(bad(installation, format_args!("the project {home} is not within its scope")));
        }
        let (_, scheme) = self.project(installation, home).await?;
        let command = draft.command(home).map_err(|error| wrong(installation, &error))?;
        let issue =
            rules::create(self.ctx, &command, &scheme).map_err(|error| wrong(installation, &error))?;
        let issue = Issue { reporter: None, ..issue };
        if let Some(assignee) = issue.assignee {
            self.assignable(installation, assignee).await?;
        }
        if let Some(parent) = issue.parent {
            self.climb(installation, issue.id, parent).await?;
        }
        let fact = self.signed(by, Issue::fact(self.ctx, "issue.created", None, &issue));
        let happened = Happened { issue: issue.id, changes: fact.changes.clone(), fact: fact.id };
        self.changeset.facts.push(fact);
        self.changeset.writes.push(Write::Insert(Record::Issue(issue)));
        Ok(happened)
    }

    /// Fields, labels, the state and who works on it, all at once.
    async fn change(&mut self, by: By<'_>, before: &Issue, asked: &Asked) -> Result<Option<Happened>> {
        if asked.changes_nothing() {
            return Ok(None);
        }
        let installation = by.installation;
        let (_, scheme) = self.project(installation, before.project).await?;
        if let Some(Some(assignee)) = asked.change.assignee {
            self.assignable(installation, assignee).await?;
        }
        let after = rules::change(before, &asked.change, &scheme, self.ctx.now)
            .map_err(|error| wrong(installation, &error))?;
        if after == *before {
            return Ok(None);
        }
        let fact = Issue::fact(self.ctx, "issue.updated", Some(before), &after);
        Ok(Some(self.put(by, before, after, fact)))
    }

    async fn assignable(&mut self, installation: &Installation, id: UserId) -> Result<()> {
        let user: Option<User> = self.store.user(self.ctx.tenant, id).await?;
        let user = user.filter(|user| user.is_active);
        let user =
            user.ok_or_else(|| bad(installation, format_args!("{id} is not an active user of the tenant")))?;
        self.expect(user.expect());
        Ok(())
    }

    /// Comments, links, notices, facts and timers.
    async fn hang(
        &mut self,
        by: By<'_>,
        id: IssueId,
        keys: &HashMap<String, IssueId>,
        asked: Asked,
    ) -> Result<Vec<Happened>> {
        let mut happened = Vec::new();
        for body in asked.comments {
            happened.push(self.comment(by, id, body).await?);
        }
        for (relation, to) in asked.links {
            let other = resolve(by.installation, keys, &to)?;
            happened.extend(self.link(by, id, relation, other).await?);
        }
        for notice in asked.notices {
            self.tell(by, id, "issue.notified", noticed(notice)).await?;
        }
        for (name, data) in asked.emits {
            let change = Change { field: "data".into(), before: Value::None, after: Value::Json(data) };
            self.tell(by, id, format!("plugin.{}.{name}", by.installation.plugin), vec![change]).await?;
        }
        if !asked.timers.is_empty() {
            self.set_timers(by, id, asked.timers);
        }
        for name in asked.cancelled {
            self.changeset.writes.push(Write::DropTimer(id, by.installation.id, name));
        }
        Ok(happened)
    }

    async fn comment(&mut self, by: By<'_>, id: IssueId, body: String) -> Result<Happened> {
        comment::check(&body).map_err(|error| wrong(by.installation, &error))?;
        let before = self.reachable(by.installation, id, id).await?;
        let after = before.touched(self.ctx);
        let comment = Comment {
            id: CommentId::generate(),
            issue: id,
            author: actor(by.installation),
            body: body.clone(),
            created_at: self.ctx.now,
            edited_at: None,
            version: 1,
        };
        let said = Change {
            field: format!("comments.{}", comment.id),
            before: Value::None,
            after: Value::Text(body),
        };
        let fact = after.fact_of(self.ctx, "issue.commented", vec![said]);
        let happened = self.put(by, &before, after, fact);
        self.changeset.writes.push(Write::PutComment(comment));
        Ok(happened)
    }

    async fn link(
        &mut self,
        by: By<'_>,
        id: IssueId,
        relation: Relation,
        other: IssueId,
    ) -> Result<Option<Happened>> {
        if id == other {
            return Err(bad(by.installation, format_args!("an issue cannot be linked with itself")));
        }
        let beyond = self.reachable(by.installation, id, other).await?;
        match relation {
            Relation::Parent => self.set_parent(by, id, other).await,
            Relation::Child => self.set_parent(by, other, id).await,
            Relation::Blocks
            | Relation::BlockedBy
            | Relation::Duplicates
            | Relation::DuplicatedBy
            | Relation::Relates => {
                let link = Link { issue: id, relation, other, created_at: self.ctx.now };
                let links = self.store.links(self.ctx.tenant, id).await?;
                let same = |held: &Link| held.relation == relation && held.other == other;
                let stored = link.stored();
                let twice = self.changeset.writes.contains(&Write::AddLink(stored.clone()));
                if links.iter().any(same) || twice {
                    return Ok(None);
                }
                if links.len() >= MAX_LINKS {
                    return Err(bad(by.installation, format_args!("{id} has {MAX_LINKS} links already")));
                }
                if self.written(other).is_none() {
                    self.expect(beyond.expect());
                }
                let before = self.reachable(by.installation, id, id).await?;
                let after = before.touched(self.ctx);
                let value = Value::Text(other.to_string());
                let said =
                    Change { field: format!("links.{}", relation.name()), before: Value::None, after: value };
                let fact = after.fact_of(self.ctx, "issue.linked", vec![said]);
                let happened = self.put(by, &before, after, fact);
                self.changeset.writes.push(Write::AddLink(stored));
                Ok(Some(happened))
            }
        }
    }

    async fn set_parent(&mut self, by: By<'_>, child: IssueId, parent: IssueId) -> Result<Option<Happened>> {
        let before = self.reachable(by.installation, child, child).await?;
        if before.parent == Some(parent) {
            return Ok(None);
        }
        self.climb(by.installation, child, parent).await?;
        let after = Issue { parent: Some(parent), ..before.touched(self.ctx) };
        let fact = Issue::fact(self.ctx, "issue.linked", Some(&before), &after);
        Ok(Some(self.put(by, &before, after, fact)))
    }

    /// Depends on all that lie above `parent`, none of which may be `child`.
    async fn climb(&mut self, installation: &Installation, child: IssueId, parent: IssueId) -> Result<()> {
        let mut next = Some(parent);
        for _ in 0..MAX_DEPTH {
            let Some(id) = next else { return Ok(()) };
            if id == child {
                return Err(bad(installation, format_args!("{child} would be a part of itself")));
            }
            let Some(issue) = self.issue(id).await? else {
                return Err(bad(installation, format_args!("{id} is not an issue of the tenant")));
            };
            if self.written(id).is_none() {
                self.expect(issue.expect());
            }
            next = issue.parent;
        }
        Err(bad(installation, format_args!("{child} would lie more than {MAX_DEPTH} issues deep")))
    }

    /// A fact about the issue that changes nothing but its version.
    async fn tell(
        &mut self,
        by: By<'_>,
        id: IssueId,
        fact_type: impl Into<std::borrow::Cow<'static, str>>,
        changes: Vec<Change>,
    ) -> Result<()> {
        let before = self.reachable(by.installation, id, id).await?;
        let after = before.touched(self.ctx);
        let fact = NewFact::new(self.ctx, fact_type, after.object(), changes).in_project(after.project);
        self.put(by, &before, after, fact);
        Ok(())
    }

    fn set_timers(&mut self, by: By<'_>, issue: IssueId, timers: Vec<(String, Timestamp)>) {
        for (name, at) in timers {
            self.changeset.writes.push(Write::PutTimer(Timer {
                issue,
                installation: by.installation.id,
                name,
                at: at.max(by.timers_from),
                generation: timer::generation(),
                failures: 0,
                last_failure: None,
            }));
        }
        self.changeset.guards.push(Guard::TimersOf(issue, MAX_TIMERS));
    }
}

fn actor(installation: &Installation) -> Actor {
    Actor { kind: "plugin".into(), id: installation.id.to_string(), user: None }
}

fn resolve(installation: &Installation, keys: &HashMap<String, IssueId>, name: &str) -> Result<IssueId> {
    keys.get(name).copied().map_or_else(
        || {
            IssueId::parse("on", name).map_err(|_| {
                bad(installation, format_args!("{name:?} is neither an issue's id nor a draft's key"))
            })
        },
        Ok,
    )
}

fn noticed(notice: Notice) -> Vec<Change> {
    let said = |field: &str, after: Value| Change { field: field.to_owned(), before: Value::None, after };
    vec![
        said("to", Value::Texts(notice.to)),
        said("subject", Value::Text(notice.subject)),
        said("body", Value::Text(notice.body)),
    ]
}

/// An effect that cannot be carried out.
pub(super) fn bad(installation: &Installation, what: std::fmt::Arguments<'_>) -> Error {
    let message = format!("the plugin {} wants what cannot be done: {what}", installation.label());
    Error::new(ErrorKind::PluginFailed, "PLUGIN_BAD_EFFECT", message)
}

fn wrong(installation: &Installation, error: &Error) -> Error {
    match error.kind() {
        ErrorKind::Malformed | ErrorKind::Invalid | ErrorKind::Precondition => {
            bad(installation, format_args!("{}", error.message()))
        }
        _ => Error::new(error.kind(), error.reason().to_owned(), error.message()),
    }
}
