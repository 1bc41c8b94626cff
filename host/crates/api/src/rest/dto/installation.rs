//! Installations of plugins as JSON.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};
use tessera_core::Result;
use tessera_core::id::ProjectId;
use tessera_core::plugin::{
    ChangeInstallation, Install, Installation, LimitOverrides, OnFailure, PluginCommand, ReleaseRef, Rollout,
    Scope,
};
use tessera_core::text::Faults;
use utoipa::ToSchema;

use crate::request::etag;
use crate::rest::dto::patch::Patch;
use crate::rest::dto::release::ReleaseNameBody;
use crate::rest::dto::scheme::MachineBody;
use crate::rest::dto::text;
use crate::rest::plugin_json::{LimitsBody, as_text, of_text};

/// A release at work at a scope.
#[derive(Debug, Serialize, ToSchema)]
pub struct InstallationBody {
    /// Its id.
    pub installation_id: String,
    /// The plugin's name.
    pub plugin: String,
    /// The release that is at work.
    pub release: ReleaseRefBody,
    /// Those that were at work before, oldest first.
    pub earlier: Vec<ReleaseRefBody>,
    /// The project in which it is at work; null: the whole tenant.
    pub project_id: Option<String>,
    /// Its settings; null: none.
    pub settings: Json,
    /// Plugins of a hook are called in this order.
    pub order: i32,
    /// What happens to a request when it fails: `closed` or `open`.
    pub on_failure: &'static str,
    /// What its effects may do.
    pub grants: Vec<String>,
    /// What holds its calls, below what the host and the tenant allow.
    pub limits: LimitsBody,
    /// Whether it is called.
    pub enabled: bool,
    /// What its release can be called for.
    pub hooks: Vec<&'static str>,
    /// The kinds of entity that its release wants to see; empty: all.
    pub kinds: Vec<String>,
    /// The machines that it gives issues, by their kind.
    pub machines: BTreeMap<String, MachineBody>,
    /// The commands that it offers.
    pub commands: Vec<KindCommandBody>,
    /// From states that its machines lack to those that issues go on in.
    pub state_map: BTreeMap<String, String>,
    /// When it was made.
    pub created_at: String,
    /// When it was last changed.
    pub updated_at: String,
    /// Names this version, for `If-Match`.
    pub etag: String,
}

/// A release as an installation knows it.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReleaseRefBody {
    /// Its digest.
    pub digest: String,
    /// The version that its manifest says.
    pub version: String,
}

/// A command that a workflow adds to issues of a kind.
#[derive(Debug, Serialize, ToSchema)]
pub struct KindCommandBody {
    /// The kind of issue.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// What the button says.
    pub title: String,
    /// The states in which it is offered; empty: all.
    pub states: Vec<String>,
    /// A JSON Schema of its input; null: it takes none.
    pub input_schema: Json,
}

/// What puts a release to work.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateInstallationBody {
    /// The release.
    #[serde(default)]
    #[schema(required = true)]
    pub release: ReleaseNameBody,
    /// The project in which it is at work; absent: the whole tenant.
    #[serde(default)]
    pub project_id: Option<String>,
    /// Its settings.
    #[serde(default)]
    pub settings: Option<Map<String, Json>>,
    /// Plugins of a hook are called in this order.
    #[serde(default)]
    pub order: i32,
    /// What happens to a request when it fails: `closed` (the default) or `open`.
    #[serde(default)]
    pub on_failure: Option<String>,
    /// What its effects may do; absent: all that it asks for.
    #[serde(default)]
    pub grants: Option<Vec<String>>,
    /// What holds its calls, below what the host and the tenant allow.
    #[serde(default)]
    pub limits: LimitsBody,
    /// Whether it is called; absent: it is.
    #[serde(default)]
    pub enabled: Option<bool>,
    /// From states that its machines lack to those that issues go on in.
    #[serde(default)]
    pub state_map: BTreeMap<String, String>,
}

/// What changes an installation; what is absent stays.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct InstallationPatch {
    /// Another release of the same plugin.
    #[serde(default)]
    #[schema(value_type = Option<ReleaseNameBody>)]
    pub release: Patch<ReleaseNameBody>,
    /// Its settings, whole; null: none.
    #[serde(default)]
    #[schema(value_type = Option<Map<String, Json>>)]
    pub settings: Patch<Map<String, Json>>,
    /// Plugins of a hook are called in this order.
    #[serde(default)]
    #[schema(value_type = Option<i32>)]
    pub order: Patch<i32>,
    /// What happens to a request when it fails: `closed` or `open`.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub on_failure: Patch<String>,
    /// What its effects may do.
    #[serde(default)]
    #[schema(value_type = Option<Vec<String>>)]
    pub grants: Patch<Vec<String>>,
    /// What holds its calls, whole; null: nothing of its own.
    #[serde(default)]
    #[schema(value_type = Option<LimitsBody>)]
    pub limits: Patch<LimitsBody>,
    /// Whether it is called.
    #[serde(default)]
    #[schema(value_type = Option<bool>)]
    pub enabled: Patch<bool>,
    /// From states that its machines lack to those that issues go on in; empty: as before.
    #[serde(default)]
    pub state_map: BTreeMap<String, String>,
}

