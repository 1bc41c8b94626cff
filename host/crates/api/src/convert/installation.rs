//! Installations of plugins, and their commands.

use tessera_core::id::{EventId, ProjectId};
use tessera_core::plugin::{
    ChangeInstallation, Install, Installation, OnFailure, PluginCommand, ReleaseName, ReleaseRef, Scope,
};
use tessera_core::tracker::OfferedCommand;
use tessera_core::{Error, Result};
use tessera_proto::issues::v1 as issues;
use tessera_proto::plugin::v1 as pb;

use crate::convert::limits::{limits, read_limits};
use crate::convert::mask::Mask;
use crate::convert::names::WireEnum as _;
use crate::convert::release::name;
use crate::convert::scheme::machine;
use crate::convert::{text, time};
use crate::plugin_json::{object_text, parse_object};
use crate::state::etag;

const PATHS: [&str; 8] =
    ["release", "settings_json", "order", "on_failure", "grants", "limits", "enabled", "state_map"];

/// Encodes an installation.
#[must_use]
pub(crate) fn installation(installation: Installation) -> pb::Installation {
    let commands = installation
        .commands
        .into_iter()
        .flat_map(|(kind, commands)| commands.into_iter().map(move |model| command(kind.clone(), model)));
    pb::Installation {
        installation_id: installation.id.to_string(),
        plugin: installation.plugin,
        release: Some(release(installation.release)),
        earlier: installation.earlier.into_iter().map(release).collect(),
        project_id: text(installation.scope.project()),
        settings_json: installation.settings.to_string(),
        order: installation.order,
        on_failure: installation.on_failure.number(),
        grants: installation.grants.into_iter().collect(),
        limits: limits(installation.limits),
        enabled: installation.enabled,
        hooks: installation.hooks.iter().map(|hook| hook.number()).collect(),
        kinds: installation.kinds,
        machines: installation.machines.iter().map(|(kind, model)| (kind.clone(), machine(model))).collect(),
        commands: commands.collect(),
        state_map: installation.state_map,
        created_at: time(installation.created_at),
        updated_at: time(installation.updated_at),
        etag: etag(installation.version),
        event_id: text(installation.scope.event()),
    }
}

fn release(release: ReleaseRef) -> pb::ReleaseRef {
    pb::ReleaseRef { digest: release.digest.to_string(), version: release.version }
}

fn command(kind: String, command: PluginCommand) -> pb::Command {
    let PluginCommand { name, title, states, input_schema } = command;
    pb::Command { kind, name, title, states, input_schema_json: input_schema }
}

/// Encodes a command that a plugin offers for an issue.
#[must_use]
pub(crate) fn offered_command(offered: OfferedCommand) -> issues::OfferedCommand {
    let PluginCommand { name, title, states, input_schema } = offered.command;
    issues::OfferedCommand {
        installation_id: offered.installation.to_string(),
        plugin: offered.plugin,
        name,
        title,
        states,
        input_schema_json: input_schema,
    }
}

/// Reads a request to install a release.
pub(crate) fn install(request: pb::CreateInstallationRequest) -> Result<Install> {
    Ok(Install {
        release: release_name(request.release)?,
        scope: scope(&request.project_id, &request.event_id)?,
        settings: settings(&request.settings_json)?,
        order: request.order,
        on_failure: OnFailure::from_number("on_failure", request.on_failure)?,
        grants: request.grants.map(|grants| grants.rights),
        limits: read_limits(request.limits),
        enabled: request.enabled.unwrap_or(true),
        state_map: request.state_map,
    })
}

