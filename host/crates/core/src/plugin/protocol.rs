//! What crosses the sandbox's boundary: the question put to a plugin, its answer, and what the call used.
//!
//! Data travels as named fields, so that a plugin of today can read what a host of tomorrow tells it.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::id::TenantId;
use crate::plugin::{CallLimits, Digest, Manifest};
use crate::time::Timestamp;
use crate::tracker::Machine;
use crate::value::{Change, Field};

/// One call of a release.
#[derive(Clone, Debug)]
pub struct Call {
    /// Whose share of the sandbox it takes.
    pub tenant: TenantId,
    /// What is called.
    pub release: Digest,
    /// The installation's settings, as JSON; empty when there are none.
    pub settings: Arc<str>,
    /// What holds it.
    pub limits: CallLimits,
    /// After this nobody waits for the answer any more.
    pub deadline: Instant,
    /// Answers its look-ups; none where the hook has none.
    pub lookup: Option<Lookup>,
    /// The question.
    pub ask: PluginRequest,
}

/// The question put to a plugin.
#[derive(Clone, PartialEq, Eq, Debug)]
#[allow(clippy::large_enum_variant, reason = "a question lives as long as its call")]
pub enum PluginRequest {
    /// What are you? Asked once, at the upload.
    Describe,
    /// May this change be stored?
    Validate(CallContext, Validation),
    /// The machine for a kind of issue?
    DescribeMachine(String),
    /// Your commands for a kind of issue?
    DescribeCommands(String),
    /// May these moves be made now?
    Guard(CallContext, Entity, Vec<String>),
    /// What follows from this change?
    OnChange(CallContext, Entity, Option<Entity>, Vec<Change>),
    /// What follows, now that the timer of this name is due?
    OnTimer(CallContext, Entity, String),
    /// What does your command of this name do?
    OnCommand(CallContext, Entity, String, Vec<Field>),
    /// What does this basket cost?
    Quote(CallContext, Basket),
}

/// A plugin's answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Reply {
    /// To `Describe`.
    Manifest(Manifest),
    /// To `Validate`: why not; empty: it may.
    Verdict(Vec<Refusal>),
    /// To `DescribeMachine`.
    Machine(Option<Machine>),
    /// To `DescribeCommands`.
    Commands(Vec<PluginCommand>),
    /// To `Guard`: for each move, why not; empty: it may be made.
    Guard(Vec<Vec<Refusal>>),
    /// To `OnChange`, `OnTimer` and `OnCommand`: what to do, or why the command is refused.
    Effects(Result<Vec<Effect>, Vec<Refusal>>),
    /// To `Quote`.
    Quote(Result<PriceAdjustments, Vec<Refusal>>),
}

/// What a plugin is told of the circumstances.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CallContext {
    /// The tenant's id.
    pub tenant: String,
    /// The same for every attempt at one call.
    pub invocation: String,
    /// The host's clock.
    pub now: Timestamp,
    /// Who acts: the user's id where the principal is one, else `key:<id>` or `system`.
    pub actor: String,
    /// The names of the actor's roles.
    pub roles: Vec<String>,
    /// Nothing that the call answers will be stored.
    pub dry_run: bool,
    /// The installations whose effects led to this call, first to last.
    pub cause: Vec<String>,
    /// What else is known.
    pub attributes: Vec<Field>,
}

/// An object as plugins see it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entity {
    /// `issue`, `project`, `user`.
    pub kind: String,
    /// Its id.
    pub id: String,
    /// Its version; 0 for what is not stored yet.
    pub version: u64,
    /// All that can be said of it.
    pub fields: Vec<Field>,
}

/// A change that is about to be stored.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Validation {
    /// `create`, `update`, `delete`.
    pub operation: String,
    /// As it would be stored; for a delete, as it is.
    pub subject: Entity,
    /// As it is stored.
    pub before: Option<Entity>,
    /// What differs.
    pub changes: Vec<Change>,
}

/// Why a plugin refuses a request; written for the caller.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Refusal {
    /// The field at fault, where it is one.
    pub field: Option<String>,
    /// Stable, for programs.
    pub code: String,
    /// For a person.
    pub message: String,
}

/// What a plugin wants done.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Effect {
    /// None: the issue that the call is about. Otherwise an issue's id, or a draft's key.
    pub on: Option<String>,
    /// What.
    pub action: Action,
}

/// What a plugin can want done to an issue.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Action {
    /// A field gets a value; `Value::None` takes it away.
    SetField(Field),
    /// A move of the machine is made.
    Transition(String),
    /// A comment is written.
    Comment(String),
    /// A label is put on.
    AddLabel(String),
    /// A label is taken off.
    RemoveLabel(String),
    /// It is given to a user, or to nobody.
    Assign(Option<String>),
    /// It is linked: the relation, and the other issue's id or draft's key.
    Link(String, String),
    /// Another issue is made.
    Create(Draft),
    /// Somebody is told something.
    Notify(Notice),
    /// A timer is set; one of the same name is replaced.
    SetTimer(String, Timestamp),
    /// A timer is taken away.
    CancelTimer(String),
    /// A fact of the plugin's own is published: a name and JSON.
    Emit(String, String),
    /// What a later contract adds, by name.
    Other(Field),
}

