//! SDK for Tessera plugins.
//!
//! A plugin is a pure function: the host passes an object, a change and the time, and the plugin returns a verdict,
//! effects or adjustments. It has no clock, no randomness, no files and no network.
//!
//! A validation that refuses issues without a description:
//!
//! ```
//! use tessera_plugin::{Context, Manifest, Plugin, Request, Validation, Verdict, Violation, manifest};
//!
//! struct DescriptionRequired;
//!
//! impl Plugin for DescriptionRequired {
//!     fn manifest() -> Manifest {
//!         manifest!().kinds(["issue"])
//!     }
//! }
//!
//! impl Validation for DescriptionRequired {
//!     fn validate(_: &Context, request: &Request) -> Verdict {
//!         if request.is_delete() || request.subject.has("description") {
//!             return Ok(());
//!         }
//!         Err(vec![Violation::for_field("description", "DESCRIPTION_MISSING", "a description is required")])
//!     }
//! }
//!
//! tessera_plugin::export!(DescriptionRequired: validation);
//! # use tessera_plugin::testing::{Harness, create, issue};
//! # let refused = Harness::new().validate::<DescriptionRequired>(&create(issue("1", [("summary", "s")])));
//! # assert_eq!(refused.unwrap_err()[0].code, "DESCRIPTION_MISSING");
//! ```
//!
//! `tessera plugin build` builds the component, and `tessera plugin test` tests it in the sandbox. The module
//! [`testing`] is for native tests with `cargo test`.

#[cfg(any(test, all(target_arch = "wasm32", feature = "allocator")))]
mod allocator;
#[doc(hidden)]
pub mod bindings;
mod entity;
mod export;
mod host;
mod json;
pub mod lookup;
mod manifest;
pub mod money;
pub mod pricing;
#[cfg(not(target_arch = "wasm32"))]
pub mod testing;
mod validation;
pub mod workflow;

pub use bindings::base::tessera::plugin::types::{
    Actor, Change, Context, Entity, Field, Money, Timestamp, Value, Violation,
};
pub use export::Adapter;
pub use host::{Level, debug, error, info, log, settings, warn};
pub use manifest::{Manifest, Plugin};
pub use pricing::Pricing;
pub use validation::{Request, Validation};
pub use workflow::{Effect, Effects, Workflow};

/// Acceptance, or the violations.
pub type Verdict = Result<(), Vec<Violation>>;

/// Milliseconds in a minute, for [`Timestamp`]s.
pub const MINUTE: Timestamp = 60_000;
/// Milliseconds in an hour.
pub const HOUR: Timestamp = 60 * MINUTE;
/// Milliseconds in a day.
pub const DAY: Timestamp = 24 * HOUR;