/// To which release an installation goes back.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RollbackBody {
    /// The release; absent: the one that was at work before.
    #[serde(default)]
    pub release: Option<ReleaseNameBody>,
    /// From states that its machines lack to those that issues go on in; empty: as before.
    #[serde(default)]
    pub state_map: BTreeMap<String, String>,
}

/// One installation.
#[derive(Debug, Serialize, ToSchema)]
pub struct InstallationAnswer {
    /// The installation.
    pub installation: InstallationBody,
}

/// An installation after a change, and where the change is not in force yet.
#[derive(Debug, Serialize, ToSchema)]
pub struct InForceAnswer {
    /// The installation.
    pub installation: InstallationBody,
    /// Hosts that do not have the change in force yet.
    pub lagging_hosts: Vec<String>,
}

/// A page of installations.
#[derive(Debug, Serialize, ToSchema)]
pub struct InstallationsPage {
    /// The installations.
    pub installations: Vec<InstallationBody>,
    /// The token of the next page; empty: this was the last.
    pub next_page_token: String,
}

impl From<ReleaseRef> for ReleaseRefBody {
    fn from(release: ReleaseRef) -> Self {
        Self { digest: release.digest.to_string(), version: release.version }
    }
}

impl From<(String, PluginCommand)> for KindCommandBody {
    fn from((kind, command): (String, PluginCommand)) -> Self {
        let PluginCommand { name, title, states, input_schema } = command;
        Self { kind, name, title, states, input_schema: of_text(&input_schema) }
    }
}

impl From<Installation> for InstallationBody {
    fn from(held: Installation) -> Self {
        let commands = held.commands.into_iter().flat_map(|(kind, commands)| {
            commands.into_iter().map(move |command| (kind.clone(), command).into())
        });
        let machines = held.machines.iter().map(|(kind, machine)| (kind.clone(), (&**machine).into()));
        Self {
            installation_id: held.id.to_string(),
            plugin: held.plugin,
            release: held.release.into(),
            earlier: held.earlier.into_iter().map(Into::into).collect(),
            project_id: text(held.scope.project()),
            settings: of_text(&held.settings),
            order: held.order,
            on_failure: held.on_failure.name(),
            grants: held.grants.into_iter().collect(),
            limits: held.limits.into(),
            enabled: held.enabled,
            hooks: held.hooks.iter().map(|hook| hook.name()).collect(),
            kinds: held.kinds,
            machines: machines.collect(),
            commands: commands.collect(),
            state_map: held.state_map,
            created_at: held.created_at.to_string(),
            updated_at: held.updated_at.to_string(),
            etag: etag(held.version),
        }
    }
}

impl From<Rollout> for InForceAnswer {
    fn from(report: Rollout) -> Self {
        Self { installation: report.installation.into(), lagging_hosts: report.lagging }
    }
}

/// The scope that a client named by a project; empty: the whole tenant.
pub(crate) fn scope(project: &str) -> Result<Scope> {
    if project.is_empty() {
        return Ok(Scope::Tenant);
    }
    ProjectId::parse("project_id", project).map(Scope::Project)
}

impl CreateInstallationBody {
    /// The command.
    pub fn command(self) -> Result<Install> {
        let on_failure = self.on_failure.as_deref().filter(|name| !name.is_empty());
        Ok(Install {
            release: self.release.decode()?,
            scope: scope(self.project_id.as_deref().unwrap_or_default())?,
            settings: as_text(self.settings),
            order: self.order,
            on_failure: on_failure.map(|name| OnFailure::parse("on_failure", name)).transpose()?,
            grants: self.grants,
            limits: self.limits.into(),
            enabled: self.enabled.unwrap_or(true),
            state_map: self.state_map,
        })
    }
}

impl InstallationPatch {
    /// The command.
    pub fn command(self) -> Result<ChangeInstallation> {
        let mut faults = Faults::default();
        let release = self.release.kept("release", &mut faults).map(ReleaseNameBody::decode);
        let on_failure = self.on_failure.kept("on_failure", &mut faults);
        let on_failure = on_failure.map(|name| OnFailure::parse("on_failure", &name));
        let limits = self.limits.optional();
        let command = ChangeInstallation {
            release: release.and_then(|read| faults.take(read)),
            settings: self.settings.optional().map(as_text),
            order: self.order.kept("order", &mut faults),
            on_failure: on_failure.and_then(|read| faults.take(read)),
            grants: self.grants.kept("grants", &mut faults),
            limits: limits.map(|held| held.map_or_else(LimitOverrides::default, Into::into)),
            enabled: self.enabled.kept("enabled", &mut faults),
            state_map: self.state_map,
        };
        faults.into_result().map(|()| command)
    }
}
