//! What tenants do with installations: install, change, roll back, uninstall, and look at their calls.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::access::{ObjectKind, Operation};
use crate::changeset::{Changeset, Guard, Write};
use crate::command::{Commands, Decision};
use crate::ctx::Ctx;
use crate::error::{Error, Result};
use crate::filter::{Filter, Order};
use crate::id::InstallationId;
use crate::outbox::ObjectRef;
use crate::page::{Page, PageRequest};
use crate::plugin::call_log::Calls;
use crate::plugin::compatibility::{self, Described};
use crate::plugin::installation::{MAX_EARLIER, MAX_INSTALLATIONS, RIGHTS};
use crate::plugin::releases::{ReleaseName, check_settings, named};
use crate::plugin::state_migration;
use crate::plugin::{
    ActiveInstallations, Hook, Installation, Invoker, LimitOverrides, OnFailure, PreviousConfig, Release,
    ReleaseRef, Scope,
};
use crate::ports::Store;
use crate::text::Faults;
use crate::value::diff;

/// A change is in force everywhere within this time; hosts that are slower are named.
const IN_FORCE_WITHIN: Duration = Duration::from_secs(1);

/// A host that was silent for longer is gone.
const ALIVE: Duration = Duration::from_secs(30);

/// What installs a release.
#[derive(Clone, Hash, Debug)]
pub struct Install {
    /// Which.
    pub release: ReleaseName,
    /// Where.
    pub scope: Scope,
    /// JSON; empty: none.
    pub settings: String,
    /// Plugins of a hook are called in this order.
    pub order: i32,
    /// What happens when it fails; none: closed.
    pub on_failure: Option<OnFailure>,
    /// What its effects may do; none: all that it needs.
    pub grants: Option<Vec<String>>,
    /// What holds its calls.
    pub limits: LimitOverrides,
    /// Whether it is called.
    pub enabled: bool,
    /// From states that its machine lacks to those that issues go on in.
    pub state_map: BTreeMap<String, String>,
}

/// What changes an installation; what is not named stays.
#[derive(Clone, Hash, Debug, Default)]
pub struct ChangeInstallation {
    /// Another release of the same plugin.
    pub release: Option<ReleaseName>,
    /// JSON.
    pub settings: Option<String>,
    /// Plugins of a hook are called in this order.
    pub order: Option<i32>,
    /// What happens when it fails.
    pub on_failure: Option<OnFailure>,
    /// What its effects may do.
    pub grants: Option<Vec<String>>,
    /// What holds its calls.
    pub limits: Option<LimitOverrides>,
    /// Whether it is called.
    pub enabled: Option<bool>,
    /// From states that its machine lacks to those that issues go on in.
    pub state_map: BTreeMap<String, String>,
}

/// An installation after a change, and where the change is not in force yet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rollout {
    /// The installation.
    pub installation: Installation,
    /// Hosts that do not have it in force yet.
    pub lagging: Vec<String>,
}

/// Carries out what is done with installations.
#[derive(Clone)]
pub struct Installations {
    store: Arc<dyn Store>,
    invoker: Arc<Invoker>,
    commands: Commands,
}

