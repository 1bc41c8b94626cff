//! Releases and installations: what a plugin says of itself, and how it is put to work.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tessera_core::Result;
use tessera_core::id::{InstallationId, IssueId, ProjectId, UserId};
use tessera_core::plugin::{
    Admitted, AskedLimits, Digest, Footprint, Hook, Installation, Left, Manifest, OnFailure, PluginCommand,
    Release, ReleaseRef, Scope, Timer,
};
use tessera_core::tracker::Machine;

use super::{
    AttributesForm, MachineForm, attributes, attributes_form, corrupt, machine, machine_form, moment,
};

/// What an operator asks of a tenant, or an admin of an installation.
#[derive(Serialize, Deserialize, Default)]
pub(crate) struct LimitsForm {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    fuel: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    time_ms: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    memory: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    output: Option<u64>,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct ManifestForm {
    name: String,
    version: String,
    summary: String,
    settings_schema: String,
    kinds: Vec<String>,
    needs: Vec<String>,
    attributes: AttributesForm,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct FootprintForm {
    instances: u32,
    memories: u32,
    tables: u32,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct ReleaseForm {
    digest: String,
    contract: String,
    hooks: Vec<String>,
    manifest: ManifestForm,
    footprint: FootprintForm,
    size: u64,
    uploaded_at: i64,
    uploaded_by: Option<String>,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct ReleaseRefForm {
    digest: String,
    version: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    settings: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    grants: Option<BTreeSet<String>>,
}

/// Machines by kind of issue.
pub(crate) type MachinesForm = BTreeMap<String, MachineForm>;

/// Commands by kind of issue.
pub(crate) type CommandsForm = BTreeMap<String, Vec<CommandForm>>;

#[derive(Serialize, Deserialize)]
pub(crate) struct CommandForm {
    name: String,
    title: String,
    states: Vec<String>,
    input_schema: String,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct InstallationForm {
    id: String,
    plugin: String,
    release: ReleaseRefForm,
    earlier: Vec<ReleaseRefForm>,
    project: Option<String>,
    settings: String,
    order: i32,
    on_failure: String,
    grants: BTreeSet<String>,
    limits: LimitsForm,
    enabled: bool,
    hooks: Vec<String>,
    kinds: Vec<String>,
    machines: MachinesForm,
    commands: CommandsForm,
    state_map: BTreeMap<String, String>,
    created_at: i64,
    updated_at: i64,
    version: u64,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct TimerForm {
    issue: String,
    installation: String,
    name: String,
    at: i64,
    generation: u64,
    failures: u32,
    last_failure: Option<String>,
}

pub(crate) fn limits_form(limits: &AskedLimits) -> LimitsForm {
    let AskedLimits { fuel, time_ms, memory, output } = *limits;
    LimitsForm { fuel, time_ms, memory, output }
}

pub(crate) fn limits(form: &LimitsForm) -> AskedLimits {
    let LimitsForm { fuel, time_ms, memory, output } = *form;
    AskedLimits { fuel, time_ms, memory, output }
}

pub(crate) fn hooks_form(hooks: &[Hook]) -> Vec<String> {
    hooks.iter().map(|hook| hook.name().to_owned()).collect()
}

pub(crate) fn hooks(form: &[String]) -> Result<Vec<Hook>> {
    form.iter().map(|name| Hook::parse("hook", name).map_err(|_| corrupt("a hook", name))).collect()
}

pub(crate) fn manifest_form(manifest: &Manifest) -> ManifestForm {
    let Manifest { name, version, summary, settings_schema, kinds, needs, attributes } = manifest.clone();
    let attributes = attributes_form(&attributes);
    ManifestForm { name, version, summary, settings_schema, kinds, needs, attributes }
}

pub(crate) fn manifest(form: ManifestForm) -> Result<Manifest> {
    let ManifestForm { name, version, summary, settings_schema, kinds, needs, attributes: said } = form;
    let attributes = attributes(said)?;
    Ok(Manifest { name, version, summary, settings_schema, kinds, needs, attributes })
}

pub(crate) fn footprint_form(footprint: Footprint) -> FootprintForm {
    let Footprint { instances, memories, tables } = footprint;
    FootprintForm { instances, memories, tables }
}

pub(crate) fn footprint(form: &FootprintForm) -> Footprint {
    let FootprintForm { instances, memories, tables } = *form;
    Footprint { instances, memories, tables }
}

pub(crate) fn release_form(release: &Release) -> ReleaseForm {
    let Admitted { digest, contract, hooks, manifest, footprint } = &release.admitted;
    ReleaseForm {
        digest: digest.to_string(),
        contract: contract.clone(),
        hooks: hooks_form(hooks),
        manifest: manifest_form(manifest),
        footprint: footprint_form(*footprint),
        size: release.size,
        uploaded_at: release.uploaded_at.micros(),
        uploaded_by: release.uploaded_by.map(|user| user.to_string()),
    }
}

pub(crate) fn release(form: ReleaseForm) -> Result<Release> {
    Ok(Release {
        admitted: Admitted {
            digest: Digest::parse("digest", &form.digest)?,
            contract: form.contract,
            hooks: hooks(&form.hooks)?,
            manifest: manifest(form.manifest)?,
            footprint: footprint(&form.footprint),
        },
        size: form.size,
        uploaded_at: moment(form.uploaded_at)?,
        uploaded_by: form.uploaded_by.map(|user| UserId::parse("user", &user)).transpose()?,
    })
}

pub(crate) fn release_ref_form(release: &ReleaseRef) -> ReleaseRefForm {
    ReleaseRefForm {
        digest: release.digest.to_string(),
        version: release.version.clone(),
        settings: release.left.as_ref().map(|left| left.settings.to_string()),
        grants: release.left.as_ref().map(|left| left.grants.clone()),
    }
}

pub(crate) fn release_ref(form: ReleaseRefForm) -> Result<ReleaseRef> {
    let left = form.settings.zip(form.grants);
    let left = left.map(|(settings, grants)| Left { settings: settings.into(), grants });
    Ok(ReleaseRef { digest: Digest::parse("digest", &form.digest)?, version: form.version, left })
}

pub(crate) fn machines_form(machines: &BTreeMap<String, Arc<Machine>>) -> MachinesForm {
    machines.iter().map(|(kind, machine)| (kind.clone(), machine_form(machine))).collect()
}

pub(crate) fn machines(form: MachinesForm) -> Result<BTreeMap<String, Arc<Machine>>> {
    form.into_iter().map(|(kind, form)| Ok((kind, Arc::new(machine(form)?)))).collect()
}

pub(crate) fn commands_form(commands: &BTreeMap<String, Vec<PluginCommand>>) -> CommandsForm {
    let command = |command: &PluginCommand| {
        let PluginCommand { name, title, states, input_schema } = command.clone();
        CommandForm { name, title, states, input_schema }
    };
    commands.iter().map(|(kind, offered)| (kind.clone(), offered.iter().map(command).collect())).collect()
}

pub(crate) fn commands(form: CommandsForm) -> BTreeMap<String, Vec<PluginCommand>> {
    let command = |form: CommandForm| {
        let CommandForm { name, title, states, input_schema } = form;
        PluginCommand { name, title, states, input_schema }
    };
    form.into_iter().map(|(kind, offered)| (kind, offered.into_iter().map(command).collect())).collect()
}

pub(crate) fn on_failure(name: &str) -> Result<OnFailure> {
    OnFailure::parse("on_failure", name).map_err(|_| corrupt("a policy", name))
}

pub(crate) fn installation_form(held: &Installation) -> InstallationForm {
    InstallationForm {
        id: held.id.to_string(),
        plugin: held.plugin.clone(),
        release: release_ref_form(&held.release),
        earlier: held.earlier.iter().map(release_ref_form).collect(),
        project: held.scope.project().map(|project| project.to_string()),
        settings: held.settings.as_ref().to_owned(),
        order: held.order,
        on_failure: held.on_failure.name().to_owned(),
        grants: held.grants.clone(),
        limits: limits_form(&held.limits),
        enabled: held.enabled,
        hooks: hooks_form(&held.hooks),
        kinds: held.kinds.clone(),
        machines: machines_form(&held.machines),
        commands: commands_form(&held.commands),
        state_map: held.state_map.clone(),
        created_at: held.created_at.micros(),
        updated_at: held.updated_at.micros(),
        version: held.version,
    }
}

pub(crate) fn installation(form: InstallationForm) -> Result<Installation> {
    let project = form.project.map(|id| ProjectId::parse("project", &id)).transpose()?;
    Ok(Installation {
        id: InstallationId::parse("id", &form.id)?,
        plugin: form.plugin,
        release: release_ref(form.release)?,
        earlier: form.earlier.into_iter().map(release_ref).collect::<Result<_>>()?,
        scope: project.map_or(Scope::Tenant, Scope::Project),
        settings: form.settings.into(),
        order: form.order,
        on_failure: on_failure(&form.on_failure)?,
        grants: form.grants,
        limits: limits(&form.limits),
        enabled: form.enabled,
        hooks: hooks(&form.hooks)?,
        kinds: form.kinds,
        machines: machines(form.machines)?,
        commands: commands(form.commands),
        state_map: form.state_map,
        created_at: moment(form.created_at)?,
        updated_at: moment(form.updated_at)?,
        version: form.version,
    })
}

pub(crate) fn timer_form(timer: &Timer) -> TimerForm {
    TimerForm {
        issue: timer.issue.to_string(),
        installation: timer.installation.to_string(),
        name: timer.name.clone(),
        at: timer.at.micros(),
        generation: timer.generation,
        failures: timer.failures,
        last_failure: timer.last_failure.clone(),
    }
}

pub(crate) fn timer(form: TimerForm) -> Result<Timer> {
    Ok(Timer {
        issue: IssueId::parse("issue", &form.issue)?,
        installation: InstallationId::parse("installation", &form.installation)?,
        name: form.name,
        at: moment(form.at)?,
        generation: form.generation,
        failures: form.failures,
        last_failure: form.last_failure,
    })
}
