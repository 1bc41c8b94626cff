//! Purges what remains of deleted projects and users, in slices, each with its facts. Deleted objects are
//! invisible at once.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::changeset::{Changeset, Committed, Write};
use crate::ctx::{Ctx, Principal, Transport};
use crate::error::Result;
use crate::fair::WorkLimiter;
use crate::id::{FactId, TenantId};
use crate::ports::Store;
use crate::tracker::{Issue, Purge};

/// The number of a tenant's deleted objects that are purged in one round.
const MAX_PURGES: u32 = 16;

/// The number of issues that one transaction purges.
const SLICE: u32 = 200;

/// Purges deleted projects and users.
#[derive(Clone)]
pub struct Purger {
    store: Arc<dyn Store>,
}

impl Purger {
    /// Creates a purger of a store.
    #[must_use]
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self { store }
    }

    /// Purges a slice of each deleted object of a tenant. Returns whether there may be more.
    pub async fn purge(&self, tenant: TenantId, limiter: &WorkLimiter) -> Result<bool> {
        let purges = self.store.purges(tenant, MAX_PURGES).await?;
        let slice = |purge| async move {
            let purged = self.slice(&purge).await;
            purged.inspect_err(|error| tracing::warn!(?error, ?purge, "purge failed; retrying")).is_ok()
        };
        Ok(limiter.for_each(tenant, purges, slice).await > 0)
    }

    /// Purges one slice. When no issue is left, the mark of the deleted object is removed.
    async fn slice(&self, purge: &Purge) -> Result<()> {
        let ctx = self.ctx(purge);
        let issues = self.store.purgeable(purge, SLICE).await?;
        let changeset = if issues.is_empty() {
            Changeset::new(&ctx).write(match *purge {
                Purge::Project { id, .. } => Write::ForgetProject(id),
                Purge::User { id, .. } => Write::ForgetUser(id),
            })
        } else {
            match purge {
                Purge::Project { cause, .. } => self.delete(&ctx, &issues, *cause).await?,
                Purge::User { cause, .. } => issues.iter().fold(Changeset::new(&ctx), |changeset, before| {
                    let after = Issue { assignee: None, ..before.touched(&ctx) };
                    update(&ctx, changeset, before, after, *cause)
                }),
            }
        };
        match self.store.commit(changeset).await {
            Ok(Committed::Stored | Committed::Replayed(_)) => Ok(()),
            Err(error) if error.is_stale() => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Deletes issues; their children in other projects lose their parent first.
    async fn delete(&self, ctx: &Ctx, issues: &[Issue], cause: Option<FactId>) -> Result<Changeset> {
        let ids: Vec<_> = issues.iter().map(|issue| issue.id).collect();
        let children = self.store.children(ctx.tenant, &ids, SLICE).await?;
        let elsewhere: Vec<_> = children.into_iter().filter(|child| !ids.contains(&child.id)).collect();
        if !elsewhere.is_empty() {
            return Ok(elsewhere.iter().fold(Changeset::new(ctx), |changeset, before| {
                let after = Issue { parent: None, ..before.touched(ctx) };
                update(ctx, changeset, before, after, cause)
            }));
        }
        Ok(issues.iter().fold(Changeset::new(ctx), |changeset, issue| {
            let fact = issue.deleted(ctx);
            let fact = if let Some(cause) = cause { fact.caused_by(cause) } else { fact };
            changeset.fact(fact).delete(issue.clone())
        }))
    }

    fn ctx(&self, purge: &Purge) -> Ctx {
        let (Purge::Project { tenant, .. } | Purge::User { tenant, .. }) = purge;
        let deadline = Instant::now() + Duration::from_secs(30);
        Ctx::new(
            *tenant,
            Principal::System,
            "purge".into(),
            (self.store.now(), deadline),
            Transport::Internal,
        )
    }
}

fn update(ctx: &Ctx, changeset: Changeset, before: &Issue, after: Issue, cause: Option<FactId>) -> Changeset {
    let fact = Issue::fact(ctx, "issue.updated", Some(before), &after);
    let fact = if let Some(cause) = cause { fact.caused_by(cause) } else { fact };
    changeset.fact(fact).update(after)
}
