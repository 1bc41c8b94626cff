//! Comments on issues.

use crate::ctx::{Ctx, Role};
use crate::error::{Error, Result};
use crate::id::{CommentId, IssueId};
use crate::outbox::Actor;
use crate::text::Faults;
use crate::time::Timestamp;
use crate::value::Change;

/// A comment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Comment {
    /// Its id.
    pub id: CommentId,
    /// The issue that it is on.
    pub issue: IssueId,
    /// Who wrote it.
    pub author: Actor,
    /// What it says.
    pub body: String,
    /// When it was written.
    pub created_at: Timestamp,
    /// When it was last edited.
    pub edited_at: Option<Timestamp>,
    /// Counts its edits.
    pub version: u64,
}

/// The largest page of comments.
pub const MAX_PAGE: u32 = 200;

/// Checks the text of a comment.
pub fn check(body: &str) -> Result<()> {
    let mut faults = Faults::default();
    faults.text("body", body, 1, 10_000);
    faults.into_result()
}

impl Comment {
    /// Returns a new comment on an issue.
    pub fn new(issue: IssueId, author: Actor, body: String, now: Timestamp) -> Result<Self> {
        check(&body)?;
        Ok(Self {
            id: CommentId::generate(),
            issue,
            author,
            body,
            created_at: now,
            edited_at: None,
            version: 1,
        })
    }

    /// Returns the change of its text, as a change of the issue.
    #[must_use]
    pub fn change(&self, before: Option<&String>, after: Option<&String>) -> Vec<Change> {
        vec![Change { field: format!("comments.{}", self.id), before: before.into(), after: after.into() }]
    }

    /// Refuses those who may not change the comment: all but its author and admins.
    pub fn may_change(&self, ctx: &Ctx) -> Result<()> {
        let me = Actor::of(&ctx.principal);
        let same_user = me.user.is_some() && me.user == self.author.user;
        let same_key = me.kind == self.author.kind && me.id == self.author.id;
        if same_user || same_key || ctx.has_role(Role::Admin) {
            return Ok(());
        }
        Err(Error::denied("only its author or an admin may change a comment"))
    }
}
