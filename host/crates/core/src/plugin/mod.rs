//! Plugins: their releases, where they are installed, and how they are called.
//!
//! What runs a component is behind [`crate::ports::Plugins`]; nothing here depends on WebAssembly.

pub mod call_log;
mod compatibility;
pub mod dry_run;
mod effect_executor;
mod effect_plan;
mod entity;
pub mod hooks;
pub mod installation;
pub mod installations;
pub mod invoker;
pub mod limits;
mod preloader;
pub mod protocol;
pub mod release;
pub mod releases;
mod state_migration;
pub mod timer;
mod timers;

pub use call_log::{CallRecord, Calls, Verdict};
pub use dry_run::{DryRun, DryRunRequest, DryRunResult};
pub use hooks::{Hooks, Reaction};
pub use installation::{
    ActiveInstallations, Installation, OnFailure, PreviousConfig, ReleaseRef, Scope, StatesInUse,
};
pub use installations::{ChangeInstallation, Install, Installations, Rollout};
pub use invoker::Invoker;
pub use limits::{CallLimits, LimitOverrides};
pub use preloader::Preloader;
pub use protocol::{
    Action, Adjustment, AdjustmentKind, Basket, BasketLine, Call, CallContext, Draft, Effect, Entity,
    Failure, FailureReason, LogLevel, LogLine, Lookup, LookupError, LookupRecord, LookupRequest,
    LookupResult, Notice, Outcome, PluginCommand, PluginRequest, PriceAdjustments, Refusal, Reply, Usage,
    Validation,
};
pub use release::{AdmittedComponent, Digest, Footprint, Hook, Manifest, Release};
pub use releases::{ReleaseName, Releases};
pub use timer::{DueTimer, RetryTimers, Timer};
pub use timers::Timers;
