//! The commands with a key that this host is carrying out.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use crate::error::{Error, ErrorKind, Result};
use crate::idempotency::{RequestKey, Scope};

/// The keys that are in use on this host.
#[derive(Clone, Default, Debug)]
pub struct InFlight(Arc<Mutex<HashSet<Scope>>>);

impl InFlight {
    /// Marks a key as in use until the guard is dropped. Refuses a key that is in use already.
    pub fn enter(&self, key: RequestKey) -> Result<InFlightGuard> {
        let mut scopes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !scopes.insert(key.scope.clone()) {
            let message =
                "a request with this Idempotency-Key is still being carried out; repeat it a little later";
            return Err(Error::new(ErrorKind::Conflict, "IDEMPOTENCY_KEY_IN_FLIGHT", message));
        }
        Ok(InFlightGuard { scopes: Arc::clone(&self.0), key })
    }
}

/// Keeps a key marked as in use.
#[derive(Debug)]
pub struct InFlightGuard {
    scopes: Arc<Mutex<HashSet<Scope>>>,
    key: RequestKey,
}

impl InFlightGuard {
    /// Returns the key that is in use.
    #[must_use]
    pub fn key(&self) -> &RequestKey {
        &self.key
    }
}

impl Drop for InFlightGuard {
    fn drop(&mut self) {
        self.scopes.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.key.scope);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::Operation;
    use crate::id::TenantId;
    use crate::idempotency::{Fingerprint, IdempotencyKey};

    #[test]
    fn key_in_flight_is_refused_until_its_command_ends() {
        let in_flight = InFlight::default();
        let scope = Scope {
            tenant: TenantId::generate(),
            principal: "key:a".into(),
            operation: Operation::IssueCreate,
            key: IdempotencyKey::parse("k").unwrap(),
        };
        let key = RequestKey { scope, fingerprint: Fingerprint::of(&()) };
        let first = in_flight.enter(key.clone()).unwrap();
        assert_eq!(in_flight.enter(key.clone()).unwrap_err().kind(), ErrorKind::Conflict);
        drop(first);
        assert!(in_flight.enter(key).is_ok());
    }
}
