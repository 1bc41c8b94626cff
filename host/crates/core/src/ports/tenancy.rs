//! Reads of tenants and API keys.

use async_trait::async_trait;

use crate::error::Result;
use crate::id::{KeyId, TenantId};
use crate::page::{Page, PageRequest};
use crate::tenancy::{ApiKey, StoredKey, Tenant};

/// Tenants and their API keys.
#[async_trait]
pub trait TenancyStore: Send + Sync {
    /// Returns a tenant by id.
    async fn tenant(&self, id: TenantId) -> Result<Option<Tenant>>;
    /// Returns a tenant by slug.
    async fn tenant_by_slug(&self, slug: &str) -> Result<Option<Tenant>>;
    /// Returns a page of all tenants, sorted by `created` or `slug`.
    async fn tenants(&self, page: &PageRequest) -> Result<Page<Tenant>>;
    /// Returns a key by its id. The tenant is not an argument: the key determines it.
    async fn key(&self, id: &KeyId) -> Result<Option<StoredKey>>;
    /// Returns a page of a tenant's keys, sorted by `created`.
    async fn keys(&self, tenant: TenantId, page: &PageRequest) -> Result<Page<ApiKey>>;
}
