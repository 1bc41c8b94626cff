//! What can be done with links. The issue that the request names gets the new version, save that of a
//! parent and its child it is always the child.

use std::sync::Arc;

use crate::access::Operation;
use crate::changeset::{Changeset, Write};
use crate::command::{Commands, Decision};
use crate::ctx::Ctx;
use crate::error::{Error, ErrorKind, Result};
use crate::id::IssueId;
use crate::ports::Store;
use crate::tracker::Issue;
use crate::tracker::link::{Link, MAX_LINKS, Relation};
use crate::tracker::load;
use crate::value::{Change, Value};

/// How deep issues may lie in one another.
const MAX_DEPTH: usize = 32;

/// Carries out what is done with links.
#[derive(Clone)]
pub struct Links {
    store: Arc<dyn Store>,
    commands: Commands,
}

impl Links {
    /// The service.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, commands: Commands) -> Self {
        Self { store, commands }
    }

    /// Links two issues.
    pub async fn add(&self, ctx: &Ctx, issue: IssueId, relation: Relation, other: IssueId) -> Result<Link> {
        let decide = || async {
            if issue == other {
                return Err(Error::invalid("other_id", "is the issue itself"));
            }
            let link = Link { issue, relation, other, created_at: ctx.now };
            match relation {
                Relation::Parent => self.set_parent(ctx, link.clone(), &link).await,
                Relation::Child => self.set_parent(ctx, link.inverse(), &link).await,
                Relation::Blocks
                | Relation::BlockedBy
                | Relation::Duplicates
                | Relation::DuplicatedBy
                | Relation::Relates => self.connect(ctx, link).await,
            }
        };
        self.commands.run(ctx, Operation::LinkAdd, &(issue, relation, other, ctx.if_version), decide).await
    }

    /// Takes a link away.
    pub async fn remove(&self, ctx: &Ctx, issue: IssueId, relation: Relation, other: IssueId) -> Result<()> {
        let decide = || async {
            load::issue_at_version(&*self.store, ctx, issue).await?;
            let links = self.store.links(ctx.tenant, issue).await?;
            let link = links.into_iter().find(|link| link.relation == relation && link.other == other);
            let link = link.ok_or_else(|| Error::not_found("link"))?;
            let changeset = match relation {
                Relation::Parent => self.clear_parent(ctx, issue).await?,
                Relation::Child => self.clear_parent(ctx, other).await?,
                Relation::Blocks
                | Relation::BlockedBy
                | Relation::Duplicates
                | Relation::DuplicatedBy
                | Relation::Relates => {
                    let after = load::issue(&*self.store, ctx, issue).await?.touched(ctx);
                    let fact = after.fact_of(ctx, "issue.unlinked", vec![said(&link, false)]);
                    Changeset::new(ctx).fact(fact).update(after).write(Write::DropLink(link.stored()))
                }
            };
            Ok(Decision::change(changeset, ()))
        };
        self.commands.run(ctx, Operation::LinkRemove, &(issue, relation, other, ctx.if_version), decide).await
    }

    /// Lists an issue's links, as seen from it.
    pub async fn list(&self, ctx: &Ctx, issue: IssueId) -> Result<Vec<Link>> {
        ctx.allow(Operation::LinkList)?;
        load::issue(&*self.store, ctx, issue).await?;
        self.store.links(ctx.tenant, issue).await
    }

    async fn connect(&self, ctx: &Ctx, link: Link) -> Result<Decision<Link>> {
        let before = load::issue_at_version(&*self.store, ctx, link.issue).await?;
        let other = self.other(ctx, link.other).await?;
        let links = self.store.links(ctx.tenant, link.issue).await?;
        let same = |held: &&Link| held.relation == link.relation && held.other == link.other;
        if let Some(held) = links.iter().find(same) {
            return Ok(Decision::nothing(held.clone()));
        }
        if links.len() >= MAX_LINKS {
            return Err(Error::invalid("other_id", format!("would be one of more than {MAX_LINKS} links")));
        }
        let after = before.touched(ctx);
        let fact = after.fact_of(ctx, "issue.linked", vec![said(&link, true)]);
        let changeset = Changeset::new(ctx).expect(&other).fact(fact).update(after);
        Ok(Decision::change(changeset.write(Write::AddLink(link.stored())), link))
    }

    /// `link` leads from the child to its parent; `answer` is the link as the caller sees it.
    async fn set_parent(&self, ctx: &Ctx, link: Link, answer: &Link) -> Result<Decision<Link>> {
        load::issue_at_version(&*self.store, ctx, answer.issue).await?;
        self.other(ctx, answer.other).await?;
        let before = load::issue(&*self.store, ctx, link.issue).await?;
        if before.parent == Some(link.other) {
            return Ok(Decision::nothing(answer.clone()));
        }
        let mut changeset = Changeset::new(ctx);
        for ancestor in ancestors(&*self.store, ctx, link.issue, link.other).await? {
            changeset = changeset.expect(&ancestor);
        }
        let after = Issue { parent: Some(link.other), ..before.touched(ctx) };
        let fact = Issue::fact(ctx, "issue.linked", Some(&before), &after);
        Ok(Decision::change(changeset.fact(fact).update(after), answer.clone()))
    }

    async fn clear_parent(&self, ctx: &Ctx, child: IssueId) -> Result<Changeset> {
        let before = load::issue(&*self.store, ctx, child).await?;
        let after = Issue { parent: None, ..before.touched(ctx) };
        let fact = Issue::fact(ctx, "issue.unlinked", Some(&before), &after);
        Ok(Changeset::new(ctx).fact(fact).update(after))
    }

    async fn other(&self, ctx: &Ctx, id: IssueId) -> Result<Issue> {
        let other = self.store.issue(ctx.tenant, id).await?;
        other.ok_or_else(|| Error::invalid("other_id", "is not an issue of the tenant"))
    }
}

fn said(link: &Link, added: bool) -> Change {
    let value = Value::Text(link.other.to_string());
    let (before, after) = if added { (Value::None, value) } else { (value, Value::None) };
    Change { field: format!("links.{}", link.relation.name()), before, after }
}

/// The chain of parents from `parent` upwards, none of which may be `child`. A decision on a parent
/// depends on all of them.
pub(super) async fn ancestors(
    store: &dyn Store,
    ctx: &Ctx,
    child: IssueId,
    parent: IssueId,
) -> Result<Vec<Issue>> {
    let mut chain: Vec<Issue> = Vec::new();
    let mut next = Some(parent);
    while let Some(id) = next {
        if id == child {
            let message = "the issue would be a part of itself";
            return Err(Error::new(ErrorKind::Precondition, "LINK_CYCLE", message));
        }
        if chain.len() >= MAX_DEPTH {
            return Err(Error::invalid("parent_id", format!("lies more than {MAX_DEPTH} issues deep")));
        }
        let Some(issue) = store.issue(ctx.tenant, id).await? else {
            if chain.is_empty() {
                return Err(Error::invalid("parent_id", "is not an issue of the tenant"));
            }
            break;
        };
        next = issue.parent;
        chain.push(issue);
    }
    Ok(chain)
}
