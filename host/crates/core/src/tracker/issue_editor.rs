//! Edits of issues within one changeset, by the tracker's rules. Clients' commands and plugins' effects both
//! use it, so each rule is written once.

use std::sync::Arc;

use crate::changeset::{Changeset, Expect, Record, Versioned as _, Write};
use crate::ctx::Ctx;
use crate::error::{Error, ErrorKind, Result};
use crate::id::{IssueId, UserId};
use crate::outbox::NewFact;
use crate::plugin::ActiveInstallations;
use crate::ports::Store;
use crate::tracker::issue::KIND;
use crate::tracker::link::{Link, MAX_ANCESTORS, MAX_LINKS, Relation};
use crate::tracker::rules::{self, ChangeIssue, CreateIssue};
use crate::tracker::{Comment, Issue, Project, Scheme};

/// Edits issues: reads them from the changeset or else from the store, and adds the rows, the facts and the
/// versions that the edits depend on to the changeset.
pub(crate) struct IssueEditor<'a> {
    ctx: &'a Ctx,
    store: &'a dyn Store,
    /// The changes so far.
    pub(crate) changeset: Changeset,
}

/// A transition that a change makes, which the owner of the state machine may refuse.
#[derive(Clone, Debug)]
pub struct PendingTransition {
    /// The issue before it.
    pub issue: Issue,
    /// The transition's name.
    pub name: String,
}

impl<'a> IssueEditor<'a> {
    /// Begins with an empty changeset.
    pub(crate) fn new(ctx: &'a Ctx, store: &'a dyn Store) -> Self {
        Self::with_changeset(ctx, store, Changeset::new(ctx))
    }

    /// Begins with changes that were decided before.
    pub(crate) fn with_changeset(ctx: &'a Ctx, store: &'a dyn Store, changeset: Changeset) -> Self {
        Self { ctx, store, changeset }
    }

    /// Returns an issue from the changeset or else from the store.
    pub(crate) async fn issue(&self, id: IssueId) -> Result<Option<Issue>> {
        match self.changeset.writes.iter().find_map(|write| written(write, id)) {
            Some(issue) => Ok(Some(issue.clone())),
            None => self.store.issue(self.ctx.tenant, id).await,
        }
    }

    /// Creates an issue.
    pub(crate) async fn create(
        &mut self,
        (active, project): (&ActiveInstallations, &Project),
        command: &CreateIssue,
        reporter: Option<UserId>,
    ) -> Result<Issue> {
        let scheme = scheme(active, project)?;
        let issue = rules::create(command, &scheme, reporter, self.ctx.now)?;
        self.expect_machine(project);
        if let Some(assignee) = issue.assignee {
            self.expect_assignable(assignee).await?;
        }
        if let Some(parent) = issue.parent {
            self.expect_ancestors(issue.id, parent).await?;
        }
        self.changeset.facts.push(Issue::fact(self.ctx, "issue.created", None, &issue));
        self.changeset.writes.push(Write::Insert(Record::Issue(issue.clone())));
        Ok(issue)
    }

    /// Changes an issue's fields, labels, state and assignee. Returns the new version and the transition, if
    /// any; `None` if nothing changes.
    pub(crate) async fn change(
        &mut self,
        (active, project): (&ActiveInstallations, &Project),
        before: &Issue,
        command: &ChangeIssue,
    ) -> Result<Option<(Issue, Option<PendingTransition>)>> {
        let scheme = scheme(active, project)?;
        // An issue that is not migrated yet continues from the state that its own is mapped to.
        let status = active.migrated_state(before).unwrap_or_else(|| before.status.clone());
        let migrated = Issue { status, ..before.clone() };
        let after = rules::change(&migrated, command, &scheme, self.ctx.now)?;
        if after == migrated {
            return Ok(None);
        }
        if let Some(assignee) = after.assignee.filter(|_| after.assignee != before.assignee) {
            self.expect_assignable(assignee).await?;
        }
        self.expect_machine(project);
        let transition = rules::transition_name(&migrated, command, &scheme)?;
        let transition = transition.map(|name| PendingTransition { issue: migrated, name });
        self.put(before, after.clone(), Issue::fact(self.ctx, "issue.updated", Some(before), &after));
        Ok(Some((after, transition)))
    }

    /// Adds a comment to an issue.
    pub(crate) fn add_comment(&mut self, issue: &Issue, comment: Comment) {
        let after = issue.touched(self.ctx);
        let fact = after.fact_of(self.ctx, "issue.commented", comment.change(None, Some(&comment.body)));
        self.put(issue, after, fact);
        self.changeset.writes.push(Write::PutComment(comment));
    }

    /// Links two issues. Returns the link, which may be an earlier one.
    pub(crate) async fn add_link(&mut self, link: Link, issue: &Issue, other: &Issue) -> Result<Link> {
        match link.relation {
            Relation::Parent => self.set_parent(issue, other.id).await.map(|()| link),
            Relation::Child => self.set_parent(other, issue.id).await.map(|()| link),
            Relation::Blocks
            | Relation::BlockedBy
            | Relation::Duplicates
            | Relation::DuplicatedBy
            | Relation::Relates => self.connect(link, issue, other).await,
        }
    }

