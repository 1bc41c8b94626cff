//! Tenants: isolated customers of the host.

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
    /// Its name in addresses: `acme`.
    pub slug: String,
    /// Its name for people.
    pub name: String,
    /// Whether it is let in.
    pub state: TenantState,
    /// What holds the calls of its plugins, below what the host allows.
    pub plugin_limits: LimitOverrides,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Counts its changes.
    pub version: u64,
}

/// Whether a tenant is let in.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum TenantState {
    /// It is.
    Active,
    /// All its keys are refused.
    Suspended,
}

impl TenantState {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Suspended => "suspended",
        }
    }
}

/// What tenants can be listed by.
pub const SPEC: Spec =
    Spec { fields: &[("slug", Kind::Text), ("state", Kind::Text)], orders: &["created", "slug"] };

/// The largest page of tenants.
pub const MAX_PAGE: u32 = 100;

/// The slug of the tenant that the first start makes.
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
