//! Plugins: their releases, where they are installed, and how they are called.
//!
//! What runs a component is behind [`crate::ports::Plugins`]; nothing here depends on WebAssembly.

mod active_installations;
mod budget;
pub mod call_log;
mod cascade;
mod compatibility;
pub mod dry_run;
mod effect_executor;
mod effect_plan;
mod entity;
pub mod hooks;
pub mod installation;
mod installation_change;
pub mod installations;
pub mod invoker;
pub mod limits;
mod lookups;
mod preloader;
pub mod protocol;
mod refusal;
pub mod release;
pub mod releases;
mod rollout;
mod state_migration;
pub mod timer;
mod timers;
mod uploads;
mod validation;

pub use active_installations::ActiveInstallations;
pub use call_log::{CallRecord, Calls, Verdict};
pub use cascade::Reaction;
pub use dry_run::{DryRun, DryRunRequest, DryRunResult};
pub use entity::Entity;
pub use hooks::Hooks;
pub(crate) use hooks::PriceCalls;
pub use installation::{Installation, OnFailure, PreviousConfig, ReleaseRef, Scope, StatesInUse};
pub use installation_change::{ChangeInstallation, Install};
pub use installations::Installations;
pub use invoker::Invoker;
pub use limits::{CallLimits, LimitOverrides};
pub use preloader::Preloader;
pub use protocol::{
    Action, Adjustment, AdjustmentKind, Basket, BasketLine, Call, CallContext, CallShare, Draft, Effect,
    Failure, FailureReason, LogLevel, LogLine, Lookup, LookupError, LookupRecord, LookupRequest,
    LookupResult, Notice, Outcome, PluginCommand, PluginRequest, PriceAdjustments, Refusal, Reply, Usage,
    Validation,
};
pub use release::{AdmittedComponent, Digest, Footprint, Hook, Manifest, Release, ReleaseName};
pub use releases::{ComponentLimits, Releases};
pub use rollout::Rollout;
pub use timer::{RetryTimers, Timer};
pub use timers::Timers;
pub use uploads::UploadPermit;
