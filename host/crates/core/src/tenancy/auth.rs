//! Authentication: turns a credential into a principal and its tenant.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;

use crate::access::Operation;
use crate::cache::CachedReads;
use crate::changeset::{Changeset, Committed};
use crate::ctx::{Ctx, Principal, Transport};
use crate::error::{Error, Result};
use crate::fair::{FairLimiter, FairPermit, Owner, Permits, WaitingLimits};
use crate::id::{KeyId, TenantId};
use crate::idempotency::{Fingerprint, IdempotencyClaim, IdempotencyKey, RecordedAnswer, Scope};
use crate::outbox::NewFact;
use crate::outbox::fact::LOGIN_REFUSED;
use crate::ports::Store;
use crate::tenancy::key::{KeyHasher, KeyText};
use crate::tenancy::refused_logins::{Attempt, RefusalRecord, RefusedLogins};
use crate::tenancy::tenant::DEFAULT_SLUG;
use crate::tenancy::{StoredKey, Tenant, TenantState};
use crate::time::Timestamp;

/// How long the record of refused logins may take.
const RECORD_TIMEOUT: Duration = Duration::from_secs(10);

/// The most streams that check their caller's access at once. All streams of a tenant do so when it is suspended, and
/// the first of them fills the cache for the others.
const MAX_STREAM_CHECKS: usize = 16;

/// The most look-ups at once of callers whose tenant is not known, and those of one address. In the store they share
/// the places and permits of one owner, which one address must not fill.
const LOOK_UPS: Permits = Permits { shared: 32, tenant: 8, host: 0 };

/// The most callers that wait for a look-up.
const WAITING_LOOK_UPS: WaitingLimits = WaitingLimits {
    tenants: 4_096,
    host: 0,
    message: "too many requests wait for their API key or tenant to be looked up; try again later",
};

/// The longest that a caller waits for a look-up.
const MAX_LOOK_UP_WAIT: Duration = Duration::from_secs(5);

/// The message for every refused credential: it does not disclose the reason.
const REFUSED: &str = "the API key is invalid, expired or revoked";

/// The message for a request without an API key and without a tenant.
const NO_TENANT: &str = "name the tenant (X-Tenant: <id or slug>, or a host name that begins with the slug), \
    or send an API key: Authorization: Bearer tsk_<id>_<secret>";

/// The least labels of a host name that can begin with a tenant's slug, such as `acme.example.com`.
const MIN_LABELS: usize = 3;

/// Turns credentials into principals.
pub struct Authenticator {
    store: Arc<dyn Store>,
    reads: Arc<CachedReads>,
    hasher: KeyHasher,
    refused: RefusedLogins,
    look_ups: Arc<FairLimiter>,
    stream_checks: Semaphore,
}

/// An authenticated principal.
#[derive(Clone, Debug)]
pub struct Identity {
    /// Its tenant.
    pub tenant: TenantId,
    /// The principal.
    pub principal: Principal,
}

