//! Tenants, keys and the caller, as JSON.

use serde::{Deserialize, Serialize};
use tessera_core::id::UserId;
use tessera_core::plugin::LimitOverrides;
use tessera_core::tenancy::{ApiKey, Tenant};
use tessera_core::tenancy::{ChangeTenant, CreateTenant};
use tessera_core::tenancy::{CreateKey, NewKey};
use tessera_core::text::Faults;
use tessera_core::{Result, Role, Timestamp};
use utoipa::ToSchema;

use crate::request::etag;
use crate::rest::dto::patch::Patch;
use crate::rest::dto::text;
use crate::rest::plugin_json::LimitsBody;

/// A tenant.
#[derive(Debug, Serialize, ToSchema)]
pub struct TenantBody {
    /// Its id.
    pub id: String,
    /// Its name in addresses.
    pub slug: String,
    /// Its name for people.
    pub name: String,
    /// `active` or `suspended`.
    pub state: String,
    /// When it was made.
    pub created_at: String,
    /// When it was last changed.
    pub updated_at: String,
    /// What holds the calls of its plugins, below what the host allows.
    pub plugin_limits: LimitsBody,
    /// Names this version, for `If-Match`.
    pub etag: String,
}

/// What makes a tenant.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateTenantBody {
    /// 1 to 63 lower-case letters, digits or hyphens, a letter first; never changes.
    #[serde(default)]
    #[schema(required = true)]
    pub slug: String,
    /// Its name for people, 1 to 100 characters.
    #[serde(default)]
    #[schema(required = true)]
    pub name: String,
}

/// What changes a tenant.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TenantPatch {
    /// Its name for people, 1 to 100 characters.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub name: Patch<String>,
    /// What holds the calls of its plugins, whole; null: nothing below what the host allows.
    #[serde(default)]
    #[schema(value_type = Option<LimitsBody>)]
    pub plugin_limits: Patch<LimitsBody>,
}

/// One tenant.
#[derive(Debug, Serialize, ToSchema)]
pub struct TenantAnswer {
    /// The tenant.
    pub tenant: TenantBody,
}

/// A page of tenants.
#[derive(Debug, Serialize, ToSchema)]
pub struct TenantsPage {
    /// The tenants.
    pub tenants: Vec<TenantBody>,
    /// The token of the next page; empty: this was the last.
    pub next_page_token: String,
}

/// An API key, without its secret.
#[derive(Debug, Serialize, ToSchema)]
pub struct KeyBody {
    /// Its public part.
    pub id: String,
    /// What it is for.
    pub name: String,
    /// What it may do.
    pub roles: Vec<String>,
    /// The user that `me` is.
    pub user_id: Option<String>,
    /// When it was made.
    pub created_at: String,
    /// From when on it is refused.
    pub expires_at: Option<String>,
    /// Since when it is refused.
    pub revoked_at: Option<String>,
    /// Names this version, for `If-Match`.
    pub etag: String,
}

/// What makes a key.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateKeyBody {
    /// What it is for, 1 to 100 characters.
    #[serde(default)]
    #[schema(required = true)]
    pub name: String,
    /// `operator`, `admin`, `agent`, `gate`, `viewer`; at least one.
    #[serde(default)]
    #[schema(required = true)]
    pub roles: Vec<String>,
    /// The user that it stands for.
    #[serde(default)]
    pub user_id: Option<String>,
    /// When it ends by itself.
    #[serde(default)]
    pub expires_at: Option<String>,
    /// The tenant, by id or slug; absent: the caller's. Only operators may name another.
    #[serde(default)]
    pub tenant: Option<String>,
}

/// One key.
#[derive(Debug, Serialize, ToSchema)]
pub struct KeyAnswer {
    /// The key.
    pub key: KeyBody,
}

/// A key that was just made.
#[derive(Debug, Serialize, ToSchema)]
pub struct NewKeyAnswer {
    /// The key.
    pub key: KeyBody,
    /// The whole key, `tsk_<id>_<secret>`: shown this once, and empty when the request is repeated.
    pub secret: String,
}

/// A page of keys.
#[derive(Debug, Serialize, ToSchema)]
pub struct KeysPage {
    /// The keys.
    pub keys: Vec<KeyBody>,
    /// The token of the next page; empty: this was the last.
    pub next_page_token: String,
}

/// Who asks.
#[derive(Debug, Serialize, ToSchema)]
pub struct WhoAmI {
    /// The tenant.
    pub tenant_id: String,
    /// The tenant's name in addresses.
    pub tenant_slug: String,
    /// The key.
    pub key_id: String,
    /// The user that the key stands for.
    pub user_id: Option<String>,
    /// What the key may do.
    pub roles: Vec<String>,
}

/// The names of roles.
#[must_use]
pub fn role_names(roles: &[Role]) -> Vec<String> {
    roles.iter().map(|role| role.name().to_owned()).collect()
}

impl From<Tenant> for TenantBody {
    fn from(tenant: Tenant) -> Self {
        Self {
            id: tenant.id.to_string(),
            slug: tenant.slug,
            name: tenant.name,
            state: tenant.state.name().to_owned(),
            created_at: tenant.created_at.to_string(),
            updated_at: tenant.updated_at.to_string(),
            plugin_limits: tenant.plugin_limits.into(),
            etag: etag(tenant.version),
        }
    }
}

impl From<ApiKey> for KeyBody {
    fn from(key: ApiKey) -> Self {
        Self {
            id: key.id.to_string(),
            roles: role_names(&key.roles),
            name: key.name,
            user_id: text(key.user),
            created_at: key.created_at.to_string(),
            expires_at: text(key.expires_at),
            revoked_at: text(key.revoked_at),
            etag: etag(key.version),
        }
    }
}

impl From<NewKey> for NewKeyAnswer {
    fn from(new: NewKey) -> Self {
        Self { key: new.key.into(), secret: new.text.unwrap_or_default() }
    }
}

impl From<CreateTenantBody> for CreateTenant {
    fn from(body: CreateTenantBody) -> Self {
        Self { slug: body.slug, name: body.name }
    }
}

impl TenantPatch {
    /// The command.
    pub fn command(self) -> Result<ChangeTenant> {
        let mut faults = Faults::default();
        let limits = self.plugin_limits.optional();
        let command = ChangeTenant {
            name: self.name.kept("name", &mut faults),
            plugin_limits: limits.map(|held| held.map_or_else(LimitOverrides::default, Into::into)),
        };
        faults.into_result().map(|()| command)
    }
}

impl CreateKeyBody {
    /// The command.
    pub fn command(self) -> Result<CreateKey> {
        let mut faults = Faults::default();
        let mut roles = Vec::with_capacity(self.roles.len());
        for (index, name) in self.roles.iter().enumerate() {
            roles.extend(faults.take(Role::parse(&format!("roles[{index}]"), name)));
        }
        let given = |text: Option<String>| text.filter(|text| !text.is_empty());
        let user = given(self.user_id).map(|id| UserId::parse("user_id", &id)).transpose()?;
        let expires = given(self.expires_at).map(|at| Timestamp::parse("expires_at", &at));
        let expires_at = expires.and_then(|read| faults.take(read));
        faults.into_result()?;
        Ok(CreateKey { name: self.name, roles, user, expires_at, tenant: given(self.tenant) })
    }
}
