//! Reads through the cache.
//!
//! Facts invalidate entries. A reader notes the clock of invalidations before it reads the store, and its entry is
//! dropped if the key was invalidated since, so that a slow reader does not put an outdated value back.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use uuid::Uuid;

use crate::access::ObjectKind;
use crate::cache::{CacheKey, Cached};
use crate::error::Result;
use crate::fair::Owner;
use crate::id::{KeyId, TenantId, UserId};
use crate::outbox::ObjectRef;
use crate::plugin::ActiveInstallations;
use crate::ports::{Cache, Store};
use crate::pricing::PricingRule;
use crate::tenancy::{StoredKey, Tenant, lookup};
use crate::tracker::User;

/// How many invalidated keys are kept. A reader that takes longer than so many invalidations stores no entry.
const MAX_RECENT: usize = 4_096;

#[derive(Default)]
struct Invalidations {
    /// Counts invalidations.
    clock: u64,
    recent: VecDeque<(u64, CacheKey)>,
}

/// Reads through the cache.
pub struct CachedReads {
    store: Arc<dyn Store>,
    cache: Arc<dyn Cache>,
    invalidations: Mutex<Invalidations>,
}

impl CachedReads {
    /// Creates reads of `store` through `cache`.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, cache: Arc<dyn Cache>) -> Self {
        Self { store, cache, invalidations: Mutex::default() }
    }

    /// Returns an API key of any tenant.
    pub async fn key(&self, id: &KeyId) -> Result<Option<Arc<StoredKey>>> {
        match self.cached_key(id) {
            Some(key) => Ok(Some(key)),
            None => self.load_key(id).await,
        }
    }

    /// Returns an API key of any tenant if it is cached.
    pub fn cached_key(&self, id: &KeyId) -> Option<Arc<StoredKey>> {
        match self.cache.get(&CacheKey::Key(id.clone())) {
            Some(Cached::Key(key)) => Some(key),
            Some(_) | None => None,
        }
    }

    /// Reads an API key of any tenant from the store, whether or not it is cached.
    pub async fn load_key(&self, id: &KeyId) -> Result<Option<Arc<StoredKey>>> {
        let since = self.clock();
        let key = self.store.key(id).await?.map(Arc::new);
        self.fill(CacheKey::Key(id.clone()), key.clone().map(Cached::Key), since);
        Ok(key)
    }

    /// Returns a tenant by id or slug. If it is not cached, it is read in the caller's turn.
    pub async fn tenant(&self, caller: Owner, id_or_slug: &str) -> Result<Option<Arc<Tenant>>> {
        if let Some(tenant) = self.cached_tenant(id_or_slug) {
            return Ok(Some(tenant));
        }
        let since = self.clock();
        let tenant = self.store.named_tenant(caller, id_or_slug).await?.map(Arc::new);
        self.fill(tenant_key(id_or_slug), tenant.clone().map(Cached::Tenant), since);
        Ok(tenant)
    }

    /// Returns a tenant by id or slug if it is cached.
    pub fn cached_tenant(&self, id_or_slug: &str) -> Option<Arc<Tenant>> {
        match self.cache.get(&tenant_key(id_or_slug)) {
            Some(Cached::Tenant(tenant)) => Some(tenant),
            Some(_) | None => None,
        }
    }

    /// Returns the host's tenant, if it has only one.
    pub async fn only_tenant(&self) -> Result<Option<Arc<Tenant>>> {
        if let Some(tenant) = self.cached_only_tenant() {
            return Ok(tenant);
        }
        let since = self.clock();
        let tenant = lookup::only_tenant(&*self.store).await?.map(Arc::new);
        self.fill(CacheKey::OnlyTenant, Some(Cached::OnlyTenant(tenant.clone())), since);
        Ok(tenant)
    }

    /// Returns the host's tenant, if it has only one, and if this is cached.
    pub fn cached_only_tenant(&self) -> Option<Option<Arc<Tenant>>> {
        match self.cache.get(&CacheKey::OnlyTenant) {
            Some(Cached::OnlyTenant(tenant)) => Some(tenant),
            Some(_) | None => None,
        }
    }

    /// Returns a user.
    pub async fn user(&self, tenant: TenantId, id: UserId) -> Result<Option<Arc<User>>> {
        let cache_key = CacheKey::User(tenant, id);
        if let Some(Cached::User(user)) = self.cache.get(&cache_key) {
            return Ok(Some(user));
        }
        let since = self.clock();
        let user = self.store.user(tenant, id).await?.map(Arc::new);
        self.fill(cache_key, user.clone().map(Cached::User), since);
        Ok(user)
    }

    /// Returns the installations of a tenant, of the generation `at_least` or a newer one.
    pub async fn active_installations(
        &self,
        tenant: TenantId,
        at_least: u64,
    ) -> Result<Arc<ActiveInstallations>> {
        let cache_key = CacheKey::ActiveInstallations(tenant);
        if let Some(Cached::ActiveInstallations(installations)) = self.cache.get(&cache_key)
            && installations.generation >= at_least
        {
            return Ok(installations);
        }
        let since = self.clock();
        let installations = Arc::new(self.store.active_installations(tenant).await?.sorted());
        self.fill(cache_key, Some(Cached::ActiveInstallations(Arc::clone(&installations))), since);
        Ok(installations)
    }

    /// Returns the pricing rules of a tenant, oldest first.
    pub async fn pricing_rules(&self, tenant: TenantId) -> Result<Arc<[PricingRule]>> {
        let cache_key = CacheKey::PricingRules(tenant);
        if let Some(Cached::PricingRules(rules)) = self.cache.get(&cache_key) {
            return Ok(rules);
        }
        let since = self.clock();
        let rules: Arc<[PricingRule]> = self.store.pricing_rules(tenant).await?.into();
        self.fill(cache_key, Some(Cached::PricingRules(Arc::clone(&rules))), since);
        Ok(rules)
    }

    /// Removes the entries that a change of an object invalidates.
    pub fn invalidate(&self, tenant: TenantId, object: &ObjectRef) {
        match object.kind {
            ObjectKind::Key => {
                if let Ok(id) = KeyId::parse("id", &object.id) {
                    self.remove(CacheKey::Key(id));
                }
            }
            ObjectKind::Tenant => {
                // The fact does not name the slug, and tenants change rarely.
                self.clear();
            }
            ObjectKind::User => {
                if let Ok(id) = UserId::parse("id", &object.id) {
                    self.remove(CacheKey::User(tenant, id));
                }
            }
            ObjectKind::Installation => self.remove(CacheKey::ActiveInstallations(tenant)),
            ObjectKind::PricingRule => self.remove(CacheKey::PricingRules(tenant)),
            ObjectKind::Project
            | ObjectKind::Release
            | ObjectKind::Issue
            | ObjectKind::Venue
            | ObjectKind::Series
            | ObjectKind::Event
            | ObjectKind::TicketType
            | ObjectKind::Pool
            | ObjectKind::Lock
            | ObjectKind::Reservation
            | ObjectKind::Ticket
            | ObjectKind::SigningKey
            | ObjectKind::Queue
            | ObjectKind::Booking
            | ObjectKind::TenantHoldRules
            | ObjectKind::Quote
            | ObjectKind::Promotion => {}
        }
    }

    /// Removes the cached installations of a tenant, which turned out to be outdated.
    pub fn invalidate_active_installations(&self, tenant: TenantId) {
        self.remove(CacheKey::ActiveInstallations(tenant));
    }

    /// Removes all entries, as after a gap in the facts.
    pub fn clear(&self) {
        let mut invalidations = self.lock();
        invalidations.clock += 1 + MAX_RECENT as u64;
        invalidations.recent.clear();
        self.cache.clear();
    }

    fn remove(&self, key: CacheKey) {
        let mut invalidations = self.lock();
        invalidations.clock += 1;
        let clock = invalidations.clock;
        self.cache.remove(&key);
        invalidations.recent.push_back((clock, key));
        if invalidations.recent.len() > MAX_RECENT {
            invalidations.recent.pop_front();
        }
    }

    fn clock(&self) -> u64 {
        self.lock().clock
    }

    fn fill(&self, key: CacheKey, value: Option<Cached>, since: u64) {
        let Some(value) = value else { return };
        let invalidations = self.lock();
        let overrun = invalidations.clock - since > invalidations.recent.len() as u64;
        let outdated = invalidations.recent.iter().any(|(clock, removed)| *clock > since && *removed == key);
        if !overrun && !outdated {
            self.cache.put(key, value);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Invalidations> {
        self.invalidations.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns the key of a tenant. All spellings of an id have one, so that a client cannot fill the cache with them.
fn tenant_key(id_or_slug: &str) -> CacheKey {
    let id = Uuid::try_parse(id_or_slug).map(|id| id.to_string());
    CacheKey::Tenant(id.unwrap_or_else(|_| id_or_slug.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_spellings_of_an_id_have_one_key() {
        let id = "0198c0de-0000-7000-8000-00000000000a";
        for spelling in
            [id.to_uppercase(), id.replace('-', ""), format!("{{{id}}}"), format!("urn:uuid:{id}")]
        {
            assert_eq!(tenant_key(&spelling), tenant_key(id), "{spelling}");
        }
        assert_ne!(tenant_key("acme"), tenant_key("ACME"));
    }
}
