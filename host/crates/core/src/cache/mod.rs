//! What is read on nearly every request, kept until a fact invalidates it.

mod entry;
mod reads;

pub use entry::{CacheKey, Cached};
pub use reads::CachedReads;
