//! Operations on API keys.

use std::sync::Arc;

use crate::access::Role;
use crate::access::{ObjectKind, Operation};
use crate::changeset::Changeset;
use crate::command::{Commands, Decision};
use crate::ctx::Ctx;
use crate::error::{Error, Result};
use crate::id::{KeyId, TenantId, UserId};
use crate::outbox::{NewFact, ObjectRef};
use crate::page::{Page, PageRequest};
use crate::ports::Store;
use crate::secret::random_hex;
use crate::tenancy::key::{ApiKey, KeyHasher, KeyText, StoredKey};
use crate::text::Faults;
use crate::time::Timestamp;
use crate::value::diff;

/// The command that creates an API key.
#[derive(Clone, Hash, Debug)]
pub struct CreateKey {
    /// Its name.
    pub name: String,
    /// Its roles.
    pub roles: Vec<Role>,
    /// The user that it acts for, if any.
    pub user: Option<UserId>,
    /// The time of its expiry.
    pub expires_at: Option<Timestamp>,
    /// The tenant, by id or slug; `None`: the caller's. Only operators may name another.
    pub tenant: Option<String>,
}

/// A newly created API key.
#[derive(Clone, Debug)]
pub struct NewKey {
    /// The key.
    pub key: ApiKey,
    /// Its text, which is returned only once; `None` in a repeated request.
    pub text: Option<String>,
}

/// Performs the operations on API keys.
#[derive(Clone)]
pub struct Keys {
    store: Arc<dyn Store>,
    commands: Commands,
    hasher: KeyHasher,
}

impl Keys {
    /// Creates the service.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, commands: Commands, hasher: KeyHasher) -> Self {
        Self { store, commands, hasher }
    }

    /// Creates a key and returns its secret, which is never returned again.
    pub async fn create(&self, ctx: &Ctx, command: CreateKey) -> Result<NewKey> {
        let text = format!("tsk_{}_{}", random_hex::<8>()?, random_hex::<32>()?);
        let key = self.create_as(ctx, command, &text).await?;
        let text = (!ctx.was_replayed()).then_some(text);
        Ok(NewKey { key, text })
    }

    /// Creates a key with this text.
    pub async fn create_as(&self, ctx: &Ctx, command: CreateKey, text: &str) -> Result<ApiKey> {
        let expected = "must be tsk_<id>_<secret> with a secret of at least 32 hex digits";
        let parts = KeyText::split(text).ok_or_else(|| Error::invalid("key", expected))?;
        let decide = || async {
            let tenant = self.tenant_for(ctx, &command).await?;
            let mut changeset = Changeset::new(ctx).of_tenant(tenant);
            check(ctx, &command)?;
            if let Some(id) = command.user {
                let user = self.store.user(tenant, id).await?;
                let user = user.ok_or_else(|| Error::invalid("user_id", "is not a user of the tenant"))?;
                changeset = changeset.expect(&user);
            }
            let key = ApiKey {
                id: parts.id.clone(),
                tenant,
                name: command.name.clone(),
                roles: sorted(&command.roles),
                user: command.user,
                created_at: ctx.now,
                expires_at: command.expires_at,
                revoked_at: None,
                version: 1,
            };
            let fact = NewFact::new(ctx, "key.created", object(&key), diff(None, Some(&key)));
            let stored = StoredKey { key: key.clone(), hash: self.hasher.hash(parts.secret) };
            Ok(Decision::change(changeset.fact(fact).insert(stored), key))
        };
        self.commands.run(ctx, Operation::KeyCreate, &command, decide).await
    }

    /// Returns a key of the caller's tenant.
    pub async fn get(&self, ctx: &Ctx, id: &KeyId) -> Result<ApiKey> {
        ctx.allow(Operation::KeyGet)?;
        Ok(self.stored(ctx, id).await?.key)
    }

    /// Lists the keys of the caller's tenant.
    pub async fn list(&self, ctx: &Ctx, page: &PageRequest) -> Result<Page<ApiKey>> {
        ctx.allow(Operation::KeyList)?;
        self.store.keys(ctx.tenant, page).await
    }

    /// Revokes a key, immediately and permanently. Only operators revoke operators' keys.
    pub async fn revoke(&self, ctx: &Ctx, id: &KeyId) -> Result<ApiKey> {
        let decide = || async {
            let before = self.stored(ctx, id).await?;
            if before.key.roles.contains(&Role::Operator) && !ctx.has_role(Role::Operator) {
                let message = "only a key with the role operator may revoke a key with the role operator";
                return Err(Error::denied(message));
            }
            ctx.check_version(before.key.version)?;
            if before.key.revoked_at.is_some() {
                return Ok(Decision::nothing(before.key));
            }
            let mut after = before.clone();
            after.key.revoked_at = Some(ctx.now);
            after.key.version += 1;
            let changes = diff(Some(&before.key), Some(&after.key));
            let fact = NewFact::new(ctx, "key.revoked", object(&after.key), changes);
            Ok(Decision::change(Changeset::new(ctx).fact(fact).update(after.clone()), after.key))
        };
        self.commands.run(ctx, Operation::KeyRevoke, &(id, &ctx.if_version), decide).await
    }

    async fn stored(&self, ctx: &Ctx, id: &KeyId) -> Result<StoredKey> {
        let stored = self.store.key(id).await?.filter(|stored| stored.key.tenant == ctx.tenant);
        stored.ok_or_else(|| Error::not_found("key"))
    }

    async fn tenant_for(&self, ctx: &Ctx, command: &CreateKey) -> Result<TenantId> {
        let Some(id_or_slug) = &command.tenant else { return Ok(ctx.tenant) };
        let tenant = self.store.named_tenant(ctx.tenant.into(), id_or_slug).await?;
        match tenant {
            Some(tenant) if tenant.id == ctx.tenant || ctx.has_role(Role::Operator) => Ok(tenant.id),
            Some(_) | None => Err(Error::not_found("tenant")),
        }
    }
}

fn check(ctx: &Ctx, command: &CreateKey) -> Result<()> {
    let mut faults = Faults::default();
    faults.text("name", &command.name, 1, 100);
    if command.roles.is_empty() {
        faults.add("roles", "must include at least one of operator, admin, agent, gate, viewer");
    }
    if command.roles.contains(&Role::Operator) && !ctx.has_role(Role::Operator) {
        faults.add("roles", "may include operator only if the caller is an operator");
    }
    // Admins of the tenant may deactivate and delete its users, and with a user its keys.
    if command.roles.contains(&Role::Operator) && command.user.is_some() {
        faults.add("user_id", "must be empty for a key with the role operator");
    }
    if command.expires_at.is_some_and(|at| at <= ctx.now) {
        faults.add("expires_at", "must be in the future");
    }
    faults.into_result()
}

fn sorted(roles: &[Role]) -> Vec<Role> {
    let mut roles = roles.to_vec();
    roles.sort_unstable();
    roles.dedup();
    roles
}

fn object(key: &ApiKey) -> ObjectRef {
    ObjectRef { kind: ObjectKind::Key, id: key.id.to_string(), version: key.version }
}
