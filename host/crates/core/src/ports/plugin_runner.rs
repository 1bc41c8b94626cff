//! The runner of plugins.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;

use crate::error::{Result, Violation};
use crate::id::TenantId;
use crate::plugin::{AdmittedComponent, Call, CallLimits, Digest, Outcome};

/// Runs plugins. Calls of one tenant neither see nor slow those of another, beyond its share.
#[async_trait]
pub trait Plugins: Send + Sync {
    /// Checks an uploaded component for everything that could fail later: its imports and exports, whether it compiles
    /// within bounds, its manifest. Code that runs for this counts towards the tenant's share. Afterwards the release
    /// is ready to be called on this host.
    async fn admit(&self, tenant: TenantId, component: Arc<[u8]>) -> Result<AdmittedComponent>;

    /// Makes an admitted release ready to be called on this host. Code that runs at its start counts towards the
    /// tenant's share; without a tenant, towards the host's.
    async fn prepare(&self, tenant: Option<TenantId>, digest: Digest, component: Arc<[u8]>) -> Result<()>;

    /// Returns whether a release can be called on this host at once.
    fn is_ready(&self, digest: Digest) -> bool;

    /// Unloads a release.
    fn forget(&self, digest: Digest);

    /// Unloads releases that are not installed, except for the most recently used ones. They are prepared again when
    /// they are called.
    fn forget_idle(&self, installed: &BTreeSet<Digest>);

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
