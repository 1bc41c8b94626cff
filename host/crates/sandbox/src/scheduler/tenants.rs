//! Tenants with calls on threads of low priority, or with long calls a short while ago.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tessera_core::plugin::CallShare;
use tokio::sync::Semaphore;

/// The most calls of one tenant that run on threads of low priority at once; others wait.
pub(super) const PERMITS: usize = 2;

/// A tenant whose counted calls use more instructions within a second is slow wherever they ran: it used a hundredth of
/// a worker's time or more.
const MAX_FUEL: u64 = 40_000_000;

/// How long a tenant is slow after a long call, and the span over which its instructions are summed.
const WINDOW: Duration = Duration::from_secs(1);

/// Tenants about which there is something to keep.
#[derive(Default)]
pub(super) struct Tenants(Mutex<HashMap<CallShare, Tenant>>);

struct Tenant {
    permits: Arc<Semaphore>,
    /// When the last of its long calls ended.
    last_long_call: Option<Instant>,
    /// Instructions that its counted calls have used since `window_start`.
    fuel: u64,
    window_start: Option<Instant>,
}

impl Tenants {
    /// Returns the permits of a tenant's calls on threads of low priority.
    pub(super) fn permits(&self, share: CallShare) -> Arc<Semaphore> {
        Arc::clone(&self.lock().entry(share).or_default().permits)
    }

    /// Whether the tenant had a long call within the window.
    pub(super) fn is_slow(&self, share: CallShare, now: Instant) -> bool {
        self.lock().get(&share).is_some_and(|tenant| tenant.is_slow(now))
    }

    pub(super) fn note_long_call(&self, share: CallShare, now: Instant) {
        self.lock().entry(share).or_default().last_long_call = Some(now);
    }

    /// Adds to the instructions of the window; beyond their limit the tenant is slow.
    pub(super) fn note_fuel(&self, share: CallShare, fuel: u64, now: Instant) {
        let mut tenants = self.lock();
        let tenant = tenants.entry(share).or_default();
        let in_window = tenant.window_start.is_some_and(|start| now.duration_since(start) < WINDOW);
        if !in_window {
            (tenant.fuel, tenant.window_start) = (0, Some(now));
        }
        tenant.fuel = tenant.fuel.saturating_add(fuel);
        if tenant.fuel > MAX_FUEL {
            tenant.last_long_call = Some(now);
        }
        tenants.retain(|_, tenant| !tenant.is_idle(now));
    }

    /// Removes tenants about which there is nothing to keep.
    pub(super) fn remove_idle(&self, now: Instant) {
        self.lock().retain(|_, tenant| !tenant.is_idle(now));
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<CallShare, Tenant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Tenant {
    fn default() -> Self {
        Self { permits: Arc::new(Semaphore::new(PERMITS)), last_long_call: None, fuel: 0, window_start: None }
    }
}

impl Tenant {
    fn is_slow(&self, now: Instant) -> bool {
        self.last_long_call.is_some_and(|at| now.duration_since(at) < WINDOW)
    }

    fn is_idle(&self, now: Instant) -> bool {
        let counts_fuel = self.window_start.is_some_and(|start| now.duration_since(start) < WINDOW);
        !self.is_slow(now) && !counts_fuel && Arc::strong_count(&self.permits) == 1
    }
}

#[cfg(test)]
mod tests {
    use tessera_core::id::TenantId;

    use super::*;

    fn share() -> CallShare {
        TenantId::generate().into()
    }

    #[test]
    fn a_tenant_is_slow_for_a_while_after_a_long_call() {
        let (tenants, tenant, other) = (Tenants::default(), share(), share());
        let start = Instant::now();
        tenants.note_long_call(tenant, start);
        assert!(tenants.is_slow(tenant, start + WINDOW / 2) && !tenants.is_slow(other, start));
        assert!(!tenants.is_slow(tenant, start + WINDOW));
    }

    #[test]
    fn a_tenant_is_slow_once_its_calls_exceed_the_fuel_of_a_window() {
        let (tenants, tenant) = (Tenants::default(), share());
        let start = Instant::now();
        tenants.note_fuel(tenant, MAX_FUEL, start);
        assert!(!tenants.is_slow(tenant, start));
        tenants.note_fuel(tenant, MAX_FUEL, start + WINDOW);
        assert!(!tenants.is_slow(tenant, start + WINDOW), "the fuel of an earlier window counts");
        tenants.note_fuel(tenant, 1, start + WINDOW * 3 / 2);
        assert!(tenants.is_slow(tenant, start + WINDOW * 3 / 2));
    }

    #[test]
    fn idle_tenants_are_removed() {
        let (tenants, tenant) = (Tenants::default(), share());
        let start = Instant::now();
        let permits = tenants.permits(tenant);
        tenants.note_fuel(share(), 1, start);
        tenants.note_long_call(share(), start);
        tenants.remove_idle(start + WINDOW);
        assert!(!tenants.is_empty(), "permits are in use");
        drop(permits);
        tenants.remove_idle(start + WINDOW);
        assert!(tenants.is_empty());
    }
}
