//! Tenants and keys.

use tessera_core::Result;
use tessera_core::id::UserId;
use tessera_core::tenancy::key::{CreateKey, NewKey};
use tessera_core::tenancy::tenant::CreateTenant;
use tessera_core::tenancy::{ApiKey, Tenant};
use tessera_core::text::Faults;
use tessera_proto::tenancy::v1 as pb;

use crate::grpc::convert::{given, names, read_time, text, time};
use crate::request::etag;

/// A tenant.
#[must_use]
pub fn tenant(tenant: Tenant) -> pb::Tenant {
    pb::Tenant {
        id: tenant.id.to_string(),
        slug: tenant.slug,
        name: tenant.name,
        state: names::tenant_state(tenant.state),
        created_at: time(tenant.created_at),
        updated_at: time(tenant.updated_at),
        etag: etag(tenant.version),
    }
}

/// What makes a tenant.
#[must_use]
pub fn create_tenant(ask: pb::CreateTenantRequest) -> CreateTenant {
    CreateTenant { slug: ask.slug, name: ask.name }
}

/// A key, without its secret.
#[must_use]
pub fn key(key: ApiKey) -> pb::Key {
    pb::Key {
        id: key.id.to_string(),
        roles: key.roles.iter().map(|role| names::role(*role)).collect(),
        name: key.name,
        user_id: text(key.user),
        created_at: time(key.created_at),
        expires_at: key.expires_at.and_then(time),
        revoked_at: key.revoked_at.and_then(time),
        etag: etag(key.version),
    }
}

/// A key that was just made.
#[must_use]
pub fn new_key(new: NewKey) -> pb::CreateKeyResponse {
    pb::CreateKeyResponse { key: Some(key(new.key)), secret: new.text.unwrap_or_default() }
}

/// What makes a key.
pub fn create_key(ask: pb::CreateKeyRequest) -> Result<CreateKey> {
    let user = given(ask.user_id).map(|id| UserId::parse("user_id", &id)).transpose()?;
    let mut faults = Faults::default();
    let mut roles = Vec::with_capacity(ask.roles.len());
    for (index, number) in ask.roles.iter().enumerate() {
        roles.extend(faults.take(names::read_role(&format!("roles[{index}]"), *number)));
    }
    let expires_at = ask.expires_at.and_then(|at| faults.take(read_time("expires_at", &at)));
    faults.into_result()?;
    Ok(CreateKey { name: ask.name, roles, user, expires_at, tenant: given(ask.tenant) })
}
