//! Tenants and their keys.

pub(super) mod key;
pub(super) mod tenant;
