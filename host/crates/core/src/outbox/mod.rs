//! Facts, and how hosts follow them.

mod access_signals;
pub mod audit;
pub mod fact;
pub mod feed;

pub use audit::Facts;
pub use fact::{Actor, Fact, FactType, Mark, NewFact, ObjectRef, Seq};
pub use feed::{Feed, Subscription};
