//! What the cache holds, and under which keys.

use std::sync::Arc;

use crate::id::{KeyId, TenantId, UserId};
use crate::plugin::ActiveInstallations;
use crate::pricing::PricingRule;
use crate::tenancy::{StoredKey, Tenant};
use crate::tracker::User;

/// The key of a cached entry.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum CacheKey {
    /// An API key by its id.
    Key(KeyId),
    /// A tenant by its id or slug.
    Tenant(String),
    /// A user of a tenant.
    User(TenantId, UserId),
    /// The installations of a tenant.
    ActiveInstallations(TenantId),
    /// The pricing rules of a tenant.
    PricingRules(TenantId),
    /// The tenant of a host that has only one.
    OnlyTenant,
}

/// A cached entry. Absence is not cached, since no fact would invalidate it.
#[derive(Clone, Debug)]
pub enum Cached {
    /// An API key.
    Key(Arc<StoredKey>),
    /// A tenant.
    Tenant(Arc<Tenant>),
    /// A user.
    User(Arc<User>),
    /// The installations of a tenant.
    ActiveInstallations(Arc<ActiveInstallations>),
    /// The pricing rules of a tenant, oldest first.
    PricingRules(Arc<[PricingRule]>),
    /// The tenant of a host that has only one; `None` if there are several.
    OnlyTenant(Option<Arc<Tenant>>),
}
