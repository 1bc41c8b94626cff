//! Who is asking: from the text of a credential to a principal and its tenant.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::access::{ObjectKind, Operation};
use crate::cache::Reads;
use crate::changeset::{Answer, Changeset, Claim, Committed};
use crate::ctx::{Ctx, Principal, Transport};
use crate::error::{Error, Result};
use crate::id::{KeyId, TenantId};
use crate::idempotency::{Fingerprint, IdempotencyKey, Scope};
use crate::outbox::{NewFact, ObjectRef};
use crate::ports::Store;
use crate::tenancy::key::{KeyHasher, KeyText};
use crate::tenancy::{StoredKey, Tenant, TenantState};
use crate::time::Timestamp;
use crate::value::{Change, Value};

/// Refused logins are written down at most so often for one key; the others are counted.
const NOTE_EVERY: Duration = Duration::from_secs(60);
const MAX_NOTED: usize = 10_000;

/// What a refused credential is told, however near it was.
const REFUSED: &str = "the API key is not valid, or no longer";

/// What a request is told that neither has a key nor says whose public offers it asks for.
const NOBODY: &str = "name the tenant (X-Tenant: <id or slug>, or a host name that begins with the slug), \
    or send an API key: Authorization: Bearer tsk_<id>_<secret>";

/// The labels of the shortest host name whose first may be a tenant's slug: `acme.example.com`.
const LABELS: usize = 3;

/// Turns credentials into principals.
pub struct Authenticator {
    store: Arc<dyn Store>,
    reads: Arc<Reads>,
    hasher: KeyHasher,
    noted: Mutex<HashMap<KeyId, Noted>>,
}

struct Noted {
    at: Instant,
    since: i64,
}

/// A principal and where it acts.
#[derive(Clone, Debug)]
pub struct Identity {
    /// Its tenant.
    pub tenant: TenantId,
    /// Who it is.
    pub principal: Principal,
}

