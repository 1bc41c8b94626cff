//! Places of a queue: how many entries each tenant and the host may have in it, and when a refused caller may return.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::IpAddr;
use std::time::Duration;

use tokio::time::Instant;

use crate::error::{Error, Result};
use crate::id::TenantId;

/// The refusals of one tenant within a second that get the same `Retry-After`.
const REFUSALS_PER_SECOND: u32 = 256;

/// The longest `Retry-After`, in seconds.
const MAX_RETRY_AFTER: u32 = 30;

/// The owner of an entry.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Owner {
    /// The host's own work.
    Host,
    /// A tenant.
    Tenant(TenantId),
    /// Callers of a tenant without a key. They do not take the places of those with one.
    Public(TenantId),
    /// Callers at an address (of an IPv6 address, its network of 64 bits) whose tenant is not known yet.
    Address(IpAddr),
    /// All callers whose tenant is not known yet. They share the places and permits of one tenant.
    Unidentified,
}

impl From<TenantId> for Owner {
    fn from(tenant: TenantId) -> Self {
        Self::Tenant(tenant)
    }
}

/// Limits of waiting entries.
#[derive(Clone, Copy, Debug)]
pub struct WaitingLimits {
    /// The most entries of all tenants and addresses together. A tenant may add one while more places are free than it
    /// has, so that one tenant has at most half of them, and a tenant that has none finds one.
    pub tenants: usize,
    /// The most entries of the host, beside those of the tenants.
    pub host: usize,
    /// The message for a caller that is refused.
    pub message: &'static str,
}

/// The places that are taken.
#[derive(Debug)]
pub struct Places {
    limits: WaitingLimits,
    /// The number of all tenants' entries.
    tenants: usize,
    owners: HashMap<Owner, Usage>,
}

#[derive(Debug)]
struct Usage {
    taken: usize,
    /// When the present second of refusals began, and how many there were since.
    refused: (Instant, u32),
}

impl Usage {
    fn new() -> Self {
        Self { taken: 0, refused: (Instant::now(), 0) }
    }
}

impl Places {
    /// Creates free places.
    #[must_use]
    pub fn new(limits: WaitingLimits) -> Self {
        Self { limits, tenants: 0, owners: HashMap::new() }
    }

    /// Takes a place.
    pub fn take(&mut self, owner: Owner) -> Result<()> {
        let taken = self.taken(owner);
        let is_free = match owner {
            Owner::Host => taken < self.limits.host,
            Owner::Tenant(_) | Owner::Public(_) | Owner::Address(_) | Owner::Unidentified => {
                taken < self.limits.tenants - self.tenants
            }
        };
        if !is_free {
            return Err(self.refuse(owner));
        }
        self.tenants += usize::from(owner != Owner::Host);
        self.owners.entry(owner).or_insert_with(Usage::new).taken += 1;
        Ok(())
    }

    /// Frees places that were taken.
    pub fn free(&mut self, owner: Owner, places: usize) {
        if let Entry::Occupied(mut usage) = self.owners.entry(owner) {
            let freed = places.min(usage.get().taken);
            usage.get_mut().taken -= freed;
            self.tenants -= if owner == Owner::Host { 0 } else { freed };
            if usage.get().taken == 0 {
                usage.remove();
            }
        }
    }

    /// Returns the number of places that an owner has taken.
    #[must_use]
    pub fn taken(&self, owner: Owner) -> usize {
        self.owners.get(&owner).map_or(0, |usage| usage.taken)
    }

    /// Returns the error of a refused caller. `Retry-After` grows with the owner's refusals within a second, because
    /// refusals take processor time from the requests that are carried out.
    pub fn refuse(&mut self, owner: Owner) -> Error {
        let refused = self.owners.get_mut(&owner).map_or(1, |usage| {
            let (since, count) = &mut usage.refused;
            if since.elapsed() >= Duration::from_secs(1) {
                (*since, *count) = (Instant::now(), 0);
            }
            *count = count.saturating_add(1);
            *count
        });
        let seconds = (1 + refused / REFUSALS_PER_SECOND).min(MAX_RETRY_AFTER);
        Error::unavailable(self.limits.message, Duration::from_secs(seconds.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(tenants: usize, host: usize) -> Places {
        Places::new(WaitingLimits { tenants, host, message: "full" })
    }

    fn tenant() -> Owner {
        Owner::Tenant(TenantId::generate())
    }

    fn fill(places: &mut Places, owner: Owner) -> usize {
        std::iter::from_fn(|| places.take(owner).ok()).count()
    }

    #[test]
    fn one_tenant_takes_half_and_further_tenants_part_of_the_rest() {
        let mut places = places(12, 2);
        let [first, second, third] = [tenant(), tenant(), tenant()];
        assert_eq!(fill(&mut places, first), 6);
        assert_eq!(fill(&mut places, second), 3);
        assert_eq!(fill(&mut places, third), 2);
        assert_eq!(fill(&mut places, Owner::Host), 2);
        assert!(places.take(tenant()).is_ok() && places.take(tenant()).is_err());
        places.free(first, 6);
        assert_eq!(places.taken(first), 0);
        assert!(places.take(second).is_ok());
    }

    #[test]
    fn callers_without_a_key_leave_places_to_those_with_one() {
        let mut places = places(12, 0);
        let tenant = TenantId::generate();
        assert_eq!(fill(&mut places, Owner::Public(tenant)), 6);
        assert_eq!(fill(&mut places, Owner::Tenant(tenant)), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn retry_after_grows_with_refusals_within_a_second() {
        let mut places = places(2, 0);
        let [greedy, other] = [tenant(), tenant()];
        fill(&mut places, greedy);
        let mut seconds = |owner| places.take(owner).map_err(|error| error.retry_after().unwrap().as_secs());
        let delays: Vec<_> = (0..REFUSALS_PER_SECOND * 3).map(|_| seconds(greedy).unwrap_err()).collect();
        assert_eq!((delays[0], delays[300], delays[600]), (1, 2, 3));
        assert!((0..20_000).all(|_| seconds(greedy).unwrap_err() <= MAX_RETRY_AFTER.into()));
        assert_eq!(seconds(other), Ok(()));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(seconds(greedy), Err(1));
    }
}
