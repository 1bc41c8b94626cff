//! Implementations of the core's ports: caches, buses and search engines.
//!
//! The in-process bus is the host's own feed of facts in `tessera_core::outbox`.

pub mod cache;
