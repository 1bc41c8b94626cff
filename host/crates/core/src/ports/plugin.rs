//! Reads of releases, installations and timers.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::error::Result;
use crate::fair::Owner;
use crate::id::{InstallationId, IssueId, TenantId};
use crate::outbox::Seq;
use crate::page::{Page, PageRequest};
use crate::plugin::{ActiveInstallations, Digest, Installation, Release, Scope, StatesInUse, Timer};
use crate::time::Timestamp;
use crate::tracker::Project;

/// Releases, installations and timers.
#[async_trait]
pub trait PluginStore: Send + Sync {
    /// Returns a release.
    async fn release(&self, tenant: TenantId, digest: Digest) -> Result<Option<Release>>;
    /// Returns a release by plugin and version.
    async fn release_named(&self, tenant: TenantId, plugin: &str, version: &str) -> Result<Option<Release>>;
    /// Counts the releases of a tenant, and the bytes of their components.
    async fn release_usage(&self, tenant: TenantId) -> Result<(u64, u64)>;
    /// Returns a page of releases, sorted by `created`.
    async fn releases(&self, tenant: TenantId, page: &PageRequest) -> Result<Page<Release>>;
    /// Returns the bytes of a component. Tenants share them, since the digest identifies the content. The owner
    /// reads them.
    async fn component(&self, owner: Owner, digest: Digest) -> Result<Option<Arc<[u8]>>>;
    /// Returns whether the bytes of a component are stored, without reading them. The owner asks.
    async fn has_component(&self, owner: Owner, digest: Digest) -> Result<bool>;
    /// Returns the digests of all releases that active installations need, each with every tenant that has it
    /// installed, in order.
    async fn digests_in_use(&self) -> Result<Vec<(Digest, TenantId)>>;
    /// Returns the installations of a tenant.
    async fn active_installations(&self, tenant: TenantId) -> Result<ActiveInstallations>;
    /// Returns an installation.
    async fn installation(&self, tenant: TenantId, id: InstallationId) -> Result<Option<Installation>>;
    /// Returns a page of installations, sorted by `created`.
    async fn installations(&self, tenant: TenantId, page: &PageRequest) -> Result<Page<Installation>>;
    /// Counts issues within a scope by project and state.
    async fn states_in_use(&self, tenant: TenantId, scope: Scope) -> Result<StatesInUse>;
    /// Returns the projects within a scope that have a scheme of their own.
    async fn own_schemes(&self, tenant: TenantId, scope: Scope) -> Result<Vec<Project>>;
    /// Returns an issue's timers, sorted by name.
    async fn timers(&self, tenant: TenantId, issue: IssueId) -> Result<Vec<Timer>>;
    /// Returns a page of an installation's timers, with parked ones, sorted by `due`.
    async fn timers_of(
        &self,
        tenant: TenantId,
        installation: InstallationId,
        page: &PageRequest,
    ) -> Result<Page<Timer>>;
    /// Returns at most `limit` due timers, oldest first, without parked ones.
    async fn due_timers(&self, tenant: TenantId, now: Timestamp, limit: u32) -> Result<Vec<Timer>>;
    /// Postpones a timer whose call failed. Does nothing if the timer has another generation by now.
    async fn delay_timer(&self, tenant: TenantId, timer: &Timer) -> Result<()>;
    /// Records that a host is alive, and up to which fact it applied changes of installations.
    async fn beat(&self, host: &str, seq: Seq) -> Result<()>;
    /// Returns the hosts that were alive within `span`, each with the fact up to which it applied changes.
    /// The tenant reads them.
    async fn hosts(&self, tenant: TenantId, span: Duration) -> Result<Vec<(String, Seq)>>;
}
