//! Keeps a host up with what is installed: compiles releases as they come, and says how far it is.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use crate::error::{ErrorKind, Result};
use crate::id::TenantId;
use crate::outbox::Feed;
use crate::plugin::{Digest, Invoker};
use crate::ports::Store;

/// How often a host says that it lives.
const BEAT: Duration = Duration::from_secs(10);

/// How long a release that could not be made ready is left alone; a call tries it all the same.
const LEFT_ALONE: Duration = Duration::from_secs(600);

/// Keeps one host up.
pub struct Preloader {
    store: Arc<dyn Store>,
    feed: Arc<Feed>,
    invoker: Arc<Invoker>,
    failed: Mutex<BTreeMap<Digest, Instant>>,
}

impl Preloader {
    /// The keeper of a host.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, feed: Arc<Feed>, invoker: Arc<Invoker>) -> Self {
        Self { store, feed, invoker, failed: Mutex::default() }
    }

    /// Makes ready all that is installed, and lets go of what is not any more. A release that cannot be made
    /// ready is said in the log, and tried again when it is called.
    pub async fn prepare(&self) -> Result<()> {
        let installed: BTreeSet<_> = self.store.digests_in_use().await?.into_iter().collect();
        let uploaded = self.feed.take_uploaded();
        for digest in &installed {
            self.make_ready(None, *digest).await;
        }
        // What is only uploaded is the business of who uploaded it.
        for (digest, tenant) in uploaded.into_iter().filter(|(digest, _)| !installed.contains(digest)) {
            self.make_ready(Some(tenant), digest).await;
        }
        self.invoker.forget_idle(&installed);
        Ok(())
    }

    async fn make_ready(&self, tenant: Option<TenantId>, digest: Digest) {
        if self.is_left_alone(digest) {
            return;
        }
        let Err(error) = self.invoker.prepare(tenant, digest).await else { return };
        tracing::warn!(release = %digest, ?error, "a release cannot be made ready");
        // Where there was only no room for it, it is tried with the next beat.
        if error.kind() != ErrorKind::Unavailable {
            let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
            failed.insert(digest, Instant::now());
        }
    }

    /// Whether a release failed just now: compiling it again and again would cost more than it is worth.
    fn is_left_alone(&self, digest: Digest) -> bool {
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        failed.retain(|_, at| at.elapsed() < LEFT_ALONE);
        failed.contains_key(&digest)
    }

    /// Follows the installations until cancelled.
    pub async fn run(&self, host: &str, stop: CancellationToken) {
        let mut changed = self.feed.plugins_changed();
        while !stop.is_cancelled() {
            // What was seen before the work began is in force after it.
            let seen = self.feed.head();
            changed.mark_unchanged();
            if let Err(error) = self.catch_up(host, seen).await {
                tracing::warn!(?error, "the installations could not be followed; they are looked at again");
            }
            tokio::select! {
                () = stop.cancelled() => return,
                _ = changed.changed() => {}
                () = tokio::time::sleep(BEAT) => {}
            }
        }
    }

    async fn catch_up(&self, host: &str, seen: u64) -> Result<()> {
        self.prepare().await?;
        self.store.beat(host, seen).await
    }
}
