//! The outcome of a call: its reply or failure, its log and what it used.

use std::time::Duration;

use crate::plugin::protocol::lookup::LookupRecord;
use crate::plugin::protocol::request::Reply;

/// How a call ended, and what it used.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The answer, or why there is none.
    pub reply: Result<Reply, Failure>,
    /// What it used.
    pub usage: Usage,
    /// What it logged, cut at the limit.
    pub log: Vec<LogLine>,
    /// Whether log lines were cut.
    pub log_was_cut: bool,
    /// What it looked up.
    pub lookups: Vec<LookupRecord>,
}

/// What a call used.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Usage {
    /// Instructions, as fuel counts them.
    pub fuel: u64,
    /// The guest's own time.
    pub time: Duration,
    /// The most memory that its instance held, in bytes.
    pub memory: u64,
}

/// A line that a guest logged.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LogLine {
    /// How grave.
    pub level: LogLevel,
    /// What it says.
    pub message: String,
}

/// How grave a guest thinks a line is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum LogLevel {
    /// For its author.
    Debug,
    /// As it should be.
    Info,
    /// Strange.
    Warn,
    /// Wrong.
    Error,
}

/// Why a call has no answer. Its author may read all of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Failure {
    /// What happened.
    pub reason: FailureReason,
    /// For the author: which limit, how much was used, how to see more.
    pub message: String,
    /// The guest's functions that were running, innermost first.
    pub backtrace: Vec<String>,
}

/// Why a call has no answer.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum FailureReason {
    /// It used more instructions than it had.
    OutOfFuel,
    /// It ran for longer than the host's guard allows.
    TimedOut,
    /// It wanted more memory, tables or instances than it may have.
    OutOfMemory,
    /// What it was to be told is larger than allowed.
    InputTooLarge,
    /// What it answered is larger than allowed.
    OutputTooLarge,
    /// It wants more effects than allowed.
    TooManyEffects,
    /// It trapped: a panic, a division by zero, a stack that ran over.
    Trapped,
    /// Its answer breaks the contract.
    BadAnswer,
    /// Nobody waits for the answer any more.
    Late,
    /// The tenant's share of the sandbox is taken; later there may be room.
    Busy,
    /// The host cannot run it: its own fault.
    Host,
}

impl FailureReason {
    /// All of them.
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

    /// Its stable name.
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
