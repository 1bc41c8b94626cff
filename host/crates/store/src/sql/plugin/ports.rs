//! What else the core asks of plugins: their timers, as admins see them.

use async_trait::async_trait;
use tessera_core::Result;
use tessera_core::id::{InstallationId, TenantId};
use tessera_core::page::{Page, PageRequest};
use tessera_core::plugin::Timer;
use tessera_core::ports::TimerStore;

use super::super::DbStore;
use super::timer;

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
