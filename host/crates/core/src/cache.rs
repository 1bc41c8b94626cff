//! What is read on nearly every request and kept for as long as it is true.
//!
//! Facts say when something stopped being true. A reader notes the tick before it reads the store, and
//! its fill is dropped when the key was forgotten since: so no slow reader puts an old value back.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use crate::access::ObjectKind;
use crate::error::Result;
use crate::id::{KeyId, TenantId, UserId};
use crate::outbox::ObjectRef;
use crate::plugin::ActiveInstallations;
use crate::ports::{Cache, Store};
use crate::tenancy::{StoredKey, Tenant, lookup};
use crate::tracker::User;

/// Under what something is kept.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum CacheKey {
    /// A key by its id.
    Key(KeyId),
    /// A tenant by its id or slug.
    Tenant(String),
    /// A user of a tenant.
    User(TenantId, UserId),
    /// What a tenant has installed.
    ActiveInstallations(TenantId),
    /// The tenant of a host that has only one.
    OnlyTenant,
}

/// What is kept. That something is absent is not kept: absence has no fact that ends it.
#[derive(Clone, Debug)]
pub enum Cached {
    /// A key.
    Key(Arc<StoredKey>),
    /// A tenant.
    Tenant(Arc<Tenant>),
    /// A user.
    User(Arc<User>),
    /// What a tenant has installed.
    ActiveInstallations(Arc<ActiveInstallations>),
    /// The tenant of a host that has only one; none: there are several.
    OnlyTenant(Option<Arc<Tenant>>),
}

/// How many forgotten keys are remembered; a reader that was away for longer does not fill.
const REMEMBERED: usize = 4_096;

#[derive(Default)]
struct Forgotten {
    tick: u64,
    recent: VecDeque<(u64, CacheKey)>,
}

/// Reads through the cache.
pub struct Reads {
    store: Arc<dyn Store>,
    cache: Arc<dyn Cache>,
    forgotten: Mutex<Forgotten>,
}

impl Reads {
    /// Reads from `store`, keeping in `cache`.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, cache: Arc<dyn Cache>) -> Self {
        Self { store, cache, forgotten: Mutex::default() }
    }

    /// A key, whichever tenant's it is.
    pub async fn key(&self, id: &KeyId) -> Result<Option<Arc<StoredKey>>> {
        let slot = CacheKey::Key(id.clone());
        if let Some(Cached::Key(key)) = self.cache.get(&slot) {
            return Ok(Some(key));
        }
        let since = self.tick();
        let read = self.store.key(id).await?.map(Arc::new);
        self.fill(slot, read.clone().map(Cached::Key), since);
        Ok(read)
    }

    /// A tenant by id or slug.
    pub async fn tenant(&self, named: &str) -> Result<Option<Arc<Tenant>>> {
        let slot = CacheKey::Tenant(named.to_owned());
        if let Some(Cached::Tenant(tenant)) = self.cache.get(&slot) {
            return Ok(Some(tenant));
        }
        let since = self.tick();
        let read = lookup::tenant(&*self.store, named).await?.map(Arc::new);
        self.fill(slot, read.clone().map(Cached::Tenant), since);
        Ok(read)
    }

    /// The host's tenant, if it has only one.
    pub async fn only_tenant(&self) -> Result<Option<Arc<Tenant>>> {
        if let Some(Cached::OnlyTenant(tenant)) = self.cache.get(&CacheKey::OnlyTenant) {
            return Ok(tenant);
        }
        let since = self.tick();
        let read = lookup::only_tenant(&*self.store).await?.map(Arc::new);
        self.fill(CacheKey::OnlyTenant, Some(Cached::OnlyTenant(read.clone())), since);
        Ok(read)
    }

    /// A user.
    pub async fn user(&self, tenant: TenantId, id: UserId) -> Result<Option<Arc<User>>> {
        let slot = CacheKey::User(tenant, id);
        if let Some(Cached::User(user)) = self.cache.get(&slot) {
            return Ok(Some(user));
        }
        let since = self.tick();
        let read = self.store.user(tenant, id).await?.map(Arc::new);
        self.fill(slot, read.clone().map(Cached::User), since);
        Ok(read)
    }

    /// What a tenant has installed, of the generation `at_least`: who has seen that one elsewhere does not
    /// go back to an older one.
    pub async fn active_installations(
        &self,
        tenant: TenantId,
        at_least: u64,
    ) -> Result<Arc<ActiveInstallations>> {
        let slot = CacheKey::ActiveInstallations(tenant);
        if let Some(Cached::ActiveInstallations(held)) = self.cache.get(&slot)
            && held.generation >= at_least
        {
            return Ok(held);
        }
        let since = self.tick();
        let read = Arc::new(self.store.active_installations(tenant).await?.sorted());
        self.fill(slot, Some(Cached::ActiveInstallations(Arc::clone(&read))), since);
        Ok(read)
    }

    /// Forgets what a fact about an object made untrue.
    pub fn learn(&self, tenant: TenantId, object: &ObjectRef) {
        match object.kind {
            ObjectKind::Key => {
                if let Ok(id) = KeyId::parse("id", &object.id) {
                    self.forget(CacheKey::Key(id));
                }
            }
            ObjectKind::Tenant => {
                // A rename or suspension does not say the slug, and tenants change rarely.
                self.forget_all();
            }
            ObjectKind::User => {
                if let Ok(id) = UserId::parse("id", &object.id) {
                    self.forget(CacheKey::User(tenant, id));
                }
            }
            ObjectKind::Installation => self.forget(CacheKey::ActiveInstallations(tenant)),
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
            | ObjectKind::TenantHolds => {}
        }
    }

    /// Reads what a tenant has installed again, for what is kept turned out to be old.
    pub fn invalidate_active_installations(&self, tenant: TenantId) {
        self.forget(CacheKey::ActiveInstallations(tenant));
    }

    /// Forgets everything, as after a gap in the facts.
    pub fn forget_all(&self) {
        let mut forgotten = self.lock();
        forgotten.tick += 1 + REMEMBERED as u64;
        forgotten.recent.clear();
        self.cache.clear();
    }

    fn forget(&self, key: CacheKey) {
        let mut forgotten = self.lock();
        forgotten.tick += 1;
        let tick = forgotten.tick;
        self.cache.remove(&key);
        forgotten.recent.push_back((tick, key));
        if forgotten.recent.len() > REMEMBERED {
            forgotten.recent.pop_front();
        }
    }

    fn tick(&self) -> u64 {
        self.lock().tick
    }

    fn fill(&self, key: CacheKey, value: Option<Cached>, since: u64) {
        let Some(value) = value else { return };
        let forgotten = self.lock();
        let overrun = forgotten.tick - since > forgotten.recent.len() as u64;
        let untrue = forgotten.recent.iter().any(|(tick, forgot)| *tick > since && *forgot == key);
        if !overrun && !untrue {
            self.cache.put(key, value);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Forgotten> {
        self.forgotten.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