impl Authenticator {
    /// Creates an authenticator that reads through the cache.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, reads: Arc<CachedReads>, hasher: KeyHasher) -> Self {
        let look_ups = FairLimiter::new(LOOK_UPS, WAITING_LOOK_UPS);
        let stream_checks = Semaphore::new(MAX_STREAM_CHECKS);
        Self { store, reads, hasher, refused: RefusedLogins::default(), look_ups, stream_checks }
    }

    /// Authenticates the API key of a caller at a network address.
    pub async fn authenticate(
        &self,
        text: &str,
        address: IpAddr,
        transport: Transport,
        request_id: &Arc<str>,
    ) -> Result<Identity> {
        let parts = KeyText::split(text).ok_or_else(|| {
            Error::unauthenticated("an API key is expected: Authorization: Bearer tsk_<id>_<secret>")
        })?;
        let hash = self.hasher.hash(parts.secret);
        let cached = || self.reads.cached_key(&parts.id).filter(|stored| stored.hash == hash);
        // Whether or not the key exists, a wrong secret costs one read of the store, and nothing more before the answer:
        // the time of a refusal does not show which keys exist.
        let stored = match cached() {
            Some(stored) => Some(stored),
            None => {
                let _turn = self.wait_for_look_up(address).await?;
                // Another request may have read the key meanwhile.
                match cached() {
                    Some(stored) => Some(stored),
                    None => self.reads.load_key(&parts.id).await?,
                }
            }
        };
        let reason = match &stored {
            None => "unknown key",
            Some(stored) if stored.hash != hash => "wrong secret",
            Some(stored) => match self.refusal_reason(stored).await? {
                None => return Ok(self.identity(stored)),
                Some(reason) => reason,
            },
        };
        let attempt = Attempt { reason, transport, request_id: Arc::clone(request_id) };
        self.refused.count(stored.as_deref().map(|stored| &stored.key), attempt, Instant::now());
        Err(Error::unauthenticated(REFUSED))
    }

    /// Waits until a key or a tenant may be looked up for a caller at an address, in the turn of this address.
    async fn wait_for_look_up(&self, address: IpAddr) -> Result<FairPermit> {
        self.look_ups.acquire(Owner::Address(address), Instant::now() + MAX_LOOK_UP_WAIT).await
    }

    /// Records counted refusals in the audit log: those that are due, or all of them when the host stops.
    pub async fn record_refused_logins(&self, all: bool) {
        for record in self.refused.due(Instant::now(), all) {
            match self.record_refusal(&record).await {
                Ok(()) => self.refused.recorded(&record),
                Err(error) => {
                    tracing::warn!(
                        ?error,
                        attempts = record.attempts,
                        "refused logins not recorded; retrying"
                    );
                }
            }
        }
    }

    async fn record_refusal(&self, record: &RefusalRecord) -> Result<()> {
        let tenant = match record.subject.tenant() {
            Some(tenant) => tenant,
            None => {
                let tenant = self.reads.tenant(Owner::Host, DEFAULT_SLUG).await?;
                tenant.ok_or_else(|| Error::not_found("tenant"))?.id
            }
        };
        let Attempt { reason, transport, request_id } = &record.last;
        let deadline = Instant::now() + RECORD_TIMEOUT;
        let times = (self.store.now(), deadline);
        let ctx = Ctx::new(tenant, Principal::Anonymous, Arc::clone(request_id), times, *transport);
        let fact = NewFact::new(&ctx, LOGIN_REFUSED, record.object(), record.changes(reason));
        self.store.commit(Changeset::new(&ctx).fact(fact)).await?;
        Ok(())
    }

    /// Returns the anonymous identity in the tenant that the request names, or else the only tenant, or else that of
    /// the host name. The caller is at a network address.
    pub async fn public(
        &self,
        id_or_slug: Option<&str>,
        host: Option<&str>,
        address: IpAddr,
    ) -> Result<Identity> {
        let tenant = match id_or_slug {
            Some(id_or_slug) => self.named_tenant(id_or_slug, address).await?,
            None => {
                let tenant = self.default_tenant(host, address).await?;
                Some(tenant.ok_or_else(|| Error::unauthenticated(NO_TENANT))?)
            }
        };
        let active = tenant.filter(|tenant| tenant.state == TenantState::Active);
        let tenant = active.ok_or_else(|| Error::not_found("tenant"))?.id;
        Ok(Identity { tenant, principal: Principal::Anonymous })
    }

    /// Returns the tenant of a request that names none: the only one, or else that of the host name.
    async fn default_tenant(&self, host: Option<&str>, address: IpAddr) -> Result<Option<Arc<Tenant>>> {
        let only = match self.reads.cached_only_tenant() {
            Some(only) => only,
            None => {
                let _turn = self.wait_for_look_up(address).await?;
                self.reads.only_tenant().await?
            }
        };
        match (only, host.and_then(slug_of)) {
            (Some(only), _) => Ok(Some(only)),
            (None, Some(slug)) => self.named_tenant(&slug, address).await,
            (None, None) => Ok(None),
        }
    }

    /// Returns the tenant that a caller names by id or slug.
    async fn named_tenant(&self, id_or_slug: &str, address: IpAddr) -> Result<Option<Arc<Tenant>>> {
        if let Some(tenant) = self.reads.cached_tenant(id_or_slug) {
            return Ok(Some(tenant));
        }
        let _turn = self.wait_for_look_up(address).await?;
        self.reads.tenant(Owner::Unidentified, id_or_slug).await
    }

    /// Whether the API key exists, whether or not it is still valid.
    pub async fn key_exists(&self, text: &str) -> Result<bool> {
        let Some(parts) = KeyText::split(text) else { return Ok(false) };
        let stored = self.reads.key(&parts.id).await?;
        Ok(stored.is_some_and(|stored| stored.hash == self.hasher.hash(parts.secret)))
    }

    /// Whether a tenant is active. Streams of callers without a key check it.
    pub async fn is_active(&self, tenant: TenantId) -> Result<bool> {
        let _check = self.stream_checks.acquire().await;
        let tenant = self.reads.tenant(tenant.into(), &tenant.to_string()).await?;
        Ok(tenant.is_some_and(|tenant| tenant.state == TenantState::Active))
    }

    /// Whether a key is still valid. Streams check it.
    pub async fn is_valid(&self, id: &KeyId) -> Result<bool> {
        let _check = self.stream_checks.acquire().await;
        let Some(stored) = self.reads.key(id).await? else { return Ok(false) };
        Ok(self.refusal_reason(&stored).await?.is_none())
    }

    /// Authenticates the key of a pass, which is valid once on all hosts.
    pub async fn admit_once(&self, key: &KeyId, nonce: &str, until: Timestamp) -> Result<Identity> {
        let refused =
            || Error::unauthenticated("the pass was used before, or its API key is no longer valid");
        let Some(stored) = self.reads.key(key).await? else { return Err(refused()) };
        if self.refusal_reason(&stored).await?.is_some() {
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
        changeset.claim =
            Some(IdempotencyClaim { scope, fingerprint, answer: RecordedAnswer::Done, expires: until });
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

    /// Returns why a key is refused although its secret is right.
    async fn refusal_reason(&self, stored: &StoredKey) -> Result<Option<&'static str>> {
        let key = &stored.key;
        if key.revoked_at.is_some() {
            return Ok(Some("revoked"));
        }
        if key.expires_at.is_some_and(|at| at <= self.store.now()) {
            return Ok(Some("expired"));
        }
        let tenant = self.reads.tenant(key.tenant.into(), &key.tenant.to_string()).await?;
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
}

/// Returns the first label of a host name if it can be a slug.
fn slug_of(host: &str) -> Option<String> {
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name).trim_end_matches('.');
    let (first, _) = name.split_once('.')?;
    let fits = name.split('.').count() >= MIN_LABELS && first.starts_with(|c: char| c.is_ascii_alphabetic());
    fits.then(|| first.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slug_is_first_of_at_least_three_labels() {
        for host in ["acme.example.com", "acme.example.com:8080", "ACME.example.com.", "acme.a.b.example"] {
            assert_eq!(slug_of(host).as_deref(), Some("acme"), "{host}");
        }
        for host in
            ["", "localhost:8080", "example.com", "127.0.0.1:8080", "[::1]:8080", ".example.com", "..."]
        {
            assert_eq!(slug_of(host), None, "{host}");
        }
    }
}
