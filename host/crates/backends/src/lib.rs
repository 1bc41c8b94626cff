//! Caches, buses and search engines behind the core's ports.
//!
//! The in-process bus needs no room here: a host's own feed of facts (`tessera_core::outbox`) is it.

pub mod cache;
