//! Operations on issues.

use std::sync::Arc;

use crate::access::{ObjectKind, Operation};
use crate::cache::CachedReads;
use crate::changeset::{Changeset, Guard};
use crate::command::{Commands, Decision};
use crate::ctx::Ctx;
use crate::error::{Error, ErrorKind, Result};
use crate::id::{IssueId, ProjectId, UserId};
use crate::outbox::Fact;
use crate::page::{Page, PageRequest};
use crate::plugin::{ActiveInstallations, Reaction};
use crate::ports::Store;
use crate::tracker::issue::KIND;
use crate::tracker::issue_command::{self, CallCommand, OfferedCommand};
use crate::tracker::issue_editor::IssueEditor;
use crate::tracker::load;
use crate::tracker::rules::{self, ChangeIssue, CreateIssue};
use crate::tracker::{Issue, Project, User};
use crate::value::Field;

/// The most issues that one command changes.
pub const MAX_BULK: usize = 100;

/// The largest page of an issue's history.
pub const MAX_HISTORY_PAGE: u32 = 200;

/// A transition that is open for an issue.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OpenTransition {
    /// Its name.
    pub name: String,
    /// The state that it leads to.
    pub to: String,
    /// The fields that it requires.
    pub requires: Vec<String>,
    /// Those of them that the issue lacks.
    pub missing: Vec<String>,
    /// Further attributes.
    pub attributes: Vec<Field>,
}

/// The command that changes several issues alike.
#[derive(Clone, Hash, Debug, Default)]
pub struct BulkChange {
    /// The issues.
    pub issues: Vec<IssueId>,
    /// The change of each.
    pub change: ChangeIssue,
}

/// An issue with its project and assignee.
#[derive(Clone, Debug)]
pub struct IssueDetails {
    /// The issue.
    pub issue: Issue,
    /// Its project.
    pub project: Option<Project>,
    /// Its assignee.
    pub assignee: Option<User>,
}

/// Performs the operations on issues.
#[derive(Clone)]
pub struct Issues {
    store: Arc<dyn Store>,
    reads: Arc<CachedReads>,
    commands: Commands,
}

