//! Writes plugins for Tessera.
//!
//! A plugin is a pure function: the host shows it an object and a change, and it answers. It has no clock,
//! no randomness, no files and no network; the host passes the time in, and carries out what it wants done.
//!
//! A rule that refuses issues without a description:
//!
//! ```
//! use tessera_plugin::{Context, Manifest, Plugin, Request, Validation, Verdict, Violation, manifest};
//!
//! struct Described;
//!
//! impl Plugin for Described {
//!     fn manifest() -> Manifest {
//!         manifest!().kinds(["issue"])
//!     }
//! }
//!
//! impl Validation for Described {
//!     fn validate(_: &Context, request: &Request) -> Verdict {
//!         if request.is_delete() || request.subject.has("description") {
//!             return Ok(());
//!         }
//!         Err(vec![Violation::of("description", "DESCRIPTION_MISSING", "say what it is about")])
//!     }
//! }
//!
//! tessera_plugin::export!(Described: validation);
//! # use tessera_plugin::testing::{Harness, create, issue};
//! # let refused = Harness::new().validate::<Described>(&create(issue("1", [("summary", "s")])));
//! # assert_eq!(refused.unwrap_err()[0].code, "DESCRIPTION_MISSING");
//! ```
//!
//! `tessera plugin build` makes a component of it; `tessera plugin test` tries it in the sandbox. The module
//! [`testing`] tries it natively, in `cargo test`.

#[doc(hidden)]
pub mod bindings;
mod entity;
mod export;
mod host;
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

/// Whether something is allowed, and if not, why.
pub type Verdict = Result<(), Vec<Violation>>;

/// Milliseconds in a minute, an hour and a day, for [`Timestamp`]s.
pub const MINUTE: Timestamp = 60_000;
/// Milliseconds in an hour.
pub const HOUR: Timestamp = 60 * MINUTE;
/// Milliseconds in a day.
pub const DAY: Timestamp = 24 * HOUR;
