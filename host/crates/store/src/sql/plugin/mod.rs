//! Releases, installations, timers, and heartbeats of hosts.

use tessera_core::Result;
use tessera_core::plugin::Digest;

use crate::codec::corrupt;

pub(super) mod host;
pub(super) mod installation;
pub(super) mod release;
pub(super) mod timer;

/// Decodes a digest.
pub(super) fn digest(bytes: Vec<u8>) -> Result<Digest> {
    bytes.try_into().map(Digest).map_err(|bytes| corrupt("a digest", bytes))
}
