//! Operations on installations: install, change, roll back, uninstall, and read the log of their calls.

use std::collections::BTreeMap;
use std::hash::Hash;
use std::sync::Arc;

use crate::access::Operation;
use crate::changeset::{Changeset, Guard, Write};
use crate::command::{Commands, Decision};
use crate::ctx::Ctx;
use crate::error::{Error, Result};
use crate::id::InstallationId;
use crate::outbox::ObjectRef;
use crate::page::{Page, PageRequest};
use crate::plugin::call_log::Calls;
use crate::plugin::compatibility::{self, WorkflowDescription};
use crate::plugin::installation::MAX_INSTALLATIONS;
use crate::plugin::installation_change::{ChangeInstallation, Install, check_grants};
use crate::plugin::releases::{check_settings, load_release};
use crate::plugin::rollout::{self, Rollout};
use crate::plugin::state_migration;
use crate::plugin::{
    ActiveInstallations, Hook, Installation, Invoker, LimitOverrides, OnFailure, Release, ReleaseName, Scope,
};
use crate::ports::Store;
use crate::text::Faults;
use crate::value::diff;

/// Performs the operations on installations.
#[derive(Clone)]
pub struct Installations {
    store: Arc<dyn Store>,
    invoker: Arc<Invoker>,
    commands: Commands,
    /// Whether pricing plugins are called, as the operator set it.
    prices: bool,
}

