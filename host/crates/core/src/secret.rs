//! The host's one secret, and the keys that are derived from it for each purpose.

use std::fmt;

use crate::error::{Error, Result};

/// The secret of the host (`TESSERA_SECRET_KEY`). Never printed.
#[derive(Clone)]
pub struct SecretKey([u8; 32]);

impl SecretKey {
    /// From text of at least 32 characters, as an operator sets it.
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

    /// A new secret as text, from the system's randomness.
    pub fn generate_text() -> Result<String> {
        random_hex::<32>()
    }

    /// The key for one purpose; purposes do not learn each other's keys.
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

/// `N` random bytes as hex digits.
pub fn random_hex<const N: usize>() -> Result<String> {
    use std::fmt::Write as _;
    let mut bytes = [0_u8; N];
    getrandom::fill(&mut bytes)
        .map_err(|error| Error::internal(anyhow::anyhow!("no randomness: {error}")))?;
    Ok(bytes.iter().fold(String::with_capacity(N * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    }))
}
