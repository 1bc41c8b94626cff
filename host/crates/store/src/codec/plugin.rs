//! Releases, installations and timers of plugins.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tessera_core::Result;
use tessera_core::id::{EventId, InstallationId, IssueId, ProjectId, UserId};
use tessera_core::plugin::{
    AdmittedComponent, Footprint, Hook, Installation, LimitOverrides, Manifest, OnFailure, PluginCommand,
    PreviousConfig, Release, ReleaseRef, Scope, Timer,
};
use tessera_core::tracker::Machine;

use super::scalar::{corrupt, digest, moment};
use super::scheme::{StoredMachine, machine, stored_machine};
use super::value::{StoredAttributes, attributes, stored_attributes};

/// Limits that an operator sets for a tenant, or an admin for an installation.
#[derive(Serialize, Deserialize, Default)]
pub(crate) struct StoredLimits {
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
pub(crate) struct StoredManifest {
    name: String,
    version: String,
    summary: String,
    settings_schema: String,
    kinds: Vec<String>,
    needs: Vec<String>,
    attributes: StoredAttributes,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct StoredFootprint {
    instances: u32,
    memories: u32,
    tables: u32,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct StoredRelease {
    digest: String,
    contract: String,
    hooks: Vec<String>,
    manifest: StoredManifest,
    footprint: StoredFootprint,
    size: u64,
    uploaded_at: i64,
    uploaded_by: Option<String>,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct StoredReleaseRef {
    digest: String,
    version: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    settings: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    grants: Option<BTreeSet<String>>,
}

/// Machines by kind of issue.
pub(crate) type StoredMachines = BTreeMap<String, StoredMachine>;

/// Commands by kind of issue.
pub(crate) type StoredCommands = BTreeMap<String, Vec<StoredCommand>>;

#[derive(Serialize, Deserialize)]
pub(crate) struct StoredCommand {
    name: String,
    title: String,
    states: Vec<String>,
    input_schema: String,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct StoredInstallation {
    id: String,
    plugin: String,
    release: StoredReleaseRef,
    earlier: Vec<StoredReleaseRef>,
    project: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    event: Option<String>,
    settings: String,
    order: i32,
    on_failure: String,
    grants: BTreeSet<String>,
    limits: StoredLimits,
    enabled: bool,
    hooks: Vec<String>,
    kinds: Vec<String>,
    machines: StoredMachines,
    commands: StoredCommands,
    state_map: BTreeMap<String, String>,
    created_at: i64,
    updated_at: i64,
    version: u64,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct StoredTimer {
    issue: String,
    installation: String,
    name: String,
    at: i64,
    generation: u64,
    failures: u32,
    last_failure: Option<String>,
}

pub(crate) fn stored_limits(limits: &LimitOverrides) -> StoredLimits {
    let LimitOverrides { fuel, time_ms, memory, output } = *limits;
    StoredLimits { fuel, time_ms, memory, output }
}

pub(crate) fn limits(stored: &StoredLimits) -> LimitOverrides {
    let StoredLimits { fuel, time_ms, memory, output } = *stored;
    LimitOverrides { fuel, time_ms, memory, output }
}

pub(crate) fn stored_hooks(hooks: &[Hook]) -> Vec<String> {
    hooks.iter().map(|hook| hook.name().to_owned()).collect()
}

pub(crate) fn hooks(stored: &[String]) -> Result<Vec<Hook>> {
    stored.iter().map(|name| Hook::parse("hook", name).map_err(|_| corrupt("a hook", name))).collect()
}

pub(crate) fn stored_manifest(manifest: &Manifest) -> StoredManifest {
    let Manifest { name, version, summary, settings_schema, kinds, needs, attributes } = manifest.clone();
    let attributes = stored_attributes(&attributes);
    StoredManifest { name, version, summary, settings_schema, kinds, needs, attributes }
}

pub(crate) fn manifest(stored: StoredManifest) -> Result<Manifest> {
    let StoredManifest { name, version, summary, settings_schema, kinds, needs, attributes: fields } = stored;
    let attributes = attributes(fields)?;
    Ok(Manifest { name, version, summary, settings_schema, kinds, needs, attributes })
}

pub(crate) fn stored_footprint(footprint: Footprint) -> StoredFootprint {
    let Footprint { instances, memories, tables } = footprint;
    StoredFootprint { instances, memories, tables }
}

pub(crate) fn footprint(stored: &StoredFootprint) -> Footprint {
    let StoredFootprint { instances, memories, tables } = *stored;
    Footprint { instances, memories, tables }
}

pub(crate) fn stored_release(release: &Release) -> StoredRelease {
    let AdmittedComponent { digest, contract, hooks, manifest, footprint } = &release.admitted;
    StoredRelease {
        digest: digest.to_string(),
        contract: contract.clone(),
        hooks: stored_hooks(hooks),
        manifest: stored_manifest(manifest),
        footprint: stored_footprint(*footprint),
        size: release.size,
        uploaded_at: release.uploaded_at.micros(),
        uploaded_by: release.uploaded_by.map(|user| user.to_string()),
    }
}

pub(crate) fn release(stored: StoredRelease) -> Result<Release> {
    Ok(Release {
        admitted: AdmittedComponent {
            digest: digest(&stored.digest)?,
            contract: stored.contract,
            hooks: hooks(&stored.hooks)?,
            manifest: manifest(stored.manifest)?,
            footprint: footprint(&stored.footprint),
        },
        size: stored.size,
        uploaded_at: moment(stored.uploaded_at)?,
        uploaded_by: stored.uploaded_by.map(|user| UserId::parse("user", &user)).transpose()?,
    })
}

pub(crate) fn stored_release_ref(release: &ReleaseRef) -> StoredReleaseRef {
    StoredReleaseRef {
        digest: release.digest.to_string(),
        version: release.version.clone(),
        settings: release.previous_config.as_ref().map(|config| config.settings.to_string()),
        grants: release.previous_config.as_ref().map(|config| config.grants.clone()),
    }
}

pub(crate) fn release_ref(stored: StoredReleaseRef) -> Result<ReleaseRef> {
    let config = stored.settings.zip(stored.grants);
    let previous_config =
        config.map(|(settings, grants)| PreviousConfig { settings: settings.into(), grants });
    Ok(ReleaseRef { digest: digest(&stored.digest)?, version: stored.version, previous_config })
}

pub(crate) fn stored_machines(machines: &BTreeMap<String, Arc<Machine>>) -> StoredMachines {
    machines.iter().map(|(kind, machine)| (kind.clone(), stored_machine(machine))).collect()
}

pub(crate) fn machines(stored: StoredMachines) -> Result<BTreeMap<String, Arc<Machine>>> {
    stored.into_iter().map(|(kind, stored)| Ok((kind, Arc::new(machine(stored)?)))).collect()
}

pub(crate) fn stored_commands(commands: &BTreeMap<String, Vec<PluginCommand>>) -> StoredCommands {
    let command = |command: &PluginCommand| {
        let PluginCommand { name, title, states, input_schema } = command.clone();
        StoredCommand { name, title, states, input_schema }
    };
    commands.iter().map(|(kind, offered)| (kind.clone(), offered.iter().map(command).collect())).collect()
}

pub(crate) fn commands(stored: StoredCommands) -> BTreeMap<String, Vec<PluginCommand>> {
    let command = |stored: StoredCommand| {
        let StoredCommand { name, title, states, input_schema } = stored;
        PluginCommand { name, title, states, input_schema }
    };
    stored.into_iter().map(|(kind, offered)| (kind, offered.into_iter().map(command).collect())).collect()
}

pub(crate) fn on_failure(name: &str) -> Result<OnFailure> {
    OnFailure::parse("on_failure", name).map_err(|_| corrupt("a policy", name))
}

/// Decodes a scope from its project or its event; without either it is the tenant.
pub(crate) fn scope(project: Option<ProjectId>, event: Option<EventId>) -> Scope {
    project.map(Scope::Project).or(event.map(Scope::Event)).unwrap_or(Scope::Tenant)
}

pub(crate) fn stored_installation(installation: &Installation) -> StoredInstallation {
    StoredInstallation {
        id: installation.id.to_string(),
        plugin: installation.plugin.clone(),
        release: stored_release_ref(&installation.release),
        earlier: installation.earlier.iter().map(stored_release_ref).collect(),
        project: installation.scope.project().map(|project| project.to_string()),
        event: installation.scope.event().map(|event| event.to_string()),
        settings: installation.settings.as_ref().to_owned(),
        order: installation.order,
        on_failure: installation.on_failure.name().to_owned(),
        grants: installation.grants.clone(),
        limits: stored_limits(&installation.limits),
        enabled: installation.enabled,
        hooks: stored_hooks(&installation.hooks),
        kinds: installation.kinds.clone(),
        machines: stored_machines(&installation.machines),
        commands: stored_commands(&installation.commands),
        state_map: installation.state_map.clone(),
        created_at: installation.created_at.micros(),
        updated_at: installation.updated_at.micros(),
        version: installation.version,
    }
}

pub(crate) fn installation(stored: StoredInstallation) -> Result<Installation> {
    let project = stored.project.map(|id| ProjectId::parse("project", &id)).transpose()?;
    let event = stored.event.map(|id| EventId::parse("event", &id)).transpose()?;
    Ok(Installation {
        id: InstallationId::parse("id", &stored.id)?,
        plugin: stored.plugin,
        release: release_ref(stored.release)?,
        earlier: stored.earlier.into_iter().map(release_ref).collect::<Result<_>>()?,
        scope: scope(project, event),
        settings: stored.settings.into(),
        order: stored.order,
        on_failure: on_failure(&stored.on_failure)?,
        grants: stored.grants,
        limits: limits(&stored.limits),
        enabled: stored.enabled,
        hooks: hooks(&stored.hooks)?,
        kinds: stored.kinds,
        machines: machines(stored.machines)?,
        commands: commands(stored.commands),
        state_map: stored.state_map,
        created_at: moment(stored.created_at)?,
        updated_at: moment(stored.updated_at)?,
        version: stored.version,
    })
}

pub(crate) fn stored_timer(timer: &Timer) -> StoredTimer {
    StoredTimer {
        issue: timer.issue.to_string(),
        installation: timer.installation.to_string(),
        name: timer.name.clone(),
        at: timer.at.micros(),
        generation: timer.generation,
        failures: timer.failures,
        last_failure: timer.last_failure.clone(),
    }
}

pub(crate) fn timer(stored: StoredTimer) -> Result<Timer> {
    Ok(Timer {
        issue: IssueId::parse("issue", &stored.issue)?,
        installation: InstallationId::parse("installation", &stored.installation)?,
        name: stored.name,
        at: moment(stored.at)?,
        generation: stored.generation,
        failures: stored.failures,
        last_failure: stored.last_failure,
    })
}
