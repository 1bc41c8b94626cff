//! Numbers and times as the databases keep them.

use tessera_core::plugin::Digest;
use tessera_core::{Error, Result, Timestamp};

/// Error for a stored value that cannot be decoded.
pub(crate) fn corrupt(what: &str, found: impl std::fmt::Debug) -> Error {
    Error::internal(anyhow::anyhow!("the store holds {found:?} where {what} is expected"))
}

/// Decodes the digest of a release.
pub(super) fn digest(text: &str) -> Result<Digest> {
    Digest::parse("digest", text).map_err(|_| corrupt("a digest", text))
}

/// Encodes a version, count or number as the databases' integer.
pub(crate) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Decodes a version, count or number.
pub(crate) fn unsigned(number: i64) -> Result<u64> {
    u64::try_from(number).map_err(|_| corrupt("a count", number))
}

/// Decodes a number of four bytes.
pub(crate) fn small(number: i64) -> Result<u32> {
    u32::try_from(number).map_err(|_| corrupt("a small number", number))
}

/// Decodes a number of two bytes.
pub(crate) fn tiny(number: i64) -> Result<u16> {
    u16::try_from(number).map_err(|_| corrupt("a number of two bytes", number))
}

/// Decodes a time from microseconds.
pub(crate) fn moment(micros: i64) -> Result<Timestamp> {
    Timestamp::from_micros(micros).ok_or_else(|| corrupt("a time", micros))
}
