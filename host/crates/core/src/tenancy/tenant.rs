//! Tenants: isolated customers of the host.

use uuid::Uuid;

use crate::filter::{Kind, Spec};
use crate::id::TenantId;
use crate::plugin::LimitOverrides;
use crate::time::Timestamp;
use crate::value::{Field, Snapshot};

/// A tenant.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Tenant {
    /// Its id.
    pub id: TenantId,
    /// Its name in addresses, such as `acme`.
    pub slug: String,
    /// Its name for people.
    pub name: String,
    /// Its state.
    pub state: TenantState,
    /// The limits of its plugins' calls, within those of the host.
    pub plugin_limits: LimitOverrides,
    /// The time of its creation.
    pub created_at: Timestamp,
    /// The time of its last change.
    pub updated_at: Timestamp,
    /// Its version.
    pub version: u64,
}

impl Tenant {
    /// Returns whether it has this id or slug.
    #[must_use]
    pub fn is_named(&self, id_or_slug: &str) -> bool {
        self.slug == id_or_slug || Uuid::try_parse(id_or_slug).is_ok_and(|id| id == self.id.0)
    }
}

/// The state of a tenant.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum TenantState {
    /// Its API keys are accepted.
    Active,
    /// All its API keys are refused.
    Suspended,
}

impl TenantState {
    /// Returns its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Suspended => "suspended",
        }
    }
}

/// The filters and orders of lists of tenants.
pub const SPEC: Spec =
    Spec { fields: &[("slug", Kind::Text), ("state", Kind::Text)], orders: &["created", "slug"] };

/// The largest page of tenants.
pub const MAX_PAGE: u32 = 100;

/// The slug of the tenant that the first start creates.
pub const DEFAULT_SLUG: &str = "default";

impl Snapshot for Tenant {
    fn snapshot(&self) -> Vec<Field> {
        let mut fields = vec![
            Field::new("slug", self.slug.as_str()),
            Field::new("name", self.name.as_str()),
            Field::new("state", self.state.name()),
        ];
        fields.extend(self.plugin_limits.snapshot("plugin_limits"));
        fields
    }
}