/// An issue that a plugin wants made.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Draft {
    /// By this the call's other effects speak of it.
    pub key: String,
    /// None: the subject's project.
    pub project: Option<String>,
    /// `issue`, or another kind that shares its life.
    pub kind: String,
    /// What it says.
    pub fields: Vec<Field>,
}

/// What somebody is told.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Notice {
    /// Users' ids, or `role:<name>`.
    pub to: Vec<String>,
    /// What it is about.
    pub subject: String,
    /// What it says.
    pub body: String,
}

/// A command that a workflow adds to issues.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct PluginCommand {
    /// Its name.
    pub name: String,
    /// What the button says.
    pub title: String,
    /// The states in which it is offered; empty: all.
    pub states: Vec<String>,
    /// A JSON Schema of its input; empty: it takes none.
    pub input_schema: String,
}

/// A basket whose price is asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Basket {
    /// What is known of the event.
    pub event: Vec<Field>,
    /// When it starts.
    pub starts_at: Option<Timestamp>,
    /// Minutes that the venue's clock is ahead of UTC now.
    pub offset_now: i16,
    /// Minutes that it will be ahead when the event starts.
    pub offset_start: i16,
    /// ISO 4217, the same for all lines.
    pub currency: String,
    /// How many decimals the currency has.
    pub currency_exponent: u8,
    /// What is bought.
    pub lines: Vec<BasketLine>,
    /// Discount codes that the buyer entered.
    pub codes: Vec<String>,
    /// By what channel it is bought.
    pub channel: String,
    /// What is known of the buyer.
    pub buyer: Vec<Field>,
    /// What was adjusted before, and by whom.
    pub applied: Vec<(String, Adjustment)>,
}

/// A line of a basket.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BasketLine {
    /// The ticket type's id.
    pub ticket_type: String,
    /// Its name.
    pub name: String,
    /// How many.
    pub quantity: u32,
    /// The price of one.
    pub unit_price: i64,
    /// How many can still be had.
    pub available: u32,
    /// How many there are in all.
    pub capacity: u32,
    /// What else is known.
    pub attributes: Vec<Field>,
}

/// What sort of adjustment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AdjustmentKind {
    /// More.
    Surcharge,
    /// Less.
    Discount,
    /// A fee.
    Fee,
    /// A tax.
    Tax,
}

/// An adjustment of a price.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Adjustment {
    /// What sort.
    pub kind: AdjustmentKind,
    /// The line that it belongs to; none: the whole basket.
    pub line: Option<u32>,
    /// Minor units of the basket's currency, negative to reduce the price.
    pub amount: i64,
    /// It is shown, not added, for the prices contain it already.
    pub included: bool,
    /// For a person.
    pub label: String,
    /// The discount code that earned it.
    pub code: Option<String>,
    /// What else is known.
    pub attributes: Vec<Field>,
}

/// What a pricing plugin decided.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PriceAdjustments {
    /// The adjustments.
    pub adjustments: Vec<Adjustment>,
    /// Codes that the plugin knows and refuses, and why.
    pub refused_codes: Vec<(String, String)>,
    /// What else it says.
    pub attributes: Vec<Field>,
}

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

/// A look-up as it is recorded with its call.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LookupRecord {
    /// What was asked.
    pub ask: LookupRequest,
    /// How many entities it found; none: it was refused.
    pub found: Option<u32>,
}

/// What a plugin looks up.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum LookupRequest {
    /// One entity: its kind and id.
    Get(String, String),
    /// Those that match: the kind, the filter, and how many at most.
    Find(String, String, u32),
}

/// Why a look-up found nothing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum LookupError {
    /// No such kind or field, or a filter that cannot be read.
    Unsupported(String),
    /// The store does not answer.
    Unavailable,
}

/// What a look-up found.
pub type LookupResult = Result<Vec<Entity>, LookupError>;

/// Answers a call's look-ups: reads the tenant's own data, and nobody else's.
#[derive(Clone)]
pub struct Lookup(Arc<dyn Fn(LookupRequest) -> Answering + Send + Sync>);

type Answering = Pin<Box<dyn Future<Output = LookupResult> + Send>>;

impl Lookup {
    /// Look-ups that `answer` answers.
    pub fn new<F, A>(answer: F) -> Self
    where
        F: Fn(LookupRequest) -> A + Send + Sync + 'static,
        A: Future<Output = LookupResult> + Send + 'static,
    {
        Self(Arc::new(move |ask| Box::pin(answer(ask))))
    }

    /// What is found.
    pub async fn answer(&self, ask: LookupRequest) -> LookupResult {
        (self.0)(ask).await
    }
}

impl fmt::Debug for Lookup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Lookup")
    }
}
