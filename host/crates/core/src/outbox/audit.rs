//! Reading facts: the audit log, live streams, and how long facts are kept.

use std::sync::Arc;
use std::time::Duration;

use crate::access::Operation;
use crate::ctx::Ctx;
use crate::error::{Error, ErrorKind, Result};
use crate::outbox::{Fact, Feed, Seq, Subscription};
use crate::page::{Page, PageRequest};
use crate::ports::Store;

/// How long facts are kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Retention {
    /// How far back a stream can be resumed.
    pub streams: Duration,
    /// How long history and the audit log go back; none: for ever. Never less than `streams`.
    pub history: Option<Duration>,
}

/// How many facts are forgotten in one transaction.
const SLICE: u32 = 1_000;

/// Reads facts for those who may.
#[derive(Clone)]
pub struct Facts {
    store: Arc<dyn Store>,
    feed: Arc<Feed>,
    retention: Retention,
}

impl Facts {
    /// The service.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, feed: Arc<Feed>, retention: Retention) -> Self {
        Self { store, feed, retention }
    }

    /// What happened in the tenant, newest first.
    pub async fn audit(&self, ctx: &Ctx, page: &PageRequest) -> Result<Page<Fact>> {
        ctx.allow(Operation::AuditList)?;
        self.store.audit(ctx.tenant, page).await
    }

    /// Follows the tenant's facts, from `after` or from now on.
    pub async fn stream(&self, ctx: &Ctx, after: Option<Seq>) -> Result<Subscription> {
        ctx.allow(Operation::FactStream)?;
        let head = self.feed.head();
        let Some(after) = after else { return Ok(self.feed.subscribe(ctx.tenant, head)) };
        let oldest = self.store.seq_before(self.store.now().minus(self.retention.streams)).await?;
        if after < oldest {
            let message = "the cursor is older than facts are kept for streams; start anew, without one";
            return Err(Error::new(ErrorKind::Gone, "CURSOR_EXPIRED", message));
        }
        Ok(self.feed.subscribe(ctx.tenant, after))
    }

    /// Follows the tenant's facts from now on, for a service that has judged the caller's rights.
    #[must_use]
    pub fn follow(&self, ctx: &Ctx) -> Subscription {
        self.feed.subscribe(ctx.tenant, self.feed.head())
    }

    /// Forgets facts that nobody can ask for any more.
    pub async fn trim(&self) -> Result<u64> {
        let Some(history) = self.retention.history else { return Ok(0) };
        let before = self.store.now().minus(history.max(self.retention.streams));
        let mut forgotten = 0;
        loop {
            let slice = self.store.forget_facts(before, SLICE).await?;
            forgotten += slice;
            if slice < u64::from(SLICE) {
                return Ok(forgotten);
            }
        }
    }
}
