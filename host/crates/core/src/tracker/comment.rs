//! Comments on issues.

use crate::access::Role;
use crate::ctx::Ctx;
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
    /// Its author.
    pub author: Actor,
    /// Its text.
    pub body: String,
    /// The time of its creation.
    pub created_at: Timestamp,
    /// The time of its last edit.
    pub edited_at: Option<Timestamp>,
    /// Its version.
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

    /// Checks that the caller is the author of the comment or an admin.
    pub fn may_change(&self, ctx: &Ctx) -> Result<()> {
        let caller = Actor::of(&ctx.principal);
        let same_user = caller.user.is_some() && caller.user == self.author.user;
        let same_key = caller.kind == self.author.kind && caller.id == self.author.id;
        if same_user || same_key || ctx.has_role(Role::Admin) {
            return Ok(());
        }
        Err(Error::denied("only its author or an admin may change a comment"))
    }
}
