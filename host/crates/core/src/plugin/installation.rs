//! Installations: a release at a scope, with its settings, grants and limits.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use crate::access::ObjectKind;
use crate::ctx::Ctx;
use crate::error::{Error, Result};
use crate::filter::{Kind, Spec};
use crate::id::{EventId, InstallationId, ProjectId};
use crate::outbox::{NewFact, ObjectRef};
use crate::plugin::{Digest, Hook, LimitOverrides, PluginCommand};
use crate::time::Timestamp;
use crate::tracker::Machine;
use crate::value::{Change, Field, Snapshot, Value};

/// The most installations of a tenant.
pub const MAX_INSTALLATIONS: usize = 100;

/// The most earlier releases that an installation keeps.
pub const MAX_EARLIER: usize = 10;

/// The largest page of installations.
pub const MAX_PAGE: u32 = 100;

/// The rights of effects, which manifests need and tenants grant.
pub const RIGHTS: [&str; 7] = [
    "issue:update",
    "issue:transition",
    "issue:create",
    "issue:link",
    "comment:create",
    "notice:create",
    "fact:emit",
];

/// The scope of an installation.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Scope {
    /// The whole tenant.
    Tenant,
    /// One project.
    Project(ProjectId),
    /// One event.
    Event(EventId),
}

impl Scope {
    /// Whether an object of a project or an event, or of neither, is within it.
    #[must_use]
    pub fn holds(self, project: Option<ProjectId>, event: Option<EventId>) -> bool {
        match self {
            Self::Tenant => true,
            Self::Project(id) => project == Some(id),
            Self::Event(id) => event == Some(id),
        }
    }

    /// Returns the event, if it is one.
    #[must_use]
    pub fn event(self) -> Option<EventId> {
        match self {
            Self::Event(id) => Some(id),
            Self::Tenant | Self::Project(_) => None,
        }
    }

    /// Returns the project, if it is one.
    #[must_use]
    pub fn project(self) -> Option<ProjectId> {
        match self {
            Self::Project(id) => Some(id),
            Self::Tenant | Self::Event(_) => None,
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tenant => f.write_str("tenant"),
            Self::Project(id) => write!(f, "project:{id}"),
            Self::Event(id) => write!(f, "event:{id}"),
        }
    }
}

/// The policy for failures of a plugin.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum OnFailure {
    /// The request fails.
    #[default]
    Closed,
    /// The request continues without the plugin, and the failure is counted.
    Open,
}

impl OnFailure {
    /// Returns its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
        }
    }

    /// Returns the policy with that name.
    pub fn parse(field: &str, name: &str) -> Result<Self> {
        [Self::Closed, Self::Open]
            .into_iter()
            .find(|policy| policy.name() == name)
            .ok_or_else(|| Error::invalid(field, "is not a policy; must be closed or open"))
    }
}

/// A release of an installation.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct ReleaseRef {
    /// Its digest.
    pub digest: Digest,
    /// The version of its manifest.
    pub version: String,
    /// For an earlier release, the configuration that it had; `None` for the present one.
    pub previous_config: Option<PreviousConfig>,
}

/// The configuration of an earlier release, which a roll-back restores.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct PreviousConfig {
    /// The settings as JSON; empty: none.
    pub settings: Arc<str>,
    /// The rights of its effects.
    pub grants: BTreeSet<String>,
}

