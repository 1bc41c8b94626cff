//! Bounded reads of the tenant's data, for validations and workflows.

use crate::Entity;

pub use crate::bindings::lookup::tessera::plugin::lookup::LookupError;

/// Returns the entity of a kind (`issue`, `project`, `user`) and id, or `None` if it does not exist. If the entity
/// changes before the commit, the host calls the plugin again.
pub fn get(kind: &str, id: &str) -> Result<Option<Entity>, LookupError> {
    #[cfg(target_arch = "wasm32")]
    return crate::bindings::lookup::tessera::plugin::lookup::get(kind, id);
    #[cfg(not(target_arch = "wasm32"))]
    return crate::testing::get(kind, id);
}

/// Returns at most `limit` matching entities, newest first. Filters are written as in the API's lists:
/// `project:P1 -status:CLOSED created>2026-01-01`.
pub fn find(kind: &str, filter: &str, limit: u32) -> Result<Vec<Entity>, LookupError> {
    #[cfg(target_arch = "wasm32")]
    return crate::bindings::lookup::tessera::plugin::lookup::find(kind, filter, limit);
    #[cfg(not(target_arch = "wasm32"))]
    return crate::testing::find(kind, filter, limit);
}
