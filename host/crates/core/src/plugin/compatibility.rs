//! Whether an installation fits what is there: the machines that it describes, who owns which, and
//! whether every issue can go on.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::ctx::Ctx;
use crate::error::{Error, ErrorKind, Result};
use crate::id::{ProjectId, TenantId};
use crate::plugin::caller::{Caller, Spending};
use crate::plugin::hooks::unexpected;
use crate::plugin::invoker::{Budget, Invoker};
use crate::plugin::{
    ActiveInstallations, Installation, LimitOverrides, PluginCommand, PluginRequest, Reply, StatesInUse,
};
use crate::text::Faults;
use crate::tracker::issue::KIND;
use crate::tracker::{FieldDefinition, FieldType, Machine, Project, Scheme};

/// The kinds of issue that a workflow is asked about.
const KINDS: [&str; 1] = [KIND];

/// The most commands of a plugin for one kind.
const MAX_COMMANDS: usize = 50;

/// What a workflow describes, by kind of issue.
pub(super) struct WorkflowDescription {
    /// Its machines.
    pub(super) machines: BTreeMap<String, Arc<Machine>>,
    /// Its commands.
    pub(super) commands: BTreeMap<String, Vec<PluginCommand>>,
}

/// Asks a workflow for its machines and commands.
pub(super) async fn describe(
    invoker: &Invoker,
    ctx: &Ctx,
    installed: (&Installation, &LimitOverrides),
) -> Result<WorkflowDescription> {
    let mut described = WorkflowDescription { machines: BTreeMap::new(), commands: BTreeMap::new() };
    // A plugin that cannot say what it does is not installed, whatever its policy.
    let closed = Installation { on_failure: super::OnFailure::Closed, ..installed.0.clone() };
    let mut budget = Budget::new();
    for kind in KINDS.into_iter().filter(|kind| sees(installed.0, kind)) {
        let ask = PluginRequest::DescribeMachine(kind.to_owned());
        match invoker.call(ctx, (&closed, installed.1), ask, &mut budget).await? {
            Some(Reply::Machine(None)) => {}
            Some(Reply::Machine(Some(machine))) => {
                check_machine(&machine)?;
                described.machines.insert(kind.to_owned(), Arc::new(machine));
            }
            _ => return Err(unexpected_reply()),
        }
        let ask = PluginRequest::DescribeCommands(kind.to_owned());
        match invoker.call(ctx, (&closed, installed.1), ask, &mut budget).await? {
            Some(Reply::Commands(commands)) if commands.is_empty() => {}
            Some(Reply::Commands(commands)) => {
                check_commands(caller, ctx.tenant, &commands).await?;
                described.commands.insert(kind.to_owned(), commands);
            }
            _ => return Err(unexpected_reply()),
        }
    }
    Ok(described)
}

fn sees(installation: &Installation, kind: &str) -> bool {
    installation.kinds.is_empty() || installation.kinds.iter().any(|held| held == kind)
}

/// A machine of a plugin obeys the same rules as one in a scheme.
fn check_machine(machine: &Machine) -> Result<()> {
    let required = machine.transitions.iter().flat_map(|made| &made.requires);
    let own: BTreeSet<_> = required.filter_map(|field| field.strip_prefix("fields.")).collect();
    let fields = own.into_iter().map(|name| FieldDefinition {
        name: name.to_owned(),
        field_type: FieldType::Text,
        required: false,
        options: Vec::new(),
    });
    let scheme = Scheme { machine: machine.clone(), fields: fields.collect(), ..Scheme::built_in() };
    scheme.check().map_err(|error| answered(&error))
}

async fn check_commands(caller: &Caller, tenant: TenantId, commands: &[PluginCommand]) -> Result<()> {
    let mut faults = Faults::default();
    if commands.len() > MAX_COMMANDS {
        faults.add("commands", format_args!("are {}; at most {MAX_COMMANDS}", commands.len()));
    }
    let mut names = BTreeSet::new();
    for (index, command) in commands.iter().enumerate() {
        let at = format!("commands[{index}]");
        faults.text(&format!("{at}.name"), &command.name, 1, 63);
        faults.text(&format!("{at}.title"), &command.title, 1, 100);
        if !names.insert(&command.name) {
            faults.add(&at, format_args!("names {:?} a second time", command.name));
        }
        if command.input_schema.is_empty() {
            continue;
        }
        match caller.schema_violations(tenant, &command.input_schema, "{}", &at).await {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::Unavailable => return Err(error),
            Err(error) => faults.add(&format!("{at}.input_schema"), error.message()),
        }
    }
    faults.into_result().map_err(|error| answered(&error))
}

fn answered(error: &Error) -> Error {
    let message = format!("the plugin describes what is against the rules: {}", error.message());
    Error::new(ErrorKind::PluginFailed, "PLUGIN_BAD_ANSWER", message)
}

/// What would be in force after a change; refuses a second owner of a machine at one scope.
pub(super) fn future(
    active: &ActiveInstallations,
    before: Option<&Installation>,
    after: Option<&Installation>,
) -> Result<ActiveInstallations> {
    let mut future = active.clone();
    if let Some(before) = before {
        future.installations.retain(|held| held.id != before.id);
    }
    let Some(after) = after else { return Ok(future) };
    if after.enabled {
        for kind in after.machines.keys() {
            let owns = |held: &&Arc<Installation>| {
                held.enabled && held.scope == after.scope && held.machines.contains_key(kind)
            };
            if let Some(owner) = future.installations.iter().find(owns) {
                let message = format!(
                    "{} ({}) owns the machine of the kind {kind} at this scope already; disable or uninstall it first",
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

/// Refuses machines that lack states in which issues are, with the counts; a map from old states to new
/// ones makes up for it.
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
            format_args!(
                "must say what becomes of the state {state:?}: {issues} in it, and the machine lacks it"
            ),
        );
    }
    faults.into_result().map_err(|error| error.with_reason("MACHINE_LACKS_STATES"))
}
