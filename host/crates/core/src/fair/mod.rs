//! Fair sharing between tenants: bounded waiting places for each tenant, and turns. Callers whose tenant is not known
//! yet share by address.
//!
//! The writer, the connections of a store, requests, compilations and background work all wait in a queue or a limiter of
//! this module, so that one tenant's backlog neither delays another tenant nor takes the places of the host's own work.

mod limiter;
mod owner_queues;
mod places;
mod queue;
mod work;

pub use limiter::{FairLimiter, FairPermit, Permits};
pub use places::{Owner, Places, WaitingLimits};
pub use queue::FairQueue;
pub use work::WorkLimiter;
