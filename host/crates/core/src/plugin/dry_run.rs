//! Dry runs: calls of a hook of a release with given input, without storing anything.

use crate::plugin::{
    Basket, CallContext, CallRecord, Entity, LimitOverrides, PluginRequest, Reply, Validation,
};
use crate::time::Timestamp;
use crate::value::Field;

/// A dry run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DryRun {
    /// The settings as JSON; empty: none.
    pub settings: String,
    /// The limits of the call, within those of the host and the tenant.
    pub limits: LimitOverrides,
    /// The time in the context of the call; `None`: now.
    pub now: Option<Timestamp>,
    /// The actor in the context of the call; `None`: the caller.
    pub actor: Option<String>,
    /// The roles of that actor.
    pub roles: Vec<String>,
    /// The request.
    pub request: DryRunRequest,
}

/// The request of a dry run.
#[derive(Clone, PartialEq, Eq, Debug)]
#[allow(clippy::large_enum_variant, reason = "a request lives as long as its dry run")]
pub enum DryRunRequest {
    /// Accepts or refuses a change before it is stored.
    Validate {
        /// `create`, `update`, `delete`.
        operation: String,
        /// The object as it would be stored.
        subject: Entity,
        /// The object as it is stored.
        before: Option<Entity>,
    },
    /// Returns the state machine of a kind of issue.
    DescribeMachine {
        /// The kind.
        kind: String,
    },
    /// Returns the commands for a kind of issue.
    DescribeCommands {
        /// The kind.
        kind: String,
    },
    /// Accepts or refuses transitions.
    Guard {
        /// The issue.
        issue: Entity,
        /// The names of the transitions.
        transitions: Vec<String>,
    },
    /// Reacts to a change.
    OnChange {
        /// The changed issue.
        issue: Entity,
        /// The issue before; `None`: it is new.
        before: Option<Entity>,
    },
    /// Reacts to a timer that is due.
    OnTimer {
        /// The issue.
        issue: Entity,
        /// The timer's name.
        timer: String,
    },
    /// Runs a command.
    OnCommand {
        /// The issue.
        issue: Entity,
        /// The command's name.
        command: String,
        /// Its input.
        input: Vec<Field>,
    },
    /// Adjusts the price of a basket.
    Quote(Basket),
}

/// The result of a dry run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DryRunResult {
    /// The reply; `None`: the call failed, and the record has the reason.
    pub reply: Option<Reply>,
    /// The record of the call.
    pub record: CallRecord,
}

impl DryRunRequest {
    /// Returns the request to the plugin.
    #[must_use]
    pub fn into_request(self, context: CallContext) -> PluginRequest {
        match self {
            Self::Validate { operation, subject, before } => {
                let changes = Entity::changes(before.as_ref(), &subject);
                PluginRequest::Validate(context, Validation { operation, subject, before, changes })
            }
            Self::DescribeMachine { kind } => PluginRequest::DescribeMachine(kind),
            Self::DescribeCommands { kind } => PluginRequest::DescribeCommands(kind),
            Self::Guard { issue, transitions } => PluginRequest::Guard(context, issue, transitions),
            Self::OnChange { issue, before } => {
                let changes = Entity::changes(before.as_ref(), &issue);
                PluginRequest::OnChange(context, issue, before, changes)
            }
            Self::OnTimer { issue, timer } => PluginRequest::OnTimer(context, issue, timer),
            Self::OnCommand { issue, command, input } => {
                PluginRequest::OnCommand(context, issue, command, input)
            }
            Self::Quote(basket) => PluginRequest::Quote(context, basket),
        }
    }
}
