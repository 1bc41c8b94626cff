//! Tenants, their API keys, and authentication.

pub mod key;
pub(crate) mod lookup;
mod refused_logins;
pub mod tenant;

pub mod auth;
pub mod keys;
pub mod tenants;

pub use auth::Authenticator;
pub use key::{ApiKey, KeyHash, StoredKey};
pub use keys::{CreateKey, Keys, NewKey};
pub use tenant::{Tenant, TenantState};
pub use tenants::{ChangeTenant, CreateTenant, Tenants};
