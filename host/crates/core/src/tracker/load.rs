//! Loads issues, with the errors that clients get when one does not exist.

use crate::ctx::Ctx;
use crate::error::{Error, Result};
use crate::id::IssueId;
use crate::ports::Store;
use crate::tracker::Issue;

/// Returns the issue, which must have the version that the caller named, if any.
pub(super) async fn issue_at_version(store: &dyn Store, ctx: &Ctx, id: IssueId) -> Result<Issue> {
    let issue = issue(store, ctx, id).await?;
    ctx.check_version(issue.version)?;
    Ok(issue)
}

/// Returns the issue, or the error that it does not exist.
pub(super) async fn issue(store: &dyn Store, ctx: &Ctx, id: IssueId) -> Result<Issue> {
    store.issue(ctx.tenant, id).await?.ok_or_else(|| Error::not_found("issue"))
}
