//! Plugins: their releases, where they are installed, and how they are called.
//!
//! What runs a component is behind [`crate::ports::Plugins`]; nothing here knows of WebAssembly.

mod asking;
pub mod call;
pub mod caller;
pub mod calls;
mod effects;
mod fitting;
pub mod hooks;
pub mod installation;
pub mod installations;
mod keeper;
pub mod limits;
mod mapping;
pub mod release;
pub mod releases;
pub mod timer;
mod timers;
pub mod trial;
mod work;

pub use call::{
    Action, Adjusted, Adjustment, AdjustmentKind, Ask, Basket, BasketLine, Call, CallContext, Draft, Effect,
    Entity, Failure, FailureReason, LogLevel, LogLine, LookedUp, Lookup, LookupAnswer, LookupAsk,
    LookupError, Notice, Outcome, PluginCommand, Refusal, Reply, Usage, Validation,
};
pub use caller::Caller;
pub use calls::{CallRecord, Calls, Verdict};
pub use hooks::{Hooks, Reaction};
pub use installation::{InForce, Installation, Left, OnFailure, ReleaseRef, Scope, StatesInUse};
pub use installations::{ChangeInstallation, InForceReport, Install, Installations};
pub use keeper::Keeper;
pub use limits::{AskedLimits, CallLimits};
pub use release::{Admitted, Digest, Footprint, Hook, Manifest, Release};
pub use releases::{ReleaseName, Releases};
pub use timer::{DueTimer, RetryTimers, Timer};
pub use timers::Timers;
pub use trial::{Question, Trial, Tried};
pub use work::Move;
