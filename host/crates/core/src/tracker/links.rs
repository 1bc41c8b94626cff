//! Operations on links. A change makes a new version of the issue that the request names; of a parent and its
//! child, always of the child.

use std::sync::Arc;

use crate::access::Operation;
use crate::changeset::{Changeset, Write};
use crate::command::{Commands, Decision};
use crate::ctx::Ctx;
use crate::error::{Error, Result};
use crate::id::IssueId;
use crate::ports::Store;
use crate::tracker::Issue;
use crate::tracker::issue_editor::IssueEditor;
use crate::tracker::link::{Link, Relation};
use crate::tracker::load;

/// Performs the operations on links.
#[derive(Clone)]
pub struct Links {
    store: Arc<dyn Store>,
    commands: Commands,
}

impl Links {
    /// Creates the service.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, commands: Commands) -> Self {
        Self { store, commands }
    }

    /// Links two issues.
    pub async fn add(&self, ctx: &Ctx, issue: IssueId, relation: Relation, other: IssueId) -> Result<Link> {
        let decide = || async {
            let link = Link::new(issue, relation, other, ctx.now)?;
            let issue = load::issue_at_version(&*self.store, ctx, issue).await?;
            let other = self.store.issue(ctx.tenant, other).await?;
            let other = other.ok_or_else(|| Error::invalid("other_id", "is not an issue of the tenant"))?;
            let mut editor = IssueEditor::new(ctx, &*self.store);
            let link = editor.add_link(link, &issue, &other).await?;
            let changeset = editor.changeset;
            Ok(if changeset.is_empty() { Decision::nothing(link) } else { Decision::change(changeset, link) })
        };
        self.commands.run(ctx, Operation::LinkAdd, &(issue, relation, other, &ctx.if_version), decide).await
    }

    /// Removes a link.
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
                    let fact = after.fact_of(ctx, "issue.unlinked", link.change(false));
                    Changeset::new(ctx).fact(fact).update(after).write(Write::DropLink(link.stored()))
                }
            };
            Ok(Decision::change(changeset, ()))
        };
        self.commands
            .run(ctx, Operation::LinkRemove, &(issue, relation, other, &ctx.if_version), decide)
            .await
    }

    /// Lists an issue's links, as seen from it.
    pub async fn list(&self, ctx: &Ctx, issue: IssueId) -> Result<Vec<Link>> {
        ctx.allow(Operation::LinkList)?;
        load::issue(&*self.store, ctx, issue).await?;
        self.store.links(ctx.tenant, issue).await
    }

    async fn clear_parent(&self, ctx: &Ctx, child: IssueId) -> Result<Changeset> {
        let before = load::issue(&*self.store, ctx, child).await?;
        let after = Issue { parent: None, ..before.touched(ctx) };
        let fact = Issue::fact(ctx, "issue.unlinked", Some(&before), &after);
        Ok(Changeset::new(ctx).fact(fact).update(after))
    }
}
