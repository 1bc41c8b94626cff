//! The table of REST routes. Each line has a method, a path, the operation's id in the OpenAPI document, and the
//! operation.
//!
//! Path parameters have the names of request fields. Streams, uploads, printed tickets and health have their own
//! handlers and are in the same table.

mod admission;
mod catalog;
mod inventory;
mod plugins;
mod pricing;
mod promotions;
mod tenancy;
mod tracker;

use crate::rest::route::RouteEntry;
use crate::rest::{health, streams};

/// All routes with the tag under which the OpenAPI document groups them.
pub(super) fn all() -> Vec<(&'static str, Vec<RouteEntry>)> {
    let mut groups = vec![("health", health::routes())];
    groups.extend(tenancy::routes());
    groups.extend(tracker::routes());
    groups.extend(plugins::routes());
    groups.extend(catalog::routes());
    groups.extend(inventory::routes());
    groups.push(("prices", pricing::routes()));
    groups.push(("promotions", promotions::routes()));
    groups.extend(admission::routes());
    groups.push(("streams", streams::routes()));
    groups
}
