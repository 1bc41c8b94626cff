//! The runner of plugins.

use std::collections::BTreeSet;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;

use crate::error::{Result, Violation};
use crate::id::TenantId;
use crate::plugin::{AdmittedComponent, Call, CallLimits, Digest, Outcome};

/// Reads the bytes of a component, if they are needed.
pub type ComponentSource<'a> = Pin<Box<dyn Future<Output = Result<Arc<[u8]>>> + Send + 'a>>;

/// Runs plugins. Calls of one tenant neither see nor slow those of another, beyond its share.
#[async_trait]
pub trait Plugins: Send + Sync {
    /// Checks an uploaded component for everything that could fail later: its imports and exports, whether it compiles
    /// within bounds, its manifest. Code that runs for this counts towards the tenant's share. Afterwards the release
    /// is ready to be called on this host, until it is discarded.
    async fn admit(
        &self,
        tenant: TenantId,
        component: Arc<[u8]>,
        deadline: Instant,
    ) -> Result<AdmittedComponent>;

    /// Keeps an admitted release's machine code for later starts: the release is stored.
    fn keep(&self, digest: Digest);

    /// Unloads an admitted release and deletes its machine code, unless it was kept: the release is not stored.
    fn discard(&self, digest: Digest);

    /// Makes a stored release ready to be called on this host, in the tenant's turn. Code that runs at its start counts
    /// towards the tenant's share.
    async fn prepare(
        &self,
        tenant: TenantId,
        digest: Digest,
        source: ComponentSource<'_>,
        deadline: Instant,
    ) -> Result<()>;

    /// Returns whether a release can be called on this host at once.
    fn is_ready(&self, digest: Digest) -> bool;

    /// Unloads a release, and deletes its machine code.
    fn forget(&self, digest: Digest);

    /// Unloads releases that are not installed, except for the most recently used ones. They are prepared again when
    /// they are called.
    fn forget_idle(&self, installed: &BTreeSet<Digest>);

    /// Deletes files that no version of the host needs, and returns the releases whose machine code is kept.
    fn sweep(&self) -> BTreeSet<Digest>;

    /// Calls a release that is ready.
    async fn call(&self, call: Call) -> Outcome;

    /// Validates a JSON text against a plugin's JSON Schema, and returns the violations with their paths below `field`.
    /// The time counts towards the tenant's share.
    async fn schema_violations(
        &self,
        tenant: TenantId,
        schema: &str,
        json: &str,
        field: &str,
    ) -> Result<Vec<Violation>>;

    /// Returns the highest limits that a call on this host may have.
    fn limits(&self) -> CallLimits;
}

/// Discards an admitted release when it is dropped: at each error, and when the request is cancelled.
pub struct AdmissionGuard<'a>(Option<(&'a dyn Plugins, Digest)>);

impl<'a> AdmissionGuard<'a> {
    /// Creates a guard.
    #[must_use]
    pub fn new(plugins: &'a dyn Plugins, digest: Digest) -> Self {
        Self(Some((plugins, digest)))
    }

    /// Leaves the release as it is.
    pub fn disarm(mut self) {
        self.0 = None;
    }
}

impl Drop for AdmissionGuard<'_> {
    fn drop(&mut self) {
        if let Some((plugins, digest)) = self.0.take() {
            plugins.discard(digest);
        }
    }
}
