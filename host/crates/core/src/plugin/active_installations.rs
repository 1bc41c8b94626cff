//! The installations of a tenant that are active, as one command sees them from its beginning to its end.

use std::sync::Arc;

use crate::id::{InstallationId, ProjectId};
use crate::plugin::installation::Installation;
use crate::plugin::limits::LimitOverrides;
use crate::plugin::release::Hook;
use crate::tracker::{Issue, Machine, Project, Scheme};

/// What a tenant has installed, as one command sees it from its beginning to its end.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ActiveInstallations {
    /// Counts the changes of the tenant's installations.
    pub generation: u64,
    /// What holds the tenant's calls.
    pub limits: LimitOverrides,
    /// All installations, in the order in which they are called.
    pub installations: Vec<Arc<Installation>>,
}

impl ActiveInstallations {
    /// Brings the installations into the order in which they are called.
    #[must_use]
    pub fn sorted(mut self) -> Self {
        self.installations.sort_by_key(|installation| (installation.order, installation.id));
        self
    }

    /// Those that are called with this hook for an entity of that kind, in their order.
    pub fn called<'a>(
        &'a self,
        hook: Hook,
        kind: &'a str,
        project: Option<ProjectId>,
    ) -> impl Iterator<Item = &'a Arc<Installation>> {
        self.installations.iter().filter(move |installation| installation.is_called(hook, kind, project))
    }

    /// Who owns the machine of that kind in a project: the project's own installation before the tenant's.
    #[must_use]
    pub fn machine(&self, kind: &str, project: ProjectId) -> Option<(&Arc<Installation>, &Arc<Machine>)> {
        let owners = self.installations.iter().filter_map(|held| Some((held, held.machine(kind, project)?)));
        owners.max_by_key(|(installation, _)| installation.scope.project().is_some())
    }

    /// Returns the scheme of a project's issues of that kind: the project's own, with the machine of the
    /// plugin that owns it.
    #[must_use]
    pub fn scheme(&self, project: &Project, kind: &str) -> Arc<Scheme> {
        let scheme = project.scheme();
        match self.machine(kind, project.id) {
            Some((_, machine)) => Arc::new(Scheme { machine: (**machine).clone(), ..(*scheme).clone() }),
            None => scheme,
        }
    }

    /// Returns the state that an issue is to be migrated to; `None` if the state machine has its own.
    #[must_use]
    pub fn migrated_state(&self, issue: &Issue) -> Option<String> {
        let (owner, machine) = self.machine(&issue.kind, issue.project)?;
        if machine.state(&issue.status).is_some() {
            return None;
        }
        owner.state_map.get(&issue.status).cloned()
    }

    /// The installation with that id.
    #[must_use]
    pub fn get(&self, id: InstallationId) -> Option<&Arc<Installation>> {
        self.installations.iter().find(|installation| installation.id == id)
    }
}
