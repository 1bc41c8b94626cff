//! The types of the protocol between the host and a plugin: a request, its reply, and what the call used.
//!
//! Data travels as named fields, so that a plugin of an older contract can read what a newer host sends.

mod effect;
mod lookup;
mod outcome;
mod pricing;
mod request;

pub use effect::{Action, Draft, Effect, Notice};
pub use lookup::{Lookup, LookupError, LookupRecord, LookupRequest, LookupResult};
pub use outcome::{Failure, FailureReason, LogLevel, LogLine, Outcome, Usage};
pub use pricing::{Adjustment, AdjustmentKind, Basket, BasketLine, PriceAdjustments};
pub use request::{Call, CallContext, CallShare, PluginCommand, PluginRequest, Refusal, Reply, Validation};