impl Authenticator {
    /// Checks credentials against the store, through the cache.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, reads: Arc<Reads>, hasher: KeyHasher) -> Self {
        Self { store, reads, hasher, noted: Mutex::default() }
    }

    /// Who holds an API key.
    pub async fn authenticate(
        &self,
        text: &str,
        transport: Transport,
        request_id: &Arc<str>,
    ) -> Result<Identity> {
        let parts = KeyText::split(text).ok_or_else(|| {
            Error::unauthenticated("an API key is expected: Authorization: Bearer tsk_<id>_<secret>")
        })?;
        let Some(stored) = self.reads.key(&parts.id).await? else {
            return Err(Error::unauthenticated(REFUSED));
        };
        match self.judge(&stored, parts.secret).await? {
            None => Ok(self.identity(&stored)),
            Some(why) => {
                self.note(&stored, why, transport, request_id).await?;
                Err(Error::unauthenticated(REFUSED))
            }
        }
    }

    /// Somebody without a key, in the tenant that the request names, else that of the host name, else the
    /// only one.
    pub async fn public(&self, named: Option<&str>, host: Option<&str>) -> Result<Identity> {
        let tenant = match named {
            Some(named) => self.reads.tenant(named).await?,
            None => Some(self.unnamed(host).await?.ok_or_else(|| Error::unauthenticated(NOBODY))?),
        };
        let open = tenant.filter(|tenant| tenant.state == TenantState::Active);
        let tenant = open.ok_or_else(|| Error::not_found("tenant"))?.id;
        Ok(Identity { tenant, principal: Principal::Anonymous })
    }

    /// The tenant that a request means without saying so. A host with one tenant means it by every name.
    async fn unnamed(&self, host: Option<&str>) -> Result<Option<Arc<Tenant>>> {
        if let Some(only) = self.reads.only_tenant().await? {
            return Ok(Some(only));
        }
        match host.and_then(slug_in) {
            Some(slug) => self.reads.tenant(&slug).await,
            None => Ok(None),
        }
    }

    /// Whether the host has a key with this text, whatever it may still do.
    pub async fn knows(&self, text: &str) -> Result<bool> {
        let Some(parts) = KeyText::split(text) else { return Ok(false) };
        let stored = self.reads.key(&parts.id).await?;
        Ok(stored.is_some_and(|stored| stored.hash == self.hasher.hash(parts.secret)))
    }

    /// Whether the holder of a key may still act: streams ask when a fact touches it.
    pub async fn is_valid(&self, id: &KeyId) -> Result<bool> {
        let Some(stored) = self.reads.key(id).await? else { return Ok(false) };
        Ok(self.standing(&stored).await?.is_none())
    }

    /// Who holds a key, for a pass that lets its holder in once; a second use is refused, on every host.
    pub async fn admit_once(&self, key: &KeyId, nonce: &str, until: Timestamp) -> Result<Identity> {
        let refused = || Error::unauthenticated("the pass was used before, or its key is no longer valid");
        let Some(stored) = self.reads.key(key).await? else { return Err(refused()) };
        if self.standing(&stored).await?.is_some() {
            return Err(refused());
        }
        let identity = self.identity(&stored);
        let now = self.store.now();
        let deadline = Instant::now() + Duration::from_secs(10);
        let principal = identity.principal.clone();
        let scope = Scope {
            tenant: identity.tenant,
            principal: principal.to_string(),
            operation: Operation::FactStream,
            key: IdempotencyKey::parse(nonce)?,
        };
        let ctx = Ctx::new(identity.tenant, principal, "pass".into(), (now, deadline), Transport::Internal);
        let mut changeset = Changeset::new(&ctx);
        let fingerprint = Fingerprint::of(&nonce);
        changeset.claim = Some(Claim { scope, fingerprint, answer: Answer::Done, expires: until });
        match self.store.commit(changeset).await? {
            Committed::Stored => Ok(identity),
            Committed::Replayed(_) => Err(refused()),
        }
    }

    fn identity(&self, stored: &StoredKey) -> Identity {
        let key = &stored.key;
        let principal =
            Principal::Key { id: key.id.clone(), user: key.user, roles: key.roles.as_slice().into() };
        Identity { tenant: key.tenant, principal }
    }

    async fn judge(&self, stored: &StoredKey, secret: &str) -> Result<Option<&'static str>> {
        if self.hasher.hash(secret) != stored.hash {
            return Ok(Some("wrong secret"));
        }
        self.standing(stored).await
    }

    /// Why a key is refused although its secret is right.
    async fn standing(&self, stored: &StoredKey) -> Result<Option<&'static str>> {
        let key = &stored.key;
        if key.revoked_at.is_some() {
            return Ok(Some("revoked"));
        }
        if key.expires_at.is_some_and(|at| at <= self.store.now()) {
            return Ok(Some("expired"));
        }
        let tenant = self.reads.tenant(&key.tenant.to_string()).await?;
        if tenant.is_none_or(|tenant| tenant.state != TenantState::Active) {
            return Ok(Some("tenant suspended"));
        }
        if let Some(user) = key.user {
            let user = self.reads.user(key.tenant, user).await?;
            if user.is_none_or(|user| !user.is_active) {
                return Ok(Some("user not active"));
            }
        }
        Ok(None)
    }

    /// Writes a refused login into the tenant's audit log.
    async fn note(
        &self,
        stored: &StoredKey,
        why: &str,
        transport: Transport,
        request_id: &Arc<str>,
    ) -> Result<()> {
        let Some(count) = self.count(&stored.key.id) else { return Ok(()) };
        let now = self.store.now();
        let deadline = Instant::now() + Duration::from_secs(10);
        let ctx = Ctx::new(
            stored.key.tenant,
            Principal::Anonymous,
            Arc::clone(request_id),
            (now, deadline),
            transport,
        );
        let key = &stored.key;
        let object = ObjectRef { kind: ObjectKind::Key, id: key.id.to_string(), version: key.version };
        let said = |field: &str, after: Value| Change { field: field.to_owned(), before: Value::None, after };
        let changes = vec![said("reason", why.into()), said("attempts", Value::Integer(count))];
        let fact = NewFact::new(&ctx, "login.refused", object, changes);
        self.store.commit(Changeset::new(&ctx).fact(fact)).await?;
        Ok(())
    }

    /// How many refusals to write down now, those before included; none: only count this one.
    fn count(&self, key: &KeyId) -> Option<i64> {
        let mut noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
        if noted.len() >= MAX_NOTED {
            noted.retain(|_, noted| noted.at.elapsed() < NOTE_EVERY);
        }
        if noted.len() >= MAX_NOTED && !noted.contains_key(key) {
            return None;
        }
        let Some(before) = noted.get_mut(key) else {
            noted.insert(key.clone(), Noted { at: Instant::now(), since: 0 });
            return Some(1);
        };
        if before.at.elapsed() < NOTE_EVERY {
            before.since += 1;
            return None;
        }
        let count = before.since + 1;
        *before = Noted { at: Instant::now(), since: 0 };
        Some(count)
    }
}

/// What may be a slug at the front of a host name.
fn slug_in(host: &str) -> Option<String> {
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name).trim_end_matches('.');
    let (first, _) = name.split_once('.')?;
    let fits = name.split('.').count() >= LABELS && first.starts_with(|c: char| c.is_ascii_alphabetic());
    fits.then(|| first.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_name_of_three_labels_begins_with_a_slug() {
        for host in ["acme.example.com", "acme.example.com:8080", "ACME.example.com.", "acme.a.b.example"] {
            assert_eq!(slug_in(host).as_deref(), Some("acme"), "{host}");
        }
        for host in
            ["", "localhost:8080", "example.com", "127.0.0.1:8080", "[::1]:8080", ".example.com", "..."]
        {
            assert_eq!(slug_in(host), None, "{host}");
        }
    }
}
