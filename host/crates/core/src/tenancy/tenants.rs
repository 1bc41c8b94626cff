//! Operations on tenants, for operators.

use std::hash::Hash;
use std::sync::Arc;

use uuid::Uuid;

use crate::access::{ObjectKind, Operation};
use crate::cache::CachedReads;
use crate::changeset::Changeset;
use crate::command::{Commands, Decision};
use crate::ctx::Ctx;
use crate::error::{Error, Result};
use crate::id::TenantId;
use crate::outbox::{NewFact, ObjectRef};
use crate::page::{Page, PageRequest};
use crate::plugin::LimitOverrides;
use crate::ports::Store;
use crate::tenancy::tenant::{Tenant, TenantState};
use crate::text::Faults;
use crate::value::diff;

/// The command that creates a tenant.
#[derive(Clone, Hash, Debug)]
pub struct CreateTenant {
    /// Its name in addresses, which never changes.
    pub slug: String,
    /// Its name for people.
    pub name: String,
}

/// The command that changes a tenant; `None` keeps a value.
#[derive(Clone, Hash, Debug, Default)]
pub struct ChangeTenant {
    /// Its name for people.
    pub name: Option<String>,
    /// The limits of its plugins' calls.
    pub plugin_limits: Option<LimitOverrides>,
}

impl CreateTenant {
    fn check(&self) -> Result<()> {
        let mut faults = Faults::default();
        let slug = self.slug.as_bytes();
        let starts = slug.first().is_some_and(u8::is_ascii_lowercase);
        let fits = slug.iter().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'-');
        if !starts || !fits || slug.len() > 63 || Uuid::try_parse(&self.slug).is_ok() {
            faults.add(
                "slug",
                "must be 1 to 63 lower-case letters, digits or hyphens, a letter first, and no UUID",
            );
        }
        check_name(&mut faults, &self.name);
        faults.into_result()
    }
}

fn check_name(faults: &mut Faults, name: &str) {
    faults.text("name", name, 1, 100);
}

/// Performs the operations on tenants.
#[derive(Clone)]
pub struct Tenants {
    store: Arc<dyn Store>,
    reads: Arc<CachedReads>,
    commands: Commands,
}

impl Tenants {
    /// Creates the service.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, reads: Arc<CachedReads>, commands: Commands) -> Self {
        Self { store, reads, commands }
    }

    /// Creates a tenant.
    pub async fn create(&self, ctx: &Ctx, command: CreateTenant) -> Result<Tenant> {
        let decide = || async {
            command.check()?;
            let tenant = Tenant {
                id: TenantId::generate(),
                slug: command.slug.clone(),
                name: command.name.clone(),
                state: TenantState::Active,
                plugin_limits: LimitOverrides::default(),
                created_at: ctx.now,
                updated_at: ctx.now,
                version: 1,
            };
            let changeset = Changeset::new(ctx)
                .of_tenant(tenant.id)
                .fact(fact(ctx, "tenant.created", None, &tenant))
                .insert(tenant.clone());
            Ok(Decision::change(changeset, tenant))
        };
        self.commands.run(ctx, Operation::TenantCreate, &command, decide).await
    }

    /// Returns a tenant by id or slug. Every caller may read its own.
    pub async fn get(&self, ctx: &Ctx, id_or_slug: &str) -> Result<Tenant> {
        let tenant = match self.own(ctx, id_or_slug).await? {
            Some(own) => Some(own),
            None => {
                ctx.allow(Operation::TenantGet)?;
                self.reads.tenant(ctx.tenant.into(), id_or_slug).await?
            }
        };
        tenant.map(|tenant| (*tenant).clone()).ok_or_else(|| Error::not_found("tenant"))
    }

    /// Refuses the id or slug of another tenant than the caller's, as one that does not exist.
    pub async fn check_own(&self, ctx: &Ctx, id_or_slug: &str) -> Result<()> {
        self.own(ctx, id_or_slug).await?.map(drop).ok_or_else(|| Error::not_found("tenant"))
    }

    /// Returns the caller's tenant if it has this id or slug. No other tenant is read, so an invented one costs nothing.
    async fn own(&self, ctx: &Ctx, id_or_slug: &str) -> Result<Option<Arc<Tenant>>> {
        let own = self.reads.tenant(ctx.tenant.into(), &ctx.tenant.to_string()).await?;
        Ok(own.filter(|tenant| tenant.is_named(id_or_slug)))
    }

    /// Lists tenants.
    pub async fn list(&self, ctx: &Ctx, page: &PageRequest) -> Result<Page<Tenant>> {
        ctx.allow(Operation::TenantList)?;
        self.store.tenants(page).await
    }

    /// Changes the name of a tenant or the limits of its plugins.
    pub async fn update(&self, ctx: &Ctx, id_or_slug: &str, command: ChangeTenant) -> Result<Tenant> {
        self.change(ctx, Operation::TenantUpdate, id_or_slug, &command, |tenant| {
            let mut faults = Faults::default();
            if let Some(name) = &command.name {
                check_name(&mut faults, name);
                name.clone_into(&mut tenant.name);
            }
            if let Some(limits) = command.plugin_limits {
                limits.check("plugin_limits", &mut faults);
                tenant.plugin_limits = limits;
            }
            faults.into_result()?;
            Ok("tenant.updated")
        })
        .await
    }

    /// Suspends a tenant: its API keys are refused from now on. The caller's own cannot be suspended.
    pub async fn suspend(&self, ctx: &Ctx, id_or_slug: &str) -> Result<Tenant> {
        self.change(ctx, Operation::TenantSuspend, id_or_slug, &(), |tenant| {
            if tenant.id == ctx.tenant {
                return Err(Error::invalid("tenant", "must not be the caller's own"));
            }
            tenant.state = TenantState::Suspended;
            Ok("tenant.suspended")
        })
        .await
    }

    /// Resumes a suspended tenant.
    pub async fn resume(&self, ctx: &Ctx, id_or_slug: &str) -> Result<Tenant> {
        self.change(ctx, Operation::TenantResume, id_or_slug, &(), |tenant| {
            tenant.state = TenantState::Active;
            Ok("tenant.resumed")
        })
        .await
    }

    async fn change(
        &self,
        ctx: &Ctx,
        operation: Operation,
        id_or_slug: &str,
        command: &(impl Hash + Sync),
        change: impl Fn(&mut Tenant) -> Result<&'static str> + Sync,
    ) -> Result<Tenant> {
        let decide = || async {
            let before = self.store.named_tenant(ctx.tenant.into(), id_or_slug).await?;
            let before = before.ok_or_else(|| Error::not_found("tenant"))?;
            ctx.check_version(before.version)?;
            let mut after = before.clone();
            let fact_type = change(&mut after)?;
            if after == before {
                return Ok(Decision::nothing(after));
            }
            after.version += 1;
            after.updated_at = ctx.now;
            let changeset = Changeset::new(ctx)
                .of_tenant(after.id)
                .fact(fact(ctx, fact_type, Some(&before), &after))
                .update(after.clone());
            Ok(Decision::change(changeset, after))
        };
        self.commands.run(ctx, operation, &(id_or_slug, command, &ctx.if_version), decide).await
    }
}

fn fact(ctx: &Ctx, fact_type: &'static str, before: Option<&Tenant>, after: &Tenant) -> NewFact {
    let object = ObjectRef { kind: ObjectKind::Tenant, id: after.id.to_string(), version: after.version };
    NewFact::new(ctx, fact_type, object, diff(before, Some(after)))
}
