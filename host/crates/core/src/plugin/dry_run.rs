//! Dry runs: a hook of a release is called with given input, and nothing is stored.

use crate::plugin::{
    Basket, CallContext, CallRecord, Entity, LimitOverrides, PluginRequest, Reply, Validation,
};
use crate::time::Timestamp;
use crate::value::Field;

/// A dry run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DryRun {
    /// The settings, as JSON; empty: none.
    pub settings: String,
    /// What holds the call, below what the host and the tenant allow.
    pub limits: LimitOverrides,
    /// The time that the plugin is told; none: now.
    pub now: Option<Timestamp>,
    /// Who it is told acts; none: whoever asks.
    pub actor: Option<String>,
    /// The roles that it is told the actor has.
    pub roles: Vec<String>,
    /// What is asked.
    pub request: DryRunRequest,
}

/// What a dry run asks.
#[derive(Clone, PartialEq, Eq, Debug)]
#[allow(clippy::large_enum_variant, reason = "a question lives as long as its dry run")]
pub enum DryRunRequest {
    /// May this change be stored?
    Validate {
        /// `create`, `update`, `delete`.
        operation: String,
        /// As it would be stored.
        subject: Entity,
        /// As it is stored.
        before: Option<Entity>,
    },
    /// The machine for a kind of issue?
    DescribeMachine {
        /// The kind.
        kind: String,
    },
    /// The commands for a kind of issue?
    DescribeCommands {
        /// The kind.
        kind: String,
    },
    /// May these moves be made?
    Guard {
        /// The issue.
        issue: Entity,
        /// The moves' names.
        transitions: Vec<String>,
    },
    /// What follows from this change?
    OnChange {
        /// The issue, changed.
        issue: Entity,
        /// As it was; none: it is new.
        before: Option<Entity>,
    },
    /// What follows now that a timer is due?
    OnTimer {
        /// The issue.
        issue: Entity,
        /// The timer's name.
        timer: String,
    },
    /// What does a command do?
    OnCommand {
        /// The issue.
        issue: Entity,
        /// The command's name.
        command: String,
        /// Its input.
        input: Vec<Field>,
    },
    /// What does this basket cost?
    Quote(Basket),
}

/// What a dry run came to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DryRunResult {
    /// The answer; none: the call failed, and the record says why.
    pub reply: Option<Reply>,
    /// What it used, logged and looked up.
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
