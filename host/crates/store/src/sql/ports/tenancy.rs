//! Tenants and keys.

use async_trait::async_trait;
use tessera_core::Result;
use tessera_core::fair::Owner;
use tessera_core::id::{KeyId, TenantId};
use tessera_core::page::{Page, PageRequest};
use tessera_core::ports::TenancyStore;
use tessera_core::tenancy::{ApiKey, StoredKey, Tenant};
use uuid::Uuid;

use super::super::super::DbStore;
use super::super::tenancy::{key, tenant};

#[async_trait]
impl TenancyStore for DbStore {
    async fn tenant(&self, id: TenantId) -> Result<Option<Tenant>> {
        read!(self.read(id).await?, tenant::get, id)
    }

    async fn named_tenant(&self, caller: Owner, id_or_slug: &str) -> Result<Option<Tenant>> {
        match Uuid::try_parse(id_or_slug) {
            Ok(id) => read!(self.read(caller).await?, tenant::get, TenantId(id)),
            Err(_) => read!(self.read(caller).await?, tenant::by_slug, id_or_slug),
        }
    }

    async fn tenants(&self, page: &PageRequest) -> Result<Page<Tenant>> {
        read!(self.read(Owner::Unidentified).await?, tenant::list, page)
    }

    async fn key(&self, id: &KeyId) -> Result<Option<StoredKey>> {
        read!(self.read(Owner::Unidentified).await?, key::get, id)
    }

    async fn keys(&self, tenant: TenantId, page: &PageRequest) -> Result<Page<ApiKey>> {
        read!(self.read(tenant).await?, key::list, tenant, page)
    }
}
