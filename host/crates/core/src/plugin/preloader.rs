//! The preloader: compiles the releases of all installations ahead of their calls, and publishes how far this
//! host has followed the installations. A release that is not ready is compiled at its first call.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use futures_util::stream;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::error::{Error, ErrorKind, Result};
use crate::id::TenantId;
use crate::outbox::Feed;
use crate::plugin::{Digest, Invoker};
use crate::ports::Store;

/// The interval of heartbeats.
const HEARTBEAT: Duration = Duration::from_secs(10);

/// The most releases that are prepared at once; the sandbox limits how many of them are compiled at once.
const MAX_PREPARATIONS: usize = 8;

/// The longest that one release may wait for its turn and be compiled. It is tried again after that.
const PREPARATION_TIME: Duration = Duration::from_secs(3_600);

/// The time before a release whose preparation failed is preloaded again; a call tries at once.
const RETRY_AFTER: Duration = Duration::from_secs(600);

/// The interval at which machine code that no release needs is removed.
const SWEEP_INTERVAL: Duration = Duration::from_secs(600);

/// Preloads releases on one host.
pub struct Preloader {
    store: Arc<dyn Store>,
    feed: Arc<Feed>,
    invoker: Arc<Invoker>,
    failed: Mutex<BTreeMap<Digest, Instant>>,
    /// The number of releases that the present round has not prepared yet.
    pending: AtomicUsize,
    /// The present round; it goes on when its caller stops waiting.
    round: tokio::sync::Mutex<Option<JoinHandle<Result<()>>>>,
}

impl Preloader {
    /// Creates the preloader of a host.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, feed: Arc<Feed>, invoker: Arc<Invoker>) -> Self {
        let (failed, pending, round) = Default::default();
        Self { store, feed, invoker, failed, pending, round }
    }

    /// Returns the number of releases that the present round has not prepared yet.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.pending.load(Ordering::Relaxed)
    }

    /// Prepares the releases of all installations, and drops those that are no longer installed. Waits at most for a
    /// time; what is not ready then is prepared in the background. Failures are logged; a call tries again.
    pub async fn prepare(self: &Arc<Self>, time: Duration) -> Result<()> {
        let deadline = Instant::now() + time;
        let mut round = self.round.lock().await;
        loop {
            // A round that was running already lacks the releases that were installed since.
            let is_new = round.is_none();
            let task = round.get_or_insert_with(|| {
                let this = Arc::clone(self);
                tokio::spawn(async move { this.run_round().await })
            });
            let Ok(result) = tokio::time::timeout_at(deadline.into(), task).await else {
                tracing::info!(pending = self.pending(), "releases are prepared in the background");
                return Ok(());
            };
            *round = None;
            result.map_err(Error::internal)??;
            if is_new {
                return Ok(());
            }
        }
    }

    async fn run_round(&self) -> Result<()> {
        let installed: BTreeSet<_> = self.store.digests_in_use().await?.into_iter().collect();
        let uploaded = self.feed.take_uploaded();
        // A release that is not installed is prepared on behalf of the tenant that uploaded it.
        let uploaded = uploaded.into_iter().filter(|(digest, _)| !installed.contains(digest));
        let mut releases: Vec<_> = installed.iter().map(|digest| (*digest, None)).collect();
        releases.extend(uploaded.map(|(digest, tenant)| (digest, Some(tenant))));
        releases.retain(|(digest, _)| !self.invoker.is_ready(*digest) && !self.failed_recently(*digest));
        self.pending.store(releases.len(), Ordering::Relaxed);
        let prepare = |(digest, tenant)| async move {
            self.prepare_release(tenant, digest).await;
            self.pending.fetch_sub(1, Ordering::Relaxed);
        };
        stream::iter(releases).for_each_concurrent(MAX_PREPARATIONS, prepare).await;
        self.invoker.forget_idle(&installed);
        Ok(())
    }

    async fn prepare_release(&self, tenant: Option<TenantId>, digest: Digest) {
        let deadline = Instant::now() + PREPARATION_TIME;
        let Err(error) = self.invoker.prepare(tenant, digest, deadline).await else { return };
        tracing::warn!(release = %digest, ?error, "release preparation failed");
        // If only the capacity was missing, the next heartbeat tries again.
        if !matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::DeadlineExceeded) {
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
    pub async fn run(self: &Arc<Self>, host: &str, stop: CancellationToken) {
        let mut changed = self.feed.plugins_changed();
        let mut last_sweep = None;
        while !stop.is_cancelled() {
            // The facts that were read before the preparation are active after it.
            let seen = self.feed.head();
            changed.mark_unchanged();
            let round = async {
                if let Err(error) = self.catch_up(host, seen).await {
                    tracing::warn!(?error, "preloading failed; retrying");
                }
                self.sweep(&mut last_sweep).await;
            };
            tokio::select! {
                () = stop.cancelled() => break,
                () = round => {}
            }
            tokio::select! {
                () = stop.cancelled() => break,
                _ = changed.changed() => {}
                () = tokio::time::sleep(HEARTBEAT) => {}
            }
        }
        if let Some(round) = self.round.lock().await.take() {
            round.abort();
        }
    }

    /// Prepares what is installed and reports it. Releases that take longer than a heartbeat are not waited for: the host
    /// is alive, and calls compile them.
    async fn catch_up(self: &Arc<Self>, host: &str, seen: u64) -> Result<()> {
        self.prepare(HEARTBEAT).await?;
        self.store.beat(host, seen).await
    }

    /// Removes machine code that no release needs, when it is time.
    async fn sweep(&self, last: &mut Option<Instant>) {
        if last.is_some_and(|last| last.elapsed() < SWEEP_INTERVAL) {
            return;
        }
        *last = Some(Instant::now());
        match self.invoker.sweep().await {
            Ok(0) => {}
            Ok(removed) => tracing::info!(removed, "machine code without a release removed"),
            Err(error) => tracing::warn!(?error, "machine code not swept; retrying"),
        }
    }
}