/// An installation.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Installation {
    /// Its id.
    pub id: InstallationId,
    /// The plugin's name.
    pub plugin: String,
    /// The present release.
    pub release: ReleaseRef,
    /// The earlier releases, oldest first.
    pub earlier: Vec<ReleaseRef>,
    /// The scope.
    pub scope: Scope,
    /// The settings as JSON, valid by the release's schema; empty: none.
    pub settings: Arc<str>,
    /// The order in which the plugins of a hook are called; ties are broken by id.
    pub order: i32,
    /// The policy for failures.
    pub on_failure: OnFailure,
    /// The rights of its effects.
    pub grants: BTreeSet<String>,
    /// The limits of its calls.
    pub limits: LimitOverrides,
    /// Whether it is called.
    pub enabled: bool,
    /// The hooks of the release.
    pub hooks: Vec<Hook>,
    /// The kinds of entity that it is called for; empty: all.
    pub kinds: Vec<String>,
    /// The state machines that the release describes, by kind of issue.
    pub machines: BTreeMap<String, Arc<Machine>>,
    /// The commands that the release describes, by kind of issue.
    pub commands: BTreeMap<String, Vec<PluginCommand>>,
    /// From states that its state machines lack to those that issues are migrated to.
    pub state_map: BTreeMap<String, String>,
    /// The time of its creation.
    pub created_at: Timestamp,
    /// The time of its last change.
    pub updated_at: Timestamp,
    /// Its version.
    pub version: u64,
}

/// The filters and orders of lists of installations.
pub const SPEC: Spec = Spec {
    fields: &[("plugin", Kind::Text), ("project", Kind::Id), ("event", Kind::Id), ("enabled", Kind::Boolean)],
    orders: &["created"],
};

impl Installation {
    /// Returns the reference of this version for facts.
    #[must_use]
    pub fn object(&self) -> ObjectRef {
        ObjectRef { kind: ObjectKind::Installation, id: self.id.to_string(), version: self.version }
    }

    /// Returns a fact about this version.
    #[must_use]
    pub fn fact(&self, ctx: &Ctx, fact_type: &'static str, changes: Vec<Change>) -> NewFact {
        let fact = NewFact::new(ctx, fact_type, self.object(), changes);
        match self.scope {
            Scope::Tenant => fact,
            Scope::Project(project) => fact.in_project(project),
            Scope::Event(event) => fact.in_event(event),
        }
    }

    /// Returns the plugin with its version, such as `support-sla@1.2.0`.
    #[must_use]
    pub fn label(&self) -> String {
        format!("{}@{}", self.plugin, self.release.version)
    }

    /// Whether it prices baskets of an event.
    #[must_use]
    pub fn prices(&self, event: EventId) -> bool {
        self.enabled && self.hooks.contains(&Hook::Pricing) && self.scope.holds(None, Some(event))
    }

    /// Whether its hook is called for an entity of that kind.
    #[must_use]
    pub fn is_called(
        &self,
        hook: Hook,
        kind: &str,
        (project, event): (Option<ProjectId>, Option<EventId>),
    ) -> bool {
        self.enabled
            && self.hooks.contains(&hook)
            && self.scope.holds(project, event)
            && (self.kinds.is_empty() || self.kinds.iter().any(|own| own == kind))
    }

    /// Returns its state machine of issues of that kind in a project.
    #[must_use]
    pub fn machine(&self, kind: &str, project: ProjectId) -> Option<&Arc<Machine>> {
        if !self.enabled || !self.scope.holds(Some(project), None) {
            return None;
        }
        self.machines.get(kind)
    }
}

impl Snapshot for Installation {
    fn snapshot(&self) -> Vec<Field> {
        let mut fields = vec![
            Field::new("plugin", self.plugin.as_str()),
            Field::new("release", self.release.digest.to_string().as_str()),
            Field::new("release_version", self.release.version.as_str()),
            Field::new("scope", self.scope.to_string().as_str()),
            // Settings may be confidential: their hash only shows that they changed.
            Field::new("settings", blake3::hash(self.settings.as_bytes()).to_hex().as_str()),
            Field::new("order", Value::Integer(i64::from(self.order))),
            Field::new("on_failure", self.on_failure.name()),
            Field::new("grants", Value::Texts(self.grants.iter().cloned().collect())),
            Field::new("enabled", self.enabled),
        ];
        fields.extend(self.limits.snapshot("limits"));
        fields
    }
}

/// The number of issues in each state of each project.
pub type StatesInUse = BTreeMap<(ProjectId, String), u64>;
