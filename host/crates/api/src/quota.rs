//! Usage counters by scope, with a limit for each scope.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tessera_core::id::{KeyId, TenantId};

/// A group of callers that share a limit.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Scope {
    /// All callers.
    Host,
    /// All callers without a key.
    Public,
    /// The keys of a tenant.
    Tenant(TenantId),
    /// The callers without a key in a tenant.
    PublicTenant(TenantId),
    /// A key.
    Key(KeyId),
    /// The callers without a key at an address, or the connections of an address.
    Address(IpAddr),
    /// A connection, by its place in memory.
    Connection(usize),
}

/// Usage by scope; clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Quota(Arc<Mutex<HashMap<Scope, usize>>>);

/// The usage of one caller; freed when dropped.
#[derive(Debug)]
pub(crate) struct Share {
    quota: Quota,
    limits: Vec<(Scope, usize)>,
    used: usize,
}

/// A scope that may not grow, and what it may have.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Exceeded {
    pub(crate) scope: Scope,
    pub(crate) limit: usize,
}

impl Quota {
    /// Returns an empty share that counts in these scopes.
    pub(crate) fn share(&self, limits: Vec<(Scope, usize)>) -> Share {
        Share { quota: self.clone(), limits, used: 0 }
    }
}

impl Share {
    /// Changes the usage. An increase beyond a limit fails and changes nothing.
    pub(crate) fn set(&mut self, used: usize) -> Result<(), Exceeded> {
        if used == self.used {
            return Ok(());
        }
        let quota = self.quota.clone();
        let mut counts = quota.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(added) = used.checked_sub(self.used) {
            let count = |scope: &Scope| counts.get(scope).copied().unwrap_or_default();
            for (scope, limit) in &self.limits {
                let free = limit.saturating_sub(count(scope));
                if added > free {
                    return Err(Exceeded { scope: scope.clone(), limit: *limit });
                }
                if let Some(group) = self.group_in(scope)
                    && count(group).saturating_add(added) > free
                {
                    return Err(Exceeded { scope: group.clone(), limit: free });
                }
            }
        }
        self.change(&mut counts, used);
        Ok(())
    }

    /// Returns the group of callers within a scope that may grow only while more is free than it has. So a few groups
    /// leave something to others.
    fn group_in(&self, scope: &Scope) -> Option<&Scope> {
        let is_group = |group: &Scope| match scope {
            Scope::Host => matches!(group, Scope::Tenant(_) | Scope::Public),
            Scope::Public => matches!(group, Scope::Address(_)),
            _ => false,
        };
        self.limits.iter().map(|(scope, _)| scope).find(|scope| is_group(scope))
    }

    /// Changes the usage, even beyond the limits.
    pub(crate) fn force(&mut self, used: usize) {
        if used != self.used {
            let quota = self.quota.clone();
            self.change(&mut quota.0.lock().unwrap_or_else(PoisonError::into_inner), used);
        }
    }

    fn change(&mut self, counts: &mut HashMap<Scope, usize>, used: usize) {
        for (scope, _) in &self.limits {
            let Some(count) = counts.get_mut(scope) else {
                counts.insert(scope.clone(), used);
                continue;
            };
            *count = *count + used - self.used;
            if *count == 0 {
                counts.remove(scope);
            }
        }
        self.used = used;
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.force(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn increase_beyond_any_limit_changes_nothing() {
        let quota = Quota::default();
        let tenant = Scope::Tenant(TenantId::generate());
        let mut one = quota.share(vec![(Scope::Host, 20), (tenant.clone(), 6)]);
        let mut other = quota.share(vec![(Scope::Host, 20)]);
        one.set(6).unwrap();
        assert_eq!(one.set(7).unwrap_err(), Exceeded { scope: tenant, limit: 6 });
        assert_eq!(other.set(15).unwrap_err(), Exceeded { scope: Scope::Host, limit: 20 });
        other.set(14).unwrap();
        one.set(2).unwrap();
        other.set(18).unwrap();
        one.force(9);
        assert!(other.set(19).is_err());
        other.set(17).unwrap();
        drop((one, other));
        assert!(quota.0.lock().unwrap().is_empty());
    }

    #[test]
    fn refusal_names_the_group_that_has_used_its_share() {
        let quota = Quota::default();
        let tenant = Scope::Tenant(TenantId::generate());
        let mut public = quota.share(vec![(Scope::Host, 16), (Scope::Public, 12)]);
        let mut other = quota.share(vec![(Scope::Host, 16), (tenant.clone(), 12)]);
        public.set(8).unwrap();
        assert_eq!(public.set(9).unwrap_err(), Exceeded { scope: Scope::Public, limit: 8 });
        other.set(3).unwrap();
        assert_eq!(public.set(9).unwrap_err(), Exceeded { scope: Scope::Public, limit: 5 });
        other.set(4).unwrap();
        assert_eq!(other.set(5).unwrap_err(), Exceeded { scope: tenant, limit: 4 });
        assert_eq!(other.set(9).unwrap_err(), Exceeded { scope: Scope::Host, limit: 16 });
    }

    #[test]
    fn a_few_groups_leave_something_to_others() {
        let quota = Quota::default();
        let mut shares = Vec::new();
        let mut fill = || {
            let tenant = Scope::Tenant(TenantId::generate());
            let mut share = quota.share(vec![(Scope::Host, 16), (tenant, 6)]);
            let most = (1..=16).take_while(|used| share.set(*used).is_ok()).count();
            shares.push(share);
            most
        };
        assert_eq!([fill(), fill(), fill(), fill(), fill()], [6, 5, 3, 1, 1]);
    }
}
