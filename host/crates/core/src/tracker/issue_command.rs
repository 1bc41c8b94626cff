//! Commands that plugins offer for issues.

use std::collections::BTreeSet;

use crate::error::{Error, ErrorKind, Result};
use crate::id::InstallationId;
use crate::plugin::{ActiveInstallations, Hook, PluginCommand};
use crate::tracker::Issue;
use crate::value::Field;

/// A command that a plugin offers for an issue.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OfferedCommand {
    /// The installation that offers it.
    pub installation: InstallationId,
    /// The plugin's name.
    pub plugin: String,
    /// The command.
    pub command: PluginCommand,
}

/// A call of a plugin's command.
#[derive(Clone, Hash, Debug)]
pub struct CallCommand {
    /// The installation; required if several offer the command.
    pub installation: Option<InstallationId>,
    /// The name of the command.
    pub name: String,
    /// Its input by field.
    pub input: Vec<Field>,
    /// The input as JSON, which is checked against the schema.
    pub input_json: String,
}

/// Returns the commands that are offered for an issue in its state.
pub(super) fn offered(active: &ActiveInstallations, issue: &Issue) -> Vec<OfferedCommand> {
    let called = active.called(Hook::Workflow, &issue.kind, (Some(issue.project), None));
    let offered = called.flat_map(|installation| {
        let commands = installation.commands.get(&issue.kind).into_iter().flatten();
        commands.filter(|command| command.states.is_empty() || command.states.contains(&issue.status)).map(
            |command| OfferedCommand {
                installation: installation.id,
                plugin: installation.plugin.clone(),
                command: command.clone(),
            },
        )
    });
    offered.collect()
}

/// Returns the command that a call names.
pub(super) fn select(offered: Vec<OfferedCommand>, call: &CallCommand) -> Result<OfferedCommand> {
    let names: BTreeSet<_> = offered.iter().map(|command| command.command.name.clone()).collect();
    let mut matching = offered.into_iter().filter(|command| {
        command.command.name == call.name && call.installation.is_none_or(|id| id == command.installation)
    });
    let Some(first) = matching.next() else {
        let offers = if names.is_empty() {
            "none".to_owned()
        } else {
            names.into_iter().collect::<Vec<_>>().join(", ")
        };
        let message =
            format!("no plugin offers {:?} for the issue in its state; offered: {offers}", call.name);
        return Err(Error::new(ErrorKind::Precondition, "COMMAND_NOT_OFFERED", message));
    };
    if matching.next().is_some() {
        return Err(Error::invalid("installation_id", "is required: several plugins offer this command"));
    }
    Ok(first)
}
