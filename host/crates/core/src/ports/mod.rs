//! What the core needs of its surroundings: the store, the cache and the runner of plugins. Every implementation of a
//! port passes that port's suite of tests.

mod admission;
mod booking;
mod cache;
mod catalog;
mod inventory;
mod outbox;
mod plugin;
mod plugin_runner;
mod pricing;
mod store;
mod tenancy;
mod tracker;

pub use admission::AdmissionStore;
pub use booking::BookingStore;
pub use cache::Cache;
pub use catalog::CatalogStore;
pub use inventory::{BatchResult, InventoryStore};
pub use outbox::OutboxStore;
pub use plugin::PluginStore;
pub use plugin_runner::{AdmissionGuard, ComponentSource, Plugins};
pub use pricing::PricingStore;
pub use store::{DueWork, Store, TenantPage};
pub use tenancy::TenancyStore;
pub use tracker::TrackerStore;
