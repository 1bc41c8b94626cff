//! API keys: `tsk_<id>_<secret>`. Only a keyed hash of the secret is stored, so it can never be shown again.

use crate::ctx::Role;
use crate::filter::{Kind, Spec};
use crate::id::{KeyId, TenantId, UserId};
use crate::secret::SecretKey;
use crate::time::Timestamp;
use crate::value::{Field, Snapshot, Value};

/// An API key, without its secret.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct ApiKey {
    /// Its public part.
    pub id: KeyId,
    /// Whose it is.
    pub tenant: TenantId,
    /// What it is for.
    pub name: String,
    /// What it may do.
    pub roles: Vec<Role>,
    /// The user that `me` is.
    pub user: Option<UserId>,
    /// When it was made.
    pub created_at: Timestamp,
    /// From when on it is refused.
    pub expires_at: Option<Timestamp>,
    /// Since when it is refused.
    pub revoked_at: Option<Timestamp>,
    /// Counts its changes.
    pub version: u64,
}

/// The keyed hash of a key's secret. Compared in constant time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct KeyHash(blake3::Hash);

/// An API key as it is stored.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoredKey {
    /// The key.
    pub key: ApiKey,
    /// What its secret is checked against.
    pub hash: KeyHash,
}

/// What keys can be listed by.
pub const SPEC: Spec = Spec { fields: &[("user", Kind::User)], orders: &["created"] };

/// The largest page of keys.
pub const MAX_PAGE: u32 = 100;

/// Hashes secrets with a key that is derived from the host's secret.
#[derive(Clone)]
pub struct KeyHasher([u8; 32]);

impl KeyHasher {
    /// The hasher of this host.
    #[must_use]
    pub fn new(secret: &SecretKey) -> Self {
        Self(secret.derive("api key hash"))
    }

    /// The hash of a secret.
    #[must_use]
    pub fn hash(&self, secret: &str) -> KeyHash {
        KeyHash(blake3::keyed_hash(&self.0, secret.as_bytes()))
    }
}

impl KeyHash {
    /// From stored bytes.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes.into())
    }

    /// As bytes to store.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }
}

/// The two parts of the text of a key.
#[derive(Debug)]
pub struct KeyText<'a> {
    /// The public part.
    pub id: KeyId,
    /// The secret part.
    pub secret: &'a str,
}

impl<'a> KeyText<'a> {
    /// Takes a key's text apart; none if it is not one.
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
    fn only_a_whole_key_is_taken_apart() {
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
