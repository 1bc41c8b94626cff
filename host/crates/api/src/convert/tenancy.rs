//! Tenants and keys.

use tessera_core::Result;
use tessera_core::id::UserId;
use tessera_core::tenancy::CreateKey;
use tessera_core::tenancy::{ApiKey, Tenant};
use tessera_core::tenancy::{ChangeTenant, CreateTenant};
use tessera_core::text::Faults;
use tessera_proto::tenancy::v1 as pb;

use crate::convert::limits::{limits, read_limits};
use crate::convert::mask::Mask;
use crate::convert::names::{WireEnum as _, read_role};
use crate::convert::{non_empty, read_time, text, time};
use crate::state::etag;

/// Encodes a tenant.
#[must_use]
pub(crate) fn tenant(tenant: Tenant) -> pb::Tenant {
    pb::Tenant {
        id: tenant.id.to_string(),
        slug: tenant.slug,
        name: tenant.name,
        state: tenant.state.number(),
        created_at: time(tenant.created_at),
        updated_at: time(tenant.updated_at),
        etag: etag(tenant.version),
        plugin_limits: limits(tenant.plugin_limits),
    }
}

/// Reads an update of a tenant. Without a mask, unset limits stay, and an empty name stays if limits are set.
pub(crate) fn change_tenant(request: pb::UpdateTenantRequest) -> Result<ChangeTenant> {
    let mask = Mask::read(request.update_mask, &["name", "plugin_limits"], None)?;
    if mask.is_absent() {
        let keeps_name = request.name.is_empty() && request.plugin_limits.is_some();
        let plugin_limits = request.plugin_limits.map(|limits| read_limits(Some(limits)));
        return Ok(ChangeTenant { name: (!keeps_name).then_some(request.name), plugin_limits });
    }
    let plugin_limits = mask.keep("plugin_limits", read_limits(request.plugin_limits));
    Ok(ChangeTenant { name: mask.keep("name", request.name), plugin_limits })
}

/// Reads a request to create a tenant.
#[must_use]
pub(crate) fn create_tenant(request: pb::CreateTenantRequest) -> CreateTenant {
    CreateTenant { slug: request.slug, name: request.name }
}

/// Encodes a key, without its secret.
#[must_use]
pub(crate) fn key(key: ApiKey) -> pb::Key {
    pb::Key {
        id: key.id.to_string(),
        roles: key.roles.iter().map(|role| role.number()).collect(),
        name: key.name,
        user_id: text(key.user),
        created_at: time(key.created_at),
        expires_at: key.expires_at.and_then(time),
        revoked_at: key.revoked_at.and_then(time),
        etag: etag(key.version),
    }
}

/// Reads a request to create a key.
pub(crate) fn create_key(request: pb::CreateKeyRequest) -> Result<CreateKey> {
    let user = non_empty(request.user_id).map(|id| UserId::parse("user_id", &id)).transpose()?;
    let mut faults = Faults::default();
    let mut roles = Vec::with_capacity(request.roles.len());
    for (index, number) in request.roles.iter().enumerate() {
        roles.extend(faults.take(read_role(&format!("roles[{index}]"), *number)));
    }
    let expires_at = request.expires_at.and_then(|at| faults.take(read_time("expires_at", &at)));
    faults.into_result()?;
    Ok(CreateKey { name: request.name, roles, user, expires_at, tenant: non_empty(request.tenant) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use prost_types::FieldMask;
    use tessera_core::plugin::LimitOverrides;
    use tessera_proto::common::v1::PluginLimits;

    fn request(name: &str, fuel: Option<u64>, paths: &[&str]) -> ChangeTenant {
        let paths: Vec<_> = paths.iter().map(|&path| path.to_owned()).collect();
        let plugin_limits = fuel.map(|fuel| PluginLimits { fuel: Some(fuel), ..Default::default() });
        // No path: no mask.
        let update_mask = (!paths.is_empty()).then_some(FieldMask { paths });
        let name = name.to_owned();
        change_tenant(pb::UpdateTenantRequest { name, plugin_limits, update_mask, ..Default::default() })
            .unwrap()
    }

    #[test]
    fn name_and_limits_change_independently() {
        let limits = LimitOverrides { fuel: Some(5), ..LimitOverrides::default() };
        let parts = |change: ChangeTenant| (change.name, change.plugin_limits);
        assert_eq!(parts(request("N", None, &[])), (Some("N".into()), None));
        assert_eq!(parts(request("", Some(5), &[])), (None, Some(limits)));
        assert_eq!(parts(request("N", Some(5), &["plugin_limits"])), (None, Some(limits)));
        assert_eq!(parts(request("", None, &["plugin_limits"])), (None, Some(LimitOverrides::default())));
        // The core refuses an empty name.
        assert_eq!(parts(request("", None, &[])), (Some(String::new()), None));
    }
}
