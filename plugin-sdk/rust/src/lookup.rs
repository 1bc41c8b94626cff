//! Bounded reads of the tenant's own data, for validations and workflows.

use crate::Entity;

pub use crate::bindings::lookup::tessera::plugin::lookup::LookupError;

/// An entity by its kind (`issue`, `project`, `user`) and id. What it answers is part of the decision: if it
/// changes before the change is stored, the plugin is asked again.
pub fn get(kind: &str, id: &str) -> Result<Option<Entity>, LookupError> {
    #[cfg(target_arch = "wasm32")]
    return crate::bindings::lookup::tessera::plugin::lookup::get(kind, id);
    #[cfg(not(target_arch = "wasm32"))]
    return crate::testing::get(kind, id);
}

/// At most `limit` entities that match, newest first. The filter is that of the API's lists:
/// `project:P1 -status:CLOSED created>2026-01-01`.
pub fn find(kind: &str, filter: &str, limit: u32) -> Result<Vec<Entity>, LookupError> {
    #[cfg(target_arch = "wasm32")]
    return crate::bindings::lookup::tessera::plugin::lookup::find(kind, filter, limit);
    #[cfg(not(target_arch = "wasm32"))]
    return crate::testing::find(kind, filter, limit);
}
