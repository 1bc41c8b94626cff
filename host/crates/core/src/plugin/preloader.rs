//! The preloader: compiles the releases of all installations ahead of their calls, and publishes how far this
//! host has followed the installations.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use crate::error::{ErrorKind, Result};
use crate::id::TenantId;
use crate::outbox::Feed;
use crate::plugin::{Digest, Invoker};
use crate::ports::Store;

/// The interval of heartbeats.
const HEARTBEAT: Duration = Duration::from_secs(10);

/// The time before a release whose preparation failed is preloaded again; a call tries at once.
const RETRY_AFTER: Duration = Duration::from_secs(600);

/// Preloads releases on one host.
pub struct Preloader {
    store: Arc<dyn Store>,
    feed: Arc<Feed>,
    invoker: Arc<Invoker>,
    failed: Mutex<BTreeMap<Digest, Instant>>,
}

impl Preloader {
    /// Creates the preloader of a host.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, feed: Arc<Feed>, invoker: Arc<Invoker>) -> Self {
        Self { store, feed, invoker, failed: Mutex::default() }
    }

    /// Prepares the releases of all installations, and drops those that are no longer installed. Failures are
    /// logged; a call tries again.
    pub async fn prepare(&self) -> Result<()> {
        let installed: BTreeSet<_> = self.store.digests_in_use().await?.into_iter().collect();
        let uploaded = self.feed.take_uploaded();
        for digest in &installed {
            self.prepare_release(None, *digest).await;
        }
        // A release that is not installed is prepared on behalf of the tenant that uploaded it.
        for (digest, tenant) in uploaded.into_iter().filter(|(digest, _)| !installed.contains(digest)) {
            self.prepare_release(Some(tenant), digest).await;
        }
        self.invoker.forget_idle(&installed);
        Ok(())
    }

    async fn prepare_release(&self, tenant: Option<TenantId>, digest: Digest) {
        if self.failed_recently(digest) {
            return;
        }
        let Err(error) = self.invoker.prepare(tenant, digest).await else { return };
        tracing::warn!(release = %digest, ?error, "release preparation failed");
        // If only the capacity was missing, the next heartbeat tries again.
        if error.kind() != ErrorKind::Unavailable {
            let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
            failed.insert(digest, Instant::now());
        }
    }

    /// Whether the preparation of a release failed recently: repeated compilation would waste processor time.
    fn failed_recently(&self, digest: Digest) -> bool {
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        failed.retain(|_, at| at.elapsed() < RETRY_AFTER);
        failed.contains_key(&digest)
    }

    /// Follows the installations until cancelled.
    pub async fn run(&self, host: &str, stop: CancellationToken) {
        let mut changed = self.feed.plugins_changed();
        while !stop.is_cancelled() {
            // The facts that were read before the preparation are active after it.
            let seen = self.feed.head();
            changed.mark_unchanged();
            if let Err(error) = self.catch_up(host, seen).await {
                tracing::warn!(?error, "preloading failed; retrying");
            }
            tokio::select! {
                () = stop.cancelled() => return,
                _ = changed.changed() => {}
                () = tokio::time::sleep(HEARTBEAT) => {}
            }
        }
    }

    async fn catch_up(&self, host: &str, seen: u64) -> Result<()> {
        self.prepare().await?;
        self.store.beat(host, seen).await
    }
}
