//! Reads the tenant of a host that has only one.

use crate::error::Result;
use crate::filter::Filter;
use crate::page::PageRequest;
use crate::ports::Store;
use crate::tenancy::tenant::{SPEC, Tenant};

/// Returns the tenant if the store has exactly one.
pub(crate) async fn only_tenant(store: &dyn Store) -> Result<Option<Tenant>> {
    let (filter, order) = (Filter::default(), SPEC.order("")?);
    let page = store.tenants(&PageRequest { size: 2, after: None, filter, order }).await?;
    let mut tenants = page.items.into_iter();
    Ok(tenants.next().filter(|_| tenants.next().is_none()))
}
