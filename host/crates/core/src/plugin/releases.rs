//! Operations on releases: upload, read, dry run, delete.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::access::{ObjectKind, Operation};
use crate::changeset::{Changeset, Guard, Write};
use crate::command::{Commands, Decision};
use crate::ctx::Ctx;
use crate::error::{Error, ErrorKind, Result};
use crate::id::TenantId;
use crate::outbox::{NewFact, ObjectRef};
use crate::page::{Page, PageRequest};
use crate::plugin::release::MAX_RELEASES;
use crate::plugin::uploads::Uploads;
use crate::plugin::{
    ActiveInstallations, AdmittedComponent, Call, CallContext, CallRecord, CallShare, Digest, DryRun,
    DryRunResult, Hook, Installation, Invoker, Manifest, Release, ReleaseName, UploadPermit,
};
use crate::ports::{AdmissionGuard, Plugins, Store};
use crate::value::{Change, Value};

/// The most time before the deadline of an upload that is left for the answer.
const ANSWER_TIME: Duration = Duration::from_secs(1);

/// The limits of components that an operator sets.
#[derive(Clone, Copy, Debug)]
pub struct ComponentLimits {
    /// The most bytes of one component.
    pub component: u64,
    /// The most bytes of all components of a tenant.
    pub tenant: u64,
}

/// Performs the operations on releases.
#[derive(Clone)]
pub struct Releases {
    store: Arc<dyn Store>,
    plugins: Arc<dyn Plugins>,
    invoker: Arc<Invoker>,
    commands: Commands,
    limits: ComponentLimits,
    uploads: Uploads,
}

impl Releases {
    /// Creates the service.
    #[must_use]
    pub fn new(
        store: Arc<dyn Store>,
        plugins: Arc<dyn Plugins>,
        commands: Commands,
        limits: ComponentLimits,
    ) -> Self {
        let invoker = Arc::clone(&commands.hooks().invoker);
        Self { store, plugins, invoker, commands, limits, uploads: Uploads::default() }
    }

    /// Returns the most bytes of a component.
    #[must_use]
    pub fn max_component(&self) -> u64 {
        self.limits.component
    }

    /// Takes a place for an upload, before its component is read.
    pub fn begin_upload(&self, ctx: &Ctx) -> Result<UploadPermit> {
        ctx.allow(Operation::ReleaseUpload)?;
        self.uploads.enter(ctx.tenant)
    }

    /// Checks a component and stores it. The same bytes again return the existing release. A component that is not stored
    /// is dropped from memory, and its machine code from the disk.
    pub async fn upload(&self, ctx: &Ctx, _permit: UploadPermit, component: Arc<[u8]>) -> Result<Release> {
        let size = component.len() as u64;
        let most = self.limits.component;
        if size > most {
            let message = format!(
                "the component has {size} bytes; at most {most} are allowed by TESSERA_PLUGIN_MAX_BYTES"
            );
            return Err(Error::new(ErrorKind::TooLarge, "TOO_LARGE", message));
        }
        let left = ctx.deadline.saturating_duration_since(Instant::now());
        let deadline = ctx.deadline - (left / 10).min(ANSWER_TIME);
        let admission = self.plugins.admit(ctx.tenant, Arc::clone(&component), deadline);
        let admitted = tokio::time::timeout_at(deadline.into(), admission).await;
        let admitted = admitted.unwrap_or_else(|_| Err(Error::deadline()))?;
        let guard = AdmissionGuard::new(&*self.plugins, admitted.digest);
        let decide = || async {
            if let Some(existing) = self.store.release(ctx.tenant, admitted.digest).await? {
                return Ok(Decision::nothing(existing));
            }
            check_quota(self.store.release_usage(ctx.tenant).await?, size, self.limits.tenant)?;
            self.check_version_is_new(ctx, &admitted).await?;
            let release =
                Release { admitted: admitted.clone(), size, uploaded_at: ctx.now, uploaded_by: ctx.user() };
            let put = Write::PutComponent(admitted.digest, Arc::clone(&component));
            let fact = fact(ctx, "release.uploaded", &release, 1);
            let changeset = Changeset::new(ctx).fact(fact).insert(release.clone()).write(put);
            Ok(Decision::change(changeset, release))
        };
        let release = self.commands.run(ctx, Operation::ReleaseUpload, &admitted.digest, decide).await?;
        guard.disarm();
        self.plugins.keep(admitted.digest);
        Ok(release)
    }