    /// Puts the next version of an issue into the changeset, with its fact.
    pub(crate) fn put(&mut self, before: &Issue, after: Issue, fact: NewFact) {
        self.changeset.facts.push(fact);
        let earlier = self.changeset.writes.iter_mut().find(|write| written(write, after.id).is_some());
        match earlier {
            Some(Write::Insert(record) | Write::Update(record, _)) => *record = Record::Issue(after),
            _ => self.changeset.writes.push(Write::Update(Record::Issue(after), before.version)),
        }
    }

    async fn connect(&mut self, link: Link, issue: &Issue, other: &Issue) -> Result<Link> {
        let links = self.links(issue.id).await?;
        let same = |earlier: &&Link| earlier.relation == link.relation && earlier.other == link.other;
        if let Some(earlier) = links.iter().find(same) {
            return Ok(earlier.clone());
        }
        if links.len() >= MAX_LINKS {
            let message = format!("would exceed the maximum of {MAX_LINKS} links of an issue");
            return Err(Error::invalid("other_id", message));
        }
        self.expect_unwritten(other);
        let after = issue.touched(self.ctx);
        let fact = after.fact_of(self.ctx, "issue.linked", link.change(true));
        self.put(issue, after, fact);
        self.changeset.writes.push(Write::AddLink(link.stored()));
        Ok(link)
    }

    /// An issue's links, those of the changeset included, as seen from it.
    async fn links(&self, issue: IssueId) -> Result<Vec<Link>> {
        let mut links = self.store.links(self.ctx.tenant, issue).await?;
        let added = self.changeset.writes.iter().filter_map(|write| match write {
            Write::AddLink(link) if link.issue == issue => Some(link.clone()),
            Write::AddLink(link) if link.other == issue => Some(link.inverse()),
            _ => None,
        });
        links.extend(added);
        Ok(links)
    }

    async fn set_parent(&mut self, child: &Issue, parent: IssueId) -> Result<()> {
        if child.parent == Some(parent) {
            return Ok(());
        }
        self.expect_ancestors(child.id, parent).await?;
        let after = Issue { parent: Some(parent), ..child.touched(self.ctx) };
        let fact = Issue::fact(self.ctx, "issue.linked", Some(child), &after);
        self.put(child, after, fact);
        Ok(())
    }

    /// Depends on the chain of parents from `parent` upwards, none of which may be `child`.
    async fn expect_ancestors(&mut self, child: IssueId, parent: IssueId) -> Result<()> {
        let (mut next, mut count) = (Some(parent), 0);
        while let Some(id) = next {
            if id == child {
                let message = "the issue would be a part of itself";
                return Err(Error::new(ErrorKind::Precondition, "LINK_CYCLE", message));
            }
            if count >= MAX_ANCESTORS {
                let message = format!("would give the issue more than {MAX_ANCESTORS} ancestors");
                return Err(Error::invalid("parent_id", message));
            }
            let Some(ancestor) = self.issue(id).await? else {
                if count == 0 {
                    return Err(Error::invalid("parent_id", "is not an issue of the tenant"));
                }
                break;
            };
            count += 1;
            next = ancestor.parent;
            self.expect_unwritten(&ancestor);
        }
        Ok(())
    }

    async fn expect_assignable(&mut self, id: UserId) -> Result<()> {
        let user = self.store.user(self.ctx.tenant, id).await?;
        let user = user.ok_or_else(|| Error::invalid("assignee_id", "is not a user of the tenant"))?;
        if !user.is_active {
            return Err(Error::invalid("assignee_id", "is a user who is not active"));
        }
        self.expect(user.expect());
        Ok(())
    }

    fn expect_machine(&mut self, project: &Project) {
        self.expect(Expect { machines: Some(project.machines), ..project.expect() });
    }

    /// Depends on an issue, unless the changeset writes it: its version is compared then anyway.
    fn expect_unwritten(&mut self, issue: &Issue) {
        if !self.changeset.writes.iter().any(|write| written(write, issue.id).is_some()) {
            self.expect(issue.expect());
        }
    }

    fn expect(&mut self, expect: Expect) {
        if !self.changeset.expects.contains(&expect) {
            self.changeset.expects.push(expect);
        }
    }
}

/// The issue that a write inserts or updates, if it is that one.
fn written(write: &Write, id: IssueId) -> Option<&Issue> {
    match write {
        Write::Insert(Record::Issue(issue)) | Write::Update(Record::Issue(issue), _) => {
            (issue.id == id).then_some(issue)
        }
        _ => None,
    }
}

/// The scheme of a project's issues. Stale if the project's state machine is of a later generation than
/// `active`: an installation was changed on another host a moment ago.
fn scheme(active: &ActiveInstallations, project: &Project) -> Result<Arc<Scheme>> {
    if project.machines > active.generation {
        return Err(Error::stale());
    }
    Ok(active.scheme(project, KIND))
}
