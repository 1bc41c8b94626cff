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
    /// The share of the sandbox that it uses.
    pub share: CallShare,
    /// The release to call.
    pub release: Digest,
    /// The installation's settings, as JSON; empty when there are none.
    pub settings: Arc<str>,
    /// Its limits.
    pub limits: CallLimits,
    /// The caller waits no longer than this.
    pub deadline: Instant,
    /// Executes its look-ups; `None` if the hook has none.
    pub lookup: Option<Lookup>,
    /// The request.
    pub request: PluginRequest,
}

/// A share of the sandbox: a tenant's own calls, or those that its callers without a key cause.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct CallShare {
    /// The tenant.
    pub tenant: TenantId,
    /// Whether the caller has no key.
    pub is_public: bool,
}

impl CallShare {
    /// Returns the share of a request's calls.
    #[must_use]
    pub fn of(ctx: &Ctx) -> Self {
        Self { tenant: ctx.tenant, is_public: !ctx.is_authenticated() }
    }
}

impl From<TenantId> for CallShare {
    fn from(tenant: TenantId) -> Self {
        Self { tenant, is_public: false }
    }
}

/// A request to a plugin: the function of the contract and its arguments.
#[derive(Clone, PartialEq, Eq, Debug)]
#[allow(clippy::large_enum_variant, reason = "a request lives as long as its call")]
pub enum PluginRequest {
    /// Describes the plugin; called once, at the upload.
    Describe,
    /// Accepts or refuses a change before it is stored.
    Validate(CallContext, Validation),
    /// Returns the state machine of a kind of issue.
    DescribeMachine(String),
    /// Returns the commands for a kind of issue.
    DescribeCommands(String),
    /// Accepts or refuses transitions.
    Guard(CallContext, Entity, Vec<String>),
    /// Reacts to a change: the issue, the issue before, and the changes.
    OnChange(CallContext, Entity, Option<Entity>, Vec<Change>),
    /// Reacts to a timer that is due, by its name.
    OnTimer(CallContext, Entity, String),
    /// Runs a command, by its name, with its input.
    OnCommand(CallContext, Entity, String, Vec<Field>),
    /// Adjusts the price of a basket.
    Quote(CallContext, Basket),
}

/// A plugin's reply.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Reply {
    /// To `Describe`.
    Manifest(Manifest),
    /// To `Validate`: the refusals; empty: accepted.
    Verdict(Vec<Refusal>),
    /// To `DescribeMachine`.
    Machine(Option<Machine>),
    /// To `DescribeCommands`.
    Commands(Vec<PluginCommand>),
    /// To `Guard`: the refusals of each transition; empty: accepted.
    Guard(Vec<Vec<Refusal>>),
    /// To `OnChange`, `OnTimer` and `OnCommand`: the effects, or the refusals.
    Effects(Result<Vec<Effect>, Vec<Refusal>>),
    /// To `Quote`.
    Quote(Result<PriceAdjustments, Vec<Refusal>>),
}

/// The context of a call.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CallContext {
    /// The tenant's id.
    pub tenant: String,
    /// The same for every attempt at one call.
    pub invocation: String,
    /// The time of the host's clock.
    pub now: Timestamp,
    /// The actor: the id of the principal's user, or else `key:<id>` or `system`.
    pub actor: String,
    /// The names of the actor's roles.
    pub roles: Vec<String>,
    /// Whether the reply is discarded.
    pub dry_run: bool,
    /// The installations whose effects led to this call, first to last.
    pub cause: Vec<String>,
    /// Further attributes.
    pub attributes: Vec<Field>,
}

/// A change that is about to be stored.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Validation {
    /// `create`, `update`, `delete`.
    pub operation: String,
    /// The object as it would be stored; for a delete, as it is stored.
    pub subject: Entity,
    /// The object as it is stored.
    pub before: Option<Entity>,
    /// The differences.
    pub changes: Vec<Change>,
}

/// A reason for a refusal, written for the caller.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Refusal {
    /// The field at fault, if any.
    pub field: Option<String>,
    /// A stable code for programs.
    pub code: String,
    /// A message for people.
    pub message: String,
}

/// A command that a workflow adds to issues.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct PluginCommand {
    /// Its name.
    pub name: String,
    /// The label of its button.
    pub title: String,
    /// The states in which it is offered; empty: all states.
    pub states: Vec<String>,
    /// A JSON Schema of its input; empty: no input.
    pub input_schema: String,
}

impl PluginRequest {
    /// Returns the name of the contract's function.
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

    /// Returns the kind and the id of the entity that it is about.
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
    /// Returns the context of a request; `invocation` is the same for every attempt at one call.
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