    /// Returns a release.
    pub async fn get(&self, ctx: &Ctx, digest: Digest) -> Result<Release> {
        ctx.allow(Operation::ReleaseGet)?;
        self.load(ctx, digest).await
    }

    /// Lists releases.
    pub async fn list(&self, ctx: &Ctx, page: &PageRequest) -> Result<Page<Release>> {
        ctx.allow(Operation::ReleaseList)?;
        self.store.releases(ctx.tenant, page).await
    }

    /// Deletes a release that no installation uses, neither as the present one nor as an earlier one.
    pub async fn delete(&self, ctx: &Ctx, digest: Digest) -> Result<Release> {
        let decide = || async {
            let release = self.load(ctx, digest).await?;
            let active = self.store.active_installations(ctx.tenant).await?;
            check_unused(&active, digest)?;
            let changeset = Changeset::new(ctx)
                .guard(Guard::ReleaseIsUnused(digest))
                .fact(fact(ctx, "release.deleted", &release, 2))
                .delete(release.clone());
            Ok(Decision::change(changeset, release))
        };
        let release = self.commands.run(ctx, Operation::ReleaseDelete, &digest, decide).await?;
        if !self.store.has_component(ctx.tenant.into(), digest).await? {
            self.plugins.forget(digest);
        }
        Ok(release)
    }

    /// Calls a hook with given input, without storing anything.
    pub async fn test(&self, ctx: &Ctx, digest: Digest, dry_run: DryRun) -> Result<DryRunResult> {
        ctx.allow(Operation::ReleaseTest)?;
        let release = self.load(ctx, digest).await?;
        check_settings(&self.invoker, ctx.tenant, &release, &dry_run.settings).await?;
        let tenant_limits = self.commands.hooks().active_installations(ctx).await?.limits;
        let mut context = CallContext::of(ctx, format!("test/{}", ctx.request_id), Vec::new());
        context.dry_run = true;
        context.now = dry_run.now.unwrap_or(ctx.now);
        if let Some(actor) = dry_run.actor {
            context.actor = actor;
            context.roles = dry_run.roles;
        }
        let request = dry_run.request.into_request(context);
        let (function, subject) = (request.function(), request.subject());
        let call = Call {
            share: CallShare::of(ctx),
            release: digest,
            settings: dry_run.settings.into(),
            limits: self.invoker.limits(&tenant_limits, &dry_run.limits),
            deadline: ctx.deadline,
            lookup: Some(self.invoker.dry_run_lookup(ctx)),
            request,
        };
        let outcome = self.invoker.call_release(call).await;
        let Manifest { name, version, .. } = &release.admitted.manifest;
        let received = (ctx.now, ctx.request_id.to_string());
        let label = format!("{name}@{version}");
        let (record, reply) = CallRecord::new(received, label, (function, subject), outcome);
        Ok(DryRunResult { reply: reply.ok(), record })
    }

    async fn load(&self, ctx: &Ctx, digest: Digest) -> Result<Release> {
        self.store.release(ctx.tenant, digest).await?.ok_or_else(|| Error::not_found("release"))
    }

    async fn check_version_is_new(&self, ctx: &Ctx, admitted: &AdmittedComponent) -> Result<()> {
        let manifest = &admitted.manifest;
        let existing = self.store.release_named(ctx.tenant, &manifest.name, &manifest.version).await?;
        existing.map_or(Ok(()), |existing| {
            let message = format!(
                "{} already has a release {}, with the digest {}; change the version of this one",
                manifest.name,
                manifest.version,
                existing.digest()
            );
            Err(Error::exists("release", message))
        })
    }
}