impl Installations {
    /// Creates the service. `prices`: whether pricing plugins are called.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, commands: Commands, prices: bool) -> Self {
        Self { store, invoker: Arc::clone(&commands.hooks().invoker), commands, prices }
    }

    /// Installs a release.
    pub async fn create(&self, ctx: &Ctx, command: Install) -> Result<Rollout> {
        let decide = || async {
            let release = load_release(&*self.store, ctx, &command.release).await?;
            let active = self.active(ctx).await?;
            if active.installations.len() >= MAX_INSTALLATIONS {
                let message = format!("would exceed the maximum of {MAX_INSTALLATIONS} installations");
                return Err(Error::invalid("release", message));
            }
            self.check_exists(ctx, command.scope).await?;
            let draft = command.installation(ctx, &release);
            let installation = self.complete(ctx, &release, draft, &active.limits).await?;
            check_state_map(&command.state_map, &installation)?;
            let changeset = self.change(ctx, &active, None, Some(&installation)).await?;
            let fact = installation.fact(ctx, "plugin.installed", diff(None, Some(&installation)));
            Ok(Decision::change(changeset.fact(fact).insert(installation.clone()), installation))
        };
        let installation = self.commands.run(ctx, Operation::InstallationCreate, &command, decide).await?;
        self.roll_out(ctx, installation).await
    }

    /// Returns an installation.
    pub async fn get(&self, ctx: &Ctx, id: InstallationId) -> Result<Installation> {
        ctx.allow(Operation::InstallationGet)?;
        self.load(ctx, id).await
    }

    /// Lists installations.
    pub async fn list(&self, ctx: &Ctx, page: &PageRequest) -> Result<Page<Installation>> {
        ctx.allow(Operation::InstallationList)?;
        self.store.installations(ctx.tenant, page).await
    }

    /// Changes an installation.
    pub async fn update(
        &self,
        ctx: &Ctx,
        id: InstallationId,
        command: ChangeInstallation,
    ) -> Result<Rollout> {
        let operation = Operation::InstallationUpdate;
        self.revise(ctx, operation, id, &command, "plugin.updated", |_| Ok(command.clone())).await
    }

    /// Puts an installation back to an earlier release; `None`: the release before.
    pub async fn rollback(
        &self,
        ctx: &Ctx,
        id: InstallationId,
        to: Option<ReleaseName>,
        state_map: BTreeMap<String, String>,
    ) -> Result<Rollout> {
        let operation = Operation::InstallationRollback;
        let command = (to.clone(), state_map.clone());
        self.revise(ctx, operation, id, &command, "plugin.rolled_back", |installation| {
            ChangeInstallation::rollback(installation, to.as_ref(), state_map.clone())
        })
        .await
    }

    /// Removes an installation, with its timers.
    pub async fn delete(&self, ctx: &Ctx, id: InstallationId) -> Result<Rollout> {
        let decide = || async {
            let installation = self.load(ctx, id).await?;
            ctx.check_version(installation.version)?;
            let active = self.active(ctx).await?;
            let changeset = self.change(ctx, &active, Some(&installation), None).await?;
            let mut fact = installation.fact(ctx, "plugin.uninstalled", diff(Some(&installation), None));
            fact.object = ObjectRef { version: installation.version + 1, ..installation.object() };
            Ok(Decision::change(changeset.fact(fact).delete(installation.clone()), installation))
        };
        let command = (id, &ctx.if_version);
        let installation = self.commands.run(ctx, Operation::InstallationDelete, &command, decide).await?;
        self.roll_out(ctx, installation).await
    }

    /// Returns the latest calls of an installation on this host, those with a number greater than `after`.
    pub async fn calls(&self, ctx: &Ctx, id: InstallationId, after: u64) -> Result<Calls> {
        ctx.allow(Operation::InstallationCalls)?;
        let installation = self.load(ctx, id).await?;
        Ok(self.invoker.calls(&installation, after))
    }

    async fn revise(
        &self,
        ctx: &Ctx,
        operation: Operation,
        id: InstallationId,
        command: &(impl Hash + Sync),
        fact_type: &'static str,
        change: impl Fn(&Installation) -> Result<ChangeInstallation> + Sync,
    ) -> Result<Rollout> {
        let decide = || async {
            let before = self.load(ctx, id).await?;
            ctx.check_version(before.version)?;
            let change = change(&before)?;
            let name = change.release.clone().unwrap_or(ReleaseName::Digest(before.release.digest));
            let release = load_release(&*self.store, ctx, &name).await?;
            let active = self.active(ctx).await?;
            let state_map = change.state_map.clone();
            let draft = change.apply(&before, &release)?;
            let mut after = self.complete(ctx, &release, draft, &active.limits).await?;
            check_state_map(&state_map, &after)?;
            if after == before {
                return Ok(Decision::nothing(after));
            }
            after.version += 1;
            after.updated_at = ctx.now;
            let changeset = self.change(ctx, &active, Some(&before), Some(&after)).await?;
            let fact = after.fact(ctx, fact_type, diff(Some(&before), Some(&after)));
            Ok(Decision::change(changeset.fact(fact).update(after.clone()), after))
        };
        let command = (id, command, &ctx.if_version);
        let installation = self.commands.run(ctx, operation, &command, decide).await?;
        self.roll_out(ctx, installation).await
    }

    async fn check_exists(&self, ctx: &Ctx, scope: Scope) -> Result<()> {
        let (exists, field, message) = match scope {
            Scope::Tenant => return Ok(()),
            Scope::Project(id) => {
                let project = self.store.project(ctx.tenant, id).await?;
                (project.is_some(), "project_id", "is not a project of the tenant")
            }
            Scope::Event(id) => {
                let event = self.store.event(ctx.tenant, id).await?;
                (event.is_some(), "event_id", "is not an event of the tenant")
            }
        };
        if exists { Ok(()) } else { Err(Error::invalid(field, message)) }
    }

    /// Checks what an admin set, and adds the state machines and commands that the release describes with
    /// these settings.
    async fn complete(
        &self,
        ctx: &Ctx,
        release: &Release,
        mut installation: Installation,
        tenant: &LimitOverrides,
    ) -> Result<Installation> {
        check_hooks(release, installation.scope)?;
        if installation.enabled && release.has(Hook::Pricing) && !self.prices {
            let message = "has the hook pricing, and pricing plugins are switched off on this host \
                           (DYNAMIC_PRICING_ENABLED); its installation can only be disabled";
            return Err(Error::invalid("release", message));
        }
        check_settings(&self.invoker, ctx.tenant, release, &installation.settings).await?;
        let mut faults = Faults::default();
        check_grants(&installation.grants, &release.admitted.manifest.needs, &mut faults);
        installation.limits.check("limits", &mut faults);
        faults.into_result()?;
        if release.has(Hook::Workflow) {
            let WorkflowDescription { machines, commands } =
                compatibility::describe(&self.invoker, ctx, (&installation, tenant)).await?;
            (installation.machines, installation.commands) = (machines, commands);
        }
        if !installation.machines.is_empty() && installation.on_failure == OnFailure::Open {
            let message = "cannot be open: the plugin owns the state machine of issues, and no transition is possible without it";
            return Err(Error::invalid("on_failure", message));
        }
        Ok(installation)
    }

    /// Returns the changes that accompany a changed installation: the next generation, and the check that every
    /// issue has a state of its state machine.
    async fn change(
        &self,
        ctx: &Ctx,
        active: &ActiveInstallations,
        before: Option<&Installation>,
        after: Option<&Installation>,
    ) -> Result<Changeset> {
        let machines = |installation: Option<&Installation>| {
            let enabled = installation.filter(|installation| installation.enabled);
            let machines = enabled.map(|enabled| (enabled.machines.clone(), enabled.state_map.clone()));
            machines.unwrap_or_default()
        };
        let changeset = Changeset::new(ctx);
        if machines(before) == machines(after) {
            return Ok(changeset.write(Write::NextGeneration(active.generation, None)));
        }
        let scope = after.or(before).map_or(Scope::Tenant, |installation| installation.scope);
        let future = compatibility::future(active, before, after)?;
        let in_use = self.store.states_in_use(ctx.tenant, scope).await?;
        let schemes = self.store.own_schemes(ctx.tenant, scope).await?;
        compatibility::check_states(&future, &schemes, &in_use)?;
        let states = in_use.into_keys().collect();
        let mut changeset = schemes.iter().fold(changeset, Changeset::expect);
        if let Some(id) = scope.project()
            && schemes.is_empty()
            && let Some(project) = self.store.project(ctx.tenant, id).await?
        {
            changeset = changeset.expect(&project);
        }
        Ok(changeset
            .write(Write::NextGeneration(active.generation, Some(scope)))
            .guard(Guard::StatesInUse(scope, states)))
    }

    async fn active(&self, ctx: &Ctx) -> Result<ActiveInstallations> {
        Ok(self.store.active_installations(ctx.tenant).await?.sorted())
    }

    async fn load(&self, ctx: &Ctx, id: InstallationId) -> Result<Installation> {
        let installation = self.store.installation(ctx.tenant, id).await?;
        installation.ok_or_else(|| Error::not_found("installation"))
    }

    /// Migrates issues out of states that the changed installation lacks, and waits for the rollout.
    async fn roll_out(&self, ctx: &Ctx, installation: Installation) -> Result<Rollout> {
        state_migration::apply(&self.store, ctx, &installation).await?;
        rollout::wait(&*self.store, ctx, installation).await
    }
}

/// Refuses a release whose hooks cannot be called in the scope: issues belong to projects, and baskets to events.
fn check_hooks(release: &Release, scope: Scope) -> Result<()> {
    match scope {
        Scope::Event(_) if release.has(Hook::Workflow) => {
            let message = "is an event, but a workflow belongs to issues; install it for a project";
            Err(Error::invalid("event_id", message))
        }
        Scope::Project(_) if release.has(Hook::Pricing) => {
            let message =
                "is a project, but the hook pricing belongs to events; install it for an event or the tenant";
            Err(Error::invalid("project_id", message))
        }
        Scope::Tenant | Scope::Project(_) | Scope::Event(_) => Ok(()),
    }
}

/// Refuses a map of states for a plugin without a state machine: nothing would use it.
fn check_state_map(given: &BTreeMap<String, String>, installation: &Installation) -> Result<()> {
    if given.is_empty() || !installation.machines.is_empty() {
        return Ok(());
    }
    Err(Error::invalid("state_map", "must be absent: the plugin has no state machine"))
}
