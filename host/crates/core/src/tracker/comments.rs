//! Operations on comments and watchers. Each change makes a new version of the issue.

use std::sync::Arc;

use crate::access::Operation;
use crate::changeset::{Changeset, Write};
use crate::command::{Commands, Decision};
use crate::ctx::Ctx;
use crate::error::{Error, Result};
use crate::id::{CommentId, IssueId, UserId};
use crate::outbox::Actor;
use crate::page::{Page, PageRequest};
use crate::ports::Store;
use crate::tracker::comment::{self, Comment};
use crate::tracker::issue_editor::IssueEditor;
use crate::tracker::load;
use crate::value::{Change, Value};

/// The most watchers of one issue.
pub const MAX_WATCHERS: usize = 1_000;

/// Performs the operations on comments and watchers.
#[derive(Clone)]
pub struct Comments {
    store: Arc<dyn Store>,
    commands: Commands,
}

impl Comments {
    /// Creates the service.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, commands: Commands) -> Self {
        Self { store, commands }
    }

    /// Adds a comment to an issue.
    pub async fn add(&self, ctx: &Ctx, issue: IssueId, body: String) -> Result<Comment> {
        let decide = || async {
            let comment = Comment::new(issue, Actor::of(&ctx.principal), body.clone(), ctx.now)?;
            let issue = load::issue_at_version(&*self.store, ctx, issue).await?;
            let mut editor = IssueEditor::new(ctx, &*self.store);
            editor.add_comment(&issue, comment.clone());
            Ok(Decision::change(editor.changeset, comment))
        };
        self.commands.run(ctx, Operation::CommentAdd, &(issue, &body, &ctx.if_version), decide).await
    }

    /// Lists an issue's comments, oldest first.
    pub async fn list(&self, ctx: &Ctx, issue: IssueId, page: &PageRequest) -> Result<Page<Comment>> {
        ctx.allow(Operation::CommentList)?;
        load::issue(&*self.store, ctx, issue).await?;
        self.store.comments(ctx.tenant, issue, page).await
    }

    /// Edits a comment.
    pub async fn update(&self, ctx: &Ctx, issue: IssueId, id: CommentId, body: String) -> Result<Comment> {
        let decide = || async {
            comment::check(&body)?;
            let issue = load::issue(&*self.store, ctx, issue).await?.touched(ctx);
            let before = self.comment(ctx, issue.id, id).await?;
            if before.body == body {
                return Ok(Decision::nothing(before));
            }
            let version = before.version + 1;
            let after = Comment { body: body.clone(), edited_at: Some(ctx.now), version, ..before.clone() };
            let changes = before.change(Some(&before.body), Some(&body));
            let fact = issue.fact_of(ctx, "issue.comment_edited", changes);
            let changeset =
                Changeset::new(ctx).fact(fact).update(issue).write(Write::PutComment(after.clone()));
            Ok(Decision::change(changeset, after))
        };
        self.commands.run(ctx, Operation::CommentUpdate, &(issue, id, &body, &ctx.if_version), decide).await
    }

    /// Removes a comment.
    pub async fn delete(&self, ctx: &Ctx, issue: IssueId, id: CommentId) -> Result<Comment> {
        let decide = || async {
            let issue = load::issue(&*self.store, ctx, issue).await?.touched(ctx);
            let comment = self.comment(ctx, issue.id, id).await?;
            let fact = issue.fact_of(ctx, "issue.comment_deleted", comment.change(Some(&comment.body), None));
            let drop = Write::DropComment(issue.id, id);
            Ok(Decision::change(Changeset::new(ctx).fact(fact).update(issue).write(drop), comment))
        };
        self.commands.run(ctx, Operation::CommentDelete, &(issue, id, &ctx.if_version), decide).await
    }

    /// Adds a watcher to an issue.
    pub async fn watch(&self, ctx: &Ctx, issue: IssueId, user: UserId) -> Result<()> {
        let decide = || async {
            let issue = load::issue_at_version(&*self.store, ctx, issue).await?.touched(ctx);
            let user = self.store.user(ctx.tenant, user).await?;
            let user = user.ok_or_else(|| Error::invalid("user_id", "is not a user of the tenant"))?;
            let watchers = self.store.watchers(ctx.tenant, issue.id).await?;
            if watchers.contains(&user.id) {
                return Ok(Decision::nothing(()));
            }
            if watchers.len() >= MAX_WATCHERS {
                return Err(Error::invalid(
                    "user_id",
                    format!("would exceed the maximum of {MAX_WATCHERS} watchers"),
                ));
            }
            let watcher =
                Change { field: "watcher".into(), before: Value::None, after: Some(user.id).into() };
            let fact = issue.fact_of(ctx, "issue.watched", vec![watcher]);
            let write = Write::AddWatcher(issue.id, user.id);
            Ok(Decision::change(Changeset::new(ctx).expect(&user).fact(fact).update(issue).write(write), ()))
        };
        self.commands.run(ctx, Operation::WatcherAdd, &(issue, user, &ctx.if_version), decide).await
    }

    /// Removes a watcher from an issue.
    pub async fn unwatch(&self, ctx: &Ctx, issue: IssueId, user: UserId) -> Result<()> {
        let decide = || async {
            let issue = load::issue_at_version(&*self.store, ctx, issue).await?.touched(ctx);
            if !self.store.watchers(ctx.tenant, issue.id).await?.contains(&user) {
                return Ok(Decision::nothing(()));
            }
            let watcher = Change { field: "watcher".into(), before: Some(user).into(), after: Value::None };
            let fact = issue.fact_of(ctx, "issue.unwatched", vec![watcher]);
            let write = Write::DropWatcher(issue.id, user);
            Ok(Decision::change(Changeset::new(ctx).fact(fact).update(issue).write(write), ()))
        };
        self.commands.run(ctx, Operation::WatcherRemove, &(issue, user, &ctx.if_version), decide).await
    }

    /// Lists the watchers of an issue.
    pub async fn watchers(&self, ctx: &Ctx, issue: IssueId) -> Result<Vec<UserId>> {
        ctx.allow(Operation::WatcherList)?;
        load::issue(&*self.store, ctx, issue).await?;
        self.store.watchers(ctx.tenant, issue).await
    }

    /// Returns a comment that the caller may change, at the version that it named.
    async fn comment(&self, ctx: &Ctx, issue: IssueId, id: CommentId) -> Result<Comment> {
        let comment = self.store.comment(ctx.tenant, issue, id).await?;
        let comment = comment.ok_or_else(|| Error::not_found("comment"))?;
        ctx.check_version(comment.version)?;
        comment.may_change(ctx)?;
        Ok(comment)
    }
}
