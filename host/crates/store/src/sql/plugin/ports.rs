//! What else the core asks of plugins: whether their bytes are kept, and their timers as admins see them.

use async_trait::async_trait;
use tessera_core::Result;
use tessera_core::id::{InstallationId, TenantId};
use tessera_core::page::{Page, PageRequest};
use tessera_core::plugin::{Digest, Timer};
use tessera_core::ports::{ComponentStore, TimerStore};

use super::super::DbStore;
use super::{release, timer};
use crate::fair::HOST;

#[async_trait]
impl ComponentStore for DbStore {
    async fn has_component(&self, digest: Digest) -> Result<bool> {
        let mut reader = self.read(HOST).await?;
        let found = release::has_bytes(&mut reader, digest).await;
        reader.back(found)
    }
}

#[async_trait]
impl TimerStore for DbStore {
    async fn timers_of(
        &self,
        tenant: TenantId,
        installation: InstallationId,
        page: &PageRequest,
    ) -> Result<Page<Timer>> {
        let mut reader = self.read(tenant).await?;
        let found = timer::of(&mut reader, tenant, installation, page).await;
        reader.back(found)
    }
}
