//! Idempotency keys, their scopes, and fingerprints of commands.

use std::hash::{Hash, Hasher};

use crate::access::Operation;
use crate::error::{Error, Result};
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

    /// Derives the key for one part of a command that is made of several.
    #[must_use]
    pub fn part(&self, name: &str) -> Self {
        Self(format!("{}/{name}", self.0))
    }

    /// Returns the key as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The scope within which a key is unique.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Scope {
    /// The caller's tenant.
    pub tenant: TenantId,
    /// The caller.
    pub principal: String,
    /// The operation.
    pub operation: Operation,
    /// The client's key.
    pub key: IdempotencyKey,
}

/// The digest of a decoded command. Equal commands have equal digests, whichever transport they came by.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Fingerprint(pub [u8; 32]);

impl Fingerprint {
    /// Computes the fingerprint of a command.
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

/// A command's key in its scope, with the command's fingerprint.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RequestKey {
    /// Where the key is unique.
    pub scope: Scope,
    /// The fingerprint of the command.
    pub fingerprint: Fingerprint,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn different_commands_have_different_fingerprints() {
        let of = |command: &(&str, Option<&str>)| Fingerprint::of(command);
        assert_eq!(of(&("a", None)), of(&("a", None)));
        assert_ne!(of(&("a", None)), of(&("a", Some(""))));
        assert_ne!(of(&("ab", Some("c"))), of(&("a", Some("bc"))));
    }
}
