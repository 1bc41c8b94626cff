//! Reads of tenants and API keys.

use async_trait::async_trait;

use crate::error::Result;
use crate::fair::Owner;
use crate::id::{KeyId, TenantId};
use crate::page::{Page, PageRequest};
use crate::tenancy::{ApiKey, StoredKey, Tenant};

/// Tenants and their API keys.
#[async_trait]
pub trait TenancyStore: Send + Sync {
    /// Returns a tenant by id, in its own turn.
    async fn tenant(&self, id: TenantId) -> Result<Option<Tenant>>;
    /// Returns the tenant that a caller names by id or slug, in the caller's turn: the tenant may be invented.
    async fn named_tenant(&self, caller: Owner, id_or_slug: &str) -> Result<Option<Tenant>>;
    /// Returns a page of all tenants, sorted by `created` or `slug`.
    async fn tenants(&self, page: &PageRequest) -> Result<Page<Tenant>>;
    /// Returns a key by its id. The tenant is not an argument: the key determines it.
    async fn key(&self, id: &KeyId) -> Result<Option<StoredKey>>;
    /// Returns a page of a tenant's keys, sorted by `created`.
    async fn keys(&self, tenant: TenantId, page: &PageRequest) -> Result<Page<ApiKey>>;
}
