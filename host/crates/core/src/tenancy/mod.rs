//! Tenants, their API keys, and who is asking.

pub mod auth;
pub mod key;
pub mod tenant;

pub use auth::Authenticator;
pub use key::{ApiKey, KeyHash, Keys, StoredKey};
pub use tenant::{ChangeTenant, Tenant, TenantState, Tenants};