/// Reads an update of an installation. Without a mask, unset fields stay.
pub(crate) fn change(request: pb::UpdateInstallationRequest) -> Result<ChangeInstallation> {
    let mask = Mask::read(request.update_mask, &PATHS, None)?;
    // A masked field that is unset becomes its default; without a mask, an unset field stays.
    let field = |path: &str, is_set: bool| {
        let is_changed = if mask.is_absent() { is_set } else { mask.names(path) };
        is_changed.then_some(())
    };
    let on_failure = OnFailure::from_number("on_failure", request.on_failure)?;
    Ok(ChangeInstallation {
        release: match field("release", request.release.is_some()) {
            Some(()) => Some(release_name(request.release)?),
            None => None,
        },
        settings: match field("settings_json", request.settings_json.is_some()) {
            Some(()) => Some(settings(&request.settings_json.unwrap_or_default())?),
            None => None,
        },
        order: field("order", request.order.is_some()).map(|()| request.order.unwrap_or_default()),
        on_failure: field("on_failure", on_failure.is_some()).map(|()| on_failure.unwrap_or_default()),
        grants: field("grants", request.grants.is_some()).map(|()| request.grants.unwrap_or_default().rights),
        limits: field("limits", request.limits.is_some()).map(|()| read_limits(request.limits)),
        enabled: field("enabled", request.enabled.is_some()).map(|()| request.enabled.unwrap_or_default()),
        state_map: field("state_map", true).map(|()| request.state_map).unwrap_or_default(),
    })
}

/// Reads the scope: a project or an event, or the tenant if both texts are empty.
fn scope(project: &str, event: &str) -> Result<Scope> {
    match (project, event) {
        ("", "") => Ok(Scope::Tenant),
        (project, "") => ProjectId::parse("project_id", project).map(Scope::Project),
        ("", event) => EventId::parse("event_id", event).map(Scope::Event),
        _ => Err(Error::invalid("event_id", "is given beside project_id; use one or the other")),
    }
}

fn release_name(release: Option<pb::ReleaseName>) -> Result<ReleaseName> {
    let name = name(Some(release.unwrap_or_default()))?;
    name.ok_or_else(|| Error::invalid("release", "must be given"))
}

fn settings(text: &str) -> Result<String> {
    parse_object("settings_json", text).map(object_text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use prost_types::FieldMask;

    fn request(paths: &[&str]) -> pb::UpdateInstallationRequest {
        let paths = paths.iter().map(|&path| path.to_owned()).collect();
        pb::UpdateInstallationRequest {
            order: Some(7),
            settings_json: Some("{ \"a\" : 1 }".to_owned()),
            update_mask: Some(FieldMask { paths }),
            ..Default::default()
        }
    }

    #[test]
    fn scope_is_a_project_or_an_event() {
        let (project, event) = (ProjectId::generate(), EventId::generate());
        let (project_id, event_id) = (project.to_string(), event.to_string());
        assert_eq!(scope("", "").unwrap(), Scope::Tenant);
        assert_eq!(scope(&project_id, "").unwrap(), Scope::Project(project));
        assert_eq!(scope("", &event_id).unwrap(), Scope::Event(event));
        assert_eq!(scope(&project_id, &event_id).unwrap_err().faults()[0].field, "event_id");
        assert_eq!(scope("", "e").unwrap_err().faults()[0].field, "event_id");
    }

    #[test]
    fn unmasked_update_keeps_unset_fields() {
        let request = pb::UpdateInstallationRequest { update_mask: None, ..request(&[]) };
        let change = change(request).unwrap();
        assert_eq!((change.order, change.settings.as_deref()), (Some(7), Some("{\"a\":1}")));
        assert_eq!((change.enabled, change.limits, change.grants), (None, None, None));
        assert!(change.release.is_none() && change.on_failure.is_none());
    }

    #[test]
    fn masked_unset_fields_become_defaults() {
        let change = change(request(&["enabled", "limits", "grants", "on_failure"])).unwrap();
        assert_eq!((change.order, change.settings), (None, None));
        assert_eq!((change.enabled, change.grants), (Some(false), Some(Vec::new())));
        assert_eq!(change.limits, Some(tessera_core::plugin::LimitOverrides::default()));
        assert_eq!(change.on_failure, Some(OnFailure::Closed));
        assert_eq!(super::change(request(&["release"])).unwrap_err().faults()[0].field, "release");
        assert_eq!(super::change(request(&["plugin"])).unwrap_err().faults()[0].field, "update_mask");
    }

    #[test]
    fn settings_must_be_an_object() {
        for bad in ["[]", "1", "{", "{}x"] {
            let request =
                pb::UpdateInstallationRequest { settings_json: Some(bad.into()), ..Default::default() };
            assert_eq!(change(request).unwrap_err().faults()[0].field, "settings_json", "{bad}");
        }
    }
}
