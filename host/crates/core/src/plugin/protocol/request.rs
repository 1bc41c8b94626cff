//! Requests to plugins and their replies.

use std::sync::Arc;
use std::time::Instant;

use crate::ctx::{Ctx, Principal};
use crate::id::TenantId;
use crate::plugin::entity::Entity;
use crate::plugin::limits::CallLimits;
use crate::plugin::protocol::effect::Effect;
use crate::plugin::protocol::lookup::Lookup;
use crate::plugin::protocol::pricing::{Basket, PriceAdjustments};
use crate::plugin::release::{Digest, Manifest};
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
    /// The request.
    pub request: PluginRequest,
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

impl PluginRequest {
    /// The contract's function that is called.
    #[must_use]
    pub const fn function(&self) -> &'static str {
        match self {
            Self::Describe => "describe",
            Self::Validate(..) => "validate",
            Self::DescribeMachine(_) => "describe-machine",
            Self::DescribeCommands(_) => "describe-commands",
            Self::Guard(..) => "guard",
            Self::OnChange(..) => "on-change",
            Self::OnTimer(..) => "on-timer",
            Self::OnCommand(..) => "on-command",
            Self::Quote(..) => "quote",
        }
    }

    /// What it is about: a kind and an id.
    #[must_use]
    pub fn subject(&self) -> Option<(String, String)> {
        let entity = match self {
            Self::Validate(_, request) => &request.subject,
            Self::Guard(_, issue, _)
            | Self::OnChange(_, issue, ..)
            | Self::OnTimer(_, issue, _)
            | Self::OnCommand(_, issue, ..) => issue,
            Self::Describe | Self::DescribeMachine(_) | Self::DescribeCommands(_) | Self::Quote(..) => {
                return None;
            }
        };
        Some((entity.kind.clone(), entity.id.clone()))
    }
}

impl CallContext {
    /// The circumstances of a request; `invocation` is the same for every attempt at one call.
    #[must_use]
    pub fn of(ctx: &Ctx, invocation: String, cause: Vec<String>) -> Self {
        let (actor, roles) = match &ctx.principal {
            Principal::Key { user: Some(user), roles, .. } => (user.to_string(), &**roles),
            Principal::Key { roles, .. } => (ctx.principal.to_string(), &**roles),
            Principal::System | Principal::Anonymous => (ctx.principal.to_string(), &[][..]),
        };
        Self {
            tenant: ctx.tenant.to_string(),
            invocation,
            now: ctx.now,
            actor,
            roles: roles.iter().map(|role| role.name().to_owned()).collect(),
            dry_run: false,
            cause,
            attributes: vec![Field::new("transport", ctx.transport.name())],
        }
    }
}
