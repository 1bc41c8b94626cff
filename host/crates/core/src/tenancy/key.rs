//! API keys: `tsk_<id>_<secret>`. Only a keyed hash of the secret is stored, so it can never be shown again.

use crate::access::Role;
use crate::filter::{Kind, Spec};
use crate::id::{KeyId, TenantId, UserId};
use crate::secret::SecretKey;
use crate::time::Timestamp;
use crate::value::{Field, Snapshot, Value};

/// An API key, without its secret.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct ApiKey {
    /// Its id, the public part of its text.
    pub id: KeyId,
    /// Its tenant.
    pub tenant: TenantId,
    /// Its name.
    pub name: String,
    /// Its roles.
    pub roles: Vec<Role>,
    /// The user that it acts for, if any.
    pub user: Option<UserId>,
    /// The time of its creation.
    pub created_at: Timestamp,
    /// The time of its expiry.
    pub expires_at: Option<Timestamp>,
    /// The time of its revocation.
    pub revoked_at: Option<Timestamp>,
    /// Its version.
    pub version: u64,
}

/// The keyed hash of an API key's secret, compared in constant time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct KeyHash(blake3::Hash);

/// An API key as it is stored.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoredKey {
    /// The key.
    pub key: ApiKey,
    /// The hash of its secret.
    pub hash: KeyHash,
}

/// The filters and orders of lists of API keys.
pub const SPEC: Spec = Spec { fields: &[("user", Kind::User)], orders: &["created"] };

/// The largest page of keys.
pub const MAX_PAGE: u32 = 100;

/// Hashes secrets with a key that is derived from the host's secret.
#[derive(Clone)]
pub struct KeyHasher([u8; 32]);

impl KeyHasher {
    /// Creates the hasher of this host.
    #[must_use]
    pub fn new(secret: &SecretKey) -> Self {
        Self(secret.derive("api key hash"))
    }

    /// Returns the hash of a secret.
    #[must_use]
    pub fn hash(&self, secret: &str) -> KeyHash {
        KeyHash(blake3::keyed_hash(&self.0, secret.as_bytes()))
    }
}

impl KeyHash {
    /// Restores a hash from stored bytes.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes.into())
    }

    /// Returns the bytes to store.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }
}

/// The two parts of the text of an API key.
#[derive(Debug)]
pub struct KeyText<'a> {
    /// The public part.
    pub id: KeyId,
    /// The secret part.
    pub secret: &'a str,
}

impl<'a> KeyText<'a> {
    /// Splits the text of an API key; `None` if it is not one.
    #[must_use]
    pub fn split(text: &'a str) -> Option<Self> {
        let (id, secret) = text.strip_prefix("tsk_")?.split_once('_')?;
        let strong = secret.len() >= 32 && secret.bytes().all(|b| b.is_ascii_hexdigit());
        strong.then_some(Self { id: KeyId::parse("key", id).ok()?, secret })
    }
}

impl Snapshot for ApiKey {
    fn snapshot(&self) -> Vec<Field> {
        let roles = self.roles.iter().map(|role| role.name().to_owned()).collect();
        vec![
            Field::new("name", self.name.as_str()),
            Field::new("roles", Value::Texts(roles)),
            Field::new("user_id", self.user),
            Field::new("expires_at", self.expires_at.map_or(Value::None, Value::Time)),
            Field::new("revoked_at", self.revoked_at.map_or(Value::None, Value::Time)),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_complete_keys_are_split() {
        let secret = "0123456789abcdef0123456789abcdef";
        let text = format!("tsk_boot_{secret}");
        assert_eq!(KeyText::split(&text).unwrap().secret, secret);
        for bad in [
            "",
            "tsk_",
            "tsk_boot",
            "tsk_boot_",
            "tsk_boot_0123",
            "tsk__0123456789abcdef0123456789abcdef",
            "sk_boot_0123456789abcdef0123456789abcdef",
            "tsk_boot_0123456789abcdef0123456789abcdeg",
            "tsk_b.ot_0123456789abcdef0123456789abcdef",
        ] {
            assert!(KeyText::split(bad).is_none(), "{bad}");
        }
    }
}
