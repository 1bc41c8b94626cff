//! Compatibility of an installation with the others and with the stored issues: its state machines are valid,
//! each has one owner, and every issue has a state of its machine.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::ctx::Ctx;
use crate::error::{Error, ErrorKind, Result};
use crate::id::{ProjectId, TenantId};
use crate::plugin::budget::Budget;
use crate::plugin::invoker::Invoker;
use crate::plugin::refusal::unexpected_reply;
use crate::plugin::{
    ActiveInstallations, Installation, LimitOverrides, OnFailure, PluginCommand, PluginRequest, Reply,
    StatesInUse,
};
use crate::text::Faults;
use crate::tracker::issue::KIND;
use crate::tracker::{FieldDefinition, FieldType, Machine, Project, Scheme};

/// The kinds of issue that a workflow describes.
const KINDS: [&str; 1] = [KIND];

/// The most commands of a plugin for one kind.
const MAX_COMMANDS: usize = 50;

/// The description of a workflow, by kind of issue.
pub(super) struct WorkflowDescription {
    /// Its state machines.
    pub(super) machines: BTreeMap<String, Arc<Machine>>,
    /// Its commands.
    pub(super) commands: BTreeMap<String, Vec<PluginCommand>>,
}

/// Calls a workflow for its state machines and commands.
pub(super) async fn describe(
    invoker: &Invoker,
    ctx: &Ctx,
    (installation, limits): (&Installation, &LimitOverrides),
) -> Result<WorkflowDescription> {
    let mut description = WorkflowDescription { machines: BTreeMap::new(), commands: BTreeMap::new() };
    // A plugin whose description fails is not installed, whatever its policy.
    let closed = Installation { on_failure: OnFailure::Closed, ..installation.clone() };
    let mut budget = Budget::new();
    for kind in KINDS.into_iter().filter(|kind| sees(installation, kind)) {
        let request = PluginRequest::DescribeMachine(kind.to_owned());
        match invoker.call(ctx, (&closed, limits), request, &mut budget).await? {
            Some(Reply::Machine(None)) => {}
            Some(Reply::Machine(Some(machine))) => {
                check_machine(&machine)?;
                description.machines.insert(kind.to_owned(), Arc::new(machine));
            }
            _ => return Err(unexpected_reply()),
        }
        let request = PluginRequest::DescribeCommands(kind.to_owned());
        match invoker.call(ctx, (&closed, limits), request, &mut budget).await? {
            Some(Reply::Commands(commands)) if commands.is_empty() => {}
            Some(Reply::Commands(commands)) => {
                check_commands(invoker, ctx.tenant, &commands).await?;
                description.commands.insert(kind.to_owned(), commands);
            }
            _ => return Err(unexpected_reply()),
        }
    }
    Ok(description)
}

fn sees(installation: &Installation, kind: &str) -> bool {
    installation.kinds.is_empty() || installation.kinds.iter().any(|own| own == kind)
}

/// Checks a plugin's state machine by the rules of schemes.
fn check_machine(machine: &Machine) -> Result<()> {
    let required = machine.transitions.iter().flat_map(|transition| &transition.requires);
    let own: BTreeSet<_> = required.filter_map(|field| field.strip_prefix("fields.")).collect();
    let fields = own.into_iter().map(|name| FieldDefinition {
        name: name.to_owned(),
        field_type: FieldType::Text,
        required: false,
        options: Vec::new(),
    });
    let scheme = Scheme { machine: machine.clone(), fields: fields.collect(), ..Scheme::built_in() };
    scheme.check().map_err(|error| bad_description(&error))
}

async fn check_commands(invoker: &Invoker, tenant: TenantId, commands: &[PluginCommand]) -> Result<()> {
    let mut faults = Faults::default();
    if commands.len() > MAX_COMMANDS {
        faults.add("commands", format_args!("has {} entries; at most {MAX_COMMANDS}", commands.len()));
    }
    let mut names = BTreeSet::new();
    for (index, command) in commands.iter().enumerate() {
        let at = format!("commands[{index}]");
        faults.text(&format!("{at}.name"), &command.name, 1, 63);
        faults.text(&format!("{at}.title"), &command.title, 1, 100);
        if !names.insert(&command.name) {
            faults.add(&at, format_args!("repeats the name {:?}", command.name));
        }
        if command.input_schema.is_empty() {
            continue;
        }
        match invoker.schema_violations(tenant, &command.input_schema, "{}", &at).await {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::Unavailable => return Err(error),
            Err(error) => faults.add(&format!("{at}.input_schema"), error.message()),
        }
    }
    faults.into_result().map_err(|error| bad_description(&error))
}

fn bad_description(error: &Error) -> Error {
    let message = format!("the description of the plugin is invalid: {}", error.message());
    Error::new(ErrorKind::PluginFailed, "PLUGIN_BAD_ANSWER", message)
}

/// Returns the active installations after a change; refuses a second owner of a state machine at one scope.
pub(super) fn future(
    active: &ActiveInstallations,
    before: Option<&Installation>,
    after: Option<&Installation>,
) -> Result<ActiveInstallations> {
    let mut future = active.clone();
    if let Some(before) = before {
        future.installations.retain(|installation| installation.id != before.id);
    }
    let Some(after) = after else { return Ok(future) };
    if after.enabled {
        for kind in after.machines.keys() {
            let owns = |other: &&Arc<Installation>| {
                other.enabled && other.scope == after.scope && other.machines.contains_key(kind)
            };
            if let Some(owner) = future.installations.iter().find(owns) {
                let message = format!(
                    "{} ({}) already owns the state machine of the kind {kind} at this scope; disable or uninstall it first",
                    owner.label(),
                    owner.id
                );
                return Err(Error::new(ErrorKind::Precondition, "MACHINE_OWNED", message));
            }
        }
    }
    future.installations.push(Arc::new(after.clone()));
    Ok(future.sorted())
}

/// Refuses state machines that lack states of stored issues, with the counts, unless the state map has them.
pub(super) fn check_states(
    future: &ActiveInstallations,
    schemes: &[Project],
    in_use: &StatesInUse,
) -> Result<()> {
    let own: BTreeMap<ProjectId, &Project> = schemes.iter().map(|project| (project.id, project)).collect();
    let built_in = Machine::built_in();
    let mut missing: BTreeMap<&str, u64> = BTreeMap::new();
    for ((project, state), count) in in_use {
        let owner = future.machine(KIND, *project);
        let scheme = own.get(project).and_then(|project| project.scheme.as_ref());
        let machine = match (&owner, scheme) {
            (Some((_, machine)), _) => machine,
            (None, Some(scheme)) => &scheme.machine,
            (None, None) => &built_in,
        };
        let mapped = owner.and_then(|(owner, _)| owner.state_map.get(state)).unwrap_or(state);
        if machine.state(mapped).is_none() {
            *missing.entry(state).or_default() += count;
        }
    }
    let mut faults = Faults::default();
    for (state, count) in missing {
        let issues = if count == 1 { "1 issue is".to_owned() } else { format!("{count} issues are") };
        faults.add(
            "state_map",
            format_args!("must map the state {state:?}: {issues} in it, and the state machine lacks it"),
        );
    }
    faults.into_result().map_err(|error| error.with_reason("MACHINE_LACKS_STATES"))
}