/// Refuses a release of `size` bytes beyond the tenant's quota of releases or of `most` bytes.
fn check_quota((count, bytes): (u64, u64), size: u64, most: u64) -> Result<()> {
    let message = if count >= MAX_RELEASES {
        format!("the tenant has the maximum of {MAX_RELEASES} releases; delete some")
    } else if bytes.saturating_add(size) > most {
        format!(
            "the component has {size} bytes, and the tenant's releases have {bytes}; at most {most} in all are allowed by \
             TESSERA_PLUGIN_TENANT_BYTES: delete some"
        )
    } else {
        return Ok(());
    };
    Err(Error::new(ErrorKind::TooLarge, "TOO_LARGE", message))
}

/// Returns the release that a client names.
pub(super) async fn load_release(store: &dyn Store, ctx: &Ctx, name: &ReleaseName) -> Result<Release> {
    let release = match name {
        ReleaseName::Digest(digest) => store.release(ctx.tenant, *digest).await?,
        ReleaseName::Named { plugin, version } => store.release_named(ctx.tenant, plugin, version).await?,
    };
    release.ok_or_else(|| Error::invalid("release", "is not a release of the tenant; upload it first"))
}

/// Checks settings against the release's schema.
pub(super) async fn check_settings(
    invoker: &Invoker,
    tenant: TenantId,
    release: &Release,
    settings: &str,
) -> Result<()> {
    let schema = &release.admitted.manifest.settings_schema;
    if schema.is_empty() {
        if settings.is_empty() || settings == "{}" {
            return Ok(());
        }
        return Err(Error::invalid("settings", "must be empty: the plugin takes none"));
    }
    let settings = if settings.is_empty() { "{}" } else { settings };
    let violations = invoker.schema_violations(tenant, schema, settings, "settings").await?;
    if violations.is_empty() { Ok(()) } else { Err(Error::violations(violations)) }
}

fn check_unused(active: &ActiveInstallations, digest: Digest) -> Result<()> {
    let uses = |installation: &&Arc<Installation>| {
        installation.release.digest == digest
            || installation.earlier.iter().any(|earlier| earlier.digest == digest)
    };
    let using = active.installations.iter().filter(uses);
    let ids: Vec<_> = using.map(|installation| installation.id.to_string()).collect();
    if ids.is_empty() {
        return Ok(());
    }
    let message = format!(
        "installations use the release, as the present or an earlier one: {}; uninstall them first",
        ids.join(", ")
    );
    Err(Error::new(ErrorKind::Precondition, "RELEASE_IN_USE", message))
}

fn fact(ctx: &Ctx, fact_type: &'static str, release: &Release, version: u64) -> NewFact {
    let AdmittedComponent { manifest, hooks, .. } = &release.admitted;
    let change = |field: &str, value: Value| {
        let (before, after) = if version == 1 { (Value::None, value) } else { (value, Value::None) };
        Change { field: field.to_owned(), before, after }
    };
    let hooks = hooks.iter().map(|hook: &Hook| hook.name().to_owned()).collect();
    let changes = vec![
        change("plugin", Value::from(manifest.name.as_str())),
        change("version", Value::from(manifest.version.as_str())),
        change("hooks", Value::Texts(hooks)),
    ];
    let object = ObjectRef { kind: ObjectKind::Release, id: release.digest().to_string(), version };
    NewFact::new(ctx, fact_type, object, changes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_have_a_quota_of_number_and_bytes() {
        assert!(check_quota((MAX_RELEASES - 1, 90), 10, 100).is_ok());
        for (usage, size, text) in [((MAX_RELEASES, 0), 10, "500 releases"), ((1, 90), 11, "at most 100")] {
            let error = check_quota(usage, size, 100).unwrap_err();
            assert_eq!(error.reason(), "TOO_LARGE");
            assert!(error.message().contains(text), "{}", error.message());
        }
    }
}
