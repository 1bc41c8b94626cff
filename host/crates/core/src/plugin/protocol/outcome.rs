//! The outcome of a call: its reply or failure, its log and what it used.

use std::time::Duration;

use crate::plugin::protocol::lookup::LookupRecord;
use crate::plugin::protocol::request::Reply;

/// The outcome of a call.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The reply, or the failure.
    pub reply: Result<Reply, Failure>,
    /// The resources that it used.
    pub usage: Usage,
    /// Its log, cut at the limit.
    pub log: Vec<LogLine>,
    /// Whether log lines were cut.
    pub log_was_cut: bool,
    /// Its look-ups.
    pub lookups: Vec<LookupRecord>,
}

/// The resources that a call used.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Usage {
    /// Instructions, in units of fuel.
    pub fuel: u64,
    /// The time that the guest ran.
    pub time: Duration,
    /// The peak memory of its instance, in bytes.
    pub memory: u64,
}

/// A line of a guest's log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LogLine {
    /// The level.
    pub level: LogLevel,
    /// The message.
    pub message: String,
}

/// The level of a log line.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum LogLevel {
    /// Details for the author.
    Debug,
    /// Normal operation.
    Info,
    /// Unexpected, but handled.
    Warn,
    /// An error.
    Error,
}

/// The failure of a call; all of it is for the author of the plugin.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Failure {
    /// The reason.
    pub reason: FailureReason,
    /// A message for the author: the limit, the usage, and how to see more.
    pub message: String,
    /// The guest's stack, innermost function first.
    pub backtrace: Vec<String>,
}

/// The reason of a failure.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum FailureReason {
    /// It ran out of fuel.
    OutOfFuel,
    /// It ran for longer than allowed.
    TimedOut,
    /// It exceeded the limits of memory, tables or instances.
    OutOfMemory,
    /// The request is larger than allowed.
    InputTooLarge,
    /// The reply is larger than allowed.
    OutputTooLarge,
    /// The reply has more effects than allowed.
    TooManyEffects,
    /// It trapped: a panic, a division by zero, a stack overflow.
    Trapped,
    /// The reply breaks the contract.
    BadAnswer,
    /// The deadline of the request has passed.
    Late,
    /// The tenant's share of the sandbox is in use; a retry may succeed.
    Busy,
    /// The host cannot run it, by a fault of its own.
    Host,
}

impl FailureReason {
    /// All reasons.
    pub const ALL: [Self; 11] = [
        Self::OutOfFuel,
        Self::TimedOut,
        Self::OutOfMemory,
        Self::InputTooLarge,
        Self::OutputTooLarge,
        Self::TooManyEffects,
        Self::Trapped,
        Self::BadAnswer,
        Self::Late,
        Self::Busy,
        Self::Host,
    ];

    /// Returns its stable name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::OutOfFuel => "PLUGIN_OUT_OF_FUEL",
            Self::TimedOut => "PLUGIN_TIMED_OUT",
            Self::OutOfMemory => "PLUGIN_OUT_OF_MEMORY",
            Self::InputTooLarge => "PLUGIN_INPUT_TOO_LARGE",
            Self::OutputTooLarge => "PLUGIN_OUTPUT_TOO_LARGE",
            Self::TooManyEffects => "PLUGIN_TOO_MANY_EFFECTS",
            Self::Trapped => "PLUGIN_TRAPPED",
            Self::BadAnswer => "PLUGIN_BAD_ANSWER",
            Self::Late => "DEADLINE_EXCEEDED",
            Self::Busy => "PLUGIN_BUSY",
            Self::Host => "PLUGIN_UNAVAILABLE",
        }
    }
}
