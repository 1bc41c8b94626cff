//! What makes a repeated command return the first answer: keys, fingerprints, and who is in flight.

use std::collections::HashSet;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, Mutex, PoisonError};

use crate::access::Operation;
use crate::error::{Error, ErrorKind, Result};
use crate::id::TenantId;

/// The key that a client chose for a command.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct IdempotencyKey(String);

impl IdempotencyKey {
    /// Reads a key: 1 to 128 visible ASCII characters.
    pub fn parse(text: &str) -> Result<Self> {
        let fits = (1..=128).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
        if !fits {
            return Err(Error::invalid("Idempotency-Key", "must be 1 to 128 visible ASCII characters"));
        }
        Ok(Self(text.to_owned()))
    }

    /// The key for one part of a command that is made of several.
    #[must_use]
    pub fn part(&self, name: &str) -> Self {
        Self(format!("{}/{name}", self.0))
    }

    /// The key as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Where a key is unique.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Scope {
    /// The caller's tenant.
    pub tenant: TenantId,
    /// The caller.
    pub principal: String,
    /// What was asked.
    pub operation: Operation,
    /// The client's key.
    pub key: IdempotencyKey,
}

/// The digest of a decoded command: the same command has the same one, whatever way it came.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Fingerprint(pub [u8; 32]);

impl Fingerprint {
    /// The fingerprint of a command.
    #[must_use]
    pub fn of(command: &impl Hash) -> Self {
        let mut hasher = Digest(blake3::Hasher::new());
        command.hash(&mut hasher);
        Self(*hasher.0.finalize().as_bytes())
    }
}

struct Digest(blake3::Hasher);

impl Hasher for Digest {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        let hash = self.0.finalize();
        let (head, _) = hash.as_bytes().split_at(8);
        head.try_into().map_or(0, u64::from_le_bytes)
    }
}

/// The same key came with another command.
#[must_use]
pub fn reused() -> Error {
    let message = "this Idempotency-Key was used for another request; choose a new key for a new request";
    Error::new(ErrorKind::Invalid, "IDEMPOTENCY_KEY_REUSED", message)
}

/// The commands with a key that are being carried out on this host.
#[derive(Clone, Default, Debug)]
pub struct InFlight(Arc<Mutex<HashSet<Scope>>>);

impl InFlight {
    /// Takes a key's place until the guard is dropped.
    pub fn enter(&self, scope: &Scope) -> Result<InFlightGuard> {
        let mut scopes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !scopes.insert(scope.clone()) {
            let message =
                "a request with this Idempotency-Key is still being carried out; repeat it a little later";
            return Err(Error::new(ErrorKind::Conflict, "IDEMPOTENCY_KEY_IN_FLIGHT", message));
        }
        Ok(InFlightGuard { scopes: Arc::clone(&self.0), scope: scope.clone() })
    }
}

/// Holds a key's place.
#[derive(Debug)]
pub struct InFlightGuard {
    scopes: Arc<Mutex<HashSet<Scope>>>,
    scope: Scope,
}

impl InFlightGuard {
    /// The key whose place it is.
    #[must_use]
    pub fn scope(&self) -> &Scope {
        &self.scope
    }
}

impl Drop for InFlightGuard {
    fn drop(&mut self) {
        self.scopes.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.scope);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_tells_commands_apart() {
        let of = |command: &(&str, Option<&str>)| Fingerprint::of(command);
        assert_eq!(of(&("a", None)), of(&("a", None)));
        assert_ne!(of(&("a", None)), of(&("a", Some(""))));
        assert_ne!(of(&("ab", Some("c"))), of(&("a", Some("bc"))));
    }

    #[test]
    fn a_key_in_flight_is_refused_until_it_is_done() {
        let in_flight = InFlight::default();
        let scope = Scope {
            tenant: TenantId::generate(),
            principal: "key:a".into(),
            operation: Operation::IssueCreate,
            key: IdempotencyKey::parse("k").unwrap(),
        };
        let first = in_flight.enter(&scope).unwrap();
        assert_eq!(in_flight.enter(&scope).unwrap_err().kind(), ErrorKind::Conflict);
        drop(first);
        assert!(in_flight.enter(&scope).is_ok());
    }
}
