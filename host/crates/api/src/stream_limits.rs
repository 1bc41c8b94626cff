//! Limits of open streams.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tessera_core::{Ctx, Error, ErrorKind, Result};

/// Limit of open streams of one principal on this host.
pub(crate) const MAX_STREAMS: usize = 100;

/// Limit of open streams of all callers without a key in a tenant, on this host.
pub(crate) const MAX_PUBLIC_STREAMS: usize = 10_000;

/// Counts the open streams of each principal.
#[derive(Clone, Debug, Default)]
pub struct Streams(Arc<Mutex<HashMap<String, usize>>>);

/// A slot for one open stream; freed when dropped.
pub(crate) struct Slot {
    streams: Streams,
    principal: String,
}

impl Streams {
    /// Takes a slot, or fails if the limit is reached.
    pub(crate) fn enter(&self, ctx: &Ctx) -> Result<Slot> {
        let principal = format!("{}/{}", ctx.tenant, ctx.principal);
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = open.entry(principal.clone()).or_default();
        let limit = if ctx.is_authenticated() { MAX_STREAMS } else { MAX_PUBLIC_STREAMS };
        if *count >= limit {
            let message = format!("{limit} streams are open, which is the limit; close one first");
            return Err(Error::new(ErrorKind::RateLimited, "TOO_MANY_STREAMS", message));
        }
        *count += 1;
        Ok(Slot { streams: self.clone(), principal })
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut open = self.streams.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&self.principal) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.principal);
            }
        }
    }
}
