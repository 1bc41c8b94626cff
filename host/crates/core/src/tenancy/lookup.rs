//! Reads tenants from the store by other things than their id.

use uuid::Uuid;

use crate::error::Result;
use crate::filter::Filter;
use crate::id::TenantId;
use crate::page::PageRequest;
use crate::ports::Store;
use crate::tenancy::tenant::{SPEC, Tenant};

/// Returns the tenant with this id or slug.
pub(crate) async fn tenant(store: &dyn Store, id_or_slug: &str) -> Result<Option<Tenant>> {
    match Uuid::try_parse(id_or_slug) {
        Ok(id) => store.tenant(TenantId(id)).await,
        Err(_) => store.tenant_by_slug(id_or_slug).await,
    }
}

/// Returns the tenant if the store has exactly one.
pub(crate) async fn only_tenant(store: &dyn Store) -> Result<Option<Tenant>> {
    let (filter, order) = (Filter::default(), SPEC.order("")?);
    let page = store.tenants(&PageRequest { size: 2, after: None, filter, order }).await?;
    let mut tenants = page.items.into_iter();
    Ok(tenants.next().filter(|_| tenants.next().is_none()))
}