impl Installations {
    /// The service.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, commands: Commands) -> Self {
        Self { store, invoker: Arc::clone(&commands.hooks().invoker), commands }
    }

    /// Puts a release to work.
    pub async fn create(&self, ctx: &Ctx, command: Install) -> Result<Rollout> {
        let decide = || async {
            let release = named(&*self.store, ctx, &command.release).await?;
            let active = self.present(ctx).await?;
            if active.installations.len() >= MAX_INSTALLATIONS {
                let message = format!("would be one of more than {MAX_INSTALLATIONS} installations");
                return Err(Error::invalid("release", message));
            }
            if let Scope::Project(project) = command.scope {
                let found = self.store.project(ctx.tenant, project).await?;
                found.ok_or_else(|| Error::invalid("project_id", "is not a project of the tenant"))?;
            }
            let draft = self.draft(ctx, &command, &release);
            let installation = self.fit(ctx, &release, draft, &active.limits).await?;
            let changeset = self.change(ctx, &active, None, Some(&installation)).await?;
            let fact = installation.fact(ctx, "plugin.installed", diff(None, Some(&installation)));
            Ok(Decision::change(changeset.fact(fact).insert(installation.clone()), installation))
        };
        let done = self.commands.run(ctx, Operation::InstallationCreate, &command, decide).await?;
        self.report(ctx, done).await
    }

    /// Shows an installation.
    pub async fn get(&self, ctx: &Ctx, id: InstallationId) -> Result<Installation> {
        ctx.allow(Operation::InstallationGet)?;
        self.found(ctx, id).await
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

    /// Puts an installation back to an earlier release; none: the one before.
    pub async fn rollback(
        &self,
        ctx: &Ctx,
        id: InstallationId,
        to: Option<ReleaseName>,
        state_map: BTreeMap<String, String>,
    ) -> Result<Rollout> {
        let operation = Operation::InstallationRollback;
        let command = (to.clone(), state_map.clone());
        self.revise(ctx, operation, id, &command, "plugin.rolled_back", |held| {
            let earlier = match &to {
                None => held.earlier.last(),
                Some(ReleaseName::Digest(digest)) => held.earlier.iter().find(|held| held.digest == *digest),
                Some(ReleaseName::Named { version, .. }) => {
                    held.earlier.iter().find(|held| held.version == *version)
                }
            };
            let earlier = earlier.ok_or_else(|| {
                Error::invalid("release", "is not one that was at work in this installation before")
            })?;
            // It goes back to what it had: its settings may not be those of the release that is left.
            let (settings, grants) = match earlier.left.clone() {
                Some(left) => (Some(left.settings.to_string()), Some(left.grants.into_iter().collect())),
                None => (None, None),
            };
            let (release, state_map) = (Some(ReleaseName::Digest(earlier.digest)), state_map.clone());
            Ok(ChangeInstallation { release, settings, grants, state_map, ..ChangeInstallation::default() })
        })
        .await
    }

    /// Removes an installation, with its timers.
    pub async fn delete(&self, ctx: &Ctx, id: InstallationId) -> Result<Rollout> {
        let decide = || async {
            let held = self.found(ctx, id).await?;
            ctx.check_version(held.version)?;
            let active = self.present(ctx).await?;
            let changeset = self.change(ctx, &active, Some(&held), None).await?;
            let mut fact = held.fact(ctx, "plugin.uninstalled", diff(Some(&held), None));
            fact.object = ObjectRef { version: held.version + 1, ..held.object() };
            Ok(Decision::change(changeset.fact(fact).delete(held.clone()), held))
        };
        let command = (id, ctx.if_version);
        let done = self.commands.run(ctx, Operation::InstallationDelete, &command, decide).await?;
        self.report(ctx, done).await
    }

    /// The last calls of an installation on this host, those with a number greater than `after`.
    pub async fn calls(&self, ctx: &Ctx, id: InstallationId, after: u64) -> Result<Calls> {
        ctx.allow(Operation::InstallationCalls)?;
        let installation = self.found(ctx, id).await?;
        Ok(self.invoker.calls(&installation, after))
    }

    async fn revise(
        &self,
        ctx: &Ctx,
        operation: Operation,
        id: InstallationId,
        command: &(impl std::hash::Hash + Sync),
        fact_type: &'static str,
        asked: impl Fn(&Installation) -> Result<ChangeInstallation> + Sync,
    ) -> Result<Rollout> {
        let decide = || async {
            let before = self.found(ctx, id).await?;
            ctx.check_version(before.version)?;
            let change = asked(&before)?;
            let name = change.release.clone().unwrap_or(ReleaseName::Digest(before.release.digest));
            let release = named(&*self.store, ctx, &name).await?;
            let active = self.present(ctx).await?;
            let draft = revised(&before, &release, change)?;
            let mut after = self.fit(ctx, &release, draft, &active.limits).await?;
            if after == before {
                return Ok(Decision::nothing(after));
            }
            after.version += 1;
            after.updated_at = ctx.now;
            let changeset = self.change(ctx, &active, Some(&before), Some(&after)).await?;
            let fact = after.fact(ctx, fact_type, diff(Some(&before), Some(&after)));
            Ok(Decision::change(changeset.fact(fact).update(after.clone()), after))
        };
        let command = (id, command, ctx.if_version);
        let done = self.commands.run(ctx, operation, &command, decide).await?;
        self.report(ctx, done).await
    }

    /// A new installation as it is asked for.
    fn draft(&self, ctx: &Ctx, command: &Install, release: &Release) -> Installation {
        let manifest = &release.admitted.manifest;
        let needs = || manifest.needs.clone();
        Installation {
            id: InstallationId::generate(),
            plugin: manifest.name.clone(),
            release: reference(release),
            earlier: Vec::new(),
            scope: command.scope,
            settings: command.settings.as_str().into(),
            order: command.order,
            on_failure: command.on_failure.unwrap_or_default(),
            grants: command.grants.clone().unwrap_or_else(needs).into_iter().collect(),
            limits: command.limits,
            enabled: command.enabled,
            hooks: release.admitted.hooks.clone(),
            kinds: manifest.kinds.clone(),
            machines: BTreeMap::new(),
            commands: BTreeMap::new(),
            state_map: command.state_map.clone(),
            created_at: ctx.now,
            updated_at: ctx.now,
            version: 1,
        }
    }

    /// Checks what an admin wrote, and asks the release what it describes with these settings.
    async fn fit(
        &self,
        ctx: &Ctx,
        release: &Release,
        mut installation: Installation,
        tenant: &LimitOverrides,
    ) -> Result<Installation> {
        check_settings(&self.caller, ctx.tenant, release, &installation.settings).await?;
        let mut faults = Faults::default();
        check_grants(&installation.grants, &release.admitted.manifest.needs, &mut faults);
        installation.limits.check("limits", &mut faults);
        faults.into_result()?;
        if release.has(Hook::Workflow) {
            let Described { machines, commands } =
                compatibility::describe(&self.invoker, ctx, (&installation, tenant)).await?;
            (installation.machines, installation.commands) = (machines, commands);
        }
        if !installation.machines.is_empty() && installation.on_failure == OnFailure::Open {
            let message =
                "cannot be open: the plugin owns the machine of issues, without which none can move";
            return Err(Error::invalid("on_failure", message));
        }
        Ok(installation)
    }

    /// What a change of the installations brings with it: the next generation, and machines under which
    /// every issue can go on.
    async fn change(
        &self,
        ctx: &Ctx,
        active: &ActiveInstallations,
        before: Option<&Installation>,
        after: Option<&Installation>,
    ) -> Result<Changeset> {
        let changed = |held: Option<&Installation>| {
            held.filter(|held| held.enabled).map(|held| (held.machines.clone(), held.state_map.clone()))
        };
        let changeset = Changeset::new(ctx);
        let empty = (BTreeMap::new(), BTreeMap::new());
        if changed(before).unwrap_or_else(|| empty.clone()) == changed(after).unwrap_or(empty) {
            return Ok(changeset.write(Write::NextGeneration(active.generation, None)));
        }
        let scope = after.or(before).map_or(Scope::Tenant, |held| held.scope);
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

    async fn present(&self, ctx: &Ctx) -> Result<ActiveInstallations> {
        Ok(self.store.active_installations(ctx.tenant).await?.sorted())
    }

    async fn found(&self, ctx: &Ctx, id: InstallationId) -> Result<Installation> {
        let found = self.store.installation(ctx.tenant, id).await?;
        found.ok_or_else(|| Error::not_found("installation"))
    }

    /// Waits for the change to be in force everywhere, though not for long.
    async fn report(&self, ctx: &Ctx, installation: Installation) -> Result<Rollout> {
        state_migration::apply(&self.store, ctx, &installation).await?;
        let until = Instant::now() + IN_FORCE_WITHIN;
        loop {
            let lagging = self.lagging(ctx, &installation).await?;
            if lagging.is_empty() || Instant::now() >= until {
                return Ok(Rollout { installation, lagging });
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn lagging(&self, ctx: &Ctx, installation: &Installation) -> Result<Vec<String>> {
        let newest = PageRequest {
            size: 1,
            after: None,
            filter: Filter::default(),
            order: Order { field: "version", descending: true },
        };
        let object = (ObjectKind::Installation, &*installation.id.to_string());
        let history = self.store.history(ctx.tenant, object, &newest).await?;
        let seq = history.items.first().and_then(|fact| fact.seq);
        let hosts = self.store.hosts(ALIVE).await?;
        let behind = hosts.into_iter().filter(|(_, at)| seq.is_none_or(|seq| *at < seq));
        Ok(behind.map(|(host, _)| host).collect())
    }
}

fn reference(release: &Release) -> ReleaseRef {
    ReleaseRef { digest: release.digest(), version: release.admitted.manifest.version.clone(), left: None }
}

/// The installation as a change would have it.
fn revised(before: &Installation, release: &Release, change: ChangeInstallation) -> Result<Installation> {
    let manifest = &release.admitted.manifest;
    if manifest.name != before.plugin {
        let message = format!("is of the plugin {}, and {} is installed", manifest.name, before.plugin);
        return Err(Error::invalid("release", message));
    }
    let mut after = before.clone();
    if release.digest() != before.release.digest {
        after.earlier.retain(|earlier| earlier.digest != release.digest());
        let left = PreviousConfig { settings: Arc::clone(&before.settings), grants: before.grants.clone() };
        after.earlier.push(ReleaseRef { left: Some(left), ..before.release.clone() });
        let surplus = after.earlier.len().saturating_sub(MAX_EARLIER);
        after.earlier.drain(..surplus);
        after.release = reference(release);
        after.hooks.clone_from(&release.admitted.hooks);
        after.kinds.clone_from(&manifest.kinds);
        // What the new release does not need is not kept granted; what it needs anew is granted by name.
        after.grants.retain(|right| manifest.needs.contains(right));
    }
    let ChangeInstallation { release: _, settings, order, on_failure, grants, limits, enabled, state_map } =
        change;
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

fn check_grants(grants: &BTreeSet<String>, needs: &[String], faults: &mut Faults) {
    for right in grants {
        if !RIGHTS.contains(&right.as_str()) {
            faults.add("grants", format_args!("has {right:?}; one of {} is expected", RIGHTS.join(", ")));
        } else if !needs.contains(right) {
            faults.add("grants", format_args!("has {right:?}, for which the plugin does not ask"));
        }
    }
}
