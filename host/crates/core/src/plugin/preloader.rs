//! The preloader: compiles the releases of all installations ahead of their calls, and publishes how far this
//! host has followed the installations. A release that is not ready is compiled at its first call.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use futures_util::future::join_all;
use futures_util::stream;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::error::{Error, ErrorKind, Result};
use crate::fair::{FairLimiter, Permits, WaitingLimits};
use crate::id::TenantId;
use crate::outbox::Feed;
use crate::plugin::{Digest, Invoker};
use crate::ports::Store;

/// The interval of heartbeats.
const HEARTBEAT: Duration = Duration::from_secs(10);

/// The most releases that are prepared at once, and those of one tenant; the sandbox limits how many of them are
/// compiled at once.
const MAX_PREPARATIONS: usize = 8;
const MAX_TENANT_PREPARATIONS: usize = 2;

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
    preparations: Arc<FairLimiter>,
    failed: Mutex<BTreeMap<Digest, Instant>>,
    /// The number of installed releases that the present round has not prepared yet.
    pending: AtomicUsize,
    /// The present round; it goes on when its caller stops waiting.
    round: tokio::sync::Mutex<Option<JoinHandle<Result<()>>>>,
}

impl Preloader {
    /// Creates the preloader of a host.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, feed: Arc<Feed>, invoker: Arc<Invoker>) -> Self {
        let (failed, pending, round) = Default::default();
        let permits = Permits { shared: MAX_PREPARATIONS, tenant: MAX_TENANT_PREPARATIONS, host: 0 };
        // No more releases of a tenant wait than may be prepared at once.
        let waiting = WaitingLimits { tenants: usize::MAX, host: 0, message: "too many releases wait" };
        let preparations = FairLimiter::new(permits, waiting);
        Self { store, feed, invoker, preparations, failed, pending, round }
    }

    /// Returns the number of installed releases that the present round has not prepared yet.
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
        let installed: BTreeMap<_, _> = self.store.digests_in_use().await?.into_iter().collect();
        let mut uploaded = self.feed.take_uploaded();
        uploaded.retain(|digest, _| !installed.contains_key(digest));
        let is_due = |digest| !self.invoker.is_ready(digest) && !self.failed_recently(digest);
        let (releases, pending) = by_tenant(&installed, &uploaded, is_due);
        self.pending.store(pending, Ordering::Relaxed);
        let prepare = |(tenant, releases)| self.prepare_releases(tenant, releases);
        join_all(releases.into_iter().map(prepare)).await;
        self.invoker.forget_idle(&installed.into_keys().collect());
        Ok(())
    }

    /// Prepares releases of a tenant, a few at once.
    async fn prepare_releases(&self, tenant: TenantId, releases: Vec<DueRelease>) {
        let prepare = |DueRelease { digest, is_installed }| async move {
            self.prepare_release(tenant, digest).await;
            self.pending.fetch_sub(usize::from(is_installed), Ordering::Relaxed);
        };
        stream::iter(releases).for_each_concurrent(MAX_TENANT_PREPARATIONS, prepare).await;
    }

    async fn prepare_release(&self, tenant: TenantId, digest: Digest) {
        let deadline = Instant::now() + PREPARATION_TIME;
        let prepared = async {
            let _permit = self.preparations.acquire(tenant, deadline).await?;
            self.invoker.prepare(tenant, digest, deadline).await
        };
        let Err(error) = prepared.await else { return };
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

/// A release that is to be prepared.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct DueRelease {
    digest: Digest,
    /// Whether active installations need it.
    is_installed: bool,
}

/// Returns the releases that are due, by the tenants in whose turns they are prepared and installed ones first, and the
/// number of installed ones.
fn by_tenant(
    installed: &BTreeMap<Digest, TenantId>,
    uploaded: &BTreeMap<Digest, TenantId>,
    is_due: impl Fn(Digest) -> bool,
) -> (BTreeMap<TenantId, Vec<DueRelease>>, usize) {
    let (mut releases, mut pending) = (BTreeMap::<_, Vec<_>>::new(), 0);
    for (owners, is_installed) in [(installed, true), (uploaded, false)] {
        for (&digest, &tenant) in owners.iter().filter(|(digest, _)| is_due(**digest)) {
            releases.entry(tenant).or_default().push(DueRelease { digest, is_installed });
            pending += usize::from(is_installed);
        }
    }
    (releases, pending)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_releases_of_active_installations_are_pending() {
        let (first, second) = (TenantId::generate(), TenantId::generate());
        let digest = |n| Digest([n; 32]);
        let installed = BTreeMap::from([(digest(4), first), (digest(5), first), (digest(6), second)]);
        let uploaded = BTreeMap::from([(digest(1), first), (digest(2), second)]);
        let is_due = |due: Digest| due != digest(5);
        let (releases, pending) = by_tenant(&installed, &uploaded, is_due);
        let due = |n, is_installed| DueRelease { digest: digest(n), is_installed };
        let expected =
            [(first, vec![due(4, true), due(1, false)]), (second, vec![due(6, true), due(2, false)])];
        assert_eq!((releases, pending), (BTreeMap::from(expected), 2));
        assert_eq!(by_tenant(&BTreeMap::new(), &uploaded, |_| true).1, 0);
    }
}
