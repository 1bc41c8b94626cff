//! The installations of a tenant that are active, as one command sees them from its beginning to its end.

use std::sync::Arc;

use crate::id::{EventId, InstallationId, ProjectId};
use crate::plugin::installation::Installation;
use crate::plugin::limits::LimitOverrides;
use crate::plugin::release::Hook;
use crate::tracker::{Issue, Machine, Project, Scheme};

/// The installations of a tenant, with the generation that identifies their state.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ActiveInstallations {
    /// The number of changes of the tenant's installations so far.
    pub generation: u64,
    /// The tenant's limits of calls.
    pub limits: LimitOverrides,
    /// All installations, in the order of their calls.
    pub installations: Vec<Arc<Installation>>,
}

impl ActiveInstallations {
    /// Sorts the installations into the order of their calls.
    #[must_use]
    pub fn sorted(mut self) -> Self {
        self.installations.sort_by_key(|installation| (installation.order, installation.id));
        self
    }

    /// Returns the installations whose hook is called for an entity of that kind, in order.
    pub fn called<'a>(
        &'a self,
        hook: Hook,
        kind: &'a str,
        place: (Option<ProjectId>, Option<EventId>),
    ) -> impl Iterator<Item = &'a Arc<Installation>> {
        self.installations.iter().filter(move |installation| installation.is_called(hook, kind, place))
    }

    /// Returns the installations that price baskets of an event, in order.
    pub fn pricing(&self, event: EventId) -> impl Iterator<Item = &Arc<Installation>> {
        self.installations.iter().filter(move |installation| installation.prices(event))
    }

    /// Returns the owner of the state machine of that kind in a project: the project's own installation before
    /// the tenant's.
    #[must_use]
    pub fn machine(&self, kind: &str, project: ProjectId) -> Option<(&Arc<Installation>, &Arc<Machine>)> {
        let owners =
            self.installations.iter().filter_map(|owner| Some((owner, owner.machine(kind, project)?)));
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

    /// Returns the installation with that id.
    #[must_use]
    pub fn get(&self, id: InstallationId) -> Option<&Arc<Installation>> {
        self.installations.iter().find(|installation| installation.id == id)
    }
}
