//! The secret of the host, and keys that are derived from it.

use std::fmt;

use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};

use crate::error::{Error, Result};

/// The secret of the host (`TESSERA_SECRET_KEY`). Never printed.
#[derive(Clone)]
pub struct SecretKey([u8; 32]);

impl SecretKey {
    /// Derives the secret from a text of at least 32 characters.
    pub fn from_text(text: &str) -> Result<Self> {
        let text = text.trim();
        if text.chars().count() < 32 {
            return Err(Error::invalid(
                "TESSERA_SECRET_KEY",
                "is too short; at least 32 characters are expected",
            ));
        }
        Ok(Self(blake3::derive_key("tessera 2026 host secret", text.as_bytes())))
    }

    /// Generates a new secret as text.
    pub fn generate_text() -> Result<String> {
        random_hex::<32>()
    }

    /// Derives the key for a purpose. Keys of other purposes cannot be computed from it.
    #[must_use]
    pub fn derive(&self, purpose: &str) -> [u8; 32] {
        blake3::derive_key(&format!("tessera 2026 {purpose}"), &self.0)
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey(hidden)")
    }
}

/// Encrypts secrets before they are stored.
#[derive(Clone)]
pub struct Sealer([u8; 32]);

impl Sealer {
    /// Creates a sealer with the key of the host.
    #[must_use]
    pub fn new(secret: &SecretKey) -> Self {
        Self(secret.derive("seals"))
    }

    /// Encrypts bytes for a purpose.
    pub fn seal(&self, purpose: &str, plain: &[u8]) -> Result<Vec<u8>> {
        let nonce = random::<NONCE_LEN>()?;
        let mut sealed = plain.to_vec();
        self.key()?
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(purpose.as_bytes()),
                &mut sealed,
            )
            .map_err(|_| sealing_failed(purpose))?;
        Ok([nonce.as_slice(), &sealed].concat())
    }

    /// Decrypts bytes that were encrypted for the same purpose with the same secret.
    pub fn open(&self, purpose: &str, sealed: &[u8]) -> Result<Vec<u8>> {
        let (nonce, rest) = sealed.split_first_chunk::<NONCE_LEN>().ok_or_else(|| sealing_failed(purpose))?;
        let mut rest = rest.to_vec();
        let plain = self
            .key()?
            .open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::from(purpose.as_bytes()), &mut rest)
            .map_err(|_| sealing_failed(purpose))?;
        Ok(plain.to_vec())
    }

    fn key(&self) -> Result<LessSafeKey> {
        let key = UnboundKey::new(&CHACHA20_POLY1305, &self.0);
        key.map(LessSafeKey::new)
            .map_err(|_| Error::internal(anyhow::anyhow!("the sealing key has the wrong length")))
    }
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sealer(hidden)")
    }
}

fn sealing_failed(purpose: &str) -> Error {
    Error::internal(anyhow::anyhow!("cannot decrypt the secret for {purpose:?}"))
}

/// Returns `N` random bytes.
pub fn random<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0_u8; N];
    getrandom::fill(&mut bytes)
        .map_err(|error| Error::internal(anyhow::anyhow!("cannot read random bytes: {error}")))?;
    Ok(bytes)
}

/// Returns `N` random bytes as hex digits.
pub fn random_hex<const N: usize>() -> Result<String> {
    use std::fmt::Write as _;
    let bytes = random::<N>()?;
    Ok(bytes.iter().fold(String::with_capacity(N * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sealed_bytes_open_only_with_the_same_purpose_and_secret() {
        let secret = SecretKey::from_text(&"s".repeat(32)).unwrap();
        let sealer = Sealer::new(&secret);
        let sealed = sealer.seal("one", b"plain").unwrap();
        assert_eq!(sealer.open("one", &sealed).unwrap(), b"plain");
        assert_ne!(sealed, sealer.seal("one", b"plain").unwrap(), "a nonce is used once");
        assert!(sealer.open("other", &sealed).is_err());
        let other = Sealer::new(&SecretKey::from_text(&"t".repeat(32)).unwrap());
        assert!(other.open("one", &sealed).is_err());
        for broken in [&sealed[..5], &sealed[..sealed.len() - 1], &[]] {
            assert!(sealer.open("one", broken).is_err());
        }
    }
}
