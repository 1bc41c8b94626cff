//! Commands that install a release or change an installation, and the installation that they result in.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::ctx::Ctx;
use crate::error::{Error, Result};
use crate::id::InstallationId;
use crate::plugin::installation::{MAX_EARLIER, RIGHTS};
use crate::plugin::{
    Installation, LimitOverrides, OnFailure, PreviousConfig, Release, ReleaseName, ReleaseRef, Scope,
};
use crate::text::Faults;

/// The command that installs a release.
#[derive(Clone, Hash, Debug)]
pub struct Install {
    /// The release.
    pub release: ReleaseName,
    /// The scope.
    pub scope: Scope,
    /// The settings as JSON; empty: none.
    pub settings: String,
    /// The order in which the plugins of a hook are called.
    pub order: i32,
    /// The policy for failures; `None`: closed.
    pub on_failure: Option<OnFailure>,
    /// The rights of its effects; `None`: all that the release needs.
    pub grants: Option<Vec<String>>,
    /// The limits of its calls.
    pub limits: LimitOverrides,
    /// Whether it is called.
    pub enabled: bool,
    /// From states that its state machine lacks to those that issues are migrated to.
    pub state_map: BTreeMap<String, String>,
}

/// The command that changes an installation; `None` keeps a value.
#[derive(Clone, Hash, Debug, Default)]
pub struct ChangeInstallation {
    /// Another release of the same plugin.
    pub release: Option<ReleaseName>,
    /// The settings as JSON.
    pub settings: Option<String>,
    /// The order in which the plugins of a hook are called.
    pub order: Option<i32>,
    /// The policy for failures.
    pub on_failure: Option<OnFailure>,
    /// The rights of its effects.
    pub grants: Option<Vec<String>>,
    /// The limits of its calls.
    pub limits: Option<LimitOverrides>,
    /// Whether it is called.
    pub enabled: Option<bool>,
    /// From states that its state machine lacks to those that issues are migrated to.
    pub state_map: BTreeMap<String, String>,
}

impl Install {
    /// Returns the new installation of a release.
    pub(super) fn installation(&self, ctx: &Ctx, release: &Release) -> Installation {
        let manifest = &release.admitted.manifest;
        let needs = || manifest.needs.clone();
        Installation {
            id: InstallationId::generate(),
            plugin: manifest.name.clone(),
            release: reference(release),
            earlier: Vec::new(),
            scope: self.scope,
            settings: self.settings.as_str().into(),
            order: self.order,
            on_failure: self.on_failure.unwrap_or_default(),
            grants: self.grants.clone().unwrap_or_else(needs).into_iter().collect(),
            limits: self.limits,
            enabled: self.enabled,
            hooks: release.admitted.hooks.clone(),
            kinds: manifest.kinds.clone(),
            machines: BTreeMap::new(),
            commands: BTreeMap::new(),
            state_map: self.state_map.clone(),
            created_at: ctx.now,
            updated_at: ctx.now,
            version: 1,
        }
    }
}

fn reference(release: &Release) -> ReleaseRef {
    ReleaseRef {
        digest: release.digest(),
        version: release.admitted.manifest.version.clone(),
        previous_config: None,
    }
}

impl ChangeInstallation {
    /// Returns the change that puts an installation back to an earlier release, with the settings and grants
    /// that it had then; `None`: the release before.
    pub(super) fn rollback(
        installation: &Installation,
        to: Option<&ReleaseName>,
        state_map: BTreeMap<String, String>,
    ) -> Result<Self> {
        let mut earlier = installation.earlier.iter();
        let earlier = match to {
            None => earlier.next_back(),
            Some(ReleaseName::Digest(digest)) => earlier.find(|release| release.digest == *digest),
            Some(ReleaseName::Named { version, .. }) => earlier.find(|release| release.version == *version),
        };
        let earlier = earlier
            .ok_or_else(|| Error::invalid("release", "is not an earlier release of this installation"))?;
        let (settings, grants) = match earlier.previous_config.clone() {
            Some(config) => (Some(config.settings.to_string()), Some(config.grants.into_iter().collect())),
            None => (None, None),
        };
        let release = Some(ReleaseName::Digest(earlier.digest));
        Ok(Self { release, settings, grants, state_map, ..Self::default() })
    }

    /// Returns the changed installation; `release` is the one that it names, or else the present one.
    pub(super) fn apply(self, before: &Installation, release: &Release) -> Result<Installation> {
        let manifest = &release.admitted.manifest;
        if manifest.name != before.plugin {
            let message = format!("is of the plugin {}; {} is installed", manifest.name, before.plugin);
            return Err(Error::invalid("release", message));
        }
        let mut after = before.clone();
        if release.digest() != before.release.digest {
            replace_release(&mut after, release);
        }
        let Self { release: _, settings, order, on_failure, grants, limits, enabled, state_map } = self;
        if let Some(settings) = settings {
            after.settings = settings.into();
        }
        after.order = order.unwrap_or(after.order);
        after.on_failure = on_failure.unwrap_or(after.on_failure);
        if let Some(grants) = grants {
            after.grants = grants.into_iter().collect();
        }
        after.limits = limits.unwrap_or(after.limits);
        after.enabled = enabled.unwrap_or(after.enabled);
        if !state_map.is_empty() {
            after.state_map = state_map;
        }
        Ok(after)
    }
}

/// Puts another release in the place of the present one, which becomes the latest earlier one.
fn replace_release(installation: &mut Installation, release: &Release) {
    let manifest = &release.admitted.manifest;
    let config =
        PreviousConfig { settings: Arc::clone(&installation.settings), grants: installation.grants.clone() };
    let replaced = std::mem::replace(&mut installation.release, reference(release));
    installation.earlier.retain(|earlier| earlier.digest != release.digest());
    installation.earlier.push(ReleaseRef { previous_config: Some(config), ..replaced });
    let surplus = installation.earlier.len().saturating_sub(MAX_EARLIER);
    installation.earlier.drain(..surplus);
    installation.hooks.clone_from(&release.admitted.hooks);
    installation.kinds.clone_from(&manifest.kinds);
    // Grants that the new release does not need are dropped; those that it needs in addition are granted by name.
    installation.grants.retain(|right| manifest.needs.contains(right));
}

/// Finds grants that do not exist or that the release does not need.
pub(super) fn check_grants(grants: &BTreeSet<String>, needs: &[String], faults: &mut Faults) {
    for right in grants {
        if !RIGHTS.contains(&right.as_str()) {
            faults.add("grants", format_args!("has {right:?}; one of {} is expected", RIGHTS.join(", ")));
        } else if !needs.contains(right) {
            faults.add("grants", format_args!("has {right:?}, which the plugin does not need"));
        }
    }
}
