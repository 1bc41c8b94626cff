//! Installations: a release at work at a scope, with settings, and what a tenant has in force.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use crate::access::ObjectKind;
use crate::ctx::Ctx;
use crate::error::{Error, Result};
use crate::filter::{Kind, Spec};
use crate::id::{InstallationId, ProjectId};
use crate::outbox::{NewFact, ObjectRef};
use crate::plugin::{Digest, Hook, LimitOverrides, PluginCommand};
use crate::time::Timestamp;
use crate::tracker::{Issue, Machine, Project, Scheme};
use crate::value::{Change, Field, Snapshot, Value};

/// The most installations of a tenant.
pub const MAX_INSTALLATIONS: usize = 100;

/// How many earlier releases an installation remembers.
pub const MAX_EARLIER: usize = 10;

/// The largest page of installations.
pub const MAX_PAGE: u32 = 100;

/// What an effect may do, as manifests ask for it and tenants grant it.
pub const RIGHTS: [&str; 7] = [
    "issue:update",
    "issue:transition",
    "issue:create",
    "issue:link",
    "comment:create",
    "notice:create",
    "fact:emit",
];

/// Where an installation is at work.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Scope {
    /// Everywhere in the tenant.
    Tenant,
    /// In one project.
    Project(ProjectId),
}

impl Scope {
    /// Whether what is in `project` (none: in no project) is within it.
    #[must_use]
    pub fn holds(self, project: Option<ProjectId>) -> bool {
        match self {
            Self::Tenant => true,
            Self::Project(id) => project == Some(id),
        }
    }

    /// The project, where it is one.
    #[must_use]
    pub fn project(self) -> Option<ProjectId> {
        match self {
            Self::Tenant => None,
            Self::Project(id) => Some(id),
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tenant => f.write_str("tenant"),
            Self::Project(id) => write!(f, "project:{id}"),
        }
    }
}

/// What happens to a request when a plugin fails.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum OnFailure {
    /// It fails.
    #[default]
    Closed,
    /// It goes on without the plugin, and the failure is counted.
    Open,
}

impl OnFailure {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
        }
    }

    /// The policy with that name.
    pub fn parse(field: &str, name: &str) -> Result<Self> {
        [Self::Closed, Self::Open]
            .into_iter()
            .find(|policy| policy.name() == name)
            .ok_or_else(|| Error::invalid(field, "is not a policy; closed or open is expected"))
    }
}

/// A release as an installation names it.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct ReleaseRef {
    /// Its digest.
    pub digest: Digest,
    /// The version that its manifest says.
    pub version: String,
    /// With what it was at work when another took its place; none: it is at work.
    pub previous_config: Option<PreviousConfig>,
}

/// With what a release was at work when another took its place, to which a roll-back goes back.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct PreviousConfig {
    /// JSON; empty: none.
    pub settings: Arc<str>,
    /// What its effects could do.
    pub grants: BTreeSet<String>,
}

/// A release at work.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Installation {
    /// Its id.
    pub id: InstallationId,
    /// The plugin's name.
    pub plugin: String,
    /// The release that is at work.
    pub release: ReleaseRef,
    /// Those that were at work before, oldest first.
    pub earlier: Vec<ReleaseRef>,
    /// Where.
    pub scope: Scope,
    /// JSON that has passed the release's schema; empty: none.
    pub settings: Arc<str>,
    /// Plugins of a hook are called in this order, then in that of their ids.
    pub order: i32,
    /// What happens when it fails.
    pub on_failure: OnFailure,
    /// What its effects may do.
    pub grants: BTreeSet<String>,
    /// What holds its calls.
    pub limits: LimitOverrides,
    /// Whether it is called.
    pub enabled: bool,
    /// What the release can be called for.
    pub hooks: Vec<Hook>,
    /// The kinds of entity that the release wants to see; empty: all.
    pub kinds: Vec<String>,
    /// The machines that the release describes, by kind of issue.
    pub machines: BTreeMap<String, Arc<Machine>>,
    /// The commands that it describes, by kind of issue.
    pub commands: BTreeMap<String, Vec<PluginCommand>>,
    /// From states that its machines lack to those that issues go on in; applied in slices.
    pub state_map: BTreeMap<String, String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Counts its changes.
    pub version: u64,
}

/// What installations can be listed by.
pub const SPEC: Spec = Spec {
    fields: &[("plugin", Kind::Text), ("project", Kind::Id), ("enabled", Kind::Boolean)],
    orders: &["created"],
};

impl Installation {
    /// The installation as facts name it.
    #[must_use]
    pub fn object(&self) -> ObjectRef {
        ObjectRef { kind: ObjectKind::Installation, id: self.id.to_string(), version: self.version }
    }

    /// A fact about this version.
    #[must_use]
    pub fn fact(&self, ctx: &Ctx, fact_type: &'static str, changes: Vec<Change>) -> NewFact {
        let fact = NewFact::new(ctx, fact_type, self.object(), changes);
        match self.scope.project() {
            Some(project) => fact.in_project(project),
            None => fact,
        }
    }

    /// The plugin with its version, as people name it: `support-sla@1.2.0`.
    #[must_use]
    pub fn label(&self) -> String {
        format!("{}@{}", self.plugin, self.release.version)
    }

    /// Whether it is called with this hook for an entity of that kind.
    #[must_use]
    pub fn is_called(&self, hook: Hook, kind: &str, project: Option<ProjectId>) -> bool {
        self.enabled
            && self.hooks.contains(&hook)
            && self.scope.holds(project)
            && (self.kinds.is_empty() || self.kinds.iter().any(|wanted| wanted == kind))
    }

    /// The machine that it gives issues of that kind in a project.
    #[must_use]
    pub fn machine(&self, kind: &str, project: ProjectId) -> Option<&Arc<Machine>> {
        if !self.enabled || !self.scope.holds(Some(project)) {
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
            // Settings may hold what is nobody's business; that they changed is said, not how.
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

/// The states that issues of a tenant are in, and how many are in each.
pub type StatesInUse = BTreeMap<(ProjectId, String), u64>;
