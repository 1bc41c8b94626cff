//! Runs plugins: WebAssembly components, each call in a fresh instance, within limits.
//!
//! What plugins are called for, and what follows from their answers, is the core's business; this crate depends on
//! wasmtime, and knows neither stores nor transports.

mod bindings;
mod call_state;
mod code_cache;
mod compile_child;
mod compiler;
mod component_check;
mod config;
mod contract;
mod engine;
mod epoch_ticker;
mod failure;
mod guest_clock;
mod inspection;
mod manifest_check;
mod pool;
mod release;
mod release_cache;
mod requirements;
mod sandbox;
mod scheduler;
mod schema;
mod signature;
mod size;
#[cfg(test)]
mod tests;

pub use compile_child::compile_child;
pub use config::{PoolSize, SandboxConfig};
pub use inspection::{Inspection, inspect};
pub use sandbox::Sandbox;
