//! Tenants and API keys as recorded answers.

use serde::{Deserialize, Serialize};
use tessera_core::id::{KeyId, TenantId, UserId};
use tessera_core::tenancy::{ApiKey, Tenant, TenantState};
use tessera_core::{Result, Timestamp};

use super::plugin::{StoredLimits, limits, stored_limits};
use super::scalar::{corrupt, moment};
use super::value::{roles, stored_roles};

#[derive(Serialize, Deserialize)]
pub(crate) struct StoredTenant {
    id: String,
    slug: String,
    name: String,
    state: String,
    #[serde(default)]
    plugin_limits: StoredLimits,
    created_at: i64,
    updated_at: i64,
    version: u64,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct StoredApiKey {
    id: String,
    tenant: String,
    name: String,
    roles: Vec<String>,
    user: Option<String>,
    created_at: i64,
    expires_at: Option<i64>,
    revoked_at: Option<i64>,
    version: u64,
}

/// Decodes a tenant's state.
pub(crate) fn tenant_state(name: &str) -> Result<TenantState> {
    let known = [TenantState::Active, TenantState::Suspended];
    known.into_iter().find(|state| state.name() == name).ok_or_else(|| corrupt("a tenant's state", name))
}

pub(crate) fn stored_tenant(tenant: &Tenant) -> StoredTenant {
    StoredTenant {
        id: tenant.id.to_string(),
        slug: tenant.slug.clone(),
        name: tenant.name.clone(),
        state: tenant.state.name().to_owned(),
        plugin_limits: stored_limits(&tenant.plugin_limits),
        created_at: tenant.created_at.micros(),
        updated_at: tenant.updated_at.micros(),
        version: tenant.version,
    }
}

pub(crate) fn tenant(stored: StoredTenant) -> Result<Tenant> {
    Ok(Tenant {
        id: TenantId::parse("id", &stored.id)?,
        slug: stored.slug,
        name: stored.name,
        state: tenant_state(&stored.state)?,
        plugin_limits: limits(&stored.plugin_limits),
        created_at: moment(stored.created_at)?,
        updated_at: moment(stored.updated_at)?,
        version: stored.version,
    })
}

pub(crate) fn stored_api_key(key: &ApiKey) -> StoredApiKey {
    StoredApiKey {
        id: key.id.to_string(),
        tenant: key.tenant.to_string(),
        name: key.name.clone(),
        roles: stored_roles(&key.roles),
        user: key.user.map(|user| user.to_string()),
        created_at: key.created_at.micros(),
        expires_at: key.expires_at.map(Timestamp::micros),
        revoked_at: key.revoked_at.map(Timestamp::micros),
        version: key.version,
    }
}

pub(crate) fn api_key(stored: StoredApiKey) -> Result<ApiKey> {
    Ok(ApiKey {
        id: KeyId::parse("id", &stored.id)?,
        tenant: TenantId::parse("tenant", &stored.tenant)?,
        name: stored.name,
        roles: roles(&stored.roles)?,
        user: stored.user.map(|user| UserId::parse("user", &user)).transpose()?,
        created_at: moment(stored.created_at)?,
        expires_at: stored.expires_at.map(moment).transpose()?,
        revoked_at: stored.revoked_at.map(moment).transpose()?,
        version: stored.version,
    })
}
