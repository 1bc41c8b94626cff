//! Releases, installations, timers and hosts.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tessera_core::fair::Owner;
use tessera_core::id::{InstallationId, IssueId, TenantId};
use tessera_core::outbox::Seq;
use tessera_core::page::{Page, PageRequest};
use tessera_core::plugin::{ActiveInstallations, Digest, Installation, Release, Scope, StatesInUse, Timer};
use tessera_core::ports::{PluginStore, Store as _};
use tessera_core::tracker::Project;
use tessera_core::{Result, Timestamp};

use super::super::super::DbStore;
use super::super::maintenance::Maintenance;
use super::super::plugin::{host, installation, release, timer};
use super::super::tracker::{issue, project};

#[async_trait]
impl PluginStore for DbStore {
    async fn release(&self, tenant: TenantId, digest: Digest) -> Result<Option<Release>> {
        read!(self.read(tenant).await?, release::get, tenant, digest)
    }

    async fn release_named(&self, tenant: TenantId, plugin: &str, version: &str) -> Result<Option<Release>> {
        read!(self.read(tenant).await?, release::named, tenant, plugin, version)
    }

    async fn release_usage(&self, tenant: TenantId) -> Result<(u64, u64)> {
        read!(self.read(tenant).await?, release::usage, tenant)
    }

    async fn releases(&self, tenant: TenantId, page: &PageRequest) -> Result<Page<Release>> {
        read!(self.read(tenant).await?, release::list, tenant, page)
    }

    async fn component(&self, owner: Owner, digest: Digest) -> Result<Option<Arc<[u8]>>> {
        read!(self.read(owner).await?, release::bytes, digest)
    }

    async fn has_component(&self, owner: Owner, digest: Digest) -> Result<bool> {
        read!(self.read(owner).await?, release::has_bytes, digest)
    }

    async fn digests_in_use(&self) -> Result<Vec<(Digest, TenantId)>> {
        read!(self.host_reader().await?, installation::digests)
    }

    async fn active_installations(&self, tenant: TenantId) -> Result<ActiveInstallations> {
        read!(self.read(tenant).await?, installation::active_installations, tenant)
    }

    async fn installation(&self, tenant: TenantId, id: InstallationId) -> Result<Option<Installation>> {
        read!(self.read(tenant).await?, installation::get, tenant, id)
    }

    async fn installations(&self, tenant: TenantId, page: &PageRequest) -> Result<Page<Installation>> {
        read!(self.read(tenant).await?, installation::list, tenant, page)
    }

    async fn states_in_use(&self, tenant: TenantId, scope: Scope) -> Result<StatesInUse> {
        read!(self.read(tenant).await?, issue::states_in_use, tenant, scope)
    }

    async fn own_schemes(&self, tenant: TenantId, scope: Scope) -> Result<Vec<Project>> {
        read!(self.read(tenant).await?, project::own_schemes, tenant, scope)
    }

    async fn timers(&self, tenant: TenantId, issue: IssueId) -> Result<Vec<Timer>> {
        read!(self.read(tenant).await?, timer::list, tenant, issue)
    }

    async fn timers_of(
        &self,
        tenant: TenantId,
        installation: InstallationId,
        page: &PageRequest,
    ) -> Result<Page<Timer>> {
        read!(self.read(tenant).await?, timer::of, tenant, installation, page)
    }

    async fn due_timers(&self, tenant: TenantId, now: Timestamp, limit: u32) -> Result<Vec<Timer>> {
        read!(self.read(tenant).await?, timer::due, tenant, now, limit)
    }

    async fn delay_timer(&self, tenant: TenantId, timer: &Timer) -> Result<()> {
        self.maintenance(Maintenance::DelayTimer { tenant, timer: timer.clone() }).await.map(|_| ())
    }

    async fn beat(&self, host: &str, seq: Seq) -> Result<()> {
        self.maintenance(Maintenance::Heartbeat { host: host.to_owned(), seq, now: self.now() })
            .await
            .map(|_| ())
    }

    async fn hosts(&self, tenant: TenantId, span: Duration) -> Result<Vec<(String, Seq)>> {
        read!(self.read(tenant).await?, host::list, self.now().minus(span))
    }
}