impl Issues {
    /// Creates the service.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, reads: Arc<CachedReads>, commands: Commands) -> Self {
        Self { store, reads, commands }
    }

    /// Creates an issue.
    pub async fn create(&self, ctx: &Ctx, command: CreateIssue) -> Result<Issue> {
        let decide = || async {
            let project = self.project(ctx, command.project).await?;
            let project =
                project.ok_or_else(|| Error::invalid("project_id", "is not a project of the tenant"))?;
            let active = self.active(ctx, &project).await?;
            let mut editor = IssueEditor::new(ctx, &*self.store);
            let issue = editor.create((&*active, &project), &command, ctx.user()).await?;
            Ok(Decision::change(editor.changeset, issue))
        };
        self.commands.run(ctx, Operation::IssueCreate, &command, decide).await
    }

    /// Returns an issue.
    pub async fn get(&self, ctx: &Ctx, id: IssueId) -> Result<Issue> {
        ctx.allow(Operation::IssueGet)?;
        load::issue(&*self.store, ctx, id).await
    }

    /// Returns an issue with its project and assignee.
    pub async fn details(&self, ctx: &Ctx, id: IssueId) -> Result<IssueDetails> {
        let issue = self.get(ctx, id).await?;
        let project = self.project(ctx, issue.project).await?;
        let assignee = match issue.assignee {
            Some(user) => self.store.user(ctx.tenant, user).await?,
            None => None,
        };
        Ok(IssueDetails { issue, project, assignee })
    }

    /// Lists issues.
    pub async fn list(&self, ctx: &Ctx, page: &PageRequest) -> Result<Page<Issue>> {
        ctx.allow(Operation::IssueList)?;
        self.store.issues(ctx.tenant, page).await
    }

    /// Changes an issue.
    pub async fn update(&self, ctx: &Ctx, id: IssueId, command: ChangeIssue) -> Result<Issue> {
        self.change(ctx, Operation::IssueUpdate, id, &command).await
    }

    /// Makes a transition of an issue.
    pub async fn transition(&self, ctx: &Ctx, id: IssueId, command: ChangeIssue) -> Result<Issue> {
        if command.status.is_some() == command.transition.is_some() {
            return Err(Error::invalid("transition", "or status is required, but not both"));
        }
        self.change(ctx, Operation::IssueTransition, id, &command).await
    }

    /// Assigns an issue to a user; `None` removes the assignee.
    pub async fn assign(&self, ctx: &Ctx, id: IssueId, assignee: Option<UserId>) -> Result<Issue> {
        let command = ChangeIssue { assignee: Some(assignee), ..ChangeIssue::default() };
        self.change(ctx, Operation::IssueAssign, id, &command).await
    }

    /// Adds a label to an issue.
    pub async fn add_label(&self, ctx: &Ctx, id: IssueId, label: String) -> Result<Issue> {
        let command = ChangeIssue { add_labels: vec![label], ..ChangeIssue::default() };
        self.change(ctx, Operation::LabelAdd, id, &command).await
    }

    /// Removes a label from an issue.
    pub async fn remove_label(&self, ctx: &Ctx, id: IssueId, label: String) -> Result<Issue> {
        let command = ChangeIssue { remove_labels: vec![label], ..ChangeIssue::default() };
        self.change(ctx, Operation::LabelRemove, id, &command).await
    }

    /// Changes several issues, each in a transaction of its own. Returns the result of each, in order.
    pub async fn bulk_update(&self, ctx: &Ctx, command: BulkChange) -> Result<Vec<(IssueId, Result<Issue>)>> {
        ctx.allow(Operation::IssueBulkUpdate)?;
        if command.issues.is_empty() || command.issues.len() > MAX_BULK {
            return Err(Error::invalid("issue_ids", format!("must have between 1 and {MAX_BULK} entries")));
        }
        let mut results = Vec::with_capacity(command.issues.len());
        for (index, id) in command.issues.iter().enumerate() {
            let mut each = ctx.clone();
            each.idempotency = ctx.idempotency.as_ref().map(|key| key.part(&index.to_string()));
            let result = self.change(&each, Operation::IssueBulkUpdate, *id, &command.change).await;
            if let Err(error) = &result
                && matches!(
                    error.kind(),
                    ErrorKind::Unavailable | ErrorKind::DeadlineExceeded | ErrorKind::Internal
                )
            {
                return result.map(|_| Vec::new());
            }
            results.push((*id, result));
        }
        Ok(results)
    }

    /// Moves an issue into a project.
    pub async fn move_to(&self, ctx: &Ctx, id: IssueId, project: ProjectId) -> Result<Issue> {
        let decide = || async {
            let target = self.project(ctx, project).await?.ok_or_else(|| Error::not_found("project"))?;
            let before = load::issue(&*self.store, ctx, id).await?;
            ctx.check_version(before.version)?;
            if before.project == project {
                return Ok(Decision::nothing(before));
            }
            let scheme = self.active(ctx, &target).await?.scheme(&target, KIND);
            let after = rules::move_to(&before, project, &scheme, ctx.now)?;
            let fact = Issue::fact(ctx, "issue.moved", Some(&before), &after);
            let changeset = Changeset::new(ctx).expect_machine(&target).fact(fact).update(after.clone());
            Ok(Decision::change(changeset, after))
        };
        self.commands.run(ctx, Operation::ProjectAddIssue, &(id, project, &ctx.if_version), decide).await
    }

    /// Deletes an issue with its comments, links and watchers. It must have no children.
    pub async fn delete(&self, ctx: &Ctx, id: IssueId) -> Result<Issue> {
        let decide = || async {
            let issue = load::issue(&*self.store, ctx, id).await?;
            ctx.check_version(issue.version)?;
            if !self.store.children(ctx.tenant, &[id], 1).await?.is_empty() {
                let message = "the issue has children; remove or move them first";
                return Err(Error::new(ErrorKind::Precondition, "ISSUE_HAS_CHILDREN", message));
            }
            let changeset = Changeset::new(ctx).guard(Guard::HasNoChildren(id)).fact(issue.deleted(ctx));
            Ok(Decision::change(changeset.delete(issue.clone()), issue))
        };
        self.commands.run(ctx, Operation::IssueDelete, &(id, &ctx.if_version), decide).await
    }

    /// Returns the open transitions of an issue, with the fields that each requires.
    pub async fn transitions(&self, ctx: &Ctx, id: IssueId) -> Result<Vec<OpenTransition>> {
        ctx.allow(Operation::IssueTransitions)?;
        let issue = load::issue(&*self.store, ctx, id).await?;
        let project = self.project(ctx, issue.project).await?.ok_or_else(|| Error::not_found("issue"))?;
        let scheme = self.active(ctx, &project).await?.scheme(&project, KIND);
        let leaving: Vec<_> = scheme.machine.leaving(&issue.status).collect();
        let names = leaving.iter().map(|transition| transition.name.clone()).collect();
        let refusals = self.commands.hooks().guard(ctx, &issue, names).await?;
        let open = leaving.into_iter().zip(refusals).filter(|(_, refusals)| refusals.is_empty());
        let open = open.map(|(transition, _)| OpenTransition {
            name: transition.name.clone(),
            to: transition.to.clone(),
            requires: transition.requires.clone(),
            missing: rules::missing(&issue, transition).into_iter().map(str::to_owned).collect(),
            attributes: transition.attributes.clone(),
        });
        Ok(open.collect())
    }

    /// Returns the commands that plugins offer for an issue in its state.
    pub async fn commands(&self, ctx: &Ctx, id: IssueId) -> Result<Vec<OfferedCommand>> {
        ctx.allow(Operation::IssueCommandList)?;
        let issue = load::issue(&*self.store, ctx, id).await?;
        Ok(issue_command::offered(&*self.reads.active_installations(ctx.tenant, 0).await?, &issue))
    }

    /// Calls a command that a plugin offers for an issue.
    pub async fn command(&self, ctx: &Ctx, id: IssueId, call: CallCommand) -> Result<Issue> {
        let decide = || async {
            let issue = load::issue(&*self.store, ctx, id).await?;
            ctx.check_version(issue.version)?;
            let hooks = self.commands.hooks();
            let active = self.reads.active_installations(ctx.tenant, 0).await?;
            let command = issue_command::select(issue_command::offered(&active, &issue), &call)?;
            let installation = active.get(command.installation).ok_or_else(Error::stale)?;
            let installed = (&**installation, &active.limits);
            let (effects, expects) = hooks.command(ctx, installed, &issue, (&command.command, &call)).await?;
            let installation = Arc::clone(installation);
            let reaction = Reaction { installation, issue: id, effects, by_timer: false, expects };
            Ok(Decision::change(Changeset::new(ctx).expect(&issue), issue).reacting(reaction))
        };
        self.commands.run(ctx, Operation::IssueCommand, &(id, &call, &ctx.if_version), decide).await
    }

    /// Returns an issue's history, newest first. Admins can read that of a deleted issue.
    pub async fn history(&self, ctx: &Ctx, id: IssueId, page: &PageRequest) -> Result<Page<Fact>> {
        ctx.allow(Operation::IssueHistory)?;
        if self.store.issue(ctx.tenant, id).await?.is_none() && !ctx.has_role(crate::Role::Admin) {
            return Err(Error::not_found("issue"));
        }
        let history = self.store.history(ctx.tenant, (ObjectKind::Issue, &id.to_string()), page).await?;
        if history.items.is_empty() && page.after.is_none() {
            load::issue(&*self.store, ctx, id).await?;
        }
        Ok(history)
    }

    async fn change(
        &self,
        ctx: &Ctx,
        operation: Operation,
        id: IssueId,
        command: &ChangeIssue,
    ) -> Result<Issue> {
        let decide = || async {
            let before = load::issue_at_version(&*self.store, ctx, id).await?;
            let project =
                self.project(ctx, before.project).await?.ok_or_else(|| Error::not_found("issue"))?;
            let active = self.active(ctx, &project).await?;
            let mut editor = IssueEditor::new(ctx, &*self.store);
            let changed = editor.change((&*active, &project), &before, command).await?;
            let Some((after, transition)) = changed else { return Ok(Decision::nothing(before)) };
            Ok(Decision::change(editor.changeset, after).moving(transition))
        };
        self.commands.run(ctx, operation, &(id, command, &ctx.if_version), decide).await
    }

    async fn project(&self, ctx: &Ctx, id: ProjectId) -> Result<Option<Project>> {
        self.store.project(ctx.tenant, id).await
    }

    /// Returns the installations that are active for a project: at least of the generation that gave the project's
    /// issues their state machine.
    async fn active(&self, ctx: &Ctx, project: &Project) -> Result<Arc<ActiveInstallations>> {
        self.reads.active_installations(ctx.tenant, project.machines).await
    }
}
