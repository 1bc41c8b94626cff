//! Implementations of the cache.

mod memory;

pub use memory::Memory;
