//! The service of facts: the audit log, streams and retention.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::access::Operation;
use crate::ctx::Ctx;
use crate::error::{Error, ErrorKind, Result};
use crate::outbox::{Fact, Feed, Seq, Subscription};
use crate::page::{Page, PageRequest};
use crate::ports::Store;

/// How long facts are kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Retention {
    /// How far back streams can be resumed.
    pub streams: Duration,
    /// How far back history and the audit log go; `None` for no limit. Never less than `streams`.
    pub history: Option<Duration>,
}

/// How many facts are deleted in one transaction.
const SLICE: u32 = 1_000;

/// Reads, streams and deletes facts.
#[derive(Clone)]
pub struct Facts {
    store: Arc<dyn Store>,
    feed: Arc<Feed>,
    retention: Retention,
}

impl Facts {
    /// Creates the service.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, feed: Arc<Feed>, retention: Retention) -> Self {
        Self { store, feed, retention }
    }

    /// Returns a page of the tenant's facts, newest first.
    pub async fn audit(&self, ctx: &Ctx, page: &PageRequest) -> Result<Page<Fact>> {
        ctx.allow(Operation::AuditList)?;
        self.store.audit(ctx.tenant, page).await
    }

    /// Streams the tenant's facts, after a number or from now on.
    pub async fn stream(&self, ctx: &Ctx, after: Option<Seq>) -> Result<Subscription> {
        ctx.allow(Operation::FactStream)?;
        let head = self.feed.head();
        let Some(after) = after else { return Ok(self.feed.subscribe(ctx.tenant, head)) };
        let before = self.store.now().minus(self.retention.streams);
        let oldest = self.store.seq_before(ctx.tenant, before).await?;
        if after < oldest {
            let message =
                "the cursor is older than the facts that are kept for streams; start again without a cursor";
            return Err(Error::new(ErrorKind::Gone, "CURSOR_EXPIRED", message));
        }
        Ok(self.feed.subscribe(ctx.tenant, after))
    }

    /// Streams the tenant's facts from now on, for a service that has checked the caller's rights.
    #[must_use]
    pub fn follow(&self, ctx: &Ctx) -> Subscription {
        self.feed.subscribe(ctx.tenant, self.feed.head())
    }

    /// Returns a channel that signals facts that may end the caller's access.
    #[must_use]
    pub fn access_changed(&self, ctx: &Ctx) -> watch::Receiver<Seq> {
        self.feed.access_changed(ctx.tenant, &ctx.principal)
    }

    /// Deletes facts that are past their retention, and returns their number.
    pub async fn trim(&self) -> Result<u64> {
        let Some(history) = self.retention.history else { return Ok(0) };
        let before = self.store.now().minus(history.max(self.retention.streams));
        let mut deleted = 0;
        loop {
            let slice = self.store.forget_facts(before, SLICE).await?;
            deleted += slice;
            if slice < u64::from(SLICE) {
                return Ok(deleted);
            }
        }
    }
}
